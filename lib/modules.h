/* SPDX-License-Identifier: LGPL-2.1-only OR MIT */
/*
 * The programs and libraries that this process has loaded, by the numbers that
 * they have in the text for BLOCKPOOL_IOC_MODULES.  A number is for ever.
 *
 * All but bp_modules_open() may be called in a signal handler.  The list of what
 * is loaded belongs to the dynamic linker, and dl_iterate_phdr() takes its lock,
 * which the handler may have interrupted: so that list is never walked.  Instead
 * _dl_find_object(), which needs no lock, tells about one address, and what it
 * belongs to is added here when it is first seen.
 */
#ifndef BLOCKPOOL_MODULES_H
#define BLOCKPOOL_MODULES_H

#include "internal.h"

/* Be ready for what follows; false: no memory. */
bp_hidden bool bp_modules_open(void);

/*
 * The frame of a call stack for a return address, as the kernel takes it.  One that
 * belongs to nothing known is in a line that the text will never have.
 */
u64 bp_modules_frame(uintptr_t address) bp_hidden;

/* Hand the text over if there is more than the handle's client has told. */
void bp_modules_tell(struct blockpool *pool) bp_hidden;

/* The path in a frame, cut short if need be; "?" if it is not known. */
void bp_modules_path(u64 frame, char *path, size_t size) bp_hidden;

/* The address in a frame: in the file of that path. */
static inline u64 bp_modules_address(u64 frame)
{
	return frame & ((1ull << 48) - 1);
}

#endif /* BLOCKPOOL_MODULES_H */

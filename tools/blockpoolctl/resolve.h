/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Names for addresses in files that strangers named.
 *
 * A file is opened with the caller's rights, if it is a regular one, and read by
 * a child that has none of them: no root, no capabilities, no other open file, no
 * terminal, and bounds on its memory and time.  What it answers is as little to be
 * believed as the path was.
 */
#ifndef BLOCKPOOLCTL_RESOLVE_H
#define BLOCKPOOLCTL_RESOLVE_H

#include <stdbool.h>

#include "symbols.h"

/* False: nothing is known.  The path is absolute. */
bool resolve(const char *path, __u64 address, struct symbol *symbol);

/* Forget all files: they may be others by the next time. */
void resolve_end(void);

#endif

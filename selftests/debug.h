/* SPDX-License-Identifier: GPL-2.0 */
/* Debug mode for tests, in the manner of pool.h: crimes, reports, the log. */
#ifndef SELFTESTS_DEBUG_H
#define SELFTESTS_DEBUG_H

#include <stdbool.h>

#include "pool.h"

#define FILL_GUARD	0xbb
#define FILL_POISON	0x6b

#define GPT	(BLOCKPOOL_GUARD | BLOCKPOOL_POISON | BLOCKPOOL_TRACK)

/* For what cannot fail: a pool with flags. */
int debug_new(const char *name, __u32 flags, __u32 block_size, __u32 nr_blocks);

/* The calls, with a stack. */
int debug_alloc(int fd, __u32 *indices, __u32 count, const __u64 *frames,
		__u32 nr_frames);
int debug_free(int fd, const __u32 *indices, __u32 count, const __u64 *frames,
	       __u32 nr_frames);
int debug_modules(int fd, const char *text);
int debug_check(int fd, __u32 *damaged);
int debug_repair(int fd, __u32 *repaired);

/* The next report after *cursor; -ENOENT after the last. */
int debug_next(int fd, __u64 *cursor, struct blockpool_report *report);

/* The only report that there is after *cursor. */
struct blockpool_report debug_only(int fd, __u64 *cursor);

/*
 * What the kernel's log says behind a prefix, as one text, to be given to free(); and
 * what it says of one report.
 */
char *debug_log_of(const char *prefix);
char *debug_log(const char *pool, __u64 seq);

/* Whether this kernel knows who called whom. */
bool debug_kernel_stacks(void);

#endif /* SELFTESTS_DEBUG_H */

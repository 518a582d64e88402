/* SPDX-License-Identifier: LGPL-2.1-only OR MIT */
/*
 * What a program does wrong, in the words of the kernel's reports, on stderr with
 * a call stack: for handles opened while the environment has BLOCKPOOL_DEBUG.
 */
#ifndef BLOCKPOOL_REPORT_H
#define BLOCKPOOL_REPORT_H

#include "internal.h"

void bp_report_print(struct blockpool *pool, const void *block,
		     const void *caller) bp_hidden;

void bp_report_print_sent(struct blockpool *pool,
			  const struct blockpool_message *messages, u32 n,
			  const void *caller) bp_hidden;

/* The free of @block was refused.  errno says why, and stays. */
static inline void bp_report_free(struct blockpool *pool, const void *block,
				  const void *caller)
{
	if (pool->reports)
		bp_report_print(pool, block, caller);
}

/* None of these messages was sent.  Likewise. */
static inline void bp_report_sent(struct blockpool *pool,
				  const struct blockpool_message *messages,
				  u32 n, const void *caller)
{
	if (pool->reports)
		bp_report_print_sent(pool, messages, n, caller);
}

/* For a call on a handle that came over fork(): -1 with errno. */
int bp_refuse_inherited(const struct blockpool *pool,
			const void *caller) bp_hidden;

#endif /* BLOCKPOOL_REPORT_H */

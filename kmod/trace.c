// SPDX-License-Identifier: GPL-2.0
/* Events: what they are made of, and what takes more than one. */
#include <linux/minmax.h>

#define CREATE_TRACE_POINTS
#include "trace.h"

typedef void bp_trace_many_t(u32 pool, const u32 *indices, u32 n, u32 owner,
			     unsigned long ip);

static void bp_trace_slices(bp_trace_many_t *trace, u32 pool,
			    const u32 *indices, u32 n, u32 owner,
			    unsigned long ip)
{
	u32 some;

	for (; n; n -= some, indices += some) {
		some = min(n, BP_TRACE_MANY);
		trace(pool, indices, some, owner, ip);
	}
}

void __bp_trace_taken(u32 pool, const u32 *indices, u32 n, u32 owner,
		      unsigned long ip)
{
	if (n == 1)
		trace_take(pool, *indices, owner, ip);
	else if (trace_take_bulk_enabled())
		bp_trace_slices(trace_take_bulk, pool, indices, n, owner, ip);
}

void __bp_trace_freed(u32 pool, const u32 *indices, u32 n, u32 owner,
		      unsigned long ip)
{
	if (n == 1)
		trace_free(pool, *indices, owner, ip);
	else if (trace_free_bulk_enabled())
		bp_trace_slices(trace_free_bulk, pool, indices, n, owner, ip);
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Debug mode: what is done to blocks on their way out of a pool and back, in a
 * pool that was made with some flag of BLOCKPOOL_DEBUG.
 *
 * Such a pool has a struct bp_debug.  It has no magazines, and the fast ways of
 * kernel callers find nothing in it that they could use: so they need not ask, and
 * debug mode costs other pools nothing.
 *
 * Each alloc looks at the blocks it has taken before it claims them, each free at
 * those it has released before it gives them to the depot.  In between a block is
 * nobody's, so what is found there is no race with a holder.  A damaged block goes
 * into quarantine instead: its owner word says so, and it is nowhere else.
 */
#ifndef BLOCKPOOL_DEBUG_H
#define BLOCKPOOL_DEBUG_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "depot.h"
#include "guard.h"
#include "report.h"
#include "track.h"

/* What was reported of a block since it was taken last: once is enough. */
enum bp_mark {
	BP_MARK_DAMAGED,
	BP_MARK_REFUSED,
	BP_MARK_STALE,
	BP_MARK_CORRUPT,
	BP_MARKS
};

struct bp_debug {
	u32 flags;			/* of the pool */
	u32 nr_blocks;
	struct bp_guard guard;
	u32 *owners;			/* the pool's, as is ... */
	struct bp_depot *depot;		/* ... this */
	struct bp_history *histories;	/* a block each, with BLOCKPOOL_TRACK */
	unsigned long *marks;		/* BP_MARKS bits a block, and for none */
	unsigned long *seen;		/* a bit a block, for the audit */
	atomic_t nr_quarantined;

	/* See whole.c. */
	atomic_t on_their_way;		/* blocks of calls, to the audit */
	struct mutex walk;		/* one that may take long at a time */
	bool ending;
	struct delayed_work sweep;
	struct list_head sweeps;

	struct bp_reports reports;
};

/* In the course of what blocks are looked at. */
struct bp_call {
	struct bp_debug *debug;
	u32 found;			/* BLOCKPOOL_FOUND_... */
	const struct bp_caller *caller;
	bool tracked;			/* track is made of caller */
	struct bp_track track;
};

extern u32 bp_debug_default;	/* flags that all pools have */

u64 bp_debug_bytes(u32 flags, u32 nr_blocks);
struct bp_debug *bp_debug_create(const char *pool, const struct bp_guard *guard,
				 struct bp_depot *depot, u32 *owners);
void bp_debug_destroy(struct bp_debug *debug);

bool bp_debug_take(struct bp_debug *debug, u32 *indices, u32 n,
		   const struct bp_caller *caller);
u32 bp_debug_take_some(struct bp_debug *debug, u32 *indices, u32 n,
		       const struct bp_caller *caller);
u32 bp_debug_give(struct bp_debug *debug, const u32 *indices, u32 *sound, u32 n,
		  u32 found, const struct bp_caller *caller);

void bp_debug_hand(struct bp_debug *debug, const u32 *indices, u32 n, u32 found,
		   const struct bp_caller *caller);

void bp_debug_refuse(struct bp_debug *debug, u32 index, u32 owner,
		     const struct bp_caller *caller);
void bp_debug_stale(struct bp_debug *debug, u32 client, u32 index, s64 offset);

/* For a look at the whole pool, see whole.c. */
void bp_call_init(struct bp_call *call, struct bp_debug *debug, u32 found,
		  const struct bp_caller *caller);
void bp_call_damaged(struct bp_call *call, u32 index, bool content);
void bp_call_corrupt(struct bp_call *call, u32 index, const char *detail);
void bp_debug_quarantine(struct bp_debug *debug, u32 index);
void bp_debug_forgive(struct bp_debug *debug, u32 index);

#endif /* BLOCKPOOL_DEBUG_H */

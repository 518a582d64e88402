/* SPDX-License-Identifier: GPL-2.0 */
/* The depot: a pool's free indices, and the queue of those who wait for one. */
#ifndef BLOCKPOOL_DEPOT_H
#define BLOCKPOOL_DEPOT_H

#include <linux/irq_work.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "stack.h"

#define BP_SLICE_MAX	64u	/* indices that are given back at a time */

/* Why blocks come back. */
enum bp_cause {
	BP_FREED,
	BP_RECLAIMED,	/* from a client that is gone */
	BP_CAUSES
};

/*
 * @lock is a leaf, raw and taken with interrupts off, so that the depot serves
 * any context but NMI, also on PREEMPT_RT.  It is held for the copy of one batch,
 * BLOCKPOOL_BATCH_MAX indices, and of a slice, and for BP_SLICE_MAX wake-ups: a
 * slice that is given back serves no more, as each waiter wants a block at least
 * and the first could not be served before.  The lock of @pollers may
 * sleep on PREEMPT_RT and is not for hard interrupts: from there @wake_pollers
 * takes it later.
 */
struct bp_depot {
	raw_spinlock_t lock;

	/* The following fields are protected by the lock. */
	struct bp_stack stack;
	struct list_head waiters;	/* FIFO; the head is served first */
	u32 nr_waiting;
	u32 nr_wiping;		/* free, but out of the stack for a moment */
	u32 min_free;
	u64 taken;		/* blocks ever */
	u64 given[BP_CAUSES];
	u64 waits;

	wait_queue_head_t pollers;
	struct irq_work wake_pollers;
};

/* Consistent among themselves. */
struct bp_depot_stats {
	u32 nr_free;
	u32 nr_waiting;
	u32 min_free;
	u64 taken;
	u64 given[BP_CAUSES];
	u64 waits;
};

int bp_depot_init(struct bp_depot *depot, u32 nr_blocks);
void bp_depot_destroy(struct bp_depot *depot);

int bp_depot_take(struct bp_depot *depot, u32 *indices, u32 n, bool barge);
int bp_depot_take_wait(struct bp_depot *depot, u32 *indices, u32 n,
		       ktime_t until, unsigned int state);
void bp_depot_give(struct bp_depot *depot, const u32 *indices, u32 n,
		   enum bp_cause cause);

bool bp_depot_wipe_begin(struct bp_depot *depot, u32 *below, u32 *index);
void bp_depot_wipe_end(struct bp_depot *depot, u32 index);

bool bp_depot_ready(struct bp_depot *depot);
void bp_depot_read_stats(struct bp_depot *depot, struct bp_depot_stats *stats);

#endif /* BLOCKPOOL_DEPOT_H */

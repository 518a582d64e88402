/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The depot: a pool's free indices behind all magazines, and the queue of those
 * who wait for one.
 */
#ifndef BLOCKPOOL_DEPOT_H
#define BLOCKPOOL_DEPOT_H

#include <linux/cpumask.h>
#include <linux/irq_work.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "../common/stack.h"

/* Elements of a magazine, and so the most that are given back at a time ... */
#define BP_MAGAZINE_MAX	128u
/* ... but by a free, which gives back slices. */
#define BP_SLICE_MAX	(BP_MAGAZINE_MAX / 2)

struct blockpool_status;
struct task_struct;

/* Why blocks come back. */
enum bp_cause {
	BP_FREED,
	BP_RECLAIMED,	/* from a client that is gone */
	BP_CAUSES,	/* that are counted */
	BP_FLUSHED	/* from a magazine: they were free before */
};

/* A sleeping allocation, on its sleeper's stack; protected by the depot's lock. */
struct bp_waiter {
	struct list_head link;
	struct task_struct *task;
	u32 *indices;
	u32 n;
	bool kernel;		/* may have the reserve */
	bool served;
};

/*
 * @lock is a leaf, raw and taken with interrupts off, so that the depot serves
 * any context, also on PREEMPT_RT.  An NMI only tries it.  It is held for the
 * copy of one batch, BLOCKPOOL_BATCH_MAX indices, and for BP_MAGAZINE_MAX
 * wake-ups: as many blocks come at a time at most, and each waiter wants one at
 * least and the first could not be served before.  The lock of @pollers may sleep on
 * PREEMPT_RT and is not for hard interrupts: from there @later takes it.
 *
 * The pool is short while @wanted is not 0: somebody waits, or was refused and no
 * block has come since.  Then no magazine is opened, so that all that comes back
 * comes here.
 */
struct bp_depot {
	raw_spinlock_t lock;

	/* The following fields are protected by the lock. */
	struct bp_stack *stack;
	struct list_head waiters;	/* the head is served first */
	struct list_head *urgent;	/* the last of the kernel's before all ... */
					/* ... clients', or else &waiters */
	u32 nr_waiting;
	u32 nr_wiping;		/* free, but out of the stack: wiped or looked at */
	u32 refused;		/* blocks that would have done for who got none */
	u32 wanted;		/* see bp_depot_reckon(); read anywhere */
	bool aloof;		/* all that is free is wiped; read anywhere */
	cpumask_var_t cpus;	/* whose magazines are open; read anywhere */
	u32 min_free;
	u64 given[BP_CAUSES];
	u64 waits;
	struct blockpool_status *status;	/* for user space; not ours */

	u32 strays;		/* what is left of a limbo to bring home */

	u32 pool;		/* its number, for events; constant */

	/* See bp_depot_put_aside(). */
	u32 *owners;
	u32 limbo;

	u32 reserve;		/* free blocks that clients do not get; constant */

	wait_queue_head_t pollers;
	struct irq_work later;
};

/* Consistent among themselves. */
struct bp_depot_stats {
	u32 nr_free;
	u32 nr_waiting;
	u32 min_free;
	u64 given[BP_CAUSES];
	u64 waits;
};

int bp_depot_init(struct bp_depot *depot, u32 nr_blocks, u32 reserve,
		  u32 *owners, struct blockpool_status *status);
void bp_depot_destroy(struct bp_depot *depot);

int bp_depot_take(struct bp_depot *depot, u32 *indices, u32 n, bool kernel);
u32 bp_depot_take_some(struct bp_depot *depot, u32 *indices, u32 n);
bool bp_depot_join(struct bp_depot *depot, struct bp_waiter *waiter);
int bp_depot_wait(struct bp_depot *depot, struct bp_waiter *waiter,
		  ktime_t until, unsigned int state);
void bp_depot_give(struct bp_depot *depot, const u32 *indices, u32 n,
		   enum bp_cause cause);
void bp_depot_put_aside(struct bp_depot *depot, const u32 *indices, u32 n);
bool bp_depot_let_through(struct bp_depot *depot);

bool bp_depot_open(struct bp_depot *depot, int cpu, struct bp_stack *stack,
		   u32 n);
void bp_depot_close(struct bp_depot *depot, int cpu, struct bp_stack *stack);

void bp_depot_keep_aloof(struct bp_depot *depot, bool aloof);
bool bp_depot_wipe_begin(struct bp_depot *depot, u32 *below, u32 *index);
void bp_depot_wipe_end(struct bp_depot *depot, u32 index);
u32 bp_depot_peek(struct bp_depot *depot, u32 *below, u32 *indices, u32 n);
bool bp_depot_pick(struct bp_depot *depot, u32 at, u32 index);
void bp_depot_lose(struct bp_depot *depot);

/* For the CPU itself, inside its magazine, or one that is dead. */
static inline bool bp_depot_is_open(const struct bp_depot *depot, int cpu)
{
	return cpumask_test_cpu(cpu, depot->cpus);
}

/* Whether all that is free is to come here; may be over at any time. */
static inline bool bp_depot_gathers(const struct bp_depot *depot)
{
	return READ_ONCE(depot->wanted) || READ_ONCE(depot->aloof);
}

/* Whether what is freed may go to a magazine: see stock.c.  May be over at once. */
static inline bool bp_depot_has_reserve(const struct bp_depot *depot)
{
	return !depot->reserve ||
	       /* a look without the lock, as stock.c has it */
	       data_race(depot->stack->nr) >= depot->reserve;
}

/* Free blocks, about. */
static inline u32 bp_depot_glance(const struct bp_depot *depot)
{
	/* for who must not wait for the lock */
	return data_race(depot->stack->nr + depot->nr_wiping);
}

bool bp_depot_ready(struct bp_depot *depot);
void bp_depot_read_stats(struct bp_depot *depot, struct bp_depot_stats *stats);

#endif /* BLOCKPOOL_DEPOT_H */

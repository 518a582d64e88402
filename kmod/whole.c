// SPDX-License-Identifier: GPL-2.0
/*
 * The whole pool, looked at: at each call (BLOCKPOOL_CONSISTENCY), when asked, or
 * from time to time.
 *
 * A free block is looked at where it lies, while it may be taken.  Only one that
 * looks damaged is taken out of the depot, and looked at again: so nobody who wants a
 * block misses one for longer than that takes, and nobody is blamed for what he
 * wrote into a block that had just become his.
 */
#include <linux/hardirq.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "audit.h"
#include "owner.h"
#include "queue.h"
#include "trace.h"
#include "whole.h"

#define BP_WALK_SOME	64u	/* free blocks in one go of the depot's lock */

static bool bp_whole_audited(const struct bp_debug *debug)
{
	return debug->flags & BLOCKPOOL_CONSISTENCY;
}

/* Whether the depot and the owner table agree. */
static bool bp_whole_audit(struct bp_call *call)
{
	struct bp_debug *debug = call->debug;
	struct bp_audit audit = {
		.depot = debug->depot,
		.owners = debug->owners,
		.nr_blocks = debug->nr_blocks,
		.seen = debug->seen,
		.on_their_way = bp_whole_audited(debug) ?
				&debug->on_their_way : NULL,
	};

	if (bp_audit(&audit))
		return true;
	bp_call_corrupt(call, audit.index, audit.what);
	return false;
}

static bool bp_free_sound(struct bp_debug *debug, u32 index)
{
	return bp_guard_sound(&debug->guard, index) &&
	       bp_poison_sound(&debug->guard, index);
}

/* One that has left its place since is looked at by who took it. */
static void bp_whole_look(struct bp_call *call, u32 at, u32 index)
{
	struct bp_debug *debug = call->debug;

	if (likely(bp_free_sound(debug, index)) ||
	    !bp_depot_pick(debug->depot, at, index))
		return;
	if (bp_free_sound(debug, index)) {
		/* The wipe of all that is free may have missed it. */
		bp_store_wipe(debug->guard.store, index);
		bp_depot_wipe_end(debug->depot, index);
		return;
	}
	bp_call_damaged(call, index, true);
	bp_debug_quarantine(debug, index);
	bp_depot_lose(debug->depot);
}

static void bp_whole_look_free(struct bp_call *call, bool rest)
{
	u32 below = U32_MAX, indices[BP_WALK_SOME], n;

	do {
		n = bp_depot_peek(call->debug->depot, &below, indices,
				  BP_WALK_SOME);
		/* From the top, into which a hole's filling comes. */
		while (n--)
			bp_whole_look(call, below + n, indices[n]);
		if (rest)
			cond_resched();
	} while (below);
}

/* Whether a block is damaged, whoever has it. */
static bool bp_whole_look_guard(struct bp_call *call, u32 index)
{
	struct bp_debug *debug = call->debug;

	if (likely(bp_guard_sound(&debug->guard, index)))
		return READ_ONCE(debug->owners[index]) ==
		       BLOCKPOOL_OWNER_QUARANTINE;
	bp_call_damaged(call, index, false);
	return true;
}

/*
 * Returns how many blocks are damaged, the stack of free ones counted as one;
 * @rest: the caller may sleep.
 */
static u32 bp_whole_look_all(struct bp_call *call, bool rest)
{
	struct bp_debug *debug = call->debug;
	u32 damaged = 0, i;

	/* What is said to be free may be nonsense. */
	if (bp_whole_audit(call))
		bp_whole_look_free(call, rest);
	else
		damaged++;
	for (i = 0; i < debug->nr_blocks; i++) {
		damaged += bp_whole_look_guard(call, i);
		if (!rest)
			continue;
		if (READ_ONCE(debug->ending) || fatal_signal_pending(current))
			break;
		cond_resched();
	}
	return damaged;
}

/**
 * bp_whole_begin() - at the beginning of a call that moves blocks
 * @debug: of the pool
 * @n: how many at most
 *
 * Until bp_whole_end() so many may be in no place at all.
 *
 * Context: Any.
 */
void bp_whole_begin(struct bp_debug *debug, u32 n)
{
	if (!bp_whole_audited(debug))
		return;
	atomic_add(n, &debug->on_their_way);
	smp_mb__after_atomic();	/* pairs with smp_rmb() in bp_audit_owners() */
}

/**
 * bp_whole_end() - at the end of that call
 * @debug: of the pool
 * @n: as for bp_whole_begin()
 * @found: BLOCKPOOL_FOUND_...
 * @caller: who called
 *
 * With BLOCKPOOL_CONSISTENCY it looks at the whole pool, which takes as long as there
 * are blocks.  Not in NMI, which must not wait for the depot.
 *
 * Context: Any.
 */
void bp_whole_end(struct bp_debug *debug, u32 n, u32 found,
		  const struct bp_caller *caller)
{
	struct bp_call call;

	if (!bp_whole_audited(debug))
		return;
	smp_mb__before_atomic();	/* what is claimed is claimed */
	atomic_sub(n, &debug->on_their_way);
	if (in_nmi())
		return;
	bp_call_init(&call, debug, found, caller);
	bp_whole_look_all(&call, false);
}

static u32 bp_whole_walk(struct bp_debug *debug, u32 found,
			 const struct bp_caller *caller)
{
	struct bp_call call;

	bp_call_init(&call, debug, found, caller);
	bp_depot_let_through(debug->depot);	/* also what is in limbo */
	return bp_whole_look_all(&call, true);
}

/**
 * bp_whole_check() - look for damage now
 * @debug: of the pool
 * @caller: who wants to know
 * @damaged: out: blocks that are damaged
 *
 * Context: Process context; may sleep.
 * Return: 0, or -EINTR (fatal signal).
 */
int bp_whole_check(struct bp_debug *debug, const struct bp_caller *caller,
		   u32 *damaged)
{
	if (mutex_lock_killable(&debug->walk))
		return -EINTR;
	*damaged = bp_whole_walk(debug, BLOCKPOOL_FOUND_CHECK, caller);
	mutex_unlock(&debug->walk);
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/* Back into the pool, if it was in quarantine. */
static bool bp_whole_release(struct bp_debug *debug, u32 index)
{
	bool released;

	bp_guard_fill(&debug->guard, index);
	bp_debug_forgive(debug, index);
	bp_whole_begin(debug, 1);
	released = bp_owner_release(&debug->owners[index],
				    BLOCKPOOL_OWNER_QUARANTINE);
	if (released) {
		bp_store_wipe(debug->guard.store, index);
		bp_poison_fill(&debug->guard, index);
		atomic_dec(&debug->nr_quarantined);
		trace_repair(debug->depot->pool, index);
		bp_depot_give(debug->depot, &index, 1, BP_FREED);
	}
	if (bp_whole_audited(debug))
		atomic_dec(&debug->on_their_way);
	return released;
}

/**
 * bp_whole_repair() - end the quarantine
 * @debug: of the pool
 * @repaired: out: how many blocks came out of it
 *
 * Context: Process context; may sleep.
 * Return: 0, or -EINTR (fatal signal) and it is not complete.
 */
int bp_whole_repair(struct bp_debug *debug, u32 *repaired)
{
	u32 i;

	*repaired = 0;
	if (mutex_lock_killable(&debug->walk))
		return -EINTR;
	for (i = 0; i < debug->nr_blocks && !fatal_signal_pending(current);
	     i++) {
		*repaired += bp_whole_release(debug, i);
		cond_resched();
	}
	bp_debug_forgive(debug, BLOCKPOOL_NO_INDEX);
	mutex_unlock(&debug->walk);
	return i < debug->nr_blocks ? -EINTR : 0;
}

/*
 * The sweep: a walk from time to time
 */

static DEFINE_SPINLOCK(bp_sweeps_lock);
static LIST_HEAD(bp_sweeps);
static unsigned int bp_sweep_ms = 10000;

static void bp_sweep_next(struct bp_debug *debug)
{
	unsigned int ms = READ_ONCE(bp_sweep_ms);

	if (ms && !READ_ONCE(debug->ending))
		mod_delayed_work(bp_queue, &debug->sweep,
				 msecs_to_jiffies(ms));
}

static int bp_sweep_set(const char *text, const struct kernel_param *param)
{
	struct bp_debug *debug;
	int ret = param_set_uint(text, param);

	spin_lock(&bp_sweeps_lock);
	list_for_each_entry(debug, &bp_sweeps, sweeps)
		bp_sweep_next(debug);
	spin_unlock(&bp_sweeps_lock);
	return ret;
}

static const struct kernel_param_ops bp_sweep_ops = {
	.set = bp_sweep_set,
	.get = param_get_uint,
};

module_param_cb(debug_sweep_ms, &bp_sweep_ops, &bp_sweep_ms, 0644);
__MODULE_PARM_TYPE(debug_sweep_ms, "uint");
MODULE_PARM_DESC(debug_sweep_ms, "milliseconds between two looks at all guard zones and free blocks; 0: none (10000)");

static void bp_sweep_work(struct work_struct *work)
{
	struct bp_debug *debug = container_of(to_delayed_work(work),
					      struct bp_debug, sweep);

	mutex_lock(&debug->walk);
	bp_whole_walk(debug, BLOCKPOOL_FOUND_SWEEP, &bp_caller_kernel);
	mutex_unlock(&debug->walk);
	bp_sweep_next(debug);
}

void bp_sweep_start(struct bp_debug *debug)
{
	INIT_DELAYED_WORK(&debug->sweep, bp_sweep_work);
	spin_lock(&bp_sweeps_lock);
	list_add(&debug->sweeps, &bp_sweeps);
	bp_sweep_next(debug);
	spin_unlock(&bp_sweeps_lock);
}

void bp_sweep_stop(struct bp_debug *debug)
{
	spin_lock(&bp_sweeps_lock);
	list_del(&debug->sweeps);
	spin_unlock(&bp_sweeps_lock);
	WRITE_ONCE(debug->ending, true);
	cancel_delayed_work_sync(&debug->sweep);
}

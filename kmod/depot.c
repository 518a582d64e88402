// SPDX-License-Identifier: GPL-2.0
/*
 * The depot: a pool's free indices, and the queue of those who wait for one.
 *
 * Sleepers are served by whoever frees: under the lock, the head of the queue
 * gets all that it asked for as soon as there is that much, straight from the
 * stack.  Nobody has to race for what he was woken for, so the order is the
 * order of arrival, and a request for many is not starved by a stream of
 * requests for one.
 */
#include <linux/hrtimer.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "charge.h"
#include "depot.h"

/* One sleeping allocation, on its sleeper's stack; protected by depot->lock. */
struct bp_waiter {
	struct list_head link;
	struct task_struct *task;
	u32 *indices;
	u32 n;
	bool served;
};

/* All, the exclusive too: one of them may want no block at all. */
static void bp_depot_wake_now(struct bp_depot *depot)
{
	__wake_up(&depot->pollers, TASK_INTERRUPTIBLE, 0,
		  poll_to_key(EPOLLOUT | EPOLLWRNORM));
}

static void bp_depot_wake_later(struct irq_work *work)
{
	bp_depot_wake_now(container_of(work, struct bp_depot, wake_pollers));
}

/* Without the depot's lock, and at once unless the lock of the list forbids it. */
static void bp_depot_wake_pollers(struct bp_depot *depot)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT) ? preemptible() : !irqs_disabled())
		bp_depot_wake_now(depot);
	else
		irq_work_queue(&depot->wake_pollers);
}

int bp_depot_init(struct bp_depot *depot, u32 nr_blocks)
{
	u32 *elements = kvmalloc_array(nr_blocks, sizeof(*elements),
				       BP_GFP_CHARGED);

	if (!elements)
		return -ENOMEM;
	raw_spin_lock_init(&depot->lock);
	bp_stack_init(&depot->stack, elements, nr_blocks);
	bp_stack_fill(&depot->stack);
	depot->min_free = nr_blocks;
	INIT_LIST_HEAD(&depot->waiters);
	init_waitqueue_head(&depot->pollers);
	init_irq_work(&depot->wake_pollers, bp_depot_wake_later);
	return 0;
}

void bp_depot_destroy(struct bp_depot *depot)
{
	irq_work_sync(&depot->wake_pollers);
	kvfree(depot->stack.elements);
}

/* Blocks that nobody has a claim on: what the queue waits for is promised. */
static bool bp_depot_unclaimed(const struct bp_depot *depot)
{
	lockdep_assert_held(&depot->lock);
	return depot->stack.nr && list_empty(&depot->waiters);
}

static bool bp_depot_pop(struct bp_depot *depot, u32 *indices, u32 n)
{
	lockdep_assert_held(&depot->lock);
	if (!bp_stack_pop_bulk(&depot->stack, indices, n))
		return false;
	depot->taken += n;
	depot->min_free = min(depot->min_free,
			      depot->stack.nr + depot->nr_wiping);
	return true;
}

/* Whether there is enough for the first in the queue. */
static bool bp_depot_can_serve(struct bp_depot *depot)
{
	struct bp_waiter *waiter;

	lockdep_assert_held(&depot->lock);
	waiter = list_first_entry_or_null(&depot->waiters, struct bp_waiter,
					  link);
	return waiter && waiter->n <= depot->stack.nr;
}

/* Serve the queue, up to BP_SLICE_MAX of it. */
static void bp_depot_serve(struct bp_depot *depot)
{
	struct bp_waiter *waiter;
	u32 i;

	for (i = 0; i < BP_SLICE_MAX && bp_depot_can_serve(depot); i++) {
		waiter = list_first_entry(&depot->waiters, struct bp_waiter,
					  link);
		bp_depot_pop(depot, waiter->indices, waiter->n);
		list_del(&waiter->link);
		depot->nr_waiting--;
		WRITE_ONCE(waiter->served, true);
		/* The waiter cannot go away: it needs the lock to leave. */
		wake_up_process(waiter->task);
	}
}

/*
 * There are more blocks, or fewer claims on them.  Returns whether the pollers
 * are to hear of it: of every block and not only of the first, since one that
 * waits for edges may need several.
 */
static bool bp_depot_more(struct bp_depot *depot)
{
	bp_depot_serve(depot);
	/*
	 * A poller is on the list before it looks, under the lock, at what
	 * there is: it is seen here, or it sees the block.
	 */
	return bp_depot_unclaimed(depot) && waitqueue_active(&depot->pollers);
}

/**
 * bp_depot_take() - take blocks without waiting
 * @depot: the depot
 * @indices: where to put them
 * @n: how many; all or none
 * @barge: take also what sleepers wait for, as those must who cannot wait
 *
 * Context: Any but NMI.
 * Return: 0 or -EAGAIN.
 */
int bp_depot_take(struct bp_depot *depot, u32 *indices, u32 n, bool barge)
{
	unsigned long flags;
	int ret = -EAGAIN;

	raw_spin_lock_irqsave(&depot->lock, flags);
	if ((barge || list_empty(&depot->waiters)) &&
	    bp_depot_pop(depot, indices, n))
		ret = 0;
	raw_spin_unlock_irqrestore(&depot->lock, flags);
	return ret;
}

/* Someone who asked for much is gone: as many as there is enough for get through. */
static void bp_depot_let_through(struct bp_depot *depot)
{
	unsigned long flags;
	bool wake, again;

	do {
		raw_spin_lock_irqsave(&depot->lock, flags);
		wake = bp_depot_more(depot);
		again = bp_depot_can_serve(depot);
		raw_spin_unlock_irqrestore(&depot->lock, flags);
		if (wake)
			bp_depot_wake_pollers(depot);
	} while (again);
}

/* Leave the queue; false if served meanwhile. */
static bool bp_depot_leave(struct bp_depot *depot, struct bp_waiter *waiter)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&depot->lock, flags);
	if (!waiter->served) {
		list_del(&waiter->link);
		depot->nr_waiting--;
	}
	raw_spin_unlock_irqrestore(&depot->lock, flags);
	if (waiter->served)
		return false;
	bp_depot_let_through(depot);
	return true;
}

static int bp_depot_sleep(struct bp_waiter *waiter, ktime_t until,
			  unsigned int state)
{
	ktime_t *expires = until == KTIME_MAX ? NULL : &until;
	bool expired = false;
	int ret = 0;

	for (;;) {
		set_current_state(state);
		if (READ_ONCE(waiter->served))
			break;
		if (signal_pending_state(state, current)) {
			ret = -EINTR;
			break;
		}
		if (expired) {
			ret = -ETIMEDOUT;
			break;
		}
		expired = !schedule_hrtimeout(expires, HRTIMER_MODE_ABS);
	}
	__set_current_state(TASK_RUNNING);
	return ret;
}

/**
 * bp_depot_take_wait() - take blocks, waiting for them behind those who came first
 * @depot: the depot
 * @indices: where to put them
 * @n: how many; all or none, and at most what the pool has
 * @until: by CLOCK_MONOTONIC, KTIME_MAX for ever
 * @state: TASK_INTERRUPTIBLE or TASK_KILLABLE: which signals end the wait
 *
 * Context: Process context; may sleep.
 * Return: 0, -ETIMEDOUT or -EINTR.
 */
int bp_depot_take_wait(struct bp_depot *depot, u32 *indices, u32 n,
		       ktime_t until, unsigned int state)
{
	struct bp_waiter waiter = {
		.task = current, .indices = indices, .n = n,
	};
	unsigned long flags;
	int ret = 0;

	might_sleep();
	raw_spin_lock_irqsave(&depot->lock, flags);
	if (list_empty(&depot->waiters) && bp_depot_pop(depot, indices, n))
		goto out_unlock;
	if (until <= ktime_get()) {
		ret = -ETIMEDOUT;
		goto out_unlock;
	}
	list_add_tail(&waiter.link, &depot->waiters);
	depot->nr_waiting++;
	depot->waits++;
	raw_spin_unlock_irqrestore(&depot->lock, flags);

	ret = bp_depot_sleep(&waiter, until, state);
	/* Served on the last stretch: it counts, whatever ended the sleep. */
	return bp_depot_leave(depot, &waiter) ? ret : 0;

out_unlock:
	raw_spin_unlock_irqrestore(&depot->lock, flags);
	return ret;
}

/**
 * bp_depot_give() - give blocks back, and serve those who wait
 * @depot: the depot
 * @indices: the blocks, each owned by nobody else
 * @n: how many, at most BP_SLICE_MAX
 * @cause: why
 *
 * Context: Any but NMI.
 */
void bp_depot_give(struct bp_depot *depot, const u32 *indices, u32 n,
		   enum bp_cause cause)
{
	unsigned long flags;
	bool wake;

	raw_spin_lock_irqsave(&depot->lock, flags);
	if (!WARN_ON_ONCE(!bp_stack_push_bulk(&depot->stack, indices, n)))
		depot->given[cause] += n;
	wake = bp_depot_more(depot);
	raw_spin_unlock_irqrestore(&depot->lock, flags);
	if (wake)
		bp_depot_wake_pollers(depot);
}

/**
 * bp_depot_wipe_begin() - pick the next free block that is to be wiped
 * @depot: the depot
 * @below: in: U32_MAX to begin; then as it came back: positions done
 * @index: out: the block, out of the stack until bp_depot_wipe_end()
 *
 * Walks down from the top of the stack.  Whatever is given back meanwhile must
 * be clean.  An element below the walk only moves by being taken, so none is
 * missed; the hole is filled with the top one, which is clean or is the hole.
 *
 * Return: false when all that is free is clean.
 */
bool bp_depot_wipe_begin(struct bp_depot *depot, u32 *below, u32 *index)
{
	struct bp_stack *stack = &depot->stack;
	unsigned long flags;
	u32 at;

	raw_spin_lock_irqsave(&depot->lock, flags);
	at = min(*below, stack->nr);
	if (at) {
		*index = bp_stack_take_at(stack, at - 1);
		*below = at - 1;
		depot->nr_wiping++;
	}
	raw_spin_unlock_irqrestore(&depot->lock, flags);
	return at;
}

void bp_depot_wipe_end(struct bp_depot *depot, u32 index)
{
	unsigned long flags;
	bool wake;

	raw_spin_lock_irqsave(&depot->lock, flags);
	WARN_ON_ONCE(!bp_stack_push(&depot->stack, index));
	depot->nr_wiping--;
	wake = bp_depot_more(depot);
	raw_spin_unlock_irqrestore(&depot->lock, flags);
	if (wake)
		bp_depot_wake_pollers(depot);
}

/* Whether bp_depot_take() of one block, without barging, would succeed now. */
bool bp_depot_ready(struct bp_depot *depot)
{
	unsigned long flags;
	bool ready;

	raw_spin_lock_irqsave(&depot->lock, flags);
	ready = bp_depot_unclaimed(depot);
	raw_spin_unlock_irqrestore(&depot->lock, flags);
	return ready;
}

void bp_depot_read_stats(struct bp_depot *depot, struct bp_depot_stats *stats)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&depot->lock, flags);
	stats->nr_free = depot->stack.nr + depot->nr_wiping;
	stats->nr_waiting = depot->nr_waiting;
	stats->min_free = depot->min_free;
	stats->taken = depot->taken;
	memcpy(stats->given, depot->given, sizeof(stats->given));
	stats->waits = depot->waits;
	raw_spin_unlock_irqrestore(&depot->lock, flags);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The depot: a pool's free indices behind all magazines, and the queue of those
 * who wait for one.
 *
 * Sleepers are served by whoever gives: under the lock, the head of the queue
 * gets all that it asked for as soon as there is that much, straight from the
 * stack.  Nobody has to race for what he was woken for, so the order is the
 * order of arrival, and a request for many is not starved by a stream of
 * requests for one.
 *
 * In a pool with a reserve the kernel stands before the clients: one of these that
 * waits for more than there is does not keep it from what is there for it alone.
 *
 * An NMI may have interrupted who holds the lock.  So it only tries to get it
 * when it takes, and never needs it when it gives: see bp_depot_put_aside().
 */
#include <linux/hrtimer.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include <uapi/linux/blockpool.h>

#include "charge.h"
#include "depot.h"
#include "owner.h"
#include "trace.h"
#include "wake.h"

/* All, the exclusive too: one of them may want no block at all. */
static void bp_depot_wake_now(struct bp_depot *depot)
{
	__wake_up(&depot->pollers, TASK_INTERRUPTIBLE, 0,
		  poll_to_key(EPOLLOUT | EPOLLWRNORM));
}

/* Without the depot's lock, and at once unless the lock of the list forbids it. */
static void bp_depot_wake_pollers(struct bp_depot *depot)
{
	if (bp_may_wake())
		bp_depot_wake_now(depot);
	else
		irq_work_queue(&depot->later);
}

static struct bp_waiter *bp_depot_first(struct bp_depot *depot)
{
	lockdep_assert_held(&depot->lock);
	return list_first_entry_or_null(&depot->waiters, struct bp_waiter,
					link);
}

/* Blocks that the kernel may take, or a client. */
static u32 bp_depot_spare(const struct bp_depot *depot, bool kernel)
{
	u32 nr = depot->stack->nr;

	return kernel ? nr : nr - min(nr, depot->reserve);
}

/* How short the pool is, after something has changed. */
static void bp_depot_reckon(struct bp_depot *depot)
{
	struct bp_waiter *first = bp_depot_first(depot);
	u32 wanted = max(depot->refused, first ? first->n : 0);

	if (wanted == depot->wanted)
		return;
	WRITE_ONCE(depot->wanted, wanted);
	WRITE_ONCE(depot->status->wanted, wanted);
}

/* Somebody got nothing and may go away, or wait for an edge that tells of more. */
static void bp_depot_refuse(struct bp_depot *depot, u32 n)
{
	depot->refused = max(depot->refused, n);
	bp_depot_reckon(depot);
}

/* One block will do for who was refused, or else nobody waits for so many. */
static void bp_depot_relent(struct bp_depot *depot)
{
	u32 enough;

	if (!depot->refused)
		return;
	/* waitqueue_active(): who polls for edges may have come for all of them. */
	enough = waitqueue_active(&depot->pollers) ? depot->refused : 1;
	if (bp_depot_spare(depot, false) >= enough)
		depot->refused = 0;
}

/* Blocks that a client may take: what the queue waits for is promised. */
static bool bp_depot_unclaimed(const struct bp_depot *depot)
{
	lockdep_assert_held(&depot->lock);
	return list_empty(&depot->waiters) && bp_depot_spare(depot, false);
}

static bool bp_depot_pop(struct bp_depot *depot, u32 *indices, u32 n,
			 bool kernel)
{
	lockdep_assert_held(&depot->lock);
	if (n > bp_depot_spare(depot, kernel))
		return false;
	bp_stack_pop_bulk(depot->stack, indices, n);
	depot->min_free = min(depot->min_free,
			      depot->stack->nr + depot->nr_wiping);
	return true;
}

/*
 * Behind those who came before; the kernel's, if there is a reserve, before all
 * clients'.  Returns whether there is nobody to stand behind and enough to take.
 */
static bool bp_depot_enqueue(struct bp_depot *depot, struct bp_waiter *waiter)
{
	bool urgent = waiter->kernel && depot->reserve;
	struct list_head *behind = urgent ? depot->urgent : depot->waiters.prev;

	if (behind == &depot->waiters &&
	    bp_depot_pop(depot, waiter->indices, waiter->n, waiter->kernel))
		return true;
	list_add(&waiter->link, behind);
	if (urgent)
		depot->urgent = &waiter->link;
	depot->nr_waiting++;
	return false;
}

static void bp_depot_dequeue(struct bp_depot *depot, struct bp_waiter *waiter)
{
	if (depot->urgent == &waiter->link)
		depot->urgent = waiter->link.prev;
	list_del(&waiter->link);
	depot->nr_waiting--;
}

/* Whether there is enough for the first in the queue. */
static bool bp_depot_can_serve(struct bp_depot *depot)
{
	struct bp_waiter *waiter = bp_depot_first(depot);

	return waiter && waiter->n <= bp_depot_spare(depot, waiter->kernel);
}

/* Serve the queue, up to BP_MAGAZINE_MAX of it. */
static void bp_depot_serve(struct bp_depot *depot)
{
	struct bp_waiter *waiter;
	u32 i;

	for (i = 0; i < BP_MAGAZINE_MAX && bp_depot_can_serve(depot); i++) {
		waiter = bp_depot_first(depot);
		bp_depot_pop(depot, waiter->indices, waiter->n,
			     waiter->kernel);
		bp_depot_dequeue(depot, waiter);
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
	bp_depot_reckon(depot);
	/*
	 * A poller is on the list before it looks, under the lock, at what
	 * there is: it is seen here, or it sees the block.
	 */
	return bp_depot_unclaimed(depot) && waitqueue_active(&depot->pollers);
}

/* Take the first of the strays, unless a free of two at once has broken them. */
static void bp_depot_absorb_one(struct bp_depot *depot)
{
	u32 index = depot->strays - 1, word = READ_ONCE(depot->owners[index]);

	depot->strays = word & ~BP_OWNER_LIMBO;
	if (WARN_ONCE(!(word & BP_OWNER_LIMBO) ||
		      depot->strays > depot->stack->size,
		      "blockpool: a block was freed twice at once\n")) {
		depot->strays = 0;
		return;
	}
	WRITE_ONCE(depot->owners[index], BLOCKPOOL_OWNER_FREE);
	WARN_ON_ONCE(!bp_stack_push(depot->stack, index));
	depot->given[BP_FREED]++;
}

/* Bring home what bp_depot_put_aside() left, as much as a free may bring. */
static void bp_depot_absorb(struct bp_depot *depot)
{
	u32 i;

	lockdep_assert_held(&depot->lock);
	/* Pairs with try_cmpxchg() in bp_depot_put_aside(): links are there. */
	if (unlikely(READ_ONCE(depot->limbo)) && !depot->strays)
		depot->strays = xchg(&depot->limbo, 0);
	for (i = 0; unlikely(depot->strays) && i < BP_SLICE_MAX; i++)
		bp_depot_absorb_one(depot);
}

/*
 * All but an NMI, which tries: the lock may be its own CPU's.  On one processor
 * a lock is nothing that could be tried.
 */
#define bp_depot_lock(depot, flags)				\
do {								\
	raw_spin_lock_irqsave(&(depot)->lock, flags);		\
	bp_depot_absorb(depot);					\
} while (0)

#define bp_depot_trylock(depot, flags)				\
	((IS_ENABLED(CONFIG_SMP) || !in_nmi()) &&		\
	 raw_spin_trylock_irqsave(&(depot)->lock, flags))

#define bp_depot_unlock(depot, flags)				\
	raw_spin_unlock_irqrestore(&(depot)->lock, flags)

/*
 * Bring home all strays, and let as many through as there is enough for.  Returns
 * as bp_depot_more().
 */
bool bp_depot_let_through(struct bp_depot *depot)
{
	bool wake = false, again;
	unsigned long flags;

	do {
		bp_depot_lock(depot, flags);
		bp_depot_relent(depot);
		wake |= bp_depot_more(depot);
		again = bp_depot_can_serve(depot) || depot->strays ||
			READ_ONCE(depot->limbo);
		bp_depot_unlock(depot, flags);
	} while (again);
	return wake;
}

/* What could not be done in an NMI, or with interrupts off. */
static void bp_depot_later(struct irq_work *work)
{
	struct bp_depot *depot = container_of(work, struct bp_depot, later);

	if (bp_depot_let_through(depot))
		bp_depot_wake_now(depot);
}

/* owners and status are the caller's and outlive the depot. */
int bp_depot_init(struct bp_depot *depot, u32 nr_blocks, u32 reserve,
		  u32 *owners, struct blockpool_status *status)
{
	depot->stack = kvmalloc(bp_stack_bytes(nr_blocks), BP_GFP_CHARGED);
	if (!depot->stack)
		return -ENOMEM;
	if (!zalloc_cpumask_var(&depot->cpus, BP_GFP_CHARGED)) {
		kvfree(depot->stack);
		return -ENOMEM;
	}
	raw_spin_lock_init(&depot->lock);
	depot->stack->nr = 0;
	depot->stack->size = nr_blocks;
	bp_stack_fill(depot->stack);
	depot->min_free = nr_blocks;
	depot->reserve = reserve;
	depot->owners = owners;
	depot->status = status;
	INIT_LIST_HEAD(&depot->waiters);
	depot->urgent = &depot->waiters;
	init_waitqueue_head(&depot->pollers);
	init_irq_work(&depot->later, bp_depot_later);
	return 0;
}

void bp_depot_destroy(struct bp_depot *depot)
{
	irq_work_sync(&depot->later);
	free_cpumask_var(depot->cpus);
	kvfree(depot->stack);
}

/**
 * bp_depot_take() - take blocks without waiting
 * @depot: the depot
 * @indices: where to put them
 * @n: how many; all or none
 * @kernel: take also what sleepers wait for, as those must who cannot wait, and
 *	the reserve
 *
 * Context: Any; in NMI it may also be refused because somebody is at the depot.
 * Return: 0 or -EAGAIN.
 */
int bp_depot_take(struct bp_depot *depot, u32 *indices, u32 n, bool kernel)
{
	unsigned long flags;
	int ret = -EAGAIN;

	if (bp_depot_trylock(depot, flags)) {
		bp_depot_absorb(depot);
	} else {
		if (in_nmi())
			return -EAGAIN;
		bp_depot_lock(depot, flags);
	}
	if ((kernel || list_empty(&depot->waiters)) &&
	    bp_depot_pop(depot, indices, n, kernel))
		ret = 0;
	else
		bp_depot_refuse(depot, n);
	bp_depot_unlock(depot, flags);
	return ret;
}

/**
 * bp_depot_take_some() - take blocks that may be needed soon
 * @depot: the depot
 * @indices: where to put them
 * @n: how many at most
 *
 * Half of what there is for clients stays there, and all of it if the pool is
 * short.
 *
 * Context: Any but NMI.
 * Return: How many.
 */
u32 bp_depot_take_some(struct bp_depot *depot, u32 *indices, u32 n)
{
	unsigned long flags;

	bp_depot_lock(depot, flags);
	n = depot->wanted ? 0 : min(n, bp_depot_spare(depot, false) / 2);
	bp_depot_pop(depot, indices, n, false);
	bp_depot_unlock(depot, flags);
	return n;
}

/**
 * bp_depot_join() - take blocks, or queue up for them
 * @depot: the depot
 * @waiter: its @indices, @n and @kernel filled in: where to put them, how many,
 *	for whom; all or none, and at most what the pool has for those
 *
 * Context: Any but NMI, for the task that will wait.
 * Return: Whether they were there; if not, bp_depot_wait() must follow.
 */
bool bp_depot_join(struct bp_depot *depot, struct bp_waiter *waiter)
{
	unsigned long flags;
	bool served;

	bp_depot_lock(depot, flags);
	waiter->task = current;
	served = bp_depot_enqueue(depot, waiter);
	waiter->served = served;
	if (!served) {
		depot->waits++;
		bp_depot_reckon(depot);
	}
	bp_depot_unlock(depot, flags);
	/* waiter->served can be true by now, and who made it so not be done. */
	return served;
}

/* Leave the queue; false if served meanwhile. */
static bool bp_depot_leave(struct bp_depot *depot, struct bp_waiter *waiter)
{
	unsigned long flags;

	bp_depot_lock(depot, flags);
	if (!waiter->served)
		bp_depot_dequeue(depot, waiter);
	bp_depot_unlock(depot, flags);
	if (waiter->served)
		return false;
	if (bp_depot_let_through(depot))
		bp_depot_wake_pollers(depot);
	return true;
}

static int bp_depot_sleep(struct bp_waiter *waiter, ktime_t until,
			  unsigned int state)
{
	ktime_t *expires = until == KTIME_MAX ? NULL : &until;
	bool expired = until <= ktime_get();
	int ret = 0;

	for (;;) {
		set_current_state(state);
		if (READ_ONCE(waiter->served))
			break;
		if (expired) {
			ret = -ETIMEDOUT;
			break;
		}
		if (signal_pending_state(state, current)) {
			ret = -EINTR;
			break;
		}
		expired = !schedule_hrtimeout(expires, HRTIMER_MODE_ABS);
	}
	__set_current_state(TASK_RUNNING);
	return ret;
}

/**
 * bp_depot_wait() - wait for blocks behind those who came first
 * @depot: the depot
 * @waiter: in the queue by bp_depot_join()
 * @until: by CLOCK_MONOTONIC, KTIME_MAX for ever
 * @state: TASK_INTERRUPTIBLE or TASK_KILLABLE: which signals end the wait
 *
 * Context: Process context; may sleep.
 * Return: 0, -ETIMEDOUT or -EINTR.
 */
int bp_depot_wait(struct bp_depot *depot, struct bp_waiter *waiter,
		  ktime_t until, unsigned int state)
{
	int ret;

	might_sleep();
	ret = bp_depot_sleep(waiter, until, state);
	/* Served on the last stretch: it counts, whatever ended the sleep. */
	return bp_depot_leave(depot, waiter) ? ret : 0;
}

/**
 * bp_depot_give() - give blocks back, and serve those who wait
 * @depot: the depot
 * @indices: the blocks, each owned by nobody else
 * @n: how many, at most BP_MAGAZINE_MAX
 * @cause: why
 *
 * Context: Any but NMI.
 */
void bp_depot_give(struct bp_depot *depot, const u32 *indices, u32 n,
		   enum bp_cause cause)
{
	unsigned long flags;
	bool wake;

	bp_depot_lock(depot, flags);
	if (!WARN_ON_ONCE(!bp_stack_push_bulk(depot->stack, indices, n)) &&
	    cause < BP_CAUSES)
		depot->given[cause] += n;
	bp_depot_relent(depot);
	wake = bp_depot_more(depot);
	bp_depot_unlock(depot, flags);
	if (wake)
		bp_depot_wake_pollers(depot);
}

/**
 * bp_depot_put_aside() - free blocks in an NMI
 * @depot: the depot
 * @indices: the blocks, each owned by nobody else
 * @n: how many, at least 1
 *
 * They go to limbo: a list without a lock, to which only NMIs add and which only
 * the holder of the depot's lock takes, as a whole, so no block can leave it and
 * come back while somebody looks at it.  A block's owner word, which is nobody's
 * now, holds the link.  Whoever gets the lock next brings them home; @later sees
 * to it that someone does.
 *
 * Context: Any.
 */
void bp_depot_put_aside(struct bp_depot *depot, const u32 *indices, u32 n)
{
	u32 head = READ_ONCE(depot->limbo), i;

	BUILD_BUG_ON((BP_OWNER_GOING & ~BP_OWNER_LIMBO) <= BLOCKPOOL_BLOCKS_MAX);
	for (i = 1; i < n; i++)
		WRITE_ONCE(depot->owners[indices[i]],
			   BP_OWNER_LIMBO | (indices[i - 1] + 1));
	do {
		WRITE_ONCE(depot->owners[indices[0]], BP_OWNER_LIMBO | head);
		/* Pairs with xchg() in bp_depot_absorb(). */
	} while (!try_cmpxchg(&depot->limbo, &head, indices[n - 1] + 1));
	irq_work_queue(&depot->later);
}

/**
 * bp_depot_open() - let a CPU keep blocks in its magazine, unless they are short
 * @depot: the depot
 * @cpu: this CPU
 * @stack: its magazine's, with room
 * @n: how many to move there, if there are as many, of the reserve none
 *
 * Context: Any, by the CPU, which is inside its magazine.
 * Return: Whether the magazine is open now.
 */
bool bp_depot_open(struct bp_depot *depot, int cpu, struct bp_stack *stack,
		   u32 n)
{
	unsigned long flags;
	u32 moved = 0;
	bool open;

	if (bp_depot_trylock(depot, flags)) {
		bp_depot_absorb(depot);
	} else {
		if (in_nmi())
			return false;
		bp_depot_lock(depot, flags);
	}
	open = !depot->wanted && !depot->aloof;
	if (open) {
		if (!bp_depot_is_open(depot, cpu))
			cpumask_set_cpu(cpu, depot->cpus);
		moved = min(n, bp_depot_spare(depot, false));
		bp_stack_move(stack, depot->stack, moved);
		depot->min_free = min(depot->min_free, depot->stack->nr);
	}
	bp_depot_unlock(depot, flags);
	if (moved)
		trace_refill(depot->pool, moved);
	return open;
}

/**
 * bp_depot_close() - take back all that a CPU has in its magazine
 * @depot: the depot
 * @cpu: this CPU, or one that is dead
 * @stack: its magazine's
 *
 * Ends no shortage of those who were refused: they may be about to try again, when
 * all CPUs have closed theirs.
 *
 * Context: Any but NMI, by the CPU, which is inside its magazine, or for it.
 */
void bp_depot_close(struct bp_depot *depot, int cpu, struct bp_stack *stack)
{
	u32 nr = stack->nr;
	unsigned long flags;
	bool wake;

	bp_depot_lock(depot, flags);
	WARN_ON_ONCE(!bp_stack_push_bulk(depot->stack, stack->elements, nr));
	stack->nr = 0;
	cpumask_clear_cpu(cpu, depot->cpus);
	wake = bp_depot_more(depot);
	bp_depot_unlock(depot, flags);
	trace_drain(depot->pool, nr);
	if (wake)
		bp_depot_wake_pollers(depot);
}

/* Whether magazines stay shut once they are, and all that is free comes here. */
void bp_depot_keep_aloof(struct bp_depot *depot, bool aloof)
{
	unsigned long flags;

	bp_depot_lock(depot, flags);
	WRITE_ONCE(depot->aloof, aloof);
	bp_depot_unlock(depot, flags);
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
	struct bp_stack *stack = depot->stack;
	unsigned long flags;
	u32 at;

	bp_depot_lock(depot, flags);
	at = min(*below, stack->nr);
	if (at) {
		*index = bp_stack_take_at(stack, at - 1);
		*below = at - 1;
		depot->nr_wiping++;
	}
	bp_depot_unlock(depot, flags);
	return at;
}

void bp_depot_wipe_end(struct bp_depot *depot, u32 index)
{
	unsigned long flags;
	bool wake;

	bp_depot_lock(depot, flags);
	WARN_ON_ONCE(!bp_stack_push(depot->stack, index));
	depot->nr_wiping--;
	wake = bp_depot_more(depot);
	bp_depot_unlock(depot, flags);
	if (wake)
		bp_depot_wake_pollers(depot);
}

/**
 * bp_depot_peek() - look which blocks are free, some at a time
 * @depot: the depot
 * @below: in: U32_MAX to begin; then as it came back: indices[0] is there
 * @indices: out: the blocks
 * @n: how many at most
 *
 * Context: Any but NMI.
 * Return: How many; 0 after the last, which are those at the bottom.
 */
u32 bp_depot_peek(struct bp_depot *depot, u32 *below, u32 *indices, u32 n)
{
	unsigned long flags;

	bp_depot_lock(depot, flags);
	*below = min(*below, depot->stack->nr);
	n = min(n, *below);
	*below -= n;
	memcpy(indices, &depot->stack->elements[*below], n * sizeof(*indices));
	bp_depot_unlock(depot, flags);
	return n;
}

/**
 * bp_depot_pick() - take a certain free block, if it is still where it was
 * @depot: the depot
 * @at: its place, from bp_depot_peek()
 * @index: the block
 *
 * Context: Any but NMI.
 * Return: Whether it was there; bp_depot_wipe_end() or bp_depot_lose() must follow.
 */
bool bp_depot_pick(struct bp_depot *depot, u32 at, u32 index)
{
	struct bp_stack *stack = depot->stack;
	unsigned long flags;
	bool there;

	bp_depot_lock(depot, flags);
	there = at < stack->nr && stack->elements[at] == index;
	if (there) {
		bp_stack_take_at(stack, at);
		depot->nr_wiping++;
	}
	bp_depot_unlock(depot, flags);
	return there;
}

/* A block from bp_depot_pick() does not come back. */
void bp_depot_lose(struct bp_depot *depot)
{
	unsigned long flags;

	bp_depot_lock(depot, flags);
	depot->nr_wiping--;
	depot->min_free = min(depot->min_free,
			      depot->stack->nr + depot->nr_wiping);
	bp_depot_unlock(depot, flags);
}

/*
 * Whether bp_depot_take() of one block by a client would succeed now; who hears
 * that it would not is waiting for one.
 */
bool bp_depot_ready(struct bp_depot *depot)
{
	unsigned long flags;
	bool ready;

	bp_depot_lock(depot, flags);
	ready = bp_depot_unclaimed(depot);
	if (!ready)
		bp_depot_refuse(depot, 1);
	bp_depot_unlock(depot, flags);
	return ready;
}

void bp_depot_read_stats(struct bp_depot *depot, struct bp_depot_stats *stats)
{
	unsigned long flags;

	bp_depot_lock(depot, flags);
	stats->nr_free = depot->stack->nr + depot->nr_wiping;
	stats->nr_waiting = depot->nr_waiting;
	stats->min_free = depot->min_free;
	memcpy(stats->given, depot->given, sizeof(stats->given));
	stats->waits = depot->waits;
	bp_depot_unlock(depot, flags);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The stock: all that is free in a pool, the depot and the CPUs' magazines.
 *
 * Kernel callers take from and give back to the magazine of the CPU that they
 * are on.  Clients go to the depot: what a call costs them is the entry into the
 * kernel, and they come for many at a time.
 *
 * A magazine is shut until its CPU opens it at the depot, which it may unless the
 * pool is short; only an open one gets blocks.  So whoever finds the pool empty
 * makes it short first and then has each CPU with an open magazine close it,
 * which is known to be over when it has been done: no more can hide then.
 * Looking at another CPU's magazine from afar would not do: that CPU may be
 * putting a block there at this moment, having found the pool not short.
 *
 * A reserve is for kernel callers on whatever CPU, those that cannot wait too, so
 * it stays in the depot: magazines are not filled from it, and what the kernel
 * frees goes to the depot as long as less than the reserve is there.  Then what is
 * in the depot and what the kernel holds is together never less than the reserve:
 * only clients, refills and frees to magazines make that less.  The first two
 * leave the reserve in the depot; and of the last, each block still counts as held
 * when its free looks at the depot, without a lock: it takes away what was above.
 */
#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>

#include <uapi/linux/blockpool.h>

#include "charge.h"
#include "stock.h"
#include "trace.h"

/*
 * What a CPU may keep: all that are online together an eighth of the pool, and
 * all that there can be have room for the pool once, which takes 4 bytes a block.
 * Even, as half of it is what is moved; a magazine of two would be moved at each
 * turn.
 */
static u32 bp_stock_room(u32 nr_blocks)
{
	u32 share = min(nr_blocks / 8 / num_online_cpus(),
			nr_blocks / num_possible_cpus());

	return share < 4 ? 0 : min(share, BP_MAGAZINE_MAX) & ~1u;
}

static size_t bp_cpu_bytes(u32 room)
{
	return ALIGN(offsetof(struct bp_cpu, magazine.stack) +
		     bp_stack_bytes(room), SMP_CACHE_BYTES);
}

/* Beside the depot. */
size_t bp_stock_cpus_bytes(u32 nr_blocks)
{
	return num_possible_cpus() * bp_cpu_bytes(bp_stock_room(nr_blocks));
}

/* owners and status are the caller's and outlive the stock. */
int bp_stock_init(struct bp_stock *stock, u32 nr_blocks, u32 reserve,
		  bool magazines, u32 *owners, struct blockpool_status *status)
{
	int ret;

	stock->room = magazines ? bp_stock_room(nr_blocks) : 0;
	stock->size = reserve ? 0 : stock->room;
	stock->cpus = __alloc_percpu_gfp(bp_cpu_bytes(stock->room),
					 SMP_CACHE_BYTES, BP_GFP_CHARGED);
	if (!stock->cpus)
		return -ENOMEM;
	ret = bp_depot_init(&stock->depot, nr_blocks, reserve, owners, status);
	if (ret)
		free_percpu(stock->cpus);
	return ret;
}

void bp_stock_destroy(struct bp_stock *stock)
{
	bp_depot_destroy(&stock->depot);
	free_percpu(stock->cpus);
}

/* Inside the magazine: open it if it is shut, and get up to n from the depot. */
static bool bp_cpu_refill(struct bp_stock *stock, struct bp_cpu *cpu, u32 n)
{
	struct bp_stack *stack = &cpu->magazine.stack;

	if (!bp_depot_open(&stock->depot, smp_processor_id(), stack, n))
		return false;
	stack->size = READ_ONCE(stock->size);
	return true;
}

/* Inside the magazine: shut it, and give all that is there to the depot. */
static void bp_cpu_close(struct bp_stock *stock, struct bp_cpu *cpu, int id)
{
	cpu->magazine.stack.size = 0;
	bp_depot_close(&stock->depot, id, &cpu->magazine.stack);
}

/* If this CPU was interrupted inside its magazine, it will be asked again. */
static void bp_stock_close_here(void *arg)
{
	struct bp_stock *stock = arg;
	struct bp_cpu *cpu = this_cpu_ptr(stock->cpus);

	if (!bp_magazine_enter(&cpu->magazine))
		return;
	bp_cpu_close(stock, cpu, smp_processor_id());
	bp_magazine_leave(&cpu->magazine);
}

/**
 * bp_stock_drain() - get the blocks in all magazines into the depot
 * @stock: the stock
 *
 * As long as the pool is short, or the depot is kept aloof: no magazine is opened
 * then.  Ends: a CPU is rarely inside its magazine, and each round interrupts it
 * at another point; unless one shortage ends and the next begins just in step with
 * the rounds, again and again.  What a CPU that is going offline has comes when it
 * is dead.
 *
 * Context: Process context, interrupts on; may sleep.
 */
void bp_stock_drain(struct bp_stock *stock)
{
	const struct cpumask *open = stock->depot.cpus;

	while (bp_depot_gathers(&stock->depot) &&
	       /* written under the lock; looked at again */
	       data_race(cpumask_intersects(open, cpu_online_mask))) {
		on_each_cpu_mask(open, bp_stock_close_here, stock, true);
		cond_resched();
	}
}

/**
 * bp_stock_drain_all() - get all that is free into the depot, for sure
 * @stock: the stock, its depot kept aloof
 *
 * Context: Process context, interrupts on; may sleep.
 * Return: 0, or -EINTR (fatal signal).
 */
int bp_stock_drain_all(struct bp_stock *stock)
{
	bp_stock_drain(stock);
	/* As above. */
	while (!data_race(cpumask_empty(stock->depot.cpus))) {
		if (fatal_signal_pending(current))
			return -EINTR;
		schedule_timeout_killable(1);
		bp_stock_drain(stock);
	}
	bp_depot_let_through(&stock->depot);	/* also what is in limbo */
	return 0;
}

/* For a CPU that is offline. */
void bp_stock_cpu_dead(struct bp_stock *stock, int id)
{
	if (bp_depot_is_open(&stock->depot, id))
		bp_cpu_close(stock, per_cpu_ptr(stock->cpus, id), id);
}

/* When nobody uses the stock any more. */
void bp_stock_empty(struct bp_stock *stock)
{
	int id;

	for_each_possible_cpu(id)
		bp_stock_cpu_dead(stock, id);
	bp_depot_let_through(&stock->depot);
}

/**
 * bp_stock_take() - take blocks from the depot, which gets all that is free
 * @stock: the stock
 * @indices: where to put them
 * @n: how many; all or none
 *
 * For clients: takes neither what sleepers wait for nor the reserve.
 *
 * Context: Process context, interrupts on; may sleep.
 * Return: 0 or -EAGAIN.
 */
int bp_stock_take(struct bp_stock *stock, u32 *indices, u32 n)
{
	if (!bp_depot_take(&stock->depot, indices, n, false))
		return 0;
	/* Again in any case: someone else's drain may have come in between. */
	bp_stock_drain(stock);
	return bp_depot_take(&stock->depot, indices, n, false);
}

/**
 * bp_stock_take_wait() - take blocks, waiting for them behind those who came first
 * @stock: the stock
 * @indices: where to put them
 * @n: how many; all or none, and at most what the pool has
 * @until: by CLOCK_MONOTONIC, KTIME_MAX for ever
 * @client: its id, or BLOCKPOOL_OWNER_KERNEL: the reserve too, and only a fatal
 *	signal ends the wait
 *
 * Context: Process context; may sleep.
 * Return: 0, -ETIMEDOUT or -EINTR.
 */
int bp_stock_take_wait(struct bp_stock *stock, u32 *indices, u32 n,
		       ktime_t until, u32 client)
{
	struct bp_waiter waiter = {
		.indices = indices,
		.n = n,
		.kernel = client == BLOCKPOOL_OWNER_KERNEL,
	};
	int ret;

	might_sleep();
	if (bp_depot_join(&stock->depot, &waiter))
		return 0;
	trace_wait_begin(stock->depot.pool, client, n);
	bp_stock_drain(stock);
	ret = bp_depot_wait(&stock->depot, &waiter, until, waiter.kernel ?
			    TASK_KILLABLE : TASK_INTERRUPTIBLE);
	trace_wait_end(stock->depot.pool, client, ret);
	return ret;
}

/* Whether bp_stock_take() of one would succeed. */
bool bp_stock_ready(struct bp_stock *stock)
{
	if (bp_depot_ready(&stock->depot))
		return true;
	bp_stock_drain(stock);
	return bp_depot_ready(&stock->depot);
}

/**
 * bp_stock_take_here() - take blocks from this CPU's magazine, or refill it first
 * @stock: the stock
 * @indices: where to put them
 * @n: how many; all or none
 *
 * Context: Any.
 * Return: Whether they were there.
 */
bool bp_stock_take_here(struct bp_stock *stock, u32 *indices, u32 n)
{
	u32 half = stock->room / 2;
	struct bp_stack *stack;
	bool taken = false;
	struct bp_cpu *cpu;

	cpu = get_cpu_ptr(stock->cpus);
	stack = &cpu->magazine.stack;
	if (bp_magazine_enter(&cpu->magazine)) {
		if (stack->nr < n && n <= half)
			bp_cpu_refill(stock, cpu, half + n - stack->nr);
		taken = bp_stack_pop_bulk(stack, indices, n);
		bp_magazine_leave(&cpu->magazine);
	}
	put_cpu_ptr(stock->cpus);
	return taken;
}

/* A request that is more than this CPU has, and more than the depot has. */
static int bp_stock_take_both(struct bp_stock *stock, u32 *indices, u32 n)
{
	unsigned long flags;

	if (in_nmi())
		return -EAGAIN;
	local_irq_save(flags);
	bp_stock_close_here(stock);
	local_irq_restore(flags);
	return bp_depot_take(&stock->depot, indices, n, true);
}

/**
 * bp_stock_take_atomic() - take blocks, also those that sleepers wait for and
 *	the reserve
 * @stock: the stock
 * @indices: where to put them
 * @n: how many; all or none
 *
 * Blocks in magazines of other CPUs are out of reach.
 *
 * Context: Any; in NMI it may also be refused because somebody is at the depot.
 * Return: 0 or -EAGAIN.
 */
int bp_stock_take_atomic(struct bp_stock *stock, u32 *indices, u32 n)
{
	int ret;

	if (bp_stock_take_here(stock, indices, n))
		return 0;
	ret = bp_depot_take(&stock->depot, indices, n, true);
	if (ret && n > 1)
		ret = bp_stock_take_both(stock, indices, n);
	return ret;
}

/* Inside the magazine: put n there; its cold half goes if they need the room. */
static bool bp_cpu_put(struct bp_stock *stock, struct bp_cpu *cpu,
		       const u32 *indices, u32 n)
{
	struct bp_stack *stack = &cpu->magazine.stack;
	u32 half = stock->room / 2;

	if (n > half || !bp_depot_has_reserve(&stock->depot))
		return false;
	if (!bp_depot_is_open(&stock->depot, smp_processor_id()) &&
	    !bp_cpu_refill(stock, cpu, 0))
		return false;
	if (n > stock->room - stack->nr) {
		/* Not outside: who drains must not miss them on their way. */
		bp_depot_give(&stock->depot, stack->elements, half, BP_FLUSHED);
		bp_stack_drop_cold(stack, half);
		trace_flush(stock->depot.pool, half);
	}
	/* Beyond the size, which may be 0 so that all frees come here. */
	stack->size = stock->room;
	bp_stack_push_bulk(stack, indices, n);
	stack->size = READ_ONCE(stock->size);
	cpu->freed += n;
	return true;
}

/**
 * bp_stock_give_here() - give blocks back to this CPU's magazine, or the depot
 * @stock: the stock
 * @indices: the blocks, each owned by nobody
 * @n: how many, 1 to BP_SLICE_MAX
 *
 * Context: Any.
 */
void bp_stock_give_here(struct bp_stock *stock, const u32 *indices, u32 n)
{
	struct bp_cpu *cpu;
	bool put = false;

	if (in_nmi()) {
		bp_depot_put_aside(&stock->depot, indices, n);
		return;
	}
	cpu = get_cpu_ptr(stock->cpus);
	if (bp_magazine_enter(&cpu->magazine)) {
		put = bp_cpu_put(stock, cpu, indices, n);
		bp_magazine_leave(&cpu->magazine);
	}
	put_cpu_ptr(stock->cpus);
	if (!put)
		bp_depot_give(&stock->depot, indices, n, BP_FREED);
}

/* Blocks in magazines. */
u32 bp_stock_cached(const struct bp_stock *stock)
{
	u32 cached = 0;
	int id;

	for_each_possible_cpu(id)
		/* while its CPU uses it */
		cached += data_race(per_cpu_ptr(stock->cpus,
						id)->magazine.stack.nr);
	return cached;
}

/* Blocks freed into magazines ever. */
u64 bp_stock_freed(const struct bp_stock *stock)
{
	u64 freed = 0;
	int id;

	for_each_possible_cpu(id)
		/* while its CPU counts */
		freed += data_race(per_cpu_ptr(stock->cpus, id)->freed);
	return freed;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The two designs that blockpool is compared with, in a few lines each: one
 * stack of indices for all CPUs, lock-free or under a lock.
 */
#include <linux/atomic.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>

#include "../../../../common/stack.h"
#include "bench.h"

#define BENCH_END	(~0U)	/* the link of the last index */

/* The head is a tag above an index; the tag makes each head a new one. */
static struct {
	atomic64_t head ____cacheline_aligned_in_smp;
	u32 *next;
	struct bench_arena arena;
} cas;

static void bench_cas_push(u32 index)
{
	s64 old = atomic64_read(&cas.head);
	u64 tag;

	do {
		WRITE_ONCE(cas.next[index], (u32)old);
		tag = ((u64)old >> 32) + 1;
	} while (!atomic64_try_cmpxchg(&cas.head, &old, tag << 32 | index));
}

static int bench_cas_init(const struct bench_pool *pool)
{
	int ret = bench_arena_init(&cas.arena, pool);
	u32 i;

	if (ret)
		return ret;
	cas.next = vmalloc(array_size(pool->nr_blocks, sizeof(u32)));
	if (!cas.next) {
		bench_arena_exit(&cas.arena);
		return -ENOMEM;
	}
	atomic64_set(&cas.head, BENCH_END);
	for (i = pool->nr_blocks; i-- > 0;)
		bench_cas_push(i);
	return 0;
}

static void bench_cas_exit(void)
{
	vfree(cas.next);
	bench_arena_exit(&cas.arena);
}

static void *bench_cas_take(void)
{
	s64 old = atomic64_read(&cas.head);
	u32 index;
	u64 new;

	do {
		index = (u32)old;
		if (index == BENCH_END)
			return NULL;
		new = ((((u64)old >> 32) + 1) << 32) |
		      READ_ONCE(cas.next[index]);
	} while (!atomic64_try_cmpxchg(&cas.head, &old, new));
	return bench_arena_block(&cas.arena, index);
}

static void bench_cas_give(void *block)
{
	bench_cas_push(bench_arena_index(&cas.arena, block));
}

const struct bench_subject bench_cas_stack = {
	.name	= "cas-stack",
	.init	= bench_cas_init,
	.exit	= bench_cas_exit,
	.take	= bench_cas_take,
	.give	= bench_cas_give,
};

static struct {
	raw_spinlock_t lock ____cacheline_aligned_in_smp;
	struct bp_stack *stack;		/* protected by the lock */
	struct bench_arena arena;
} spin;

static int bench_spin_init(const struct bench_pool *pool)
{
	int ret = bench_arena_init(&spin.arena, pool);

	if (ret)
		return ret;
	spin.stack = vzalloc(bp_stack_bytes(pool->nr_blocks));
	if (!spin.stack) {
		bench_arena_exit(&spin.arena);
		return -ENOMEM;
	}
	raw_spin_lock_init(&spin.lock);
	spin.stack->size = pool->nr_blocks;
	bp_stack_fill(spin.stack);
	return 0;
}

static void bench_spin_exit(void)
{
	vfree(spin.stack);
	bench_arena_exit(&spin.arena);
}

static int bench_spin_take_bulk(void **blocks, u32 n)
{
	unsigned long flags;
	int ret = -EAGAIN;
	u32 i, index;

	raw_spin_lock_irqsave(&spin.lock, flags);
	if (n <= spin.stack->nr) {
		for (i = 0; i < n; i++) {
			bp_stack_pop(spin.stack, &index);
			blocks[i] = bench_arena_block(&spin.arena, index);
		}
		ret = 0;
	}
	raw_spin_unlock_irqrestore(&spin.lock, flags);
	return ret;
}

static void bench_spin_give_bulk(void **blocks, u32 n)
{
	unsigned long flags;
	u32 i;

	raw_spin_lock_irqsave(&spin.lock, flags);
	for (i = 0; i < n; i++)
		bp_stack_push(spin.stack, bench_arena_index(&spin.arena,
							    blocks[i]));
	raw_spin_unlock_irqrestore(&spin.lock, flags);
}

static void *bench_spin_take(void)
{
	void *block;

	return bench_spin_take_bulk(&block, 1) ? NULL : block;
}

static void bench_spin_give(void *block)
{
	bench_spin_give_bulk(&block, 1);
}

const struct bench_subject bench_spin_stack = {
	.name		= "spinlock-stack",
	.init		= bench_spin_init,
	.exit		= bench_spin_exit,
	.take		= bench_spin_take,
	.give		= bench_spin_give,
	.take_bulk	= bench_spin_take_bulk,
	.give_bulk	= bench_spin_give_bulk,
};

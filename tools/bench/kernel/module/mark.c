// SPDX-License-Identifier: GPL-2.0
/* Takes and gives between marks, for who counts instructions. */
#include <linux/delay.h>
#include <linux/irqflags.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "bench.h"
#include "mark.h"

#define BENCH_MARK_PAIRS	1000
#define BENCH_MARK_ROUNDS	10	/* of BENCH_DEEP */

static __always_inline void bench_mark(const int kind)
{
	asm volatile(".byte 0x0f, 0x1f, 0x80\n\t.long %c0"	/* nopl x(%rax) */
		     :: "i" (BENCH_MARK_BASE + kind) : "memory");
}

/*
 * Interrupts are off between the marks, and nothing else can come between.  Nor
 * is the CPU wanted by another thread then: the end of a preempt_disable() would
 * take another way.
 */
static noinline void *bench_mark_take(const struct bench_subject *subject)
{
	unsigned long flags;
	void *block;

	cond_resched();
	local_irq_save(flags);
	bench_mark(BENCH_MARK_TAKE);
	block = subject->take();
	bench_mark(BENCH_MARK_END);
	local_irq_restore(flags);
	return block;
}

static noinline void bench_mark_give(const struct bench_subject *subject,
				     void *block)
{
	unsigned long flags;

	cond_resched();
	local_irq_save(flags);
	bench_mark(BENCH_MARK_GIVE);
	subject->give(block);
	bench_mark(BENCH_MARK_END);
	local_irq_restore(flags);
}

/* Take and give @batch blocks so many times. */
static int bench_mark_batches(const struct bench_subject *subject,
			      void **blocks, u32 batch, u32 rounds)
{
	u32 i;

	while (rounds--) {
		for (i = 0; i < batch; i++) {
			blocks[i] = bench_mark_take(subject);
			if (!blocks[i])
				break;
		}
		if (i < batch)
			rounds = 0;
		while (i)
			bench_mark_give(subject, blocks[--i]);
	}
	return blocks[batch - 1] ? 0 : -ENOSPC;
}

/*
 * First without marks, so that caches are warm.  The emulator drops its
 * translations a moment after it was armed: hence the sleep.
 */
static int bench_mark_case(const struct bench_subject *subject, void **blocks,
			   u32 batch, u32 rounds)
{
	int ret = bench_mark_batches(subject, blocks, batch, rounds);

	if (ret)
		return ret;
	bench_mark(BENCH_MARK_ARM);
	msleep(200);
	ret = bench_mark_batches(subject, blocks, batch, rounds);
	bench_mark(BENCH_MARK_DISARM);
	msleep(200);
	return ret;
}

/* On one CPU: no cache in front of a pool can be warm on two. */
static int bench_mark_cases(const struct bench_subject *subject)
{
	void **blocks = kcalloc(BENCH_DEEP, sizeof(*blocks), GFP_KERNEL);
	int ret;

	if (!blocks)
		return -ENOMEM;
	migrate_disable();
	ret = bench_mark_case(subject, blocks, 1, BENCH_MARK_PAIRS) ?:
	      bench_mark_case(subject, blocks, BENCH_DEEP, BENCH_MARK_ROUNDS);
	migrate_enable();
	kfree(blocks);
	return ret;
}

int bench_mark_run(const struct bench_subject *subject)
{
	const struct bench_pool pool = { .nr_blocks = 4096, .block_size = 2048 };
	int ret;

	if (subject->missing)
		return -EOPNOTSUPP;
	ret = subject->init(&pool);
	if (ret)
		return ret;
	ret = bench_mark_cases(subject);
	subject->exit();
	return ret;
}

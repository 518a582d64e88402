// SPDX-License-Identifier: GPL-2.0
/* The ways to use a pool. */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/prandom.h>

#include "bench.h"

#define BENCH_VERIFY	64	/* bursts */

/* In which order a burst goes back: shuffled once, the same for all. */
static u16 order[BENCH_BURST];

void bench_cases_init(void)
{
	struct rnd_state random;
	u32 i, j;

	prandom_seed_state(&random, 1);
	for (i = 0; i < BENCH_BURST; i++) {
		j = prandom_u32_state(&random) % (i + 1);
		order[i] = order[j];
		order[j] = i;
	}
}

static int bench_pair(struct bench_worker *worker)
{
	const struct bench_subject *subject = worker->subject;
	void *block = subject->take();

	if (unlikely(!block))
		return -ENOSPC;
	subject->give(block);
	return 0;
}

static void bench_give_all(struct bench_worker *worker, u32 n)
{
	while (n)
		worker->subject->give(worker->blocks[--n]);
}

static int bench_take_all(struct bench_worker *worker, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		worker->blocks[i] = worker->subject->take();
		if (unlikely(!worker->blocks[i])) {
			bench_give_all(worker, i);
			return -ENOSPC;
		}
	}
	return 0;
}

static int bench_burst(struct bench_worker *worker)
{
	u32 i;

	if (bench_take_all(worker, BENCH_BURST))
		return -ENOSPC;
	for (i = 0; i < BENCH_BURST; i++)
		worker->subject->give(worker->blocks[order[i]]);
	return 0;
}

static int bench_bulk(struct bench_worker *worker)
{
	const struct bench_subject *subject = worker->subject;
	int ret;

	if (!subject->take_bulk) {
		ret = bench_take_all(worker, BENCH_BURST);
		if (!ret)
			bench_give_all(worker, BENCH_BURST);
		return ret;
	}
	ret = subject->take_bulk(worker->blocks, BENCH_BURST);
	if (!ret)
		subject->give_bulk(worker->blocks, BENCH_BURST);
	return ret;
}

/* So many that most of them come from, and go, behind any cache. */
static int bench_deep(struct bench_worker *worker)
{
	int ret = bench_take_all(worker, BENCH_DEEP);

	if (!ret)
		bench_give_all(worker, BENCH_DEEP);
	return ret;
}

const struct bench_case bench_cases[] = {
	{ "pair", 1, bench_pair },
	{ "burst32", BENCH_BURST, bench_burst },
	{ "bulk32", BENCH_BURST, bench_bulk },
	{ "deep", BENCH_DEEP, bench_deep },
	{}
};

/* All blocks in all hands are distinct, or one has the stamp of another. */
static int bench_verify_stamps(struct bench_worker *worker)
{
	u64 stamp = (u64)(worker->cpu + 1) << 32;
	int ret = 0;
	u32 i;

	for (i = 0; i < BENCH_BURST; i++)
		WRITE_ONCE(*(u64 *)worker->blocks[i], stamp + i);
	for (i = 0; i < BENCH_BURST; i++)
		if (READ_ONCE(*(u64 *)worker->blocks[i]) != stamp + i)
			ret = -EUCLEAN;
	return ret;
}

static int bench_verify_burst(struct bench_worker *worker, bool bulk)
{
	const struct bench_subject *subject = worker->subject;
	int ret;

	if (bulk && subject->take_bulk)
		ret = subject->take_bulk(worker->blocks, BENCH_BURST);
	else
		ret = bench_take_all(worker, BENCH_BURST);
	if (ret)
		return ret;
	ret = bench_verify_stamps(worker);
	if (bulk && subject->give_bulk)
		subject->give_bulk(worker->blocks, BENCH_BURST);
	else
		bench_give_all(worker, BENCH_BURST);
	return ret;
}

int bench_verify(struct bench_worker *worker)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < BENCH_VERIFY && !ret; i++)
		ret = bench_verify_burst(worker, i % 2);
	return ret;
}

// SPDX-License-Identifier: GPL-2.0
/* All subjects, all cases: a round of each in turn, so that noise meets all. */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "bench.h"

static unsigned int rounds = 31;
module_param(rounds, uint, 0600);
MODULE_PARM_DESC(rounds, "samples of each figure");

static unsigned int slice_us = 500;
module_param(slice_us, uint, 0600);
MODULE_PARM_DESC(slice_us, "microseconds that a sample takes, or somewhat more");

static char *world = "uml";
module_param(world, charp, 0400);
MODULE_PARM_DESC(world, "where this runs, for the results");

/* A usual pool; then a small and a large one that differ in nothing else. */
static const struct bench_pool bench_pools[] = {
	{ .nr_blocks = 4096, .block_size = 2048 },
	{ .nr_blocks = 1 << 8, .block_size = 64 },
	{ .nr_blocks = 1 << 22, .block_size = 64 },
};

static bool ready[BENCH_SUBJECTS];	/* those that have their pool */

static int bench_add_head(const struct bench_subject *subject,
			  const struct bench_pool *pool)
{
	return bench_results_add("{\"world\":\"%s\",\"subject\":\"%s\",", world,
				 subject->name) ?:
	       bench_results_add("\"blocks\":%u,\"block_size\":%u,",
				 pool->nr_blocks, pool->block_size);
}

/* Why it has no pool, in words; or NULL, and then it has one. */
static const char *bench_init_one(const struct bench_subject *subject,
				  const struct bench_pool *pool)
{
	static char why[32];
	int ret;

	if (subject->missing)
		return subject->missing;
	if (subject->max_blocks && subject->max_blocks < pool->nr_blocks)
		return "takes no more blocks than an array of kmalloc() holds";
	ret = subject->init(pool);
	if (!ret)
		return NULL;
	snprintf(why, sizeof(why), "no pool: error %d", ret);
	return why;
}

static int bench_init_all(const struct bench_pool *pool)
{
	const char *why;
	int i, ret = 0;

	for (i = 0; bench_subjects[i] && !ret; i++) {
		why = bench_init_one(bench_subjects[i], pool);
		ready[i] = !why;
		if (why)
			ret = bench_add_head(bench_subjects[i], pool) ?:
			      bench_results_add("\"missing\":\"%s\"}\n", why);
	}
	return ret;
}

static void bench_exit_all(void)
{
	int i;

	for (i = 0; bench_subjects[i]; i++) {
		if (ready[i])
			bench_subjects[i]->exit();
		ready[i] = false;
	}
}

/* A round of each subject in turn: subject i's are samples[i * rounds ...]. */
static int bench_sample(const struct bench_case *test, u32 threads, s64 *samples)
{
	u32 i, round;
	s64 sample;

	for (round = 0; round < rounds; round++) {
		for (i = 0; bench_subjects[i]; i++) {
			if (!ready[i])
				continue;
			sample = bench_measure(bench_subjects[i], test, threads,
					       slice_us);
			if (sample < 0) {
				pr_err("blockpool_bench: %s, %s: error %lld\n",
				       bench_subjects[i]->name, test->name,
				       sample);
				return sample;
			}
			samples[i * rounds + round] = sample;
			if (signal_pending(current))
				return -EINTR;
			cond_resched();
		}
	}
	return 0;
}

static int bench_add_samples(const struct bench_subject *subject,
			     const struct bench_pool *pool,
			     const struct bench_case *test, u32 threads,
			     const s64 *samples)
{
	int ret;
	u32 i;

	ret = bench_add_head(subject, pool) ?:
	      bench_results_add("\"case\":\"%s\",\"threads\":%u,\"unit\":\"ns\",\"samples\":[",
				test->name, threads);
	for (i = 0; i < rounds && !ret; i++)
		ret = bench_results_add("%s%lld.%03lld", i ? "," : "",
					samples[i] / 1000, samples[i] % 1000);
	return ret ?: bench_results_add("]}\n");
}

static int bench_run_case(const struct bench_pool *pool,
			  const struct bench_case *test, u32 threads)
{
	size_t bytes = array3_size(BENCH_SUBJECTS, rounds, sizeof(s64));
	s64 *samples = kvzalloc(bytes, GFP_KERNEL);
	int ret, i;

	if (!samples)
		return -ENOMEM;
	ret = bench_sample(test, threads, samples);
	for (i = 0; bench_subjects[i] && !ret; i++)
		if (ready[i])
			ret = bench_add_samples(bench_subjects[i], pool, test,
						threads, samples + i * rounds);
	kvfree(samples);
	return ret;
}

/* A pool must have enough for two threads, and for what their caches keep. */
static int bench_run_pool(const struct bench_pool *pool)
{
	const struct bench_case *test;
	u32 threads;
	int ret;

	ret = bench_init_all(pool);
	for (test = bench_cases; test->name; test++) {
		if (test->batch > pool->nr_blocks / 4)
			continue;
		for (threads = 1; threads <= 2 && !ret; threads++)
			ret = bench_run_case(pool, test, threads);
	}
	bench_exit_all();
	return ret;
}

int bench_run(void)
{
	int i, ret = 0;

	for (i = 0; i < ARRAY_SIZE(bench_pools) && !ret; i++)
		ret = bench_run_pool(&bench_pools[i]);
	if (ret)
		bench_results_reset();
	return ret;
}

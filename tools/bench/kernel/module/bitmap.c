// SPDX-License-Identifier: GPL-2.0
/* sbitmap: a bitmap spread over cache lines, with a hint a CPU; blk-mq's tags. */
#include <linux/numa.h>
#include <linux/sbitmap.h>
#include <linux/smp.h>

#include "bench.h"

#ifdef CONFIG_SBITMAP
static struct sbitmap_queue queue;
static struct bench_arena arena;

static int bench_sbitmap_init(const struct bench_pool *pool)
{
	int ret = bench_arena_init(&arena, pool);

	if (ret)
		return ret;
	ret = sbitmap_queue_init_node(&queue, pool->nr_blocks, -1, false,
				      GFP_KERNEL, NUMA_NO_NODE);
	if (ret)
		bench_arena_exit(&arena);
	return ret;
}

static void bench_sbitmap_exit(void)
{
	sbitmap_queue_free(&queue);
	bench_arena_exit(&arena);
}

static void *bench_sbitmap_take(void)
{
	unsigned int cpu;
	int bit = sbitmap_queue_get(&queue, &cpu);

	return bit < 0 ? NULL : bench_arena_block(&arena, bit);
}

static void bench_sbitmap_give(void *block)
{
	sbitmap_queue_clear(&queue, bench_arena_index(&arena, block),
			    raw_smp_processor_id());
}

const struct bench_subject bench_sbitmap = {
	.name	= "sbitmap",
	.init	= bench_sbitmap_init,
	.exit	= bench_sbitmap_exit,
	.take	= bench_sbitmap_take,
	.give	= bench_sbitmap_give,
};
#else
const struct bench_subject bench_sbitmap = {
	.name		= "sbitmap",
	.missing	= "this kernel has no CONFIG_SBITMAP",
};
#endif

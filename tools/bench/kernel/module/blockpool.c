// SPDX-License-Identifier: GPL-2.0
/* blockpool, as any other module uses it. */
#include <linux/err.h>
#include <blockpool.h>

#include "bench.h"

static struct blockpool *pool;

static int bench_blockpool_init(const struct bench_pool *want)
{
	struct blockpool_attr attr = {
		.name = "bench",
		.block_size = want->block_size,
		.nr_blocks = want->nr_blocks,
	};

	pool = blockpool_create(&attr);
	return PTR_ERR_OR_ZERO(pool);
}

static void bench_blockpool_exit(void)
{
	blockpool_put(pool);
}

static void *bench_blockpool_take(void)
{
	return blockpool_alloc(pool, GFP_ATOMIC);
}

static void bench_blockpool_give(void *block)
{
	blockpool_free(pool, block);
}

static int bench_blockpool_take_bulk(void **blocks, u32 n)
{
	return blockpool_alloc_bulk(pool, GFP_ATOMIC, blocks, n);
}

static void bench_blockpool_give_bulk(void **blocks, u32 n)
{
	blockpool_free_bulk(pool, blocks, n);
}

const struct bench_subject bench_blockpool = {
	.name		= "blockpool",
	.init		= bench_blockpool_init,
	.exit		= bench_blockpool_exit,
	.take		= bench_blockpool_take,
	.give		= bench_blockpool_give,
	.take_bulk	= bench_blockpool_take_bulk,
	.give_bulk	= bench_blockpool_give_bulk,
};

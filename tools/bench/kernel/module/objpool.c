// SPDX-License-Identifier: GPL-2.0
/* objpool: a lock-free ring a CPU, since 6.7. */
#include <linux/gfp.h>

#include "bench.h"

#ifdef BENCH_HAVE_OBJPOOL
#include <linux/objpool.h>

static struct objpool_head pool;

static int bench_objpool_init(const struct bench_pool *want)
{
	return objpool_init(&pool, want->nr_blocks, want->block_size,
			    GFP_KERNEL, NULL, NULL, NULL);
}

static void bench_objpool_exit(void)
{
	objpool_free(&pool);
}

static void *bench_objpool_take(void)
{
	return objpool_pop(&pool);
}

static void bench_objpool_give(void *block)
{
	objpool_push(block, &pool);
}

const struct bench_subject bench_objpool = {
	.name	= "objpool",
	.init	= bench_objpool_init,
	.exit	= bench_objpool_exit,
	.take	= bench_objpool_take,
	.give	= bench_objpool_give,
};
#else
const struct bench_subject bench_objpool = {
	.name		= "objpool",
	.missing	= "came with Linux 6.7",
};
#endif

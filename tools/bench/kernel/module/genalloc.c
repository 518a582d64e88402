// SPDX-License-Identifier: GPL-2.0
/* genalloc: first fit in a bitmap, without a lock. */
#include <linux/errno.h>
#include <linux/genalloc.h>
#include <linux/numa.h>
#include <linux/overflow.h>

#include "bench.h"

#ifdef CONFIG_GENERIC_ALLOCATOR
static struct gen_pool *pool;
static struct bench_arena arena;

static int bench_genalloc_init(const struct bench_pool *want)
{
	size_t bytes = array_size(want->nr_blocks, want->block_size);
	int ret = bench_arena_init(&arena, want);

	if (ret)
		return ret;
	ret = -ENOMEM;
	pool = gen_pool_create(arena.shift, NUMA_NO_NODE);
	if (pool)
		ret = gen_pool_add(pool, (unsigned long)arena.base, bytes,
				   NUMA_NO_NODE);
	if (!ret)
		return 0;
	if (pool)
		gen_pool_destroy(pool);
	bench_arena_exit(&arena);
	return ret;
}

static void bench_genalloc_exit(void)
{
	gen_pool_destroy(pool);
	bench_arena_exit(&arena);
}

static void *bench_genalloc_take(void)
{
	return (void *)gen_pool_alloc(pool, 1UL << arena.shift);
}

static void bench_genalloc_give(void *block)
{
	gen_pool_free(pool, (unsigned long)block, 1UL << arena.shift);
}

const struct bench_subject bench_genalloc = {
	.name	= "genalloc",
	.init	= bench_genalloc_init,
	.exit	= bench_genalloc_exit,
	.take	= bench_genalloc_take,
	.give	= bench_genalloc_give,
};
#else
const struct bench_subject bench_genalloc = {
	.name		= "genalloc",
	.missing	= "this kernel has no CONFIG_GENERIC_ALLOCATOR",
};
#endif

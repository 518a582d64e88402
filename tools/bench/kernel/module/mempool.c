// SPDX-License-Identifier: GPL-2.0
/*
 * mempool, in its two states: while the slab below it delivers, and, what it is
 * meant for, once that fails and the elements kept back are all there is.
 */
#include <linux/mempool.h>
#include <linux/slab.h>

#include "bench.h"

#define BENCH_MEMPOOL_MAX	(KMALLOC_MAX_SIZE / sizeof(void *))

/* Each subject has its own: all are there at once. */
struct bench_mempool {
	struct kmem_cache *cache;
	mempool_t *pool;
	bool dry;		/* the slab is not asked any more */
};

static void *bench_element_alloc(gfp_t gfp, void *data)
{
	struct bench_mempool *mempool = data;

	return mempool->dry ? NULL : kmem_cache_alloc(mempool->cache, gfp);
}

static void bench_element_free(void *element, void *data)
{
	struct bench_mempool *mempool = data;

	kmem_cache_free(mempool->cache, element);
}

static int bench_mempool_fill(struct bench_mempool *mempool, const char *name,
			      const struct bench_pool *pool)
{
	mempool->dry = false;
	mempool->cache = kmem_cache_create(name, pool->block_size, 0,
					   SLAB_HWCACHE_ALIGN, NULL);
	if (!mempool->cache)
		return -ENOMEM;
	mempool->pool = mempool_create(pool->nr_blocks, bench_element_alloc,
				       bench_element_free, mempool);
	if (mempool->pool)
		return 0;
	kmem_cache_destroy(mempool->cache);
	return -ENOMEM;
}

static void bench_mempool_empty(struct bench_mempool *mempool)
{
	mempool_destroy(mempool->pool);
	kmem_cache_destroy(mempool->cache);
}

static struct bench_mempool backed, reserve;

static int bench_backed_init(const struct bench_pool *pool)
{
	return bench_mempool_fill(&backed, "blockpool_bench_backed", pool);
}

static void bench_backed_exit(void)
{
	bench_mempool_empty(&backed);
}

static void *bench_backed_take(void)
{
	return mempool_alloc(backed.pool, GFP_ATOMIC);
}

static void bench_backed_give(void *block)
{
	mempool_free(block, backed.pool);
}

const struct bench_subject bench_mempool = {
	.name		= "mempool",
	.max_blocks	= BENCH_MEMPOOL_MAX,
	.init		= bench_backed_init,
	.exit		= bench_backed_exit,
	.take		= bench_backed_take,
	.give		= bench_backed_give,
};

static int bench_reserve_init(const struct bench_pool *pool)
{
	int ret = bench_mempool_fill(&reserve, "blockpool_bench_reserve", pool);

	reserve.dry = true;
	return ret;
}

static void bench_reserve_exit(void)
{
	bench_mempool_empty(&reserve);
}

static void *bench_reserve_take(void)
{
	return mempool_alloc(reserve.pool, GFP_ATOMIC);
}

static void bench_reserve_give(void *block)
{
	mempool_free(block, reserve.pool);
}

const struct bench_subject bench_mempool_reserve = {
	.name		= "mempool-reserve",
	.max_blocks	= BENCH_MEMPOOL_MAX,
	.init		= bench_reserve_init,
	.exit		= bench_reserve_exit,
	.take		= bench_reserve_take,
	.give		= bench_reserve_give,
};

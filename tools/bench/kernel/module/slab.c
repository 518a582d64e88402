// SPDX-License-Identifier: GPL-2.0
/* kmem_cache: the kernel's general allocator of objects of one size. */
#include <linux/slab.h>

#include "bench.h"

static struct kmem_cache *cache;

/* It has no number of objects: it grows. */
static int bench_kmem_cache_init(const struct bench_pool *pool)
{
	cache = kmem_cache_create("blockpool_bench", pool->block_size, 0,
				  SLAB_HWCACHE_ALIGN, NULL);
	return cache ? 0 : -ENOMEM;
}

static void bench_kmem_cache_exit(void)
{
	kmem_cache_destroy(cache);
}

static void *bench_kmem_cache_take(void)
{
	return kmem_cache_alloc(cache, GFP_ATOMIC);
}

static void bench_kmem_cache_give(void *block)
{
	kmem_cache_free(cache, block);
}

/* 0 is none, and in newer kernels anything else is all. */
static int bench_kmem_cache_take_bulk(void **blocks, u32 n)
{
	return kmem_cache_alloc_bulk(cache, GFP_ATOMIC, n, blocks) ?
	       0 : -ENOMEM;
}

static void bench_kmem_cache_give_bulk(void **blocks, u32 n)
{
	kmem_cache_free_bulk(cache, n, blocks);
}

const struct bench_subject bench_kmem_cache = {
	.name		= "kmem_cache",
	.init		= bench_kmem_cache_init,
	.exit		= bench_kmem_cache_exit,
	.take		= bench_kmem_cache_take,
	.give		= bench_kmem_cache_give,
	.take_bulk	= bench_kmem_cache_take_bulk,
	.give_bulk	= bench_kmem_cache_give_bulk,
};

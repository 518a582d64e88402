// SPDX-License-Identifier: GPL-2.0
/* Blocks for those that manage only numbers or address ranges. */
#include <linux/log2.h>
#include <linux/overflow.h>
#include <linux/vmalloc.h>

#include "bench.h"

int bench_arena_init(struct bench_arena *arena, const struct bench_pool *pool)
{
	arena->shift = ilog2(pool->block_size);
	arena->base = vmalloc(array_size(pool->nr_blocks, pool->block_size));
	return arena->base ? 0 : -ENOMEM;
}

void bench_arena_exit(struct bench_arena *arena)
{
	vfree(arena->base);
}

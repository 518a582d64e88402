// SPDX-License-Identifier: GPL-2.0
/*
 * The limit: an array of blocks for each CPU and nothing that protects it.  It is
 * right only because the threads do not leave their CPU and nobody else takes.
 */
#include <linux/cpumask.h>
#include <linux/percpu.h>
#include <linux/slab.h>

#include "bench.h"

struct bench_array {
	u32 nr;
	u32 size;
	void **blocks;
};

static DEFINE_PER_CPU_ALIGNED(struct bench_array, arrays);
static struct bench_arena arena;

static void bench_array_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		kvfree(per_cpu(arrays, cpu).blocks);
	bench_arena_exit(&arena);
}

static int bench_array_fill(struct bench_array *array, u32 first, u32 size)
{
	array->blocks = kvmalloc_array(size, sizeof(void *), GFP_KERNEL);
	if (!array->blocks)
		return -ENOMEM;
	array->size = size;
	for (array->nr = 0; array->nr < size; array->nr++)
		array->blocks[array->nr] = bench_arena_block(&arena,
							     first + array->nr);
	return 0;
}

static int bench_array_init(const struct bench_pool *pool)
{
	u32 size = pool->nr_blocks / num_possible_cpus(), first = 0;
	int cpu, ret = bench_arena_init(&arena, pool);

	if (ret)
		return ret;
	for_each_possible_cpu(cpu)
		per_cpu(arrays, cpu).blocks = NULL;
	for_each_possible_cpu(cpu) {
		ret = bench_array_fill(&per_cpu(arrays, cpu), first, size);
		if (ret) {
			bench_array_exit();
			return ret;
		}
		first += size;
	}
	return 0;
}

static void *bench_array_take(void)
{
	struct bench_array *array = raw_cpu_ptr(&arrays);

	return array->nr ? array->blocks[--array->nr] : NULL;
}

static void bench_array_give(void *block)
{
	struct bench_array *array = raw_cpu_ptr(&arrays);

	if (array->nr < array->size)
		array->blocks[array->nr++] = block;
}

const struct bench_subject bench_array = {
	.name	= "array",
	.init	= bench_array_init,
	.exit	= bench_array_exit,
	.take	= bench_array_take,
	.give	= bench_array_give,
};

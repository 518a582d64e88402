// SPDX-License-Identifier: GPL-2.0
/* libblockpool, shared or static, on the stand-in for its device. */
#define SUBJECT_BULK
#define SUBJECT_CALLS

#include "../../../lib/blockpool.h"
#include "../device.h"

static struct blockpool *pool;

static void subject_open(unsigned int blocks, unsigned int block_size)
{
	struct blockpool_attr attr = {
		.name = "bench", .block_size = block_size, .nr_blocks = blocks,
	};

	pool = blockpool_create(&attr);
	if (!pool)
		die("blockpool_create failed");
}

static void subject_thread(void)
{
}

static inline void *take(void)
{
	return blockpool_alloc(pool);
}

static inline void give(void *block)
{
	if (blockpool_free(pool, block))
		die("blockpool_free refused a block");
}

static inline void take_bulk(void **blocks, unsigned int n)
{
	if (blockpool_alloc_bulk(pool, blocks, n) != (int)n)
		die("blockpool_alloc_bulk failed");
}

static inline void give_bulk(void **blocks, unsigned int n)
{
	if (blockpool_free_bulk(pool, blocks, n) != (int)n)
		die("blockpool_free_bulk failed");
}

static unsigned long calls_of_take(void)
{
	return device_allocs();
}

static unsigned long calls_of_give(void)
{
	return device_frees();
}

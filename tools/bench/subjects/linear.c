// SPDX-License-Identifier: GPL-2.0
/* Searches for the first block whose flag says that it is free, from the start. */
#include "arena.h"
#include "lock.h"

static struct pool {
	pthread_mutex_t lock;
	bool allocated[];
} *pool;

static unsigned int nr_blocks;

static void subject_open(unsigned int blocks, unsigned int block_size)
{
	pool = (struct pool *)get_memory(sizeof(*pool) + blocks);
	arena_open(blocks, block_size);
	nr_blocks = blocks;
	lock_init(&pool->lock);
}

static void subject_thread(void)
{
}

static inline void *take(void)
{
	void *block = NULL;
	unsigned int i;

	lock(&pool->lock);
	for (i = 0; i < nr_blocks && pool->allocated[i]; i++)
		;
	if (i < nr_blocks) {
		pool->allocated[i] = true;
		block = arena_block(i);
	}
	unlock(&pool->lock);
	return block;
}

static inline void give(void *block)
{
	lock(&pool->lock);
	pool->allocated[arena_index(block)] = false;
	unlock(&pool->lock);
}

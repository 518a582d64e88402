// SPDX-License-Identifier: GPL-2.0
/*
 * Hands out the blocks in order and round again, and counts how many came back.
 * Right as long as they come back in order; the case "owners" shows what else.
 */
#include "arena.h"
#include "lock.h"

static struct pool {
	pthread_mutex_t lock;
	unsigned int next, nr_free;
} *pool;

static unsigned int nr_blocks;

static void subject_open(unsigned int blocks, unsigned int block_size)
{
	pool = (struct pool *)get_memory(sizeof(*pool));
	arena_open(blocks, block_size);
	nr_blocks = blocks;
	pool->nr_free = blocks;
	lock_init(&pool->lock);
}

static void subject_thread(void)
{
}

static inline void *take(void)
{
	void *block = NULL;

	lock(&pool->lock);
	if (pool->nr_free) {
		pool->nr_free--;
		block = arena_block(pool->next);
		pool->next = pool->next + 1 < nr_blocks ? pool->next + 1 : 0;
	}
	unlock(&pool->lock);
	return block;
}

static inline void give(void *block)
{
	(void)block;
	lock(&pool->lock);
	pool->nr_free++;
	unlock(&pool->lock);
}

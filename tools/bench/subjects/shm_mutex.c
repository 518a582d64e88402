// SPDX-License-Identifier: GPL-2.0
/* A stack of indices in shared memory under a robust mutex. */
#define SUBJECT_BULK

#include "arena.h"
#include "lock.h"

static struct pool {
	pthread_mutex_t lock;
	unsigned int nr;
	unsigned int free[];
} *pool;

static void subject_open(unsigned int blocks, unsigned int block_size)
{
	pool = (struct pool *)get_memory(sizeof(*pool) +
					 (size_t)blocks * sizeof(*pool->free));
	arena_open(blocks, block_size);
	lock_init(&pool->lock);
	while (blocks--)
		pool->free[pool->nr++] = blocks;
}

static void subject_thread(void)
{
}

static inline void *pop(void)
{
	return pool->nr ? arena_block(pool->free[--pool->nr]) : NULL;
}

static inline void push(void *block)
{
	pool->free[pool->nr++] = arena_index(block);
}

static inline void *take(void)
{
	void *block;

	lock(&pool->lock);
	block = pop();
	unlock(&pool->lock);
	return block;
}

static inline void give(void *block)
{
	lock(&pool->lock);
	push(block);
	unlock(&pool->lock);
}

static inline void take_bulk(void **blocks, unsigned int n)
{
	lock(&pool->lock);
	while (n--)
		blocks[n] = pop();
	unlock(&pool->lock);
}

static inline void give_bulk(void **blocks, unsigned int n)
{
	lock(&pool->lock);
	while (n--)
		push(blocks[n]);
	unlock(&pool->lock);
}

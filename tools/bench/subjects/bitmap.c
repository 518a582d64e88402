// SPDX-License-Identifier: GPL-2.0
/* Scans a bitmap for a free block, word by word from where it last found one. */
#include "arena.h"
#include "lock.h"

#define WORD	64U

static struct pool {
	pthread_mutex_t lock;
	unsigned int last;		/* word of the last hit */
	unsigned long free[];
} *pool;

static unsigned int words;

static void subject_open(unsigned int blocks, unsigned int block_size)
{
	pool = (struct pool *)get_memory(sizeof(*pool) + blocks / 8);
	arena_open(blocks, block_size);
	words = blocks / WORD;		/* the pools here are multiples of it */
	lock_init(&pool->lock);
	memset(pool->free, 0xff, words * sizeof(*pool->free));
}

static void subject_thread(void)
{
}

static inline void *find(void)
{
	unsigned int i, bit, word = pool->last;

	for (i = 0; i < words && !pool->free[word]; i++)
		word = word + 1 < words ? word + 1 : 0;
	if (i == words)
		return NULL;
	bit = (unsigned int)__builtin_ctzl(pool->free[word]);
	pool->free[word] &= ~(1UL << bit);
	pool->last = word;
	return arena_block(word * WORD + bit);
}

static inline void *take(void)
{
	void *block;

	lock(&pool->lock);
	block = find();
	unlock(&pool->lock);
	return block;
}

static inline void give(void *block)
{
	unsigned int index = arena_index(block);

	lock(&pool->lock);
	pool->free[index / WORD] |= 1UL << index % WORD;
	unlock(&pool->lock);
}

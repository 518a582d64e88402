// SPDX-License-Identifier: GPL-2.0
/* A lock-free stack of indices in shared memory, with a tag against ABA. */
#include "subjects/arena.h"

#define NONE	0xffffffffU

static struct pool {
	uint64_t head;			/* tag, index of the first */
	uint32_t next[];
} *pool;

static inline void *take(void)
{
	uint64_t head = __atomic_load_n(&pool->head, __ATOMIC_ACQUIRE), to;
	uint32_t index;

	do {
		index = (uint32_t)head;
		if (index == NONE)
			return NULL;
		to = ((head >> 32) + 1) << 32 |
		     __atomic_load_n(&pool->next[index], __ATOMIC_RELAXED);
	} while (!__atomic_compare_exchange_n(&pool->head, &head, to, true,
					      __ATOMIC_ACQUIRE,
					      __ATOMIC_ACQUIRE));
	return arena_block(index);
}

static inline void give(void *block)
{
	uint64_t head = __atomic_load_n(&pool->head, __ATOMIC_RELAXED), to;
	uint32_t index = arena_index(block);

	do {
		__atomic_store_n(&pool->next[index], (uint32_t)head,
				 __ATOMIC_RELAXED);
		to = ((head >> 32) + 1) << 32 | index;
	} while (!__atomic_compare_exchange_n(&pool->head, &head, to, true,
					      __ATOMIC_RELEASE,
					      __ATOMIC_RELAXED));
}

static void subject_open(unsigned int blocks, unsigned int block_size)
{
	pool = (struct pool *)get_memory(sizeof(*pool) +
					 blocks * sizeof(*pool->next));
	arena_open(blocks, block_size);
	pool->head = NONE;
	while (blocks--)
		give(arena_block(blocks));
}

static void subject_thread(void)
{
}

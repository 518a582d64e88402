// SPDX-License-Identifier: GPL-2.0
/* The bare thread-local array: by calls, or inlined with ARRAY_CALL "static inline". */
#define SUBJECT_BULK
#define SUBJECT_PRIVATE

#ifdef ARRAY_CALL
#include "array_calls.c"
#else
#include "array.h"
#endif

static unsigned int each, size;

static void subject_open(unsigned int blocks, unsigned int block_size)
{
	each = blocks;
	size = block_size;
}

static void subject_thread(void)
{
	array_fill((char *)get_memory((size_t)each * size), each, size);
}

static inline void *take(void)
{
	return array_take();
}

static inline void give(void *block)
{
	array_give(block);
}

static inline void take_bulk(void **blocks, unsigned int n)
{
	array_take_bulk(blocks, n);
}

static inline void give_bulk(void **blocks, unsigned int n)
{
	array_give_bulk(blocks, n);
}

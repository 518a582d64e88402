// SPDX-License-Identifier: GPL-2.0
/*
 * The bare thread-local array of pointers: the least that a pool can do. What is
 * given is not checked, and never more than the array has room for.
 */
#ifndef ARRAY_CALL
#define ARRAY_CALL
#include <string.h>
#include "array.h"
#endif

#define ARRAY_ROOM	4096U

static __thread struct {
	unsigned int nr;
	unsigned int fresh;		/* blocks that were never taken */
	unsigned int block_size;
	char *next;			/* the first of them */
	void *blocks[ARRAY_ROOM];
} array;

ARRAY_CALL void array_fill(char *memory, unsigned int blocks,
			   unsigned int block_size)
{
	array.next = memory;
	array.fresh = blocks;
	array.block_size = block_size;
}

static __attribute__((noinline)) void *array_take_fresh(void)
{
	if (!array.fresh)
		return NULL;
	array.fresh--;
	array.next += array.block_size;
	return array.next - array.block_size;
}

ARRAY_CALL void *array_take(void)
{
	if (__builtin_expect(!array.nr, 0))
		return array_take_fresh();
	return array.blocks[--array.nr];
}

ARRAY_CALL void array_give(void *block)
{
	array.blocks[array.nr++] = block;
}

ARRAY_CALL void array_take_bulk(void **blocks, unsigned int n)
{
	while (array.nr < n)
		array_give(array_take_fresh());
	array.nr -= n;
	memcpy(blocks, array.blocks + array.nr, n * sizeof(*blocks));
}

ARRAY_CALL void array_give_bulk(void **blocks, unsigned int n)
{
	memcpy(array.blocks + array.nr, blocks, n * sizeof(*blocks));
	array.nr += n;
}

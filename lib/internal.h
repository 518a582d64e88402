/* SPDX-License-Identifier: LGPL-2.1-only OR MIT */
/* What a handle is, and the two questions asked before everything else. */
#ifndef BLOCKPOOL_INTERNAL_H
#define BLOCKPOOL_INTERNAL_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "blockpool.h"
#include "stride.h"

/*
 * Lies in pages of its own, of which the last is wiped in a child: @here points
 * into it.  So a handle knows after any kind of fork, a raw clone() included,
 * that it is an inherited one: the child has neither the mapping (the kernel
 * does not copy it) nor a claim on the blocks.  Only @fd means anything there.
 */
struct blockpool {
	unsigned char *base;
	struct stride stride;
	uint32_t nr_blocks;
	int fd;
	const unsigned char *here;
	size_t map_size;
	size_t handle_size;
};

static inline int fail(int error)
{
	errno = error;
	return -1;
}

static inline bool inherited(const struct blockpool *pool)
{
	return !*pool->here;
}

/* BLOCKPOOL_NO_INDEX for whatever is not the first byte of a block. */
static inline uint32_t index_of(const struct blockpool *pool, const void *block)
{
	uint64_t offset = (uint64_t)(uintptr_t)block - (uintptr_t)pool->base;
	uint64_t index = stride_quotient(&pool->stride, offset);

	return index < pool->nr_blocks ? (uint32_t)index : BLOCKPOOL_NO_INDEX;
}

/* @index must be below nr_blocks. */
static inline void *block_at(const struct blockpool *pool, uint32_t index)
{
	return pool->base + (size_t)index * pool->stride.bytes;
}

#endif /* BLOCKPOOL_INTERNAL_H */

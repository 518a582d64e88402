// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/*
 * Taking blocks and giving them back.
 *
 * kernel_take() and kernel_put() are the only ways to and from the kernel's
 * depot, one ioctl each.  A cache of blocks goes before them, in
 * blockpool_alloc() and blockpool_free().  Nothing here needs memory but a
 * bounded piece of stack or takes a lock, so every call may be made in a signal
 * handler.
 */
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>

#include "internal.h"

/* Indices on the stack at a time: 1 KiB, kind to threads with a small one. */
#define PIECE	256U

static int kernel_take(struct blockpool *pool, uint32_t *indices,
		       unsigned int n)
{
	struct blockpool_alloc_args args = {
		.size = sizeof(args),
		.count = n,
		.indices = (uintptr_t)indices,
	};

	return ioctl(pool->fd, BLOCKPOOL_IOC_ALLOC, &args);
}

static int kernel_take_wait(struct blockpool *pool, uint32_t *index,
			    int timeout_ms)
{
	struct blockpool_alloc_args args = {
		.size = sizeof(args),
		.flags = BLOCKPOOL_ALLOC_WAIT,
		.count = 1,
		.timeout_ms = timeout_ms,
		.indices = (uintptr_t)index,
	};

	return ioctl(pool->fd, BLOCKPOOL_IOC_ALLOC, &args);
}

/* How many were put back; errno tells why, if fewer than @n. */
static unsigned int kernel_put(struct blockpool *pool, const uint32_t *indices,
			       unsigned int n)
{
	struct blockpool_free_args args = {
		.size = sizeof(args),
		.count = n,
		.indices = (uintptr_t)indices,
	};

	return ioctl(pool->fd, BLOCKPOOL_IOC_FREE, &args) ? args.done : n;
}

void *blockpool_alloc(struct blockpool *pool)
{
	uint32_t index;

	if (inherited(pool)) {
		errno = ECHILD;
		return NULL;
	}
	if (kernel_take(pool, &index, 1))
		return NULL;
	return block_at(pool, index);
}

void *blockpool_alloc_wait(struct blockpool *pool, int timeout_ms)
{
	uint32_t index;

	if (inherited(pool)) {
		errno = ECHILD;
		return NULL;
	}
	if (kernel_take_wait(pool, &index, timeout_ms))
		return NULL;
	return block_at(pool, index);
}

/*
 * The kernel writes the indices into the upper end of the caller's own array,
 * and they become addresses from the bottom up: where a pointer is as large as
 * two indices, address i covers indices 2i - n and 2i - n + 1, and as i < n both
 * have been read.
 */
int blockpool_alloc_bulk(struct blockpool *pool, void **blocks, unsigned int n)
{
	uint32_t *indices, index;
	unsigned int i;

	if (inherited(pool))
		return fail(ECHILD);
	if (!n || n > BLOCKPOOL_BATCH_MAX)
		return fail(EINVAL);
	indices = (uint32_t *)(blocks + n) - n;
	if (kernel_take(pool, indices, n))
		return -1;
	for (i = 0; i < n; i++) {
		memcpy(&index, indices + i, sizeof(index));
		blocks[i] = block_at(pool, index);
	}
	return (int)n;
}

int blockpool_free(struct blockpool *pool, void *block)
{
	uint32_t index;

	if (inherited(pool))
		return fail(ECHILD);
	index = index_of(pool, block);
	if (index == BLOCKPOOL_NO_INDEX)
		return fail(EINVAL);
	return kernel_put(pool, &index, 1) ? 0 : -1;
}

/* Free a piece in order; returns how many were, with errno if fewer than @n. */
static unsigned int free_piece(struct blockpool *pool, void **blocks,
			       unsigned int n)
{
	uint32_t indices[PIECE];
	unsigned int good, done = 0;

	for (good = 0; good < n; good++) {
		indices[good] = index_of(pool, blocks[good]);
		if (indices[good] == BLOCKPOOL_NO_INDEX)
			break;
	}
	if (good)
		done = kernel_put(pool, indices, good);
	if (done == good && good < n)
		errno = EINVAL;
	return done;
}

int blockpool_free_bulk(struct blockpool *pool, void **blocks, unsigned int n)
{
	unsigned int piece, freed, done = 0;

	if (inherited(pool))
		return fail(ECHILD);
	if (!n || n > INT_MAX)
		return fail(EINVAL);
	do {
		piece = n - done < PIECE ? n - done : PIECE;
		freed = free_piece(pool, blocks + done, piece);
		done += freed;
	} while (freed == piece && done < n);
	return done ? (int)done : -1;
}

uint32_t blockpool_index(const struct blockpool *pool, const void *block)
{
	uint32_t index;

	if (inherited(pool)) {
		errno = ECHILD;
		return BLOCKPOOL_NO_INDEX;
	}
	index = index_of(pool, block);
	if (index == BLOCKPOOL_NO_INDEX)
		errno = EINVAL;
	return index;
}

void *blockpool_block(const struct blockpool *pool, uint32_t index)
{
	if (inherited(pool)) {
		errno = ECHILD;
		return NULL;
	}
	if (index >= pool->nr_blocks) {
		errno = EINVAL;
		return NULL;
	}
	return block_at(pool, index);
}

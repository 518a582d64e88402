/* SPDX-License-Identifier: LGPL-2.1-only OR MIT */
/* What a handle is, and the arithmetic from blocks to numbers and back. */
#ifndef BLOCKPOOL_INTERNAL_H
#define BLOCKPOOL_INTERNAL_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "blockpool.h"
#include "../common/magazine.h"
#include "../common/stride.h"

#define bp_slow		__attribute__((noinline, cold))
#define bp_hidden	__attribute__((visibility("hidden")))
#define bp_initial_exec	__attribute__((tls_model("initial-exec")))

/* Where a call of the library was made: the first frame of its call stack. */
#define bp_caller() \
	__builtin_extract_return_addr(__builtin_return_address(0))

/*
 * What this process knows of a block, one byte each, checked on every free.
 * Plain bytes: two threads that free one block in the same nanoseconds can slip
 * past them, into their own process's magazines; the kernel's table stays right.
 */
enum {
	STATE_UNKNOWN,		/* free, or came by other ways: ask the kernel */
	STATE_HELD,		/* taken through this handle */
	STATE_CACHED,		/* in a magazine of this process */
	STATE_SENT,		/* to a port, or about to be: ask the kernel */
	STATE_SHARED,		/* where tools watch: a share, and one more for each */
};

/* What *@here says. */
enum {
	HERE_INHERITED,		/* wiped */
	HERE_PLAIN,
	HERE_WATCHED,		/* a tool is to be told of each block shown */
};

/*
 * @here and @states lie in memory that is wiped in a child.  So a handle knows
 * after any kind of fork, a raw clone() included, that it is an inherited one:
 * the child has neither the mappings (the kernel does not copy them) nor a claim
 * on the blocks.  Only @fd means anything there.
 */
struct blockpool {
	/* What a call that finds all in the magazine reads: one cache line. */
	u64 serial;		/* of this handle: not 0, and never used again */
	size_t slot;		/* where in a thread's table, in bytes */
	unsigned char *base;
	unsigned char *states;	/* by index */
	const struct blockpool_status *status;
	struct bp_stride stride;
	u32 nr_blocks;

	int fd;
	u32 client_max;
	u32 reserved;		/* room of all threads' magazines; atomic */
	unsigned char *here;
	size_t map_size;

	/* What only calls that ask the kernel look at. */
	u32 flags;		/* BLOCKPOOL_DEBUG, BLOCKPOOL_ISOLATED */
	u32 block_size;
	u32 block_offset;	/* of block 0 in the mapping */
	u32 told;		/* bytes of the text of modules handed over */
	unsigned char tools;	/* that watch the memory: see watch.h */
	bool reports;		/* misuse is printed */
	struct blockpool *next;	/* with tools */
} __attribute__((aligned(64)));

static inline int fail(int error)
{
	errno = error;
	return -1;
}

static inline bool inherited(const struct blockpool *pool)
{
	return *pool->here == HERE_INHERITED;
}

/*
 * One with no magazines: its blocks come and go one call of the kernel each, so
 * that this or a tool sees each of them.
 */
static inline bool is_direct(const struct blockpool *pool)
{
	return pool->flags || pool->tools;
}

/*
 * Copy the name of a pool or a port; -1 with errno if it is none.  It is never cut
 * short: another might have the short one.
 */
static inline int bp_set_name(char *to, const char *name)
{
	size_t len = name ? strnlen(name, BLOCKPOOL_NAME_SIZE) : 0;

	if (!len || len == BLOCKPOOL_NAME_SIZE)
		return fail(EINVAL);
	memcpy(to, name, len + 1);
	return 0;
}

/* The pool is short: somebody waits for blocks.  Not for an inherited handle. */
static inline bool is_short(const struct blockpool *pool)
{
	return __atomic_load_n(&pool->status->wanted, __ATOMIC_RELAXED);
}

/* BLOCKPOOL_NO_INDEX for whatever is not the first byte of a block. */
static inline u32 index_of(const struct blockpool *pool, const void *block)
{
	u64 offset = (u64)(uintptr_t)block - (uintptr_t)pool->base;
	u64 index = bp_stride_quotient(&pool->stride, offset);

	return index < pool->nr_blocks ? (u32)index : BLOCKPOOL_NO_INDEX;
}

/* @index must be below nr_blocks. */
static inline void *block_at(const struct blockpool *pool, u32 index)
{
	return pool->base + (size_t)index * pool->stride.bytes;
}

#endif /* BLOCKPOOL_INTERNAL_H */

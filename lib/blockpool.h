/* SPDX-License-Identifier: LGPL-2.1-only OR MIT */
/*
 * libblockpool: fixed-size blocks that the kernel lends and takes back.
 *
 * A struct blockpool is one open file of /dev/blockpool and one mapping of a
 * whole pool.  Blocks are plain addresses in that mapping; blockpool_index()
 * names a block to another process, blockpool_block() finds it there.
 *
 * Every call returns 0 or a count, or -1 (a pointer: NULL) with errno:
 *
 *   EAGAIN     no block is free now
 *   ETIMEDOUT  none came free in time
 *   EINTR      a signal came first
 *   EDQUOT     this handle would hold more than its limit
 *   EINVAL     not a block of this pool, or a bad argument
 *   EPERM      a block that this handle does not hold
 *   EACCES     no permission on the pool
 *   ENOENT     no such pool
 *   EEXIST     a pool of that name exists
 *   ENOMEM     no memory, or over RLIMIT_MEMLOCK or the cgroup's limit
 *   ECHILD     a handle inherited over fork(): open your own
 *   ENODEV     the module is not loaded
 *
 * All calls but blockpool_close() may be made by any number of threads on one
 * handle, which then share what they hold.  What a process holds goes back to
 * the pool when it ends, however it ends.
 *
 * Each thread keeps some of the handle's free blocks, a magazine, so that to take
 * a block and to give it back mostly needs no system call.  To the kernel such
 * blocks are held.  All threads of a handle keep no more than the pool's status
 * page advises, nor than an eighth of the pool's client_max, and what a thread
 * keeps goes back when it ends or calls blockpool_flush().  A block that was
 * taken by a call of this library must be given back by one.  Pools with a flag for
 * debugging and isolated ones have no magazines.
 *
 * With BLOCKPOOL_DEBUG in the environment, a free that is refused and a call on an
 * inherited handle are printed on stderr with the call stack.
 */
#ifndef BLOCKPOOL_H
#define BLOCKPOOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/blockpool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct blockpool;

/**
 * struct blockpool_attr - what a pool shall be
 * @name: printable ASCII without '/', shorter than BLOCKPOOL_NAME_SIZE
 * @block_size: bytes a block, 1 to BLOCKPOOL_BLOCK_SIZE_MAX (4 MiB)
 * @nr_blocks: 1 to BLOCKPOOL_BLOCKS_MAX (2^24)
 * @flags: BLOCKPOOL_PERSIST: keep the pool until it is unlinked;
 *	BLOCKPOOL_ON_NODE: blocks in the memory of @node;
 *	BLOCKPOOL_ISOLATED: only who holds a block can touch it;
 *	BLOCKPOOL_DEBUG or some of BLOCKPOOL_GUARD, _POISON, _TRACK and
 *	_CONSISTENCY: find out who misuses blocks
 * @mode: permission bits as of a file; 0 means 0600
 * @client_max: most blocks that one handle may hold; 0 means no limit
 * @node: NUMA node, with BLOCKPOOL_ON_NODE
 * @reserve: so many of the free blocks are kept for kernel callers
 */
struct blockpool_attr {
	const char *name;
	size_t block_size;
	uint32_t nr_blocks;
	uint32_t flags;
	mode_t mode;
	uint32_t client_max;
	uint32_t node;
	uint32_t reserve;
};

/*
 * Create a pool and open it for reading and writing.  Without BLOCKPOOL_PERSIST
 * it lives as long as somebody has it open or mapped.
 */
struct blockpool *blockpool_create(const struct blockpool_attr *attr);

/*
 * Open a pool; name NULL is "default".  oflags: O_RDWR, or O_RDONLY for a
 * mapping that can only be read and a handle that can take no blocks.
 */
struct blockpool *blockpool_open(const char *name, int oflags);

/*
 * Give back all that the handle holds, unmap and close.  No other call on the
 * handle may be under way; addresses of its blocks are dead afterwards.
 */
int blockpool_close(struct blockpool *pool);

/* Take a pool's name away.  The pool goes when its last user goes. */
int blockpool_unlink(const char *name);

/* Take a block; never sleeps.  Its content is undefined. */
void *blockpool_alloc(struct blockpool *pool);

/* Take a block, waiting up to timeout_ms milliseconds; -1: for ever. */
void *blockpool_alloc_wait(struct blockpool *pool, int timeout_ms);

/* Take n blocks, 1 to BLOCKPOOL_BATCH_MAX, or none.  Returns n. */
int blockpool_alloc_bulk(struct blockpool *pool, void **blocks, unsigned int n);

/* Give a block back. */
int blockpool_free(struct blockpool *pool, void *block);

/*
 * Give back the free blocks that the calling thread keeps: for a thread that
 * will use none for a while.
 */
int blockpool_flush(struct blockpool *pool);

/*
 * Give n blocks back, in order, up to the first that must be refused.  Returns
 * how many were freed, which is n, or if the very first was refused, -1.  After
 * a count below n, errno tells why blocks[count] was refused.
 */
int blockpool_free_bulk(struct blockpool *pool, void **blocks, unsigned int n);

/* Index of a block, BLOCKPOOL_NO_INDEX with EINVAL if it is no block's address. */
uint32_t blockpool_index(const struct blockpool *pool, const void *block);

/* Address of a block by its index, whoever holds it; NULL with EINVAL beyond. */
void *blockpool_block(const struct blockpool *pool, uint32_t index);

/* What does not change (struct blockpool_info) and what does. */
int blockpool_info(struct blockpool *pool, struct blockpool_info *info);
int blockpool_stats(struct blockpool *pool, struct blockpool_stats *stats);

/*
 * The handle's file descriptor, for poll() (POLLOUT while a block is free) or
 * to pass to another process, which then shares what the handle holds.
 */
int blockpool_fd(const struct blockpool *pool);

#ifdef __cplusplus
}
#endif

#endif /* BLOCKPOOL_H */

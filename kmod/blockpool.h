/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blockpool for other modules: pools of fixed-size blocks, lent zero copy.
 *
 * The kernel is one owner.  A block belongs to whoever called blockpool_alloc()
 * until it calls blockpool_free(); it lies in the direct map, is physically
 * contiguous, and is cache-line aligned.  User processes that are attached to
 * the pool see the same bytes.
 */
#ifndef BLOCKPOOL_H
#define BLOCKPOOL_H

#include <linux/types.h>
#include <linux/gfp.h>
#include <uapi/linux/blockpool.h>

struct blockpool;

/**
 * struct blockpool_attr - what a pool shall be
 * @name: printable ASCII without '/', shorter than BLOCKPOOL_NAME_SIZE, not "."
 *	nor ".."
 * @block_size: bytes a block, 1 to BLOCKPOOL_BLOCK_SIZE_MAX
 * @nr_blocks: 1 to BLOCKPOOL_BLOCKS_MAX
 * @flags: BLOCKPOOL_PERSIST, BLOCKPOOL_ON_NODE, BLOCKPOOL_ISOLATED, or of
 *	BLOCKPOOL_DEBUG
 * @mode: permission bits for user processes, 0 for 0600
 * @client_max: most blocks that one client may hold, 0 for no limit
 * @node: with BLOCKPOOL_ON_NODE: the NUMA node to have the blocks on
 * @reserve: of the free blocks, so many are kept for kernel callers
 */
struct blockpool_attr {
	const char *name;
	size_t block_size;
	u32 nr_blocks;
	u32 flags;
	umode_t mode;
	u32 client_max;
	u32 node;
	u32 reserve;
};

struct blockpool *blockpool_create(const struct blockpool_attr *attr);
struct blockpool *blockpool_get(const char *name);
void blockpool_put(struct blockpool *pool);

void *blockpool_alloc(struct blockpool *pool, gfp_t gfp);
void blockpool_free(struct blockpool *pool, void *block);
int blockpool_alloc_bulk(struct blockpool *pool, gfp_t gfp, void **blocks,
			 unsigned int n);
void blockpool_free_bulk(struct blockpool *pool, void **blocks,
			 unsigned int n);

size_t blockpool_block_size(const struct blockpool *pool);
u32 blockpool_nr_blocks(const struct blockpool *pool);
u32 blockpool_index(const struct blockpool *pool, const void *block);
void *blockpool_block(const struct blockpool *pool, u32 index);

#endif /* BLOCKPOOL_H */

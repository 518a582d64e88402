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

#include <linux/bits.h>
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

struct blockpool_port;

/**
 * typedef blockpool_handler_t - what is done with a message
 * @port: the port it came to
 * @message: its block is the kernel's now: to be freed, or sent on
 * @ctx: from blockpool_port_open()
 */
typedef void (*blockpool_handler_t)(struct blockpool_port *port,
				    const struct blockpool_message *message,
				    void *ctx);

/* In blockpool_port_attr alone: call the handler in softirq context. */
#define BLOCKPOOL_BIND_SOFTIRQ	BIT(31)

/**
 * struct blockpool_port_attr - which port, and what it shall be
 * @name: as of a pool
 * @flags: BLOCKPOOL_BIND_SEND, BLOCKPOOL_BIND_RECV, BLOCKPOOL_BIND_CREATE,
 *	BLOCKPOOL_BIND_AGAIN, BLOCKPOOL_BIND_SOFTIRQ
 * @depth: see struct blockpool_bind_args, as for the following
 * @linger_ms: ...
 * @mode: for clients
 */
struct blockpool_port_attr {
	const char *name;
	u32 flags;
	u32 depth;
	s32 linger_ms;
	umode_t mode;
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

struct blockpool_port *
blockpool_port_open(struct blockpool *pool,
		    const struct blockpool_port_attr *attr,
		    blockpool_handler_t handler, void *ctx);
struct blockpool_port *blockpool_port_get(struct blockpool *pool, u32 number);
void blockpool_port_close(struct blockpool_port *port);
u32 blockpool_port_number(const struct blockpool_port *port);
int blockpool_send(struct blockpool_port *port, gfp_t gfp,
		   const struct blockpool_message *messages, unsigned int n);
int blockpool_recv(struct blockpool_port *port, gfp_t gfp,
		   struct blockpool_message *messages, unsigned int n);

size_t blockpool_block_size(const struct blockpool *pool);
u32 blockpool_nr_blocks(const struct blockpool *pool);
u32 blockpool_index(const struct blockpool *pool, const void *block);
void *blockpool_block(const struct blockpool *pool, u32 index);

#endif /* BLOCKPOOL_H */

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
 *   EAGAIN     no block is free now; a port is full, or empty
 *   ETIMEDOUT  and was so all the time
 *   EINTR      a signal came first
 *   EDQUOT     this handle would hold more than its limit
 *   EINVAL     not a block of this pool, or a bad argument
 *   EPERM      a block that this handle does not hold
 *   EACCES     no permission on the pool or the port
 *   ENOENT     no such pool or port
 *   EEXIST     a pool of that name exists
 *   ENOMEM     no memory, or over RLIMIT_MEMLOCK or the cgroup's limit
 *   EPIPE      the port has no receiver any more, nor will have one; the other end
 *              of the channel is gone
 *   EPROTO     the other end of a channel says what cannot be
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
 * With BLOCKPOOL_DEBUG in the environment, a free that is refused, a send of a block
 * that is not held, and a call on an inherited handle are printed on stderr with the
 * call stack.
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
 * The handle's file descriptor, for poll() (POLLOUT while a block is free, POLLIN
 * while there is a message for it) or to pass to another process, which then shares
 * what the handle holds.
 */
int blockpool_fd(const struct blockpool *pool);

/*
 * Ports: named queues of messages, each with a block that goes from its sender to
 * its receiver.  The calls may be made by any number of threads on one port, but
 * blockpool_unbind() when no other is under way, and before blockpool_close().
 */
struct blockpool_port;

/**
 * struct blockpool_port_attr - which port, and what it shall be
 * @name: as of a pool
 * @flags: BLOCKPOOL_BIND_SEND, BLOCKPOOL_BIND_RECV: to do what;
 *	BLOCKPOOL_BIND_CREATE: make it if there is none;
 *	BLOCKPOOL_BIND_AGAIN: what a receiver that dies had not freed or sent on
 *	goes to the next one
 * @depth: messages it has room for, 1 to BLOCKPOOL_DEPTH_MAX; 0 means 256
 * @linger_ms: how long it stays, with its messages, when the last receiver is gone;
 *	0: not at all, -1: as long as the pool
 * @mode: permission bits, r to receive and w to send; 0 means 0600
 *
 * BLOCKPOOL_BIND_AGAIN and what follows @flags count only if the port is made.
 */
struct blockpool_port_attr {
	const char *name;
	uint32_t flags;
	uint32_t depth;
	int32_t linger_ms;
	mode_t mode;
};

/* Use a port of the pool. */
struct blockpool_port *blockpool_bind(struct blockpool *pool,
				      const struct blockpool_port_attr *attr);

/*
 * The port that an answer to this message may be sent to; ENOENT if its sender
 * wants none.  Once for a message.
 */
struct blockpool_port *
blockpool_reply_port(struct blockpool *pool,
		     const struct blockpool_message *message);

/* Be done with one of these.  What was received from it stays with the handle. */
int blockpool_unbind(struct blockpool_port *port);

/* The port's number in the pool: for @reply of a message; 0 with errno. */
uint32_t blockpool_port_number(const struct blockpool_port *port);

/*
 * A descriptor to poll: POLLIN while there are messages, POLLOUT while there is
 * room, POLLHUP when the port has ended.  blockpool_unbind() closes it.
 */
int blockpool_port_fd(struct blockpool_port *port);

/*
 * Send n messages, 1 to BLOCKPOOL_MESSAGES_MAX, or as many of the first as there is
 * room for; with BLOCKPOOL_PORT_ALL in flags all or none.  Without room for any wait
 * up to timeout_ms milliseconds; 0: not at all, -1: for ever.  Returns how many were
 * sent: their blocks are not the handle's any more.
 */
int blockpool_send(struct blockpool_port *port,
		   const struct blockpool_message *messages, unsigned int n,
		   unsigned int flags, int timeout_ms);

/*
 * Receive up to n messages, with BLOCKPOOL_PORT_ALL exactly n, and wait as above
 * while there is none.  Returns how many: their blocks are the handle's, to be
 * given back or sent on.  Those with BLOCKPOOL_MESSAGE_SHARED are to be read only.
 */
int blockpool_recv(struct blockpool_port *port,
		   struct blockpool_message *messages, unsigned int n,
		   unsigned int flags, int timeout_ms);

/*
 * Send n messages, all or none, and then receive up to nr_answers, as by blockpool_send()
 * and blockpool_recv(), but by one call of the kernel: for who asks and waits for the
 * answer, or answers and waits for the next request.  Each half waits up to timeout_ms.
 * Returns how many were received; 0 if the messages were sent and none was received:
 * errno tells why, and blockpool_recv() is the call to go on with; -1 if nothing was
 * sent.  The answers may lie where the messages lay.
 */
int blockpool_call(struct blockpool_port *to,
		   const struct blockpool_message *messages, unsigned int n,
		   struct blockpool_port *from,
		   struct blockpool_message *answers, unsigned int nr_answers,
		   int timeout_ms);

/*
 * Send one message to n ports of one pool, 1 to BLOCKPOOL_PORTS_MAX, or to none.
 * The block is nobody's own then: each receiver gives its share of it back.
 */
int blockpool_share(struct blockpool_port *const *ports, unsigned int n,
		    const struct blockpool_message *message);

/*
 * Channels: blocks that go back and forth between two ends, and no call of the kernel as
 * long as neither sleeps.  To the kernel they are held by the channel, an open file
 * of its own that both ends have: whichever dies, all are back when the other ends.
 *
 * Of each end one thread may send and one receive at a time; blockpool_channel_close()
 * when no other call is under way.
 */
struct blockpool_channel;

/*
 * Make a channel with nr_blocks blocks of the pool of that name (NULL: "default") and
 * send it through a connected AF_UNIX stream or seqpacket socket.  It begins with all
 * blocks on their way to this end, in messages of length 0: receive them, fill them,
 * send them.  If it succeeds the socket is the channel's.
 */
struct blockpool_channel *blockpool_channel_open(const char *name, int socket,
						 uint32_t nr_blocks);

/*
 * The other end of it, once the message is there that this waits for; likewise.
 * EPROTO: what came is no channel, EPROTONOSUPPORT: one of another version.
 */
struct blockpool_channel *blockpool_channel_accept(int socket);

/* End this end.  The other gets EPIPE; addresses of blocks are dead. */
int blockpool_channel_close(struct blockpool_channel *channel);

/*
 * Send messages about blocks that this end has, 1 to BLOCKPOOL_MESSAGES_MAX, in order,
 * up to the first that must be refused.  There is always room.  Returns how many were
 * sent: their blocks are the other end's.  After a count below n, errno tells why
 * messages[count] was refused.
 */
int blockpool_channel_send(struct blockpool_channel *channel,
			   const struct blockpool_message *messages,
			   unsigned int n);

/*
 * Receive up to n messages, and wait up to timeout_ms milliseconds while there is none;
 * 0: not at all, -1: for ever.  Returns how many: their blocks are this end's, to be
 * sent back, with an answer or with length 0.  EPIPE only after all that was sent.
 */
int blockpool_channel_recv(struct blockpool_channel *channel,
			   struct blockpool_message *messages, unsigned int n,
			   int timeout_ms);

/* How long recv looks for messages before it sleeps: 0 to begin with; -1: for ever. */
int blockpool_channel_spin(struct blockpool_channel *channel, int us);

/* Address of a block at this end, by its index; NULL with EINVAL beyond. */
void *blockpool_channel_block(const struct blockpool_channel *channel,
			      uint32_t index);

/* Of its pool. */
int blockpool_channel_info(struct blockpool_channel *channel,
			   struct blockpool_info *info);

/*
 * To poll: before each poll() for POLLIN on the descriptor, arm.  1: there are
 * messages, or the other end is gone, so receive and do not poll; 0: poll, it will say
 * so when there are.
 */
int blockpool_channel_fd(const struct blockpool_channel *channel);
int blockpool_channel_arm(struct blockpool_channel *channel);

#ifdef __cplusplus
}
#endif

#endif /* BLOCKPOOL_H */

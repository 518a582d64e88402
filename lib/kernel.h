/* SPDX-License-Identifier: LGPL-2.1-only OR MIT */
/* The only ways of blocks to and from the kernel, one ioctl each. */
#ifndef BLOCKPOOL_KERNEL_H
#define BLOCKPOOL_KERNEL_H

#include "internal.h"

/*
 * Where the pool tracks its blocks, the call stack from @caller on is handed over
 * too: see bp_trace().
 */

/*
 * Take @n indices or none, and up to @extra more if there are plenty.  Returns how
 * many, 0 with errno for none.
 */
u32 bp_kernel_take(struct blockpool *pool, u32 *indices, u32 n, u32 extra,
		   const void *caller) bp_hidden;

/* Take one, waiting for it. */
int bp_kernel_wait(struct blockpool *pool, u32 *index, int timeout_ms,
		   const void *caller) bp_hidden;

/* How many were put back; errno tells why, if fewer than @n. */
u32 bp_kernel_put(struct blockpool *pool, const u32 *indices, u32 n,
		  const void *caller) bp_hidden;

/* Messages that shall go to a port, or come from one. */
struct bp_move {
	u32 port;		/* its number */
	u32 n;			/* messages at most */
	u32 flags;		/* but BLOCKPOOL_PORT_WAIT, which is a timeout other than 0 */
	int timeout_ms;
	const struct blockpool_message *messages;	/* RECV writes there */
	u32 done;		/* out: how many were moved; errno tells why none */
};

void bp_kernel_send(struct blockpool *pool, struct bp_move *move,
		    const void *caller) bp_hidden;
void bp_kernel_recv(struct blockpool *pool, struct bp_move *move,
		    const void *caller) bp_hidden;

/* The one and, if it has sent all, the other; errno is the second's if it has. */
void bp_kernel_call(struct blockpool *pool, struct bp_move *send,
		    struct bp_move *recv, const void *caller) bp_hidden;

#endif /* BLOCKPOOL_KERNEL_H */

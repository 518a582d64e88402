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

/*
 * How many messages were sent to a port, or received from it: errno tells why, if
 * none.  Of @flags BLOCKPOOL_PORT_WAIT goes by @timeout_ms.
 */
u32 bp_kernel_send(struct blockpool *pool, u32 port,
		   const struct blockpool_message *messages, u32 n, u32 flags,
		   int timeout_ms, const void *caller) bp_hidden;
u32 bp_kernel_recv(struct blockpool *pool, u32 port,
		   struct blockpool_message *messages, u32 n, u32 flags,
		   int timeout_ms, const void *caller) bp_hidden;

#endif /* BLOCKPOOL_KERNEL_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The peer for test programs, in the manner of ../pool.h: what fails returns
 * -errno.  Including this makes a program end as skipped without the peer.
 */
#ifndef PEER_USER_H
#define PEER_USER_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../pool.h"
#include "blockpool_peer.h"

#define PEER_DEVICE	"/dev/blockpool_peer"
#define PEER_KSFT_SKIP	4

static void __attribute__((constructor)) skip_unless_peer(void)
{
	if (!access(PEER_DEVICE, F_OK))
		return;
	printf("TAP version 13\n1..0 # SKIP no " PEER_DEVICE "\n");
	fflush(stdout);
	_exit(PEER_KSFT_SKIP);
}

static inline int peer_open(void)
{
	int fd = open(PEER_DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The name may be as long as the structure: then the peer refuses it. */
static inline int peer_get(int fd, const char *name)
{
	struct blockpool_peer_open args = {};

	memcpy(args.name, name, strnlen(name, sizeof(args.name)));
	return pool_ioctl(fd, BLOCKPOOL_PEER_OPEN, &args);
}

static inline int peer_put(int fd)
{
	return pool_ioctl(fd, BLOCKPOOL_PEER_CLOSE, NULL);
}

static inline struct blockpool_peer_create
peer_attr(const char *name, __u64 block_size, __u32 nr_blocks)
{
	struct blockpool_peer_create args = {
		.block_size = block_size,
		.nr_blocks = nr_blocks,
	};

	snprintf(args.name, sizeof(args.name), "%s", name);
	return args;
}

static inline int peer_create(int fd, struct blockpool_peer_create args)
{
	return pool_ioctl(fd, BLOCKPOOL_PEER_CREATE, &args);
}

/* For what cannot fail: a new file that has the pool. */
static inline int peer_join(const char *name)
{
	int fd = peer_open();
	int ret = fd < 0 ? fd : peer_get(fd, name);

	if (ret < 0)
		pool_fatal("the peer cannot get %s: %s", name, strerror(-ret));
	return fd;
}

static inline int peer_op(int fd, __u32 op, __u32 context, __u32 flags,
			  __u32 *indices, __u32 count)
{
	struct blockpool_peer_op args = {
		.op = op,
		.context = context,
		.flags = flags,
		.count = count,
		.indices = (uintptr_t)indices,
	};
	int ret = pool_ioctl(fd, BLOCKPOOL_PEER_OP, &args);

	return ret ? ret : args.result;
}

/* How many it got, by single calls. */
static inline int peer_alloc(int fd, __u32 context, __u32 *indices, __u32 count)
{
	return peer_op(fd, BLOCKPOOL_PEER_ALLOC, context, 0, indices, count);
}

/* Those below it are there on this machine: all, or all but NMI. */
static inline __u32 peer_contexts(int fd)
{
	return peer_alloc(fd, BLOCKPOOL_PEER_NMI, NULL, 0) ?
	       BLOCKPOOL_PEER_NMI : BLOCKPOOL_PEER_CONTEXTS;
}

static inline int peer_alloc_bulk(int fd, __u32 context, __u32 *indices,
				  __u32 count)
{
	return peer_op(fd, BLOCKPOOL_PEER_ALLOC_BULK, context, 0, indices,
		       count);
}

static inline int peer_free(int fd, __u32 context, __u32 *indices, __u32 count)
{
	return peer_op(fd, BLOCKPOOL_PEER_FREE, context, 0, indices, count);
}

static inline int peer_free_bulk(int fd, __u32 context, __u32 *indices,
				 __u32 count)
{
	return peer_op(fd, BLOCKPOOL_PEER_FREE_BULK, context, 0, indices,
		       count);
}

/* An index, or -EAGAIN for NULL. */
static inline int peer_take(int fd, __u32 context)
{
	__u32 index;
	int ret = peer_alloc(fd, context, &index, 1);

	if (ret < 0)
		return ret;
	return ret ? (int)index : -EAGAIN;
}

static inline int peer_give(int fd, __u32 context, __u32 index)
{
	return peer_free(fd, context, &index, 1);
}

/* Offers an address that is no block; returns what its index is said to be. */
static inline __u32 peer_bad(int fd, __u32 context, __u32 kind, __u32 index,
			     bool free)
{
	struct blockpool_peer_bad args = {
		.kind = kind,
		.context = context,
		.index = index,
		.free = free,
	};
	int ret = pool_ioctl(fd, BLOCKPOOL_PEER_BAD, &args);

	if (ret)
		pool_fatal("the peer: kind %u: %s", kind, strerror(-ret));
	return args.found;
}

static inline int peer_data(int fd, unsigned long request, __u32 index,
			    __u32 length, __u32 seed)
{
	struct blockpool_peer_data args = {
		.index = index,
		.length = length,
		.seed = seed,
	};

	return pool_ioctl(fd, request, &args);
}

#endif /* PEER_USER_H */

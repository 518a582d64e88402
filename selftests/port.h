/* SPDX-License-Identifier: GPL-2.0 */
/* Ports for test programs, in the manner of pool.h: what fails returns -errno. */
#ifndef SELFTESTS_PORT_H
#define SELFTESTS_PORT_H

#include <stdint.h>
#include <stdio.h>

#include "pool.h"

#define PORT_SEND	BLOCKPOOL_BIND_SEND
#define PORT_RECV	BLOCKPOOL_BIND_RECV
#define PORT_MAKE	(BLOCKPOOL_BIND_RECV | BLOCKPOOL_BIND_CREATE)

static inline struct blockpool_bind_args port_args(const char *name, __u32 flags)
{
	struct blockpool_bind_args args = { .flags = flags };

	snprintf(args.name, sizeof(args.name), "%s", name);
	return args;
}

/* Its number; what else is told is in args. */
static inline int port_bind_args(int fd, struct blockpool_bind_args *args)
{
	int ret;

	args->size = sizeof(*args);
	ret = pool_ioctl(fd, BLOCKPOOL_IOC_BIND, args);
	return ret ? ret : (int)args->port;
}

static inline int port_bind(int fd, const char *name, __u32 flags)
{
	struct blockpool_bind_args args = port_args(name, flags);

	return port_bind_args(fd, &args);
}

static inline int port_unbind(int fd, __u32 port)
{
	struct blockpool_unbind_args args = { sizeof(args), port };

	return pool_ioctl(fd, BLOCKPOOL_IOC_UNBIND, &args);
}

/* How many, or -errno; timeout_ms 0: without waiting. */
static inline int port_send(int fd, __u32 port,
			    const struct blockpool_message *messages,
			    __u32 count, __u32 flags, int timeout_ms)
{
	struct blockpool_send_args args = {
		.size = sizeof(args),
		.flags = flags | (timeout_ms ? BLOCKPOOL_PORT_WAIT : 0),
		.port = port,
		.count = count,
		.timeout_ms = timeout_ms,
		.messages = (uintptr_t)messages,
		.done = ~0U,
	};
	int ret = pool_ioctl(fd, BLOCKPOOL_IOC_SEND, &args);

	if (ret && args.done)
		pool_fatal("SEND failed by %d with %u done", ret, args.done);
	return ret ? ret : (int)args.done;
}

static inline int port_recv(int fd, __u32 port,
			    struct blockpool_message *messages, __u32 count,
			    __u32 flags, int timeout_ms)
{
	struct blockpool_recv_args args = {
		.size = sizeof(args),
		.flags = flags | (timeout_ms ? BLOCKPOOL_PORT_WAIT : 0),
		.port = port,
		.count = count,
		.timeout_ms = timeout_ms,
		.messages = (uintptr_t)messages,
		.done = ~0U,
	};
	int ret = pool_ioctl(fd, BLOCKPOOL_IOC_RECV, &args);

	if (ret && args.done)
		pool_fatal("RECV failed by %d with %u done", ret, args.done);
	return ret ? ret : (int)args.done;
}

/* One message of the whole of a block. */
static inline int port_send_one(int fd, __u32 port, __u32 index, __u64 cookie)
{
	const struct blockpool_message message = {
		.index = index,
		.cookie = cookie,
	};

	return port_send(fd, port, &message, 1, 0, 0);
}

static inline int port_share(int fd, const __u32 *ports, __u32 nr_ports,
			     const struct blockpool_message *message)
{
	struct blockpool_share_args args = {
		.size = sizeof(args),
		.nr_ports = nr_ports,
		.ports = (uintptr_t)ports,
		.message = *message,
	};

	return pool_ioctl(fd, BLOCKPOOL_IOC_SHARE, &args);
}

/* By its number, or with name NULL the next above it; -ENOENT. */
static inline int port_look(int fd, __u32 after, struct blockpool_port_args *args)
{
	*args = (struct blockpool_port_args) {
		.size = sizeof(*args),
		.cursor = after,
	};
	return pool_ioctl(fd, BLOCKPOOL_IOC_PORT, args);
}

#endif /* SELFTESTS_PORT_H */

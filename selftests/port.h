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

/* Of SEND or RECV, which are laid out alike; timeout_ms 0: without waiting. */
#define PORT_ARGS(_type, _port, _messages, _count, _flags, _timeout_ms)	\
	((struct _type) {						\
		.size = sizeof(struct _type),				\
		.flags = (_flags) |					\
			 ((_timeout_ms) ? BLOCKPOOL_PORT_WAIT : 0),	\
		.port = (_port),					\
		.count = (_count),					\
		.timeout_ms = (_timeout_ms),				\
		.messages = (uintptr_t)(_messages),			\
		.done = ~0U,						\
	})

/* How many, or -errno. */
static inline int port_move(int fd, unsigned long request, __u32 port,
			    const struct blockpool_message *messages,
			    __u32 count, __u32 flags, int timeout_ms)
{
	struct blockpool_send_args args =
		PORT_ARGS(blockpool_send_args, port, messages, count, flags,
			  timeout_ms);
	int ret = pool_ioctl(fd, request, &args);

	if (ret && args.done)
		pool_fatal("ioctl %lx failed by %d with %u done", request, ret,
			   args.done);
	return ret ? ret : (int)args.done;
}

static inline int port_send(int fd, __u32 port,
			    const struct blockpool_message *messages,
			    __u32 count, __u32 flags, int timeout_ms)
{
	return port_move(fd, BLOCKPOOL_IOC_SEND, port, messages, count, flags,
			 timeout_ms);
}

static inline int port_recv(int fd, __u32 port,
			    struct blockpool_message *messages, __u32 count,
			    __u32 flags, int timeout_ms)
{
	return port_move(fd, BLOCKPOOL_IOC_RECV, port, messages, count, flags,
			 timeout_ms);
}

/* CALL with both halves alike, to be changed before port_call_args(). */
static inline struct blockpool_call_args
port_call_halves(__u32 to, const struct blockpool_message *messages, __u32 n,
		 __u32 from, struct blockpool_message *answers, __u32 nr_answers,
		 int timeout_ms)
{
	return (struct blockpool_call_args) {
		.size = sizeof(struct blockpool_call_args),
		.send = PORT_ARGS(blockpool_send_args, to, messages, n, 0,
				  timeout_ms),
		.recv = PORT_ARGS(blockpool_recv_args, from, answers, nr_answers,
				  0, timeout_ms),
	};
}

/* 0 or -errno; how many were sent and received is in args. */
static inline int port_call_args(int fd, struct blockpool_call_args *args)
{
	int ret = pool_ioctl(fd, BLOCKPOOL_IOC_CALL, args);

	if (args->recv.done && (ret || args->send.done != args->send.count))
		pool_fatal("CALL returned %d, sent %u of %u, and received %u",
			   ret, args->send.done, args->send.count,
			   args->recv.done);
	return ret;
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

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A scene for tests of ports: a pool, a client that has made a port and receives from
 * it, and one that sends to it.
 */
#ifndef SELFTESTS_PORTS_H
#define SELFTESTS_PORTS_H

#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "port.h"

#define BLOCK_SIZE	2048U
#define NR_BLOCKS	64U
#define DEPTH		8U
#define NAP_MS		20
#define LONG_MS		20000	/* longer than it can take */

FIXTURE(ports)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int rx, tx;		/* two clients, of one port */
	int in, out;		/* its number, to each of them */
	struct blockpool_message messages[BLOCKPOOL_MESSAGES_MAX];
};

static inline int make(int fd, const char *name, __u32 flags, __u32 depth,
		       __s32 linger_ms)
{
	struct blockpool_bind_args args = port_args(name, PORT_MAKE | flags);

	args.depth = depth;
	args.linger_ms = linger_ms;
	return port_bind_args(fd, &args);
}

FIXTURE_SETUP(ports)
{
	pool_name(self->name);
	self->rx = pool_new(self->name, BLOCK_SIZE, NR_BLOCKS);
	self->tx = pool_join(self->name);
	self->in = make(self->rx, "inbox", 0, DEPTH, 0);
	ASSERT_LT(0, self->in);
	self->out = port_bind(self->tx, "inbox", PORT_SEND);
	ASSERT_EQ(self->in, self->out);
	memset(self->messages, 0, sizeof(self->messages));
}

FIXTURE_TEARDOWN(ports)
{
	pool_give_all(self->tx);
	close(self->tx);
	pool_give_all(self->rx);
	while (!port_unbind(self->rx, self->in))
		;
	pool_check(self->rx, 0);
	pool_drain(self->rx);
	close(self->rx);
	EXPECT_FALSE(pool_listed(self->name));
}

/* Fills messages with blocks that are taken for it, cookies from first on. */
static inline void prepare(int fd, struct blockpool_message *messages, __u32 n,
			   __u64 first)
{
	for (__u32 i = 0; i < n; i++) {
		int index = pool_take(fd);

		must(index >= 0);
		messages[i] = (struct blockpool_message) {
			.index = index,
			.offset = i % 7,
			.length = 100 + i,
			.cookie = first + i,
		};
	}
}

static inline __u32 owner(int fd, __u32 index)
{
	__u32 word;

	must(!pool_owners(fd, index, 1, &word));
	return word;
}

static inline struct blockpool_port_args look(int fd, __u32 port)
{
	struct blockpool_port_args args;

	must(!port_look(fd, port - 1, &args));
	must(args.cursor == port);
	return args;
}

static inline void give(int fd, const struct blockpool_message *messages, __u32 n)
{
	for (__u32 i = 0; i < n; i++)
		must(!pool_give(fd, messages[i].index));
}

static inline void nap(void)
{
	usleep(NAP_MS * 1000);
}

static inline bool alive(pid_t pid)
{
	siginfo_t info = {};

	must(!waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT));
	return !info.si_pid;
}

static inline short polled(int fd, short events, int timeout_ms)
{
	struct pollfd entry = { .fd = fd, .events = events };

	return poll(&entry, 1, timeout_ms) == 1 ? entry.revents : 0;
}

static inline int bind_fd(int fd, const char *name, __u32 flags)
{
	struct blockpool_bind_args args = port_args(name,
						    flags | BLOCKPOOL_BIND_FD);

	must(port_bind_args(fd, &args) > 0);
	must(fcntl(args.fd, F_GETFD) & FD_CLOEXEC);
	return args.fd;
}

#endif /* SELFTESTS_PORTS_H */

// SPDX-License-Identifier: GPL-2.0
/* Ports: blocks go from hand to hand, in the kernel, and are never lost. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "peer/user.h"
#include "ports.h"
#include "touch.h"

#define PROCESS		BLOCKPOOL_PEER_PROCESS

/* The peer's port: its number. */
static int peer_port(int peer, struct blockpool_peer_port args, const char *name,
		     const char *to)
{
	int ret;

	snprintf(args.name, sizeof(args.name), "%s", name);
	snprintf(args.to, sizeof(args.to), "%s", to);
	ret = pool_ioctl(peer, BLOCKPOOL_PEER_PORT_OPEN, &args);
	return ret ? ret : (int)args.number;
}

static int peer_transfer(int peer, unsigned long request, __u32 context,
			 __u32 flags, struct blockpool_message *messages,
			 __u32 count)
{
	struct blockpool_peer_transfer args = {
		.context = context,
		.flags = flags,
		.count = count,
		.messages = (uintptr_t)messages,
	};
	int ret = pool_ioctl(peer, request, &args);

	return ret ? ret : args.result;
}

TEST_F(ports, ownership_moves)
{
	int index = pool_take(self->tx);
	struct blockpool_message message = {
		.index = index,
		.offset = 5,
		.length = 100,
		.cookie = 0x123456789abcdef0ULL,
	};

	EXPECT_EQ(1, port_send(self->tx, self->out, &message, 1, 0, 0));
	EXPECT_EQ(BLOCKPOOL_OWNER_PORT | self->out, owner(self->tx, index));
	EXPECT_EQ(-EPERM, pool_give(self->tx, index));
	EXPECT_EQ(-EPERM, pool_give(self->rx, index));
	EXPECT_EQ(-EPERM, port_send(self->tx, self->out, &message, 1, 0, 0));
	EXPECT_EQ(1, pool_stats(self->tx).nr_in_flight);
	EXPECT_EQ(0, pool_stats(self->tx).nr_kernel);
	pool_check(self->tx, 1);

	memset(&message, POOL_POISON, sizeof(message));
	EXPECT_EQ(1, port_recv(self->rx, self->in, &message, 1, 0, 0));
	EXPECT_EQ(index, message.index);
	EXPECT_EQ(5, message.offset);
	EXPECT_EQ(100, message.length);
	EXPECT_EQ(0, message.reply);
	EXPECT_EQ(0x123456789abcdef0ULL, message.cookie);
	EXPECT_EQ(getpid(), message.pid);
	EXPECT_EQ(0, message.flags);
	EXPECT_EQ(pool_info(self->rx).client, owner(self->rx, index));
	EXPECT_EQ(0, pool_stats(self->tx).nr_in_flight);
	pool_check(self->rx, 1);
	EXPECT_EQ(-EPERM, pool_give(self->tx, index));
	EXPECT_EQ(0, pool_give(self->rx, index));
}

TEST_F(ports, first_in_first_out)
{
	__u64 sent = 0, received = 0;

	for (int round = 0; round < 100; round++) {
		__u32 n = 1 + round % DEPTH, some = 1 + round % 3;
		int got;

		prepare(self->tx, self->messages, n, sent);
		ASSERT_EQ(n, port_send(self->tx, self->out, self->messages, n,
				       0, 0));
		sent += n;
		while ((got = port_recv(self->rx, self->in, self->messages, some,
					0, 0)) > 0) {
			for (int i = 0; i < got; i++)
				ASSERT_EQ(received++, self->messages[i].cookie);
			give(self->rx, self->messages, got);
		}
		ASSERT_EQ(-EAGAIN, got);
	}
	EXPECT_EQ(sent, received);
	EXPECT_EQ(sent, look(self->rx, self->in).sent);
	EXPECT_EQ(sent, look(self->rx, self->in).received);
	EXPECT_EQ(DEPTH, look(self->rx, self->in).max_messages);
}

TEST_F(ports, what_there_is_room_for)
{
	prepare(self->tx, self->messages, DEPTH + 3, 0);
	EXPECT_EQ(DEPTH, port_send(self->tx, self->out, self->messages,
				   DEPTH + 3, 0, 0));
	EXPECT_EQ(-EAGAIN, port_send(self->tx, self->out, self->messages + DEPTH,
				     3, 0, 0));
	EXPECT_EQ(3, look(self->rx, self->in).refused);
	EXPECT_EQ(DEPTH, look(self->rx, self->in).nr_messages);
	pool_check(self->tx, DEPTH + 3);
	EXPECT_EQ(DEPTH, port_recv(self->rx, self->in, self->messages,
				   BLOCKPOOL_MESSAGES_MAX, 0, 0));
	give(self->rx, self->messages, DEPTH);
}

TEST_F(ports, all_or_nothing)
{
	prepare(self->tx, self->messages, DEPTH, 0);
	EXPECT_EQ(1, port_send(self->tx, self->out, self->messages, 1,
			       BLOCKPOOL_PORT_ALL, 0));
	EXPECT_EQ(-EINVAL, port_send(self->tx, self->out, self->messages,
				     DEPTH + 1, BLOCKPOOL_PORT_ALL, 0));
	EXPECT_EQ(DEPTH - 1, port_send(self->tx, self->out, self->messages + 1,
				       DEPTH - 1, BLOCKPOOL_PORT_ALL, 0));
	EXPECT_EQ(-EINVAL, port_recv(self->rx, self->in, self->messages,
				     DEPTH + 1, BLOCKPOOL_PORT_ALL, 0));
	EXPECT_EQ(3, port_recv(self->rx, self->in, self->messages, 3,
			       BLOCKPOOL_PORT_ALL, 0));
	EXPECT_EQ(-EAGAIN, port_recv(self->rx, self->in, self->messages + 3,
				     DEPTH - 2, BLOCKPOOL_PORT_ALL, 0));
	EXPECT_EQ(DEPTH - 3, port_recv(self->rx, self->in, self->messages + 3,
				       DEPTH - 3, BLOCKPOOL_PORT_ALL, 0));
	for (__u32 i = 0; i < DEPTH; i++)
		EXPECT_EQ(i, self->messages[i].cookie);
	give(self->rx, self->messages, DEPTH);
}

TEST_F(ports, no_room_for_all)
{
	prepare(self->tx, self->messages, DEPTH + 2, 0);
	ASSERT_EQ(3, port_send(self->tx, self->out, self->messages, 3, 0, 0));
	EXPECT_EQ(-EAGAIN, port_send(self->tx, self->out, self->messages + 3,
				     DEPTH - 2, BLOCKPOOL_PORT_ALL, 0));
	EXPECT_EQ(3, look(self->rx, self->in).nr_messages);
	EXPECT_EQ(pool_info(self->tx).client,
		  owner(self->tx, self->messages[3].index));
	pool_check(self->tx, DEPTH + 2);
}

/* A message made bad in one of some ways, and what is said of it; 0: no more ways. */
static int spoil(struct blockpool_message *message, int way, __u32 foreign,
		 __u32 other, __u32 port)
{
	switch (way) {
	case 0:
		message->index = NR_BLOCKS;
		return -EINVAL;
	case 1:
		message->index = ~0U;
		return -EINVAL;
	case 2:
		message->offset = BLOCK_SIZE + 1;
		return -EINVAL;
	case 3:
		message->length = BLOCK_SIZE + 1;
		return -EINVAL;
	case 4:
		message->offset = 1;
		message->length = ~0U;
		return -EINVAL;
	case 5:
		message->index = foreign;
		return -EPERM;
	case 6:
		message->index = other;
		return -EPERM;
	case 7:
		message->reply = port;
		return -EPERM;
	default:
		return 0;
	}
}

/* One bad message, wherever it is, and nothing moves. */
TEST_F(ports, nothing_moves)
{
	__u32 foreign = pool_take(self->rx);
	struct blockpool_message good[4];
	int expected, way, at;

	prepare(self->tx, good, 4, 0);
	for (at = 0; at < 4; at++) {
		for (way = 0;; way++) {
			memcpy(self->messages, good, sizeof(good));
			expected = spoil(&self->messages[at], way, foreign,
					 good[(at + 1) % 4].index, self->out);
			if (!expected)
				break;
			EXPECT_EQ(expected, port_send(self->tx, self->out,
						      self->messages, 4, 0, 0)) {
				TH_LOG("way %d at %d", way, at);
			}
		}
	}
	EXPECT_EQ(0, look(self->rx, self->in).nr_messages);
	EXPECT_EQ(0, pool_stats(self->rx).nr_in_flight);
	for (at = 0; at < 4; at++)
		EXPECT_EQ(pool_info(self->tx).client,
			  owner(self->tx, good[at].index));
	EXPECT_EQ(4, port_send(self->tx, self->out, good, 4, 0, 0));
	EXPECT_EQ(4, port_recv(self->rx, self->in, self->messages, 9, 0, 0));
	give(self->rx, good, 4);
	EXPECT_EQ(0, pool_give(self->rx, foreign));
	pool_check(self->rx, 0);
}

TEST_F(ports, bad_arguments)
{
	struct blockpool_message message = { .index = pool_take(self->tx) };

	EXPECT_EQ(-ENOENT, port_send_one(self->tx, 12345, message.index, 0));
	EXPECT_EQ(-ENOENT, port_send_one(self->tx, 0, message.index, 0));
	EXPECT_EQ(-ENOENT, port_recv(self->tx, self->out, &message, 1, 0, 0));
	EXPECT_EQ(-ENOENT, port_send(self->rx, self->in, &message, 1, 0, 0));
	EXPECT_EQ(-EINVAL, port_send(self->tx, self->out, &message, 0, 0, 0));
	EXPECT_EQ(-EINVAL, port_send(self->tx, self->out, &message,
				     BLOCKPOOL_MESSAGES_MAX + 1, 0, 0));
	EXPECT_EQ(-EINVAL, port_send(self->tx, self->out, &message, 1, 4, 0));
	EXPECT_EQ(-EINVAL, port_send(self->tx, self->out, &message, 1, 0, -2));
	EXPECT_EQ(-EFAULT, port_send(self->tx, self->out, NULL, 1, 0, 0));
	EXPECT_EQ(-EINVAL, port_bind(self->tx, "", PORT_MAKE));
	EXPECT_EQ(-EINVAL, port_bind(self->tx, "a/b", PORT_MAKE));
	EXPECT_EQ(-EINVAL, port_bind(self->tx, "x", 0));
	EXPECT_EQ(-EINVAL, port_bind(self->tx, "x", BLOCKPOOL_BIND_CREATE |
				     BLOCKPOOL_BIND_SEND));
	EXPECT_EQ(-EINVAL, port_bind(self->tx, "x", 1U << 20 | PORT_RECV));
	EXPECT_EQ(-ENOENT, port_bind(self->tx, "x", PORT_RECV));
	EXPECT_EQ(-ENOENT, port_bind(self->tx, "x", PORT_SEND));
	EXPECT_EQ(-EINVAL, make(self->tx, "x", 0, BLOCKPOOL_DEPTH_MAX + 1, 0));
	EXPECT_EQ(-EINVAL, make(self->tx, "x", 0, 1, -2));
	EXPECT_EQ(-ENOENT, port_unbind(self->tx, 12345));
	EXPECT_EQ(0, port_unbind(self->tx, self->out));
	EXPECT_EQ(-ENOENT, port_send_one(self->tx, self->out, message.index, 0));
}

/* What cannot be told stays where it was. */
TEST_F(ports, told_to_nobody)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct blockpool_message *last = (void *)(page + 4096);

	ASSERT_NE(MAP_FAILED, page);
	munmap(page + 4096, 4096);
	prepare(self->tx, self->messages, 4, 0);
	ASSERT_EQ(4, port_send(self->tx, self->out, self->messages, 4, 0, 0));
	EXPECT_EQ(-EFAULT, port_recv(self->rx, self->in, last - 2, 4, 0, 0));
	EXPECT_EQ(4, look(self->rx, self->in).nr_messages);
	EXPECT_EQ(0, look(self->rx, self->in).nr_taken);
	pool_check(self->rx, 4);
	EXPECT_EQ(4, port_recv(self->rx, self->in, self->messages, 4, 0, 0));
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(i, self->messages[i].cookie);
	give(self->rx, self->messages, 4);
}

TEST_F(ports, over_the_limit)
{
	const struct blockpool_create_args attr = {
		.block_size = 64, .nr_blocks = 16, .client_max = 3,
	};
	int rx = pool_open(O_RDWR), tx, in;
	char name[BLOCKPOOL_NAME_SIZE];

	expect_faults();
	pool_name(name);
	ASSERT_EQ(0, pool_create_args(rx, name, attr));
	tx = pool_join(name);
	in = make(rx, "inbox", 0, 16, 0);
	ASSERT_EQ(in, port_bind(tx, "inbox", PORT_SEND));
	for (int i = 0; i < 2; i++) {
		prepare(tx, self->messages, 3, 0);
		for (int j = 0; j < 3; j++)
			self->messages[j].length = 64 - 7;
		ASSERT_EQ(3, port_send(tx, in, self->messages, 3, 0, 0));
	}
	EXPECT_EQ(-EDQUOT, port_recv(rx, in, self->messages, 4,
				     BLOCKPOOL_PORT_ALL, 0));
	EXPECT_EQ(3, port_recv(rx, in, self->messages, 6, 0, 0));
	EXPECT_EQ(-EDQUOT, port_recv(rx, in, self->messages + 3, 1, 0, 0));
	EXPECT_EQ(0, pool_give(rx, self->messages[0].index));
	EXPECT_EQ(1, port_recv(rx, in, self->messages, 6, 0, 0));
	pool_check(rx, 5);
	close(tx);
	close(rx);
}

/*
 * Sleeping
 */

/* A child that sends, or receives and gives back, one message; its -errno. */
static pid_t sleeper(int fd, int port, bool send, int timeout_ms)
{
	pid_t pid = child_fork();
	struct blockpool_message message = {};
	int ret;

	if (pid)
		return pid;
	if (send) {
		prepare(fd, &message, 1, 77);
		ret = port_send(fd, port, &message, 1, 0, timeout_ms);
	} else {
		ret = port_recv(fd, port, &message, 1, 0, timeout_ms);
		if (ret == 1)
			must(!pool_give(fd, message.index));
	}
	_exit(ret < 0 ? -ret : 0);
}

TEST_F(ports, a_receiver_waits)
{
	pid_t pid = sleeper(self->rx, self->in, false, LONG_MS);

	nap();
	EXPECT_TRUE(alive(pid));
	ASSERT_EQ(1, port_send_one(self->tx, self->out, pool_take(self->tx), 1));
	EXPECT_EQ(0, child_reap(pid));
}

TEST_F(ports, a_sender_waits)
{
	pid_t pid;

	prepare(self->tx, self->messages, DEPTH, 0);
	ASSERT_EQ(DEPTH, port_send(self->tx, self->out, self->messages, DEPTH, 0,
				   0));
	pid = sleeper(self->tx, self->out, true, LONG_MS);
	nap();
	EXPECT_TRUE(alive(pid));
	EXPECT_EQ(1, port_recv(self->rx, self->in, self->messages, 1, 0, 0));
	EXPECT_EQ(0, child_reap(pid));
	EXPECT_EQ(0, look(self->rx, self->in).refused);
	EXPECT_EQ(DEPTH, port_recv(self->rx, self->in, self->messages + 1, 99, 0,
				   0));
	EXPECT_EQ(77, self->messages[DEPTH].cookie);
}

TEST_F(ports, too_late)
{
	prepare(self->tx, self->messages, DEPTH + 1, 0);
	EXPECT_EQ(-ETIMEDOUT, port_recv(self->rx, self->in, self->messages, 1, 0,
					NAP_MS));
	ASSERT_EQ(DEPTH, port_send(self->tx, self->out, self->messages,
				   DEPTH + 1, 0, 0));
	EXPECT_EQ(-ETIMEDOUT, port_send(self->tx, self->out,
					self->messages + DEPTH, 1, 0, NAP_MS));
	fcntl(self->tx, F_SETFL, O_NONBLOCK);
	EXPECT_EQ(-EAGAIN, port_send(self->tx, self->out,
				     self->messages + DEPTH, 1, 0, LONG_MS));
}

TEST_F(ports, interrupted)
{
	pid_t pid = sleeper(self->rx, self->in, false, -1);

	nap();
	EXPECT_EQ(128 + SIGKILL, child_kill(pid));
	ASSERT_EQ(1, port_send_one(self->tx, self->out, pool_take(self->tx), 5));
	EXPECT_EQ(1, port_recv(self->rx, self->in, self->messages, 1, 0, 0));
	EXPECT_EQ(5, self->messages[0].cookie);
}

/* A wake-up that goes to who wants more must not keep it from who wants one. */
TEST_F(ports, one_who_wants_all_is_in_nobodys_way)
{
	pid_t all = child_fork(), one;

	if (!all) {
		struct blockpool_message messages[DEPTH];

		_exit(port_recv(self->rx, self->in, messages, DEPTH,
				BLOCKPOOL_PORT_ALL, LONG_MS) != DEPTH);
	}
	nap();
	one = sleeper(self->rx, self->in, false, LONG_MS);
	nap();
	ASSERT_EQ(1, port_send_one(self->tx, self->out, pool_take(self->tx), 1));
	EXPECT_EQ(0, child_reap(one));
	EXPECT_TRUE(alive(all));
	prepare(self->tx, self->messages, DEPTH, 0);
	ASSERT_EQ(DEPTH, port_send(self->tx, self->out, self->messages, DEPTH, 0,
				   0));
	EXPECT_EQ(0, child_reap(all));
}

/*
 * Polling
 */

TEST_F(ports, poll_the_client)
{
	EXPECT_EQ(0, polled(self->rx, POLLIN, 0));
	ASSERT_EQ(1, port_send_one(self->tx, self->out, pool_take(self->tx), 1));
	EXPECT_EQ(POLLIN, polled(self->rx, POLLIN, 0));
	EXPECT_EQ(0, polled(self->tx, POLLIN, 0));
	EXPECT_EQ(1, port_recv(self->rx, self->in, self->messages, 1, 0, 0));
	EXPECT_EQ(0, polled(self->rx, POLLIN, 0));
}

TEST_F(ports, poll_the_port)
{
	int port = bind_fd(self->tx, "inbox", PORT_SEND);

	EXPECT_EQ(POLLOUT, polled(port, POLLIN | POLLOUT, 0));
	prepare(self->tx, self->messages, DEPTH, 0);
	ASSERT_EQ(DEPTH, port_send(self->tx, self->out, self->messages, DEPTH, 0,
				   0));
	EXPECT_EQ(POLLIN, polled(port, POLLIN | POLLOUT, 0));
	EXPECT_EQ(2, port_recv(self->rx, self->in, self->messages, 2, 0, 0));
	EXPECT_EQ(POLLIN | POLLOUT, polled(port, POLLIN | POLLOUT, 0));
	ASSERT_EQ(0, port_unbind(self->rx, self->in));
	EXPECT_EQ(POLLHUP, polled(port, POLLIN | POLLOUT, 0));
	close(port);
}

/* The port's file keeps nothing but the port. */
TEST_F(ports, poll_what_is_gone)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int fd, port;

	pool_name(name);
	fd = pool_new(name, 64, 4);
	port = bind_fd(fd, "p", PORT_MAKE);
	EXPECT_EQ(POLLOUT, polled(port, POLLIN | POLLOUT, 0));
	close(fd);
	EXPECT_FALSE(pool_listed(name));
	EXPECT_EQ(POLLHUP, polled(port, POLLIN | POLLOUT, 0));
	close(port);
}

static void poller_waits(int fd, short events, void (*act)(void *), void *arg)
{
	pid_t pid = child_fork();

	if (!pid)
		_exit(polled(fd, events, LONG_MS) != events);
	nap();
	must(alive(pid));
	act(arg);
	must(!child_reap(pid));
}

static void send_one(void *arg)
{
	struct _test_data_ports *self = arg;

	must(port_send_one(self->tx, self->out, pool_take(self->tx), 1) == 1);
}

static void recv_one(void *arg)
{
	struct _test_data_ports *self = arg;

	must(port_recv(self->rx, self->in, self->messages, 1, 0, 0) == 1);
}

TEST_F(ports, pollers_wake)
{
	int port = bind_fd(self->rx, "inbox", PORT_RECV);

	poller_waits(self->rx, POLLIN, send_one, self);
	recv_one(self);
	poller_waits(port, POLLIN, send_one, self);
	prepare(self->tx, self->messages, DEPTH - 1, 0);
	ASSERT_EQ(DEPTH - 1, port_send(self->tx, self->out, self->messages,
				       DEPTH - 1, 0, 0));
	poller_waits(port, POLLOUT, recv_one, self);
	close(port);
}

TEST_F(ports, epoll_by_edges)
{
	int port = bind_fd(self->rx, "inbox", PORT_RECV);
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(0);

	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, port, &event));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	for (int i = 0; i < 3; i++) {
		send_one(self);
		EXPECT_EQ(1, epoll_wait(epoll, &event, 1, LONG_MS));
		EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	}
	close(epoll);
	close(port);
}

/* Who sleeps in poll() hears of a port with messages that is bound only then. */
static void bind_heir(void *arg)
{
	struct _test_data_ports *self = arg;

	must(port_bind(self->rx, "heir", PORT_RECV) > 0);
}

static void end_port(int fd, const char *name);

TEST_F(ports, poll_while_binding)
{
	int in = make(self->tx, "heir", 0, 2, LONG_MS);

	must(port_bind(self->tx, "heir", PORT_SEND) == in);
	ASSERT_EQ(1, port_send_one(self->tx, in, pool_take(self->tx), 1));
	poller_waits(self->rx, POLLIN, bind_heir, self);
	end_port(self->rx, "heir");
}

/* One who finds nothing is not charged for what it wanted. */
TEST_F(ports, nothing_is_within_the_limit)
{
	const struct blockpool_create_args attr = {
		.block_size = 64, .nr_blocks = 4, .client_max = 1,
	};
	int fd = pool_open(O_RDWR), in;
	char name[BLOCKPOOL_NAME_SIZE];

	pool_name(name);
	ASSERT_EQ(0, pool_create_args(fd, name, attr));
	in = make(fd, "inbox", 0, 4, 0);
	ASSERT_LE(0, pool_take(fd));
	EXPECT_EQ(-EAGAIN, port_recv(fd, in, self->messages, 1, 0, 0));
	close(fd);
}

/*
 * Who may
 */

TEST_F(ports, permissions)
{
	struct blockpool_create_args attr = {
		.block_size = 64, .nr_blocks = 8, .mode = 0666,
	};
	struct blockpool_bind_args args = port_args("drop", PORT_MAKE);
	char name[BLOCKPOOL_NAME_SIZE];
	int fd = pool_open(O_RDWR);
	mode_t mode = device_share();
	pid_t pid;

	pool_name(name);
	ASSERT_EQ(0, pool_create_args(fd, name, attr));
	args.mode = 0622;
	ASSERT_LT(0, port_bind_args(fd, &args));
	ASSERT_LT(0, port_bind(fd, "mine", PORT_MAKE));
	pid = child_fork();
	if (!pid) {
		int other;

		become(USER_A, USER_A);
		other = pool_join(name);
		must(port_bind(other, "drop", PORT_SEND) > 0);
		must(port_bind(other, "drop", PORT_RECV) == -EACCES);
		must(port_bind(other, "drop", PORT_SEND | PORT_RECV) == -EACCES);
		must(port_bind(other, "mine", PORT_SEND) == -EACCES);
		must(port_bind(other, "theirs", PORT_MAKE) > 0);
		must(make(other, "for ever", 0, 1, -1) == -EACCES);
		must(make(other, "long", 0, 1,
			  BLOCKPOOL_LINGER_MAX + 1) == -EACCES);
		must(make(other, "long", 0, 1, BLOCKPOOL_LINGER_MAX) > 0);
		_exit(0);
	}
	EXPECT_EQ(0, child_reap(pid));
	close(fd);
	fd = open(POOL_DEVICE, O_RDONLY);
	EXPECT_EQ(-EACCES, port_bind(fd, "inbox", PORT_RECV));
	close(fd);
	device_restore(mode);
}

TEST_F(ports, as_many_unbinds_as_binds)
{
	int index = pool_take(self->tx);

	ASSERT_EQ(self->out, port_bind(self->tx, "inbox", PORT_SEND));
	EXPECT_EQ(1, look(self->tx, self->out).nr_senders);
	EXPECT_EQ(0, port_unbind(self->tx, self->out));
	EXPECT_EQ(1, port_send_one(self->tx, self->out, index, 0));
	EXPECT_EQ(0, port_unbind(self->tx, self->out));
	EXPECT_EQ(0, look(self->rx, self->in).nr_senders);
	EXPECT_EQ(-ENOENT, port_unbind(self->tx, self->out));
	recv_one(self);
}

TEST_F(ports, no_more_than_so_many)
{
	char name[BLOCKPOOL_NAME_SIZE];
	unsigned int i;

	for (i = 1; i < BLOCKPOOL_PORTS_MAX; i++) {
		snprintf(name, sizeof(name), "port %u", i);
		ASSERT_LT(0, make(self->rx, name, 0, 1, 0));
	}
	EXPECT_EQ(-ENOMEM, make(self->rx, "one more", 0, 1, 0));
	EXPECT_EQ(0, port_unbind(self->rx, self->in + 1));
	EXPECT_LT(0, make(self->rx, "one more", 0, 1, 0));
}

/*
 * The end of a receiver
 */

TEST_F(ports, without_receivers)
{
	prepare(self->tx, self->messages, 4, 0);
	ASSERT_EQ(3, port_send(self->tx, self->out, self->messages, 3, 0, 0));
	ASSERT_EQ(0, port_unbind(self->rx, self->in));
	EXPECT_EQ(-EPIPE, port_send(self->tx, self->out, self->messages + 3, 1,
				    0, 0));
	EXPECT_EQ(3, pool_stats(self->tx).reclaimed);
	pool_check(self->tx, 1);
	EXPECT_EQ(-ENOENT, port_bind(self->tx, "inbox", PORT_SEND));
}

TEST_F(ports, a_sleeping_sender_is_told)
{
	pid_t pid;

	prepare(self->tx, self->messages, DEPTH, 0);
	ASSERT_EQ(DEPTH, port_send(self->tx, self->out, self->messages, DEPTH, 0,
				   0));
	pid = sleeper(self->tx, self->out, true, LONG_MS);
	nap();
	EXPECT_TRUE(alive(pid));
	ASSERT_EQ(0, port_unbind(self->rx, self->in));
	EXPECT_EQ(EPIPE, child_reap(pid));
}

/* A receiver in a process of its own, that dies with a port of its own. */
static void die_with_port(const char *pool, const char *port, __u32 flags,
			  __s32 linger_ms, __u32 takes, struct step *step)
{
	struct blockpool_message messages[DEPTH];
	int fd = pool_join(pool), in = make(fd, port, flags, DEPTH, linger_ms);

	must(in > 0);
	step_post(&step[0]);
	step_await(&step[1]);
	if (takes)
		must(port_recv(fd, in, messages, takes, 0, 0) == (int)takes);
	step_post(&step[0]);
	pause();
}

struct mortal {
	struct step step[2];
	pid_t pid;
};

static void mortal_start(struct mortal *mortal, const char *pool,
			 const char *port, __u32 flags, __s32 linger_ms,
			 __u32 takes)
{
	step_init(&mortal->step[0]);
	step_init(&mortal->step[1]);
	mortal->pid = child_fork();
	if (!mortal->pid)
		die_with_port(pool, port, flags, linger_ms, takes,
			      mortal->step);
	step_await(&mortal->step[0]);
}

/* It has received what it shall, and is killed. */
static void mortal_end(struct mortal *mortal)
{
	step_post(&mortal->step[1]);
	step_await(&mortal->step[0]);
	must(child_kill(mortal->pid) == 128 + SIGKILL);
}

/* A port that lingers is emptied. */
static void end_port(int fd, const char *name)
{
	struct blockpool_message messages[NR_BLOCKS];
	int in = port_bind(fd, name, PORT_RECV), n;

	must(in > 0);
	n = port_recv(fd, in, messages, NR_BLOCKS, 0, 0);
	if (n > 0)
		give(fd, messages, n);
}

TEST_F(ports, another_takes_over)
{
	struct mortal mortal;
	int out, in;

	mortal_start(&mortal, self->name, "heir", 0, LONG_MS, 2);
	out = port_bind(self->tx, "heir", PORT_SEND);
	prepare(self->tx, self->messages, 6, 0);
	ASSERT_EQ(5, port_send(self->tx, out, self->messages, 5, 0, 0));
	mortal_end(&mortal);
	EXPECT_EQ(0, look(self->tx, out).nr_receivers);
	EXPECT_EQ(3, look(self->tx, out).nr_messages);
	EXPECT_EQ(1, port_send(self->tx, out, self->messages + 5, 1, 0, 0));
	in = port_bind(self->rx, "heir", PORT_RECV);
	ASSERT_EQ(out, in);
	EXPECT_EQ(4, port_recv(self->rx, in, self->messages, 9, 0, 0));
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(2 + i, self->messages[i].cookie);
	EXPECT_EQ(2, pool_stats(self->rx).reclaimed);
}

TEST_F(ports, nobody_takes_over_in_time)
{
	struct mortal mortal;
	int out, port;

	mortal_start(&mortal, self->name, "heir", 0, 5 * NAP_MS, 0);
	out = port_bind(self->tx, "heir", PORT_SEND);
	port = bind_fd(self->tx, "heir", PORT_SEND);
	prepare(self->tx, self->messages, 3, 0);
	ASSERT_EQ(2, port_send(self->tx, out, self->messages, 2, 0, 0));
	mortal_end(&mortal);
	EXPECT_EQ(POLLHUP, polled(port, 0, LONG_MS));
	EXPECT_EQ(-EPIPE, port_send(self->tx, out, self->messages + 2, 1, 0, 0));
	EXPECT_EQ(2, pool_stats(self->tx).reclaimed);
	pool_check(self->tx, 1);
	close(port);
}

TEST_F(ports, for_ever)
{
	struct mortal mortal;
	int out;

	mortal_start(&mortal, self->name, "heir", 0, -1, 0);
	out = port_bind(self->tx, "heir", PORT_SEND);
	mortal_end(&mortal);
	prepare(self->tx, self->messages, 2, 0);
	EXPECT_EQ(2, port_send(self->tx, out, self->messages, 2, 0, 0));
	EXPECT_EQ(-1, look(self->tx, out).linger_ms);
	EXPECT_EQ(2, look(self->tx, out).nr_messages);
	end_port(self->rx, "heir");
}

/* What it had received and not done with goes back to the head, in its order. */
TEST_F(ports, again)
{
	struct mortal mortal;
	int out, in;

	mortal_start(&mortal, self->name, "heir", BLOCKPOOL_BIND_AGAIN, LONG_MS,
		     4);
	out = port_bind(self->tx, "heir", PORT_SEND);
	prepare(self->tx, self->messages, DEPTH, 0);
	ASSERT_EQ(DEPTH - 1, port_send(self->tx, out, self->messages, DEPTH - 1,
				       0, 0));
	mortal_end(&mortal);
	EXPECT_EQ(DEPTH - 1, look(self->tx, out).nr_messages);
	EXPECT_EQ(0, look(self->tx, out).nr_taken);
	EXPECT_EQ(0, pool_stats(self->tx).reclaimed);
	pool_check(self->tx, DEPTH);
	in = port_bind(self->rx, "heir", PORT_RECV);
	ASSERT_EQ(DEPTH - 1, port_recv(self->rx, in, self->messages, 99, 0, 0));
	for (__u32 i = 0; i < DEPTH - 1; i++) {
		EXPECT_EQ(i, self->messages[i].cookie);
		EXPECT_EQ(i < 4 ? BLOCKPOOL_MESSAGE_AGAIN : 0,
			  self->messages[i].flags);
		EXPECT_EQ(getpid(), self->messages[i].pid);
	}
	/* Their room is theirs until they are done with. */
	EXPECT_EQ(DEPTH - 1, look(self->tx, out).nr_taken);
	prepare(self->tx, self->messages + DEPTH, 2, 0);
	EXPECT_EQ(1, port_send(self->tx, out, self->messages + DEPTH, 2, 0, 0));
	EXPECT_EQ(0, pool_give(self->rx, self->messages[0].index));
	EXPECT_EQ(DEPTH - 2, look(self->tx, out).nr_taken);
	EXPECT_EQ(1, port_send(self->tx, out, self->messages + DEPTH + 1, 1, 0,
			       0));
	EXPECT_EQ(0, port_unbind(self->rx, in));
	end_port(self->rx, "heir");
}

/* Sent on is done with. */
TEST_F(ports, again_but_sent_on)
{
	int in = make(self->tx, "work", BLOCKPOOL_BIND_AGAIN, DEPTH, 0);
	int out = port_bind(self->rx, "work", PORT_SEND);

	prepare(self->rx, self->messages, 2, 0);
	ASSERT_EQ(2, port_send(self->rx, out, self->messages, 2, 0, 0));
	ASSERT_EQ(2, port_recv(self->tx, in, self->messages, 2, 0, 0));
	EXPECT_EQ(2, look(self->tx, in).nr_taken);
	ASSERT_EQ(1, port_send(self->tx, self->out, self->messages, 1, 0, 0));
	EXPECT_EQ(1, look(self->tx, in).nr_taken);
	pool_check(self->tx, 2);
}

/*
 * Answers
 */

TEST_F(ports, an_answer)
{
	int home = make(self->tx, "home", 0, 4, 0);
	struct blockpool_message message = {
		.index = pool_take(self->tx),
		.reply = home,
	};

	EXPECT_EQ(-ENOENT, port_send_one(self->rx, home, 0, 0));
	ASSERT_EQ(1, port_send(self->tx, self->out, &message, 1, 0, 0));
	ASSERT_EQ(1, port_recv(self->rx, self->in, &message, 1, 0, 0));
	EXPECT_EQ(home, message.reply);
	message.reply = 0;
	EXPECT_EQ(1, port_send(self->rx, home, &message, 1, 0, 0));
	EXPECT_EQ(1, port_recv(self->tx, home, &message, 1, 0, 0));
	/* To receive there is another right. */
	EXPECT_EQ(-ENOENT, port_recv(self->rx, home, &message, 1, 0, 0));
}

TEST_F(ports, an_answer_to_nobody)
{
	int home = make(self->tx, "home", 0, 4, 0);
	struct blockpool_message message = {
		.index = pool_take(self->tx),
		.reply = home,
	};

	ASSERT_EQ(1, port_send(self->tx, self->out, &message, 1, 0, 0));
	ASSERT_EQ(0, port_unbind(self->tx, home));
	ASSERT_EQ(1, port_recv(self->rx, self->in, &message, 1, 0, 0));
	EXPECT_EQ(-ENOENT, port_send_one(self->rx, home, message.index, 0));
}

/* Who names port after port for its answers does not fill its receiver's memory. */
TEST_F(ports, answers_to_many)
{
	struct blockpool_message message = { .index = pool_take(self->tx) };
	char name[BLOCKPOOL_NAME_SIZE];
	int home;

	for (unsigned int i = 0; i < 3 * BLOCKPOOL_PORTS_MAX; i++) {
		snprintf(name, sizeof(name), "home %u", i);
		home = make(self->tx, name, 0, 1, 0);
		ASSERT_LT(0, home);
		message.reply = home;
		ASSERT_EQ(1, port_send(self->tx, self->out, &message, 1, 0, 0));
		ASSERT_EQ(1, port_recv(self->rx, self->in, &message, 1, 0, 0));
		message.reply = 0;
		ASSERT_EQ(1, port_send(self->rx, home, &message, 1, 0, 0));
		ASSERT_EQ(1, port_recv(self->tx, home, &message, 1, 0, 0));
		ASSERT_EQ(0, port_unbind(self->tx, home));
	}
	/* The first of them is forgotten, the last is not. */
	EXPECT_EQ(-ENOENT, port_unbind(self->rx, self->in + 1));
	EXPECT_EQ(0, port_unbind(self->rx, home));
}

/*
 * One block to many
 */

TEST_F(ports, shared)
{
	int third = pool_join(self->name);
	__u32 ports[3] = { self->out, 0, 0 };
	struct blockpool_message message = {
		.index = pool_take(self->tx), .length = 5, .cookie = 9,
	}, seen;

	ports[1] = make(third, "third", 0, 4, 0);
	ports[2] = make(self->rx, "second", 0, 4, 0);
	must(port_bind(self->tx, "third", PORT_SEND) > 0);
	must(port_bind(self->tx, "second", PORT_SEND) > 0);
	ASSERT_EQ(0, port_share(self->tx, ports, 3, &message));
	EXPECT_EQ(BLOCKPOOL_OWNER_SHARED, owner(self->tx, message.index));
	EXPECT_EQ(-EPERM, pool_give(self->tx, message.index));
	pool_check(self->tx, 1);
	ASSERT_EQ(1, port_recv(self->rx, self->in, &seen, 1, 0, 0));
	EXPECT_EQ(message.index, seen.index);
	EXPECT_EQ(BLOCKPOOL_MESSAGE_SHARED, seen.flags);
	EXPECT_EQ(9, seen.cookie);
	pool_check(self->tx, 1);
	ASSERT_EQ(1, port_recv(self->rx, ports[2], &seen, 1, 0, 0));
	ASSERT_EQ(1, port_recv(third, ports[1], &seen, 1, 0, 0));
	/* A share is not to be sent on, nor shared. */
	must(port_bind(self->rx, "third", PORT_SEND) == (int)ports[1]);
	EXPECT_EQ(-EPERM, port_send_one(self->rx, ports[1], message.index, 0));
	EXPECT_EQ(-EPERM, port_share(self->tx, ports, 1, &message));
	EXPECT_EQ(0, pool_give(self->rx, message.index));
	EXPECT_EQ(0, pool_give(self->rx, message.index));
	EXPECT_EQ(-EPERM, pool_give(self->rx, message.index));
	EXPECT_EQ(BLOCKPOOL_OWNER_SHARED, owner(self->tx, message.index));
	pool_check(self->tx, 1);
	close(third);
	EXPECT_EQ(BLOCKPOOL_OWNER_FREE, owner(self->tx, message.index));
	EXPECT_EQ(1, pool_stats(self->tx).reclaimed);
	EXPECT_EQ(0, pool_stats(self->tx).nr_in_flight);
}

TEST_F(ports, shared_with_all_or_none)
{
	__u32 ports[2] = { self->out, 0 };
	struct blockpool_message message = { .index = pool_take(self->tx) };

	EXPECT_EQ(-ENOENT, port_share(self->tx, ports, 2, &message));
	ports[1] = make(self->rx, "second", 0, 1, 0);
	must(port_bind(self->tx, "second", PORT_SEND) > 0);
	ASSERT_EQ(1, port_send_one(self->tx, ports[1], pool_take(self->tx), 0));
	EXPECT_EQ(-EAGAIN, port_share(self->tx, ports, 2, &message));
	EXPECT_EQ(0, look(self->tx, self->out).nr_messages);
	EXPECT_EQ(1, look(self->tx, ports[1]).refused);
	EXPECT_EQ(-EINVAL, port_share(self->tx, ports, 0, &message));
	message.length = BLOCK_SIZE + 1;
	EXPECT_EQ(-EINVAL, port_share(self->tx, ports, 1, &message));
	EXPECT_EQ(pool_info(self->tx).client, owner(self->tx, message.index));
	ASSERT_EQ(0, pool_give(self->tx, message.index));
	ASSERT_EQ(1, port_recv(self->rx, ports[1], self->messages, 1, 0, 0));
	/* What nobody has received goes with the port. */
	ASSERT_EQ(0, pool_give(self->rx, self->messages[0].index));
	message = (struct blockpool_message) { .index = pool_take(self->tx) };
	ASSERT_EQ(0, port_share(self->tx, ports, 2, &message));
	ASSERT_EQ(0, port_unbind(self->rx, ports[1]));
	EXPECT_EQ(BLOCKPOOL_OWNER_SHARED, owner(self->tx, message.index));
	ASSERT_EQ(0, port_unbind(self->rx, self->in));
	EXPECT_EQ(BLOCKPOOL_OWNER_FREE, owner(self->tx, message.index));
	EXPECT_EQ(-EPIPE, port_share(self->tx, ports, 1, &(struct blockpool_message) {
		.index = pool_take(self->tx) }));
}

TEST_F(ports, shared_with_the_kernel)
{
	const struct blockpool_peer_port args = { .flags = PORT_MAKE };
	int peer = peer_join(self->name);
	__u32 ports[2] = { self->out, 0 };
	struct blockpool_message message = { .index = pool_take(self->tx) };

	ports[1] = peer_port(peer, args, "kernel", "");
	must(port_bind(self->tx, "kernel", PORT_SEND) > 0);
	ASSERT_EQ(0, port_share(self->tx, ports, 2, &message));
	ASSERT_EQ(1, peer_transfer(peer, BLOCKPOOL_PEER_PORT_RECV, PROCESS, 0,
				   self->messages, 1));
	ASSERT_EQ(1, port_recv(self->rx, self->in, self->messages, 1, 0, 0));
	EXPECT_EQ(0, pool_give(self->rx, message.index));
	EXPECT_EQ(BLOCKPOOL_OWNER_SHARED, owner(self->tx, message.index));
	EXPECT_EQ(0, peer_give(peer, PROCESS, message.index));
	EXPECT_EQ(BLOCKPOOL_OWNER_FREE, owner(self->tx, message.index));
	EXPECT_EQ(0, pool_stats(self->tx).refused);
	EXPECT_EQ(0, peer_give(peer, PROCESS, message.index));
	EXPECT_EQ(1, pool_stats(self->tx).refused);
	close(peer);
}

/*
 * The kernel
 */

TEST_F(ports, the_kernel_sends)
{
	const struct blockpool_peer_port args = { .flags = PORT_SEND };
	int peer = peer_join(self->name);
	__u32 contexts = peer_contexts(peer), indices[DEPTH + 1];

	ASSERT_EQ(self->in, peer_port(peer, args, "inbox", ""));
	for (__u32 context = 0; context < contexts; context++) {
		must(peer_alloc(peer, PROCESS, indices, DEPTH + 1) == DEPTH + 1);
		for (__u32 i = 0; i <= DEPTH; i++)
			self->messages[i] = (struct blockpool_message) {
				.index = indices[i], .cookie = i, .length = 9,
			};
		EXPECT_EQ(DEPTH, peer_transfer(peer, BLOCKPOOL_PEER_PORT_SEND,
					       context, 0, self->messages,
					       DEPTH + 1));
		EXPECT_EQ(-EAGAIN, peer_transfer(peer, BLOCKPOOL_PEER_PORT_SEND,
						 context, 0,
						 self->messages + DEPTH, 1));
		pool_check(self->rx, DEPTH + 1);
		EXPECT_EQ(POLLIN, polled(self->rx, POLLIN, LONG_MS));
		EXPECT_EQ(DEPTH, port_recv(self->rx, self->in, self->messages,
					   99, 0, 0));
		for (__u32 i = 0; i < DEPTH; i++) {
			EXPECT_EQ(i, self->messages[i].cookie);
			EXPECT_EQ(0, self->messages[i].pid);
		}
		give(self->rx, self->messages, DEPTH);
		must(!peer_give(peer, PROCESS, indices[DEPTH]));
	}
	close(peer);
}

/* A name that a user took first is not the kernel's to make. */
TEST_F(ports, the_kernel_makes_its_own)
{
	const struct blockpool_peer_port args = { .flags = PORT_MAKE };
	int peer = peer_join(self->name);
	mode_t mode = device_share();
	char name[BLOCKPOOL_NAME_SIZE];
	pid_t pid;

	pool_name(name);
	pid = child_fork();
	if (!pid) {
		int fd, port;

		become(USER_A, USER_A);
		fd = pool_new(name, 64, 4);
		port = make(fd, "kernel", 0, 4, 0);
		must(port > 0);
		must(peer_get(peer, name) == 0);
		must(peer_port(peer, args, "kernel", "") == -EEXIST);
		must(peer_port(peer, args, "other", "") > 0);
		_exit(0);
	}
	EXPECT_EQ(0, child_reap(pid));
	device_restore(mode);
	close(peer);
}

TEST_F(ports, the_kernel_sends_only_what_it_has)
{
	const struct blockpool_peer_port args = { .flags = PORT_SEND };
	int peer = peer_join(self->name);
	struct blockpool_message bad[] = {
		{ .index = pool_take(self->rx) },
		{ .index = NR_BLOCKS },
		{ .index = peer_take(peer, PROCESS), .length = BLOCK_SIZE + 1 },
	};

	ASSERT_EQ(self->in, peer_port(peer, args, "inbox", ""));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(-EPERM, peer_transfer(peer, BLOCKPOOL_PEER_PORT_SEND,
						PROCESS, 0, &bad[i], 1));
	EXPECT_EQ(-EINVAL, peer_transfer(peer, BLOCKPOOL_PEER_PORT_SEND, PROCESS,
					 0, bad, 0));
	EXPECT_EQ(-EINVAL, peer_transfer(peer, BLOCKPOOL_PEER_PORT_RECV, PROCESS,
					 0, bad, 1));
	EXPECT_EQ(0, look(self->rx, self->in).nr_messages);
	must(!peer_give(peer, PROCESS, bad[2].index));
	ASSERT_EQ(0, port_unbind(self->rx, self->in));
	bad[2] = (struct blockpool_message) { .index = peer_take(peer, PROCESS) };
	EXPECT_EQ(-EPIPE, peer_transfer(peer, BLOCKPOOL_PEER_PORT_SEND, PROCESS,
					0, &bad[2], 1));
	pool_check(self->rx, 2);
	close(peer);
}

TEST_F(ports, the_kernel_receives)
{
	const struct blockpool_peer_port args = {
		.flags = PORT_MAKE, .depth = 40, .mode = 0666,
	};
	int peer = peer_join(self->name), port, out;

	port = peer_port(peer, args, "kernel", "");
	out = port_bind(self->tx, "kernel", PORT_SEND);
	ASSERT_EQ(port, out);
	for (__u32 context = 0; context < BLOCKPOOL_PEER_HARDIRQ; context++) {
		prepare(self->tx, self->messages, 20, 0);
		ASSERT_EQ(20, port_send(self->tx, out, self->messages, 20, 0, 0));
		EXPECT_EQ(16, peer_transfer(peer, BLOCKPOOL_PEER_PORT_RECV,
					    context, 0, self->messages, 40));
		EXPECT_EQ(4, peer_transfer(peer, BLOCKPOOL_PEER_PORT_RECV,
					   context, 0, self->messages + 16, 40));
		EXPECT_EQ(-EAGAIN, peer_transfer(peer, BLOCKPOOL_PEER_PORT_RECV,
						 context, 0, self->messages, 1));
		EXPECT_EQ(20, pool_stats(self->tx).nr_kernel);
		for (int i = 0; i < 20; i++) {
			EXPECT_EQ(i, self->messages[i].cookie);
			EXPECT_EQ(getpid(), self->messages[i].pid);
			must(!peer_give(peer, PROCESS,
					self->messages[i].index));
		}
	}
	must(!pool_ioctl(peer, BLOCKPOOL_PEER_PORT_CLOSE, NULL));
	EXPECT_EQ(-EPIPE, port_send_one(self->tx, out, pool_take(self->tx), 0));
	close(peer);
}

/* Through the kernel and out again; the handler's context is as was asked for. */
static void through_the_kernel(struct __test_metadata *_metadata,
			       struct _test_data_ports *self, __u32 handler)
{
	const struct blockpool_peer_port args = {
		.flags = PORT_MAKE, .depth = NR_BLOCKS, .handler = handler,
	};
	struct blockpool_peer_handled handled;
	int peer = peer_join(self->name), out;
	__u64 received = 0;

	ASSERT_LT(0, peer_port(peer, args, "kernel", "inbox"));
	out = port_bind(self->tx, "kernel", PORT_SEND);
	for (int round = 0; round < 50; round++) {
		prepare(self->tx, self->messages, DEPTH, round * DEPTH);
		ASSERT_EQ(DEPTH, port_send(self->tx, out, self->messages, DEPTH,
					   0, 0));
		ASSERT_EQ(DEPTH, port_recv(self->rx, self->in, self->messages,
					   DEPTH, BLOCKPOOL_PORT_ALL, LONG_MS));
		for (__u32 i = 0; i < DEPTH; i++)
			ASSERT_EQ(received++,
				  self->messages[i].cookie & 0xffffffff);
		give(self->rx, self->messages, DEPTH);
	}
	/* The handler counts behind its last send, when we may be here. */
	for (int ms = 0; ms < LONG_MS; ms++) {
		must(!pool_ioctl(peer, BLOCKPOOL_PEER_PORT_HANDLED, &handled));
		if (handled.sent == 50 * DEPTH)
			break;
		usleep(1000);
	}
	EXPECT_EQ(50 * DEPTH, handled.handled);
	EXPECT_EQ(50 * DEPTH, handled.sent);
	EXPECT_EQ(0, handled.astray);
	close(peer);
}

TEST_F(ports, through_the_kernel_in_process)
{
	through_the_kernel(_metadata, self, BLOCKPOOL_PEER_IN_PROCESS);
}

TEST_F(ports, through_the_kernel_in_softirq)
{
	through_the_kernel(_metadata, self, BLOCKPOOL_PEER_IN_SOFTIRQ);
}

TEST_F(ports, the_kernel_answers)
{
	const struct blockpool_peer_port args = {
		.flags = PORT_MAKE, .handler = BLOCKPOOL_PEER_IN_PROCESS,
	};
	int peer = peer_join(self->name), out;
	struct blockpool_message message = {
		.index = pool_take(self->rx),
		.reply = self->in,
		.cookie = 3,
	};

	ASSERT_LT(0, peer_port(peer, args, "kernel", ""));
	out = port_bind(self->rx, "kernel", PORT_SEND);
	ASSERT_EQ(1, port_send(self->rx, out, &message, 1, 0, 0));
	ASSERT_EQ(1, port_recv(self->rx, self->in, &message, 1, 0, LONG_MS));
	EXPECT_EQ(3, message.cookie & 0xffffffff);
	close(peer);
}

/*
 * Isolation: with the block goes the right to touch it
 */

FIXTURE(isolated)
{
	char *ours, *theirs;	/* a block that the sender holds, to both */
	int rx, tx;
	__u32 in;
	struct blockpool_message message;
};

FIXTURE_SETUP(isolated)
{
	const struct blockpool_create_args attr = {
		.block_size = 4096, .nr_blocks = 4, .flags = BLOCKPOOL_ISOLATED,
	};
	char name[BLOCKPOOL_NAME_SIZE];
	int index;

	expect_faults();
	pool_name(name);
	self->rx = pool_open(O_RDWR);
	ASSERT_EQ(0, pool_create_args(self->rx, name, attr));
	self->tx = pool_join(name);
	self->in = make(self->rx, "inbox", 0, 4, 0);
	ASSERT_EQ(self->in, port_bind(self->tx, "inbox", PORT_SEND));
	index = pool_take(self->tx);
	self->ours = pool_map(self->tx) + index * 4096;
	self->theirs = pool_map(self->rx) + index * 4096;
	self->message = (struct blockpool_message) { .index = index };
	memcpy(self->ours, "hello", 6);
}

FIXTURE_TEARDOWN(isolated)
{
	pool_check(self->rx, 0);
	close(self->tx);
	close(self->rx);
}

TEST_F(isolated, sent)
{
	ASSERT_EQ(1, port_send(self->tx, self->in, &self->message, 1, 0, 0));
	EXPECT_EQ(SIGBUS, load(self->ours));
	EXPECT_EQ(SIGBUS, load(self->theirs));
	ASSERT_EQ(1, port_recv(self->rx, self->in, &self->message, 1, 0, 0));
	EXPECT_EQ(SIGBUS, load(self->ours));
	EXPECT_EQ(0, store(self->theirs + 100, 'x'));
	EXPECT_STREQ("hello", self->theirs);
	EXPECT_EQ(0, pool_give(self->rx, self->message.index));
}

/* A share is to be read. */
TEST_F(isolated, shared)
{
	ASSERT_EQ(0, port_share(self->tx, &self->in, 1, &self->message));
	EXPECT_EQ(SIGBUS, load(self->ours));
	EXPECT_EQ(SIGBUS, load(self->theirs));
	ASSERT_EQ(1, port_recv(self->rx, self->in, &self->message, 1, 0, 0));
	EXPECT_EQ(SIGBUS, store(self->theirs, 'x'));
	EXPECT_EQ(0, load(self->theirs));
	EXPECT_STREQ("hello", self->theirs);
	EXPECT_EQ(SIGBUS, store(self->theirs, 'x'));
	EXPECT_EQ(SIGBUS, load(self->ours));
	EXPECT_EQ(0, pool_give(self->rx, self->message.index));
	EXPECT_EQ(SIGBUS, load(self->theirs));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/* CALL: to send and then to receive, and what is known of both when it fails. */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "ports.h"

#define ROUNDS		200
#define RING_US		2000	/* between two signals */

/* The sender's port for answers, which the receiver may send to. */
static int home(struct _test_data_ports *self)
{
	int port = make(self->tx, "home", 0, DEPTH, 0);

	must(port > 0 && port_bind(self->rx, "home", PORT_SEND) == port);
	return port;
}

/* What has been sent is received, in order and no more, and freed. */
static void expect_sent(struct _test_data_ports *self, __u32 n, __u64 first)
{
	struct blockpool_message messages[DEPTH];

	must(look(self->rx, self->in).nr_messages == n);
	if (!n)
		return;
	must(port_recv(self->rx, self->in, messages, DEPTH, 0, 0) == (int)n);
	for (__u32 i = 0; i < n; i++)
		must(messages[i].cookie == first + i);
	give(self->rx, messages, n);
}

/* By another process. */
static void await_sent(const struct _test_data_ports *self, __u32 n)
{
	while (look(self->rx, self->in).nr_messages < n)
		usleep(100);
}

/* Puts messages where answers are awaited, cookies from 100 on. */
static void answer(struct _test_data_ports *self, int home, __u32 n)
{
	struct blockpool_message messages[DEPTH];

	prepare(self->rx, messages, n, 100);
	must(port_send(self->rx, home, messages, n, 0, 0) == (int)n);
}

TEST_F(ports, sends_and_receives)
{
	int back = home(self);
	struct blockpool_message answers[DEPTH];
	struct blockpool_call_args args;

	answer(self, back, 3);
	prepare(self->tx, self->messages, 5, 0);
	args = port_call_halves(self->out, self->messages, 5, back, answers, 2, 0);
	EXPECT_EQ(0, port_call_args(self->tx, &args));
	EXPECT_EQ(5, args.send.done);
	EXPECT_EQ(2, args.recv.done);
	for (int i = 0; i < 5; i++)
		EXPECT_EQ(BLOCKPOOL_OWNER_PORT | self->out,
			  owner(self->tx, self->messages[i].index));
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(100 + i, answers[i].cookie);
		EXPECT_EQ(pool_info(self->tx).client,
			  owner(self->tx, answers[i].index));
	}
	EXPECT_EQ(1, look(self->tx, back).nr_messages);
	expect_sent(self, 5, 0);
}

/* More than there is room for on the kernel's stack. */
TEST_F(ports, many_at_a_time)
{
	int in = make(self->tx, "deep", 0, NR_BLOCKS, 0);
	struct blockpool_call_args args;

	must(port_bind(self->tx, "deep", PORT_SEND) == in);
	prepare(self->tx, self->messages, 40, 0);
	args = port_call_halves(in, self->messages, 40, in, self->messages, 3, 0);
	EXPECT_EQ(0, port_call_args(self->tx, &args));
	EXPECT_EQ(40, args.send.done);
	EXPECT_EQ(3, args.recv.done);
	args = port_call_halves(in, self->messages, 3, in, self->messages,
				BLOCKPOOL_MESSAGES_MAX, 0);
	EXPECT_EQ(0, port_call_args(self->tx, &args));
	EXPECT_EQ(3, args.send.done);
	EXPECT_EQ(40, args.recv.done);
	for (int i = 0; i < 37; i++)
		EXPECT_EQ(3 + i, self->messages[i].cookie);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(i, self->messages[37 + i].cookie);
}

/* Each message comes back with its cookie turned over, until cookie 0. */
static void serve(int fd, int in, int back)
{
	struct blockpool_message message;
	struct blockpool_call_args args;

	must(port_recv(fd, in, &message, 1, 0, LONG_MS) == 1);
	while (message.cookie) {
		message.cookie = ~message.cookie;
		args = port_call_halves(back, &message, 1, in, &message, 1,
					LONG_MS);
		must(!port_call_args(fd, &args));
		must(args.send.done == 1 && args.recv.done == 1);
	}
	must(!pool_give(fd, message.index));
	_exit(0);
}

TEST_F(ports, question_and_answer)
{
	int back = home(self);
	pid_t pid = child_fork();
	struct blockpool_message message;
	struct blockpool_call_args args;

	if (!pid)
		serve(self->rx, self->in, back);
	prepare(self->tx, &message, 1, 0);
	for (__u64 round = 1; round <= ROUNDS; round++) {
		message.cookie = round;
		args = port_call_halves(self->out, &message, 1, back, &message, 1,
					LONG_MS);
		ASSERT_EQ(0, port_call_args(self->tx, &args));
		ASSERT_EQ(~round, message.cookie);
		ASSERT_EQ(pid, message.pid);
	}
	message.cookie = 0;
	ASSERT_EQ(1, port_send(self->tx, self->out, &message, 1, 0, 0));
	EXPECT_EQ(0, child_reap(pid));
	EXPECT_EQ(ROUNDS, look(self->tx, back).received);
	pool_check(self->tx, 0);
}

/* What is not sent is not waited for. */
TEST_F(ports, half_of_a_question)
{
	int back = home(self);
	struct blockpool_message answers[1];
	struct blockpool_call_args args;

	answer(self, back, 1);
	prepare(self->tx, self->messages, DEPTH + 2, 0);
	args = port_call_halves(self->out, self->messages, DEPTH + 2, back,
				answers, 1, 0);
	EXPECT_EQ(0, port_call_args(self->tx, &args));
	EXPECT_EQ(DEPTH, args.send.done);
	EXPECT_EQ(0, args.recv.done);
	args = port_call_halves(self->out, self->messages + DEPTH, 2, back,
				answers, 1, 0);
	EXPECT_EQ(-EAGAIN, port_call_args(self->tx, &args));
	EXPECT_EQ(0, args.send.done);
	EXPECT_EQ(1, look(self->tx, back).nr_messages);
	expect_sent(self, DEPTH, 0);
}

/* Either half made bad in one of some ways, and what is said of it; 0: no more ways. */
static int spoil(struct blockpool_call_args *args, int way)
{
	switch (way) {
	case 0:
		args->__reserved = 1;
		break;
	case 1:
		args->send.size--;
		break;
	case 2:
		args->recv.size++;
		break;
	case 3:
		args->send.flags = 1U << 2;
		break;
	case 4:
		args->recv.flags = 1U << 31;
		break;
	case 5:
		args->recv.__reserved = 1;
		break;
	case 6:
		args->recv.nr_frames = 1;
		break;
	case 7:
		args->recv.frames = 1;
		break;
	case 8:
		args->send.count = 0;
		break;
	case 9:
		args->recv.count = 0;
		break;
	case 10:
		args->recv.count = BLOCKPOOL_MESSAGES_MAX + 1;
		break;
	case 11:
		args->recv.timeout_ms = -2;
		break;
	case 12:
		args->recv.timeout_ms = 1;	/* without BLOCKPOOL_PORT_WAIT */
		break;
	case 13:
		args->recv.count = DEPTH + 1;
		args->recv.flags = BLOCKPOOL_PORT_ALL;
		break;
	case 14:
		args->recv.port = args->send.port;	/* it only sends there */
		return -ENOENT;
	case 15:
		args->send.port = args->recv.port;
		return -ENOENT;
	case 16:
		args->send.messages = 8;
		return -EFAULT;
	case 17:
		args->send.count = DEPTH + 1;
		args->send.flags = BLOCKPOOL_PORT_ALL;
		break;
	default:
		return 0;
	}
	return -EINVAL;
}

/* Whatever is wrong with either half, neither is done. */
TEST_F(ports, nothing_moves)
{
	int back = home(self), expected;
	struct blockpool_message answers[1];
	struct blockpool_call_args args;

	answer(self, back, 1);
	prepare(self->tx, self->messages, 2, 0);
	for (int way = 0;; way++) {
		args = port_call_halves(self->out, self->messages, 2, back,
					answers, 1, 0);
		expected = spoil(&args, way);
		if (!expected)
			break;
		EXPECT_EQ(expected, port_call_args(self->tx, &args)) {
			TH_LOG("way %d", way);
		}
		EXPECT_EQ(0, args.send.done);
		EXPECT_EQ(0, args.recv.done);
		EXPECT_EQ(1, look(self->tx, back).nr_messages);
		expect_sent(self, 0, 0);
	}
	EXPECT_EQ(0, port_call_args(self->tx, &args));
	EXPECT_EQ(2, args.send.done);
	EXPECT_EQ(1, args.recv.done);
	expect_sent(self, 2, 0);
}

/* A read-only descriptor moves nothing, one that may not wait does not. */
TEST_F(ports, files)
{
	int back = home(self);
	struct blockpool_message answers[1];
	struct blockpool_call_args args;
	int fd = pool_open(O_RDONLY);

	must(!pool_attach(fd, self->name));
	prepare(self->tx, self->messages, 1, 7);
	args = port_call_halves(self->out, self->messages, 1, back, answers, 1,
				LONG_MS);
	EXPECT_EQ(-EACCES, port_call_args(fd, &args));
	close(fd);
	must(!fcntl(self->tx, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, port_call_args(self->tx, &args));
	EXPECT_EQ(1, args.send.done);
	expect_sent(self, 1, 7);
}

/* The question is asked, whatever becomes of the answer. */
TEST_F(ports, no_answer)
{
	int back = home(self);
	struct blockpool_message answers[2];
	struct blockpool_call_args args;

	prepare(self->tx, self->messages, 3, 0);
	args = port_call_halves(self->out, &self->messages[0], 1, back, answers,
				1, 0);
	EXPECT_EQ(-EAGAIN, port_call_args(self->tx, &args));
	EXPECT_EQ(1, args.send.done);
	expect_sent(self, 1, 0);
	args = port_call_halves(self->out, &self->messages[1], 1, back, answers,
				1, NAP_MS);
	EXPECT_EQ(-ETIMEDOUT, port_call_args(self->tx, &args));
	EXPECT_EQ(1, args.send.done);
	expect_sent(self, 1, 1);

	answer(self, back, 2);
	args = port_call_halves(self->out, &self->messages[2], 1, back, (void *)8,
				2, 0);
	EXPECT_EQ(-EFAULT, port_call_args(self->tx, &args));
	EXPECT_EQ(1, args.send.done);
	expect_sent(self, 1, 2);
	EXPECT_EQ(2, look(self->tx, back).nr_messages);
	EXPECT_EQ(2, port_recv(self->tx, back, answers, 2, 0, 0));
	EXPECT_EQ(100, answers[0].cookie);
}

/* What was sent makes room below the limit. */
TEST_F(ports, over_the_limit)
{
	const struct blockpool_create_args attr = {
		.block_size = BLOCK_SIZE, .nr_blocks = 16, .client_max = 2,
	};
	int fd = pool_open(O_RDWR), in;
	char name[BLOCKPOOL_NAME_SIZE];
	struct blockpool_call_args args;

	pool_name(name);
	ASSERT_EQ(0, pool_create_args(fd, name, attr));
	in = make(fd, "inbox", 0, DEPTH, 0);
	must(port_bind(fd, "inbox", PORT_SEND) == in);
	prepare(fd, self->messages, 2, 0);
	args = port_call_halves(in, self->messages, 2, in, self->messages, 3, 0);
	args.recv.flags = BLOCKPOOL_PORT_ALL;
	EXPECT_EQ(-EAGAIN, port_call_args(fd, &args));
	EXPECT_EQ(2, args.send.done);
	prepare(fd, self->messages, 2, 2);
	EXPECT_EQ(-EDQUOT, port_call_args(fd, &args));
	EXPECT_EQ(2, args.send.done);
	prepare(fd, self->messages, 1, 4);
	args = port_call_halves(in, self->messages, 1, in, self->messages, 3, 0);
	EXPECT_EQ(0, port_call_args(fd, &args));
	EXPECT_EQ(2, args.recv.done);
	EXPECT_EQ(0, self->messages[0].cookie);
	close(fd);
}

/* The answer will never come, or the question never arrive. */
TEST_F(ports, to_nobody)
{
	int back = home(self);
	struct blockpool_message answers[1];
	struct blockpool_call_args args;
	pid_t pid;

	prepare(self->tx, self->messages, 2, 0);
	args = port_call_halves(self->out, self->messages, 1, back, answers, 1,
				LONG_MS);
	pid = child_fork();
	if (!pid) {
		must(port_call_args(self->tx, &args) == -EPIPE);
		must(args.send.done == 1);
		_exit(0);
	}
	await_sent(self, 1);
	ASSERT_EQ(0, port_unbind(self->tx, back));
	EXPECT_EQ(0, child_reap(pid));
	expect_sent(self, 1, 0);

	back = make(self->tx, "home", 0, DEPTH, 0);
	ASSERT_EQ(0, port_unbind(self->rx, self->in));
	args = port_call_halves(self->out, self->messages + 1, 1, back, answers,
				1, LONG_MS);
	EXPECT_EQ(-EPIPE, port_call_args(self->tx, &args));
	EXPECT_EQ(0, args.send.done);
}

/*
 * Signals
 */

static volatile sig_atomic_t rung;

static void on_alarm(int signal)
{
	rung++;
}

/* Again and again, for the first may come too early. */
static void ring(void)
{
	const struct timeval each = { .tv_usec = RING_US };
	const struct itimerval timer = { each, each };
	const struct sigaction action = {
		.sa_handler = on_alarm, .sa_flags = SA_RESTART,
	};

	must(!sigaction(SIGALRM, &action, NULL));
	must(!setitimer(ITIMER_REAL, &timer, NULL));
}

/* If the kernel made the call again, it would send again, or say EPERM. */
static void be_interrupted(int fd, struct blockpool_call_args *args)
{
	ring();
	must(port_call_args(fd, args) == -EINTR);
	must(rung);
	must(args->send.done == args->send.count);
	_exit(0);
}

TEST_F(ports, interrupted)
{
	int back = home(self);
	struct blockpool_message answers[1];
	struct blockpool_call_args args;
	pid_t pid;

	prepare(self->tx, self->messages, 2, 0);
	args = port_call_halves(self->out, self->messages, 2, back, answers, 1, -1);
	pid = child_fork();
	if (!pid)
		be_interrupted(self->tx, &args);
	EXPECT_EQ(0, child_reap(pid));
	EXPECT_EQ(2, look(self->rx, self->in).sent);
	expect_sent(self, 2, 0);
}

/* To somebody who is asked, it makes no difference that who asks is dead. */
TEST_F(ports, killed)
{
	int back = home(self);
	struct blockpool_message answers[1];
	struct blockpool_call_args args;
	pid_t pid;

	prepare(self->tx, self->messages, 2, 0);
	args = port_call_halves(self->out, self->messages, 2, back, answers, 1, -1);
	pid = child_fork();
	if (!pid)
		_exit(port_call_args(self->tx, &args) != 0);
	await_sent(self, 2);
	EXPECT_EQ(128 + SIGKILL, child_kill(pid));
	expect_sent(self, 2, 0);
	answer(self, back, 1);
	EXPECT_EQ(1, port_recv(self->tx, back, answers, 1, 0, 0));
}

TEST_HARNESS_MAIN

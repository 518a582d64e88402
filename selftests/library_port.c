// SPDX-License-Identifier: GPL-2.0
/*
 * The library's ports on the real device: blocks go from handle to handle and from
 * process to process, and what a thread keeps in its magazine never gets in the way.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "harness.h"
#include "library.h"

#define BLOCK_SIZE	1500
#define NR_BLOCKS	2048
#define DEPTH		64
#define BATCH		20
#define SHORT_MS	100
#define LONG_MS		60000	/* longer than any test */
#define NR_THREADS	4
#define ROUNDS		2000
#define KILLS		20
#define CLIENT_MAX	64

#define MAKE	(BLOCKPOOL_BIND_RECV | BLOCKPOOL_BIND_CREATE)
#define RECV	BLOCKPOOL_BIND_RECV
#define SEND	BLOCKPOOL_BIND_SEND

static struct blockpool_port *try_bind(struct blockpool *pool, const char *name,
				       uint32_t flags)
{
	struct blockpool_port_attr attr = {
		.name = name, .flags = flags, .depth = DEPTH,
	};

	return blockpool_bind(pool, &attr);
}

static struct blockpool_port *lib_bind(struct blockpool *pool, const char *name,
				       uint32_t flags)
{
	struct blockpool_port *port = try_bind(pool, name, flags);

	must(port);
	return port;
}

/* Take blocks and write into each what its message says. */
static void fill(struct blockpool *pool, struct blockpool_message *messages,
		 void **blocks, int n, uint64_t first)
{
	must(blockpool_alloc_bulk(pool, blocks, n) == n);
	for (int i = 0; i < n; i++) {
		messages[i] = (struct blockpool_message){
			.index = blockpool_index(pool, blocks[i]),
			.offset = i, .length = BLOCK_SIZE - i,
			.cookie = first + i,
		};
		memset((char *)blocks[i] + i, first + i, BLOCK_SIZE - i);
	}
}

/* The message is whole, and number @cookie. */
static bool is_message(struct blockpool *pool,
		       const struct blockpool_message *message, uint64_t cookie)
{
	const unsigned char *byte = blockpool_block(pool, message->index);
	uint32_t end = message->offset + message->length;

	for (uint32_t i = message->offset; i < end; i++) {
		if (byte[i] != (unsigned char)cookie)
			return false;
	}
	return message->cookie == cookie && end == BLOCK_SIZE;
}

/* Give the block of a message back. */
static void drop(struct blockpool *pool, const struct blockpool_message *message)
{
	must(!blockpool_free(pool, blockpool_block(pool, message->index)));
}

static int send_errno(struct blockpool_port *port,
		      const struct blockpool_message *messages, int n,
		      int timeout_ms)
{
	return minus_errno(blockpool_send(port, messages, n, 0, timeout_ms));
}

static int recv_errno(struct blockpool_port *port,
		      struct blockpool_message *messages, int n, int timeout_ms)
{
	return minus_errno(blockpool_recv(port, messages, n, 0, timeout_ms));
}

/* One pool and two handles: one makes the port, the other sends to it. */
FIXTURE(port)
{
	char name[BLOCKPOOL_NAME_SIZE];
	struct blockpool *pool, *other;
	struct blockpool_port *in, *out;
	struct blockpool_message messages[2 * DEPTH];
	struct blockpool_message got[2 * DEPTH];
	void *blocks[2 * DEPTH];
};

FIXTURE_SETUP(port)
{
	pool_name(self->name);
	self->pool = lib_create(self->name, BLOCK_SIZE, NR_BLOCKS);
	self->other = lib_open(self->name);
	self->in = lib_bind(self->pool, "in", MAKE);
	self->out = lib_bind(self->other, "in", SEND);
	memset(self->got, POOL_POISON, sizeof(self->got));
}

FIXTURE_TEARDOWN(port)
{
	if (self->out)
		EXPECT_EQ(0, blockpool_unbind(self->out));
	if (self->in)
		EXPECT_EQ(0, blockpool_unbind(self->in));
	EXPECT_EQ(0, blockpool_close(self->other));
	lib_drain(self->pool);
	EXPECT_EQ(0, blockpool_close(self->pool));
}

TEST_F(port, send_and_receive)
{
	void *block;
	__u64 frees;
	int i;

	fill(self->other, self->messages, self->blocks, BATCH, 1);
	ASSERT_EQ(BATCH, blockpool_send(self->out, self->messages, BATCH, 0, 0));
	for (i = 0; i < BATCH; i++)
		ASSERT_EQ(EPERM, minus_errno(blockpool_free(self->other,
							    self->blocks[i])));
	ASSERT_EQ(0, blockpool_flush(self->other));
	frees = lib_stats(self->pool).frees;
	ASSERT_EQ(BATCH, blockpool_recv(self->in, self->got, 2 * DEPTH, 0, 0));
	for (i = 0; i < BATCH; i++) {
		ASSERT_EQ(self->messages[i].index, self->got[i].index);
		ASSERT_EQ(getpid(), self->got[i].pid);
		ASSERT_EQ(0, self->got[i].flags);
		ASSERT_TRUE(is_message(self->pool, &self->got[i], 1 + i));
	}
	for (i = 0; i < BATCH; i++) {
		block = blockpool_block(self->pool, self->got[i].index);
		ASSERT_EQ(0, blockpool_free(self->pool, block));
		ASSERT_EQ(EPERM, minus_errno(blockpool_free(self->pool, block)));
	}
	ASSERT_EQ(frees, lib_stats(self->pool).frees);	/* they are kept */
	ASSERT_EQ(EAGAIN, recv_errno(self->in, self->got, 1, 0));
	lib_check(self->pool, 0);
}

TEST_F(port, what_finds_no_room_is_held)
{
	int n = DEPTH + BATCH, i;

	fill(self->other, self->messages, self->blocks, n, 0);
	ASSERT_EQ(EINVAL, minus_errno(blockpool_send(self->out, self->messages,
						     DEPTH + 1,
						     BLOCKPOOL_PORT_ALL, 0)));
	ASSERT_EQ(DEPTH, blockpool_send(self->out, self->messages, n, 0, 0));
	ASSERT_EQ(EAGAIN, send_errno(self->out, self->messages + DEPTH, BATCH,
				     0));
	ASSERT_EQ(ETIMEDOUT, send_errno(self->out, self->messages + DEPTH, BATCH,
					SHORT_MS));
	for (i = DEPTH; i < n; i++)
		ASSERT_EQ(0, blockpool_free(self->other, self->blocks[i]));
	ASSERT_EQ(EINVAL, minus_errno(blockpool_recv(self->in, self->got,
						     DEPTH + 1,
						     BLOCKPOOL_PORT_ALL, 0)));
	ASSERT_EQ(DEPTH, blockpool_recv(self->in, self->got, n, 0, 0));
	for (i = 0; i < DEPTH; i++)
		drop(self->pool, &self->got[i]);
	ASSERT_EQ(0, blockpool_flush(self->other));
	lib_check(self->pool, 0);
}

/* To the kernel the client holds it still. */
TEST_F(port, what_was_freed_is_not_sent)
{
	fill(self->other, self->messages, self->blocks, 3, 0);
	ASSERT_EQ(0, blockpool_free(self->other, self->blocks[1]));
	ASSERT_EQ(EPERM, send_errno(self->out, self->messages, 3, 0));
	ASSERT_EQ(EPERM, minus_errno(blockpool_share(&self->out, 1,
						     &self->messages[1])));
	ASSERT_EQ(self->blocks[1], blockpool_alloc(self->other));
	ASSERT_EQ(3, blockpool_send(self->out, self->messages, 3, 0, 0));
}

TEST_F(port, errors)
{
	struct blockpool *reader = blockpool_open(self->name, O_RDONLY);
	struct blockpool_message *messages = self->messages;

	ASSERT_EQ(ENOENT, null_errno(try_bind(self->pool, "none", RECV)));
	ASSERT_EQ(EINVAL, null_errno(try_bind(self->pool, "a/b", MAKE)));
	ASSERT_EQ(EINVAL, null_errno(try_bind(self->pool, "x", 0)));
	ASSERT_EQ(EACCES, null_errno(try_bind(reader, "in", RECV)));
	fill(self->pool, messages, self->blocks, 2, 0);
	ASSERT_EQ(ENOENT, send_errno(self->in, messages, 1, 0));
	ASSERT_EQ(ENOENT, recv_errno(self->out, messages, 1, 0));
	ASSERT_EQ(EPERM, send_errno(self->out, messages, 1, 0));
	ASSERT_EQ(2, blockpool_free_bulk(self->pool, self->blocks, 2));

	fill(self->other, messages, self->blocks, 2, 0);
	messages[1].length++;
	ASSERT_EQ(EINVAL, send_errno(self->out, messages, 2, 0));
	messages[1] = messages[0];
	ASSERT_EQ(EPERM, send_errno(self->out, messages, 2, 0));
	messages->index = NR_BLOCKS;
	ASSERT_EQ(EINVAL, send_errno(self->out, messages, 1, 0));
	ASSERT_EQ(2, blockpool_free_bulk(self->other, self->blocks, 2));
	ASSERT_EQ(0, blockpool_close(reader));
}

/* Nobody will ever receive: its blocks are the sender's again. */
TEST_F(port, ended)
{
	int fd = blockpool_port_fd(self->out);
	struct pollfd poll_out = { .fd = fd, .events = POLLOUT };

	ASSERT_LE(0, fd);
	fill(self->other, self->messages, self->blocks, 3, 0);
	ASSERT_EQ(2, blockpool_send(self->out, self->messages, 2, 0, 0));
	ASSERT_EQ(0, blockpool_unbind(self->in));
	self->in = NULL;
	ASSERT_EQ(EPIPE, send_errno(self->out, self->messages + 2, 1, LONG_MS));
	ASSERT_EQ(0, blockpool_free(self->other, self->blocks[2]));
	ASSERT_EQ(1, poll(&poll_out, 1, 0));
	ASSERT_EQ(POLLHUP, poll_out.revents & POLLHUP);
	ASSERT_EQ(0, blockpool_flush(self->other));
	lib_check(self->pool, 0);
}

TEST_F(port, descriptor)
{
	struct pollfd in = { blockpool_port_fd(self->in), POLLIN, 0 };
	struct pollfd out = { blockpool_port_fd(self->out), POLLOUT, 0 };

	ASSERT_EQ(in.fd, blockpool_port_fd(self->in));
	ASSERT_EQ(FD_CLOEXEC, fcntl(in.fd, F_GETFD));
	ASSERT_EQ(0, poll(&in, 1, 0));
	ASSERT_EQ(1, poll(&out, 1, 0));
	fill(self->other, self->messages, self->blocks, DEPTH, 0);
	ASSERT_EQ(DEPTH, blockpool_send(self->out, self->messages, DEPTH, 0, 0));
	ASSERT_EQ(1, poll(&in, 1, 0));
	ASSERT_EQ(0, poll(&out, 1, 0));
	ASSERT_EQ(1, blockpool_recv(self->in, self->got, 1, 0, 0));
	ASSERT_EQ(1, poll(&out, 1, 0));
	ASSERT_EQ(0, blockpool_unbind(self->in));
	self->in = NULL;
	ASSERT_EQ(-1, fcntl(in.fd, F_GETFD));
	drop(self->pool, self->got);
}

/* Two parts of a program that know nothing of each other. */
TEST_F(port, bound_twice)
{
	struct blockpool_port *twice = lib_bind(self->pool, "in", RECV | SEND);

	ASSERT_EQ(blockpool_port_number(self->in), blockpool_port_number(twice));
	ASSERT_LE(0, blockpool_port_fd(twice));
	ASSERT_EQ(0, blockpool_unbind(self->in));
	fill(self->pool, self->messages, self->blocks, 1, 0);
	ASSERT_EQ(1, blockpool_send(twice, self->messages, 1, 0, 0));
	ASSERT_EQ(1, blockpool_recv(twice, self->got, 1, 0, 0));
	drop(self->pool, self->got);
	ASSERT_EQ(0, blockpool_unbind(twice));
	self->in = NULL;
	fill(self->other, self->messages, self->blocks, 1, 0);
	ASSERT_EQ(EPIPE, send_errno(self->out, self->messages, 1, 0));
	ASSERT_EQ(0, blockpool_free(self->other, self->blocks[0]));
}

/* Each message comes back on the port that it names, until there are no more. */
static void answer_all(struct blockpool *pool, struct blockpool_port *in, int rounds)
{
	struct blockpool_message message;
	struct blockpool_port *reply;

	must(blockpool_recv(in, &message, 1, 0, LONG_MS) == 1);
	reply = blockpool_reply_port(pool, &message);
	while (--rounds) {
		message.reply = 0;
		must(blockpool_call(reply, &message, 1, in, &message, 1,
				    LONG_MS) == 1);
	}
	message.reply = 0;
	must(blockpool_send(reply, &message, 1, 0, 0) == 1);
	must(!blockpool_unbind(reply));
	must(!blockpool_close(pool));
	_exit(0);
}

TEST_F(port, call)
{
	struct blockpool_port *home = lib_bind(self->other, "home", MAKE);
	pid_t pid = child_fork();
	struct blockpool *pool;

	if (!pid) {
		pool = lib_open(self->name);
		answer_all(pool, lib_bind(pool, "in", RECV), ROUNDS);
	}
	for (int i = 0; i < ROUNDS; i++) {
		fill(self->other, self->messages, self->blocks, 1, i);
		self->messages->reply = blockpool_port_number(home);
		ASSERT_EQ(1, blockpool_call(self->out, self->messages, 1, home,
					    self->got, 1, LONG_MS));
		ASSERT_EQ(pid, self->got->pid);
		ASSERT_TRUE(is_message(self->other, self->got, i));
		drop(self->other, self->got);
	}
	ASSERT_EQ(0, child_reap(pid));
	ASSERT_EQ(0, blockpool_unbind(home));
}

TEST_F(port, call_without_answer)
{
	struct blockpool_port *home = lib_bind(self->other, "home", MAKE);
	struct blockpool_port *elsewhere = lib_bind(self->pool, "elsewhere", MAKE);

	fill(self->other, self->messages, self->blocks, DEPTH + 1, 0);
	ASSERT_EQ(0, blockpool_call(self->out, self->messages, 1, home, self->got,
				    1, 0));
	ASSERT_EQ(EAGAIN, errno);
	ASSERT_EQ(EINVAL, minus_errno(blockpool_call(self->out, self->messages + 1,
						     1, elsewhere, self->got, 1,
						     0)));
	ASSERT_EQ(EAGAIN, minus_errno(blockpool_call(self->out, self->messages + 1,
						     DEPTH, home, self->got, 1,
						     0)));
	for (int i = 1; i <= DEPTH; i++)
		ASSERT_EQ(0, blockpool_free(self->other, self->blocks[i]));
	ASSERT_EQ(1, blockpool_recv(self->in, self->got, 1, 0, 0));
	drop(self->pool, self->got);
	ASSERT_EQ(0, blockpool_unbind(elsewhere));
	ASSERT_EQ(0, blockpool_unbind(home));
}

/*
 * Other threads
 */

struct waiter_thread {
	struct blockpool_port *port;
	struct blockpool_message message;
	int ret;
};

static void *wait_for_message(void *arg)
{
	struct waiter_thread *waiter = arg;

	waiter->ret = blockpool_recv(waiter->port, &waiter->message, 1, 0, -1);
	return NULL;
}

static void *wait_for_room(void *arg)
{
	struct waiter_thread *waiter = arg;

	waiter->ret = blockpool_send(waiter->port, &waiter->message, 1, 0,
				     LONG_MS);
	return NULL;
}

TEST_F(port, waits)
{
	struct waiter_thread waiter = { .port = self->in };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_message, &waiter));
	usleep(1000 * SHORT_MS);
	fill(self->other, self->messages, self->blocks, DEPTH + 1, 0);
	ASSERT_EQ(1, blockpool_send(self->out, self->messages, 1, 0, 0));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(1, waiter.ret);
	ASSERT_TRUE(is_message(self->pool, &waiter.message, 0));
	drop(self->pool, &waiter.message);

	ASSERT_EQ(DEPTH, blockpool_send(self->out, self->messages + 1, DEPTH, 0,
					0));
	fill(self->other, &waiter.message, self->blocks, 1, 77);
	waiter.port = self->out;
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_room, &waiter));
	usleep(1000 * SHORT_MS);
	ASSERT_EQ(1, blockpool_recv(self->in, self->got, 1, 0, 0));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(1, waiter.ret);
	drop(self->pool, self->got);
}

static void pause_briefly(int signal)
{
}

/* The blocks of a send that was interrupted are held still. */
TEST_F(port, interrupted)
{
	struct sigaction action = { .sa_handler = pause_briefly };
	struct itimerval timer = { .it_value.tv_usec = 1000 * SHORT_MS };

	fill(self->other, self->messages, self->blocks, DEPTH + 1, 0);
	ASSERT_EQ(DEPTH, blockpool_send(self->out, self->messages, DEPTH, 0, 0));
	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &timer, NULL));
	ASSERT_EQ(EINTR, send_errno(self->out, self->messages + DEPTH, 1, -1));
	ASSERT_EQ(0, blockpool_free(self->other, self->blocks[DEPTH]));
}

struct worker {
	struct blockpool *pool;
	struct blockpool_port *port;
	uint64_t sum;
};

static void *produce(void *arg)
{
	struct worker *worker = arg;
	struct blockpool_message messages[BATCH];
	void *blocks[BATCH];
	int i, n, ret, sent;

	for (i = 0; i < ROUNDS; i += n) {
		n = 1 + i % BATCH;
		fill(worker->pool, messages, blocks, n, i);
		for (sent = 0; sent < n; sent++)
			worker->sum += i + sent;
		for (sent = 0; sent < n; sent += ret) {
			ret = blockpool_send(worker->port, messages + sent,
					     n - sent, 0, LONG_MS);
			must(ret > 0);
		}
	}
	return NULL;
}

/* Until a message of length 0, which is the last one. */
static void *consume(void *arg)
{
	struct worker *worker = arg;
	struct blockpool_message messages[BATCH];
	bool last = false;
	int i, n;

	while (!last) {
		n = blockpool_recv(worker->port, messages, BATCH, 0, LONG_MS);
		must(n > 0);
		for (i = 0; i < n; i++) {
			must(!last);
			last = !messages[i].length;
			must(last || is_message(worker->pool, &messages[i],
						messages[i].cookie));
			worker->sum += messages[i].cookie;
			drop(worker->pool, &messages[i]);
		}
	}
	return NULL;
}

/* Each message once; magazines on both sides. */
TEST_F(port, threads)
{
	struct worker producers[NR_THREADS], consumer = {
		.pool = self->pool, .port = self->in,
	};
	pthread_t threads[NR_THREADS], last;
	uint64_t sum = 0;
	int i;

	ASSERT_EQ(0, pthread_create(&last, NULL, consume, &consumer));
	for (i = 0; i < NR_THREADS; i++) {
		producers[i] = (struct worker){
			.pool = self->other, .port = self->out,
		};
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, produce,
					    &producers[i]));
	}
	for (i = 0; i < NR_THREADS; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
		sum += producers[i].sum;
	}
	fill(self->other, self->messages, self->blocks, 1, 0);
	self->messages->length = 0;
	ASSERT_EQ(1, blockpool_send(self->out, self->messages, 1, 0, LONG_MS));
	ASSERT_EQ(0, pthread_join(last, NULL));
	ASSERT_EQ(sum, consumer.sum);
	ASSERT_EQ(0, lib_stats(self->pool).refused);
	ASSERT_EQ(0, blockpool_flush(self->other));
	lib_check(self->pool, 0);
}

/*
 * Other processes
 */

static void use_in_child(struct blockpool *pool, struct blockpool_port *port,
			 const struct blockpool_message *message)
{
	struct blockpool_message got = *message;

	got.reply = 1;
	must(minus_errno(blockpool_send(port, message, 1, 0, 0)) == ECHILD);
	must(minus_errno(blockpool_recv(port, &got, 1, 0, 0)) == ECHILD);
	must(minus_errno(blockpool_call(port, message, 1, port, &got, 1, 0)) ==
	     ECHILD);
	must(minus_errno(blockpool_share(&port, 1, message)) == ECHILD);
	must(minus_errno(blockpool_port_fd(port)) == ECHILD);
	must(!blockpool_port_number(port) && errno == ECHILD);
	must(null_errno(try_bind(pool, "in", SEND)) == ECHILD);
	must(null_errno(blockpool_reply_port(pool, &got)) == ECHILD);
	must(!blockpool_unbind(port));
	must(!blockpool_close(pool));
	_exit(0);
}

/* And the parent's is as it was. */
TEST_F(port, stays_with_the_parent)
{
	int fd = blockpool_port_fd(self->out);
	pid_t pid;

	fill(self->other, self->messages, self->blocks, 1, 0);
	pid = child_fork();
	if (!pid)
		use_in_child(self->other, self->out, self->messages);
	ASSERT_EQ(0, child_reap(pid));
	ASSERT_EQ(1, blockpool_send(self->out, self->messages, 1, 0, 0));
	ASSERT_EQ(fd, blockpool_port_fd(self->out));
}

/* Answers each request at the port that it names, in the same block. */
static void __attribute__((noreturn)) serve(const char *name, struct step *step)
{
	struct blockpool *pool = lib_open(name);
	struct blockpool_port *port = lib_bind(pool, "server", MAKE), *reply;
	struct blockpool_message message;

	step_post(step);
	while (blockpool_recv(port, &message, 1, 0, -1) == 1) {
		must(is_message(pool, &message, message.cookie));
		must(message.pid == getppid());
		reply = blockpool_reply_port(pool, &message);
		must(reply);
		message.cookie = -message.cookie;
		message.reply = 0;
		must(blockpool_send(reply, &message, 1, 0, LONG_MS) == 1);
		must(!blockpool_unbind(reply));
	}
	_exit(1);
}

TEST_F(port, request_and_answer)
{
	struct blockpool_port *server;
	struct step step;
	pid_t pid;
	int i;

	step_init(&step);
	pid = child_fork();
	if (!pid)
		serve(self->name, &step);
	step_await(&step);
	server = lib_bind(self->pool, "server", SEND);
	for (i = 1; i < ROUNDS / 10; i++) {
		fill(self->pool, self->messages, self->blocks, 1, i);
		self->messages->reply = blockpool_port_number(self->in);
		ASSERT_EQ(1, blockpool_send(server, self->messages, 1, 0, 0));
		ASSERT_EQ(1, blockpool_recv(self->in, self->got, 1, 0, LONG_MS));
		ASSERT_EQ(pid, self->got->pid);
		ASSERT_EQ(-(uint64_t)i, self->got->cookie);
		ASSERT_EQ(0, blockpool_free(self->pool, self->blocks[0]));
	}
	ASSERT_EQ(ENOENT, null_errno(blockpool_reply_port(self->pool,
							  self->got)));
	ASSERT_EQ(128 + SIGKILL, child_kill(pid));
	fill(self->pool, self->messages, self->blocks, 1, 0);
	ASSERT_EQ(EPIPE, send_errno(server, self->messages, 1, 0));
	ASSERT_EQ(0, blockpool_free(self->pool, self->blocks[0]));
	ASSERT_EQ(0, blockpool_unbind(server));
}

/* Of three that it received one is freed, one is sent on, one is left over. */
static void __attribute__((noreturn)) take_and_die(const char *name)
{
	struct blockpool *pool = lib_open(name);
	struct blockpool_port *in = lib_bind(pool, "again", RECV);
	struct blockpool_port *out = lib_bind(pool, "in", SEND);
	struct blockpool_message messages[3];

	must(blockpool_recv(in, messages, 3, BLOCKPOOL_PORT_ALL, 0) == 3);
	drop(pool, &messages[0]);
	must(blockpool_send(out, &messages[1], 1, 0, 0) == 1);
	memset(blockpool_alloc(pool), 0xee, BLOCK_SIZE);
	raise(SIGKILL);
	_exit(1);
}

TEST_F(port, what_was_freed_does_not_come_again)
{
	struct blockpool_port *again = lib_bind(self->pool, "again",
						MAKE | BLOCKPOOL_BIND_AGAIN);
	struct blockpool_port *out = lib_bind(self->other, "again", SEND);
	pid_t pid;

	fill(self->other, self->messages, self->blocks, 3, 5);
	ASSERT_EQ(3, blockpool_send(out, self->messages, 3, 0, 0));
	pid = child_fork();
	if (!pid)
		take_and_die(self->name);
	ASSERT_EQ(128 + SIGKILL, child_reap(pid));
	ASSERT_EQ(1, blockpool_recv(self->in, self->got, 3, 0, LONG_MS));
	ASSERT_TRUE(is_message(self->pool, self->got, 6));
	drop(self->pool, self->got);
	ASSERT_EQ(1, blockpool_recv(again, self->got, 3, 0, LONG_MS));
	ASSERT_EQ(BLOCKPOOL_MESSAGE_AGAIN, self->got->flags);
	ASSERT_TRUE(is_message(self->pool, self->got, 7));
	drop(self->pool, self->got);
	ASSERT_EQ(0, blockpool_flush(self->other));
	lib_check(self->pool, 0);
	ASSERT_EQ(0, blockpool_unbind(out));
	ASSERT_EQ(0, blockpool_unbind(again));
}

static void __attribute__((noreturn)) produce_for_ever(const char *name)
{
	struct worker worker = { .pool = lib_open(name) };

	worker.port = lib_bind(worker.pool, "in", SEND);
	for (;;)
		produce(&worker);
}

/* What others have sent is consumed whole, and nothing is lost of the pool. */
TEST_F(port, senders_are_killed)
{
	int i, n, got = 0;

	for (i = 0; i < KILLS; i++) {
		pid_t pid = child_fork();

		if (!pid)
			produce_for_ever(self->name);
		do {
			n = blockpool_recv(self->in, self->got, DEPTH, 0,
					   got ? 1 : LONG_MS);
			got += n > 0 ? n : 0;
			while (n-- > 0) {
				struct blockpool_message *message =
					&self->got[n];

				must(is_message(self->pool, message,
						message->cookie));
				drop(self->pool, message);
			}
		} while (got < i * 37);
		ASSERT_EQ(128 + SIGKILL, child_kill(pid));
	}
	while (blockpool_recv(self->in, self->got, 1, 0, 0) == 1)
		drop(self->pool, self->got);
	lib_check(self->pool, 0);
}

/*
 * Shares
 */

TEST_F(port, shares)
{
	void *block;
	struct blockpool_port *ports[] = {
		self->out, lib_bind(self->other, "too", MAKE | SEND),
	};
	struct blockpool_port *too = lib_bind(self->pool, "too", RECV);
	__u64 frees;
	int i;

	fill(self->other, self->messages, self->blocks, 1, 9);
	ASSERT_EQ(0, blockpool_share(ports, 2, self->messages));
	ASSERT_EQ(EPERM, minus_errno(blockpool_free(self->other,
						    self->blocks[0])));
	ASSERT_EQ(1, blockpool_recv(self->in, self->got, 1, 0, 0));
	ASSERT_EQ(1, blockpool_recv(too, self->got + 1, 1, 0, 0));
	ASSERT_EQ(0, blockpool_flush(self->other));
	frees = lib_stats(self->pool).frees;
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(BLOCKPOOL_MESSAGE_SHARED, self->got[i].flags);
		ASSERT_TRUE(is_message(self->pool, &self->got[i], 9));
		ASSERT_EQ(frees, lib_stats(self->pool).frees);
		drop(self->pool, &self->got[i]);
	}
	ASSERT_EQ(frees + 1, lib_stats(self->pool).frees);
	block = blockpool_block(self->pool, self->got->index);
	ASSERT_EQ(EPERM, minus_errno(blockpool_free(self->pool, block)));
	lib_check(self->pool, 0);
	ASSERT_EQ(0, blockpool_unbind(ports[1]));
	ASSERT_EQ(0, blockpool_unbind(too));
}

/*
 * A limit
 */

/* What the receiver keeps to itself does not count when it is at its limit. */
TEST(limit)
{
	struct blockpool_attr attr = {
		.name = "limited", .block_size = BLOCK_SIZE,
		.nr_blocks = NR_BLOCKS, .client_max = CLIENT_MAX,
	};
	struct blockpool *pool = blockpool_create(&attr);
	struct blockpool *other = lib_open("limited");
	struct blockpool_port *in = lib_bind(pool, "in", MAKE);
	struct blockpool_port *out = lib_bind(other, "in", SEND);
	struct blockpool_message messages[CLIENT_MAX];
	void *blocks[CLIENT_MAX];
	int kept;

	ASSERT_NE(NULL, pool);
	fill(other, messages, blocks, CLIENT_MAX, 0);
	ASSERT_EQ(CLIENT_MAX, blockpool_send(out, messages, CLIENT_MAX, 0, 0));
	blocks[0] = blockpool_alloc(pool);
	ASSERT_EQ(0, blockpool_free(pool, blocks[0]));
	kept = lib_stats(pool).nr_held - CLIENT_MAX;
	ASSERT_LT(0, kept);
	ASSERT_EQ(CLIENT_MAX, blockpool_recv(in, messages, CLIENT_MAX,
					     BLOCKPOOL_PORT_ALL, 0));
	ASSERT_EQ(EAGAIN, recv_errno(in, messages, 1, 0));
	fill(other, messages, blocks, 1, 0);
	ASSERT_EQ(1, blockpool_send(out, messages, 1, 0, 0));
	ASSERT_EQ(EDQUOT, recv_errno(in, messages, 1, 0));
	ASSERT_EQ(0, blockpool_unbind(out));
	ASSERT_EQ(0, blockpool_unbind(in));
	ASSERT_EQ(0, blockpool_close(other));
	ASSERT_EQ(0, blockpool_close(pool));
}

TEST_HARNESS_MAIN

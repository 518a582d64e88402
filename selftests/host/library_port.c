// SPDX-License-Identifier: GPL-2.0
/*
 * The library's ports on a model of the device: what a call hands to the kernel, and
 * what this process knows of a block before it is sent, on its way, and when it has
 * come.  The client of the model sends to itself.
 */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "library.h"
#include "model_port.h"

#define BLOCK_SIZE	1500
#define NR_BLOCKS	700
#define BATCH		5
#define NR_THREADS	2
#define ROUNDS		2000

FIXTURE(port)
{
	struct blockpool *pool;
	struct blockpool_port *port;
	struct blockpool_message messages[MODEL_DEPTH + BATCH];
	void *blocks[MODEL_DEPTH + BATCH];
};

static struct blockpool_port *bind_in(struct blockpool *pool, const char *name,
				      uint32_t flags)
{
	struct blockpool_port_attr attr = {
		.name = name,
		.flags = BLOCKPOOL_BIND_SEND | BLOCKPOOL_BIND_RECV |
			 BLOCKPOOL_BIND_CREATE | flags,
	};

	return blockpool_bind(pool, &attr);
}

FIXTURE_SETUP(port)
{
	memset(self->messages, 0, sizeof(self->messages));
	model_init(BLOCK_SIZE, NR_BLOCKS);
	self->pool = blockpool_open(NULL, O_RDWR);
	ASSERT_NE(NULL, self->pool);
	self->port = bind_in(self->pool, "in", 0);
	ASSERT_NE(NULL, self->port);
}

FIXTURE_TEARDOWN(port)
{
	EXPECT_EQ(0, blockpool_unbind(self->port));
	EXPECT_EQ(0, blockpool_close(self->pool));
}

static void fill(struct blockpool *pool, struct blockpool_message *messages,
		 void **blocks, int n)
{
	int i;

	if (!take(pool, blocks, n))
		abort();
	for (i = 0; i < n; i++) {
		messages[i] = (struct blockpool_message){
			.index = blockpool_index(pool, blocks[i]),
			.length = i % 2, .cookie = i,
		};
	}
}

/* Whether a free of the block needs no call of the kernel. */
static bool goes_into_magazine(struct blockpool *pool, void *block)
{
	unsigned int before = model.nr_ioctls;

	return !blockpool_free(pool, block) && model.nr_ioctls == before;
}

/* What another thread does while a call is under way, and what came of it. */
static struct meanwhile {
	struct blockpool *pool;
	struct blockpool_port *port;
	void *block;
	int ret;
} meanwhile;

static void model_meanwhile(unsigned long request, void (*deed)(void))
{
	model.meanwhile_request = request;
	model.meanwhile = deed;
}

/*
 * The life of a port
 */

TEST_F(port, bind_hands_all_fields_on)
{
	struct blockpool_port_attr attr = {
		.name = "exactly-31-characters-long-name",
		.flags = BLOCKPOOL_BIND_RECV | BLOCKPOOL_BIND_CREATE |
			 BLOCKPOOL_BIND_AGAIN,
		.depth = 7, .linger_ms = -1, .mode = 0620,
	};
	struct blockpool_port *port = blockpool_bind(self->pool, &attr);

	ASSERT_NE(NULL, port);
	EXPECT_STREQ(attr.name, model.bound.name);
	EXPECT_EQ(attr.flags, model.bound.flags);
	EXPECT_EQ(7u, model.bound.depth);
	EXPECT_EQ(-1, model.bound.linger_ms);
	EXPECT_EQ(0620u, model.bound.mode);
	EXPECT_EQ(2u, blockpool_port_number(port));
	EXPECT_EQ(1u, blockpool_port_number(self->port));
	EXPECT_EQ(0, blockpool_unbind(port));
	EXPECT_EQ(1u, model.nr_unbinds);
}

TEST_F(port, bind_refuses)
{
	static const char *const names[] = {
		NULL, "", "one-more-than-31-characters-long",
	};
	struct blockpool_port_attr attr = { .flags = BLOCKPOOL_BIND_SEND };
	int i;

	memset(&model.bound, 0, sizeof(model.bound));
	EXPECT_ERRNO(EINVAL, !blockpool_bind(self->pool, NULL));
	for (i = 0; i < 3; i++) {
		attr.name = names[i];
		EXPECT_ERRNO(EINVAL, !blockpool_bind(self->pool, &attr));
	}
	attr.name = "in";
	attr.flags |= BLOCKPOOL_BIND_FD;	/* who would close it? */
	EXPECT_ERRNO(EINVAL, !blockpool_bind(self->pool, &attr));
	EXPECT_EQ(0u, model.bound.size);
	attr = (struct blockpool_port_attr){ .name = "no such" };
	EXPECT_ERRNO(ENOENT, !blockpool_bind(self->pool, &attr));
}

TEST_F(port, descriptor)
{
	int fd = blockpool_port_fd(self->port);

	ASSERT_LE(0, fd);
	EXPECT_STREQ("in", model.bound.name);
	EXPECT_EQ((__u32)(BLOCKPOOL_BIND_SEND | BLOCKPOOL_BIND_RECV |
			  BLOCKPOOL_BIND_FD), model.bound.flags);
	memset(&model.bound, 0, sizeof(model.bound));
	EXPECT_EQ(fd, blockpool_port_fd(self->port));
	EXPECT_EQ(0u, model.bound.size);
	EXPECT_EQ(0, blockpool_unbind(self->port));
	EXPECT_EQ(-1, fcntl(fd, F_GETFD));
	self->port = bind_in(self->pool, "in", 0);
}

static int outer_fd;

static void make_descriptor(void)
{
	outer_fd = model.bound_fd;
	meanwhile.ret = blockpool_port_fd(meanwhile.port);
}

/* Two threads: who is first has made it. */
TEST_F(port, one_descriptor)
{
	meanwhile.port = self->port;
	model_meanwhile(BLOCKPOOL_IOC_BIND, make_descriptor);
	EXPECT_EQ(blockpool_port_fd(self->port), meanwhile.ret);
	EXPECT_NE(outer_fd, meanwhile.ret);
	EXPECT_EQ(-1, fcntl(outer_fd, F_GETFD));
	EXPECT_LE(0, fcntl(meanwhile.ret, F_GETFD));
}

TEST_F(port, descriptor_of_another_port_is_none)
{
	struct blockpool_port *again;

	model_port_end("in");
	again = bind_in(self->pool, "in", 0);
	ASSERT_NE(NULL, again);
	EXPECT_ERRNO(EPIPE, blockpool_port_fd(self->port) == -1);
	EXPECT_EQ(-1, fcntl(model.bound_fd, F_GETFD));
	EXPECT_LE(0, blockpool_port_fd(again));
	EXPECT_ERRNO(ENOENT, blockpool_unbind(self->port) == -1);
	self->port = again;
}

TEST_F(port, to_answer)
{
	struct blockpool_message message = { 0 };
	struct blockpool_port *port;

	EXPECT_ERRNO(ENOENT, !blockpool_reply_port(self->pool, &message));
	fill(self->pool, self->messages, self->blocks, 1);
	self->messages->reply = blockpool_port_number(self->port);
	ASSERT_EQ(1, blockpool_send(self->port, self->messages, 1, 0, 0));
	ASSERT_EQ(1, blockpool_recv(self->port, &message, 1, 0, 0));
	EXPECT_EQ(self->messages->reply, message.reply);
	port = blockpool_reply_port(self->pool, &message);
	ASSERT_NE(NULL, port);
	EXPECT_EQ(message.reply, blockpool_port_number(port));
	EXPECT_ERRNO(EOPNOTSUPP, blockpool_port_fd(port) == -1);
	EXPECT_EQ(1, blockpool_send(port, &message, 1, 0, 0));
	EXPECT_EQ(0, blockpool_unbind(port));
	EXPECT_EQ(1, blockpool_recv(self->port, &message, 1, 0, 0));
}

/*
 * Sending and receiving
 */

TEST_F(port, send_and_receive)
{
	struct blockpool_message got[BATCH + 1];
	int i;

	fill(self->pool, self->messages, self->blocks, BATCH);
	ASSERT_EQ(BATCH, blockpool_send(self->port, self->messages, BATCH, 0, 0));
	EXPECT_EQ(0u, model.port_flags);
	for (i = 0; i < BATCH; i++)
		EXPECT_ERRNO(EPERM, blockpool_free(self->pool,
						   self->blocks[i]) == -1);
	memset(got, 0xa5, sizeof(got));
	ASSERT_EQ(BATCH, blockpool_recv(self->port, got, BATCH + 1, 0, 0));
	for (i = 0; i < BATCH; i++) {
		EXPECT_EQ(MODEL_PID, got[i].pid);
		got[i].pid = 0;
		EXPECT_EQ(0, memcmp(&got[i], &self->messages[i], sizeof(*got)));
	}
	for (i = 0; i < BATCH; i++)
		EXPECT_TRUE(goes_into_magazine(self->pool, self->blocks[i]));
	EXPECT_ERRNO(EPERM, blockpool_free(self->pool, self->blocks[0]) == -1);
	EXPECT_ERRNO(EAGAIN, blockpool_recv(self->port, got, 1, 0, 0) == -1);
	ASSERT_EQ(0, blockpool_flush(self->pool));
	EXPECT_EQ(0u, model_held());
}

TEST_F(port, flags_and_timeouts)
{
	struct blockpool_message *messages = self->messages;

	EXPECT_ERRNO(EAGAIN, blockpool_recv(self->port, messages, 1, 0, 0) == -1);
	EXPECT_EQ(0, model.timeout_ms);
	EXPECT_ERRNO(ETIMEDOUT, blockpool_recv(self->port, messages, 2,
					       BLOCKPOOL_PORT_ALL, 77) == -1);
	EXPECT_EQ(77, model.timeout_ms);
	EXPECT_EQ((__u32)(BLOCKPOOL_PORT_ALL | BLOCKPOOL_PORT_WAIT),
		  model.port_flags);
	EXPECT_ERRNO(ETIMEDOUT, blockpool_recv(self->port, messages, 1, 0, -1) ==
				-1);
	EXPECT_EQ(-1, model.timeout_ms);
	fill(self->pool, messages, self->blocks, 2);
	EXPECT_EQ(2, blockpool_send(self->port, messages, 2, BLOCKPOOL_PORT_ALL,
				    78));
	EXPECT_EQ(78, model.timeout_ms);
	EXPECT_EQ((__u32)(BLOCKPOOL_PORT_ALL | BLOCKPOOL_PORT_WAIT),
		  model.port_flags);
}

TEST_F(port, arguments)
{
	static const struct {
		unsigned int n, flags;
		int timeout_ms;
	} bad[] = {
		{ 0, 0, 0 }, { BLOCKPOOL_MESSAGES_MAX + 1, 0, 0 }, { ~0u, 0, 0 },
		{ 1, BLOCKPOOL_PORT_WAIT, 0 }, { 1, 1u << 31, 0 }, { 1, 0, -2 },
	};
	struct blockpool_message *messages = self->messages;
	unsigned int i;

	fill(self->pool, messages, self->blocks, 1);
	model.port_flags = ~0u;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_ERRNO(EINVAL, blockpool_send(self->port, messages,
						    bad[i].n, bad[i].flags,
						    bad[i].timeout_ms) == -1);
		EXPECT_ERRNO(EINVAL, blockpool_recv(self->port, messages,
						    bad[i].n, bad[i].flags,
						    bad[i].timeout_ms) == -1);
	}
	EXPECT_EQ(~0u, model.port_flags);
	EXPECT_TRUE(goes_into_magazine(self->pool, self->blocks[0]));
}

/* Those that found no room are held, as before. */
TEST_F(port, a_part_is_sent)
{
	const int n = MODEL_DEPTH + BATCH;
	void **blocks = self->blocks;
	int i;

	fill(self->pool, self->messages, blocks, n);
	ASSERT_EQ((int)MODEL_DEPTH, blockpool_send(self->port, self->messages, n,
						   0, 0));
	for (i = MODEL_DEPTH; i < n; i++)
		EXPECT_TRUE(goes_into_magazine(self->pool, blocks[i]));
	EXPECT_ERRNO(EPERM, blockpool_free(self->pool,
					   blocks[MODEL_DEPTH - 1]) == -1);
	EXPECT_ERRNO(EPERM, blockpool_free(self->pool, blocks[0]) == -1);
}

TEST_F(port, nothing_is_sent)
{
	struct blockpool_message *messages = self->messages;
	int n = MODEL_DEPTH;

	fill(self->pool, messages, self->blocks, n);
	ASSERT_EQ(n, blockpool_send(self->port, messages, n, 0, 0));
	fill(self->pool, messages, self->blocks, 2);
	EXPECT_ERRNO(EAGAIN, blockpool_send(self->port, messages, 2, 0, 0) == -1);
	EXPECT_ERRNO(ETIMEDOUT, blockpool_send(self->port, messages, 2, 0, 9) ==
				-1);
	EXPECT_TRUE(goes_into_magazine(self->pool, self->blocks[0]));
	EXPECT_TRUE(goes_into_magazine(self->pool, self->blocks[1]));
}

/* A success leaves errno alone. */
TEST_F(port, limit)
{
	int held;

	fill(self->pool, self->messages, self->blocks, 2);
	ASSERT_EQ(2, blockpool_send(self->port, self->messages, 2, 0, 0));
	held = model_held();
	ASSERT_LT(1, held);		/* all of it in the magazine */
	model.client_max = 2;
	errno = 0;
	ASSERT_EQ(2, blockpool_recv(self->port, self->messages, 2, 0, 0));
	EXPECT_EQ(0, errno);
	EXPECT_EQ(2u, model_held());
	ASSERT_EQ(2, blockpool_send(self->port, self->messages, 2, 0, 0));
	model.client_max = 1;
	EXPECT_ERRNO(EDQUOT, blockpool_recv(self->port, self->messages, 2, 0,
					    0) == -1);
}

/*
 * Both in one call
 */

static int call(struct _test_data_port *self, int n, int nr_answers, int timeout_ms)
{
	return blockpool_call(self->port, self->messages, n, self->port,
			      self->messages, nr_answers, timeout_ms);
}

/* All or none go, and what comes is held; a success leaves errno alone. */
TEST_F(port, call)
{
	fill(self->pool, self->messages, self->blocks, BATCH);
	errno = 0;
	ASSERT_EQ(2, call(self, BATCH, 2, 77));
	EXPECT_EQ(0, errno);
	EXPECT_EQ((__u32)(BLOCKPOOL_PORT_ALL | BLOCKPOOL_PORT_WAIT),
		  model.call_flags);
	EXPECT_EQ((__u32)BLOCKPOOL_PORT_WAIT, model.port_flags);
	EXPECT_EQ(77, model.timeout_ms);
	EXPECT_EQ(MODEL_PID, self->messages[1].pid);
	EXPECT_TRUE(goes_into_magazine(self->pool, self->blocks[0]));
	EXPECT_TRUE(goes_into_magazine(self->pool, self->blocks[1]));
	EXPECT_ERRNO(EPERM, blockpool_free(self->pool, self->blocks[2]) == -1);
}

/* Sent and nothing received is told from nothing sent. */
TEST_F(port, call_without_answer)
{
	struct blockpool_port *silent = bind_in(self->pool, "silent", 0);
	struct blockpool_message *messages = self->messages, got;

	fill(self->pool, messages, self->blocks, 2);
	EXPECT_ERRNO(EAGAIN, !blockpool_call(self->port, messages, 1, silent,
					     &got, 1, 0));
	EXPECT_EQ(0u, model.call_flags & BLOCKPOOL_PORT_WAIT);
	EXPECT_ERRNO(ETIMEDOUT, !blockpool_call(self->port, messages + 1, 1, silent,
						&got, 1, 5));
	EXPECT_ERRNO(EPERM, blockpool_free(self->pool, self->blocks[0]) == -1);
	EXPECT_ERRNO(EPERM, blockpool_free(self->pool, self->blocks[1]) == -1);
	EXPECT_EQ(2, blockpool_recv(self->port, messages, 2, 0, 0));
	EXPECT_EQ(0, blockpool_unbind(silent));
}

TEST_F(port, call_sends_nothing)
{
	struct blockpool_message *messages = self->messages;

	fill(self->pool, messages, self->blocks, MODEL_DEPTH - 1);
	ASSERT_LT(0, blockpool_send(self->port, messages, MODEL_DEPTH - 1, 0, 0));
	fill(self->pool, messages, self->blocks, 2);
	EXPECT_ERRNO(EAGAIN, call(self, 2, 1, 0) == -1);
	EXPECT_TRUE(goes_into_magazine(self->pool, self->blocks[0]));
	EXPECT_ERRNO(EPERM, call(self, 1, 1, 0) == -1);
	EXPECT_TRUE(goes_into_magazine(self->pool, self->blocks[1]));
}

TEST_F(port, call_arguments)
{
	struct blockpool *other = blockpool_open("pool", O_RDWR);
	struct blockpool_port *elsewhere = bind_in(other, "elsewhere", 0);
	struct blockpool_message *messages = self->messages;

	fill(self->pool, messages, self->blocks, 1);
	model.port_flags = ~0u;
	EXPECT_ERRNO(EINVAL, call(self, 0, 1, 0) == -1);
	EXPECT_ERRNO(EINVAL, call(self, 1, 0, 0) == -1);
	EXPECT_ERRNO(EINVAL, call(self, 1, BLOCKPOOL_MESSAGES_MAX + 1, 0) == -1);
	EXPECT_ERRNO(EINVAL, call(self, 1, 1, -2) == -1);
	EXPECT_ERRNO(EINVAL, blockpool_call(self->port, messages, 1, elsewhere,
					    messages, 1, 0) == -1);
	EXPECT_EQ(~0u, model.port_flags);
	EXPECT_TRUE(goes_into_magazine(self->pool, self->blocks[0]));
	blockpool_unbind(elsewhere);
	blockpool_close(other);
}

/* The second half is tried again without what the magazine has. */
TEST_F(port, call_limit)
{
	fill(self->pool, self->messages, self->blocks, 2);
	ASSERT_EQ(2, blockpool_send(self->port, self->messages, 2, 0, 0));
	fill(self->pool, self->messages, self->blocks, 1);
	ASSERT_LT(1, model_held());
	model.client_max = 2;
	ASSERT_EQ(2, call(self, 1, 2, 0));
	EXPECT_EQ(2u, model_held());
}

/*
 * Blocks that are not there to be sent
 */

/* To the kernel this process holds what its magazines have. */
TEST_F(port, what_was_freed_is_not_sent)
{
	struct blockpool_message *messages = self->messages;

	fill(self->pool, messages, self->blocks, 3);
	ASSERT_TRUE(goes_into_magazine(self->pool, self->blocks[1]));
	EXPECT_ERRNO(EPERM, blockpool_send(self->port, messages, 3, 0, 0) == -1);
	EXPECT_ERRNO(EPERM, blockpool_send(self->port, messages + 1, 1, 0, 0) ==
			    -1);
	EXPECT_ERRNO(EPERM, blockpool_share(&self->port, 1, messages + 1) == -1);
	EXPECT_TRUE(goes_into_magazine(self->pool, self->blocks[0]));
	EXPECT_TRUE(goes_into_magazine(self->pool, self->blocks[2]));
	EXPECT_EQ(self->blocks[2], blockpool_alloc(self->pool));
}

TEST_F(port, what_is_no_block_is_not_sent)
{
	static const __u32 none[] = {
		NR_BLOCKS, INT_MAX, BLOCKPOOL_NO_INDEX,
	};
	struct blockpool_message *messages = self->messages;
	int i;

	fill(self->pool, messages, self->blocks, 1);
	for (i = 0; i < 3; i++) {
		messages[1].index = none[i];
		EXPECT_ERRNO(EINVAL, blockpool_send(self->port, messages, 2, 0,
						    0) == -1);
		EXPECT_ERRNO(EINVAL, blockpool_share(&self->port, 1,
						     messages + 1) == -1);
	}
	EXPECT_TRUE(goes_into_magazine(self->pool, self->blocks[0]));
}

/* Twice in one call, or by two. */
TEST_F(port, nothing_is_sent_twice)
{
	struct blockpool_message *messages = self->messages;

	fill(self->pool, messages, self->blocks, 2);
	messages[2] = messages[0];
	EXPECT_ERRNO(EPERM, blockpool_send(self->port, messages, 3, 0, 0) == -1);
	ASSERT_EQ(1, blockpool_send(self->port, messages, 1, 0, 0));
	EXPECT_ERRNO(EPERM, blockpool_send(self->port, messages, 2, 0, 0) == -1);
	EXPECT_ERRNO(EPERM, blockpool_free(self->pool, self->blocks[0]) == -1);
	EXPECT_TRUE(goes_into_magazine(self->pool, self->blocks[1]));
}

/* What others took on the same descriptor may be sent too, and is still theirs. */
TEST_F(port, what_came_by_other_ways)
{
	struct blockpool_message message = { .index = NR_BLOCKS - 1 };
	void *block = blockpool_block(self->pool, message.index);

	EXPECT_ERRNO(EPERM, blockpool_send(self->port, &message, 1, 0, 0) == -1);
	model_lend(message.index);
	message.reply = 77;
	model.fail_request = BLOCKPOOL_IOC_SEND;
	model.fail_error = EINVAL;
	EXPECT_ERRNO(EINVAL, blockpool_send(self->port, &message, 1, 0, 0) == -1);
	model.fail_error = 0;
	EXPECT_FALSE(goes_into_magazine(self->pool, block));
	model_lend(message.index);
	EXPECT_EQ(1, blockpool_send(self->port, &message, 1, 0, 0));
}

/*
 * While a call is under way
 */

static void receive_and_free(void)
{
	struct blockpool_message message;

	meanwhile.ret = blockpool_recv(meanwhile.port, &message, 1, 0, 0) == 1 &&
			goes_into_magazine(meanwhile.pool, meanwhile.block);
}

/* It is back in a magazine before the call that sent it is over. */
TEST_F(port, received_before_send_is_back)
{
	fill(self->pool, self->messages, self->blocks, 1);
	meanwhile = (struct meanwhile){
		.pool = self->pool, .port = self->port, .block = *self->blocks,
	};
	model_meanwhile(BLOCKPOOL_IOC_SEND, receive_and_free);
	ASSERT_EQ(1, blockpool_send(self->port, self->messages, 1, 0, 0));
	EXPECT_TRUE(meanwhile.ret);
	EXPECT_ERRNO(EPERM, blockpool_free(self->pool, *self->blocks) == -1);
	EXPECT_EQ(*self->blocks, blockpool_alloc(self->pool));
}

static void free_it(void)
{
	meanwhile.ret = blockpool_free(meanwhile.pool, meanwhile.block);
}

/* A mistake, and none that gives the block a second owner. */
TEST_F(port, freed_while_send_waits)
{
	int n = MODEL_DEPTH;

	fill(self->pool, self->messages, self->blocks, n);
	ASSERT_EQ(n, blockpool_send(self->port, self->messages, n, 0, 0));
	fill(self->pool, self->messages, self->blocks, 2);
	meanwhile = (struct meanwhile){
		.pool = self->pool, .port = self->port, .block = *self->blocks,
	};
	model_meanwhile(BLOCKPOOL_IOC_SEND, free_it);
	EXPECT_ERRNO(ETIMEDOUT, blockpool_send(self->port, self->messages, 2, 0,
					       1) == -1);
	EXPECT_EQ(0, meanwhile.ret);
	EXPECT_ERRNO(EPERM, blockpool_free(self->pool, self->blocks[0]) == -1);
	EXPECT_TRUE(goes_into_magazine(self->pool, self->blocks[1]));
}

/*
 * Shares, and what may come again
 */

TEST_F(port, shares_go_straight_to_the_kernel)
{
	struct blockpool_port *ports[] = {
		self->port, bind_in(self->pool, "too", 0),
	};
	struct blockpool_message *messages = self->messages;
	int i;

	fill(self->pool, messages, self->blocks, 1);
	ASSERT_EQ(0, blockpool_share(ports, 2, messages));
	EXPECT_EQ(0, memcmp(messages, &(struct blockpool_message){
			.index = messages->index }, sizeof(*messages)));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, blockpool_recv(ports[i], messages, 1, 0, 0));
		EXPECT_EQ((__u32)BLOCKPOOL_MESSAGE_SHARED, messages->flags);
	}
	EXPECT_ERRNO(EPERM, blockpool_send(self->port, messages, 1, 0, 0) == -1);
	for (i = 0; i < 2; i++) {
		unsigned int before = model.nr_ioctls;

		EXPECT_EQ(0, blockpool_free(self->pool, *self->blocks));
		EXPECT_EQ(before + 1, model.nr_ioctls);
	}
	EXPECT_ERRNO(EPERM, blockpool_free(self->pool, *self->blocks) == -1);
	EXPECT_EQ(0, blockpool_unbind(ports[1]));
}

TEST_F(port, share_refuses)
{
	struct blockpool_port *ports[BLOCKPOOL_PORTS_MAX + 1];
	struct blockpool *other = blockpool_open(NULL, O_RDWR);
	struct blockpool_message *message = self->messages;
	int i;

	fill(self->pool, message, self->blocks, 2);
	ASSERT_EQ(1, blockpool_send(self->port, message + 1, 1, 0, 0));
	for (i = 0; i <= (int)BLOCKPOOL_PORTS_MAX; i++)
		ports[i] = self->port;
	EXPECT_ERRNO(EINVAL, blockpool_share(ports, 0, message) == -1);
	EXPECT_ERRNO(EINVAL, blockpool_share(ports, BLOCKPOOL_PORTS_MAX + 1,
					     message) == -1);
	EXPECT_ERRNO(EAGAIN, blockpool_share(ports, BLOCKPOOL_PORTS_MAX,
					     message) == -1);
	ports[1] = bind_in(other, "theirs", 0);
	EXPECT_ERRNO(EINVAL, blockpool_share(ports, 2, message) == -1);
	EXPECT_TRUE(goes_into_magazine(self->pool, *self->blocks));
	EXPECT_EQ(0, blockpool_unbind(ports[1]));
	EXPECT_EQ(0, blockpool_close(other));
}

/* The kernel must know what is done with, or another would get it again. */
TEST_F(port, what_may_come_again_is_freed_at_once)
{
	struct blockpool_port *made = bind_in(self->pool, "twice",
					      BLOCKPOOL_BIND_AGAIN);
	struct blockpool_port *port = bind_in(self->pool, "twice", 0);

	fill(self->pool, self->messages, self->blocks, 2);
	ASSERT_EQ(2, blockpool_send(port, self->messages, 2, 0, 0));
	ASSERT_EQ(1, blockpool_recv(port, self->messages, 1, 0, 0));
	EXPECT_FALSE(goes_into_magazine(self->pool, self->blocks[0]));
	EXPECT_ERRNO(EPERM, blockpool_free(self->pool, self->blocks[0]) == -1);
	ASSERT_EQ(1, blockpool_recv(made, self->messages, 1, 0, 0));
	ASSERT_EQ(1, blockpool_send(self->port, self->messages, 1, 0, 0));
	ASSERT_EQ(1, blockpool_recv(self->port, self->messages, 1, 0, 0));
	EXPECT_TRUE(goes_into_magazine(self->pool, self->blocks[1]));
	EXPECT_EQ(0, blockpool_unbind(port));
	EXPECT_EQ(0, blockpool_unbind(made));
}

/* If it cannot be told whether it is such a port. */
TEST_F(port, unknown_ports_are_taken_for_such)
{
	struct blockpool_port *port;

	model.fail_request = BLOCKPOOL_IOC_PORT;
	model.fail_error = ENOTTY;
	errno = 0;
	port = bind_in(self->pool, "in", 0);
	EXPECT_EQ(0, errno);
	fill(self->pool, self->messages, self->blocks, 1);
	ASSERT_EQ(1, blockpool_send(port, self->messages, 1, 0, 0));
	ASSERT_EQ(1, blockpool_recv(port, self->messages, 1, 0, 0));
	EXPECT_FALSE(goes_into_magazine(self->pool, *self->blocks));
	EXPECT_EQ(0, blockpool_unbind(port));
}

/*
 * Children and threads
 */

static bool is_echild(bool failed)
{
	bool good = failed && errno == ECHILD;

	errno = 0;
	return good;
}

static int inherited_calls(struct blockpool *pool, struct blockpool_port *port)
{
	struct blockpool_message message = { .reply = 1 };
	unsigned int unbinds = model.nr_unbinds;
	int fd = blockpool_port_fd(port);
	bool good;

	good = is_echild(fd == -1) &&
	       is_echild(!bind_in(pool, "in", 0)) &&
	       is_echild(!blockpool_reply_port(pool, &message)) &&
	       is_echild(!blockpool_port_number(port)) &&
	       is_echild(blockpool_send(port, &message, 1, 0, 0) == -1) &&
	       is_echild(blockpool_recv(port, &message, 1, 0, 0) == -1) &&
	       is_echild(blockpool_share(&port, 1, &message) == -1);
	return !good || blockpool_unbind(port) || model.nr_unbinds != unbinds ||
	       blockpool_close(pool);
}

TEST_F(port, a_child_is_told_that_it_is_one)
{
	int status, fd = blockpool_port_fd(self->port);
	pid_t pid;

	ASSERT_LE(0, fd);
	pid = fork();
	if (!pid)
		_exit(inherited_calls(self->pool, self->port) ||
		      fcntl(fd, F_GETFD) >= 0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(fd, blockpool_port_fd(self->port));
}

static void *pass_around(void *arg)
{
	struct blockpool_port *port = arg;
	struct blockpool_message message = { 0 };
	struct blockpool *pool = meanwhile.pool;
	long errors = 0;
	void *block;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		block = blockpool_alloc(pool);
		memset(block, i, BLOCK_SIZE);
		message = (struct blockpool_message){
			.index = blockpool_index(pool, block),
		};
		errors += blockpool_send(port, &message, 1, 0, 0) != 1;
		errors += blockpool_recv(port, &message, 1, 0, 0) != 1;
		errors += blockpool_free(pool, blockpool_block(pool,
							       message.index));
		errors += blockpool_port_fd(port) < 0;
	}
	return (void *)errors;
}

/* What one sends another may receive; and of two descriptors one is closed. */
TEST_F(port, threads_share_a_port)
{
	pthread_t threads[NR_THREADS];
	void *errors;
	int i;

	meanwhile.pool = self->pool;
	for (i = 0; i < NR_THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, pass_around,
					    self->port));
	for (i = 0; i < NR_THREADS; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], &errors));
		EXPECT_EQ(NULL, errors);
	}
	EXPECT_EQ(0u, model_held());
}

TEST_HARNESS_MAIN

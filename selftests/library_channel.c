// SPDX-License-Identifier: GPL-2.0
/*
 * Channels on the real device: whoever dies, and whenever, all blocks are back when
 * nobody has the channel any more; whoever lies harms nobody else; nobody sleeps over
 * a message.
 */
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "harness.h"
#include "library.h"
#include "channel.h"

#define BLOCK_SIZE	1500
#define NR_BLOCKS	512
#define NR		96		/* of a channel */
#define BATCH		20
#define KILLS		300
#define KILL_US		3000
#define TRIPS		5000
#define LIES		300	/* that are believed */

FIXTURE(channel)
{
	char name[BLOCKPOOL_NAME_SIZE];
	struct blockpool *pool;
	struct blockpool_message messages[NR];
};

FIXTURE_SETUP(channel)
{
	pool_name(self->name);
	self->pool = lib_create(self->name, BLOCK_SIZE, NR_BLOCKS);
}

FIXTURE_TEARDOWN(channel)
{
	lib_check(self->pool, 0);
	lib_drain(self->pool);
	EXPECT_EQ(0, blockpool_close(self->pool));
}

static void await_held(struct blockpool *pool, unsigned int held)
{
	must(!blockpool_flush(pool));
	pool_await_held(blockpool_fd(pool), held);
	pool_check(blockpool_fd(pool), held);
}

static struct channel_pair open_pair(const char *name)
{
	struct channel_pair pair = channel_open_pair(name, NR, SOCK_STREAM);

	must(pair.ends[0]);
	return pair;
}

static int open_errno(const char *name, unsigned int nr_blocks)
{
	struct channel_pair pair;

	return null_errno((pair = channel_open_pair(name, nr_blocks,
						    SOCK_STREAM)).ends[0]);
}

TEST_F(channel, to_and_fro)
{
	struct channel_pair pair = open_pair(self->name);
	struct channel_talker talkers[2];
	int i, error;

	await_held(self->pool, NR);
	ASSERT_EQ(EAGAIN, minus_errno(blockpool_channel_recv(pair.ends[1],
							     self->messages, NR, 0)));
	for (i = 0; i < 2; i++) {
		talkers[i] = channel_talker(pair.ends[i], NR, i);
		talkers[i].timeout_ms = 0;
	}
	for (i = 0; i < 1000; i++) {
		error = channel_talk(&talkers[i % 2]);
		ASSERT_TRUE(!error || error == EAGAIN);
	}
	ASSERT_LT(1000, talkers[0].received);
	ASSERT_LT(1000, talkers[1].received);
	await_held(self->pool, NR);
	ASSERT_EQ(0, blockpool_channel_close(pair.ends[0]));
	await_held(self->pool, NR);
	ASSERT_EQ(0, blockpool_channel_close(pair.ends[1]));
	await_held(self->pool, 0);
}

/* No block is taken by what fails. */
TEST_F(channel, refused)
{
	struct blockpool_attr isolated = {
		.name = "isolated", .block_size = BLOCK_SIZE, .nr_blocks = NR,
		.flags = BLOCKPOOL_ISOLATED,
	};
	struct blockpool *pool;
	void *blocks[NR_BLOCKS];

	ASSERT_EQ(EINVAL, open_errno(self->name, 0));
	ASSERT_EQ(EINVAL, open_errno(self->name, NR_BLOCKS + 1));
	ASSERT_EQ(ENOENT, open_errno("none", NR));
	must(blockpool_alloc_bulk(self->pool, blocks, NR_BLOCKS - NR + 1) > 0);
	ASSERT_EQ(EAGAIN, open_errno(self->name, NR));
	must(blockpool_free_bulk(self->pool, blocks, NR_BLOCKS - NR + 1) > 0);
	pool = blockpool_create(&isolated);
	ASSERT_NE(NULL, pool);
	ASSERT_EQ(EOPNOTSUPP, open_errno("isolated", NR));
	ASSERT_EQ(0, blockpool_close(pool));
	await_held(self->pool, 0);
}

static int accept_errno(int device, int lanes, unsigned int nr_blocks)
{
	struct channel_hello hello = { CHANNEL_MAGIC, 1, nr_blocks, 0 };
	int sockets[2], fds[] = { device, lanes }, error;
	struct blockpool_channel *channel;

	channel_sockets(sockets, SOCK_STREAM);
	channel_say(sockets[0], &hello, sizeof(hello), fds, 2);
	error = null_errno((channel = blockpool_channel_accept(sockets[1])));
	close(sockets[0]);
	if (!channel)
		close(sockets[1]);
	else
		must(!blockpool_channel_close(channel));
	return error;
}

/* What the kernel says of a descriptor counts, and not what its sender says. */
TEST_F(channel, not_a_channel)
{
	int lanes = channel_memory(channel_bytes(NR), 0, CHANNEL_SEALS);
	int reader = open(POOL_DEVICE, O_RDONLY), fresh = pool_open(O_RDWR);
	int null = open("/dev/null", O_RDWR), fd = pool_join(self->name);
	__u32 indices[NR + 1];

	must(!pool_attach(reader, self->name));
	ASSERT_EQ(EPROTO, accept_errno(fd, lanes, NR));
	must(!pool_alloc(fd, indices, NR - 1));
	ASSERT_EQ(EPROTO, accept_errno(fd, lanes, NR));
	must(!pool_alloc(fd, indices, 2));
	ASSERT_EQ(EPROTO, accept_errno(fd, lanes, NR));
	must(!pool_free(fd, indices, 1, NULL));
	ASSERT_EQ(EPROTO, accept_errno(reader, lanes, NR));
	ASSERT_EQ(EPROTO, accept_errno(fresh, lanes, NR));
	ASSERT_EQ(EPROTO, accept_errno(null, lanes, NR));
	ASSERT_EQ(EPROTO, accept_errno(lanes, lanes, NR));
	ASSERT_EQ(EPROTO, accept_errno(fd, fd, NR));
	ASSERT_EQ(0, accept_errno(fd, lanes, NR));
	close(lanes);
	close(reader);
	close(fresh);
	close(null);
	close(fd);
}

/* An end that a child has inherited is none of its own, and stays the parent's. */
TEST_F(channel, inherited)
{
	struct channel_pair pair = open_pair(self->name);
	struct blockpool_channel *end = pair.ends[0];
	struct blockpool_info info;
	pid_t pid = child_fork();

	if (!pid) {
		must(minus_errno(blockpool_channel_recv(end, self->messages, 1, 0)) == ECHILD);
		must(minus_errno(blockpool_channel_send(end, self->messages, 1)) == ECHILD);
		must(minus_errno(blockpool_channel_arm(end)) == ECHILD);
		must(minus_errno(blockpool_channel_spin(end, 0)) == ECHILD);
		must(minus_errno(blockpool_channel_fd(end)) == ECHILD);
		must(minus_errno(blockpool_channel_info(end, &info)) == ECHILD);
		must(null_errno(blockpool_channel_block(end, 0)) == ECHILD);
		must(!blockpool_channel_close(end));
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(pid));
	ASSERT_EQ(NR, blockpool_channel_recv(end, self->messages, NR, 0));
	ASSERT_EQ(NR, blockpool_channel_send(end, self->messages, NR));
	ASSERT_EQ(NR, blockpool_channel_recv(pair.ends[1], self->messages, NR, 0));
	ASSERT_EQ(0, blockpool_channel_close(end));
	ASSERT_EQ(EPIPE, minus_errno(blockpool_channel_recv(pair.ends[1], self->messages,
							    1, -1)));
	ASSERT_EQ(0, blockpool_channel_close(pair.ends[1]));
	await_held(self->pool, 0);
}

/*
 * Other processes
 */

/* One end, from its socket; NULL if the other has died before. */
static struct blockpool_channel *be_end(const char *name, int *sockets, int side)
{
	struct blockpool_channel *channel;

	close(sockets[!side]);
	channel = side ? blockpool_channel_accept(sockets[1]) :
			 blockpool_channel_open(name, sockets[0], NR);
	must(channel || errno == EPIPE || errno == ECONNRESET);
	return channel;
}

/* Talks until the other end is gone, or so many times. */
static void __attribute__((noreturn)) talk(const char *name, int *sockets, int side,
					   uint64_t seed, unsigned int times)
{
	struct blockpool_channel *channel = be_end(name, sockets, side);
	struct channel_talker talker;
	int error = 0;

	if (!channel)
		_exit(0);
	talker = channel_talker(channel, NR, seed);
	if (seed % 3)
		must(!blockpool_channel_spin(channel, seed % 3 == 1 ? 20 : -1));
	while (!error && times--)
		error = channel_talk(&talker);
	must(!error || error == EPIPE);
	if (!error)
		must(channel_answer(&talker, 0) || errno == EPIPE);
	/* What it has is its own still, and the other's end has lost nothing. */
	for (uint32_t i = 0; i < talker.nr_kept; i++)
		memset(blockpool_channel_block(channel, talker.kept[i]), 0xee, BLOCK_SIZE);
	must(!blockpool_channel_close(channel));
	_exit(0);
}

static void start_both(const char *name, pid_t *pids, uint64_t seed, unsigned int times)
{
	int sockets[2], side;

	channel_sockets(sockets, seed % 2 ? SOCK_STREAM : SOCK_SEQPACKET);
	for (side = 0; side < 2; side++) {
		pids[side] = child_fork();
		if (!pids[side])
			talk(name, sockets, side, seed + side, times);
	}
	close(sockets[0]);
	close(sockets[1]);
}

/*
 * One is killed, at any instant from before there is a channel or with it in use, and
 * the other goes on until it hears of that; or both are.
 */
TEST_F_TIMEOUT(channel, killed, 240)
{
	struct random random = RANDOM_INIT;
	pid_t pids[2];
	int i, who;

	for (i = 0; i < KILLS; i++) {
		start_both(self->name, pids, i, UINT32_MAX);
		if (i % 2)
			pool_await_held(blockpool_fd(self->pool), NR);
		usleep(random_below(&random, KILL_US));
		who = random_below(&random, 2);
		ASSERT_EQ(128 + SIGKILL, child_kill(pids[who]));
		if (random_below(&random, 4)) {
			ASSERT_EQ(0, child_reap(pids[!who]));
		} else {
			ASSERT_LE(0, child_kill(pids[!who]));
		}
		await_held(self->pool, 0);
	}
}

/* Each waits for the other again and again: a wake-up that is lost is the end of it. */
TEST_F_TIMEOUT(channel, no_wake_up_is_lost, 240)
{
	pid_t pids[2];
	int round;

	for (round = 0; round < 4; round++) {
		start_both(self->name, pids, round, TRIPS);
		ASSERT_EQ(0, child_reap(pids[0]));
		ASSERT_EQ(0, child_reap(pids[1]));
		await_held(self->pool, 0);
	}
}

/* Also by epoll, by edge. */
TEST_F(channel, no_edge_is_lost)
{
	struct channel_talker talker;
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	struct blockpool_channel *channel;
	int sockets[2], epoll = epoll_create1(EPOLL_CLOEXEC), ret = 0;
	pid_t pid;

	channel_sockets(sockets, SOCK_STREAM);
	pid = child_fork();
	if (!pid)
		talk(self->name, sockets, 0, 3, TRIPS);
	channel = be_end(self->name, sockets, 1);
	talker = channel_talker(channel, NR, 1);
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, blockpool_channel_fd(channel), &event));
	while (!ret) {
		ret = blockpool_channel_arm(channel);
		ASSERT_LE(0, ret);
		if (!ret) {
			ASSERT_EQ(1, epoll_wait(epoll, &event, 1, -1));
		}
		ret = channel_talk(&talker);
	}
	ASSERT_EQ(EPIPE, ret);
	ASSERT_EQ(0, child_reap(pid));
	ASSERT_EQ(0, blockpool_channel_close(channel));
	close(epoll);
	await_held(self->pool, 0);
}

/* What it had sent is there, then it is EPIPE, and to send is EPIPE too. */
TEST_F(channel, last_words)
{
	struct blockpool_channel *channel;
	int sockets[2], i;
	pid_t pid;

	channel_sockets(sockets, SOCK_STREAM);
	pid = child_fork();
	if (!pid) {
		channel = be_end(self->name, sockets, 0);
		must(blockpool_channel_recv(channel, self->messages, NR, 0) == NR);
		must(blockpool_channel_send(channel, self->messages, BATCH) == BATCH);
		raise(SIGKILL);
	}
	channel = be_end(self->name, sockets, 1);
	ASSERT_EQ(128 + SIGKILL, child_reap(pid));
	await_held(self->pool, NR);
	for (i = 0; i < BATCH; i++)
		ASSERT_EQ(1, blockpool_channel_recv(channel, self->messages, 1, -1));
	ASSERT_EQ(EPIPE, minus_errno(blockpool_channel_recv(channel, self->messages,
							    1, -1)));
	ASSERT_EQ(EPIPE, minus_errno(blockpool_channel_send(channel, self->messages, 1)));
	ASSERT_EQ(1, blockpool_channel_arm(channel));
	await_held(self->pool, NR);
	ASSERT_EQ(0, blockpool_channel_close(channel));
	await_held(self->pool, 0);
}

/*
 * A peer that lies
 */

/* Garbage, or what might be a message, of a block that there is or is not. */
static uint64_t lie(struct random *random)
{
	uint64_t any = (uint64_t)random_next(random) << 32 | random_next(random);

	switch (random_below(random, 4)) {
	case 0:
		return any;
	case 1:
		return any & ~0ULL >> random_below(random, 64);
	default:		/* eleven bits each for offset and length */
		return (any & 1ULL << 63) |
		       (uint64_t)random_below(random, NR_BLOCKS + 9) << 22 |
		       random_below(random, BLOCK_SIZE / 2) << 11 |
		       random_below(random, BLOCK_SIZE);
	}
}

static void __attribute__((noreturn)) be_liar(const char *name, int *sockets)
{
	struct random random = RANDOM_INIT;
	size_t words = channel_bytes(NR) / sizeof(uint64_t), at;
	uint64_t *lanes;

	must(be_end(name, sockets, 1));
	lanes = channel_lanes();
	for (;;) {
		at = random_below(&random, words);
		if (random_below(&random, 2))	/* a place of those that we send */
			at = words - words / 2 + at / 4 * 2;
		__atomic_store_n(&lanes[at], lie(&random), __ATOMIC_RELAXED);
		if (!random_below(&random, 1000))
			send(sockets[1], "bell", 4, MSG_DONTWAIT);
	}
}

/* The honest end does with each message what it says, and touches no other block. */
TEST_F_TIMEOUT(channel, liar, 240)
{
	unsigned int i, said, refused = 0, others = NR_BLOCKS - NR;
	struct blockpool_message *message = self->messages;
	struct blockpool_channel *channel;
	void *blocks[NR_BLOCKS];
	int sockets[2], ret;
	pid_t pid;

	channel_sockets(sockets, SOCK_STREAM);
	channel = blockpool_channel_open(self->name, sockets[0], NR);
	ASSERT_NE(NULL, channel);
	must(blockpool_alloc_bulk(self->pool, blocks, others) == (int)others);
	for (i = 0; i < others; i++)
		memset(blocks[i], 0x77, BLOCK_SIZE);
	pid = child_fork();
	if (!pid)
		be_liar(self->name, sockets);
	close(sockets[1]);
	for (said = 0; said < LIES; said += ret == 1) {
		ret = blockpool_channel_recv(channel, message, 1, said % 2);
		if (ret < 0) {
			ASSERT_TRUE(errno == EAGAIN || errno == ETIMEDOUT ||
				    errno == EPROTO);
			refused += errno == EPROTO;
			continue;
		}
		ASSERT_GE(BLOCK_SIZE, message->offset);
		ASSERT_GE(BLOCK_SIZE - message->offset, message->length);
		memset((char *)blockpool_channel_block(channel, message->index) +
		       message->offset, 0xdd, message->length);
		ASSERT_EQ(1, blockpool_channel_send(channel, message, 1));
	}
	ASSERT_LT(0, refused);
	for (i = 0; i < others * BLOCK_SIZE; i++)
		ASSERT_EQ(0x77, ((char *)blocks[i / BLOCK_SIZE])[i % BLOCK_SIZE]);
	ASSERT_EQ(128 + SIGKILL, child_kill(pid));
	must(blockpool_free_bulk(self->pool, blocks, others) == (int)others);
	ASSERT_EQ(0, blockpool_channel_close(channel));
	await_held(self->pool, 0);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/*
 * Who polls a pool hears of all blocks that come to be had, by whatever way: an
 * edge-triggered epoll, told once, is told again only if somebody is woken.
 */
#include <sys/epoll.h>

#include "harness.h"
#include "peer/user.h"

#define NR_BLOCKS	256U
#define SHORT_MS	100
#define LONG_MS		20000	/* longer than it can take */
#define PROCESS		BLOCKPOOL_PEER_PROCESS

FIXTURE(wakeup)
{
	mode_t node;
	char name[BLOCKPOOL_NAME_SIZE];
	int holder, other, epoll;
};

/* Some are free, and the epoll knows it. */
FIXTURE_SETUP(wakeup)
{
	struct blockpool_create_args args = {
		.block_size = 64, .nr_blocks = NR_BLOCKS, .mode = 0666,
	};
	struct epoll_event event = { .events = EPOLLOUT | EPOLLET };

	self->node = device_share();
	pool_name(self->name);
	self->holder = pool_open(O_RDWR);
	ASSERT_EQ(0, pool_create_args(self->holder, self->name, args));
	self->other = pool_join(self->name);
	self->epoll = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_EQ(0, epoll_ctl(self->epoll, EPOLL_CTL_ADD, self->other, &event));
}

FIXTURE_TEARDOWN(wakeup)
{
	close(self->epoll);
	pool_give_all(self->holder);
	pool_drain(self->holder);
	close(self->other);
	close(self->holder);
	device_restore(self->node);
}

static bool told_within(int epoll, int timeout_ms)
{
	struct epoll_event event;
	int n = epoll_wait(epoll, &event, 1, timeout_ms);

	must(n >= 0);
	return n;
}

/* What was told before is out of the way. */
static bool quiet(int epoll)
{
	told_within(epoll, 0);
	return !told_within(epoll, 0);
}

static bool told(int epoll)
{
	return told_within(epoll, LONG_MS);
}

/* What is left has been promised to who waits for more, until it waits no more. */
TEST_F(wakeup, a_waiter_gives_up)
{
	__u32 indices[NR_BLOCKS];
	struct waiter waiter;

	ASSERT_EQ(0, pool_alloc(self->holder, indices, NR_BLOCKS - 3));
	waiter = waiter_start(self->name, 4, SHORT_MS);
	EXPECT_TRUE(quiet(self->epoll));
	EXPECT_EQ(-EAGAIN, pool_take(self->other));
	EXPECT_EQ(-ETIMEDOUT, waiter_result(&waiter));
	EXPECT_TRUE(told(self->epoll));
	waiter_end(&waiter);
}

/* Called for by one client, what CPUs had is there for the others too. */
TEST_F(wakeup, blocks_come_out_of_a_magazine)
{
	int peer = peer_join(self->name);
	__u32 indices[NR_BLOCKS], rest;
	struct blockpool_stats stats;

	ASSERT_EQ(4, peer_alloc(peer, PROCESS, indices, 4));
	ASSERT_EQ(0, peer_free(peer, PROCESS, indices, 4));
	stats = pool_stats(self->holder);
	ASSERT_LE(4, stats.nr_cached);
	rest = stats.nr_free - stats.nr_cached;
	/* Before: to look, when the depot is empty, calls for them as well. */
	ASSERT_TRUE(quiet(self->epoll));
	ASSERT_EQ(0, pool_alloc(self->holder, indices, rest));
	EXPECT_LE(0, pool_take(self->holder));
	EXPECT_TRUE(told(self->epoll));
	close(peer);
}

/* Each is out of reach for as long as it is wiped for another user. */
TEST_F(wakeup, blocks_are_wiped)
{
	struct step done, end;
	pid_t pid;

	step_init(&done);
	step_init(&end);
	ASSERT_EQ(0, pool_give(self->holder, pool_take(self->holder)));
	ASSERT_TRUE(quiet(self->epoll));
	pid = child_fork();
	if (!pid) {
		become(USER_B, USER_B);
		pool_map(pool_join(self->name));
		step_post(&done);
		step_await(&end);
		_exit(0);
	}
	step_await(&done);
	EXPECT_TRUE(told(self->epoll));
	step_post(&end);
	EXPECT_EQ(0, child_reap(pid));
}

TEST_HARNESS_MAIN

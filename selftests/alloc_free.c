// SPDX-License-Identifier: GPL-2.0
/*
 * Taking blocks and giving them back, one by one and in batches, with and
 * without waiting; poll(); and what the statistics say about it.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <time.h>

#include "harness.h"
#include "pool.h"

#define NR_BLOCKS	8
#define BATCH_BLOCKS	8192	/* more than one call can take */
#define RACE_ROUNDS	20000	/* or as many as go into ... */
#define RACE_SECONDS	10.0	/* ... this, where threads take turns */
#define MANY_WAITERS	8
#define CROWD		150	/* more than the kernel serves in one go */
#define SHORT_MS	200
#define LONG_MS		60000	/* longer than any test */

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* One pool, three clients. */
FIXTURE(pool)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int a, b, c;
};

FIXTURE_VARIANT(pool)
{
	__u32 block_size;
};

FIXTURE_VARIANT_ADD(pool, tiny)
{
	.block_size = 1,
};

FIXTURE_VARIANT_ADD(pool, odd)
{
	.block_size = 1500,
};

FIXTURE_VARIANT_ADD(pool, large)
{
	.block_size = 100000,
};

FIXTURE_SETUP(pool)
{
	pool_name(self->name);
	self->a = pool_new(self->name, variant->block_size, NR_BLOCKS);
	self->b = pool_join(self->name);
	self->c = pool_join(self->name);
}

FIXTURE_TEARDOWN(pool)
{
	close(self->c);
	close(self->b);
	pool_give_all(self->a);
	pool_drain(self->a);
	close(self->a);
}

/* A counter of free blocks that trusted the order of frees would hand out b. */
TEST_F(pool, out_of_order)
{
	int a = pool_take(self->a);
	int b = pool_take(self->b);
	int c;

	ASSERT_GE(a, 0);
	ASSERT_GE(b, 0);
	ASSERT_NE(a, b);
	pool_check(self->a, 2);
	ASSERT_EQ(0, pool_give(self->a, a));
	pool_check(self->a, 1);
	c = pool_take(self->c);
	ASSERT_GE(c, 0);
	ASSERT_NE(b, c);
	pool_check(self->a, 2);
}

/* Every order of giving three back, each followed by taking them all again. */
TEST_F(pool, every_order)
{
	static const int orders[][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
		{ 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};
	const int fds[3] = { self->a, self->b, self->c };
	int taken[3];

	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		for (int j = 0; j < 3; j++) {
			taken[j] = pool_take(fds[j]);
			ASSERT_GE(taken[j], 0);
		}
		for (int j = 0; j < 3; j++) {
			int who = orders[i][j];
			int other;

			ASSERT_EQ(0, pool_give(fds[who], taken[who]));
			pool_check(self->a, 2 - j);
			for (int k = j + 1; k < 3; k++) {
				other = pool_take(fds[who]);
				ASSERT_NE(taken[orders[i][k]], other);
				ASSERT_EQ(0, pool_give(fds[who], other));
			}
		}
	}
}

TEST_F(pool, exhaustion_and_recovery)
{
	__u32 *indices = pool_take_all(self->a);
	struct blockpool_stats before, after;

	before = pool_stats(self->b);
	ASSERT_EQ(0, before.nr_free);
	ASSERT_EQ(0, before.min_free);
	ASSERT_EQ(-EAGAIN, pool_take(self->a));
	ASSERT_EQ(-EAGAIN, pool_take(self->b));
	after = pool_stats(self->b);
	ASSERT_EQ(before.failures + 2, after.failures);
	ASSERT_EQ(before.allocs, after.allocs);
	pool_check(self->a, NR_BLOCKS);

	for (int i = NR_BLOCKS - 1; i >= 0; i--) {
		ASSERT_EQ(0, pool_give(self->a, indices[i]));
		ASSERT_EQ(indices[i], pool_take(self->b));
		ASSERT_EQ(-EAGAIN, pool_take(self->c));
		pool_check(self->a, NR_BLOCKS);
	}
	for (int i = 0; i < NR_BLOCKS; i++) {
		ASSERT_EQ(0, pool_give(self->b, indices[i]));
	}
	ASSERT_EQ(0, pool_stats(self->a).min_free);
	free(indices);
}

TEST_F(pool, all_or_nothing)
{
	__u32 held[NR_BLOCKS], more[NR_BLOCKS + 1];

	ASSERT_EQ(0, pool_alloc(self->a, held, NR_BLOCKS - 3));
	for (int n = 4; n <= NR_BLOCKS; n++) {
		ASSERT_EQ(-EAGAIN, pool_alloc(self->b, more, n));
		pool_check(self->a, NR_BLOCKS - 3);
	}
	ASSERT_EQ(-EINVAL, pool_alloc(self->b, more, NR_BLOCKS + 1));
	ASSERT_EQ(-EINVAL, pool_alloc_wait(self->b, more, NR_BLOCKS + 1, -1));
	ASSERT_EQ(0, pool_alloc(self->b, more, 3));
	pool_check(self->a, NR_BLOCKS);
}

TEST_F(pool, double_free)
{
	__u64 refused = pool_stats(self->a).refused;
	int index = pool_take(self->a);

	ASSERT_EQ(0, pool_give(self->a, index));
	ASSERT_EQ(-EPERM, pool_give(self->a, index));
	ASSERT_EQ(-EPERM, pool_give(self->a, index));
	ASSERT_EQ(refused + 2, pool_stats(self->a).refused);
	pool_check(self->a, 0);
	pool_drain(self->b);
}

TEST_F(pool, foreign_free)
{
	__u64 refused = pool_stats(self->a).refused;
	int index = pool_take(self->a);

	ASSERT_EQ(-EPERM, pool_give(self->b, index));
	pool_check(self->a, 1);
	ASSERT_EQ(refused + 1, pool_stats(self->a).refused);

	/* Given back and taken by another, it is the other's alone. */
	ASSERT_EQ(0, pool_give(self->a, index));
	free(pool_take_all(self->b));
	ASSERT_EQ(-EPERM, pool_give(self->a, index));
	ASSERT_EQ(refused + 2, pool_stats(self->a).refused);
	pool_check(self->a, NR_BLOCKS);
}

TEST_F(pool, free_of_what_was_never_taken)
{
	__u64 refused = pool_stats(self->a).refused;

	for (__u32 i = 0; i < NR_BLOCKS; i++) {
		ASSERT_EQ(-EPERM, pool_give(self->a, i));
	}
	ASSERT_EQ(refused + NR_BLOCKS, pool_stats(self->a).refused);
	pool_drain(self->a);
}

TEST_F(pool, free_of_what_is_no_block)
{
	static const __u32 indices[] = {
		NR_BLOCKS, NR_BLOCKS + 1, 1U << 24, 0x7fffffff, 0x80000000,
		BLOCKPOOL_NO_INDEX - 1, BLOCKPOOL_NO_INDEX,
	};
	__u64 refused = pool_stats(self->a).refused;

	for (size_t i = 0; i < ARRAY_SIZE(indices); i++) {
		ASSERT_EQ(-EINVAL, pool_give(self->a, indices[i]));
	}
	ASSERT_EQ(refused + ARRAY_SIZE(indices), pool_stats(self->a).refused);
	pool_drain(self->a);
}

/* The bad one at every place of a batch: those before it are freed, no other. */
#define EXPECT_FREED_UP_TO_BAD(bad, error) do { \
	for (__u32 at = 0; at < 5; at++) { \
		__u32 batch[5], done; \
		ASSERT_EQ(0, pool_alloc(self->a, batch, 5)); \
		__u32 saved = batch[at]; \
		batch[at] = (bad); \
		ASSERT_EQ(error, pool_free(self->a, batch, 5, &done)); \
		ASSERT_EQ(at, done); \
		pool_check(self->c, 5 - at + others); \
		batch[at] = saved; \
		ASSERT_EQ(0, pool_free(self->a, batch + at, 5 - at, &done)); \
		pool_check(self->c, others); \
	} \
} while (0)

TEST_F(pool, batch_free_with_a_bad_index)
{
	struct blockpool_stats before, after;
	int others = 1;
	int foreign;

	foreign = pool_take(self->b);
	before = pool_stats(self->a);
	EXPECT_FREED_UP_TO_BAD(NR_BLOCKS, -EINVAL);
	EXPECT_FREED_UP_TO_BAD(BLOCKPOOL_NO_INDEX, -EINVAL);
	EXPECT_FREED_UP_TO_BAD((__u32)foreign, -EPERM);
	after = pool_stats(self->a);
	ASSERT_EQ(before.refused + 15, after.refused);
	ASSERT_EQ(before.allocs + 75, after.allocs);
	ASSERT_EQ(before.frees + 75, after.frees);
}

TEST_F(pool, batch_free_with_one_index_twice)
{
	__u32 batch[4], done;

	ASSERT_EQ(0, pool_alloc(self->a, batch, 3));
	batch[3] = batch[2];
	batch[2] = batch[0];
	ASSERT_EQ(-EPERM, pool_free(self->a, batch, 4, &done));
	ASSERT_EQ(2, done);
	pool_check(self->a, 1);
	ASSERT_EQ(0, pool_give(self->a, batch[3]));
}

/* What each of the counters counts, over one of everything. */
TEST_F(pool, counters)
{
	struct blockpool_stats was = pool_stats(self->a), is;
	__u32 batch[NR_BLOCKS];

	ASSERT_EQ(3, was.nr_clients);
	ASSERT_EQ(NR_BLOCKS, was.min_free);
	ASSERT_EQ(0, pool_alloc(self->a, batch, 5));
	ASSERT_EQ(0, pool_free(self->a, batch, 2, NULL));
	ASSERT_EQ(-EAGAIN, pool_alloc(self->b, batch + 5, NR_BLOCKS - 2));
	ASSERT_EQ(-ETIMEDOUT,
		  pool_alloc_wait(self->b, batch + 5, NR_BLOCKS - 2, 1));
	ASSERT_EQ(-EPERM, pool_give(self->b, batch[4]));
	is = pool_stats(self->a);
	EXPECT_EQ(NR_BLOCKS, is.nr_blocks);
	EXPECT_EQ(NR_BLOCKS - 3, is.nr_free);
	EXPECT_EQ(3, is.nr_held);
	EXPECT_EQ(0, is.nr_kernel);
	EXPECT_EQ(3, is.nr_clients);
	EXPECT_EQ(0, is.nr_waiting);
	EXPECT_EQ(NR_BLOCKS - 5, is.min_free);
	EXPECT_EQ(was.allocs + 5, is.allocs);
	EXPECT_EQ(was.frees + 2, is.frees);
	EXPECT_EQ(was.reclaimed, is.reclaimed);
	EXPECT_EQ(was.failures + 2, is.failures);
	EXPECT_EQ(was.refused + 1, is.refused);
	EXPECT_EQ(was.waits + 1, is.waits);
}

/*
 * Two threads free one block at once
 */
struct race {
	int fd;
	pthread_barrier_t barrier;
	__u32 index;		/* BLOCKPOOL_NO_INDEX: it is over */
	int results[2];
};

/* Returns whether it was not the last time. */
static bool race_once(struct race *race, int self)
{
	__u32 index;

	pthread_barrier_wait(&race->barrier);
	index = race->index;
	race->results[self] = pool_give(race->fd, index);
	pthread_barrier_wait(&race->barrier);
	return index != BLOCKPOOL_NO_INDEX;
}

static void *racer(void *arg)
{
	while (race_once(arg, 1))
		;
	return NULL;
}

TEST(free_of_one_block_from_two_threads)
{
	double end = now() + RACE_SECONDS;
	struct race race = {};
	char name[BLOCKPOOL_NAME_SIZE];
	pthread_t thread;
	int rounds;

	pool_name(name);
	race.fd = pool_new(name, 64, NR_BLOCKS);
	pthread_barrier_init(&race.barrier, NULL, 2);
	ASSERT_EQ(0, pthread_create(&thread, NULL, racer, &race));
	for (rounds = 0; rounds < RACE_ROUNDS && now() < end; rounds++) {
		race.index = pool_take(race.fd);
		race_once(&race, 0);
		/* One of the two, whichever it was. */
		ASSERT_EQ(-EPERM, race.results[0] + race.results[1]);
		ASSERT_EQ(0, race.results[0] * race.results[1]);
	}
	race.index = BLOCKPOOL_NO_INDEX;
	race_once(&race, 0);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(rounds + 2, pool_stats(race.fd).refused);
	pool_drain(race.fd);
	close(race.fd);
}

/*
 * Batches
 */
FIXTURE(batch)
{
	int fd;
};

FIXTURE_VARIANT(batch)
{
	__u32 count;
	int result;
};

FIXTURE_VARIANT_ADD(batch, none)
{
	.count = 0, .result = -EINVAL,
};

FIXTURE_VARIANT_ADD(batch, one)
{
	.count = 1,
};

FIXTURE_VARIANT_ADD(batch, sixty_four)
{
	.count = 64,
};

FIXTURE_VARIANT_ADD(batch, sixty_five)
{
	.count = 65,
};

FIXTURE_VARIANT_ADD(batch, most)
{
	.count = BLOCKPOOL_BATCH_MAX,
};

FIXTURE_VARIANT_ADD(batch, too_many)
{
	.count = BLOCKPOOL_BATCH_MAX + 1, .result = -EINVAL,
};

FIXTURE_SETUP(batch)
{
	char name[BLOCKPOOL_NAME_SIZE];

	pool_name(name);
	self->fd = pool_new(name, 64, BATCH_BLOCKS);
}

FIXTURE_TEARDOWN(batch)
{
	close(self->fd);
}

TEST_F(batch, alloc_and_free)
{
	static __u32 indices[BLOCKPOOL_BATCH_MAX + 1];
	__u32 held = variant->result ? 0 : variant->count;
	__u32 done;

	ASSERT_EQ(variant->result,
		  pool_alloc(self->fd, indices, variant->count));
	pool_check(self->fd, held);
	ASSERT_EQ(variant->result,
		  pool_alloc_wait(self->fd, indices, variant->count, 10));
	pool_check(self->fd, 2 * held);
	ASSERT_EQ(variant->result,
		  pool_free(self->fd, indices, variant->count, &done));
	ASSERT_EQ(held, done);
	pool_check(self->fd, held);
	ASSERT_EQ(held, pool_stats(self->fd).frees);
}

TEST_F(batch, many_in_flight)
{
	static __u32 indices[BATCH_BLOCKS];
	__u32 n = 0;

	if (variant->result)
		return;
	while (n + variant->count <= BATCH_BLOCKS) {
		ASSERT_EQ(0, pool_alloc(self->fd, indices + n, variant->count));
		n += variant->count;
	}
	pool_check(self->fd, n);
	while (n) {
		n -= variant->count;
		ASSERT_EQ(0, pool_free(self->fd, indices + n, variant->count,
				       NULL));
	}
	pool_drain(self->fd);
}

/*
 * Waiting.  The pool is held whole by "holder"; nobody else holds anything.
 */
FIXTURE(wait)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int holder, other;
	__u32 *indices;
};

FIXTURE_SETUP(wait)
{
	pool_name(self->name);
	self->holder = pool_new(self->name, 64, NR_BLOCKS);
	self->other = pool_join(self->name);
	self->indices = pool_take_all(self->holder);
}

FIXTURE_TEARDOWN(wait)
{
	close(self->holder);
	pool_give_all(self->other);
	pool_drain(self->other);
	ASSERT_EQ(0, pool_stats(self->other).nr_waiting);
	close(self->other);
	free(self->indices);
}

TEST_F(wait, woken_by_a_free)
{
	struct waiter waiter = waiter_start(self->name, 1, -1);
	struct blockpool_stats stats;

	ASSERT_EQ(0, pool_give(self->holder, self->indices[3]));
	ASSERT_EQ(0, waiter_result(&waiter));
	pool_check(self->other, NR_BLOCKS);
	stats = pool_stats(self->other);
	ASSERT_EQ(1, stats.waits);
	ASSERT_EQ(0, stats.nr_waiting);
	ASSERT_EQ(0, stats.failures);
	waiter_end(&waiter);
	pool_check(self->other, NR_BLOCKS - 1);
}

TEST_F(wait, woken_within_the_timeout)
{
	struct waiter waiter = waiter_start(self->name, 2, LONG_MS);

	ASSERT_EQ(0, pool_free(self->holder, self->indices, 2, NULL));
	ASSERT_EQ(0, waiter_result(&waiter));
	waiter_end(&waiter);
}

TEST_F(wait, woken_by_a_close)
{
	struct waiter waiter = waiter_start(self->name, NR_BLOCKS, -1);

	close(self->holder);
	ASSERT_EQ(0, waiter_result(&waiter));
	pool_check(self->other, NR_BLOCKS);
	waiter_end(&waiter);
}

TEST_F(wait, woken_by_a_death)
{
	struct waiter waiter;
	struct step step;
	pid_t pid;
	int fd;

	ASSERT_EQ(0, pool_give(self->holder, self->indices[0]));
	step_init(&step);
	pid = child_fork();
	if (!pid) {
		fd = pool_join(self->name);
		must(pool_take(fd) >= 0);
		step_post(&step);
		for (;;)
			pause();
	}
	step_await(&step);
	waiter = waiter_start(self->name, 1, -1);
	ASSERT_EQ(128 + SIGKILL, child_kill(pid));
	ASSERT_EQ(0, waiter_result(&waiter));
	waiter_end(&waiter);
}

TEST_F(wait, timeout)
{
	double start = now();
	__u32 two[2];

	ASSERT_EQ(-ETIMEDOUT, pool_alloc_wait(self->other, two, 2, SHORT_MS));
	ASSERT_GE(now() - start, SHORT_MS / 1000.0);
	ASSERT_EQ(1, pool_stats(self->other).failures);
	ASSERT_EQ(1, pool_stats(self->other).waits);
	pool_check(self->other, NR_BLOCKS);
}

TEST_F(wait, timeout_of_nothing)
{
	ASSERT_EQ(-ETIMEDOUT, pool_take_wait(self->other, 0));
	ASSERT_EQ(0, pool_give(self->holder, self->indices[0]));
	ASSERT_LE(0, pool_take_wait(self->other, 0));
	pool_check(self->other, NR_BLOCKS);
}

TEST_F(wait, bad_timeout)
{
	struct blockpool_alloc_args args = {
		.size = sizeof(args),
		.count = 1,
	};
	__u32 index;

	args.indices = (uintptr_t)&index;
	ASSERT_EQ(-EINVAL, pool_take_wait(self->other, -2));
	ASSERT_EQ(-EINVAL, pool_take_wait(self->other, -2147483647 - 1));
	/* Without BLOCKPOOL_ALLOC_WAIT it must be zero. */
	args.timeout_ms = 1;
	ASSERT_EQ(-EINVAL, pool_ioctl(self->other, BLOCKPOOL_IOC_ALLOC, &args));
	args.timeout_ms = -1;
	ASSERT_EQ(-EINVAL, pool_ioctl(self->other, BLOCKPOOL_IOC_ALLOC, &args));
}

TEST_F(wait, not_on_a_nonblocking_fd)
{
	__u64 waits = pool_stats(self->other).waits;

	ASSERT_EQ(0, fcntl(self->other, F_SETFL, O_NONBLOCK));
	ASSERT_EQ(-EAGAIN, pool_take_wait(self->other, -1));
	ASSERT_EQ(-EAGAIN, pool_take_wait(self->other, LONG_MS));
	ASSERT_EQ(0, pool_give(self->holder, self->indices[0]));
	ASSERT_LE(0, pool_take_wait(self->other, -1));
	ASSERT_EQ(waits, pool_stats(self->other).waits);
}

static void ignore(int signal)
{
	(void)signal;
}

/* Never restarted, whatever the handler asked for. */
static void sleep_until_signal(const char *name, int sa_flags, int timeout_ms)
{
	struct sigaction action = {
		.sa_handler = ignore,
		.sa_flags = sa_flags,
	};
	int fd = pool_join(name);

	must(!sigaction(SIGUSR1, &action, NULL));
	must(pool_take_wait(fd, timeout_ms) == -EINTR);
	_exit(0);
}

#define EXPECT_WOKEN_BY_SIGNAL(sa_flags, timeout_ms) do { \
	pid_t pid = child_fork(); \
	if (!pid) \
		sleep_until_signal(self->name, sa_flags, timeout_ms); \
	pool_await_waiting(self->other, 1); \
	kill(pid, SIGUSR1); \
	ASSERT_EQ(0, child_reap(pid)); \
	ASSERT_EQ(0, pool_stats(self->other).nr_waiting); \
	pool_check(self->other, NR_BLOCKS); \
} while (0)

TEST_F(wait, woken_by_a_signal)
{
	EXPECT_WOKEN_BY_SIGNAL(0, -1);
	EXPECT_WOKEN_BY_SIGNAL(0, LONG_MS);
	EXPECT_WOKEN_BY_SIGNAL(SA_RESTART, -1);
	EXPECT_WOKEN_BY_SIGNAL(SA_RESTART, LONG_MS);
}

TEST_F(wait, first_come_first_served)
{
	struct waiter waiters[MANY_WAITERS];

	for (int i = 0; i < MANY_WAITERS; i++)
		waiters[i] = waiter_start(self->name, 1, -1);
	for (int i = 0; i < MANY_WAITERS; i++) {
		ASSERT_EQ(0, pool_give(self->holder, self->indices[i]));
		ASSERT_EQ(0, waiter_result(&waiters[i]));
		ASSERT_EQ(MANY_WAITERS - 1 - i,
			  pool_stats(self->other).nr_waiting);
		pool_check(self->other, NR_BLOCKS);
	}
	for (int i = 0; i < MANY_WAITERS; i++)
		waiter_end(&waiters[i]);
	pool_check(self->other, NR_BLOCKS - MANY_WAITERS);
}

/* Small requests must not starve a large one that came first. */
TEST_F(wait, a_bulk_waiter_before_singles)
{
	struct waiter bulk = waiter_start(self->name, 3, -1);
	struct waiter one = waiter_start(self->name, 1, -1);
	struct waiter two = waiter_start(self->name, 2, LONG_MS);

	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, pool_give(self->holder, self->indices[i]));
		pool_check(self->other, NR_BLOCKS - 1 - i);
		ASSERT_EQ(3, pool_stats(self->other).nr_waiting);
		/* They are promised, so nobody may come between. */
		ASSERT_EQ(-EAGAIN, pool_take(self->other));
		ASSERT_EQ(-ETIMEDOUT, pool_take_wait(self->other, 1));
	}
	ASSERT_EQ(0, pool_give(self->holder, self->indices[2]));
	ASSERT_EQ(0, waiter_result(&bulk));
	ASSERT_EQ(2, pool_stats(self->other).nr_waiting);
	pool_check(self->other, NR_BLOCKS);

	/* One free can serve several. */
	ASSERT_EQ(0, pool_free(self->holder, self->indices + 3, 4, NULL));
	ASSERT_EQ(0, waiter_result(&one));
	ASSERT_EQ(0, waiter_result(&two));
	pool_check(self->other, NR_BLOCKS - 1);
	ASSERT_LE(0, pool_take(self->other));
	waiter_end(&bulk);
	waiter_end(&one);
	waiter_end(&two);
}

/* When the first in line gives up, what it held up goes to the next. */
#define EXPECT_NEXT_IS_SERVED(end_of_bulk, timeout_ms) do { \
	struct waiter bulk = waiter_start(self->name, 3, timeout_ms); \
	struct waiter one = waiter_start(self->name, 1, -1); \
	ASSERT_EQ(0, pool_free(self->holder, self->indices, 2, NULL)); \
	end_of_bulk; \
	waiter_end(&bulk); \
	ASSERT_EQ(0, waiter_result(&one)); \
	pool_check(self->other, NR_BLOCKS - 1); \
	ASSERT_LE(0, pool_take(self->other)); \
	waiter_end(&one); \
} while (0)

TEST_F(wait, a_bulk_waiter_times_out)
{
	EXPECT_NEXT_IS_SERVED(ASSERT_EQ(-ETIMEDOUT, waiter_result(&bulk)), 2000);
}

TEST_F(wait, a_bulk_waiter_is_killed)
{
	EXPECT_NEXT_IS_SERVED(kill(bulk.pid, SIGKILL), -1);
}

static void *wait_in_crowd(void *arg)
{
	int fd = *(int *)arg;

	return (void *)(intptr_t)(pool_take_wait(fd, LONG_MS) >= 0);
}

/* What the first waited for in vain is enough for all the others at once. */
TEST(a_crowd_behind_a_bulk_waiter)
{
	pthread_t threads[CROWD];
	char name[BLOCKPOOL_NAME_SIZE];
	struct waiter bulk;
	int holder, crowd;
	__u32 *indices;
	void *got;

	pool_name(name);
	holder = pool_new(name, 64, CROWD + 1);
	crowd = pool_join(name);
	indices = pool_take_all(holder);
	bulk = waiter_start(name, CROWD + 1, -1);
	for (int i = 0; i < CROWD; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, wait_in_crowd,
					    &crowd));
	pool_await_waiting(holder, CROWD + 1);
	ASSERT_EQ(0, pool_free(holder, indices, CROWD, NULL));
	ASSERT_EQ(CROWD + 1, pool_stats(holder).nr_waiting);
	waiter_end(&bulk);
	for (int i = 0; i < CROWD; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], &got));
		EXPECT_NE(NULL, got);
	}
	pool_check(holder, CROWD + 1);
	close(crowd);
	close(holder);
	free(indices);
}

/* The first one free is enough for nobody, so the wait goes on. */
TEST_F(wait, one_by_one)
{
	struct waiter bulk = waiter_start(self->name, NR_BLOCKS, -1);

	for (int i = 0; i < NR_BLOCKS; i++) {
		ASSERT_EQ(1, pool_stats(self->other).nr_waiting);
		pool_check(self->other, NR_BLOCKS - i);
		ASSERT_EQ(0, pool_give(self->holder, self->indices[i]));
	}
	ASSERT_EQ(0, waiter_result(&bulk));
	pool_check(self->other, NR_BLOCKS);
	waiter_end(&bulk);
}

/*
 * A limit on what one client may hold
 */
FIXTURE(limit)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int a, b;
};

FIXTURE_SETUP(limit)
{
	struct blockpool_create_args args = {
		.block_size = 64,
		.nr_blocks = NR_BLOCKS,
		.client_max = 3,
	};

	pool_name(self->name);
	self->a = pool_open(O_RDWR);
	ASSERT_EQ(0, pool_create_args(self->a, self->name, args));
	self->b = pool_join(self->name);
}

FIXTURE_TEARDOWN(limit)
{
	close(self->a);
	pool_check(self->b, 0);
	close(self->b);
}

TEST_F(limit, is_kept)
{
	__u32 indices[4], more;

	ASSERT_EQ(3, pool_info(self->a).client_max);
	ASSERT_EQ(-EDQUOT, pool_alloc(self->a, indices, 4));
	ASSERT_EQ(-EDQUOT, pool_alloc_wait(self->a, indices, 4, -1));
	ASSERT_EQ(0, pool_alloc(self->a, indices, 3));
	ASSERT_EQ(-EDQUOT, pool_take(self->a));
	ASSERT_EQ(-EDQUOT, pool_take_wait(self->a, -1));
	ASSERT_EQ(4, pool_stats(self->a).failures);
	pool_check(self->a, 3);

	/* It is each client's own. */
	ASSERT_EQ(0, pool_alloc(self->b, &more, 1));
	ASSERT_EQ(0, pool_give(self->a, indices[1]));
	ASSERT_LE(0, pool_take(self->a));
	ASSERT_EQ(-EDQUOT, pool_take(self->a));
	pool_check(self->a, 4);
	ASSERT_EQ(0, pool_give(self->b, more));
}

struct thread_take {
	int fd, timeout_ms, result;
};

static void *thread_take(void *arg)
{
	struct thread_take *take = arg;
	__u32 two[2];

	take->result = pool_alloc_wait(take->fd, two, 2, take->timeout_ms);
	return NULL;
}

/* What one waits for counts, or both would be served. */
TEST_F(limit, is_kept_by_two_waiting_threads)
{
	int fds[3] = { pool_join(self->name), pool_join(self->name),
		       pool_join(self->name) };
	struct thread_take takes[2] = { { self->a, 1000, 1 },
					{ self->a, 1000, 1 } };
	pthread_t threads[2];
	__u32 indices[3];

	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, pool_alloc(fds[i], indices, i < 2 ? 3 : 2));
	}
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, thread_take,
					    &takes[i]));
	}
	pool_await_waiting(self->b, 1);
	close(fds[0]);
	close(fds[1]);
	close(fds[2]);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	}
	pool_check(self->b, 2);
	ASSERT_EQ(1, !takes[0].result + !takes[1].result);
	ASSERT_EQ(-EDQUOT, takes[0].result + takes[1].result);
}

/*
 * poll
 */
static int poll_now(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT | POLLIN };

	must(poll(&poll_fd, 1, 0) >= 0);
	return poll_fd.revents;
}

TEST_F(wait, poll_says_whether_one_is_free)
{
	ASSERT_EQ(0, poll_now(self->other));
	ASSERT_EQ(0, pool_give(self->holder, self->indices[0]));
	ASSERT_EQ(POLLOUT, poll_now(self->other) & ~POLLWRNORM);
	ASSERT_EQ(POLLOUT, poll_now(self->holder) & ~POLLWRNORM);
	ASSERT_EQ(self->indices[0], pool_take(self->other));
	ASSERT_EQ(0, poll_now(self->other));
	ASSERT_EQ(0, poll_now(self->holder));
}

TEST_F(wait, poll_is_woken)
{
	struct pollfd poll_fd = { .events = POLLOUT };
	struct step step;
	pid_t pid;

	step_init(&step);
	pid = child_fork();
	if (!pid) {
		poll_fd.fd = pool_join(self->name);
		must(!poll(&poll_fd, 1, 0));
		step_post(&step);
		must(poll(&poll_fd, 1, LONG_MS) == 1);
		must(poll_fd.revents & POLLOUT);
		must(pool_take(poll_fd.fd) >= 0);
		_exit(0);
	}
	step_await(&step);
	usleep(SHORT_MS * 1000);
	ASSERT_EQ(0, pool_give(self->holder, self->indices[0]));
	ASSERT_EQ(0, child_reap(pid));
}

static int epoll_on(int fd, __u32 events)
{
	struct epoll_event event = { .events = events };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	must(epoll >= 0);
	must(!epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
	return epoll;
}

static int epoll_now(int epoll)
{
	struct epoll_event event;

	return epoll_wait(epoll, &event, 1, 0);
}

TEST_F(wait, epoll_level)
{
	int epoll = epoll_on(self->other, EPOLLOUT);

	ASSERT_EQ(0, epoll_now(epoll));
	ASSERT_EQ(0, pool_free(self->holder, self->indices, 2, NULL));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(1, epoll_now(epoll));
	}
	ASSERT_LE(0, pool_take(self->other));
	ASSERT_EQ(1, epoll_now(epoll));
	ASSERT_LE(0, pool_take(self->other));
	ASSERT_EQ(0, epoll_now(epoll));
	close(epoll);
}

TEST_F(wait, epoll_edge)
{
	int epoll = epoll_on(self->other, EPOLLOUT | EPOLLET);

	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, epoll_now(epoll));
		ASSERT_EQ(0, pool_give(self->holder, self->indices[i]));
		ASSERT_EQ(1, epoll_now(epoll));
		ASSERT_EQ(0, epoll_now(epoll));
		ASSERT_LE(0, pool_take(self->other));
		ASSERT_EQ(-EAGAIN, pool_take(self->other));
	}
	close(epoll);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/*
 * The CPUs' magazines, as seen from outside: what they keep is never out of
 * anyone's reach who may sleep, nor lost with its CPU.
 */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "harness.h"
#include "peer/user.h"

#define PROCESS		BLOCKPOOL_PEER_PROCESS
#define NR_BLOCKS	256U
#define LONG_MS		20000	/* longer than it can take */

FIXTURE(magazine)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int user, peer;
	int last;		/* CPU; the first is 0 */
	__u32 room;		/* of a magazine */
	__u32 half;		/* that is moved at a time */
};

FIXTURE_SETUP(magazine)
{
	self->last = cpu_count() - 1;
	self->room = NR_BLOCKS / 8 / cpu_count() & ~1U;
	self->half = self->room / 2;
	if (self->room < 4)
		SKIP(return, "too many CPUs for this pool");
	cpu_pin(0);
	pool_name(self->name);
	self->user = pool_new(self->name, 64, NR_BLOCKS);
	self->peer = peer_join(self->name);
}

/* Whatever was in magazines, all can be taken. */
FIXTURE_TEARDOWN(magazine)
{
	cpu_unpin();
	close(self->peer);
	pool_give_all(self->user);
	pool_drain(self->user);
	EXPECT_EQ(0, pool_stats(self->user).refused);
	close(self->user);
}

static __u64 cached(int fd)
{
	return pool_stats(fd).nr_cached;
}

/*
 * Have the kernel give n blocks back on a CPU, to its empty magazine.  A bulk of
 * more than half a magazine comes from the depot, and goes there.
 */
static void hoard(int user, int peer, int cpu, __u32 n)
{
	__u32 indices[NR_BLOCKS], more = NR_BLOCKS / 8;
	__u64 before = cached(user);

	cpu_pin(cpu);
	must(!peer_alloc_bulk(peer, PROCESS, indices, n + more));
	must(!peer_free(peer, PROCESS, indices, n));
	must(!peer_free_bulk(peer, PROCESS, indices + n, more));
	must(cached(user) == before + n);
	cpu_pin(0);
}

/* All that is in the depot. */
static void take_rest(int fd)
{
	struct blockpool_stats stats = pool_stats(fd);
	__u32 indices[NR_BLOCKS];

	must(!pool_alloc(fd, indices, stats.nr_free - stats.nr_cached));
	stats = pool_stats(fd);
	must(stats.nr_free == stats.nr_cached);
}

/*
 * What a magazine keeps
 */
TEST_F(magazine, keeps_what_the_kernel_gives_back)
{
	int index = peer_take(self->peer, PROCESS);

	ASSERT_LE(0, index);
	EXPECT_EQ(self->half, cached(self->user));
	pool_check(self->user, 1);
	ASSERT_EQ(0, peer_give(self->peer, PROCESS, index));
	EXPECT_EQ(self->half + 1, cached(self->user));
	EXPECT_EQ(1, pool_stats(self->user).frees);
	EXPECT_EQ(NR_BLOCKS, pool_stats(self->user).nr_free);
	pool_check(self->user, 0);

	/* The last in is the first out. */
	EXPECT_EQ(index, peer_take(self->peer, PROCESS));
	ASSERT_EQ(0, peer_give(self->peer, PROCESS, index));
}

TEST_F(magazine, keeps_nothing_of_a_client)
{
	__u32 indices[NR_BLOCKS];

	hoard(self->user, self->peer, 0, 3);
	for (int i = 0; i < 10; i++) {
		ASSERT_EQ(0, pool_alloc(self->user, indices, 20));
		ASSERT_EQ(0, pool_free(self->user, indices, 20, NULL));
	}
	EXPECT_EQ(3, cached(self->user));
}

TEST_F(magazine, has_bounds)
{
	__u32 indices[NR_BLOCKS];

	for (int cpu = 0; cpu <= self->last; cpu++) {
		cpu_pin(cpu);
		ASSERT_EQ(200, peer_alloc(self->peer, PROCESS, indices, 200));
		ASSERT_EQ(0, peer_free(self->peer, PROCESS, indices, 200));
		EXPECT_LE(self->half * (cpu + 1), cached(self->user));
		EXPECT_GE(self->room * (cpu + 1), cached(self->user));
		pool_check(self->user, 0);
	}
}

/* None is kept of a pool that is too small to be shared out. */
TEST(small_pools_have_none)
{
	char name[BLOCKPOOL_NAME_SIZE];
	__u32 nr = 32 * cpu_count() - 1, *indices;
	int user, peer;

	pool_name(name);
	user = pool_new(name, 64, nr);
	peer = peer_join(name);
	indices = calloc(nr, sizeof(*indices));
	ASSERT_EQ(nr, peer_alloc(peer, PROCESS, indices, nr));
	ASSERT_EQ(0, peer_free(peer, PROCESS, indices, nr));
	EXPECT_EQ(0, cached(user));
	pool_drain(user);
	free(indices);
	close(peer);
	close(user);
}

/*
 * Bulk
 */
TEST_F(magazine, bulk_of_half)
{
	__u32 indices[NR_BLOCKS], n = self->half;

	ASSERT_EQ(0, peer_alloc_bulk(self->peer, PROCESS, indices, n));
	EXPECT_EQ(self->half, cached(self->user));
	ASSERT_EQ(0, peer_free_bulk(self->peer, PROCESS, indices, n));
	EXPECT_EQ(self->room, cached(self->user));
	EXPECT_EQ(n, pool_stats(self->user).frees);
	pool_check(self->user, 0);

	/* One more has no room: a cold half goes to the depot. */
	ASSERT_EQ(0, pool_alloc(self->user, indices, n));
	ASSERT_EQ(0, peer_alloc_bulk(self->peer, PROCESS, indices + n, n + 1));
	ASSERT_EQ(0, peer_give(self->peer, PROCESS, indices[n]));
	pool_check(self->user, 2 * n);
}

TEST_F(magazine, bulk_beyond_half)
{
	__u32 indices[NR_BLOCKS], n = self->half + 1;

	hoard(self->user, self->peer, 0, 2);
	ASSERT_EQ(0, peer_alloc_bulk(self->peer, PROCESS, indices, n));
	EXPECT_EQ(2, cached(self->user));
	ASSERT_EQ(0, peer_free_bulk(self->peer, PROCESS, indices, n));
	EXPECT_EQ(2, cached(self->user));
	pool_check(self->user, 0);
	ASSERT_EQ(0, peer_alloc_bulk(self->peer, PROCESS, indices, NR_BLOCKS));
	pool_check(self->user, NR_BLOCKS);
	ASSERT_EQ(0, peer_free_bulk(self->peer, PROCESS, indices, NR_BLOCKS));
}

/* A part is here and a part in the depot, neither of them enough. */
TEST_F(magazine, bulk_of_both)
{
	__u32 indices[NR_BLOCKS], here = self->half + 1, there = here + 1;
	__u32 n = here + there;

	hoard(self->user, self->peer, 0, here);
	ASSERT_EQ(0, pool_alloc(self->user, indices, NR_BLOCKS - n));
	pool_check(self->user, NR_BLOCKS - n);
	ASSERT_EQ(here, cached(self->user));

	EXPECT_EQ(-EAGAIN, peer_alloc_bulk(self->peer, PROCESS, indices, n + 1));
	pool_check(self->user, NR_BLOCKS - n);
	EXPECT_EQ(n, pool_stats(self->user).nr_free);

	EXPECT_EQ(0, peer_alloc_bulk(self->peer, PROCESS, indices, n));
	pool_check(self->user, NR_BLOCKS);
	EXPECT_EQ(0, peer_free_bulk(self->peer, PROCESS, indices, n));
}

/* The same as one call, before anything was refused. */
TEST_F(magazine, bulk_of_both_at_once)
{
	__u32 indices[NR_BLOCKS], here = self->half + 1, there = here + 1;

	hoard(self->user, self->peer, 0, here);
	ASSERT_EQ(0, pool_alloc(self->user, indices,
				NR_BLOCKS - here - there));
	EXPECT_EQ(0, peer_alloc_bulk(self->peer, PROCESS, indices,
				     here + there));
	pool_check(self->user, NR_BLOCKS);
}

/* What is on another CPU a caller who cannot sleep does not get, nor lose. */
TEST_F(magazine, bulk_that_is_elsewhere)
{
	__u32 indices[NR_BLOCKS], n = self->half + 1;

	if (!self->last)
		SKIP(return, "one CPU");
	hoard(self->user, self->peer, self->last, n);
	take_rest(self->user);
	EXPECT_EQ(-EAGAIN, peer_alloc_bulk(self->peer, PROCESS, indices, n));
	EXPECT_EQ(-EAGAIN, peer_take(self->peer, PROCESS));
	EXPECT_EQ(n, cached(self->user));
	pool_check(self->user, NR_BLOCKS - n);
	cpu_pin(self->last);
	EXPECT_EQ(0, peer_alloc_bulk(self->peer, PROCESS, indices, n));
	pool_check(self->user, NR_BLOCKS);
}

/*
 * Who may sleep gets what is in any magazine
 */
FIXTURE(hidden)
{
	FIXTURE_DATA(magazine) pool;
	__u32 n;		/* in magazines; the depot is empty */
};

FIXTURE_VARIANT(hidden)
{
	bool here, there;
};

FIXTURE_VARIANT_ADD(hidden, here)
{
	.here = true,
};

FIXTURE_VARIANT_ADD(hidden, there)
{
	.there = true,
};

FIXTURE_VARIANT_ADD(hidden, here_and_there)
{
	.here = true, .there = true,
};

FIXTURE_SETUP(hidden)
{
	magazine_setup(_metadata, &self->pool, NULL);
	if (_metadata->exit_code)
		return;
	if (variant->there && !self->pool.last)
		SKIP(return, "one CPU");
	if (variant->here)
		hoard(self->pool.user, self->pool.peer, 0, 5);
	if (variant->there)
		hoard(self->pool.user, self->pool.peer, self->pool.last, 7);
	self->n = variant->here * 5 + variant->there * 7;
	take_rest(self->pool.user);
	ASSERT_EQ(self->n, cached(self->pool.user));
}

/* In the end the depot has got them all. */
FIXTURE_TEARDOWN(hidden)
{
	EXPECT_EQ(0, cached(self->pool.user));
	magazine_teardown(_metadata, &self->pool, NULL);
}

TEST_F(hidden, from_alloc)
{
	__u32 indices[NR_BLOCKS];

	for (__u32 i = 0; i < self->n; i++)
		ASSERT_LE(0, pool_take(self->pool.user));
	EXPECT_EQ(0, pool_stats(self->pool.user).failures);
	pool_check(self->pool.user, NR_BLOCKS);
	ASSERT_EQ(-EAGAIN, pool_alloc(self->pool.user, indices, 1));
}

TEST_F(hidden, from_alloc_of_all)
{
	__u32 indices[NR_BLOCKS];

	ASSERT_EQ(0, pool_alloc(self->pool.user, indices, self->n));
	pool_check(self->pool.user, NR_BLOCKS);
}

TEST_F(hidden, from_alloc_of_more)
{
	__u32 indices[NR_BLOCKS];

	ASSERT_EQ(-EAGAIN, pool_alloc(self->pool.user, indices, self->n + 1));
	EXPECT_EQ(self->n, pool_stats(self->pool.user).nr_free);
	pool_check(self->pool.user, NR_BLOCKS - self->n);
}

TEST_F(hidden, from_alloc_wait_of_all)
{
	__u32 indices[NR_BLOCKS];

	ASSERT_EQ(0, pool_alloc_wait(self->pool.user, indices, self->n, LONG_MS));
	pool_check(self->pool.user, NR_BLOCKS);
}

/* It does not sleep, so they must be there when it would. */
TEST_F(hidden, from_alloc_wait_of_no_time)
{
	__u32 indices[NR_BLOCKS];

	ASSERT_EQ(0, pool_alloc_wait(self->pool.user, indices, self->n, 0));
	pool_check(self->pool.user, NR_BLOCKS);
}

TEST_F(hidden, from_poll)
{
	struct pollfd poll_fd = { .fd = self->pool.user, .events = POLLOUT };

	ASSERT_EQ(1, poll(&poll_fd, 1, 0));
	ASSERT_EQ(POLLOUT, poll_fd.revents);
	EXPECT_EQ(0, cached(self->pool.user));
}

TEST_F(hidden, from_the_kernel)
{
	__u32 indices[NR_BLOCKS];

	ASSERT_EQ(self->n, peer_op(self->pool.peer, BLOCKPOOL_PEER_ALLOC,
				   PROCESS, BLOCKPOOL_PEER_SLEEP, indices,
				   self->n));
	pool_check(self->pool.user, NR_BLOCKS);
}

TEST_F(hidden, from_the_kernel_in_bulk)
{
	__u32 indices[NR_BLOCKS];

	ASSERT_EQ(0, peer_op(self->pool.peer, BLOCKPOOL_PEER_ALLOC_BULK,
			     PROCESS, BLOCKPOOL_PEER_SLEEP, indices, self->n));
	pool_check(self->pool.user, NR_BLOCKS);
	EXPECT_EQ(0, cached(self->pool.user));
}

/*
 * While somebody waits
 */

/* Blocks that the kernel gives back on any CPU go to the first in the queue. */
TEST_F(magazine, first_come_first_served)
{
	static const __u32 wants[] = { 2, 1, 3, 1, 1, 4 };
	struct waiter waiters[ARRAY_SIZE(wants)];
	__u32 indices[NR_BLOCKS], given = 0, due = 0;
	size_t i;

	hoard(self->user, self->peer, 0, 3);
	hoard(self->user, self->peer, self->last, 3);
	ASSERT_EQ(0, peer_op(self->peer, BLOCKPOOL_PEER_ALLOC_BULK, PROCESS,
			     BLOCKPOOL_PEER_SLEEP, indices, NR_BLOCKS));
	for (i = 0; i < ARRAY_SIZE(wants); i++)
		waiters[i] = waiter_start(self->name, wants[i], -1);
	for (i = 0; i < ARRAY_SIZE(wants); i++) {
		for (due += wants[i]; given < due; given++) {
			ASSERT_EQ(ARRAY_SIZE(wants) - i,
				  pool_stats(self->user).nr_waiting);
			cpu_pin(given % 2 ? self->last : 0);
			ASSERT_EQ(0, peer_give(self->peer, PROCESS,
					       indices[given]));
			ASSERT_EQ(0, cached(self->user));
		}
		ASSERT_EQ(0, waiter_result(&waiters[i]));
	}
	EXPECT_EQ(0, pool_stats(self->user).nr_waiting);
	pool_check(self->user, NR_BLOCKS);

	/* When none waits any more, magazines keep again what comes back. */
	ASSERT_EQ(0, peer_give(self->peer, PROCESS, indices[given++]));
	EXPECT_EQ(1, cached(self->user));
	for (i = 0; i < ARRAY_SIZE(wants); i++)
		waiter_end(&waiters[i]);
}

/* Takes and frees in the kernel without a pause, until it is killed. */
static pid_t churner(const char *name, int cpu, __u32 flags, __u32 depth,
		     __u32 batch)
{
	struct blockpool_peer_churn churn = {
		.context = PROCESS,
		.flags = flags,
		.steps = 100,
		.depth = depth,
		.batch = batch,
		.length = 8,
	};
	pid_t pid;
	int peer;

	cpu_pin(cpu);	/* before: the CPU may soon be gone */
	pid = child_fork();
	if (pid) {
		cpu_pin(0);
		return pid;
	}
	peer = peer_join(name);
	for (churn.seed = getpid() << 16; ; churn.seed++) {
		must(!pool_ioctl(peer, BLOCKPOOL_PEER_CHURN_RUN, &churn));
		if (churn.corrupted || churn.taken != churn.freed)
			pool_fatal("%llu blocks were not its own",
				   churn.corrupted);
	}
}

/* The same for a client, of single blocks; it is refused while others wait. */
static pid_t client(const char *name)
{
	pid_t pid = child_fork();
	int fd, index;

	if (pid)
		return pid;
	fd = pool_join(name);
	for (;;) {
		index = pool_take(fd);
		must(index >= 0 || index == -EAGAIN);
		must(index < 0 || !pool_give(fd, index));
	}
}

static void kill_all(pid_t *pids, int n)
{
	for (int i = 0; i < n; i++)
		must(child_kill(pids[i]) == 128 + SIGKILL);
}

/* Those who cannot wait hold 40 at most, so that there are always enough. */
TEST_F(magazine, a_bulk_waiter_against_single_ones)
{
	__u32 indices[NR_BLOCKS];
	pid_t pids[6];
	int n = 0;

	pids[n++] = churner(self->name, 0, 0, 20, 1);
	pids[n++] = churner(self->name, self->last, 0, 20, 1);
	pids[n++] = churner(self->name, 0, BLOCKPOOL_PEER_SLEEP, 1, 1);
	pids[n++] = churner(self->name, self->last, BLOCKPOOL_PEER_SLEEP, 1, 1);
	pids[n++] = client(self->name);
	pids[n++] = client(self->name);
	for (int i = 0; i < 40; i++) {
		ASSERT_EQ(0, pool_alloc_wait(self->user, indices, 200,
					     LONG_MS));
		ASSERT_EQ(0, pool_free(self->user, indices, 200, NULL));
	}
	kill_all(pids, n);
	pool_await_held(self->user, 0);
}

/* Has a block nearly always, also while others run, until it is killed. */
static pid_t hoarder(const char *name, int cpu, __u32 flags)
{
	pid_t pid = child_fork();
	__u32 index;
	int peer;

	if (pid)
		return pid;
	cpu_pin(cpu);
	peer = peer_join(name);
	for (;;) {
		if (peer_op(peer, BLOCKPOOL_PEER_ALLOC, PROCESS, flags, &index,
			    1) != 1)
			continue;
		sched_yield();
		must(!peer_give(peer, PROCESS, index));
	}
}

/*
 * The guarantee: of 64 blocks, 32 that keep the magazines in motion hold one each.
 * A quarter of them cannot wait, and the others do it behind those who came first:
 * who sleeps for 56 gets them.
 */
#define HOARDERS	32
#define TIGHT_BLOCKS	64U
#define FOR_SLEEPERS	(TIGHT_BLOCKS - HOARDERS / 4)

TEST(sleepers_never_starve)
{
	__u32 indices[TIGHT_BLOCKS], n = FOR_SLEEPERS;
	char name[BLOCKPOOL_NAME_SIZE];
	struct blockpool_stats stats;
	pid_t pids[HOARDERS];
	int user, peer;

	pool_name(name);
	user = pool_new(name, 64, TIGHT_BLOCKS);
	peer = peer_join(name);
	for (int i = 0; i < HOARDERS; i++)
		pids[i] = hoarder(name, i % cpu_count(),
				  i % 8 > 1 ? BLOCKPOOL_PEER_SLEEP : 0);
	for (int i = 0; i < 30; i++) {
		ASSERT_EQ(0, pool_alloc_wait(user, indices, n - i % 8, LONG_MS));
		ASSERT_EQ(0, pool_free(user, indices, n - i % 8, NULL));
		ASSERT_EQ(0, peer_op(peer, BLOCKPOOL_PEER_ALLOC_BULK, PROCESS,
				     BLOCKPOOL_PEER_SLEEP, indices, n));
		ASSERT_EQ(0, peer_free(peer, PROCESS, indices, n));
	}
	kill_all(pids, HOARDERS);
	pool_await_held(user, 0);
	stats = pool_stats(user);
	ksft_print_msg("%llu blocks were taken, %llu times one had to wait\n",
		       stats.allocs, stats.waits);
	EXPECT_LT(30, stats.waits);
	close(peer);
	pool_drain(user);
	close(user);
}

/*
 * CPUs that go and come
 */
static int cpu_online(int cpu, bool online)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online",
		 cpu);
	return file_write(path, online ? "1" : "0");
}

static bool cpus_stay(int last)
{
	return !last || cpu_online(last, true);
}

TEST_F(magazine, of_a_cpu_that_goes_offline)
{
	__u32 indices[NR_BLOCKS];

	if (cpus_stay(self->last))
		SKIP(return, "no CPU can be taken offline");
	hoard(self->user, self->peer, self->last, self->room);
	hoard(self->user, self->peer, 0, 3);
	ASSERT_EQ(0, cpu_online(self->last, false));
	EXPECT_EQ(3, cached(self->user));
	EXPECT_EQ(NR_BLOCKS, pool_stats(self->user).nr_free);
	pool_check(self->user, 0);
	EXPECT_EQ(0, pool_alloc(self->user, indices, NR_BLOCKS));
	EXPECT_EQ(0, pool_free(self->user, indices, NR_BLOCKS, NULL));
	ASSERT_EQ(0, cpu_online(self->last, true));

	/* And it is as before. */
	hoard(self->user, self->peer, self->last, self->room);
	EXPECT_EQ(self->room, cached(self->user));
}

/* And while somebody waits for more than the other CPU can have. */
TEST_F(magazine, of_a_cpu_that_goes_while_all_churn)
{
	__u32 indices[NR_BLOCKS], n = NR_BLOCKS - 64;
	pid_t pids[4];

	if (cpus_stay(self->last))
		SKIP(return, "no CPU can be taken offline");
	for (int i = 0; i < 3; i++) {
		for (int k = 0; k < 4; k++)
			pids[k] = churner(self->name, k % 2 ? self->last : 0,
					  k / 2 * BLOCKPOOL_PEER_SLEEP, 16, 4);
		ASSERT_EQ(0, pool_alloc_wait(self->user, indices, n, LONG_MS));
		ASSERT_EQ(0, pool_free(self->user, indices, n, NULL));
		ASSERT_EQ(0, cpu_online(self->last, false));
		EXPECT_EQ(0, pool_alloc_wait(self->user, indices, n, LONG_MS));
		EXPECT_EQ(0, pool_free(self->user, indices, n, NULL));
		ASSERT_EQ(0, cpu_online(self->last, true));
		kill_all(pids, 4);
		pool_await_held(self->user, 0);
	}
}

TEST_HARNESS_MAIN

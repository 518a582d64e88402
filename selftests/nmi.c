// SPDX-License-Identifier: GPL-2.0
/*
 * Blocks taken and given back in NMIs that come at any instruction; also just when
 * the interrupted is inside its CPU's magazine, or has the depot's lock.
 *
 * What every context has to do the same is in kernel_api.c.
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "harness.h"
#include "peer/user.h"

#define PROCESS		BLOCKPOOL_PEER_PROCESS
#define SOFTIRQ		BLOCKPOOL_PEER_SOFTIRQ
#define HARDIRQ		BLOCKPOOL_PEER_HARDIRQ
#define NMI		BLOCKPOOL_PEER_NMI
#define NO_NMIS		"this machine has no NMIs to send, or one CPU"
#define STAMP		16U	/* bytes of a block that say whose it is */

/* Whether there is a second CPU, too, to send them from. */
static bool no_nmis(void)
{
	int fd = peer_join("default");
	__u32 contexts = peer_contexts(fd);

	close(fd);
	return contexts <= NMI || cpu_count() < 2;
}

static int churn_start(const char *name, __u32 context, __u32 flags,
		       __u32 depth, __u32 batch)
{
	static __u32 seed = 1;
	struct blockpool_peer_churn churn = {
		.context = context,
		.flags = flags,
		.interval_us = 200,
		.depth = depth,
		.batch = batch,
		.length = STAMP,
		.seed = seed++,
	};
	int fd = peer_join(name);
	int ret = pool_ioctl(fd, BLOCKPOOL_PEER_CHURN_START, &churn);

	if (ret)
		pool_fatal("churn in context %u: %s", context, strerror(-ret));
	return fd;
}

static struct blockpool_peer_churn churn_stop(int fd)
{
	struct blockpool_peer_churn churn;

	must(!pool_ioctl(fd, BLOCKPOOL_PEER_CHURN_STOP, &churn));
	close(fd);
	return churn;
}

static void tell(const char *who, const struct blockpool_peer_churn *churn)
{
	ksft_print_msg("%-8s %6llu steps, %5llu in the magazine, %5llu in the depot\n",
		       who, churn->done, churn->in_magazine, churn->in_depot);
	ksft_print_msg("         took %6llu, denied %5llu, put aside %5llu\n",
		       churn->taken, churn->denied, churn->aside);
}

/*
 * One context is interrupted at each of its steps
 */
#define ROUNDS		100
#define TAKE		20U	/* more than is refilled, so from the depot */

FIXTURE(interrupted)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int user, peer;
};

FIXTURE_VARIANT(interrupted)
{
	__u32 where;
	__u32 context;
};

#define INSIDE(in, of)	{ .where = BLOCKPOOL_PEER_IN_##in, .context = of }

FIXTURE_VARIANT_ADD(interrupted, magazine_process) INSIDE(MAGAZINE, PROCESS);
FIXTURE_VARIANT_ADD(interrupted, magazine_softirq) INSIDE(MAGAZINE, SOFTIRQ);
FIXTURE_VARIANT_ADD(interrupted, magazine_hardirq) INSIDE(MAGAZINE, HARDIRQ);
FIXTURE_VARIANT_ADD(interrupted, depot_process) INSIDE(DEPOT, PROCESS);
FIXTURE_VARIANT_ADD(interrupted, depot_softirq) INSIDE(DEPOT, SOFTIRQ);
FIXTURE_VARIANT_ADD(interrupted, depot_hardirq) INSIDE(DEPOT, HARDIRQ);

FIXTURE_SETUP(interrupted)
{
	if (no_nmis())
		SKIP(return, NO_NMIS);
	cpu_pin(0);
	pool_name(self->name);
	self->user = pool_new(self->name, 64, 256);
	self->peer = peer_join(self->name);
}

FIXTURE_TEARDOWN(interrupted)
{
	close(self->peer);
	pool_drain(self->user);
	EXPECT_EQ(0, pool_stats(self->user).refused);
	close(self->user);
}

TEST_F(interrupted, at_each_step)
{
	int nmi = churn_start(self->name, NMI, variant->where, 32, 1);
	struct blockpool_peer_churn churn;
	__u32 indices[TAKE], n;

	for (int i = 0; i < ROUNDS; i++) {
		n = i % 2 ? 1 : TAKE;
		ASSERT_EQ(0, peer_alloc_bulk(self->peer, variant->context,
					     indices, n));
		ASSERT_EQ(0, peer_free(self->peer, variant->context, indices,
				       n));
	}
	churn = churn_stop(nmi);
	tell("NMI", &churn);
	EXPECT_EQ(0, churn.corrupted);
	EXPECT_EQ(churn.taken, churn.freed);
	EXPECT_LT(0, churn.taken);
	EXPECT_LT(0, churn.aside);
	if (variant->where == BLOCKPOOL_PEER_IN_MAGAZINE) {
		EXPECT_LE(ROUNDS, churn.in_magazine);
	} else {
		EXPECT_LE(ROUNDS / 2, churn.in_depot);
		EXPECT_LT(0, churn.denied);
	}
	pool_check(self->user, 0);
}

/*
 * A block that an NMI puts aside goes to whoever sleeps for it, though nobody else
 * gives one back: STATS takes the depot's lock, and serves no one.
 */
TEST(serves_a_sleeper)
{
	struct blockpool_peer_churn churn;
	char name[BLOCKPOOL_NAME_SIZE];
	struct pollfd poll_fd = { .events = POLLIN };
	struct waiter waiter;
	int user, nmi, served = 0;

	if (no_nmis())
		SKIP(return, NO_NMIS);
	pool_name(name);
	user = pool_new(name, 64, 1);
	cpu_pin(0);
	nmi = churn_start(name, NMI, BLOCKPOOL_PEER_IN_DEPOT, 1, 1);
	/* The block is the NMI's, and the other CPU is left alone. */
	do {
		cpu_pin(0);
		pool_stats(user);
		cpu_pin(1);
	} while (!pool_stats(user).nr_kernel);
	waiter = waiter_start(name, 1, -1);
	poll_fd.fd = waiter.fd;
	cpu_pin(0);
	for (int i = 0; i < 10000 && !served; i++) {
		pool_stats(user);
		served = poll(&poll_fd, 1, 0);
	}
	EXPECT_EQ(1, served);
	churn = churn_stop(nmi);
	EXPECT_LT(0, churn.aside);
	waiter_end(&waiter);
	pool_drain(user);
	close(user);
}

/*
 * All contexts on one CPU, with others at the depot from a second
 */
#define SECONDS		3
#define NR_BLOCKS	128

struct worker {
	pthread_t thread;
	const char *name;
	int cpu;
	bool *stop;
	struct blockpool_peer_churn churn;
};

static void add(struct blockpool_peer_churn *sum,
		const struct blockpool_peer_churn *churn)
{
	sum->done += churn->done;
	sum->taken += churn->taken;
	sum->freed += churn->freed;
	sum->failed += churn->failed;
	sum->corrupted += churn->corrupted;
	sum->in_magazine += churn->in_magazine;
	sum->in_depot += churn->in_depot;
	sum->denied += churn->denied;
	sum->aside += churn->aside;
}

/* In process context, in the peer. */
static void *work(void *arg)
{
	struct worker *worker = arg;
	struct blockpool_peer_churn churn = {
		.context = PROCESS,
		.steps = 500,
		.depth = 16,
		.batch = 8,
		.length = STAMP,
		.seed = 1000 + worker->cpu,
	};
	int fd = peer_join(worker->name);

	cpu_pin(worker->cpu);
	while (!__atomic_load_n(worker->stop, __ATOMIC_RELAXED)) {
		must(!pool_ioctl(fd, BLOCKPOOL_PEER_CHURN_RUN, &churn));
		add(&worker->churn, &churn);
	}
	close(fd);
	return NULL;
}

static void worker_start(struct worker *worker, const char *name, int cpu,
			 bool *stop)
{
	*worker = (struct worker) { .name = name, .cpu = cpu, .stop = stop };
	must(!pthread_create(&worker->thread, NULL, work, worker));
}

/* A client, which from time to time takes all that it can get. */
static __u64 use(int fd, int seconds)
{
	time_t end = time(NULL) + seconds;
	__u32 indices[NR_BLOCKS], n;
	unsigned int seed = 1;
	__u64 taken = 0;

	while (time(NULL) <= end) {
		n = rand_r(&seed) % (rand_r(&seed) % 8 ? 8 : NR_BLOCKS) + 1;
		if (pool_alloc_wait(fd, indices, n, 2))
			continue;
		taken += n;
		must(!pool_free(fd, indices, n, NULL));
	}
	return taken;
}

TEST(storm)
{
	static const char *const names[] = {
		"softirq", "hardirq", "by depot", "by magaz", "by IPI",
	};
	struct blockpool_peer_churn churn, all = {};
	char name[BLOCKPOOL_NAME_SIZE];
	int user, fds[5], i;
	struct worker workers[2];
	__u64 taken;
	bool stop = false;

	if (no_nmis())
		SKIP(return, NO_NMIS);
	pool_name(name);
	user = pool_new(name, 64, NR_BLOCKS);
	cpu_pin(0);
	fds[0] = churn_start(name, SOFTIRQ, 0, 16, 8);
	fds[1] = churn_start(name, HARDIRQ, 0, 16, 8);
	fds[2] = churn_start(name, NMI, BLOCKPOOL_PEER_IN_DEPOT, 8, 4);
	fds[3] = churn_start(name, NMI, BLOCKPOOL_PEER_IN_MAGAZINE, 8, 4);
	cpu_pin(1);
	fds[4] = churn_start(name, NMI, 0, 16, 8);
	worker_start(&workers[0], name, 0, &stop);
	worker_start(&workers[1], name, 1, &stop);
	taken = use(user, SECONDS);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	cpu_unpin();

	for (i = 0; i < 2; i++) {
		must(!pthread_join(workers[i].thread, NULL));
		tell("process", &workers[i].churn);
		add(&all, &workers[i].churn);
	}
	for (i = 4; i >= 0; i--) {
		churn = churn_stop(fds[i]);
		tell(names[i], &churn);
		EXPECT_LT(0, churn.taken) TH_LOG("%s", names[i]);
		add(&all, &churn);
	}
	ksft_print_msg("the client took %llu\n", taken);
	EXPECT_LT(0, taken);
	EXPECT_EQ(0, all.corrupted);
	EXPECT_EQ(all.taken, all.freed);
	EXPECT_LT(0, all.in_magazine);
	EXPECT_LT(0, all.in_depot);
	EXPECT_LT(0, all.denied);
	EXPECT_LT(0, all.aside);
	EXPECT_EQ(all.taken + taken, pool_stats(user).allocs);
	EXPECT_EQ(0, pool_stats(user).refused);
	pool_drain(user);
	close(user);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/*
 * churn [SECONDS] - no block ever has two owners
 *
 * Processes, some of which are killed all the time, and a kernel module in
 * process, softirq, hardirq and NMI context take and free the blocks of one small
 * pool at random.  Whoever gets a block stamps it over its whole length, and
 * checks the whole stamp before giving it back.  In the end every block is free.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "kselftest.h"
#include "peer/user.h"

#define SECONDS		30	/* BLOCKPOOL_CHURN_SECONDS in the environment */
#define GRACE		60	/* seconds until all must have come to an end */
#define BLOCK_SIZE	500	/* not a multiple of a stamp, nor of the stride */
#define NR_BLOCKS	128	/* fewer than all would like to hold together */
#define USERS		8	/* processes that use the device */
#define WORKERS		(USERS + 1)	/* and one that is in the peer */
#define DEPTH		32	/* blocks that one of them holds at most */
#define BATCH		12
#define CPUS_MAX	8
#define TICK_US		400	/* a step of the peer, in each context and CPU */
#define KILL_MS		40	/* at most, from one kill to the next */

/* Seeds of the peer's stamps; those of processes have the top bit set. */
#define SEED_WORKER	1U
#define SEED_TICK	100U
#define SEED_USER	0x80000000U

/* What a worker did; it outlives the worker, and goes on with the next one. */
struct tally {
	__u64 taken;
	__u64 freed;
	__u64 waited;		/* allocation calls that were ready to wait */
	__u64 failed;		/* allocation calls that got nothing */
	__u64 refused;		/* frees of what is not ours, refused */
	__u64 stolen;		/* the same, not refused */
	__u64 corrupted;
	__u64 reopened;		/* clients closed with blocks in hand */
};

struct shared {
	bool stop;
	struct tally tally[WORKERS];
};

struct held {
	__u32 index;
	__u64 stamp;
};

/* A process with a client. */
struct user {
	const char *name;
	struct tally *tally;
	const bool *stop;
	int fd;
	char *map;
	struct blockpool_info info;
	unsigned int random;
	__u64 stamp;		/* the next */
	__u32 nr_held;
	struct held held[DEPTH];
};

static __u32 below(struct user *user, __u32 limit)
{
	return rand_r(&user->random) % limit;
}

static char *block_of(struct user *user, __u32 index)
{
	return user->map + user->info.block_offset +
	       (size_t)index * user->info.stride;
}

static void stamp(struct user *user, __u32 index)
{
	struct held *held = &user->held[user->nr_held++];
	char *block = block_of(user, index);

	held->index = index;
	held->stamp = user->stamp++;
	for (size_t i = 0; i < BLOCK_SIZE; i++)
		block[i] = ((char *)&held->stamp)[i % sizeof(held->stamp)];
}

static void check(struct user *user, const struct held *held)
{
	const char *block = block_of(user, held->index);

	for (size_t i = 0; i < BLOCK_SIZE; i++) {
		if (block[i] == ((char *)&held->stamp)[i % sizeof(held->stamp)])
			continue;
		user->tally->corrupted++;
		fprintf(stderr, "# block %u changed at byte %zu while %llx had it\n",
			held->index, i, held->stamp);
		return;
	}
}

/* Who holds blocks waits for a moment only: everybody else might do the same. */
static int take_some(struct user *user, __u32 *indices, __u32 n)
{
	switch (below(user, 3)) {
	case 0:
		return pool_alloc(user->fd, indices, n);
	case 1:
		user->tally->waited++;
		return pool_alloc_wait(user->fd, indices, n, below(user, 10));
	default:
		user->tally->waited++;
		return pool_alloc_wait(user->fd, indices, n,
				       user->nr_held ? 5 : -1);
	}
}

static void take(struct user *user)
{
	__u32 indices[BATCH], n = 1 + below(user, BATCH);
	int ret;

	if (n > DEPTH - user->nr_held)
		return;
	ret = take_some(user, indices, n);
	if (ret && ret != -EAGAIN && ret != -ETIMEDOUT)
		pool_fatal("taking %u: %s", n, strerror(-ret));
	if (ret) {
		user->tally->failed++;
		return;
	}
	user->tally->taken += n;
	for (__u32 i = 0; i < n; i++)
		stamp(user, indices[i]);
}

static void give(struct user *user, __u32 n)
{
	__u32 indices[DEPTH], at;
	int ret;

	if (n > user->nr_held)
		n = user->nr_held;
	if (!n)
		return;
	for (__u32 i = 0; i < n; i++) {
		at = below(user, user->nr_held);
		check(user, &user->held[at]);
		indices[i] = user->held[at].index;
		user->held[at] = user->held[--user->nr_held];
	}
	ret = pool_free(user->fd, indices, n, NULL);
	if (ret)
		pool_fatal("freeing own blocks: %s", strerror(-ret));
	user->tally->freed += n;
}

static bool holds(const struct user *user, __u32 index)
{
	for (__u32 i = 0; i < user->nr_held; i++)
		if (user->held[i].index == index)
			return true;
	return false;
}

/* Whether it is free, another's or the kernel's, it is not ours to free. */
static void steal(struct user *user)
{
	__u32 index = below(user, NR_BLOCKS);
	int ret;

	if (holds(user, index))
		return;
	ret = pool_give(user->fd, index);
	if (ret && ret != -EPERM)
		pool_fatal("freeing another's block: %s", strerror(-ret));
	if (ret)
		user->tally->refused++;
	else
		user->tally->stolen++;
}

static void user_open(struct user *user)
{
	user->fd = pool_join(user->name);
	user->info = pool_info(user->fd);
	user->map = pool_map(user->fd);
	user->nr_held = 0;
}

static void user_close(struct user *user)
{
	munmap(user->map, user->info.map_size);
	close(user->fd);
}

/* Leaves what it holds to the kernel, having seen that it is whole. */
static void reopen(struct user *user)
{
	for (__u32 i = 0; i < user->nr_held; i++)
		check(user, &user->held[i]);
	user_close(user);
	user_open(user);
	user->tally->reopened++;
}

static void step(struct user *user)
{
	switch (below(user, 100)) {
	case 0:
		reopen(user);
		break;
	case 1 ... 3:
		steal(user);
		break;
	case 4 ... 51:
		take(user);
		break;
	default:
		give(user, 1 + below(user, BATCH));
	}
}

static void run_user(struct user *user)
{
	user_open(user);
	while (!__atomic_load_n(user->stop, __ATOMIC_RELAXED))
		step(user);
	give(user, DEPTH);
	user_close(user);
}

static void add_churn(struct tally *tally,
		      const struct blockpool_peer_churn *churn)
{
	tally->taken += churn->taken;
	tally->freed += churn->freed;
	tally->failed += churn->failed;
	tally->corrupted += churn->corrupted;
}

static struct blockpool_peer_churn churn_of(__u32 context, __u32 seed)
{
	return (struct blockpool_peer_churn) {
		.context = context,
		.interval_us = TICK_US,
		.depth = DEPTH,
		.batch = BATCH,
		.length = BLOCK_SIZE,
		.seed = seed,
	};
}

/* The peer in process context, with takes that sleep. */
static void run_in_peer(const char *name, struct shared *shared, __u32 seed)
{
	struct blockpool_peer_churn churn;
	int fd = peer_join(name), ret;

	while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
		churn = churn_of(BLOCKPOOL_PEER_PROCESS, seed);
		churn.flags = BLOCKPOOL_PEER_SLEEP;
		churn.steps = 200;
		ret = pool_ioctl(fd, BLOCKPOOL_PEER_CHURN_RUN, &churn);
		if (ret)
			pool_fatal("the peer: %s", strerror(-ret));
		add_churn(&shared->tally[USERS], &churn);
	}
	close(fd);
}

/* No two generations of workers stamp alike. */
static pid_t start_worker(const char *name, struct shared *shared, int slot,
			  __u32 generation)
{
	struct user user = {
		.name = name,
		.tally = &shared->tally[slot],
		.stop = &shared->stop,
		.random = generation,
		.stamp = (__u64)(SEED_USER | generation) << 32,
	};
	pid_t pid = child_fork();

	if (pid)
		return pid;
	if (slot < USERS)
		run_user(&user);
	else
		run_in_peer(name, shared, SEED_WORKER);
	_exit(0);
}

/* The peer's timers fire on the CPU where they are started. */
struct ticker {
	int fd;
	__u32 context;
	struct blockpool_peer_churn churn;
};

static void start_ticker(struct ticker *ticker, const char *name, int cpu,
			 __u32 context)
{
	int ret;

	cpu_pin(cpu);
	ticker->fd = peer_join(name);
	ticker->context = context;
	ticker->churn = churn_of(context,
				 SEED_TICK + cpu * BLOCKPOOL_PEER_CONTEXTS +
				 context);
	ret = pool_ioctl(ticker->fd, BLOCKPOOL_PEER_CHURN_START,
			 &ticker->churn);
	if (ret)
		pool_fatal("the peer: %s", strerror(-ret));
	cpu_unpin();
}

static int start_tickers(struct ticker *tickers, const char *name,
			 __u32 contexts)
{
	__u32 context;
	int n = 0;

	for (int cpu = 0; cpu < CPUS_MAX && cpu < cpu_count(); cpu++)
		for (context = BLOCKPOOL_PEER_SOFTIRQ; context < contexts;
		     context++)
			start_ticker(&tickers[n++], name, cpu, context);
	return n;
}

/* All that this machine has. */
static __u32 contexts_there(const char *name)
{
	int fd = peer_join(name);
	__u32 contexts = peer_contexts(fd);

	close(fd);
	return contexts;
}

static void stop_tickers(struct ticker *tickers, int n)
{
	int ret;

	for (int i = 0; i < n; i++) {
		ret = pool_ioctl(tickers[i].fd, BLOCKPOOL_PEER_CHURN_STOP,
				 &tickers[i].churn);
		if (ret)
			pool_fatal("the peer: %s", strerror(-ret));
		close(tickers[i].fd);
	}
}

/* The whole test. */
struct churn {
	char name[BLOCKPOOL_NAME_SIZE];
	int fd;
	struct shared *shared;
	pid_t pids[WORKERS];
	__u32 generation;
	__u64 kills;
	__u64 looks;		/* at the statistics, meanwhile */
	__u64 bad_looks;
	__u64 bad_ends;		/* of workers */
	__u32 contexts;
	int nr_tickers;
	struct ticker tickers[BLOCKPOOL_PEER_CONTEXTS * CPUS_MAX];
};

static void start(struct churn *churn)
{
	pool_name(churn->name);
	churn->fd = pool_new(churn->name, BLOCK_SIZE, NR_BLOCKS);
	churn->shared = mmap(NULL, sizeof(*churn->shared),
			     PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(churn->shared != MAP_FAILED);
	for (int slot = 0; slot < WORKERS; slot++)
		churn->pids[slot] = start_worker(churn->name, churn->shared,
						 slot, ++churn->generation);
	churn->contexts = contexts_there(churn->name);
	churn->nr_tickers = start_tickers(churn->tickers, churn->name,
					  churn->contexts);
}

/* A worker that found something wrong may be dead before it is killed. */
static void replace_one(struct churn *churn)
{
	int slot = rand() % WORKERS, status = child_kill(churn->pids[slot]);

	if (status != 128 + SIGKILL)
		churn->bad_ends++;
	churn->kills++;
	churn->pids[slot] = start_worker(churn->name, churn->shared, slot,
					 ++churn->generation);
}

/* What must hold at any time, whatever is going on. */
static void look(struct churn *churn)
{
	struct blockpool_stats stats = pool_stats(churn->fd);

	churn->looks++;
	if (stats.nr_blocks == NR_BLOCKS &&
	    stats.nr_free + stats.nr_held == stats.nr_blocks &&
	    stats.allocs == stats.frees + stats.reclaimed + stats.nr_held &&
	    stats.nr_kernel <= stats.nr_held &&
	    stats.min_free <= stats.nr_free)
		return;
	if (!churn->bad_looks++)
		ksft_print_msg("free %llu held %llu allocs %llu frees %llu reclaimed %llu\n",
			       stats.nr_free, stats.nr_held, stats.allocs,
			       stats.frees, stats.reclaimed);
}

static void go_on(struct churn *churn, int seconds)
{
	time_t end = time(NULL) + seconds;
	struct timespec nap = {};

	do {
		nap.tv_nsec = (1 + rand() % KILL_MS) * 1000000L;
		nanosleep(&nap, NULL);
		look(churn);
		replace_one(churn);
		look(churn);
	} while (time(NULL) < end);
}

static void stop(struct churn *churn)
{
	int status;

	__atomic_store_n(&churn->shared->stop, true, __ATOMIC_RELAXED);
	stop_tickers(churn->tickers, churn->nr_tickers);
	for (int slot = 0; slot < WORKERS; slot++) {
		status = child_reap(churn->pids[slot]);
		if (!status)
			continue;
		ksft_print_msg("worker %d ended with %d\n", slot, status);
		churn->bad_ends++;
	}
}

static void add(struct tally *sum, const struct tally *tally)
{
	sum->taken += tally->taken;
	sum->freed += tally->freed;
	sum->waited += tally->waited;
	sum->failed += tally->failed;
	sum->refused += tally->refused;
	sum->stolen += tally->stolen;
	sum->corrupted += tally->corrupted;
	sum->reopened += tally->reopened;
}

static void tell(const char *who, const struct tally *tally)
{
	ksft_print_msg("%-8s took %8llu, freed %8llu, got nothing %7llu times\n",
		       who, tally->taken, tally->freed, tally->failed);
}

struct sums {
	struct tally user;
	struct tally in[BLOCKPOOL_PEER_CONTEXTS];
	struct tally all;
	bool idle;		/* somebody never got a block */
	bool uneven;		/* the peer's timers did not free all they took */
};

static struct sums add_up(const struct churn *churn)
{
	const struct ticker *ticker;
	struct sums sums = {};
	__u32 context;
	int i;

	for (i = 0; i < USERS; i++) {
		add(&sums.user, &churn->shared->tally[i]);
		sums.idle |= !churn->shared->tally[i].taken;
	}
	add(&sums.in[BLOCKPOOL_PEER_PROCESS], &churn->shared->tally[USERS]);
	for (i = 0; i < churn->nr_tickers; i++) {
		ticker = &churn->tickers[i];
		add_churn(&sums.in[ticker->context], &ticker->churn);
		sums.uneven |= ticker->churn.taken != ticker->churn.freed;
	}
	add(&sums.all, &sums.user);
	for (context = 0; context < churn->contexts; context++) {
		add(&sums.all, &sums.in[context]);
		sums.idle |= !sums.in[context].taken;
	}
	return sums;
}

static void tell_all(const struct churn *churn, const struct sums *sums,
		     const struct blockpool_stats *stats)
{
	tell("users", &sums->user);
	tell("process", &sums->in[BLOCKPOOL_PEER_PROCESS]);
	tell("softirq", &sums->in[BLOCKPOOL_PEER_SOFTIRQ]);
	tell("hardirq", &sums->in[BLOCKPOOL_PEER_HARDIRQ]);
	tell("NMI", &sums->in[BLOCKPOOL_PEER_NMI]);
	ksft_print_msg("killed %llu, reopened %llu, slept %llu, refused %llu, taken back %llu\n",
		       churn->kills, sums->user.reopened, stats->waits,
		       stats->refused, stats->reclaimed);
}

/* Who was killed may have been in a call that the module counted and he did not. */
static bool counts_agree(const struct churn *churn, const struct sums *sums,
			 const struct blockpool_stats *stats)
{
	return stats->refused >= sums->user.refused &&
	       stats->refused <= sums->user.refused + churn->kills &&
	       stats->allocs >= sums->all.taken &&
	       stats->frees >= sums->all.freed;
}

static void judge(const struct churn *churn)
{
	struct blockpool_stats stats = pool_stats(churn->fd);
	struct sums sums = add_up(churn);

	tell_all(churn, &sums, &stats);
	ksft_test_result(!sums.all.corrupted, "no block had two owners\n");
	ksft_test_result(!sums.all.stolen && sums.user.refused,
			 "nobody freed another's block\n");
	ksft_test_result(!churn->bad_ends, "no call failed that should not\n");
	ksft_test_result(!churn->bad_looks && churn->looks,
			 "the statistics always added up\n");
	ksft_test_result(!sums.uneven, "the peer freed all that it took\n");
	ksft_test_result(counts_agree(churn, &sums, &stats),
			 "the module counted what the holders did\n");
	ksft_test_result(!sums.idle && stats.waits && stats.reclaimed &&
			 sums.all.failed && !stats.min_free,
			 "there was contention, exhaustion and death\n");
	ksft_test_result(pool_is_whole(churn->fd), "afterwards every block is free\n");
}

static int seconds_wanted(int argc, char **argv)
{
	const char *text = argc > 1 ? argv[1] : getenv("BLOCKPOOL_CHURN_SECONDS");
	int seconds = text ? atoi(text) : SECONDS;

	if (argc > 2 || seconds < 1) {
		fprintf(stderr, "usage: churn [SECONDS]\n");
		exit(KSFT_FAIL);
	}
	return seconds;
}

int main(int argc, char **argv)
{
	int seconds = seconds_wanted(argc, argv);
	static struct churn churn;

	ksft_print_header();
	ksft_set_plan(8);
	alarm(seconds + GRACE);
	start(&churn);
	go_on(&churn, seconds);
	stop(&churn);
	judge(&churn);
	close(churn.fd);
	ksft_finished();
}

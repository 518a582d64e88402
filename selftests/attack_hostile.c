// SPDX-License-Identifier: GPL-2.0
/*
 * attack_hostile - who writes over all that it can map harms nobody else
 *
 * Two processes fill a pool's whole mapping with random bytes, all the time, and
 * try to write where they must not.  Meanwhile others take and free that pool's
 * blocks, and so does the peer module, in each context.  Nobody there can rely on
 * what a block holds, but the kernel's bookkeeping must stay right.  In another pool
 * processes stamp each block that they take, and nothing of it may ever change.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"
#include "kselftest.h"
#include "peer/user.h"

#define FILLS		20000	/* of the whole pool, in the short run */
#define TRY_EACH	256	/* fills */
#define BLOCK_SIZE	1000
#define NR_BLOCKS	128	/* so that all in a pool find some */
#define DEPTH		16	/* blocks that one of them holds at most */
#define TICK_US		400

enum role { FILLER, USER, STAMPER, PEER };

static const enum role roles[] = {
	FILLER, FILLER, USER, USER, STAMPER, STAMPER, STAMPER, PEER,
};

#define WORKERS	(sizeof(roles) / sizeof(*roles))

struct shared {
	bool stop;
	__u64 fills;
	__u64 tries;		/* to write where one must not */
	__u64 written;		/* of these, with success */
	__u64 stamped;
	__u64 changed;		/* stamps that were not whole */
	struct blockpool_peer_churn peer[BLOCKPOOL_PEER_CONTEXTS];
};

struct run {
	struct attack attack;
	struct shared *shared;
	char hostile[BLOCKPOOL_NAME_SIZE], other[BLOCKPOOL_NAME_SIZE];
	int fds[2];
	pid_t pids[WORKERS];
	__u64 bad_looks, bad_ends;
};

/* A process with a client of one of the pools. */
struct worker {
	struct random random;
	struct shared *shared;
	int fd;
	char *map;
	struct blockpool_info info;
	__u32 nr_held;
	__u32 held[DEPTH];
	__u64 stamps[DEPTH];
};

static bool stopped(const struct worker *worker)
{
	return __atomic_load_n(&worker->shared->stop, __ATOMIC_RELAXED);
}

static void count(__u64 *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/*
 * Who fills
 */

static void fill(struct worker *worker)
{
	__u32 *words = (__u32 *)worker->map;

	for (size_t i = 0; i < worker->info.map_size / sizeof(*words); i++)
		words[i] = random_next(&worker->random);
	count(&worker->shared->fills);
}

/* Whoever is told "yes" here could write to it. */
static void expect_refused(struct worker *worker, bool refused)
{
	count(&worker->shared->tries);
	if (!refused)
		count(&worker->shared->written);
}

/* By the kernel's hand, which may do more than a store. */
static void write_by_kernel(struct worker *worker, char *at)
{
	struct iovec from = { worker->map, 16 }, to = { at, 16 };
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	int random = open("/dev/urandom", O_RDONLY | O_CLOEXEC);

	must(mem >= 0 && random >= 0);
	expect_refused(worker, read(random, at, 16) < 0);
	expect_refused(worker, pwrite(mem, worker->map, 16, (uintptr_t)at) < 0);
	expect_refused(worker, process_vm_writev(getpid(), &from, 1, &to, 1, 0) < 0);
	close(random);
	close(mem);
}

static void write_readonly(struct worker *worker, int fd, off_t offset)
{
	size_t page = getpagesize();
	char *at = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			offset);

	expect_refused(worker, at == MAP_FAILED);
	at = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, offset);
	must(at != MAP_FAILED);
	expect_refused(worker, mprotect(at, page, PROT_READ | PROT_WRITE) < 0);
	write_by_kernel(worker, at);
	munmap(at, page);
}

/* The status page, and all of a pool that is open for reading. */
static void try_all(struct worker *worker, const char *name)
{
	int fd = pool_open(O_RDONLY);

	must(fd >= 0 && !pool_attach(fd, name));
	write_readonly(worker, worker->fd, worker->info.status_offset);
	write_readonly(worker, fd, 0);
	expect_refused(worker, mprotect(worker->map, worker->info.map_size,
					PROT_READ | PROT_EXEC) < 0);
	close(fd);
}

static void run_filler(struct worker *worker, const char *name)
{
	for (__u64 i = 0; !stopped(worker); i++) {
		fill(worker);
		if (i % TRY_EACH == 0)
			try_all(worker, name);
	}
}

/*
 * Who takes and frees
 */

static char *block_of(const struct worker *worker, __u32 index)
{
	return worker->map + worker->info.block_offset +
	       (size_t)index * worker->info.stride;
}

static void stamp(struct worker *worker, __u32 at)
{
	__u64 *words = (__u64 *)block_of(worker, worker->held[at]);

	worker->stamps[at] = (__u64)random_next(&worker->random) << 32 |
			     random_next(&worker->random);
	for (size_t i = 0; i < BLOCK_SIZE / sizeof(*words); i++)
		words[i] = worker->stamps[at];
	count(&worker->shared->stamped);
}

static void check_stamp(struct worker *worker, __u32 at)
{
	__u64 *words = (__u64 *)block_of(worker, worker->held[at]);

	for (size_t i = 0; i < BLOCK_SIZE / sizeof(*words); i++) {
		if (words[i] == worker->stamps[at])
			continue;
		count(&worker->shared->changed);
		return;
	}
}

static void take(struct worker *worker, bool stamps)
{
	__u32 n = 1 + random_below(&worker->random, DEPTH / 2);
	__u32 *indices = &worker->held[worker->nr_held];
	int ret;

	if (n > DEPTH - worker->nr_held)
		return;
	ret = pool_alloc(worker->fd, indices, n);
	must(!ret || ret == -EAGAIN);
	if (ret)
		return;
	for (__u32 i = 0; i < n; i++) {
		must(worker->held[worker->nr_held] < NR_BLOCKS);
		if (stamps)
			stamp(worker, worker->nr_held);
		worker->nr_held++;
	}
}

static void give(struct worker *worker, bool stamps)
{
	__u32 at;

	if (!worker->nr_held)
		return;
	at = random_below(&worker->random, worker->nr_held);
	if (stamps)
		check_stamp(worker, at);
	must(!pool_give(worker->fd, worker->held[at]));
	worker->nr_held--;
	worker->held[at] = worker->held[worker->nr_held];
	worker->stamps[at] = worker->stamps[worker->nr_held];
}

/* What is not ours is refused, whatever stands in the blocks. */
static void steal(struct worker *worker)
{
	__u32 index = random_below(&worker->random, 2 * NR_BLOCKS);

	for (__u32 i = 0; i < worker->nr_held; i++)
		if (worker->held[i] == index)
			return;
	must(pool_give(worker->fd, index) ==
	     (index < NR_BLOCKS ? -EPERM : -EINVAL));
}

static void run_user(struct worker *worker, bool stamps)
{
	while (!stopped(worker)) {
		take(worker, stamps);
		give(worker, stamps);
		give(worker, stamps);
		steal(worker);
	}
	while (worker->nr_held)
		give(worker, stamps);
}

/* The peer in process context, here, and in all others by its timers. */
static struct blockpool_peer_churn churn_of(__u32 context)
{
	return (struct blockpool_peer_churn) {
		.context = context,
		.steps = context == BLOCKPOOL_PEER_PROCESS ? 100 : 0,
		.interval_us = TICK_US,
		.depth = DEPTH,
		.batch = 4,
		.length = BLOCK_SIZE,
		.seed = 1 + context,
	};
}

static void add_churn(struct blockpool_peer_churn *sum,
		      const struct blockpool_peer_churn *churn)
{
	sum->taken += churn->taken;
	sum->freed += churn->freed;
	sum->corrupted += churn->corrupted;
}

static void run_peer(struct worker *worker, const char *name)
{
	struct blockpool_peer_churn *sums = worker->shared->peer, churn;
	int fds[BLOCKPOOL_PEER_CONTEXTS] = { peer_join(name) };
	__u32 contexts = peer_contexts(fds[0]), context;

	for (context = 1; context < contexts; context++) {
		fds[context] = peer_join(name);
		churn = churn_of(context);
		must(!pool_ioctl(fds[context], BLOCKPOOL_PEER_CHURN_START,
				 &churn));
	}
	while (!stopped(worker)) {
		churn = churn_of(BLOCKPOOL_PEER_PROCESS);
		must(!pool_ioctl(fds[0], BLOCKPOOL_PEER_CHURN_RUN, &churn));
		add_churn(&sums[0], &churn);
	}
	for (context = 1; context < contexts; context++) {
		must(!pool_ioctl(fds[context], BLOCKPOOL_PEER_CHURN_STOP,
				 &churn));
		add_churn(&sums[context], &churn);
	}
}

static void __attribute__((noreturn)) work(const struct run *run, int slot)
{
	enum role role = roles[slot];
	const char *name = role == STAMPER ? run->other : run->hostile;
	struct worker worker = {
		.random = attack_random(&run->attack, slot),
		.shared = run->shared,
		.fd = pool_join(name),
	};

	worker.info = pool_info(worker.fd);
	worker.map = pool_map(worker.fd);
	switch (role) {
	case FILLER:
		run_filler(&worker, name);
		break;
	case PEER:
		run_peer(&worker, name);
		break;
	default:
		run_user(&worker, role == STAMPER);
	}
	_exit(0);
}

/*
 * The run
 */

/* What must hold of both pools at any time. */
static void look(struct run *run)
{
	for (int i = 0; i < 2; i++) {
		struct blockpool_stats stats = pool_stats(run->fds[i]);

		run->bad_looks += stats.nr_blocks != NR_BLOCKS ||
			stats.nr_free + stats.nr_held != stats.nr_blocks ||
			stats.nr_kernel > stats.nr_held ||
			stats.allocs != stats.frees + stats.reclaimed +
					stats.nr_held;
	}
}

static void start(struct run *run)
{
	pool_name(run->hostile);
	pool_name(run->other);
	run->fds[0] = pool_new(run->hostile, BLOCK_SIZE, NR_BLOCKS);
	run->fds[1] = pool_new(run->other, BLOCK_SIZE, NR_BLOCKS);
	run->shared = mmap(NULL, sizeof(*run->shared), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(run->shared != MAP_FAILED);
	for (size_t slot = 0; slot < WORKERS; slot++) {
		run->pids[slot] = child_fork();
		if (!run->pids[slot])
			work(run, slot);
	}
}

/* As many fills as shall be, and until one met a block that the peer held. */
static bool goes_on(struct run *run)
{
	return attack_goes_on(&run->attack) ||
	       !__atomic_load_n(&run->shared->peer[0].corrupted,
				__ATOMIC_RELAXED);
}

static void go_on(struct run *run)
{
	while (goes_on(run) && !child_ended()) {
		usleep(10000);
		look(run);
		run->attack.done = __atomic_load_n(&run->shared->fills,
						   __ATOMIC_RELAXED);
	}
}

static void stop(struct run *run)
{
	int status;

	__atomic_store_n(&run->shared->stop, true, __ATOMIC_RELAXED);
	for (size_t slot = 0; slot < WORKERS; slot++) {
		status = child_reap(run->pids[slot]);
		if (!status)
			continue;
		ksft_print_msg("process %zu ended with %d\n", slot, status);
		run->bad_ends++;
	}
	run->attack.done = run->shared->fills;
}

/* In each context it worked, all it took it gave back, and it was written over. */
static bool peer_judged(const struct shared *shared)
{
	static const char * const names[] = {
		"process", "softirq", "hardirq", "NMI",
	};
	__u32 contexts = peer_contexts(peer_open()), context;
	__u64 changed = 0;
	bool right = true;

	for (context = 0; context < contexts; context++) {
		const struct blockpool_peer_churn *sum = &shared->peer[context];

		ksft_print_msg("peer, %s: took %llu, freed %llu, found %llu changed\n",
			       names[context], sum->taken, sum->freed,
			       sum->corrupted);
		right &= sum->taken && sum->taken == sum->freed;
		changed += sum->corrupted;
	}
	return right && changed;
}

static void judge(const struct run *run)
{
	const struct shared *shared = run->shared;

	ksft_print_msg("%llu blocks stamped beside, %llu writes tried that are refused\n",
		       shared->stamped, shared->tries);
	ksft_test_result(attack_finish(&run->attack) && !run->bad_ends,
			 "no call failed that should not\n");
	ksft_test_result(!run->bad_looks, "the statistics always added up\n");
	ksft_test_result(shared->tries && !shared->written,
			 "nothing was written to that is read-only\n");
	ksft_test_result(shared->stamped && !shared->changed,
			 "no block of the other pool changed\n");
	ksft_test_result(peer_judged(shared),
			 "the kernel's user lost its data and nothing else\n");
	ksft_test_result(pool_is_whole(run->fds[0]) && pool_is_whole(run->fds[1]),
			 "afterwards every block is free\n");
}

int main(void)
{
	static struct run run;

	ksft_print_header();
	ksft_set_plan(6);
	run.attack = attack_start("fills", FILLS);
	start(&run);
	go_on(&run);
	stop(&run);
	judge(&run);
	ksft_finished();
}

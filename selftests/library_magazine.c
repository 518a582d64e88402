// SPDX-License-Identifier: GPL-2.0
/*
 * The library's magazines on the real device: what they save, what the kernel says
 * of them meanwhile, and that all comes back.  And ALLOC's extra blocks, with which
 * they are filled.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "harness.h"
#include "library.h"

#define NR_BLOCKS	1024
#define ROOM		(NR_BLOCKS / 8 / 2)	/* of the first thread to ask */
#define HALF		(ROOM / 2)
#define KEPT		(1 + HALF)		/* after the first pair */
#define NR_THREADS	4
#define NR_IDLE		32
#define NR_FEW		64
#define NR_PAIRS	1000
#define CLIENT_MAX	40
#define KILLS		10
#define LONG_MS		60000			/* longer than any test */

static void pair(struct blockpool *pool)
{
	void *block = blockpool_alloc(pool);

	must(block && !blockpool_free(pool, block));
}

static void take(struct blockpool *pool, void **blocks, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		blocks[i] = blockpool_alloc(pool);
		must(blocks[i]);
	}
}

static void give(struct blockpool *pool, void **blocks, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		must(!blockpool_free(pool, blocks[i]));
}

FIXTURE(magazine)
{
	char name[BLOCKPOOL_NAME_SIZE];
	struct blockpool *pool;
	void *blocks[NR_BLOCKS];
};

FIXTURE_SETUP(magazine)
{
	pool_name(self->name);
	self->pool = lib_create(self->name, 64, NR_BLOCKS);
}

FIXTURE_TEARDOWN(magazine)
{
	lib_drain(self->pool);
	EXPECT_EQ(0, blockpool_close(self->pool));
}

/*
 * What they save
 */

static void __attribute__((noreturn)) be_traced(struct blockpool *pool,
						unsigned int pairs, bool flush)
{
	pair(pool);
	must(!ptrace(PTRACE_TRACEME, 0, NULL, NULL));
	raise(SIGSTOP);
	while (pairs--)
		pair(pool);
	if (flush)
		blockpool_flush(pool);
	_exit(0);
}

/* How often the process entered and left the kernel. */
static unsigned int system_calls(const char *name, unsigned int pairs,
				 bool flush)
{
	unsigned int stops = 0;
	pid_t pid = child_fork();
	int status;

	if (!pid)
		be_traced(lib_open(name), pairs, flush);
	must(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	while (WIFSTOPPED(status)) {
		must(!ptrace(PTRACE_SYSCALL, pid, NULL, NULL));
		must(waitpid(pid, &status, 0) == pid);
		stops++;
	}
	must(WIFEXITED(status) && !WEXITSTATUS(status));
	return stops;
}

TEST_F(magazine, a_pair_is_no_system_call)
{
	unsigned int none = system_calls(self->name, 0, false);

	ASSERT_EQ(none, system_calls(self->name, NR_PAIRS, false));
	ASSERT_EQ(none + 2, system_calls(self->name, 0, true));
}

TEST_F(magazine, a_miss_brings_half_of_one)
{
	void **blocks = self->blocks;

	take(self->pool, blocks, 1);
	ASSERT_EQ(1 + HALF, lib_stats(self->pool).allocs);
	take(self->pool, blocks + 1, HALF);
	ASSERT_EQ(1 + HALF, lib_stats(self->pool).allocs);
	take(self->pool, blocks + 1 + HALF, 1);
	ASSERT_EQ(2 * (1 + HALF), lib_stats(self->pool).allocs);
	give(self->pool, blocks, 2 + HALF);
	ASSERT_EQ(0, blockpool_flush(self->pool));
	ASSERT_EQ(2 * (1 + HALF), lib_stats(self->pool).frees);
}

TEST_F(magazine, a_full_one_gives_half_back)
{
	void **blocks = self->blocks;
	__u64 held;

	take(self->pool, blocks, ROOM + 1);
	ASSERT_EQ(0, blockpool_flush(self->pool));
	held = lib_stats(self->pool).nr_held;
	ASSERT_EQ(ROOM + 1, held);
	give(self->pool, blocks, ROOM);
	ASSERT_EQ(held, lib_stats(self->pool).nr_held);
	give(self->pool, blocks + ROOM, 1);
	ASSERT_EQ(HALF, lib_stats(self->pool).nr_held);
}

/*
 * What comes back
 */

struct keeper {
	struct blockpool *pool;
	pthread_barrier_t *barrier;
	pthread_t thread;
};

static void *keep(void *arg)
{
	struct keeper *keeper = arg;

	pair(keeper->pool);
	pthread_barrier_wait(keeper->barrier);
	pthread_barrier_wait(keeper->barrier);
	pair(keeper->pool);
	return NULL;
}

/* When this returns each thread has what it keeps, and waits. */
static void keepers_start(struct keeper *keepers, unsigned int n,
			  struct blockpool *pool, pthread_barrier_t *barrier)
{
	must(!pthread_barrier_init(barrier, NULL, n + 1));
	for (unsigned int i = 0; i < n; i++) {
		keepers[i].pool = pool;
		keepers[i].barrier = barrier;
		must(!pthread_create(&keepers[i].thread, NULL, keep,
				     &keepers[i]));
	}
	pthread_barrier_wait(barrier);
}

static void keepers_end(struct keeper *keepers, unsigned int n)
{
	pthread_barrier_wait(keepers->barrier);
	for (unsigned int i = 0; i < n; i++)
		pthread_join(keepers[i].thread, NULL);
	pthread_barrier_destroy(keepers->barrier);
}

TEST_F(magazine, comes_back_when_its_thread_ends)
{
	struct keeper keepers[NR_THREADS];
	pthread_barrier_t barrier;

	keepers_start(keepers, NR_THREADS, self->pool, &barrier);
	ASSERT_LT(KEPT + NR_THREADS - 1, lib_stats(self->pool).nr_held);
	keepers_end(keepers, NR_THREADS);
	ASSERT_EQ(0, lib_stats(self->pool).nr_held);
	ASSERT_EQ(0, lib_stats(self->pool).reclaimed);
}

struct hand_over {
	struct blockpool *pool;
	void **blocks;
};

static void *give_all(void *arg)
{
	struct hand_over *hand_over = arg;

	give(hand_over->pool, hand_over->blocks, NR_BLOCKS / 2);
	return NULL;
}

TEST_F(magazine, taken_here_and_freed_there)
{
	struct hand_over hand_over = { self->pool, self->blocks };
	pthread_t thread;

	for (int i = 0; i < 3; i++) {
		take(self->pool, self->blocks, NR_BLOCKS / 2);
		ASSERT_EQ(0, pthread_create(&thread, NULL, give_all,
					    &hand_over));
		pthread_join(thread, NULL);
	}
	ASSERT_EQ(0, lib_stats(self->pool).refused);
	lib_check(self->pool, 0);
}

static void *take_and_give(void *arg)
{
	struct blockpool *pool = arg;
	void *blocks[ROOM];

	for (;;) {
		take(pool, blocks, ROOM);
		give(pool, blocks, ROOM);
	}
	return NULL;
}

static void __attribute__((noreturn)) keep_for_ever(const char *name,
						    struct step *step)
{
	struct keeper keepers[NR_THREADS];
	pthread_barrier_t barrier;

	keepers_start(keepers, NR_THREADS, lib_open(name), &barrier);
	step_post(step);
	for (;;)
		pause();
}

TEST_F(magazine, comes_back_from_a_killed_process)
{
	struct step step;
	__u64 kept;
	pid_t pid;

	step_init(&step);
	pid = child_fork();
	if (!pid)
		keep_for_ever(self->name, &step);
	step_await(&step);
	kept = lib_stats(self->pool).nr_held;
	ASSERT_LT(NR_THREADS, kept);
	ASSERT_EQ(128 + SIGKILL, child_kill(pid));
	lib_check(self->pool, 0);
	ASSERT_EQ(kept, lib_stats(self->pool).reclaimed);
}

static void __attribute__((noreturn)) be_busy(const char *name)
{
	struct blockpool *pool = lib_open(name);
	pthread_t thread;

	for (int i = 1; i < NR_THREADS; i++)
		must(!pthread_create(&thread, NULL, take_and_give, pool));
	take_and_give(pool);
	_exit(1);
}

TEST_F(magazine, comes_back_from_one_killed_at_work)
{
	for (int i = 0; i < KILLS; i++) {
		__u64 allocs = lib_stats(self->pool).allocs;
		pid_t pid = child_fork();

		if (!pid)
			be_busy(self->name);
		while (lib_stats(self->pool).allocs < allocs + NR_BLOCKS)
			usleep(1000 + 317 * i);
		ASSERT_EQ(128 + SIGKILL, child_kill(pid));
		lib_drain(self->pool);
	}
}

/* What the threads keep is void then, and they can use another handle. */
TEST_F(magazine, comes_back_when_the_handle_is_closed)
{
	struct blockpool *doomed = lib_open(self->name), *other;
	struct keeper keepers[NR_THREADS];
	pthread_barrier_t barrier;

	keepers_start(keepers, NR_THREADS, doomed, &barrier);
	pair(doomed);
	ASSERT_LT(NR_THREADS, lib_stats(self->pool).nr_held);
	ASSERT_EQ(0, blockpool_close(doomed));
	lib_drain(self->pool);
	other = lib_open(self->name);
	pair(other);
	ASSERT_LT(0, lib_stats(self->pool).nr_held);
	for (int i = 0; i < NR_THREADS; i++)
		keepers[i].pool = other;
	keepers_end(keepers, NR_THREADS);
	ASSERT_EQ(0, blockpool_flush(other));
	ASSERT_EQ(0, lib_stats(self->pool).refused);
	lib_check(self->pool, 0);
	ASSERT_EQ(0, blockpool_close(other));
}

static void __attribute__((noreturn)) use_in_child(struct blockpool *parents,
						   void *block, const char *name)
{
	struct blockpool *own;

	must(null_errno(blockpool_alloc(parents)) == ECHILD);
	must(minus_errno(blockpool_free(parents, block)) == ECHILD);
	must(minus_errno(blockpool_alloc_bulk(parents, &block, 1)) == ECHILD);
	must(minus_errno(blockpool_flush(parents)) == ECHILD);
	own = lib_open(name);
	pair(own);
	must(null_errno(blockpool_alloc(parents)) == ECHILD);
	must(!blockpool_close(parents));
	pair(own);
	exit(0);	/* with all that a process does at its end */
}

/* A child has not got its parent's magazine, and its own are its own. */
TEST_F(magazine, stays_with_the_parent)
{
	pid_t pid;

	take(self->pool, self->blocks, 1);
	pid = child_fork();
	if (!pid)
		use_in_child(self->pool, self->blocks[0], self->name);
	ASSERT_EQ(0, child_reap(pid));
	ASSERT_EQ(1 + HALF, lib_stats(self->pool).nr_held);
	take(self->pool, self->blocks + 1, HALF);
	ASSERT_EQ(1 + HALF, lib_stats(self->pool).nr_held);
	give(self->pool, self->blocks, 1 + HALF);
}

/*
 * Other ways to free a block on the same descriptor show at flush
 */

TEST_F(magazine, freed_by_another_process_as_well)
{
	int fd = blockpool_fd(self->pool);
	uint32_t index;
	pid_t pid;

	take(self->pool, self->blocks, 2);
	index = blockpool_index(self->pool, self->blocks[0]);
	pid = child_fork();
	if (!pid)
		_exit(pool_give(fd, index) != 0);
	ASSERT_EQ(0, child_reap(pid));
	give(self->pool, self->blocks, 2);
	ASSERT_EQ(EPERM, minus_errno(blockpool_flush(self->pool)));
	ASSERT_EQ(1, lib_stats(self->pool).refused);
	lib_check(self->pool, 0);
}

TEST_F(magazine, taken_by_another_way)
{
	int index = pool_take(blockpool_fd(self->pool));

	ASSERT_LE(0, index);
	ASSERT_EQ(0, blockpool_free(self->pool,
				    blockpool_block(self->pool, index)));
	lib_check(self->pool, 0);
}

/*
 * Others get their blocks
 */

/* With the next block that it frees a thread gives back all that it keeps. */
TEST_F(magazine, is_given_up_for_one_who_waits)
{
	struct waiter waiter;

	take(self->pool, self->blocks, 2);
	waiter = waiter_start(self->name, NR_BLOCKS - 1, LONG_MS);
	give(self->pool, self->blocks, 1);
	ASSERT_EQ(0, waiter_result(&waiter));
	waiter_end(&waiter);
	give(self->pool, self->blocks + 1, 1);
}

static void __attribute__((noreturn)) want_one_more(const char *name)
{
	struct blockpool *pool = lib_open(name);

	while (blockpool_alloc(pool))
		;
	must(errno == EAGAIN);
	must(blockpool_alloc_wait(pool, LONG_MS));
	_exit(0);
}

/* And so it is with pairs that would need no system call. */
TEST_F(magazine, pairs_serve_one_who_waits)
{
	pid_t pid;

	pair(self->pool);
	pid = child_fork();
	if (!pid)
		want_one_more(self->name);
	pool_await_waiting(blockpool_fd(self->pool), 1);
	ASSERT_EQ(0, lib_stats(self->pool).frees);
	pair(self->pool);
	ASSERT_EQ(KEPT, lib_stats(self->pool).frees);
	ASSERT_EQ(0, child_reap(pid));
	lib_check(self->pool, 0);
}

/* Takes all that is free; the idle keep an eighth of the pool at most. */
static bool is_not_starved(struct blockpool *pool)
{
	__u64 kept = lib_stats(pool).nr_held;
	void *blocks[NR_FEW];

	must(kept);
	take(pool, blocks, NR_FEW - kept);
	must(null_errno(blockpool_alloc(pool)) == EAGAIN);
	give(pool, blocks, NR_FEW - kept);
	must(!blockpool_flush(pool));
	return kept <= NR_FEW / 8;
}

TEST(idle_threads_starve_nobody)
{
	struct blockpool *pool = lib_create("few", 64, NR_FEW);
	struct keeper keepers[NR_IDLE];
	pthread_barrier_t barrier;

	keepers_start(keepers, NR_IDLE, pool, &barrier);
	ASSERT_TRUE(is_not_starved(pool));
	keepers_end(keepers, NR_IDLE);
	lib_drain(pool);
	ASSERT_EQ(0, blockpool_close(pool));
}

static pid_t idle_start(const char *name)
{
	struct blockpool *pool;
	struct step step;
	pid_t pid;

	step_init(&step);
	pid = child_fork();
	if (!pid) {
		pool = lib_open(name);
		pair(pool);
		step_post(&step);
		for (;;)
			pause();
	}
	step_await(&step);
	close(step.fds[0]);
	close(step.fds[1]);
	return pid;
}

TEST(idle_processes_starve_nobody)
{
	struct blockpool *pool = lib_create("few", 64, NR_FEW);
	pid_t pids[NR_IDLE];

	for (int i = 0; i < NR_IDLE; i++)
		pids[i] = idle_start("few");
	ASSERT_EQ(1 + NR_IDLE, lib_stats(pool).nr_clients);
	ASSERT_TRUE(is_not_starved(pool));
	for (int i = 0; i < NR_IDLE; i++)
		child_kill(pids[i]);
	lib_drain(pool);
	ASSERT_EQ(0, blockpool_close(pool));
}

/* What the handle keeps never stands in the way of its own limit. */
TEST(a_limit_is_for_use)
{
	struct blockpool_attr attr = {
		.name = "limited", .block_size = 64, .nr_blocks = NR_BLOCKS,
		.client_max = CLIENT_MAX,
	};
	struct blockpool *pool = blockpool_create(&attr);
	void *blocks[CLIENT_MAX];

	ASSERT_NE(NULL, pool);
	for (int n = 1; n <= CLIENT_MAX; n++) {
		take(pool, blocks, n);
		ASSERT_GE(n + CLIENT_MAX / 8, lib_stats(pool).nr_held);
		give(pool, blocks, n);
		ASSERT_EQ(n, blockpool_alloc_bulk(pool, blocks, n));
		ASSERT_EQ(n, blockpool_free_bulk(pool, blocks, n));
	}
	take(pool, blocks, CLIENT_MAX);
	ASSERT_EQ(EDQUOT, null_errno(blockpool_alloc(pool)));
	give(pool, blocks, CLIENT_MAX);
	lib_check(pool, 0);
	ASSERT_EQ(0, blockpool_close(pool));
}

/*
 * Extra blocks
 */

FIXTURE(extra)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int fd;
	__u32 indices[BLOCKPOOL_BATCH_MAX];
};

FIXTURE_SETUP(extra)
{
	pool_name(self->name);
	self->fd = pool_new(self->name, 64, NR_FEW);
}

FIXTURE_TEARDOWN(extra)
{
	pool_give_all(self->fd);
	pool_drain(self->fd);
	close(self->fd);
}

/* How many were taken, or -errno. */
static int alloc_extra(int fd, __u32 *indices, __u32 count, __u32 extra)
{
	struct blockpool_alloc_args args = {
		.size = sizeof(args), .count = count, .extra = extra,
		.indices = (uintptr_t)indices,
	};
	int ret = pool_ioctl(fd, BLOCKPOOL_IOC_ALLOC, &args);

	return ret ?: (int)args.count;
}

TEST_F(extra, as_many_as_asked_for)
{
	ASSERT_EQ(1, alloc_extra(self->fd, self->indices, 1, 0));
	ASSERT_EQ(8, alloc_extra(self->fd, self->indices + 1, 3, 5));
	pool_check(self->fd, 9);
	ASSERT_EQ(0, pool_free(self->fd, self->indices, 9, NULL));
	pool_check(self->fd, 0);
}

TEST_F(extra, half_of_what_is_free_stays)
{
	__u32 free = NR_FEW - 10;

	ASSERT_EQ(10 + free / 2, alloc_extra(self->fd, self->indices, 10,
					     NR_FEW));
	free -= free / 2;
	pool_check(self->fd, NR_FEW - free);
	ASSERT_EQ(free - 1, alloc_extra(self->fd, self->indices, free - 1, 9));
	ASSERT_EQ(1, alloc_extra(self->fd, self->indices, 1, 9));
	ASSERT_EQ(-EAGAIN, alloc_extra(self->fd, self->indices, 1, 9));
	pool_check(self->fd, NR_FEW);
}

TEST_F(extra, none_while_somebody_wants_blocks)
{
	struct waiter waiter;

	ASSERT_EQ(1, alloc_extra(self->fd, self->indices, 1, 0));
	ASSERT_EQ(-EAGAIN, alloc_extra(self->fd, self->indices, NR_FEW, 0));
	ASSERT_EQ(1, alloc_extra(self->fd, self->indices + 1, 1, 9));
	waiter = waiter_start(self->name, NR_FEW - 1, LONG_MS);
	ASSERT_EQ(-EAGAIN, alloc_extra(self->fd, self->indices + 2, 1, 9));
	ASSERT_EQ(0, pool_give(self->fd, self->indices[1]));
	ASSERT_EQ(0, waiter_result(&waiter));
	waiter_end(&waiter);
}

TEST_F(extra, within_the_limit)
{
	int fd = pool_open(O_RDWR);

	ASSERT_EQ(0, pool_create_args(fd, "limited",
				      (struct blockpool_create_args){
					      .block_size = 64,
					      .nr_blocks = NR_FEW,
					      .client_max = 8 }));
	ASSERT_EQ(5, alloc_extra(fd, self->indices, 3, 2));
	ASSERT_EQ(3, alloc_extra(fd, self->indices + 5, 1, 9));
	ASSERT_EQ(-EDQUOT, alloc_extra(fd, self->indices, 1, 9));
	pool_check(fd, 8);
	close(fd);
}

TEST_F(extra, arguments)
{
	struct blockpool_alloc_args args = {
		.size = sizeof(args), .flags = BLOCKPOOL_ALLOC_WAIT,
		.count = 1, .extra = 1, .indices = (uintptr_t)self->indices,
	};
	__u32 max = BLOCKPOOL_BATCH_MAX;

	ASSERT_EQ(-EINVAL, alloc_extra(self->fd, self->indices, 1, max));
	ASSERT_EQ(-EINVAL, alloc_extra(self->fd, self->indices, 1, ~0U));
	ASSERT_EQ(-EINVAL, alloc_extra(self->fd, self->indices, max, 1));
	ASSERT_EQ(-EINVAL, alloc_extra(self->fd, self->indices, 0, 1));
	ASSERT_EQ(-EINVAL, pool_ioctl(self->fd, BLOCKPOOL_IOC_ALLOC, &args));
	args.timeout_ms = -1;
	ASSERT_EQ(-EINVAL, pool_ioctl(self->fd, BLOCKPOOL_IOC_ALLOC, &args));
	args = (struct blockpool_alloc_args){
		.size = offsetof(struct blockpool_alloc_args, extra),
		.count = 1, .indices = (uintptr_t)self->indices,
	};
	ASSERT_EQ(-EINVAL, pool_ioctl(self->fd, BLOCKPOOL_IOC_ALLOC, &args));
	pool_check(self->fd, 0);
	ASSERT_LT(1, alloc_extra(self->fd, self->indices, 1, max - 1));
}

/* Blocks that the caller cannot be told of, or not how many, are not taken. */
TEST_F(extra, bad_pointers)
{
	size_t page = getpagesize();
	char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct blockpool_alloc_args *args = (void *)map;
	__u32 *last = (__u32 *)(map + page) - 1;

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, mprotect(map + page, page, PROT_NONE));
	ASSERT_EQ(-EFAULT, alloc_extra(self->fd, last, 1, 1));
	pool_check(self->fd, 0);
	ASSERT_EQ(1, alloc_extra(self->fd, last, 1, 0));

	*args = (struct blockpool_alloc_args){
		.size = sizeof(*args), .count = 1, .extra = 1,
		.indices = (uintptr_t)self->indices,
	};
	ASSERT_EQ(0, mprotect(map, page, PROT_READ));
	ASSERT_EQ(-EFAULT, pool_ioctl(self->fd, BLOCKPOOL_IOC_ALLOC, args));
	pool_check(self->fd, 1);
	ASSERT_EQ(0, munmap(map, 2 * page));
}

TEST_HARNESS_MAIN

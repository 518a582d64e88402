// SPDX-License-Identifier: GPL-2.0
/*
 * Every call of the library on the real device, and every errno it can give
 * there. (ENODEV needs a machine without the module: lib/test-host.c.)
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "harness.h"
#include "library.h"

#define BLOCK_SIZE	1500	/* its stride is no power of two */
#define NR_BLOCKS	32
#define MANY_BLOCKS	(2 * BLOCKPOOL_BATCH_MAX)
#define SHORT_MS	150
#define LONG_MS		60000	/* longer than any test */
#define NR_THREADS	8
#define THREAD_ROUNDS	1500
#define CHURN_BLOCKS	1024
#define HANDLER_RUNS	200
#define BURST		48	/* more than the thread keeps */

static struct blockpool_info lib_info(struct blockpool *pool)
{
	struct blockpool_info info;

	memset(&info, POOL_POISON, sizeof(info));
	must(!blockpool_info(pool, &info));
	return info;
}

static void take_all(struct blockpool *pool, void **blocks)
{
	must(blockpool_alloc_bulk(pool, blocks, NR_BLOCKS) == NR_BLOCKS);
}

static void give_all(struct blockpool *pool, void **blocks)
{
	must(blockpool_free_bulk(pool, blocks, NR_BLOCKS) == NR_BLOCKS);
}

static int bulk_errno(struct blockpool *pool, void **blocks, unsigned int n)
{
	return minus_errno(blockpool_alloc_bulk(pool, blocks, n));
}

static int free_bulk_errno(struct blockpool *pool, void **blocks,
			   unsigned int n)
{
	return minus_errno(blockpool_free_bulk(pool, blocks, n));
}

/* Each is the first byte of a block, and no two are the same one. */
static bool all_different(struct blockpool *pool, void **blocks, unsigned int n)
{
	bool *seen = calloc(lib_info(pool).nr_blocks, sizeof(*seen));
	bool good = true;

	for (unsigned int i = 0; good && i < n; i++) {
		uint32_t index = blockpool_index(pool, blocks[i]);

		good = index != BLOCKPOOL_NO_INDEX && !seen[index];
		if (good)
			seen[index] = true;
	}
	free(seen);
	return good;
}

static unsigned int lines_of(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned int lines = 0;
	int c;

	must(file);
	while ((c = fgetc(file)) != EOF)
		lines += c == '\n';
	fclose(file);
	return lines;
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	return *state ^= *state << 5;
}

/* One pool and two handles on it. */
FIXTURE(library)
{
	char name[BLOCKPOOL_NAME_SIZE];
	struct blockpool *pool, *other;
	void *blocks[NR_BLOCKS];
};

FIXTURE_SETUP(library)
{
	pool_name(self->name);
	self->pool = lib_create(self->name, BLOCK_SIZE, NR_BLOCKS);
	self->other = lib_open(self->name);
}

FIXTURE_TEARDOWN(library)
{
	EXPECT_EQ(0, blockpool_close(self->other));
	lib_drain(self->pool);
	EXPECT_EQ(0, blockpool_close(self->pool));
	EXPECT_EQ(ENOENT, null_errno(blockpool_open(self->name, O_RDWR)));
}

/*
 * Taking and giving back
 */

TEST_F(library, alloc_until_empty)
{
	for (int i = 0; i < NR_BLOCKS; i++) {
		self->blocks[i] = blockpool_alloc(self->pool);
		ASSERT_NE(NULL, self->blocks[i]);
		memset(self->blocks[i], i, BLOCK_SIZE);
		lib_check(self->pool, i + 1);
	}
	ASSERT_TRUE(all_different(self->pool, self->blocks, NR_BLOCKS));
	ASSERT_EQ(EAGAIN, null_errno(blockpool_alloc(self->pool)));
	ASSERT_EQ(EAGAIN, null_errno(blockpool_alloc(self->other)));

	for (int i = NR_BLOCKS - 1; i >= 0; i--) {
		for (int at = 0; at < BLOCK_SIZE; at++) {
			ASSERT_EQ(i, ((char *)self->blocks[i])[at]);
		}
		ASSERT_EQ(0, blockpool_free(self->pool, self->blocks[i]));
		lib_check(self->pool, i);
	}
}

TEST_F(library, alloc_while_others_wait)
{
	struct waiter waiter;
	void *block = blockpool_alloc(self->pool);

	ASSERT_NE(NULL, block);
	waiter = waiter_start(self->name, NR_BLOCKS, LONG_MS);
	ASSERT_EQ(EAGAIN, null_errno(blockpool_alloc(self->pool)));
	ASSERT_EQ(EAGAIN, bulk_errno(self->pool, self->blocks, 1));
	ASSERT_EQ(0, blockpool_free(self->pool, block));
	ASSERT_EQ(0, waiter_result(&waiter));
	waiter_end(&waiter);
}

TEST_F(library, success_keeps_errno)
{
	struct blockpool_attr attr = {
		.name = self->name, .block_size = 64, .nr_blocks = 1,
		.flags = BLOCKPOOL_PERSIST,
	};
	struct blockpool_stats stats;
	struct blockpool_info info;
	struct blockpool *pool;
	void *block;

	ASSERT_EQ(0, blockpool_unlink(self->name));
	errno = ENOTNAM;
	pool = blockpool_create(&attr);
	ASSERT_NE(NULL, pool);
	block = blockpool_alloc(pool);
	ASSERT_EQ(0, blockpool_free(pool, block));
	block = blockpool_alloc_wait(pool, LONG_MS);
	ASSERT_EQ(1, blockpool_free_bulk(pool, &block, 1));
	ASSERT_EQ(1, blockpool_alloc_bulk(pool, &block, 1));
	ASSERT_EQ(0, blockpool_flush(pool));
	ASSERT_EQ(block, blockpool_block(pool, blockpool_index(pool, block)));
	ASSERT_EQ(0, blockpool_info(pool, &info));
	ASSERT_EQ(0, blockpool_stats(pool, &stats));
	ASSERT_LE(0, blockpool_fd(pool));
	ASSERT_EQ(0, blockpool_close(pool));
	pool = blockpool_open(attr.name, O_RDWR);
	ASSERT_NE(NULL, pool);
	ASSERT_EQ(0, blockpool_close(pool));
	ASSERT_EQ(0, blockpool_unlink(attr.name));
	ASSERT_EQ(ENOTNAM, errno);
}

/*
 * Another handle's block, and one freed before, are not the caller's to free.  Of
 * one that it keeps the library knows that without the kernel.
 */
TEST_F(library, free_of_what_is_not_held)
{
	void *block = blockpool_alloc(self->pool);
	__u64 refused = lib_stats(self->pool).refused;
	uint32_t index = blockpool_index(self->pool, block);
	void *theirs = blockpool_block(self->other, index);

	ASSERT_EQ(EPERM, minus_errno(blockpool_free(self->other, theirs)));
	lib_check(self->pool, 1);
	ASSERT_EQ(0, blockpool_free(self->pool, block));
	ASSERT_EQ(EPERM, minus_errno(blockpool_free(self->pool, block)));
	ASSERT_EQ(refused + 1, lib_stats(self->pool).refused);
	lib_check(self->pool, 0);
	ASSERT_EQ(EPERM, minus_errno(blockpool_free(self->pool, block)));
	ASSERT_EQ(refused + 2, lib_stats(self->pool).refused);
}

TEST_F(library, free_of_what_is_no_block)
{
	struct blockpool *elsewhere = lib_create("elsewhere", BLOCK_SIZE, 1);
	uint32_t stride = lib_info(self->pool).stride;
	char *base = blockpool_block(self->pool, 0);
	char *block = blockpool_alloc(self->pool);
	void *const wrong[] = {
		NULL, &base, block + 1, block + 64, block + BLOCK_SIZE - 1,
		block + stride - 1, block - 1, base - 1, base - stride,
		base - 4096, base + (size_t)NR_BLOCKS * stride,
		(void *)((uintptr_t)block | 1UL << 63), (void *)UINTPTR_MAX,
		blockpool_alloc(elsewhere),
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		void *one = wrong[i];

		ASSERT_EQ(EINVAL, minus_errno(blockpool_free(self->pool, one)))
			TH_LOG("pointer %zu", i);
		ASSERT_EQ(EINVAL, free_bulk_errno(self->pool, &one, 1));
		ASSERT_EQ(EINVAL, index_errno(blockpool_index(self->pool, one)));
	}
	lib_check(self->pool, 1);
	ASSERT_EQ(0, blockpool_free(self->pool, block));
	ASSERT_EQ(0, blockpool_close(elsewhere));
}

/*
 * Many at once
 */

TEST_F(library, bulk_all_or_nothing)
{
	struct blockpool_stats before, after;
	void *block = blockpool_alloc(self->other);
	uint32_t index;

	ASSERT_EQ(EAGAIN, bulk_errno(self->pool, self->blocks, NR_BLOCKS));
	lib_check(self->pool, 1);
	before = lib_stats(self->pool);
	ASSERT_EQ(NR_BLOCKS - 1, blockpool_alloc_bulk(self->pool, self->blocks,
						      NR_BLOCKS - 1));
	after = lib_stats(self->pool);
	ASSERT_EQ(before.allocs + NR_BLOCKS - 1, after.allocs);
	lib_check(self->pool, NR_BLOCKS);
	index = blockpool_index(self->other, block);
	self->blocks[NR_BLOCKS - 1] = blockpool_block(self->pool, index);
	ASSERT_TRUE(all_different(self->pool, self->blocks, NR_BLOCKS));
	ASSERT_EQ(NR_BLOCKS - 1, blockpool_free_bulk(self->pool, self->blocks,
						     NR_BLOCKS));
	ASSERT_EQ(EPERM, errno);
	lib_check(self->pool, 1);
	ASSERT_EQ(0, blockpool_free(self->other, block));
}

TEST_F(library, bulk_of_a_bad_size)
{
	static void *many[BLOCKPOOL_BATCH_MAX + 1];

	ASSERT_EQ(EINVAL, bulk_errno(self->pool, many, 0));
	ASSERT_EQ(EINVAL, bulk_errno(self->pool, many, BLOCKPOOL_BATCH_MAX + 1));
	ASSERT_EQ(EINVAL, bulk_errno(self->pool, many, NR_BLOCKS + 1));
	ASSERT_EQ(EINVAL, free_bulk_errno(self->pool, many, 0));
	ASSERT_EQ(EINVAL, free_bulk_errno(self->pool, many, 1U << 31));
	lib_check(self->pool, 0);
}

/* Every bulk size up to the pool's, since addresses overwrite indices. */
TEST_F(library, bulk_of_each_size)
{
	for (unsigned int n = 1; n <= NR_BLOCKS; n++) {
		memset(self->blocks, POOL_POISON, sizeof(self->blocks));
		ASSERT_EQ(n, blockpool_alloc_bulk(self->pool, self->blocks, n));
		ASSERT_TRUE(all_different(self->pool, self->blocks, n));
		if (n < NR_BLOCKS) {
			ASSERT_EQ(0xa5a5a5a5a5a5a5a5,
				  (uintptr_t)self->blocks[n]);
		}
		lib_check(self->pool, n);
		ASSERT_EQ(n, blockpool_free_bulk(self->pool, self->blocks, n));
	}
}

FIXTURE(many)
{
	struct blockpool *pool;
	void *blocks[MANY_BLOCKS];
};

FIXTURE_SETUP(many)
{
	int max = BLOCKPOOL_BATCH_MAX;

	self->pool = lib_create("many", 64, MANY_BLOCKS);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(max, blockpool_alloc_bulk(self->pool,
						    self->blocks + i * max,
						    max));
	}
	ASSERT_TRUE(all_different(self->pool, self->blocks, MANY_BLOCKS));
	lib_check(self->pool, MANY_BLOCKS);
}

FIXTURE_TEARDOWN(many)
{
	lib_drain(self->pool);
	EXPECT_EQ(0, blockpool_close(self->pool));
}

TEST_F(many, freed_in_one_call)
{
	ASSERT_EQ(MANY_BLOCKS, blockpool_free_bulk(self->pool, self->blocks,
						   MANY_BLOCKS));
}

/* One bad block, wherever it is, ends the call there and hurts no other. */
TEST_F(many, freed_up_to_a_bad_one)
{
	static const int bad_at[] = {
		0, 1, 255, 256, 257, 511, 512, 4095, 4096, MANY_BLOCKS - 1,
	};
	int done = 0;

	for (size_t i = 0; i < ARRAY_SIZE(bad_at); i++) {
		void **blocks = self->blocks + done;
		int n = bad_at[i] - done;
		void *good = blocks[n];
		int reported = n ? n : -1;

		blocks[n] = (char *)good + 1;
		ASSERT_EQ(reported, blockpool_free_bulk(self->pool, blocks,
							MANY_BLOCKS - done));
		ASSERT_EQ(EINVAL, errno);
		done = bad_at[i];
		lib_check(self->pool, MANY_BLOCKS - done);
		blocks[n] = good;
		ASSERT_EQ(0, blockpool_free(self->pool, good));
		ASSERT_EQ(EPERM, free_bulk_errno(self->pool,
						 self->blocks + done, 1));
		done++;
	}
}

TEST_F(many, freed_up_to_one_not_held)
{
	static const int bad_at[] = { 4096, 257, 256, 255, 1, 0 };
	int left = MANY_BLOCKS;

	for (size_t i = 0; i < ARRAY_SIZE(bad_at); i++) {
		int n = left - bad_at[i];
		int reported = n - 1 ? n - 1 : -1;
		void **blocks = self->blocks + bad_at[i];

		ASSERT_EQ(0, blockpool_free(self->pool, blocks[n - 1]));
		errno = 0;
		ASSERT_EQ(reported, blockpool_free_bulk(self->pool, blocks, n));
		ASSERT_EQ(EPERM, errno);
		left = bad_at[i];
		lib_check(self->pool, left);
	}
}

/*
 * Waiting
 */

TEST_F(library, wait_is_over_at_once)
{
	void *block = blockpool_alloc_wait(self->pool, 0);

	ASSERT_NE(NULL, block);
	ASSERT_EQ(0, blockpool_free(self->pool, block));
	block = blockpool_alloc_wait(self->pool, -1);
	ASSERT_NE(NULL, block);
	ASSERT_EQ(0, blockpool_free(self->pool, block));
	ASSERT_EQ(EINVAL, null_errno(blockpool_alloc_wait(self->pool, -2)));
	ASSERT_EQ(0, lib_stats(self->pool).waits);
}

TEST_F(library, wait_times_out)
{
	double start;

	take_all(self->other, self->blocks);
	ASSERT_EQ(ETIMEDOUT, null_errno(blockpool_alloc_wait(self->pool, 0)));
	start = now_ms();
	ASSERT_EQ(ETIMEDOUT, null_errno(blockpool_alloc_wait(self->pool,
							     SHORT_MS)));
	ASSERT_LE(SHORT_MS, now_ms() - start);
	lib_check(self->pool, NR_BLOCKS);
	give_all(self->other, self->blocks);
}

enum holder_end { HOLDER_FREES, HOLDER_EXITS, HOLDER_DIES };

/* A process with all blocks, which does this as soon as somebody waits. */
static void __attribute__((noreturn)) hold_all(const char *name,
					       struct step *step,
					       enum holder_end end)
{
	struct blockpool *pool = lib_open(name);
	void *blocks[NR_BLOCKS];

	take_all(pool, blocks);
	step_post(step);
	pool_await_waiting(blockpool_fd(pool), 1);
	if (end == HOLDER_FREES)
		must(!blockpool_free(pool, blocks[NR_BLOCKS / 2]));
	else if (end == HOLDER_EXITS)
		_exit(0);
	else
		raise(SIGKILL);
	for (;;)
		pause();
}

static pid_t holder_start(const char *name, enum holder_end end)
{
	struct step step;
	pid_t pid;

	step_init(&step);
	pid = child_fork();
	if (!pid)
		hold_all(name, &step, end);
	step_await(&step);
	return pid;
}

TEST_F(library, wait_until_another_process_frees)
{
	pid_t pid = holder_start(self->name, HOLDER_FREES);
	void *block = blockpool_alloc_wait(self->pool, LONG_MS);

	ASSERT_NE(NULL, block);
	lib_check(self->pool, NR_BLOCKS);
	ASSERT_EQ(EAGAIN, null_errno(blockpool_alloc(self->pool)));
	ASSERT_EQ(128 + SIGKILL, child_kill(pid));
	lib_check(self->pool, 1);
	ASSERT_EQ(0, blockpool_free(self->pool, block));
}

TEST_F(library, wait_until_another_process_exits)
{
	pid_t pid = holder_start(self->name, HOLDER_EXITS);
	void *block = blockpool_alloc_wait(self->pool, -1);

	ASSERT_NE(NULL, block);
	ASSERT_EQ(0, child_reap(pid));
	lib_check(self->pool, 1);
	ASSERT_EQ(NR_BLOCKS, lib_stats(self->pool).reclaimed);
	ASSERT_EQ(0, blockpool_free(self->pool, block));
}

TEST_F(library, wait_until_another_process_is_killed)
{
	pid_t pid = holder_start(self->name, HOLDER_DIES);
	void *block = blockpool_alloc_wait(self->pool, LONG_MS);

	ASSERT_NE(NULL, block);
	ASSERT_EQ(128 + SIGKILL, child_reap(pid));
	lib_check(self->pool, 1);
	ASSERT_EQ(0, blockpool_free(self->pool, block));
}

static atomic_int handled;

static void count_signal(int signal)
{
	atomic_fetch_add(&handled, 1);
}

TEST_F(library, wait_ended_by_a_signal)
{
	struct sigaction action = {
		.sa_handler = count_signal, .sa_flags = SA_RESTART,
	};
	pid_t test = getpid(), pid;

	sigaction(SIGUSR1, &action, NULL);
	take_all(self->pool, self->blocks);
	pid = child_fork();
	if (!pid) {
		pool_await_waiting(blockpool_fd(lib_open(self->name)), 1);
		kill(test, SIGUSR1);
		_exit(0);
	}
	ASSERT_EQ(EINTR, null_errno(blockpool_alloc_wait(self->pool, LONG_MS)));
	ASSERT_EQ(1, atomic_load(&handled));
	ASSERT_EQ(0, child_reap(pid));
	lib_check(self->pool, NR_BLOCKS);
	give_all(self->pool, self->blocks);
}

struct holding {
	struct blockpool *pool;
	void *block;
};

static void *free_when_awaited(void *arg)
{
	struct holding *holding = arg;

	pool_await_waiting(blockpool_fd(holding->pool), 1);
	must(!blockpool_free(holding->pool, holding->block));
	return NULL;
}

/* What one thread of a handle took another may free, and a third get. */
TEST_F(library, wait_until_another_thread_frees)
{
	struct holding holding = { .pool = self->pool };
	pthread_t thread;

	take_all(self->pool, self->blocks);
	holding.block = self->blocks[0];
	ASSERT_EQ(0, pthread_create(&thread, NULL, free_when_awaited,
				    &holding));
	ASSERT_EQ(holding.block, blockpool_alloc_wait(self->pool, LONG_MS));
	pthread_join(thread, NULL);
	give_all(self->pool, self->blocks);
}

/*
 * Limits and permissions
 */

TEST(limit_of_a_handle)
{
	struct blockpool_attr attr = {
		.name = "limited", .block_size = 64, .nr_blocks = 8,
		.client_max = 3,
	};
	struct blockpool *pool = blockpool_create(&attr);
	struct blockpool *other = lib_open(attr.name);
	void *blocks[4];

	ASSERT_NE(NULL, pool);
	ASSERT_EQ(3, lib_info(pool).client_max);
	ASSERT_EQ(EDQUOT, bulk_errno(pool, blocks, 4));
	ASSERT_EQ(3, blockpool_alloc_bulk(pool, blocks, 3));
	ASSERT_EQ(EDQUOT, null_errno(blockpool_alloc(pool)));
	ASSERT_EQ(EDQUOT, null_errno(blockpool_alloc_wait(pool, LONG_MS)));
	lib_check(pool, 3);

	blocks[3] = blockpool_alloc(other);
	ASSERT_NE(NULL, blocks[3]);
	ASSERT_EQ(0, blockpool_free(other, blocks[3]));
	ASSERT_EQ(0, blockpool_free(pool, blocks[0]));
	ASSERT_NE(NULL, blockpool_alloc(pool));
	ASSERT_EQ(0, blockpool_close(other));
	ASSERT_EQ(0, blockpool_close(pool));
}

static void __attribute__((noreturn)) write_to_read_only(const char *name)
{
	struct blockpool *pool = blockpool_open(name, O_RDONLY);

	must(pool);
	*(volatile char *)blockpool_block(pool, 0) = 1;
	_exit(0);
}

TEST_F(library, read_only_handle)
{
	struct blockpool *reader = blockpool_open(self->name, O_RDONLY);
	char *block = blockpool_alloc(self->pool), *seen;
	pid_t pid;

	ASSERT_NE(NULL, reader);
	strcpy(block, "written by another handle");
	seen = blockpool_block(reader, blockpool_index(self->pool, block));
	ASSERT_STREQ("written by another handle", seen);

	ASSERT_EQ(EACCES, null_errno(blockpool_alloc(reader)));
	ASSERT_EQ(EACCES, null_errno(blockpool_alloc_wait(reader, LONG_MS)));
	ASSERT_EQ(EACCES, bulk_errno(reader, self->blocks, 2));
	ASSERT_EQ(EACCES, minus_errno(blockpool_free(reader, seen)));
	self->blocks[0] = seen;
	ASSERT_EQ(EACCES, free_bulk_errno(reader, self->blocks, 1));
	ASSERT_EQ(EACCES, minus_errno(mprotect(blockpool_block(reader, 0), 4096,
					       PROT_READ | PROT_WRITE)));
	lib_check(reader, 1);
	pid = child_fork();
	if (!pid)
		write_to_read_only(self->name);
	ASSERT_EQ(128 + SIGSEGV, child_reap(pid));
	ASSERT_EQ(0, blockpool_free(self->pool, block));
	ASSERT_EQ(0, blockpool_close(reader));
}

FIXTURE(unprivileged)
{
	mode_t device;
};

FIXTURE_SETUP(unprivileged)
{
	self->device = device_share();
}

FIXTURE_TEARDOWN(unprivileged)
{
	device_restore(self->device);
}

static struct blockpool *create_mode(const char *name, mode_t mode)
{
	struct blockpool_attr attr = {
		.name = name, .block_size = 64, .nr_blocks = 1, .mode = mode,
	};
	struct blockpool *pool = blockpool_create(&attr);

	must(pool);
	return pool;
}

static void stranger(void)
{
	struct blockpool_attr attr = {
		.name = "default", .block_size = 64, .nr_blocks = 1,
	};
	struct blockpool *pool;

	must(null_errno(blockpool_open("private", O_RDWR)) == EACCES);
	must(null_errno(blockpool_open("private", O_RDONLY)) == EACCES);
	must(null_errno(blockpool_open("readable", O_RDWR)) == EACCES);
	pool = blockpool_open("readable", O_RDONLY);
	must(pool);
	must(null_errno(blockpool_alloc(pool)) == EACCES);
	must(!blockpool_close(pool));
	pool = lib_open("public");
	must(blockpool_alloc(pool));
	must(!blockpool_close(pool));
	must(minus_errno(blockpool_unlink("public")) == EACCES);
	must(null_errno(blockpool_create(&attr)) == EACCES);
}

TEST_F(unprivileged, permissions)
{
	struct blockpool *private = create_mode("private", 0);
	struct blockpool *readable = create_mode("readable", 0644);
	struct blockpool *public = create_mode("public", 0666);
	pid_t pid;

	ASSERT_EQ(0600, lib_info(private).mode);
	ASSERT_EQ(0644, lib_info(readable).mode);
	pid = child_fork();
	if (!pid) {
		become(USER_A, USER_A);
		stranger();
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(pid));
	ASSERT_EQ(0, blockpool_close(private));
	ASSERT_EQ(0, blockpool_close(readable));
	ASSERT_EQ(0, blockpool_close(public));
}

/* The device's own mode keeps strangers out, whatever the pool's says. */
TEST_F(unprivileged, device_not_permitted)
{
	struct blockpool *public = create_mode("public", 0666);
	pid_t pid;

	device_restore(0600);
	pid = child_fork();
	if (!pid) {
		become(USER_A, USER_A);
		must(null_errno(blockpool_open("public", O_RDWR)) == EACCES);
		must(minus_errno(blockpool_unlink("public")) == EACCES);
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(pid));
	ASSERT_EQ(0, blockpool_close(public));
}

TEST_F(unprivileged, over_the_memlock_limit)
{
	const struct rlimit limit = { 64 << 10, 64 << 10 };
	struct blockpool_attr attr = {
		.name = "locked", .block_size = 4096, .nr_blocks = 256,
	};
	pid_t pid = child_fork();

	if (!pid) {
		setrlimit(RLIMIT_MEMLOCK, &limit);
		become(USER_A, USER_A);
		must(null_errno(blockpool_create(&attr)) == ENOMEM);
		must(null_errno(blockpool_open("locked", O_RDWR)) == ENOENT);
		attr.nr_blocks = 4;
		must(blockpool_create(&attr));
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(pid));
}

/*
 * Opening, closing, names
 */

TEST_F(library, create_refused)
{
	struct blockpool_attr good = {
		.name = "refused", .block_size = 64, .nr_blocks = 1,
	};
	struct blockpool_attr bad[8];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = good;
	bad[0].block_size = 0;
	bad[1].block_size = BLOCKPOOL_BLOCK_SIZE_MAX + 1;
	bad[2].nr_blocks = 0;
	bad[3].nr_blocks = BLOCKPOOL_BLOCKS_MAX + 1;
	bad[4].flags = BLOCKPOOL_UNLINKED;
	bad[5].mode = 01777;
	bad[6].name = "a/b";
	bad[7].name = "..";
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ASSERT_EQ(EINVAL, null_errno(blockpool_create(&bad[i])))
			TH_LOG("attributes %zu", i);
	}
	ASSERT_EQ(ENOENT, null_errno(blockpool_open(good.name, O_RDWR)));
	good.name = self->name;
	ASSERT_EQ(EEXIST, null_errno(blockpool_create(&good)));
}

TEST_F(library, info_tells_what_was_asked_for)
{
	struct blockpool_info info = lib_info(self->pool);
	struct blockpool_info theirs = lib_info(self->other);

	ASSERT_EQ(sizeof(info), info.size);
	ASSERT_EQ(0, info.flags);
	ASSERT_EQ(BLOCK_SIZE, info.block_size);
	ASSERT_EQ(NR_BLOCKS, info.nr_blocks);
	ASSERT_EQ(0600, info.mode);
	ASSERT_EQ(0, info.client_max);
	ASSERT_EQ(geteuid(), info.uid);
	ASSERT_EQ(getegid(), info.gid);
	ASSERT_STREQ(self->name, info.name);
	ASSERT_LT(BLOCKPOOL_OWNER_KERNEL, info.client);
	ASSERT_NE(theirs.client, info.client);
	theirs.client = info.client;
	ASSERT_EQ(0, memcmp(&theirs, &info, sizeof(info)));
}

/* What is freed here counts as held until the thread gives it back. */
TEST_F(library, stats_count)
{
	struct blockpool_stats stats;
	void *block = blockpool_alloc(self->pool);

	stats = lib_stats(self->other);
	ASSERT_EQ(sizeof(stats), stats.size);
	ASSERT_EQ(NR_BLOCKS, stats.nr_blocks);
	ASSERT_EQ(1, stats.nr_held);
	ASSERT_EQ(2, stats.nr_clients);
	ASSERT_EQ(1, stats.allocs);
	ASSERT_EQ(0, stats.frees);
	ASSERT_EQ(0, blockpool_free(self->pool, block));
	stats = lib_stats(self->other);
	ASSERT_EQ(1, stats.nr_held);
	ASSERT_EQ(0, stats.frees);
	ASSERT_EQ(0, blockpool_flush(self->pool));
	stats = lib_stats(self->other);
	ASSERT_EQ(0, stats.nr_held);
	ASSERT_EQ(1, stats.allocs);
	ASSERT_EQ(1, stats.frees);
	ASSERT_EQ(0, stats.reclaimed);
}

TEST(default_pool)
{
	struct blockpool *by_null = blockpool_open(NULL, O_RDWR);
	struct blockpool *by_name = lib_open("default");
	char *block;

	ASSERT_NE(NULL, by_null);
	ASSERT_STREQ("default", lib_info(by_null).name);
	block = blockpool_alloc(by_null);
	ASSERT_NE(NULL, block);
	strcpy(block, "default");
	ASSERT_STREQ("default", blockpool_block(by_name,
						blockpool_index(by_null,
								block)));
	ASSERT_EQ(0, blockpool_free(by_null, block));
	ASSERT_EQ(0, blockpool_close(by_null));
	ASSERT_EQ(0, blockpool_close(by_name));
}

TEST(two_pools_at_once)
{
	struct blockpool *small = lib_create("small", 64, 4);
	struct blockpool *large = lib_create("large", 65536, 2);
	char *a = blockpool_alloc(small), *b = blockpool_alloc(large);

	ASSERT_NE(NULL, a);
	ASSERT_NE(NULL, b);
	memset(a, 'a', 64);
	memset(b, 'b', 65536);
	ASSERT_EQ('a', a[63]);
	ASSERT_EQ(EINVAL, minus_errno(blockpool_free(small, b)));
	ASSERT_EQ(EINVAL, minus_errno(blockpool_free(large, a)));
	lib_check(small, 1);
	lib_check(large, 1);
	ASSERT_EQ(0, blockpool_close(small));
	ASSERT_EQ('b', b[0]);
	ASSERT_EQ(0, blockpool_free(large, b));
	ASSERT_EQ(0, blockpool_close(large));
}

TEST(unlinked_while_open)
{
	struct blockpool *old = lib_create("name", 64, 2), *new;
	char *block = blockpool_alloc(old);

	strcpy(block, "old");
	ASSERT_EQ(0, blockpool_unlink("name"));
	ASSERT_EQ(ENOENT, minus_errno(blockpool_unlink("name")));
	ASSERT_EQ(ENOENT, null_errno(blockpool_open("name", O_RDWR)));
	ASSERT_EQ(BLOCKPOOL_UNLINKED, lib_info(old).flags);
	new = lib_create("name", 128, 3);
	ASSERT_EQ(3, lib_info(new).nr_blocks);
	ASSERT_EQ(2, lib_info(old).nr_blocks);
	ASSERT_NE(NULL, blockpool_alloc(old));
	ASSERT_EQ(EAGAIN, null_errno(blockpool_alloc(old)));
	ASSERT_STREQ("old", block);
	lib_check(new, 0);
	ASSERT_EQ(0, blockpool_close(old));
	ASSERT_EQ(0, blockpool_close(new));
}

TEST(persistent_pool)
{
	char name[BLOCKPOOL_NAME_SIZE];
	struct blockpool_attr attr = {
		.name = name, .block_size = 64, .nr_blocks = 1,
		.flags = BLOCKPOOL_PERSIST,
	};
	struct blockpool *pool;

	pool_name(name);
	pool = blockpool_create(&attr);
	ASSERT_NE(NULL, pool);
	ASSERT_EQ(BLOCKPOOL_PERSIST, lib_info(pool).flags);
	strcpy(blockpool_alloc(pool), "still here");
	ASSERT_EQ(0, blockpool_close(pool));
	pool = blockpool_open(attr.name, O_RDWR);
	ASSERT_NE(NULL, pool);
	ASSERT_STREQ("still here", blockpool_block(pool, 0));
	lib_check(pool, 0);
	ASSERT_EQ(0, blockpool_unlink(attr.name));
	ASSERT_EQ(0, blockpool_close(pool));
	ASSERT_EQ(ENOENT, null_errno(blockpool_open(attr.name, O_RDWR)));
}

static void limit_address_space(rlim_t headroom)
{
	struct rlimit limit;
	unsigned long pages;
	FILE *file = fopen("/proc/self/statm", "re");

	must(file && fscanf(file, "%lu", &pages) == 1);
	fclose(file);
	getrlimit(RLIMIT_AS, &limit);
	limit.rlim_cur = headroom ? pages * 4096 + headroom : limit.rlim_max;
	must(!setrlimit(RLIMIT_AS, &limit));
}

/* A pool that its creator cannot map does not stay behind. */
TEST(no_room_for_the_mapping)
{
	char name[BLOCKPOOL_NAME_SIZE];
	struct blockpool_attr attr = {
		.name = name, .block_size = 65536, .nr_blocks = 256,
		.flags = BLOCKPOOL_PERSIST,
	};
	unsigned int maps = lines_of("/proc/self/maps");

	pool_name(name);
	limit_address_space(4 << 20);
	ASSERT_EQ(ENOMEM, null_errno(blockpool_create(&attr)));
	limit_address_space(0);
	ASSERT_EQ(ENOENT, null_errno(blockpool_open(attr.name, O_RDWR)));
	ASSERT_EQ(maps, lines_of("/proc/self/maps"));
}

TEST_F(library, no_descriptor_left)
{
	struct rlimit old, limit;
	int fd = dup(0);

	close(fd);
	getrlimit(RLIMIT_NOFILE, &old);
	limit = old;
	limit.rlim_cur = fd;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	ASSERT_EQ(EMFILE, null_errno(blockpool_open(self->name, O_RDWR)));
	ASSERT_EQ(EMFILE, minus_errno(blockpool_unlink(self->name)));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
}

TEST_F(library, close_gives_everything_back)
{
	struct blockpool *third = lib_open(self->name);

	ASSERT_EQ(5, blockpool_alloc_bulk(third, self->blocks, 5));
	lib_check(self->pool, 5);
	ASSERT_EQ(0, blockpool_close(third));
	lib_check(self->pool, 0);
	ASSERT_EQ(5, lib_stats(self->pool).reclaimed);
}

/* A hundred handles opened and closed leave no descriptor and no mapping. */
TEST_F(library, close_leaves_nothing)
{
	unsigned int maps = lines_of("/proc/self/maps");
	int fd = dup(0);

	close(fd);
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0, blockpool_close(lib_open(self->name)));
		ASSERT_EQ(ENOENT, null_errno(blockpool_open("nobody's",
							    O_RDWR)));
	}
	ASSERT_EQ(fd, dup(0));
	close(fd);
	ASSERT_EQ(maps, lines_of("/proc/self/maps"));
	ASSERT_EQ(2, lib_stats(self->pool).nr_clients);
}

/*
 * Indices
 */

static bool finds_its_blocks(size_t block_size, uint32_t nr_blocks)
{
	struct blockpool *pool = lib_create("strides", block_size, nr_blocks);
	uint32_t stride = lib_info(pool).stride;
	bool good = true;

	for (uint32_t i = 0; i < nr_blocks; i++) {
		char *block = blockpool_block(pool, i);

		good &= block == (char *)blockpool_block(pool, 0) +
				 (size_t)i * stride;
		good &= blockpool_index(pool, block) == i;
		good &= index_errno(blockpool_index(pool, block + 1)) == EINVAL;
		good &= index_errno(blockpool_index(pool, block + stride / 2)) ==
			EINVAL;
		good &= index_errno(blockpool_index(pool, block + stride - 1)) ==
			EINVAL;
	}
	good &= null_errno(blockpool_block(pool, nr_blocks)) == EINVAL;
	good &= null_errno(blockpool_block(pool, BLOCKPOOL_NO_INDEX)) == EINVAL;
	must(!blockpool_close(pool));
	return good;
}

TEST(index_and_block)
{
	static const uint32_t sizes[] = {
		1, 63, 64, 65, 100, 192, 1500, 2048, 4095, 4096, 4097, 5000,
		9000, 65536, 100000, 1 << 20,
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		ASSERT_TRUE(finds_its_blocks(sizes[i], sizes[i] > 9999 ? 3
								       : 257))
			TH_LOG("block size %u", sizes[i]);
	}
}

TEST_F(library, block_found_through_another_handle)
{
	char *block = blockpool_alloc(self->pool), *seen;
	uint32_t index = blockpool_index(self->pool, block);

	strcpy(block, "the same bytes");
	seen = blockpool_block(self->other, index);
	ASSERT_NE(block, seen);
	ASSERT_STREQ("the same bytes", seen);
	strcpy(seen, "and back");
	ASSERT_STREQ("and back", block);
	ASSERT_EQ(index, blockpool_index(self->other, seen));
	ASSERT_EQ(0, blockpool_free(self->pool, block));
}

TEST_F(library, descriptor_polls)
{
	struct pollfd poll_fd = {
		.fd = blockpool_fd(self->other), .events = POLLOUT,
	};

	ASSERT_EQ(FD_CLOEXEC, fcntl(poll_fd.fd, F_GETFD));
	ASSERT_EQ(1, poll(&poll_fd, 1, 0));
	ASSERT_EQ(POLLOUT, poll_fd.revents);
	take_all(self->pool, self->blocks);
	ASSERT_EQ(0, poll(&poll_fd, 1, 0));
	give_all(self->pool, self->blocks);
	ASSERT_EQ(1, poll(&poll_fd, 1, 0));
}

/*
 * Fork
 */

static void each_call_is_echild(struct blockpool *pool, void *block)
{
	struct blockpool_stats stats;
	struct blockpool_info info;
	void *blocks[2] = { block };

	must(null_errno(blockpool_alloc(pool)) == ECHILD);
	must(null_errno(blockpool_alloc_wait(pool, 0)) == ECHILD);
	must(minus_errno(blockpool_alloc_bulk(pool, blocks, 1)) == ECHILD);
	must(minus_errno(blockpool_free(pool, block)) == ECHILD);
	must(minus_errno(blockpool_free_bulk(pool, blocks, 1)) == ECHILD);
	must(minus_errno(blockpool_flush(pool)) == ECHILD);
	must(index_errno(blockpool_index(pool, block)) == ECHILD);
	must(null_errno(blockpool_block(pool, 0)) == ECHILD);
	must(minus_errno(blockpool_info(pool, &info)) == ECHILD);
	must(minus_errno(blockpool_stats(pool, &stats)) == ECHILD);
	must(minus_errno(blockpool_fd(pool)) == ECHILD);
}

TEST_F(library, inherited_handle)
{
	char *block = blockpool_alloc(self->pool);
	int fd = blockpool_fd(self->pool);
	pid_t pid;

	strcpy(block, "the parent's");
	pid = child_fork();
	if (!pid) {
		each_call_is_echild(self->pool, block);
		must(!blockpool_close(self->pool));
		must(minus_errno(fcntl(fd, F_GETFD)) == EBADF);
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(pid));
	lib_check(self->pool, 1);
	ASSERT_STREQ("the parent's", block);
	ASSERT_EQ(0, blockpool_free(self->pool, block));
}

/* What lies in a child where its parent had the pool is none of the library's. */
TEST_F(library, inherited_close_unmaps_nothing_of_ours)
{
	size_t size = lib_info(self->pool).map_size;
	void *base = blockpool_block(self->pool, 0);
	pid_t pid = child_fork();
	char *ours;

	if (!pid) {
		ours = mmap(base, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			    -1, 0);
		must(ours == base);
		must(!blockpool_close(self->pool));
		memset(ours, 1, size);
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(pid));
}

/* The child's own handle works, and in its child is an inherited one again. */
TEST_F(library, child_opens_its_own)
{
	pid_t pid = child_fork(), grandchild;
	struct blockpool *own;
	void *block;

	if (!pid) {
		own = lib_open(self->name);
		block = blockpool_alloc(own);
		must(block);
		each_call_is_echild(self->pool, block);
		grandchild = child_fork();
		if (!grandchild) {
			each_call_is_echild(self->pool, block);
			each_call_is_echild(own, block);
			_exit(0);
		}
		must(!child_reap(grandchild));
		lib_check(own, 1);
		must(!blockpool_free(own, block));
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(pid));
	lib_check(self->pool, 0);
}

TEST_F(library, inherited_over_a_raw_clone)
{
	void *block = blockpool_alloc(self->pool);
	pid_t pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (!pid) {
		each_call_is_echild(self->pool, block);
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(pid));
	ASSERT_EQ(0, blockpool_free(self->pool, block));
}

static int take_and_give(void *arg)
{
	struct blockpool *pool = arg;
	void *block = blockpool_alloc(pool);

	return !block || blockpool_free(pool, block);
}

/* As vfork() has it: with the memory the handle is shared, not inherited. */
TEST_F(library, shared_over_a_clone_of_one_memory)
{
	static char stack[65536] __attribute__((aligned(16)));
	pid_t pid = clone(take_and_give, stack + sizeof(stack),
			  CLONE_VM | CLONE_VFORK | SIGCHLD, self->pool);

	ASSERT_LT(0, pid);
	ASSERT_EQ(0, child_reap(pid));
	lib_check(self->pool, 0);
	ASSERT_EQ(1, lib_stats(self->pool).frees);
}

TEST_F(library, exec_gives_everything_back)
{
	struct step step;
	pid_t pid;

	step_init(&step);
	pid = child_fork();
	if (!pid) {
		must(blockpool_alloc_bulk(lib_open(self->name), self->blocks,
					  3) == 3);
		step_post(&step);
		execl("/bin/sleep", "sleep", "60", NULL);
		_exit(1);
	}
	step_await(&step);
	pool_await_held(blockpool_fd(self->pool), 0);
	ASSERT_EQ(3, lib_stats(self->pool).reclaimed);
	ASSERT_EQ(128 + SIGKILL, child_kill(pid));
}

/*
 * Threads and signal handlers
 */

struct churn {
	struct blockpool *pool;
	atomic_uint *owners;	/* one word a block: 0 or a thread */
	unsigned int thread;
	unsigned int taken;
};

static void stamp(struct churn *churn, void *block)
{
	uint32_t index = blockpool_index(churn->pool, block);

	must(index != BLOCKPOOL_NO_INDEX);
	must(atomic_exchange(&churn->owners[index], churn->thread) == 0);
	for (int i = 0; i < BLOCK_SIZE / 4; i++)
		((uint32_t *)block)[i] = churn->thread;
}

static void unstamp(struct churn *churn, void *block)
{
	uint32_t index = blockpool_index(churn->pool, block);

	for (int i = 0; i < BLOCK_SIZE / 4; i++)
		must(((uint32_t *)block)[i] == churn->thread);
	must(atomic_exchange(&churn->owners[index], 0) == churn->thread);
}

static unsigned int churn_take(struct churn *churn, void **blocks,
			       unsigned int n)
{
	if (n == 1) {
		blocks[0] = blockpool_alloc(churn->pool);
		n = !!blocks[0];
	} else if (blockpool_alloc_bulk(churn->pool, blocks, n) < 0) {
		n = 0;
	}
	must(n || errno == EAGAIN);
	for (unsigned int i = 0; i < n; i++)
		stamp(churn, blocks[i]);
	churn->taken += n;
	return n;
}

static void churn_give(struct churn *churn, void **blocks, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		unstamp(churn, blocks[i]);
	if (n == 1)
		must(!blockpool_free(churn->pool, blocks[0]));
	else if (n)
		must(blockpool_free_bulk(churn->pool, blocks, n) == (int)n);
}

/* Holds up to 8, so that 8 threads want more than the pool has. */
static void *churn(void *arg)
{
	struct churn *churn = arg;
	uint32_t state = churn->thread * 2654435761U;
	unsigned int a, b;
	void *blocks[8];

	for (int i = 0; i < THREAD_ROUNDS; i++) {
		a = churn_take(churn, blocks, 1 + next_random(&state) % 4);
		b = churn_take(churn, blocks + a, 1 + next_random(&state) % 4);
		if (next_random(&state) % 2) {
			churn_give(churn, blocks, a + b);
		} else {
			churn_give(churn, blocks + a, b);
			churn_give(churn, blocks, a);
		}
	}
	return NULL;
}

/* How many blocks the threads took; each must be with one of them at a time. */
static unsigned int churn_together(struct blockpool *pool)
{
	static atomic_uint owners[CHURN_BLOCKS];
	struct churn churns[NR_THREADS];
	pthread_t threads[NR_THREADS];
	unsigned int taken = 0;

	for (unsigned int i = 0; i < NR_THREADS; i++) {
		churns[i] = (struct churn){ pool, owners, i + 1, 0 };
		must(!pthread_create(&threads[i], NULL, churn, &churns[i]));
	}
	for (unsigned int i = 0; i < NR_THREADS; i++) {
		pthread_join(threads[i], NULL);
		taken += churns[i].taken;
	}
	return taken;
}

TEST_F(library, threads_share_a_handle)
{
	ASSERT_LT(NR_THREADS * THREAD_ROUNDS, churn_together(self->pool));
	lib_check(self->pool, 0);
	ASSERT_EQ(0, lib_stats(self->pool).refused);
	ASSERT_EQ(0, lib_stats(self->pool).reclaimed);
}

/* In a pool with blocks for all, most of it happens in the magazines. */
TEST(threads_with_magazines)
{
	struct blockpool *pool = lib_create("magazines", BLOCK_SIZE,
					    CHURN_BLOCKS);
	unsigned int taken = churn_together(pool);

	ASSERT_LE(2 * NR_THREADS * THREAD_ROUNDS, taken);
	ASSERT_GT(taken, lib_stats(pool).allocs);
	ASSERT_EQ(0, lib_stats(pool).refused);
	lib_drain(pool);
	ASSERT_EQ(0, blockpool_close(pool));
}

struct race {
	struct blockpool *pool;
	void *block;
	pthread_barrier_t *barrier;
	int freed;
};

static void *race_to_free(void *arg)
{
	struct race *race = arg;

	pthread_barrier_wait(race->barrier);
	race->freed = !blockpool_free(race->pool, race->block);
	if (!race->freed)
		must(errno == EPERM);
	return NULL;
}

static void *free_again(void *arg)
{
	struct holding *holding = arg;

	must(minus_errno(blockpool_free(holding->pool, holding->block)) ==
	     EPERM);
	return NULL;
}

/*
 * Both may succeed, each into its own magazine, but to the kernel the block is
 * given back once: the second time it is refused, at the latest by flush.
 */
TEST_F(library, two_threads_free_one_block)
{
	pthread_barrier_t barrier;
	pthread_t thread;
	void *block;

	pthread_barrier_init(&barrier, NULL, 2);
	for (int i = 0; i < 200; i++) {
		struct race races[2];
		int error;

		block = blockpool_alloc(self->pool);
		races[0] = (struct race){ self->pool, block, &barrier, 0 };
		races[1] = races[0];
		ASSERT_EQ(0, pthread_create(&thread, NULL, race_to_free,
					    &races[1]));
		race_to_free(&races[0]);
		pthread_join(thread, NULL);
		ASSERT_LE(1, races[0].freed + races[1].freed);
		error = minus_errno(blockpool_flush(self->pool));
		ASSERT_TRUE(!error || (error == EPERM && races[0].freed &&
				       races[1].freed));
		pool_check(blockpool_fd(self->pool), 0);
	}
}

/* One after the other, the second is refused whatever thread it is. */
TEST_F(library, two_threads_free_one_block_in_turn)
{
	struct holding holding = { .pool = self->pool };
	pthread_t thread;

	holding.block = blockpool_alloc(self->pool);
	ASSERT_EQ(0, blockpool_free(self->pool, holding.block));
	ASSERT_EQ(0, pthread_create(&thread, NULL, free_again, &holding));
	pthread_join(thread, NULL);
	lib_check(self->pool, 0);
}

static struct blockpool *signal_pool;
static volatile sig_atomic_t signal_owners[CHURN_BLOCKS];
static volatile sig_atomic_t signal_runs;

/* Nobody else may have the block that was just given to us. */
static void *take_marked(int mark)
{
	void *block = blockpool_alloc(signal_pool);
	uint32_t index = blockpool_index(signal_pool, block);

	must(block && !signal_owners[index]);
	signal_owners[index] = mark;
	must(blockpool_block(signal_pool, index) == block);
	return block;
}

static void give_marked(void *block, int mark)
{
	uint32_t index = blockpool_index(signal_pool, block);

	must(signal_owners[index] == mark);
	signal_owners[index] = 0;
	must(!blockpool_free(signal_pool, block));
}

static void take_in_handler(int signal)
{
	int error = errno;

	give_marked(take_marked(2), 2);
	signal_runs++;
	errno = error;
}

/* It comes in the middle of hits, of refills and of flushes. */
TEST(calls_in_a_signal_handler)
{
	struct sigaction action = { .sa_handler = take_in_handler };
	struct itimerval timer = { { 0, 2000 }, { 0, 2000 } };
	void *blocks[BURST];

	signal_pool = lib_create("signals", 64, 8 * BURST);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	while (signal_runs < HANDLER_RUNS) {
		for (int i = 0; i < BURST; i++)
			blocks[i] = take_marked(1);
		for (int i = 0; i < BURST; i++)
			give_marked(blocks[i], 1);
	}
	timer = (struct itimerval){};
	setitimer(ITIMER_REAL, &timer, NULL);
	ASSERT_EQ(0, lib_stats(signal_pool).refused);
	lib_drain(signal_pool);
	ASSERT_EQ(0, blockpool_close(signal_pool));
}

TEST_HARNESS_MAIN

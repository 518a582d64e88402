// SPDX-License-Identifier: GPL-2.0
/*
 * Crimes committed through the library in a pool for debugging: what the kernel's
 * reports say of each, and that both call stacks name the right functions.
 */
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "harness.h"
#include "library.h"
#include "memcheck.h"

#define BLOCK_SIZE	1500
#define NR_BLOCKS	16
#define TEXT_SIZE	16384
#define NAME_SIZE	128

#define noinline	__attribute__((noinline))

/* Keeps a call from being the last thing that a function does. */
static inline void stay_here(void)
{
	asm volatile("" : : : "memory");
}

static struct blockpool *create(const char *name, __u32 flags)
{
	struct blockpool_attr attr = {
		.name = name, .block_size = BLOCK_SIZE, .nr_blocks = NR_BLOCKS,
		.flags = flags,
	};
	struct blockpool *pool = blockpool_create(&attr);

	must(pool);
	return pool;
}

/* The next report behind @seq; 0 or -errno. */
static int next_report(struct blockpool *pool, __u64 seq,
		       struct blockpool_report *report)
{
	struct blockpool_report_args args = {
		.size = sizeof(args),
		.report_size = sizeof(*report),
		.cursor = seq,
		.report = (uintptr_t)report,
	};

	memset(report, POOL_POISON, sizeof(*report));
	return pool_ioctl(blockpool_fd(pool), BLOCKPOOL_IOC_REPORT, &args);
}

static void run(const char *command, char *output, size_t size)
{
	FILE *pipe = popen(command, "re");
	size_t n;

	must(pipe);
	n = fread(output, 1, size - 1, pipe);
	output[n] = '\0';
	must(!pclose(pipe));
}

/* The function in a line "/path/of/file+0x1234", by binutils' word. */
static void function_at(const char *line, char *name)
{
	char command[PATH_MAX], output[PATH_MAX];
	const char *plus = strstr(line, "+0x");

	must(plus && plus < strchr(line, '\n'));
	snprintf(command, sizeof(command), "addr2line -f -e '%.*s' 0x%llx",
		 (int)(plus - line), line, strtoull(plus + 3, NULL, 16) - 1);
	run(command, output, sizeof(output));
	snprintf(name, NAME_SIZE, "%.*s", (int)strcspn(output, "\n"), output);
}

/* The stack of a track, innermost first, begins with these functions. */
#define EXPECT_STACK(track, ...) do {					\
	static const char *const functions[] = { __VA_ARGS__ };		\
	const char *line = (track).stack;				\
	char name[NAME_SIZE];						\
	size_t i;							\
									\
	for (i = 0; i < ARRAY_SIZE(functions) && strchr(line, '\n'); i++) { \
		function_at(line, name);				\
		EXPECT_STREQ(functions[i], name);			\
		line = strchr(line, '\n') + 1;				\
	}								\
	EXPECT_EQ(ARRAY_SIZE(functions), i) TH_LOG("%s", (track).stack); \
} while (0)

/* It was this thread. */
#define EXPECT_ME(track) do {						\
	EXPECT_EQ(getpid(), (track).pid);				\
	EXPECT_EQ(gettid(), (track).tid);				\
	EXPECT_EQ(0, strncmp((track).comm, program_invocation_short_name, \
			     BLOCKPOOL_COMM_SIZE - 1));			\
} while (0)

static noinline char *take_here(struct blockpool *pool)
{
	char *block = blockpool_alloc(pool);

	stay_here();
	return block;
}

static noinline int give_here(struct blockpool *pool, char *block)
{
	int ret = blockpool_free(pool, block);

	stay_here();
	return ret;
}

/* Another call, or the compiler makes one function of the two. */
static noinline int give_again(struct blockpool *pool, void *block)
{
	int n = blockpool_free_bulk(pool, &block, 1);

	stay_here();
	return n;
}

FIXTURE(crime)
{
	char name[BLOCKPOOL_NAME_SIZE];
	struct blockpool *pool;
	struct blockpool_report report;
	char *block;
	__u32 index;
};

FIXTURE_SETUP(crime)
{
	pool_name(self->name);
	self->pool = create(self->name, BLOCKPOOL_GUARD | BLOCKPOOL_POISON |
					BLOCKPOOL_TRACK);
	self->block = take_here(self->pool);
	ASSERT_NE(NULL, self->block);
	self->index = blockpool_index(self->pool, self->block);
}

/* Each was one report. */
FIXTURE_TEARDOWN(crime)
{
	__u64 seq = self->report.seq;

	EXPECT_EQ(-ENOENT, next_report(self->pool, seq, &self->report));
	EXPECT_EQ(seq, lib_stats(self->pool).reports);
	EXPECT_EQ(0, blockpool_close(self->pool));
}

#define EXPECT_CRIME(what, where) do {					\
	ASSERT_EQ(0, next_report(self->pool, 0, &self->report));	\
	EXPECT_EQ(BLOCKPOOL_REPORT_##what, self->report.kind);		\
	EXPECT_EQ(BLOCKPOOL_FOUND_##where, self->report.found);		\
	EXPECT_ME(self->report.by);					\
} while (0)

TEST_F(crime, overrun)
{
	self->block[BLOCK_SIZE + 2] = 1;
	ASSERT_EQ(0, give_here(self->pool, self->block));
	EXPECT_CRIME(OVERRUN, FREE);
	EXPECT_EQ(self->index, self->report.index);
	EXPECT_EQ(BLOCK_SIZE + 2, self->report.offset);
	EXPECT_STACK(self->report.by, "give_here", "crime_overrun");
	EXPECT_STACK(self->report.alloc, "take_here", "crime_setup");
}

TEST_F(crime, underrun)
{
	self->block[-3] = 1;
	ASSERT_EQ(0, give_here(self->pool, self->block));
	EXPECT_CRIME(UNDERRUN, FREE);
	EXPECT_EQ(self->index, self->report.index);
	EXPECT_EQ(-3, self->report.offset);
	EXPECT_STACK(self->report.by, "give_here", "crime_underrun");
	EXPECT_STACK(self->report.alloc, "take_here", "crime_setup");
}

TEST_F(crime, use_after_free)
{
	void *blocks[NR_BLOCKS];

	ASSERT_EQ(0, give_here(self->pool, self->block));
	self->block[5] = 1;
	ASSERT_EQ(NR_BLOCKS - 1, blockpool_alloc_bulk(self->pool, blocks,
						      NR_BLOCKS - 1));
	ASSERT_EQ(EAGAIN, null_errno(blockpool_alloc(self->pool)));
	EXPECT_CRIME(USE_AFTER_FREE, ALLOC);
	EXPECT_EQ(self->index, self->report.index);
	EXPECT_EQ(5, self->report.offset);
	EXPECT_STACK(self->report.alloc, "take_here", "crime_setup");
	EXPECT_STACK(self->report.free, "give_here", "crime_use_after_free");
	EXPECT_EQ(1, lib_stats(self->pool).nr_quarantined);
}

TEST_F(crime, double_free)
{
	ASSERT_EQ(0, give_here(self->pool, self->block));
	ASSERT_EQ(EPERM, minus_errno(give_again(self->pool, self->block)));
	EXPECT_CRIME(DOUBLE_FREE, FREE);
	EXPECT_EQ(self->index, self->report.index);
	EXPECT_STACK(self->report.by, "give_again", "crime_double_free");
	EXPECT_STACK(self->report.alloc, "take_here", "crime_setup");
	EXPECT_STACK(self->report.free, "give_here", "crime_double_free");
}

TEST_F(crime, free_of_what_another_holds)
{
	struct blockpool *other = lib_open(self->name);
	char *block = blockpool_block(other, self->index);

	ASSERT_EQ(EPERM, minus_errno(give_again(other, block)));
	EXPECT_CRIME(NOT_HELD, FREE);
	EXPECT_EQ(self->index, self->report.index);
	EXPECT_STACK(self->report.by, "give_again",
		     "crime_free_of_what_another_holds");
	EXPECT_STACK(self->report.alloc, "take_here", "crime_setup");
	ASSERT_EQ(0, blockpool_close(other));
}

TEST_F(crime, free_of_what_is_no_block)
{
	ASSERT_EQ(EINVAL, minus_errno(give_again(self->pool, self->block + 1)));
	EXPECT_CRIME(NOT_A_BLOCK, FREE);
	EXPECT_EQ(BLOCKPOOL_NO_INDEX, self->report.index);
	EXPECT_STACK(self->report.by, "give_again",
		     "crime_free_of_what_is_no_block");
}

struct thread {
	struct blockpool *pool;
	char *block;
	pid_t tid;
};

static noinline void *give_in_thread(void *arg)
{
	struct thread *thread = arg;

	thread->tid = gettid();
	give_here(thread->pool, thread->block);
	stay_here();
	return NULL;
}

TEST_F(crime, of_a_thread)
{
	struct thread thread = { .pool = self->pool, .block = self->block };
	pthread_t id;

	ASSERT_EQ(0, pthread_create(&id, NULL, give_in_thread, &thread));
	ASSERT_EQ(0, pthread_join(id, NULL));
	ASSERT_EQ(EPERM, minus_errno(give_again(self->pool, self->block)));
	EXPECT_CRIME(DOUBLE_FREE, FREE);
	EXPECT_EQ(getpid(), self->report.free.pid);
	EXPECT_EQ(thread.tid, self->report.free.tid);
	EXPECT_STACK(self->report.free, "give_here", "give_in_thread");
}

static struct blockpool *handler_pool;
static char *handler_block;

static noinline void handler(int signal)
{
	give_here(handler_pool, handler_block);
	stay_here();
}

TEST_F(crime, of_a_signal_handler)
{
	struct sigaction action = { .sa_handler = handler };

	handler_pool = self->pool;
	handler_block = self->block;
	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_EQ(0, raise(SIGUSR1));
	ASSERT_EQ(EPERM, minus_errno(give_again(self->pool, self->block)));
	EXPECT_CRIME(DOUBLE_FREE, FREE);
	EXPECT_STACK(self->report.free, "give_here", "handler");
}

/* The culprit's is over: what it had loaded is known still. */
TEST_F(crime, of_a_process_that_is_gone)
{
	pid_t pid = child_fork();

	if (!pid) {
		struct blockpool *pool = lib_open(self->name);
		char *block = take_here(pool);

		block[BLOCK_SIZE] = 1;
		_exit(blockpool_index(pool, block));
	}
	self->index = child_reap(pid);
	ASSERT_EQ(0, next_report(self->pool, 0, &self->report));
	EXPECT_EQ(BLOCKPOOL_REPORT_OVERRUN, self->report.kind);
	EXPECT_EQ(BLOCKPOOL_FOUND_RECLAIM, self->report.found);
	EXPECT_EQ(self->index, self->report.index);
	EXPECT_EQ(pid, self->report.alloc.pid);
	EXPECT_STACK(self->report.alloc, "take_here",
		     "crime_of_a_process_that_is_gone");
}

/* Nothing is wrong: whatever the library does, no report. */
TEST_F(crime, none)
{
	void *blocks[NR_BLOCKS];
	int n, i;

	for (n = 1; n < NR_BLOCKS; n++) {
		ASSERT_EQ(n, blockpool_alloc_bulk(self->pool, blocks, n));
		for (i = 0; i < n; i++)
			memset(blocks[i], n, BLOCK_SIZE);
		lib_check(self->pool, n + 1);	/* none is kept */
		ASSERT_EQ(n, blockpool_free_bulk(self->pool, blocks, n));
	}
	memset(self->block, 1, BLOCK_SIZE);
	ASSERT_EQ(0, blockpool_free(self->pool, self->block));
	self->block = blockpool_alloc_wait(self->pool, 0);
	ASSERT_NE(NULL, self->block);
	memset(&self->report, 0, sizeof(self->report));
}

TEST(attr_is_handed_on)
{
	const __u32 flags = BLOCKPOOL_DEBUG | BLOCKPOOL_ISOLATED;
	char name[BLOCKPOOL_NAME_SIZE];
	struct blockpool_attr attr = {
		.name = name, .block_size = 4096, .nr_blocks = NR_BLOCKS,
		.flags = flags, .reserve = 3,
	};
	struct blockpool_info info;
	struct blockpool *pool;

	pool_name(name);
	pool = blockpool_create(&attr);
	ASSERT_NE(NULL, pool);
	ASSERT_EQ(0, blockpool_info(pool, &info));
	EXPECT_EQ(flags, info.flags);
	EXPECT_EQ(3, info.reserve);
	EXPECT_EQ(4096, info.block_offset);
	EXPECT_EQ(3 * 4096, info.stride);
	EXPECT_EQ(0, (uintptr_t)blockpool_block(pool, 5) % 4096);
	EXPECT_EQ(5, blockpool_index(pool, blockpool_block(pool, 5)));
	EXPECT_EQ(0, blockpool_close(pool));
}

/*
 * A program that runs itself again under memcheck, where it does this
 */

static __attribute__((constructor)) void under_memcheck(void)
{
	const char *name = memcheck_deed();
	struct blockpool *pool;
	char *block;

	if (!name)
		return;
	pool = lib_open(name);
	block = take_here(pool);
	memset(block, 1, BLOCK_SIZE);
	must(!give_here(pool, block));
	block[7] = 1;
	_exit(blockpool_close(pool));
}

TEST(memcheck_finds_use_after_free)
{
	char name[BLOCKPOOL_NAME_SIZE], text[TEXT_SIZE];
	const char *at;
	int status;

	pool_name(name);
	blockpool_close(create(name, BLOCKPOOL_PERSIST));
	status = memcheck_run(name, text, sizeof(text));
	must(!blockpool_unlink(name));
	if (status == MEMCHECK_NONE)
		SKIP(return, "valgrind is not installed");
	EXPECT_EQ(MEMCHECK_FOUND, status);
	at = strstr(text, "7 bytes inside a block of size 1,500 free'd");
	ASSERT_NE(NULL, at) TH_LOG("%s", text);
	EXPECT_NE(NULL, strstr(at, "give_here"));
	EXPECT_NE(NULL, strstr(at, "take_here"));
}

TEST_HARNESS_MAIN

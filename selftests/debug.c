// SPDX-License-Identifier: GPL-2.0
/*
 * Debug mode: each crime that it tells of is committed here, by clients and, through
 * the peer, by the kernel; and what is reported must name the block, the byte, who
 * did it and by which functions.
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "harness.h"
#include "debug.h"
#include "peer/user.h"

#define PROCESS		BLOCKPOOL_PEER_PROCESS
#define NR_BLOCKS	8U
#define BLOCK_SIZE	200U	/* its last cache line is half a guard zone */
#define PARAMETERS	"/sys/module/blockpool/parameters/"
#define SWEEP_MS	PARAMETERS "debug_sweep_ms"
#define PANIC		PARAMETERS "panic_on_corruption"
#define KEPT		64U	/* reports, and paths of those who are gone */
#define LOGGED		10U	/* reports in five seconds */
#define USERS		6U	/* with a pool of their own */
#define MANY		200U

/* Call stacks as a library hands them over: line of the path, and address. */
#define FRAME(line, address)	(((__u64)(line) << 48) + (address))
#define PATHS		"/bin/liar\n/lib/guilty.so\n"

static const __u64 taken_by[] = { FRAME(1, 0x1230), FRAME(0, 0xa4) };
static const __u64 freed_by[] = { FRAME(1, 0x4560), FRAME(0, 0xb8) };

#define TAKEN_BY	"/lib/guilty.so+0x1230\n/bin/liar+0xa4\n"
#define FREED_BY	"/lib/guilty.so+0x4560\n/bin/liar+0xb8\n"

FIXTURE(client)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int fd;
	struct blockpool_info info;
	char *map;
	__u64 cursor;
};

/* No sweep but where it is wanted. */
FIXTURE_SETUP(client)
{
	must(!file_write(SWEEP_MS, "0"));
	pool_name(self->name);
	self->fd = debug_new(self->name, GPT, BLOCK_SIZE, NR_BLOCKS);
	self->info = pool_info(self->fd);
	self->map = pool_map(self->fd);
	must(!debug_modules(self->fd, PATHS));
}

FIXTURE_TEARDOWN(client)
{
	must(!file_write(SWEEP_MS, "10000"));
	munmap(self->map, self->info.map_size);
	close(self->fd);
	EXPECT_FALSE(pool_listed(self->name));
}

#define block_of(self, index) \
	((self)->map + (self)->info.block_offset + \
	 (size_t)(index) * (self)->info.stride)

static __u32 take(int fd)
{
	__u32 index;

	must(!debug_alloc(fd, &index, 1, taken_by, 2));
	return index;
}

static int give(int fd, __u32 index)
{
	return debug_free(fd, &index, 1, freed_by, 2);
}

static __u32 owner_of(int fd, __u32 index)
{
	__u32 owner;

	must(!pool_owners(fd, index, 1, &owner));
	return owner;
}

static bool there(const char *text, const char *words)
{
	return strstr(text, words);
}

/* That a track tells of this thread, just now. */
static bool by_us(const struct blockpool_track *track, __u32 client,
		  const char *stack)
{
	char comm[BLOCKPOOL_COMM_SIZE] = "";
	struct timespec now;
	__u64 now_ns;

	prctl(PR_GET_NAME, comm);
	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = now.tv_sec * 1000000000ULL + now.tv_nsec;
	return track->client == client && track->pid == getpid() &&
	       track->tid == (pid_t)syscall(SYS_gettid) &&
	       track->cpu < 1024 && !strcmp(track->comm, comm) &&
	       track->time_ns <= now_ns + 1000000000 &&
	       track->time_ns + 60000000000 > now_ns &&
	       !strcmp(track->stack, stack);
}

#define expect_kind(_report, _kind, _found, _index) \
	do { \
		EXPECT_EQ(BLOCKPOOL_REPORT_##_kind, (_report)->kind); \
		EXPECT_EQ(BLOCKPOOL_FOUND_##_found, (_report)->found); \
		EXPECT_EQ(_index, (_report)->index); \
	} while (0)

#define expect_damage(_report, _fill, _offset, _count) \
	do { \
		EXPECT_EQ(_fill, (_report)->fill); \
		EXPECT_EQ(_offset, (_report)->offset); \
		EXPECT_EQ(_count, (_report)->nr_damaged); \
		EXPECT_TRUE(dump_shows(_report, _count)); \
	} while (0)

#define expect_log(self, _report, ...) \
	do { \
		const char *const words[] = { __VA_ARGS__ }; \
		char *log = debug_log((self)->name, (_report)->seq); \
		\
		for (size_t at = 0; at < ARRAY_SIZE(words); at++) { \
			EXPECT_TRUE(there(log, words[at])) \
				TH_LOG("no \"%s\" in:\n%s", words[at], log); \
		} \
		free(log); \
	} while (0)

/* That the dump has the damaged bytes where they should be, and no others. */
static bool dump_shows(const struct blockpool_report *report, __u32 count)
{
	__s64 first = report->offset - report->dump_offset;
	bool damaged;

	if (first < 0 || first + count > report->dump_size)
		return false;
	for (__s64 i = 0; i < report->dump_size; i++) {
		damaged = report->dump[i] != report->fill;
		if (damaged != (i >= first && i < first + count))
			return false;
	}
	return true;
}

TEST_F(client, sound)
{
	__u32 damaged = 1;

	EXPECT_EQ(GPT, self->info.flags & BLOCKPOOL_DEBUG);
	EXPECT_LE(64, self->info.block_offset);
	EXPECT_LE(BLOCK_SIZE + 128, self->info.stride);
	for (int round = 0; round < 3; round++) {
		__u32 *indices = pool_take_all(self->fd);

		for (__u32 i = 0; i < NR_BLOCKS; i++)
			memset(block_of(self, i), round, BLOCK_SIZE);
		EXPECT_EQ(0, debug_check(self->fd, &damaged));
		EXPECT_EQ(0, damaged);
		must(!pool_free(self->fd, indices, NR_BLOCKS, NULL));
		free(indices);
		for (__u32 i = 0; i < NR_BLOCKS; i++)
			for (__u32 k = 0; k < BLOCK_SIZE; k++)
				ASSERT_EQ(FILL_POISON, block_of(self, i)[k]);
	}
	pool_drain(self->fd);
	EXPECT_EQ(0, debug_check(self->fd, &damaged));
	EXPECT_EQ(0, damaged);
	EXPECT_EQ(0, pool_stats(self->fd).reports);
	EXPECT_EQ(0, pool_stats(self->fd).nr_quarantined);
}

/* All but one can be taken, and that one is not among them. */
static void quarantined(struct __test_metadata *_metadata,
			struct _test_data_client *self, __u32 index)
{
	__u32 indices[NR_BLOCKS];

	EXPECT_EQ(BLOCKPOOL_OWNER_QUARANTINE, owner_of(self->fd, index));
	EXPECT_EQ(1, pool_stats(self->fd).nr_quarantined);
	EXPECT_EQ(1, pool_stats(self->fd).nr_held);
	EXPECT_EQ(0, pool_stats(self->fd).nr_kernel);
	EXPECT_EQ(-EAGAIN, pool_alloc(self->fd, indices, NR_BLOCKS));
	ASSERT_EQ(0, pool_alloc(self->fd, indices, NR_BLOCKS - 1));
	for (__u32 i = 0; i < NR_BLOCKS - 1; i++)
		EXPECT_NE(index, indices[i]);
	EXPECT_EQ(-EPERM, pool_give(self->fd, index));
	ASSERT_EQ(0, pool_free(self->fd, indices, NR_BLOCKS - 1, NULL));
}

static void repaired(struct __test_metadata *_metadata,
		     struct _test_data_client *self, __u32 count)
{
	__u32 number;

	EXPECT_EQ(0, debug_repair(self->fd, &number));
	EXPECT_EQ(count, number);
	EXPECT_EQ(0, pool_stats(self->fd).nr_quarantined);
	EXPECT_EQ(0, debug_check(self->fd, &number));
	EXPECT_EQ(0, number);
	pool_drain(self->fd);
}

TEST_F(client, overrun)
{
	__u32 index = take(self->fd);
	struct blockpool_report report;
	char pid[64];

	memcpy(block_of(self, index) + BLOCK_SIZE, "ABC", 3);
	ASSERT_EQ(0, give(self->fd, index));
	report = debug_only(self->fd, &self->cursor);
	expect_kind(&report, OVERRUN, FREE, index);
	expect_damage(&report, FILL_GUARD, BLOCK_SIZE, 3);
	EXPECT_TRUE(by_us(&report.by, self->info.client, FREED_BY));
	EXPECT_TRUE(by_us(&report.alloc, self->info.client, TAKEN_BY));
	EXPECT_EQ(0, report.free.client);
	EXPECT_EQ(1, pool_stats(self->fd).reports);
	snprintf(pid, sizeof(pid), "pid %d, tid %d", getpid(), getpid());
	expect_log(self, &report, "overrun, block", "found by a free",
		   "3 bytes are not bb, the first at offset 200", "41 42 43",
		   "by client", pid, "  /lib/guilty.so+0x4560", "  /bin/liar+0xb8",
		   "taken by client", "  /lib/guilty.so+0x1230");
	quarantined(_metadata, self, index);
	repaired(_metadata, self, 1);
}

TEST_F(client, underrun)
{
	__u32 index = take(self->fd);
	struct blockpool_report report;

	block_of(self, index)[-1] = 'X';
	ASSERT_EQ(0, give(self->fd, index));
	report = debug_only(self->fd, &self->cursor);
	expect_kind(&report, UNDERRUN, FREE, index);
	expect_damage(&report, FILL_GUARD, -1, 1);
	EXPECT_TRUE(by_us(&report.by, self->info.client, FREED_BY));
	EXPECT_TRUE(by_us(&report.alloc, self->info.client, TAKEN_BY));
	expect_log(self, &report, "underrun, block",
		   "1 bytes are not bb, the first at offset -1");
	quarantined(_metadata, self, index);
	repaired(_metadata, self, 1);
}

/* The farthest bytes of both zones are looked at too. */
TEST_F(client, zones_to_their_ends)
{
	__u32 front = self->info.block_offset, behind, index;
	struct blockpool_report report;

	behind = self->info.stride - front - 1;
	index = take(self->fd);
	block_of(self, index)[-(int)front] = 'X';
	ASSERT_EQ(0, give(self->fd, index));
	report = debug_only(self->fd, &self->cursor);
	expect_kind(&report, UNDERRUN, FREE, index);
	EXPECT_EQ(-(int)front, report.offset);

	index = take(self->fd);
	block_of(self, index)[behind] = 'X';
	ASSERT_EQ(0, give(self->fd, index));
	report = debug_only(self->fd, &self->cursor);
	expect_kind(&report, OVERRUN, FREE, index);
	EXPECT_EQ(behind, report.offset);
	repaired(_metadata, self, 2);
}

TEST_F(client, use_after_free)
{
	__u32 index = take(self->fd), again[NR_BLOCKS];
	struct blockpool_report report;

	ASSERT_EQ(0, give(self->fd, index));
	memcpy(block_of(self, index) + 10, "late", 4);
	ASSERT_EQ(-EAGAIN, debug_alloc(self->fd, again, NR_BLOCKS, taken_by, 2));
	report = debug_only(self->fd, &self->cursor);
	expect_kind(&report, USE_AFTER_FREE, ALLOC, index);
	expect_damage(&report, FILL_POISON, 10, 4);
	EXPECT_EQ(BLOCKPOOL_OWNER_FREE, report.owner);
	EXPECT_TRUE(by_us(&report.by, self->info.client, TAKEN_BY));
	EXPECT_TRUE(by_us(&report.alloc, self->info.client, TAKEN_BY));
	EXPECT_TRUE(by_us(&report.free, self->info.client, FREED_BY));
	expect_log(self, &report, "use after free, block", "found by an alloc",
		   "4 bytes are not 6b, the first at offset 10", "6c 61 74 65",
		   "freed by client", "  /lib/guilty.so+0x4560");
	quarantined(_metadata, self, index);
	repaired(_metadata, self, 1);
}

/* One letter at a time; also round a block that is free. */
TEST(one_letter)
{
	static const struct {
		__u32 flag, kind, offset;
	} letters[] = {
		{ BLOCKPOOL_GUARD, BLOCKPOOL_REPORT_OVERRUN, BLOCK_SIZE },
		{ BLOCKPOOL_POISON, BLOCKPOOL_REPORT_USE_AFTER_FREE, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(letters); i++) {
		struct blockpool_report report;
		char name[BLOCKPOOL_NAME_SIZE];
		struct blockpool_info info;
		__u64 cursor = 0;
		char *map;
		int fd;

		pool_name(name);
		fd = debug_new(name, letters[i].flag, BLOCK_SIZE, 1);
		info = pool_info(fd);
		map = pool_map(fd);
		map[info.block_offset + letters[i].offset] = 1;
		EXPECT_EQ(-EAGAIN, pool_take(fd));
		report = debug_only(fd, &cursor);
		EXPECT_EQ(letters[i].kind, report.kind);
		EXPECT_EQ(BLOCKPOOL_FOUND_ALLOC, report.found);
		EXPECT_EQ(letters[i].offset, report.offset);
		EXPECT_EQ(BLOCKPOOL_OWNER_QUARANTINE, owner_of(fd, 0));
		munmap(map, info.map_size);
		close(fd);
	}
}

/* Refused, reported, and no harm to the block. */
TEST_F(client, bad_frees)
{
	int other = pool_join(self->name);
	__u32 index = take(self->fd);
	struct blockpool_report report;

	EXPECT_EQ(-EPERM, debug_free(other, &index, 1, NULL, 0));
	report = debug_only(self->fd, &self->cursor);
	expect_kind(&report, NOT_HELD, FREE, index);
	EXPECT_EQ(self->info.client, report.owner);
	EXPECT_TRUE(by_us(&report.by, pool_info(other).client, ""));
	EXPECT_TRUE(by_us(&report.alloc, self->info.client, TAKEN_BY));
	EXPECT_EQ(0, report.dump_size);
	expect_log(self, &report, "free by one who does not hold it, block");
	ASSERT_EQ(0, give(self->fd, index));

	index = take(self->fd);
	ASSERT_EQ(0, give(self->fd, index));
	EXPECT_EQ(-EPERM, give(self->fd, index));
	report = debug_only(self->fd, &self->cursor);
	expect_kind(&report, DOUBLE_FREE, FREE, index);
	EXPECT_EQ(BLOCKPOOL_OWNER_FREE, report.owner);
	EXPECT_TRUE(by_us(&report.by, self->info.client, FREED_BY));
	EXPECT_TRUE(by_us(&report.free, self->info.client, FREED_BY));
	expect_log(self, &report, "double free, block");

	EXPECT_EQ(-EINVAL, give(self->fd, NR_BLOCKS));
	report = debug_only(self->fd, &self->cursor);
	expect_kind(&report, NOT_A_BLOCK, FREE, BLOCKPOOL_NO_INDEX);
	expect_log(self, &report, "free of what is not a block, block -1");
	EXPECT_EQ(3, pool_stats(self->fd).refused);
	close(other);
	pool_drain(self->fd);
}

/* The same crime again, until somebody takes the block again. */
TEST_F(client, one_report_a_block)
{
	__u32 index = take(self->fd);
	struct blockpool_report report;

	ASSERT_EQ(0, give(self->fd, index));
	for (int i = 0; i < 5; i++)
		EXPECT_EQ(-EPERM, give(self->fd, index));
	EXPECT_EQ(1, pool_stats(self->fd).reports);
	/* Another crime is another report. */
	block_of(self, index)[0] = 0;
	EXPECT_EQ(-EAGAIN, pool_alloc(self->fd, (__u32[NR_BLOCKS]) {},
				      NR_BLOCKS));
	EXPECT_EQ(2, pool_stats(self->fd).reports);
	repaired(_metadata, self, 1);
	EXPECT_EQ(-EPERM, give(self->fd, index));
	self->cursor = 2;
	report = debug_only(self->fd, &self->cursor);
	expect_kind(&report, DOUBLE_FREE, FREE, index);
}

TEST_F(client, check)
{
	__u32 held = take(self->fd), idle = take(self->fd), damaged;
	struct blockpool_report report;

	ASSERT_EQ(0, give(self->fd, idle));
	block_of(self, held)[BLOCK_SIZE + 7] = 1;
	EXPECT_EQ(0, debug_check(self->fd, &damaged));
	EXPECT_EQ(1, damaged);
	report = debug_only(self->fd, &self->cursor);
	expect_kind(&report, OVERRUN, CHECK, held);
	expect_damage(&report, FILL_GUARD, BLOCK_SIZE + 7, 1);
	EXPECT_EQ(self->info.client, report.owner);
	EXPECT_TRUE(by_us(&report.by, self->info.client, ""));
	EXPECT_TRUE(by_us(&report.alloc, self->info.client, TAKEN_BY));
	EXPECT_EQ(self->info.client, owner_of(self->fd, held));

	/* A free one goes into quarantine, and what is known is not said again. */
	block_of(self, idle)[BLOCK_SIZE - 1] = 1;
	EXPECT_EQ(0, debug_check(self->fd, &damaged));
	EXPECT_EQ(2, damaged);
	report = debug_only(self->fd, &self->cursor);
	expect_kind(&report, USE_AFTER_FREE, CHECK, idle);
	expect_damage(&report, FILL_POISON, BLOCK_SIZE - 1, 1);
	EXPECT_EQ(BLOCKPOOL_OWNER_QUARANTINE, owner_of(self->fd, idle));

	ASSERT_EQ(0, give(self->fd, held));
	EXPECT_EQ(BLOCKPOOL_OWNER_QUARANTINE, owner_of(self->fd, held));
	EXPECT_EQ(0, debug_check(self->fd, &damaged));
	EXPECT_EQ(2, damaged);
	EXPECT_EQ(2, pool_stats(self->fd).reports);
	repaired(_metadata, self, 2);
}

TEST_F(client, check_of_a_free_one)
{
	__u32 index = take(self->fd), damaged;
	struct blockpool_report report;

	ASSERT_EQ(0, give(self->fd, index));
	block_of(self, index)[BLOCK_SIZE] = 1;
	EXPECT_EQ(0, debug_check(self->fd, &damaged));
	EXPECT_EQ(1, damaged);
	report = debug_only(self->fd, &self->cursor);
	expect_kind(&report, OVERRUN, CHECK, index);
	EXPECT_TRUE(by_us(&report.free, self->info.client, FREED_BY));
	quarantined(_metadata, self, index);
	repaired(_metadata, self, 1);
}

static void await_reports(int fd, __u64 count)
{
	const struct timespec nap = { .tv_nsec = 1000000 };

	for (int i = 0; i < 20000 && pool_stats(fd).reports < count; i++)
		nanosleep(&nap, NULL);
}

TEST_F(client, sweep)
{
	__u32 index = take(self->fd), damaged;
	struct blockpool_report report;

	ASSERT_EQ(0, give(self->fd, index));
	block_of(self, index)[5] = 0;
	EXPECT_EQ(0, pool_stats(self->fd).reports);
	ASSERT_EQ(0, file_write(SWEEP_MS, "10"));
	await_reports(self->fd, 1);
	ASSERT_EQ(0, file_write(SWEEP_MS, "0"));
	/* Waits for the end of the sweep, which reports before it does anything. */
	ASSERT_EQ(0, debug_check(self->fd, &damaged));
	EXPECT_EQ(1, damaged);
	report = debug_only(self->fd, &self->cursor);
	expect_kind(&report, USE_AFTER_FREE, SWEEP, index);
	expect_damage(&report, FILL_POISON, 5, 1);
	EXPECT_EQ(BLOCKPOOL_OWNER_KERNEL, report.by.client);
	EXPECT_TRUE(by_us(&report.free, self->info.client, FREED_BY));
	expect_log(self, &report, "found by the sweep");
	quarantined(_metadata, self, index);
	repaired(_metadata, self, 1);
}

/* The culprit is dead when it comes to light; its stack is known all the same. */
TEST_F(client, reclaim)
{
	struct blockpool_report report;
	struct step step;
	__u32 client;
	pid_t pid;

	step_init(&step);
	pid = child_fork();
	if (!pid) {
		int fd = pool_join(self->name);
		char *map = pool_map(fd);

		must(!debug_modules(fd, PATHS));
		map[self->info.block_offset +
		    (size_t)take(fd) * self->info.stride + BLOCK_SIZE] = 1;
		step_post(&step);
		pause();
	}
	step_await(&step);
	child_kill(pid);
	await_reports(self->fd, 1);
	report = debug_only(self->fd, &self->cursor);
	client = report.alloc.client;
	EXPECT_EQ(BLOCKPOOL_REPORT_OVERRUN, report.kind);
	EXPECT_EQ(BLOCKPOOL_FOUND_RECLAIM, report.found);
	expect_damage(&report, FILL_GUARD, BLOCK_SIZE, 1);
	EXPECT_NE(self->info.client, client);
	EXPECT_EQ(pid, report.alloc.pid);
	EXPECT_STREQ(TAKEN_BY, report.alloc.stack);
	EXPECT_EQ(client, report.by.client);
	pool_await_held(self->fd, 1);
	EXPECT_EQ(BLOCKPOOL_OWNER_QUARANTINE, owner_of(self->fd, report.index));
	repaired(_metadata, self, 1);
}

/* Text from another process: no control characters, and where it has no line ... */
TEST_F(client, odd_stacks)
{
	static const __u64 odd[] = {
		FRAME(0, 1), FRAME(1, 2), FRAME(2, 3), FRAME(3, 4),
	};
	__u64 many[BLOCKPOOL_FRAMES_MAX + 1];
	struct blockpool_report report;
	char expected[BLOCKPOOL_STACK_SIZE] = "", *end = expected;

	ASSERT_EQ(0, debug_modules(self->fd, "/\033[31m/\377x\n\nend"));
	EXPECT_EQ(-EINVAL, debug_free(self->fd, &(__u32) { -1 }, 1, odd, 4));
	report = debug_only(self->fd, &self->cursor);
	EXPECT_STREQ("/?[31m/?x+0x1\n+0x2\n?+0x3\n?+0x4\n", report.by.stack);

	for (__u32 i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = FRAME(0, i);
	for (__u32 i = 0; i < BLOCKPOOL_FRAMES_MAX; i++)
		end += sprintf(end, "/?[31m/?x+0x%x\n", i);
	EXPECT_EQ(-EINVAL, debug_free(self->fd, &(__u32) { -1 }, 1, many,
				      ARRAY_SIZE(many)));
	report = debug_only(self->fd, &self->cursor);
	EXPECT_STREQ(expected, report.by.stack);
	EXPECT_EQ(-EFAULT, debug_free(self->fd, &(__u32) { 0 }, 1,
				      (__u64 *)8, 1));
	EXPECT_EQ(-EFAULT, debug_alloc(self->fd, &(__u32) { 0 }, 1,
				       (__u64 *)8, 1));
	EXPECT_EQ(0, pool_stats(self->fd).nr_held);
}

/* The end of a path tells most; and of a stack, whole lines, as many as fit. */
TEST_F(client, long_paths)
{
	char path[202] = "/begin/", expected[160], *stack;
	struct blockpool_report report;
	__u64 many[BLOCKPOOL_FRAMES_MAX];
	size_t length;

	memset(path + 7, 'x', 193);
	path[200] = '\n';
	ASSERT_EQ(0, debug_modules(self->fd, path));
	for (__u32 i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = FRAME(0, 0x10 + i);
	EXPECT_EQ(-EINVAL, debug_free(self->fd, &(__u32) { -1 }, 1, many,
				      ARRAY_SIZE(many)));
	report = debug_only(self->fd, &self->cursor);
	stack = report.by.stack;
	length = strcspn(stack, "\n") + 1;
	ASSERT_LT(0, sprintf(expected, "%.*s+0x10\n", (int)(length - 6),
			     path + 200 - (length - 6)));
	EXPECT_EQ(0, strncmp(expected, stack, length)) TH_LOG("%s", stack);
	EXPECT_EQ(0, strlen(stack) % length);
	EXPECT_LT(BLOCKPOOL_STACK_SIZE - length - 1, strlen(stack));
}

/* The paths of the last that went are kept, and no more. */
TEST_F(client, paths_of_the_gone)
{
	struct blockpool_report report;
	__u32 index = take(self->fd);

	for (__u32 i = 0; i <= KEPT; i++) {
		int fd = pool_join(self->name);

		must(!debug_modules(fd, PATHS));
		if (i < 2)
			must(debug_free(fd, &index, 1, freed_by, 2) == -EPERM);
		close(fd);
		if (i < 2) {
			must(!give(self->fd, index));
			index = take(self->fd);
		}
	}
	ASSERT_EQ(0, debug_next(self->fd, &self->cursor, &report));
	EXPECT_STREQ("?+0x4560\n?+0xb8\n", report.by.stack);
	ASSERT_EQ(0, debug_next(self->fd, &self->cursor, &report));
	EXPECT_STREQ(FREED_BY, report.by.stack);
	EXPECT_STREQ(TAKEN_BY, report.alloc.stack);
	EXPECT_EQ(-ENOENT, debug_next(self->fd, &self->cursor, &report));
}

static bool pollpri(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLPRI };

	return poll(&poll_fd, 1, 0) == 1 && poll_fd.revents & POLLPRI;
}

/* For each client until it has been given the last one. */
TEST_F(client, pollpri)
{
	int other = pool_join(self->name);
	struct blockpool_report report;
	__u64 cursor = 0;

	EXPECT_FALSE(pollpri(self->fd));
	EXPECT_EQ(-EINVAL, give(self->fd, -1));
	EXPECT_EQ(-EINVAL, give(self->fd, -1));
	EXPECT_TRUE(pollpri(self->fd));
	EXPECT_TRUE(pollpri(other));
	EXPECT_EQ(0, debug_next(self->fd, &self->cursor, &report));
	EXPECT_TRUE(pollpri(self->fd));
	EXPECT_EQ(0, debug_next(self->fd, &self->cursor, &report));
	EXPECT_FALSE(pollpri(self->fd));
	EXPECT_TRUE(pollpri(other));
	EXPECT_EQ(0, debug_next(other, &cursor, &report));
	EXPECT_EQ(0, debug_next(other, &cursor, &report));
	EXPECT_EQ(-ENOENT, debug_next(other, &cursor, &report));
	EXPECT_FALSE(pollpri(other));
	close(other);
}

/* A child is asleep in epoll_wait() when the crime is committed. */
TEST_F(client, pollpri_wakes)
{
	const struct timespec nap = { .tv_nsec = 200000000 };
	struct step step;
	pid_t pid;

	step_init(&step);
	pid = child_fork();
	if (!pid) {
		struct epoll_event event = { .events = EPOLLPRI };
		int fd = pool_join(self->name), epoll = epoll_create1(0);

		must(!epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
		must(!epoll_wait(epoll, &event, 1, 0));
		step_post(&step);
		must(epoll_wait(epoll, &event, 1, 20000) == 1);
		must(event.events == EPOLLPRI);
		_exit(0);
	}
	step_await(&step);
	nanosleep(&nap, NULL);
	EXPECT_EQ(-EINVAL, give(self->fd, -1));
	EXPECT_EQ(0, child_reap(pid));
}

/* The record is complete as far as it is kept; the log is spared. */
TEST_F(client, too_many)
{
	struct blockpool_report report;
	__u32 logged = 0;
	char *log;

	for (__u32 i = 0; i < KEPT + 36; i++)
		ASSERT_EQ(-EINVAL, give(self->fd, -1));
	EXPECT_EQ(KEPT + 36, pool_stats(self->fd).reports);
	for (__u64 seq = 37; seq <= KEPT + 36; seq++) {
		ASSERT_EQ(0, debug_next(self->fd, &self->cursor, &report));
		ASSERT_EQ(seq, report.seq);
	}
	ASSERT_EQ(-ENOENT, debug_next(self->fd, &self->cursor, &report));
	for (__u64 seq = 1; seq <= KEPT + 36; seq++) {
		log = debug_log(self->name, seq);
		logged += !!*log;
		free(log);
	}
	EXPECT_LE(1, logged);
	EXPECT_GE(2 * LOGGED, logged);
}

static void refuse_some(int fd)
{
	for (__u32 i = 0; i < LOGGED; i++)
		must(pool_give(fd, -1) == -EINVAL);
}

static __u32 logged_of(const char *name)
{
	__u32 logged = 0;
	char *log;

	for (__u64 seq = 1; seq <= LOGGED; seq++) {
		log = debug_log(name, seq);
		logged += !!*log;
		free(log);
	}
	return logged;
}

/* Pools of users have one limit together, which is none of the administrator's. */
TEST_F(client, users_share_the_log)
{
	char name[BLOCKPOOL_NAME_SIZE];
	mode_t mode = device_share();
	time_t start = time(NULL);
	__u32 logged = 0;
	pid_t pid;

	for (__u32 i = 0; i < USERS; i++) {
		pool_name(name);
		pid = child_fork();
		if (!pid) {
			become(USER_A, USER_A);
			refuse_some(debug_new(name, BLOCKPOOL_TRACK, 64, 1));
			_exit(0);
		}
		EXPECT_EQ(0, child_reap(pid));
		logged += logged_of(name);
	}
	EXPECT_LE(1, logged);
	EXPECT_GE(2 * LOGGED * (2 + (time(NULL) - start) / 5), logged);
	refuse_some(self->fd);
	EXPECT_EQ(LOGGED, logged_of(self->name));
	device_restore(mode);
}

/* No harm was done. */
TEST_F(client, no_panic_for_what_is_refused)
{
	char text[8];

	ASSERT_EQ(0, file_write(PANIC, "1"));
	ASSERT_EQ(0, file_read(PANIC, text, sizeof(text)));
	EXPECT_STREQ("Y\n", text);
	EXPECT_EQ(-EINVAL, give(self->fd, -1));
	ASSERT_EQ(0, file_write(PANIC, "0"));
	EXPECT_EQ(1, pool_stats(self->fd).reports);
}

/* One that waits for two goes on waiting if one of them is damaged. */
TEST_F(client, waits_on)
{
	__u32 *indices = pool_take_all(self->fd);
	struct waiter waiter;

	must(!give(self->fd, indices[0]));
	block_of(self, indices[0])[0] = 0;
	waiter = waiter_start(self->name, 2, -1);
	must(!give(self->fd, indices[1]));
	await_reports(self->fd, 1);
	EXPECT_EQ(1, pool_stats(self->fd).reports);
	pool_await_waiting(self->fd, 1);
	must(!give(self->fd, indices[2]));
	EXPECT_EQ(0, waiter_result(&waiter));
	waiter_end(&waiter);
	pool_give_all(self->fd);
	free(indices);
	pool_await_held(self->fd, 1);
	repaired(_metadata, self, 1);
}

/* What is not wiped because it is poisoned tells as little. */
TEST_F(client, wipe)
{
	char name[BLOCKPOOL_NAME_SIZE];
	__u32 flags[] = { BLOCKPOOL_GUARD, BLOCKPOOL_POISON, BLOCKPOOL_TRACK };
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		struct blockpool_info info;
		mode_t mode = device_share();
		unsigned char *map;
		__u32 damaged;
		pid_t pid;
		int fd;

		pool_name(name);
		fd = pool_open(O_RDWR);
		must(!pool_create_args(fd, name, (struct blockpool_create_args) {
			.flags = flags[i], .block_size = BLOCK_SIZE,
			.nr_blocks = NR_BLOCKS, .mode = 0666 }));
		info = pool_info(fd);
		map = (unsigned char *)pool_map(fd);
		free(pool_take_all(fd));
		for (n = 0; n < NR_BLOCKS; n++)
			memset(map + info.block_offset + n * info.stride, 'S',
			       BLOCK_SIZE);
		pool_give_all(fd);
		pid = child_fork();
		if (!pid) {
			become(USER_A, USER_A);
			pool_map(pool_join(name));
			_exit(0);
		}
		EXPECT_EQ(0, child_reap(pid));
		for (n = 0; n < info.map_size; n++)
			ASSERT_NE('S', map[n]) TH_LOG("byte %zu", n);
		EXPECT_EQ(0, debug_check(fd, &damaged));
		EXPECT_EQ(0, damaged);
		munmap(map, info.map_size);
		close(fd);
		device_restore(mode);
	}
}

TEST_F(client, rights)
{
	mode_t mode = device_share();
	__u32 number;
	pid_t pid;
	int fd;

	fd = pool_open(O_RDONLY);
	ASSERT_EQ(0, pool_attach(fd, self->name));
	EXPECT_EQ(-EACCES, debug_repair(fd, &number));
	EXPECT_EQ(-EACCES, debug_modules(fd, "x\n"));
	EXPECT_EQ(0, debug_check(fd, &number));
	close(fd);
	pid = child_fork();
	if (!pid) {
		fd = dup(self->fd);
		become(USER_A, USER_A);
		must(debug_repair(fd, &number) == -EACCES);
		must(!debug_check(fd, &number));
		_exit(0);
	}
	EXPECT_EQ(0, child_reap(pid));
	device_restore(mode);
}

/* What is before it may be used, what is behind may not. */
static char *end_of_page(void)
{
	size_t page = getpagesize();
	char *two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(two != MAP_FAILED && !munmap(two + page, page));
	return two + page;
}

TEST_F(client, bad_arguments)
{
	struct blockpool_check_args check = { .size = sizeof(check), .flags = 1 };
	struct blockpool_repair_args repair = { .size = sizeof(repair),
						.flags = 1 };
	struct blockpool_report space[2];
	struct blockpool_report_args report = { .size = sizeof(report),
						.report = (uintptr_t)space };
	struct blockpool_modules_args modules = { .size = sizeof(modules),
						  .text = (uintptr_t)PATHS };
	struct blockpool_free_args none = { .size = sizeof(none), .count = 1,
					    .indices = (uintptr_t)&repair,
					    .__reserved = 1 };

	EXPECT_EQ(-EINVAL, pool_ioctl(self->fd, BLOCKPOOL_IOC_CHECK, &check));
	EXPECT_EQ(-EINVAL, pool_ioctl(self->fd, BLOCKPOOL_IOC_REPAIR, &repair));
	EXPECT_EQ(-EINVAL, pool_ioctl(self->fd, BLOCKPOOL_IOC_MODULES, &modules));
	modules.length = BLOCKPOOL_MODULES_SIZE + 1;
	EXPECT_EQ(-EINVAL, pool_ioctl(self->fd, BLOCKPOOL_IOC_MODULES, &modules));
	modules.length = 4;
	modules.text = 8;
	EXPECT_EQ(-EFAULT, pool_ioctl(self->fd, BLOCKPOOL_IOC_MODULES, &modules));

	EXPECT_EQ(-EINVAL, pool_ioctl(self->fd, BLOCKPOOL_IOC_FREE, &none));
	EXPECT_EQ(0, pool_stats(self->fd).reports);

	EXPECT_EQ(-EINVAL, give(self->fd, -1));
	report.report_size = sizeof(*space) - 1;
	EXPECT_EQ(-EINVAL, pool_ioctl(self->fd, BLOCKPOOL_IOC_REPORT, &report));
	report.report_size = -1;
	EXPECT_EQ(-E2BIG, pool_ioctl(self->fd, BLOCKPOOL_IOC_REPORT, &report));
	report.report_size = sizeof(space);
	memset(space, POOL_POISON, sizeof(space));
	EXPECT_EQ(0, pool_ioctl(self->fd, BLOCKPOOL_IOC_REPORT, &report));
	EXPECT_EQ(1, space[0].seq);
	EXPECT_EQ(0, memcmp(&space[1], &(struct blockpool_report) {},
			    sizeof(space[1])));
	report.cursor = 0;
	report.report = (uintptr_t)end_of_page() - sizeof(*space);
	EXPECT_EQ(-EFAULT, pool_ioctl(self->fd, BLOCKPOOL_IOC_REPORT, &report));
	report.report = 8;
	EXPECT_EQ(-EFAULT, pool_ioctl(self->fd, BLOCKPOOL_IOC_REPORT, &report));
}

/* As with the other calls: those from before, and those to come. */
TEST_F(client, sizes)
{
	static const struct {
		unsigned long request;
		__u32 size;
	} calls[] = {
		{ BLOCKPOOL_IOC_MODULES, sizeof(struct blockpool_modules_args) },
		{ BLOCKPOOL_IOC_CHECK, sizeof(struct blockpool_check_args) },
		{ BLOCKPOOL_IOC_REPAIR, sizeof(struct blockpool_repair_args) },
		{ BLOCKPOOL_IOC_REPORT, sizeof(struct blockpool_report_args) },
	};
	char bytes[64];
	__u32 *size = (__u32 *)bytes;

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		memset(bytes, 0, sizeof(bytes));
		*size = calls[i].size - 1;
		EXPECT_EQ(-EINVAL, pool_ioctl(self->fd, calls[i].request, bytes));
		*size = sizeof(bytes);
		bytes[calls[i].size] = 1;
		EXPECT_EQ(-E2BIG, pool_ioctl(self->fd, calls[i].request, bytes));
		bytes[calls[i].size] = 0;
		EXPECT_NE(-E2BIG, pool_ioctl(self->fd, calls[i].request, bytes));
		EXPECT_EQ(-EFAULT, pool_ioctl(self->fd, calls[i].request, NULL));
	}
}

/* Pools in which there is nothing of all this. */
TEST(plain)
{
	struct blockpool_report report;
	char name[BLOCKPOOL_NAME_SIZE];
	__u64 cursor = 0;
	__u32 number;
	int fd;

	pool_name(name);
	fd = pool_new(name, BLOCK_SIZE, NR_BLOCKS);
	if (pool_info(fd).flags & BLOCKPOOL_DEBUG)
		SKIP(return, "all pools are in debug mode");
	EXPECT_EQ(-EOPNOTSUPP, debug_check(fd, &number));
	EXPECT_EQ(-EOPNOTSUPP, debug_repair(fd, &number));
	EXPECT_EQ(-EOPNOTSUPP, debug_next(fd, &cursor, &report));
	EXPECT_EQ(-EOPNOTSUPP, debug_modules(fd, PATHS));
	EXPECT_EQ(0, debug_alloc(fd, &number, 1, (__u64 *)8, 1));
	EXPECT_EQ(0, debug_free(fd, &number, 1, (__u64 *)8, 1));
	EXPECT_FALSE(pollpri(fd));
	close(fd);
}

/* Guards round blocks so large that they would not fit. */
TEST(too_large)
{
	struct blockpool_create_args args = {
		.flags = BLOCKPOOL_GUARD,
		.block_size = BLOCKPOOL_BLOCK_SIZE_MAX,
		.nr_blocks = 1,
	};
	char name[BLOCKPOOL_NAME_SIZE];
	int fd = pool_open(O_RDWR);

	pool_name(name);
	EXPECT_EQ(-EINVAL, pool_create_args(fd, name, args));
	args.block_size = BLOCKPOOL_BLOCK_SIZE_MAX / 4;
	EXPECT_EQ(0, pool_create_args(fd, name, args));
	EXPECT_EQ(0, pool_info(fd).block_offset % 4096);
	close(fd);
}

/*
 * Killed in the middle
 */

static int call_check(int fd)
{
	__u32 number;

	return debug_check(fd, &number);
}

static int call_repair(int fd)
{
	__u32 number;

	return debug_repair(fd, &number);
}

FIXTURE(killed)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int fd;
};

FIXTURE_VARIANT(killed)
{
	int (*call)(int fd);
};

FIXTURE_VARIANT_ADD(killed, check) { .call = call_check };
FIXTURE_VARIANT_ADD(killed, repair) { .call = call_repair };

/* So large that it takes a while. */
FIXTURE_SETUP(killed)
{
	must(!file_write(SWEEP_MS, "0"));
	pool_name(self->name);
	self->fd = debug_new(self->name, BLOCKPOOL_GUARD, 64, 200000);
}

FIXTURE_TEARDOWN(killed)
{
	must(!file_write(SWEEP_MS, "10000"));
	close(self->fd);
}

/* Two, of which one waits for the other. */
TEST_F(killed, and_locks_nothing)
{
	const struct timespec nap = { .tv_nsec = 3000000 };
	pid_t pids[2];
	size_t i;

	for (int round = 0; round < 10; round++) {
		for (i = 0; i < ARRAY_SIZE(pids); i++) {
			pids[i] = child_fork();
			while (!pids[i])
				must(!variant->call(self->fd));
		}
		nanosleep(&nap, NULL);
		for (i = 0; i < ARRAY_SIZE(pids); i++)
			EXPECT_EQ(128 + SIGKILL, child_kill(pids[i]));
	}
	EXPECT_EQ(0, call_check(self->fd));
	EXPECT_EQ(0, call_repair(self->fd));
	EXPECT_EQ(0, pool_stats(self->fd).reports);
}

/*
 * By the kernel
 */

FIXTURE(kernel)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int fd;
	int peer;
	__u64 cursor;
	bool stacks;
};

FIXTURE_VARIANT(kernel)
{
	__u32 context;
};

FIXTURE_VARIANT_ADD(kernel, process) { .context = BLOCKPOOL_PEER_PROCESS };
FIXTURE_VARIANT_ADD(kernel, softirq) { .context = BLOCKPOOL_PEER_SOFTIRQ };
FIXTURE_VARIANT_ADD(kernel, hardirq) { .context = BLOCKPOOL_PEER_HARDIRQ };
FIXTURE_VARIANT_ADD(kernel, nmi) { .context = BLOCKPOOL_PEER_NMI };

FIXTURE_SETUP(kernel)
{
	must(!file_write(SWEEP_MS, "0"));
	pool_name(self->name);
	self->fd = debug_new(self->name, GPT, BLOCK_SIZE, NR_BLOCKS);
	self->peer = peer_join(self->name);
	self->stacks = debug_kernel_stacks();
	if (!self->stacks)
		ksft_print_msg("this kernel saves no call stacks: no names\n");
	if (variant->context >= peer_contexts(self->peer))
		SKIP(return, "this machine has no NMIs to send");
}

FIXTURE_TEARDOWN(kernel)
{
	must(!file_write(SWEEP_MS, "10000"));
	close(self->peer);
	close(self->fd);
	EXPECT_FALSE(pool_listed(self->name));
}

static __u32 commit(int peer, __u32 context, __u32 kind, int offset,
		    __u32 length)
{
	struct blockpool_peer_crime crime = {
		.kind = kind,
		.context = context,
		.offset = offset,
		.length = length,
		.byte = 'K',
	};

	must(!pool_ioctl(peer, BLOCKPOOL_PEER_CRIME, &crime));
	return crime.index;
}

/* The guilty function is the one that called blockpool, and so the innermost. */
#define expect_track(self, _track, _guilty) \
	do { \
		EXPECT_EQ(BLOCKPOOL_OWNER_KERNEL, (_track)->client); \
		EXPECT_FALSE(there((_track)->stack, "0xffff")); \
		if (!(self)->stacks) \
			break; \
		EXPECT_EQ(0, strncmp((_track)->stack, _guilty "+0x", \
				     strlen(_guilty "+0x"))) \
			TH_LOG("no %s on top of:\n%s", _guilty, \
			       (_track)->stack); \
		EXPECT_TRUE(there((_track)->stack, "[blockpool_peer]\n")); \
	} while (0)

TEST_F(kernel, overrun)
{
	struct blockpool_report report;
	__u32 index;

	index = commit(self->peer, variant->context, BLOCKPOOL_PEER_WRITE_HELD,
		       BLOCK_SIZE - 2, 4);
	report = debug_only(self->fd, &self->cursor);
	expect_kind(&report, OVERRUN, FREE, index);
	expect_damage(&report, FILL_GUARD, BLOCK_SIZE, 2);
	expect_track(self, &report.by, "crime_free");
	expect_track(self, &report.alloc, "crime_take");
	if (variant->context == BLOCKPOOL_PEER_PROCESS) {
		EXPECT_EQ(getpid(), report.by.pid);
		EXPECT_EQ(getpid(), report.alloc.pid);
	}
	expect_log(self, &report, "overrun, block", "by client 1, pid ",
		   "taken by client 1, pid ");
	if (self->stacks)
		expect_log(self, &report, "  crime_free+0x", "  crime_take+0x",
			   "[blockpool_peer]");
	EXPECT_EQ(BLOCKPOOL_OWNER_QUARANTINE, owner_of(self->fd, index));
	EXPECT_EQ(0, pool_stats(self->fd).nr_kernel);
}

TEST_F(kernel, underrun)
{
	struct blockpool_report report;
	__u32 index;

	index = commit(self->peer, variant->context, BLOCKPOOL_PEER_WRITE_HELD,
		       -5, 3);
	report = debug_only(self->fd, &self->cursor);
	expect_kind(&report, UNDERRUN, FREE, index);
	expect_damage(&report, FILL_GUARD, -5, 3);
	expect_track(self, &report.by, "crime_free");
	expect_track(self, &report.alloc, "crime_take");
}

TEST_F(kernel, use_after_free)
{
	struct blockpool_report report;
	__u32 index, all[NR_BLOCKS];

	index = commit(self->peer, variant->context, BLOCKPOOL_PEER_WRITE_FREE,
		       100, 20);
	ASSERT_EQ(-EAGAIN, peer_alloc_bulk(self->peer, variant->context, all,
					   NR_BLOCKS));
	report = debug_only(self->fd, &self->cursor);
	expect_kind(&report, USE_AFTER_FREE, ALLOC, index);
	expect_damage(&report, FILL_POISON, 100, 20);
	expect_track(self, &report.by, "peer_job_run");
	expect_track(self, &report.alloc, "crime_take");
	expect_track(self, &report.free, "crime_free");
	expect_log(self, &report, "use after free, block",
		   "freed by client 1, pid ");
	if (self->stacks)
		expect_log(self, &report, "  peer_job_run+0x",
			   "  crime_free+0x", "  crime_take+0x");
	ASSERT_EQ(0, peer_alloc_bulk(self->peer, variant->context, all,
				     NR_BLOCKS - 1));
	ASSERT_EQ(0, peer_free_bulk(self->peer, variant->context, all,
				    NR_BLOCKS - 1));
	EXPECT_EQ(1, pool_stats(self->fd).reports);
	EXPECT_EQ(1, pool_stats(self->fd).nr_held);
}

TEST_F(kernel, bad_frees)
{
	struct blockpool_peer_crime foreign = {
		.kind = BLOCKPOOL_PEER_FREE_FOREIGN,
		.context = variant->context,
	};
	struct blockpool_report report;
	__u32 index;

	index = commit(self->peer, variant->context, BLOCKPOOL_PEER_FREE_TWICE,
		       0, 0);
	report = debug_only(self->fd, &self->cursor);
	expect_kind(&report, DOUBLE_FREE, FREE, index);
	expect_track(self, &report.by, "crime_free_again");
	expect_track(self, &report.alloc, "crime_take");
	expect_track(self, &report.free, "crime_free");
	if (self->stacks)
		expect_log(self, &report, "  crime_free_again+0x",
			   "  crime_free+0x", "  crime_take+0x");

	commit(self->peer, variant->context, BLOCKPOOL_PEER_FREE_INSIDE, 8, 0);
	report = debug_only(self->fd, &self->cursor);
	expect_kind(&report, NOT_A_BLOCK, FREE, BLOCKPOOL_NO_INDEX);
	expect_track(self, &report.by, "crime_free_again");

	foreign.index = take(self->fd);
	ASSERT_EQ(0, pool_ioctl(self->peer, BLOCKPOOL_PEER_CRIME, &foreign));
	report = debug_only(self->fd, &self->cursor);
	expect_kind(&report, NOT_HELD, FREE, foreign.index);
	EXPECT_EQ(pool_info(self->fd).client, report.owner);
	expect_track(self, &report.by, "crime_free_again");
	EXPECT_EQ(getpid(), report.alloc.pid);
	EXPECT_EQ(3, pool_stats(self->fd).refused);
	ASSERT_EQ(0, give(self->fd, foreign.index));
	pool_drain(self->fd);
}

/*
 * Two CPUs free one block at the same instant: one of them, and no more.  Each round
 * is a report.
 */
TEST(duel)
{
	struct blockpool_peer_duel duel = { .rounds = 300 };
	struct blockpool_report report;
	char name[BLOCKPOOL_NAME_SIZE];
	__u64 cursor = 0;
	int fd, peer;

	if (cpu_count() < 2)
		SKIP(return, "one CPU");
	pool_name(name);
	fd = debug_new(name, BLOCKPOOL_TRACK, 64, 4);
	peer = peer_join(name);
	ASSERT_EQ(0, pool_ioctl(peer, BLOCKPOOL_PEER_DUEL, &duel));
	EXPECT_EQ(duel.rounds, pool_stats(fd).refused);
	EXPECT_EQ(duel.rounds, pool_stats(fd).frees);
	EXPECT_EQ(duel.rounds, pool_stats(fd).reports);
	ASSERT_EQ(0, debug_next(fd, &cursor, &report));
	EXPECT_EQ(BLOCKPOOL_REPORT_DOUBLE_FREE, report.kind);
	close(peer);
	pool_drain(fd);
	close(fd);
}

/* More than go into one piece, and one of them bad. */
TEST(many_by_the_kernel)
{
	__u32 indices[MANY], first;
	char name[BLOCKPOOL_NAME_SIZE];
	int fd, peer;

	pool_name(name);
	fd = debug_new(name, GPT, 64, MANY);
	peer = peer_join(name);
	ASSERT_EQ(0, peer_alloc_bulk(peer, PROCESS, indices, MANY));
	first = indices[0];
	indices[0] = indices[1];
	ASSERT_EQ(0, peer_free_bulk(peer, PROCESS, indices, MANY));
	EXPECT_EQ(1, pool_stats(fd).refused);
	EXPECT_EQ(1, pool_stats(fd).nr_held);
	ASSERT_EQ(0, peer_free_bulk(peer, PROCESS, &first, 1));
	close(peer);
	pool_drain(fd);
	close(fd);
}

/* Two threads of a client, by ioctl. */
struct racer {
	int fd;
	__u32 index;
	pthread_barrier_t *barrier;
	int ret;
};

static void *race(void *arg)
{
	struct racer *racer = arg;

	pthread_barrier_wait(racer->barrier);
	racer->ret = debug_free(racer->fd, &racer->index, 1, NULL, 0);
	return NULL;
}

TEST_F(client, two_threads)
{
	pthread_barrier_t barrier;
	struct racer racers[2];
	pthread_t second;

	for (__u32 round = 1; round <= 100; round++) {
		pthread_barrier_init(&barrier, NULL, 2);
		racers[0] = (struct racer) { self->fd, take(self->fd), &barrier,
					     1 };
		racers[1] = racers[0];
		must(!pthread_create(&second, NULL, race, &racers[1]));
		race(&racers[0]);
		pthread_join(second, NULL);
		ASSERT_EQ(-EPERM, racers[0].ret + racers[1].ret);
		ASSERT_EQ(round, pool_stats(self->fd).reports);
	}
	pool_drain(self->fd);
}

/*
 * The bookkeeping
 */

FIXTURE(consistency)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int fd;
	int peer;
	__u64 cursor;
};

FIXTURE_SETUP(consistency)
{
	pool_name(self->name);
	self->fd = debug_new(self->name, BLOCKPOOL_CONSISTENCY | GPT,
			     BLOCK_SIZE, NR_BLOCKS);
	self->peer = peer_join(self->name);
}

FIXTURE_TEARDOWN(consistency)
{
	close(self->peer);
	close(self->fd);
	EXPECT_FALSE(pool_listed(self->name));
}

static __u32 falsify(int peer, __u32 what, __u32 at, __u32 word)
{
	struct blockpool_peer_falsify args = {
		.what = what, .at = at, .word = word,
	};

	must(!pool_ioctl(peer, BLOCKPOOL_PEER_FALSIFY, &args));
	return args.was;
}

/* A call that has nothing to do with it finds it out. */
#define expect_corrupt(_index, _words) \
	do { \
		struct blockpool_report report; \
		\
		EXPECT_EQ(-EINVAL, pool_give(self->fd, -1)); \
		ASSERT_EQ(0, debug_next(self->fd, &self->cursor, &report)); \
		EXPECT_EQ(BLOCKPOOL_REPORT_NOT_A_BLOCK, report.kind); \
		report = debug_only(self->fd, &self->cursor); \
		expect_kind(&report, CORRUPT, FREE, _index); \
		expect_log(self, &report, \
			   "the bookkeeping is corrupt: " _words); \
	} while (0)

TEST_F(consistency, owned_but_free)
{
	__u32 was = falsify(self->peer, BLOCKPOOL_PEER_OWNER_WORD, 3,
			    BLOCKPOOL_OWNER_KERNEL);

	expect_corrupt(3, "free, but owned");
	EXPECT_EQ(-EINVAL, pool_give(self->fd, -1));
	EXPECT_EQ(3, pool_stats(self->fd).reports);	/* of two, one is known */
	falsify(self->peer, BLOCKPOOL_PEER_OWNER_WORD, 3, was);
	pool_drain(self->fd);
}

TEST_F(consistency, free_but_nowhere)
{
	__u32 index = take(self->fd), was;

	was = falsify(self->peer, BLOCKPOOL_PEER_OWNER_WORD, index,
		      BLOCKPOOL_OWNER_FREE);
	expect_corrupt(index, "owned by none, but not free");
	falsify(self->peer, BLOCKPOOL_PEER_OWNER_WORD, index, was);
	ASSERT_EQ(0, give(self->fd, index));
	pool_drain(self->fd);
}

TEST_F(consistency, free_twice)
{
	__u32 was = falsify(self->peer, BLOCKPOOL_PEER_ELEMENT, 2, 0);

	expect_corrupt(0, "free twice");
	falsify(self->peer, BLOCKPOOL_PEER_ELEMENT, 2, was);
	pool_drain(self->fd);
}

/* With no flag but some other, CHECK sees it. */
TEST_F(client, check_counts_the_books)
{
	int peer = peer_join(self->name);
	__u32 was = falsify(peer, BLOCKPOOL_PEER_ELEMENT, 2, 0), damaged;
	struct blockpool_report report;

	EXPECT_EQ(0, debug_check(self->fd, &damaged));
	EXPECT_EQ(1, damaged);
	report = debug_only(self->fd, &self->cursor);
	expect_kind(&report, CORRUPT, CHECK, 0);
	falsify(peer, BLOCKPOOL_PEER_ELEMENT, 2, was);
	EXPECT_EQ(0, debug_check(self->fd, &damaged));
	EXPECT_EQ(0, damaged);
	close(peer);
}

/* Without BLOCKPOOL_CONSISTENCY, who takes it sees it, and is not given it. */
TEST_F(client, free_but_owned)
{
	int peer = peer_join(self->name);
	struct blockpool_report report;
	__u32 first, second, was;

	/* The next two that are free. */
	first = falsify(peer, BLOCKPOOL_PEER_ELEMENT, NR_BLOCKS - 1, NR_BLOCKS);
	second = falsify(peer, BLOCKPOOL_PEER_ELEMENT, NR_BLOCKS - 2, 0);
	falsify(peer, BLOCKPOOL_PEER_ELEMENT, NR_BLOCKS - 2, second);
	was = falsify(peer, BLOCKPOOL_PEER_OWNER_WORD, second,
		      BLOCKPOOL_OWNER_KERNEL);
	EXPECT_LE(0, pool_take(self->fd));
	ASSERT_EQ(0, debug_next(self->fd, &self->cursor, &report));
	expect_kind(&report, CORRUPT, ALLOC, BLOCKPOOL_NO_INDEX);
	report = debug_only(self->fd, &self->cursor);
	expect_kind(&report, CORRUPT, ALLOC, second);
	EXPECT_EQ(BLOCKPOOL_OWNER_KERNEL, report.owner);
	expect_log(self, &report, "taken, but was not free");

	/* Two are out of the books now: give them to the kernel, which frees them. */
	falsify(peer, BLOCKPOOL_PEER_OWNER_WORD, second, was);
	falsify(peer, BLOCKPOOL_PEER_OWNER_WORD, second, 1);
	falsify(peer, BLOCKPOOL_PEER_OWNER_WORD, first, 1);
	must(!peer_free(peer, PROCESS, (__u32[]) { first, second }, 2));
	pool_give_all(self->fd);
	close(peer);
	pool_drain(self->fd);
}

/* What one who waits is to get is not missing. */
TEST_F(consistency, one_who_waits)
{
	__u32 *indices = pool_take_all(self->fd);
	struct waiter waiter = waiter_start(self->name, 2, -1);

	EXPECT_EQ(-EINVAL, pool_give(self->fd, -1));
	must(!pool_free(self->fd, indices, 2, NULL));
	EXPECT_EQ(0, waiter_result(&waiter));
	waiter_end(&waiter);
	EXPECT_EQ(1, pool_stats(self->fd).reports);
	pool_give_all(self->fd);
	free(indices);
	pool_await_held(self->fd, 0);
	pool_drain(self->fd);
}

TEST_F(consistency, no_block)
{
	__u32 was = falsify(self->peer, BLOCKPOOL_PEER_ELEMENT, 2, NR_BLOCKS);

	expect_corrupt(BLOCKPOOL_NO_INDEX, "no block, but free");
	falsify(self->peer, BLOCKPOOL_PEER_ELEMENT, 2, was);
	pool_drain(self->fd);
}

TEST_F(consistency, too_many)
{
	__u32 was = falsify(self->peer, BLOCKPOOL_PEER_NR_FREE, 0,
			    NR_BLOCKS + 1);

	expect_corrupt(BLOCKPOOL_NO_INDEX, "more free blocks than there are");
	falsify(self->peer, BLOCKPOOL_PEER_NR_FREE, 0, was);
	pool_drain(self->fd);
}

/* By the books the kernel has kept one: the memory may still be used. */
TEST(memory_lost)
{
	char name[BLOCKPOOL_NAME_SIZE], prefix[64], *log;
	int fd, peer;

	if (!access("/sys/kernel/debug/kmemleak", F_OK))
		SKIP(return, "kmemleak would find it");
	pool_name(name);
	fd = pool_new(name, BLOCK_SIZE, NR_BLOCKS);
	peer = peer_join(name);
	falsify(peer, BLOCKPOOL_PEER_NR_FREE, 0, NR_BLOCKS - 1);
	close(fd);
	close(peer);
	snprintf(prefix, sizeof(prefix), "blockpool: %s: memory lost, ", name);
	log = debug_log_of(prefix);
	EXPECT_STREQ("1 blocks were not given back by the kernel\n", log);
	free(log);
}

/* Each call looks at all blocks, so that damage is found while it is fresh. */
TEST_F(consistency, damage_elsewhere)
{
	__u32 index = take(self->fd), other = take(self->fd);
	struct blockpool_info info = pool_info(self->fd);
	struct blockpool_report report;
	char *map = pool_map(self->fd);

	map[info.block_offset + (size_t)index * info.stride + BLOCK_SIZE] = 1;
	ASSERT_EQ(0, give(self->fd, other));
	report = debug_only(self->fd, &self->cursor);
	expect_kind(&report, OVERRUN, FREE, index);
	EXPECT_EQ(info.client, owner_of(self->fd, index));
	munmap(map, info.map_size);
}

/* Nothing is found where nothing is wrong, whatever goes on at the same time. */
static void churn_client(const char *name, unsigned int seed, time_t end)
{
	int fd = pool_join(name);
	__u32 indices[4], n;

	while (time(NULL) <= end) {
		n = rand_r(&seed) % 4 + 1;
		if (!pool_alloc_wait(fd, indices, n, 1))
			must(!pool_free(fd, indices, n, NULL));
	}
	_exit(0);
}

TEST_F(consistency, at_work)
{
	struct blockpool_peer_churn churn = {
		.interval_us = 200, .depth = 4, .batch = 2, .length = 64,
	};
	__u32 contexts = peer_contexts(self->peer), context, damaged;
	int peers[BLOCKPOOL_PEER_CONTEXTS];
	time_t end = time(NULL) + 2;
	pid_t pids[3];

	must(!file_write(SWEEP_MS, "1"));
	for (context = 1; context < contexts; context++) {
		peers[context] = peer_join(self->name);
		churn.context = context;
		churn.seed = context;
		must(!pool_ioctl(peers[context], BLOCKPOOL_PEER_CHURN_START,
				 &churn));
	}
	for (int i = 0; i < 3; i++) {
		pids[i] = child_fork();
		if (!pids[i])
			churn_client(self->name, i + 1, end);
	}
	while (time(NULL) <= end)
		must(!debug_check(self->fd, &damaged) && !damaged);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(0, child_reap(pids[i]));
	for (context = 1; context < contexts; context++) {
		must(!pool_ioctl(peers[context], BLOCKPOOL_PEER_CHURN_STOP,
				 &churn));
		EXPECT_LT(0, churn.taken);
		EXPECT_EQ(0, churn.corrupted);
		close(peers[context]);
	}
	must(!file_write(SWEEP_MS, "10000"));
	EXPECT_EQ(0, pool_stats(self->fd).reports);
	pool_drain(self->fd);
}

TEST_HARNESS_MAIN

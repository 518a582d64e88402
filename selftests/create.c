// SPDX-License-Identifier: GPL-2.0
/*
 * Creating pools: what is allowed, how blocks lie in memory, who is charged for
 * it, and that nothing is left when a pool has gone.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "harness.h"
#include "pool.h"

#define MIB		(1UL << 20)

/*
 * Limits
 */
static const struct {
	__u32 block_size, nr_blocks;
	int result;
} limits[] = {
	{ 0, 1, -EINVAL },
	{ 1, 0, -EINVAL },
	{ 0, 0, -EINVAL },
	{ 1, 1, 0 },
	{ BLOCKPOOL_BLOCK_SIZE_MAX, 1, 0 },
	{ BLOCKPOOL_BLOCK_SIZE_MAX - 1, 2, 0 },
	{ BLOCKPOOL_BLOCK_SIZE_MAX + 1, 1, -EINVAL },
	{ 0x80000000, 1, -EINVAL },
	{ 0xffffffff, 1, -EINVAL },
	{ 1, BLOCKPOOL_BLOCKS_MAX + 1, -EINVAL },
	{ 1, 0x80000000, -EINVAL },
	{ 1, 0xffffffff, -EINVAL },
	{ 0xffffffff, 0xffffffff, -EINVAL },
	/* Products that no machine has, and some that overflow 32 bits. */
	{ BLOCKPOOL_BLOCK_SIZE_MAX, BLOCKPOOL_BLOCKS_MAX, -ENOMEM },
	{ BLOCKPOOL_BLOCK_SIZE_MAX, 1 << 22, -ENOMEM },
	{ 1 << 20, BLOCKPOOL_BLOCKS_MAX, -ENOMEM },
	{ 1 << 16, BLOCKPOOL_BLOCKS_MAX, -ENOMEM },
};

/* Kills by the OOM killer since boot. */
static long long oom_kills(void)
{
	return file_value("/proc/vmstat", "oom_kill");
}

TEST(sizes)
{
	char name[BLOCKPOOL_NAME_SIZE];
	long long kills = oom_kills();
	unsigned int count = pool_count();
	int fd;

	pool_name(name);
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		fd = pool_open(O_RDWR);
		EXPECT_EQ(limits[i].result,
			  pool_create(fd, name, limits[i].block_size,
				      limits[i].nr_blocks)) {
			TH_LOG("%u blocks of %u", limits[i].nr_blocks,
			       limits[i].block_size);
		}
		if (!limits[i].result) {
			ASSERT_EQ(limits[i].block_size, pool_info(fd).block_size);
			ASSERT_EQ(limits[i].nr_blocks, pool_info(fd).nr_blocks);
			pool_drain(fd);
		}
		close(fd);
		ASSERT_EQ(count, pool_count());
	}
	ASSERT_EQ(kills, oom_kills());
}

/* By a little or by far: the answer is no, and nobody is killed for it. */
TEST(more_than_there_is)
{
	long long total = file_value("/proc/meminfo", "MemTotal") / 1024;
	static const int percent[] = { 100, 103, 150, 200, 800 };
	char name[BLOCKPOOL_NAME_SIZE];
	long long kills = oom_kills();
	int fd;

	pool_name(name);
	for (size_t i = 0; i < ARRAY_SIZE(percent); i++) {
		fd = pool_open(O_RDWR);
		ASSERT_EQ(-ENOMEM, pool_create(fd, name, MIB,
					       total * percent[i] / 100));
		close(fd);
		ASSERT_FALSE(pool_listed(name));
		ASSERT_EQ(kills, oom_kills());
	}
	/* It was no more than that pool which did not fit. */
	fd = pool_new(name, 4096, 1024);
	pool_drain(fd);
	close(fd);
}

/* The most blocks there can be, if the machine has room for them. */
FIXTURE(most)
{
};

FIXTURE_SETUP(most)
{
}

FIXTURE_TEARDOWN(most)
{
}

TEST_F(most, blocks)
{
	char name[BLOCKPOOL_NAME_SIZE];
	struct blockpool_stats stats;
	__u32 indices[2], owners[2];
	int fd;

	if (file_value("/proc/meminfo", "MemAvailable") < 1500 * 1024)
		SKIP(return, "too little memory");
	pool_name(name);
	fd = pool_new(name, 1, BLOCKPOOL_BLOCKS_MAX);
	ASSERT_EQ(0, pool_alloc(fd, indices, 2));
	ASSERT_EQ(0, pool_owners(fd, BLOCKPOOL_BLOCKS_MAX - 2, 2, owners));
	ASSERT_EQ(-EPERM, pool_give(fd, BLOCKPOOL_BLOCKS_MAX / 2));
	ASSERT_EQ(-EINVAL, pool_give(fd, BLOCKPOOL_BLOCKS_MAX));
	stats = pool_stats(fd);
	ASSERT_EQ(BLOCKPOOL_BLOCKS_MAX, stats.nr_blocks);
	ASSERT_EQ(BLOCKPOOL_BLOCKS_MAX - 2, stats.nr_free);
	ASSERT_EQ(0, pool_free(fd, indices, 2, NULL));
	close(fd);
}

/*
 * Names and modes
 */
static const struct {
	const char *name;
	int result;
} names[] = {
	{ "a", 0 },
	{ "...", 0 },
	{ ".a", 0 },
	{ "~!@#$%^&*()_+|\"'<>?", 0 },
	{ "two words", 0 },
	{ "1234567890123456789012345678901", 0 },
	{ "", -EINVAL },
	{ ".", -EINVAL },
	{ "..", -EINVAL },
	{ "/", -EINVAL },
	{ "a/b", -EINVAL },
	{ "../a", -EINVAL },
	{ "a\n", -EINVAL },
	{ "\ta", -EINVAL },
	{ "a\001", -EINVAL },
	{ "\033[2J", -EINVAL },
	{ "a\177", -EINVAL },
	{ "a\200", -EINVAL },
	{ "\377", -EINVAL },
	{ "caf\303\251", -EINVAL },
	{ "12345678901234567890123456789012", -EINVAL },
};

TEST(good_and_bad_names)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int fd = pool_open(O_RDWR);

		EXPECT_EQ(names[i].result, pool_create(fd, names[i].name, 1, 1)) {
			TH_LOG("name '%s'", names[i].name);
		}
		if (!names[i].result) {
			ASSERT_STREQ(names[i].name, pool_info(fd).name);
			ASSERT_TRUE(pool_listed(names[i].name));
			close(pool_join(names[i].name));
		}
		close(fd);
	}
}

/* A name that no pool can have is a bad argument or no pool's. */
TEST(names_to_find)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int fd = pool_open(O_RDWR);
		int error = strlen(names[i].name) < BLOCKPOOL_NAME_SIZE ?
			-ENOENT : -EINVAL;
		int ret = pool_attach(fd, names[i].name);

		ASSERT_TRUE(ret == error || ret == names[i].result);
		ASSERT_NE(0, ret);
		ret = pool_unlink(names[i].name);
		ASSERT_TRUE(ret == error || ret == names[i].result);
		ASSERT_NE(0, ret);
		close(fd);
	}
}

/* What is behind the name's end is nobody's, and is not handed on. */
TEST(nothing_behind_the_name_gets_out)
{
	struct blockpool_create_args args = {
		.size = sizeof(args),
		.block_size = 1,
		.nr_blocks = 1,
	};
	struct blockpool_list_args entry = {};
	struct blockpool_info info;
	int fd = pool_open(O_RDWR);
	size_t length;

	memset(args.name, 'x', sizeof(args.name) - 1);
	pool_name(args.name);
	length = strlen(args.name);
	ASSERT_EQ(0, pool_ioctl(fd, BLOCKPOOL_IOC_CREATE, &args));
	info = pool_info(fd);
	do {
		ASSERT_EQ(0, pool_next(&entry));
	} while (strcmp(entry.name, args.name));
	for (size_t i = length; i < sizeof(info.name); i++) {
		ASSERT_EQ(0, info.name[i]);
		ASSERT_EQ(0, entry.name[i]);
	}
	close(fd);
}

TEST(good_and_bad_modes)
{
	static const struct {
		__u32 mode;
		int result;
	} modes[] = {
		{ 0, 0 }, { 0600, 0 }, { 0400, 0 }, { 0002, 0 }, { 0666, 0 },
		{ 0777, 0 }, { 01000, -EINVAL }, { 02000, -EINVAL },
		{ 04000, -EINVAL }, { 0100600, -EINVAL },
		{ 0x10000, -EINVAL }, { 0x80000180, -EINVAL },
	};
	char name[BLOCKPOOL_NAME_SIZE];

	pool_name(name);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct blockpool_create_args args = {
			.block_size = 1,
			.nr_blocks = 1,
			.mode = modes[i].mode,
		};
		int fd = pool_open(O_RDWR);

		ASSERT_EQ(modes[i].result, pool_create_args(fd, name, args));
		if (!modes[i].result) {
			ASSERT_EQ(modes[i].mode ? modes[i].mode : 0600,
				  pool_info(fd).mode);
		}
		close(fd);
	}
}

TEST(name_is_taken)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int fd, other = pool_open(O_RDWR);

	pool_name(name);
	fd = pool_new(name, 64, 3);
	ASSERT_EQ(-EEXIST, pool_create(other, name, 64, 3));
	ASSERT_EQ(-EEXIST, pool_create(other, name, 128, 5));
	ASSERT_EQ(64, pool_info(fd).block_size);
	/* The other is not attached to anything. */
	ASSERT_EQ(0, pool_attach(other, name));
	ASSERT_EQ(2, pool_stats(fd).nr_clients);
	close(other);
	close(fd);
}

TEST(needs_both_ways_open)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int fd;

	pool_name(name);
	fd = pool_open(O_RDONLY);
	ASSERT_EQ(-EACCES, pool_create(fd, name, 64, 1));
	close(fd);
	fd = pool_open(O_WRONLY);
	ASSERT_EQ(-EACCES, pool_create(fd, name, 64, 1));
	close(fd);
	ASSERT_FALSE(pool_listed(name));
}

/*
 * Geometry
 */
static const __u32 block_sizes[] = {
	1, 2, 63, 64, 65, 100, 127, 128, 129, 1000, 1024, 1025, 1500, 2048,
	4095, 4096, 4097, 5000, 8192, 9000, 12288, 65536, 65537, 100000,
	1 << 20, (1 << 20) + 1, 3000000, BLOCKPOOL_BLOCK_SIZE_MAX - 1,
	BLOCKPOOL_BLOCK_SIZE_MAX,
};

static const __u32 block_counts[] = { 1, 2, 3, 7, 16, 17, 64, 65, 1000 };

static void check_geometry(const struct blockpool_info *info)
{
	__u64 page = getpagesize();
	__u64 bytes = (__u64)info->stride * info->nr_blocks;

	must(info->stride >= info->block_size);
	must(info->stride % 64 == 0);
	must(info->stride - info->block_size <= 64 + info->block_size / 8);
	must(info->map_size % page == 0);
	must(info->map_size >= bytes && info->map_size < bytes + page);
}

/* Stamp both ends of every block, then look whether any stamp was lost. */
static void check_blocks(const struct blockpool_info *info, char *map,
			 const char *other)
{
	for (__u32 i = 0; i < info->nr_blocks; i++) {
		char *block = map + (__u64)i * info->stride;
		char *last = block + info->block_size - 1;

		must(!*block && !*last);
		*(volatile char *)block = i + 1;
		*(volatile char *)last = i + 1;
	}
	for (__u32 i = 0; i < info->nr_blocks; i++) {
		const char *block = other + (__u64)i * info->stride;

		must(block[0] == (char)(i + 1));
		must(block[info->block_size - 1] == (char)(i + 1));
	}
}

static void check_pool(__u32 block_size, __u32 nr_blocks)
{
	char name[BLOCKPOOL_NAME_SIZE];
	struct blockpool_info info;
	char *map, *other;
	int fd, fd2;

	pool_name(name);
	fd = pool_new(name, block_size, nr_blocks);
	fd2 = pool_join(name);
	info = pool_info(fd);
	must(info.block_size == block_size && info.nr_blocks == nr_blocks);
	check_geometry(&info);
	map = pool_map(fd);
	other = pool_map(fd2);
	check_blocks(&info, map, other);
	pool_drain(fd);
	must(!munmap(map, info.map_size));
	must(!munmap(other, info.map_size));
	close(fd2);
	close(fd);
}

TEST(geometry)
{
	for (size_t i = 0; i < ARRAY_SIZE(block_sizes); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(block_counts); j++) {
			if ((__u64)block_sizes[i] * block_counts[j] <= 32 * MIB)
				check_pool(block_sizes[i], block_counts[j]);
		}
	}
}

/*
 * Nodes
 */
static int create_on(int fd, const char *name, __u32 flags, __u32 node)
{
	struct blockpool_create_args args = {
		.flags = flags, .node = node,
		.block_size = 2048, .nr_blocks = 64,
	};

	return pool_create_args(fd, name, args);
}

TEST(on_a_node)
{
	const __u32 bad[] = { 1023, 1024, 4096, 1U << 31, -1U };
	char name[BLOCKPOOL_NAME_SIZE];
	int fd = pool_open(O_RDWR);

	pool_name(name);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, create_on(fd, name, BLOCKPOOL_ON_NODE,
					     bad[i]));
		EXPECT_EQ(-EINVAL, create_on(fd, name, 0, bad[i]));
	}
	EXPECT_EQ(-EINVAL, create_on(fd, name, 0, 1));
	if (access("/sys/devices/system/node/node1", F_OK))
		EXPECT_EQ(-EINVAL, create_on(fd, name, BLOCKPOOL_ON_NODE, 1));
	EXPECT_FALSE(pool_listed(name));

	ASSERT_EQ(0, create_on(fd, name, BLOCKPOOL_ON_NODE, 0));
	EXPECT_EQ(BLOCKPOOL_ON_NODE, pool_info(fd).flags);
	EXPECT_EQ(0, pool_info(fd).node);
	pool_drain(fd);
	close(fd);
}

TEST(two_pools_of_different_sizes)
{
	char small[BLOCKPOOL_NAME_SIZE], large[BLOCKPOOL_NAME_SIZE];
	struct blockpool_info small_info, large_info;
	__u32 *small_all, *large_all;
	char *small_map, *large_map;
	int small_fd, large_fd;

	pool_name(small);
	pool_name(large);
	small_fd = pool_new(small, 100, 300);
	large_fd = pool_new(large, 9000, 20);
	small_info = pool_info(small_fd);
	large_info = pool_info(large_fd);
	small_map = pool_map(small_fd);
	large_map = pool_map(large_fd);
	small_all = pool_take_all(small_fd);
	large_all = pool_take_all(large_fd);
	memset(small_map, 's', small_info.map_size);
	memset(large_map, 'l', large_info.map_size);
	for (size_t i = 0; i < small_info.map_size; i++) {
		ASSERT_EQ('s', small_map[i]);
	}
	pool_check(small_fd, 300);
	pool_check(large_fd, 20);

	/* An index of the one says nothing about the other. */
	ASSERT_EQ(0, pool_give(small_fd, 7));
	ASSERT_EQ(-EPERM, pool_give(small_fd, 7));
	pool_check(large_fd, 20);
	ASSERT_EQ(0, pool_give(large_fd, 7));
	ASSERT_EQ(-EINVAL, pool_give(large_fd, 20));
	ASSERT_EQ(0, pool_give(small_fd, 20));
	pool_check(small_fd, 298);
	pool_check(large_fd, 19);
	close(large_fd);
	munmap(large_map, large_info.map_size);
	ASSERT_EQ('s', small_map[0]);
	close(small_fd);
	munmap(small_map, small_info.map_size);
	free(small_all);
	free(large_all);
}

/*
 * Who pays: RLIMIT_MEMLOCK, by user
 */
#define LOCK_LIMIT	MIB
#define POOL_BYTES	(640UL << 10)	/* one fits, two do not */

FIXTURE(memlock)
{
	mode_t mode;
	char name[BLOCKPOOL_NAME_SIZE], other[BLOCKPOOL_NAME_SIZE];
};

FIXTURE_SETUP(memlock)
{
	self->mode = device_share();
	pool_name(self->name);
	pool_name(self->other);
}

FIXTURE_TEARDOWN(memlock)
{
	if (pool_listed(self->name))
		pool_unlink(self->name);
	device_restore(self->mode);
}

static void become_limited(uid_t uid, rlim_t limit)
{
	struct rlimit rlimit = { limit, limit };

	must(!setrlimit(RLIMIT_MEMLOCK, &rlimit));
	become(uid, uid);
}

static int create_bytes(int fd, const char *name, __u32 flags, size_t bytes)
{
	struct blockpool_create_args args = {
		.flags = flags,
		.block_size = 4096,
		.nr_blocks = bytes / 4096,
	};

	return pool_create_args(fd, name, args);
}

/* A child of that user that makes a pool and keeps it until it is told. */
static pid_t keep_pool(uid_t uid, const char *name, struct step *made,
		       struct step *end)
{
	pid_t pid = child_fork();

	if (!pid) {
		become_limited(uid, LOCK_LIMIT);
		must(!create_bytes(pool_open(O_RDWR), name, 0, POOL_BYTES));
		step_post(made);
		step_await(end);
		_exit(0);
	}
	step_await(made);
	return pid;
}

/* What a new process of that user gets when it makes one more. */
static int try_pool(uid_t uid, const char *name, __u32 flags, rlim_t limit,
		    size_t bytes)
{
	pid_t pid = child_fork();

	if (!pid) {
		become_limited(uid, limit);
		_exit(-create_bytes(pool_open(O_RDWR), name, flags, bytes));
	}
	return -child_reap(pid);
}

TEST_F(memlock, is_by_user_and_not_by_process)
{
	struct step made, end;
	pid_t pid;

	step_init(&made);
	step_init(&end);
	pid = keep_pool(USER_A, self->name, &made, &end);
	EXPECT_EQ(-ENOMEM, try_pool(USER_A, self->other, 0, LOCK_LIMIT,
				    POOL_BYTES));
	EXPECT_FALSE(pool_listed(self->other));
	/* Another user has a limit of its own, as has who sets it higher. */
	EXPECT_EQ(0, try_pool(USER_B, self->other, 0, LOCK_LIMIT, POOL_BYTES));
	EXPECT_EQ(0, try_pool(USER_A, self->other, 0, 2 * LOCK_LIMIT,
			      POOL_BYTES));
	step_post(&end);
	ASSERT_EQ(0, child_reap(pid));
	EXPECT_EQ(0, try_pool(USER_A, self->other, 0, LOCK_LIMIT, POOL_BYTES));
}

TEST_F(memlock, of_nothing)
{
	EXPECT_EQ(-ENOMEM, try_pool(USER_A, self->other, 0, 0, 4096));
	EXPECT_EQ(-ENOMEM, try_pool(USER_A, self->other, 0, LOCK_LIMIT,
				    LOCK_LIMIT + 4096));
	EXPECT_EQ(0, try_pool(USER_A, self->other, 0, RLIM_INFINITY,
			      8 * LOCK_LIMIT));
}

/* With one page too many kept each time this would soon fail. */
TEST_F(memlock, is_given_back_whole)
{
	pid_t pid = child_fork();
	int fd;

	if (!pid) {
		become_limited(USER_A, LOCK_LIMIT);
		for (int i = 0; i < 400; i++) {
			fd = pool_open(O_RDWR);
			must(!create_bytes(fd, self->name, 0, POOL_BYTES));
			close(fd);
			fd = pool_open(O_RDWR);
			must(create_bytes(fd, self->name, 0, LOCK_LIMIT * 2) ==
			     -ENOMEM);
			must(create_bytes(fd, "a/b", 0, POOL_BYTES) == -EINVAL);
			close(fd);
		}
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(pid));
}

/* A name that is taken costs nothing either. */
TEST_F(memlock, is_given_back_on_failure)
{
	int root = pool_new(self->name, 64, 1);
	pid_t pid = child_fork();
	int fd;

	if (!pid) {
		become_limited(USER_A, LOCK_LIMIT);
		fd = pool_open(O_RDWR);
		for (int i = 0; i < 10; i++)
			must(create_bytes(fd, self->name, 0, POOL_BYTES) ==
			     -EEXIST);
		must(!create_bytes(fd, self->other, 0, POOL_BYTES));
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(pid));
	close(root);
}

TEST_F(memlock, is_kept_by_a_persistent_pool)
{
	ASSERT_EQ(0, try_pool(USER_A, self->name, BLOCKPOOL_PERSIST, LOCK_LIMIT,
			      POOL_BYTES));
	ASSERT_TRUE(pool_listed(self->name));
	EXPECT_EQ(-ENOMEM, try_pool(USER_A, self->other, 0, LOCK_LIMIT,
				    POOL_BYTES));
	ASSERT_EQ(0, pool_unlink(self->name));
	EXPECT_EQ(0, try_pool(USER_A, self->other, 0, LOCK_LIMIT, POOL_BYTES));
}

/* The charge follows the memory: a mapping is enough to keep it. */
TEST_F(memlock, is_kept_by_another_users_client)
{
	struct step made, end;
	pid_t pid;
	int fd;

	step_init(&made);
	step_init(&end);
	pid = keep_pool(USER_A, self->name, &made, &end);
	fd = pool_join(self->name);
	step_post(&end);
	ASSERT_EQ(0, child_reap(pid));
	EXPECT_EQ(-ENOMEM, try_pool(USER_A, self->other, 0, LOCK_LIMIT,
				    POOL_BYTES));
	close(fd);
	EXPECT_EQ(0, try_pool(USER_A, self->other, 0, LOCK_LIMIT, POOL_BYTES));
}

/* Root has CAP_IPC_LOCK. */
TEST_F(memlock, is_not_for_root)
{
	struct rlimit none = {};
	int fd = pool_open(O_RDWR);

	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &none));
	ASSERT_EQ(0, create_bytes(fd, self->other, 0, 2 * MIB));
	close(fd);
}

TEST_F(memlock, default_is_the_administrators)
{
	EXPECT_EQ(-EACCES, try_pool(USER_A, "default", 0, RLIM_INFINITY, 4096));
}

/*
 * Who pays: the memory cgroup
 */
#define GROUP_LIMIT	(16 * MIB)

FIXTURE(cgroup)
{
	char root[64], group[128];
	bool enabled;		/* the memory controller, by this test */
};

static void group_file(char *path, size_t size, const char *dir,
		       const char *file)
{
	must(snprintf(path, size, "%s/%s", dir, file) < (int)size);
}

static int group_write(const char *dir, const char *file, const char *text)
{
	char path[256];

	group_file(path, sizeof(path), dir, file);
	return file_write(path, text);
}

static long long group_value(const char *dir, const char *file, const char *key)
{
	char path[256], text[64];

	group_file(path, sizeof(path), dir, file);
	if (key)
		return file_value(path, key);
	must(!file_read(path, text, sizeof(text)));
	return atoll(text);
}

FIXTURE_SETUP(cgroup)
{
	char limit[32], path[128], controllers[256];

	strcpy(self->root, "/tmp/blockpool-test-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->root));
	ASSERT_EQ(0, mount("cgroup2", self->root, "cgroup2", 0, NULL));
	group_file(path, sizeof(path), self->root, "cgroup.subtree_control");
	ASSERT_EQ(0, file_read(path, controllers, sizeof(controllers)));
	self->enabled = !strstr(controllers, "memory");
	if (self->enabled && file_write(path, "+memory"))
		SKIP(return, "no memory controller");
	snprintf(self->group, sizeof(self->group), "%s/blockpool-test-%d",
		 self->root, getpid());
	ASSERT_EQ(0, mkdir(self->group, 0755));
	snprintf(limit, sizeof(limit), "%lu", GROUP_LIMIT);
	ASSERT_EQ(0, group_write(self->group, "memory.max", limit));
}

FIXTURE_TEARDOWN(cgroup)
{
	if (self->group[0]) {
		EXPECT_EQ(0, rmdir(self->group));
	}
	if (self->enabled)
		group_write(self->root, "cgroup.subtree_control", "-memory");
	EXPECT_EQ(0, umount(self->root));
	EXPECT_EQ(0, rmdir(self->root));
}

static void join_group(const char *group)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	must(!group_write(group, "cgroup.procs", pid));
}

/* The one that asks for too much is told so, and lives. */
TEST_F(cgroup, limit)
{
	char name[BLOCKPOOL_NAME_SIZE];
	pid_t pid;
	int fd;

	pool_name(name);
	pid = child_fork();
	if (!pid) {
		must(!mlockall(MCL_CURRENT));
		join_group(self->group);
		for (int i = 0; i < 3; i++) {
			fd = pool_open(O_RDWR);
			must(create_bytes(fd, name, 0, 2 * GROUP_LIMIT) ==
			     -ENOMEM);
			must(create_bytes(fd, name, 0, GROUP_LIMIT + MIB) ==
			     -ENOMEM);
			/* Its tables alone are too much. */
			must(pool_create(fd, name, 1, 1 << 22) == -ENOMEM);
			/* 7.2 frees only later what vmalloc() had got of them. */
			for (int n = 0; n < 50; n++) {
				usleep(200000);
				if (!create_bytes(fd, name, 0, GROUP_LIMIT / 4))
					break;
			}
			must(pool_info(fd).nr_blocks);
			pool_drain(fd);
			close(fd);
		}
		_exit(0);
	}
	EXPECT_EQ(0, child_reap(pid));
	EXPECT_EQ(0, group_value(self->group, "memory.events", "oom_kill"));
}

/* What fails half way is not on the user's bill either. */
TEST_F(cgroup, failure_is_not_charged_to_the_user)
{
	char name[BLOCKPOOL_NAME_SIZE];
	mode_t node = device_share();
	pid_t pid;
	int fd;

	pool_name(name);
	pid = child_fork();
	if (!pid) {
		join_group(self->group);
		become_limited(USER_A, 2 * GROUP_LIMIT + 2 * MIB);
		fd = pool_open(O_RDWR);
		for (int i = 0; i < 3; i++)
			must(create_bytes(fd, name, 0, 2 * GROUP_LIMIT) ==
			     -ENOMEM);
		must(!create_bytes(fd, name, 0, GROUP_LIMIT / 4));
		_exit(0);
	}
	EXPECT_EQ(0, child_reap(pid));
	device_restore(node);
}

/* Until the pool is gone, not until its maker is. */
TEST_F(cgroup, charge)
{
	char name[BLOCKPOOL_NAME_SIZE];
	long long before, during;
	pid_t pid;

	pool_name(name);
	before = group_value(self->group, "memory.current", NULL);
	pid = child_fork();
	if (!pid) {
		join_group(self->group);
		must(!create_bytes(pool_open(O_RDWR), name, BLOCKPOOL_PERSIST,
				   GROUP_LIMIT / 2));
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(pid));
	during = group_value(self->group, "memory.current", NULL);
	EXPECT_GE(during, GROUP_LIMIT / 2);
	EXPECT_LT(before, during);
	ASSERT_EQ(0, pool_unlink(name));
	for (int i = 0; i < 1000; i++) {
		if (group_value(self->group, "memory.current", NULL) <=
		    during - (long long)GROUP_LIMIT / 2 + MIB)
			break;
		usleep(10000);
	}
	/* All but what the group's own books take. */
	EXPECT_LE(group_value(self->group, "memory.current", NULL),
		  during - (long long)GROUP_LIMIT / 2 + MIB);
}

/*
 * Nothing is lost
 */
struct memory {
	long long available, slab, percpu, vmalloc;
	int areas;
};

/* Areas of vmalloc memory that this module has. */
static int vmalloc_areas(void)
{
	FILE *file = fopen("/proc/vmallocinfo", "re");
	char line[512];
	int count = 0;

	must(file);
	while (fgets(line, sizeof(line), file))
		count += !!strstr(line, "[blockpool]");
	fclose(file);
	return count;
}

/* KiB of free pages that CPUs keep on lists of their own: MemAvailable leaves them out. */
static long long pages_of_cpus(void)
{
	FILE *file = fopen("/proc/zoneinfo", "re");
	long long pages = 0, count;
	char line[256];

	must(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " count: %lld", &count) == 1)
			pages += count;
	fclose(file);
	return pages * (sysconf(_SC_PAGESIZE) >> 10);
}

/*
 * With KASAN what was freed stays in the slabs for some time, in quarantine; what
 * is lost there kmemleak tells.
 */
static struct memory memory_now(void)
{
	long long slab = file_value("/proc/meminfo", "SUnreclaim");
	bool judged = !access("/sys/kernel/debug/kmemleak", F_OK);

	return (struct memory){
		.available = file_value("/proc/meminfo", "MemAvailable") +
			     pages_of_cpus() + (judged ? slab : 0),
		.slab = judged ? 0 : slab,
		.percpu = file_value("/proc/meminfo", "Percpu"),
		.vmalloc = file_value("/proc/meminfo", "VmallocUsed"),
		.areas = vmalloc_areas(),
	};
}

static bool lost(const struct memory *before, const struct memory *now,
		 long long available, long long slab)
{
	return before->available - now->available > available ||
	       now->slab - before->slab > slab ||
	       now->percpu - before->percpu > slab ||
	       now->vmalloc - before->vmalloc > slab ||
	       now->areas > before->areas;
}

/* Some of it comes back a little later, so look again for some seconds. */
static void expect_nothing_lost(const struct memory *before,
				long long available, long long slab)
{
	struct memory now = memory_now();

	for (int i = 0; i < 100 && lost(before, &now, available, slab); i++) {
		usleep(100000);
		now = memory_now();
	}
	if (lost(before, &now, available, slab))
		pool_fatal("KiB lost: %lld, slab %lld, percpu %lld, vmalloc %lld; areas %d -> %d",
			   before->available - now.available,
			   now.slab - before->slab,
			   now.percpu - before->percpu,
			   now.vmalloc - before->vmalloc,
			   before->areas, now.areas);
}

FIXTURE(rounds)
{
	char name[BLOCKPOOL_NAME_SIZE];
};

FIXTURE_VARIANT(rounds)
{
	__u32 nr_blocks;
	int rounds, refused;
	long long available, slab;	/* KiB: less than a part a round */
};

/* Owner table and element stack are 4 MiB each. */
FIXTURE_VARIANT_ADD(rounds, large)
{
	.nr_blocks = 1 << 20, .rounds = 100, .refused = 5,
	.available = 32 << 10, .slab = 8 << 10,
};

/* Here the pool's own structure and what hangs on it count. */
FIXTURE_VARIANT_ADD(rounds, tiny)
{
	.nr_blocks = 1, .rounds = 5000, .refused = 5000,
	.available = 16 << 10, .slab = 700,
};

FIXTURE_SETUP(rounds)
{
	pool_name(self->name);
}

FIXTURE_TEARDOWN(rounds)
{
}

/* All that a pool and its clients can be made of. */
static void one_life(const char *name, __u32 nr_blocks, bool map)
{
	__u32 index;
	int fd = pool_new(name, 64, nr_blocks);
	int other = pool_join(name);
	size_t size;
	char *addr;

	if (map) {
		size = pool_info(fd).map_size;
		addr = pool_map(fd);
		addr[size - 1] = 1;
		must(!munmap(addr, size));
	}
	index = pool_take(fd);
	must(index < nr_blocks);
	must(pool_take(other) >= 0 || nr_blocks == 1);
	must(pool_give(other, index) == -EPERM);
	close(other);
	close(fd);
}

/* Until the kernel's caches have what they keep of them all the time. */
static int warm_up(int rounds)
{
	return 3 + rounds / 10;
}

TEST_F(rounds, lose_nothing)
{
	struct memory before;

	for (int i = 0; i < warm_up(variant->rounds); i++)
		one_life(self->name, variant->nr_blocks, true);
	before = memory_now();
	for (int i = 0; i < variant->rounds; i++)
		one_life(self->name, variant->nr_blocks, i % 10 == 0);
	expect_nothing_lost(&before, variant->available, variant->slab);
	ASSERT_FALSE(pool_listed(self->name));
}

struct creator {
	const char *name;
	__u32 nr_blocks;
	int fd, result;
};

static void *create_one(void *arg)
{
	struct creator *creator = arg;

	creator->result = pool_create(creator->fd, creator->name, 64,
				      creator->nr_blocks);
	return NULL;
}

/* Often both have their memory before one of them gets the name. */
static void create_two(const char *name, __u32 nr_blocks)
{
	struct creator creators[2];
	pthread_t threads[2];
	int i;

	for (i = 0; i < 2; i++) {
		creators[i] = (struct creator){ name, nr_blocks,
						pool_open(O_RDWR), 1 };
		must(!pthread_create(&threads[i], NULL, create_one,
				     &creators[i]));
	}
	for (i = 0; i < 2; i++)
		must(!pthread_join(threads[i], NULL));
	must(creators[0].result + creators[1].result == -EEXIST);
	must(!creators[0].result || !creators[1].result);
	close(creators[0].fd);
	close(creators[1].fd);
}

TEST_F(rounds, lose_nothing_when_two_want_one_name)
{
	struct memory before;

	for (int i = 0; i < warm_up(variant->rounds); i++)
		create_two(self->name, variant->nr_blocks);
	before = memory_now();
	for (int i = 0; i < variant->rounds; i++)
		create_two(self->name, variant->nr_blocks);
	expect_nothing_lost(&before, variant->available, variant->slab);
	ASSERT_FALSE(pool_listed(self->name));
}

/* Nor by those that do not come about. */
TEST_F(rounds, lose_nothing_when_refused)
{
	int root = pool_new(self->name, 64, 1);
	struct memory before = memory_now();
	int fd = pool_open(O_RDWR);

	for (int i = 0; i < variant->refused; i++) {
		ASSERT_EQ(-EEXIST, pool_create(fd, self->name, 64,
					       variant->nr_blocks));
	}
	expect_nothing_lost(&before, variant->available, variant->slab);
	close(fd);
	close(root);
}

struct asker {
	int fd;
	bool asking;
	struct blockpool_info info;
};

static void *ask_until_attached(void *arg)
{
	struct asker *asker = arg;
	int ret;

	do {
		asker->info = (struct blockpool_info) {
			.size = sizeof(asker->info)
		};
		ret = pool_ioctl(asker->fd, BLOCKPOOL_IOC_INFO, &asker->info);
		must(!ret || ret == -ENOENT);	/* there is no default pool */
		__atomic_store_n(&asker->asking, true, __ATOMIC_RELEASE);
	} while (!asker->info.client);
	return NULL;
}

/* Who finds a client finds a whole one. */
TEST(attached_while_another_asks)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int root;

	pool_name(name);
	root = pool_new(name, 64, 4);
	for (int i = 0; i < 500; i++) {
		struct asker asker = { .fd = pool_open(O_RDWR) };
		pthread_t thread;

		must(!pthread_create(&thread, NULL, ask_until_attached, &asker));
		while (!__atomic_load_n(&asker.asking, __ATOMIC_ACQUIRE))
			sched_yield();
		ASSERT_EQ(0, pool_attach(asker.fd, name));
		must(!pthread_join(thread, NULL));
		ASSERT_EQ(pool_info(asker.fd).client, asker.info.client);
		ASSERT_EQ(4, asker.info.nr_blocks);
		ASSERT_STREQ(name, asker.info.name);
		close(asker.fd);
	}
	close(root);
}

TEST_HARNESS_MAIN

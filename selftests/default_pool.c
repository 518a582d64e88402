// SPDX-License-Identifier: GPL-2.0
/*
 * The pool "default", to which the first call attaches a file that has no pool:
 * that there is none, or one that the opener may not use.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>

#include "harness.h"
#include "pool.h"

#define NAME	"default"

/* Everything that attaches a file, or looks at the pool that it would have. */
static int call_info(int fd)
{
	struct blockpool_info args = { .size = sizeof(args) };

	return pool_ioctl(fd, BLOCKPOOL_IOC_INFO, &args);
}

static int call_stats(int fd)
{
	struct blockpool_stats args = { .size = sizeof(args) };

	return pool_ioctl(fd, BLOCKPOOL_IOC_STATS, &args);
}

static int call_holder(int fd)
{
	struct blockpool_holder_args args = { .size = sizeof(args) };
	int ret = pool_ioctl(fd, BLOCKPOOL_IOC_HOLDER, &args);

	return ret == -ENOENT && !args.cursor && !call_info(fd) ? 0 : ret;
}

static int call_owners(int fd)
{
	__u32 owner;

	return pool_owners(fd, 0, 1, &owner);
}

static int unless_plain(int ret)
{
	return ret == -EOPNOTSUPP ? 0 : ret;
}

static int call_check(int fd)
{
	struct blockpool_check_args args = { .size = sizeof(args) };

	return unless_plain(pool_ioctl(fd, BLOCKPOOL_IOC_CHECK, &args));
}

static int call_modules(int fd)
{
	struct blockpool_modules_args args = {
		.size = sizeof(args), .length = 2, .text = (uintptr_t)"x\n",
	};

	return unless_plain(pool_ioctl(fd, BLOCKPOOL_IOC_MODULES, &args));
}

static int call_alloc(int fd)
{
	int index = pool_take(fd);

	return index < 0 ? index : pool_give(fd, index);
}

static int call_free(int fd)
{
	int ret = pool_give(fd, 0);

	return ret == -EPERM ? 0 : ret;		/* it is not the caller's */
}

static int call_mmap(int fd)
{
	size_t page = sysconf(_SC_PAGESIZE);
	void *map = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);

	return map == MAP_FAILED ? -errno : munmap(map, page);
}

/* It has no errno: POLLERR, for whatever reason. */
static int call_poll(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

	must(poll(&poll_fd, 1, 0) >= 0);
	return poll_fd.revents & POLLERR ? -EIO : 0;
}

static const struct {
	const char *name;
	int (*call)(int fd);
} calls[] = {
	{ "INFO", call_info }, { "STATS", call_stats }, { "HOLDER", call_holder },
	{ "OWNERS", call_owners }, { "CHECK", call_check },
	{ "MODULES", call_modules }, { "ALLOC", call_alloc },
	{ "FREE", call_free }, { "mmap", call_mmap }, { "poll", call_poll },
};

/* Each as the first call on a file of its own; for child processes too. */
static void all_return(int error)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		int fd = pool_open(O_RDWR), ret = calls[i].call(fd);

		if (ret != error && !(ret == -EIO && error))
			pool_fatal("%s: expected %d, seen %d", calls[i].name,
				   error, ret);
		close(fd);
	}
}

/* The module's own is out of the way meanwhile. */
FIXTURE(default_pool)
{
	mode_t node;
	struct blockpool_info info;
};

static int make_default(const struct blockpool_info *like, __u32 mode)
{
	struct blockpool_create_args args = {
		.block_size = like->block_size,
		.nr_blocks = like->nr_blocks,
		.flags = BLOCKPOOL_PERSIST,
		.mode = mode,
	};
	int fd = pool_open(O_RDWR), ret;

	ret = pool_create_args(fd, NAME, args);
	close(fd);
	return ret;
}

FIXTURE_SETUP(default_pool)
{
	int fd = pool_open(O_RDONLY);

	self->node = device_share();
	self->info = pool_info(fd);
	close(fd);
	ASSERT_EQ(0, pool_unlink(NAME));
}

FIXTURE_TEARDOWN(default_pool)
{
	pool_unlink(NAME);
	EXPECT_EQ(0, make_default(&self->info, self->info.mode));
	device_restore(self->node);
}

static int as_user(void (*what)(const struct blockpool_info *info),
		   const struct blockpool_info *info)
{
	pid_t pid = child_fork();

	if (!pid) {
		become(USER_A, USER_A);
		what(info);
		_exit(0);
	}
	return child_reap(pid);
}

static void all_are_refused(const struct blockpool_info *info)
{
	all_return(-EACCES);
}

static void all_succeed(const struct blockpool_info *info)
{
	all_return(0);
}

static void may_not_make_it(const struct blockpool_info *info)
{
	must(make_default(info, 0666) == -EACCES);
}

TEST_F(default_pool, there_is_none)
{
	all_return(-ENOENT);
}

TEST_F(default_pool, not_for_everybody)
{
	ASSERT_EQ(0, make_default(&self->info, 0600));
	all_return(0);
	EXPECT_EQ(0, as_user(all_are_refused, &self->info));
}

TEST_F(default_pool, for_everybody)
{
	ASSERT_EQ(0, make_default(&self->info, 0666));
	EXPECT_EQ(0, as_user(all_succeed, &self->info));
}

/* Others would be attached to it without asking. */
TEST_F(default_pool, made_by_the_administrator_only)
{
	EXPECT_EQ(0, as_user(may_not_make_it, &self->info));
	EXPECT_EQ(0, make_default(&self->info, 0666));
	EXPECT_EQ(-EEXIST, make_default(&self->info, 0666));
}

/* open() has a fourth mode, which asks for all and grants nothing. */
TEST(a_file_to_do_nothing_with)
{
	EXPECT_EQ(-EINVAL, pool_open(O_ACCMODE));
}

TEST_HARNESS_MAIN

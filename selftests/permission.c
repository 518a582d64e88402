// SPDX-License-Identifier: GPL-2.0
/*
 * Owner, group and mode of a pool: who may attach it, see it, and take its name
 * away.
 */
#include <grp.h>
#include <linux/capability.h>
#include <sys/syscall.h>

#include "harness.h"
#include "pool.h"

#define GROUP_A	USER_A
#define GROUP_B	USER_B

/* Somebody who is not the owner's process. */
struct who {
	const char *what;
	uid_t uid;
	gid_t gid, other_gid;	/* other_gid: supplementary, 0 for none */
	bool powerless;		/* without a capability, even as root */
	int shift;		/* of his three bits in the mode, -1: all */
};

static const struct who everybody[] = {
	{ "owner", USER_A, GROUP_B, 0, false, 6 },
	{ "owner in the group", USER_A, GROUP_A, 0, false, 6 },
	{ "group", USER_B, GROUP_A, 0, false, 3 },
	{ "supplementary group", USER_B, GROUP_B, GROUP_A, false, 3 },
	{ "other", USER_B, GROUP_B, 0, false, 0 },
	{ "root", 0, 0, 0, false, -1 },
	{ "root without capabilities", 0, 0, 0, true, 0 },
};

static const mode_t modes[] = {
	0600, 0400, 0200, 0060, 0040, 0020, 0006, 0004, 0002, 0066, 0606, 0660,
	0640, 0644, 0666, 0111,
};

static const int ways[] = { O_RDONLY, O_WRONLY, O_RDWR };

/* Root is then a user like any other. */
static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = {};

	must(!syscall(SYS_capset, &header, data));
}

static void act_as(const struct who *who)
{
	must(!setgroups(who->other_gid ? 1 : 0, &who->other_gid));
	must(!setresgid(who->gid, who->gid, who->gid));
	must(!setresuid(who->uid, who->uid, who->uid));
	if (who->powerless)
		drop_capabilities();
}

static bool allowed(const struct who *who, mode_t mode, bool read, bool write)
{
	mode_t want = (read ? 4 : 0) | (write ? 2 : 0);

	return who->shift < 0 || !(want & ~(mode >> who->shift));
}

/* A persistent pool of USER_A for each mode. */
FIXTURE(modes)
{
	mode_t node;
	char names[ARRAY_SIZE(modes)][BLOCKPOOL_NAME_SIZE];
};

static void create_all(char (*names)[BLOCKPOOL_NAME_SIZE])
{
	struct blockpool_create_args args = {
		.flags = BLOCKPOOL_PERSIST,
		.block_size = 64,
		.nr_blocks = 4,
	};
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		fd = pool_open(O_RDWR);
		args.mode = modes[i];
		must(!pool_create_args(fd, names[i], args));
		must(pool_info(fd).uid == USER_A);
		must(pool_info(fd).gid == GROUP_A);
		close(fd);
	}
}

FIXTURE_SETUP(modes)
{
	pid_t pid;

	self->node = device_share();
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		pool_name(self->names[i]);
	pid = child_fork();
	if (!pid) {
		become(USER_A, GROUP_A);
		create_all(self->names);
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(pid));
}

FIXTURE_TEARDOWN(modes)
{
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		pool_unlink(self->names[i]);
	device_restore(self->node);
}

static void attach_each_way(const struct who *who, const char *name,
			    mode_t mode)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		int fd = pool_open(ways[i]);
		int expected = allowed(who, mode, ways[i] != O_WRONLY,
				       ways[i] != O_RDONLY) ? 0 : -EACCES;
		int ret = pool_attach(fd, name);

		if (ret != expected)
			pool_fatal("%s, mode %o, way %d: expected %d, seen %d",
				   who->what, mode, ways[i], expected, ret);
		close(fd);
	}
}

/* The device is open to all here; it is the pool that decides. */
TEST_F(modes, attach)
{
	for (size_t i = 0; i < ARRAY_SIZE(everybody); i++) {
		pid_t pid = child_fork();

		if (!pid) {
			act_as(&everybody[i]);
			for (size_t j = 0; j < ARRAY_SIZE(modes); j++)
				attach_each_way(&everybody[i], self->names[j],
						modes[j]);
			_exit(0);
		}
		ASSERT_EQ(0, child_reap(pid));
	}
}

TEST_F(modes, list)
{
	for (size_t i = 0; i < ARRAY_SIZE(everybody); i++) {
		pid_t pid = child_fork();

		if (!pid) {
			act_as(&everybody[i]);
			for (size_t j = 0; j < ARRAY_SIZE(modes); j++)
				must(pool_listed(self->names[j]) ==
				     allowed(&everybody[i], modes[j], true,
					     false));
			_exit(0);
		}
		ASSERT_EQ(0, child_reap(pid));
	}
}

/* It takes the owner, whatever the mode lets others do. */
TEST_F(modes, unlink)
{
	for (size_t i = 0; i < ARRAY_SIZE(everybody); i++) {
		const struct who *who = &everybody[i];
		bool may = who->uid == USER_A || who->shift < 0;
		pid_t pid = child_fork();

		if (!pid) {
			act_as(who);
			for (size_t j = ARRAY_SIZE(everybody);
			     !may && j < ARRAY_SIZE(modes); j++)
				must(pool_unlink(self->names[j]) == -EACCES);
			must(pool_unlink(self->names[i]) == (may ? 0 : -EACCES));
			_exit(0);
		}
		ASSERT_EQ(0, child_reap(pid));
		ASSERT_EQ(!may, pool_listed(self->names[i]));
	}
}

/* Attached is attached: nothing is asked again, and nothing more is allowed. */
TEST_F(modes, attached_before_the_owner_unlinks)
{
	pid_t pid = child_fork();
	int fd, index;

	if (!pid) {
		become(USER_B, GROUP_B);
		fd = pool_join(self->names[14]);
		must(pool_unlink(self->names[14]) == -EACCES);
		index = pool_take(fd);
		must(index >= 0 && !pool_give(fd, index));
		_exit(0);
	}
	ASSERT_EQ(0666, modes[14]);
	ASSERT_EQ(0, child_reap(pid));
}

/*
 * The device node
 */
TEST(node_is_for_root)
{
	pid_t pid = child_fork();

	if (!pid) {
		become(USER_A, GROUP_A);
		must(pool_open(O_RDWR) == -EACCES);
		must(pool_open(O_RDONLY) == -EACCES);
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(pid));
}

/* Whoever has a descriptor has what was attached with it. */
TEST(descriptor_is_the_right)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int fd, other, index;
	pid_t pid;

	pool_name(name);
	fd = pool_new(name, 64, 4);
	other = pool_open(O_RDWR);
	index = pool_take(fd);
	pid = child_fork();
	if (!pid) {
		become(USER_B, GROUP_B);
		must(!pool_give(fd, index));
		must(pool_take(fd) >= 0);
		/* To attach is a matter of who asks, not of who opened. */
		must(pool_attach(other, name) == -EACCES);
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(pid));
	pool_check(fd, 1);
	ASSERT_EQ(0, pool_attach(other, name));
	close(other);
	close(fd);
}

TEST(others_see_who_holds)
{
	struct blockpool_create_args args = {
		.block_size = 64, .nr_blocks = 4, .mode = 0666,
		.client_max = 2,
	};
	struct blockpool_holder_args holder = { .size = sizeof(holder) };
	char name[BLOCKPOOL_NAME_SIZE];
	struct step taken, end;
	mode_t node = device_share();
	int fd = pool_open(O_RDWR);
	pid_t pid;

	pool_name(name);
	ASSERT_EQ(0, pool_create_args(fd, name, args));
	step_init(&taken);
	step_init(&end);
	pid = child_fork();
	if (!pid) {
		become(USER_B, GROUP_B);
		fd = pool_join(name);
		must(pool_take(fd) >= 0 && pool_take(fd) >= 0);
		step_post(&taken);
		step_await(&end);
		_exit(0);
	}
	step_await(&taken);
	while (!pool_ioctl(fd, BLOCKPOOL_IOC_HOLDER, &holder) &&
	       holder.pid != pid)
		;
	EXPECT_EQ(pid, holder.pid);
	EXPECT_EQ(USER_B, holder.uid);
	EXPECT_EQ(2, holder.held);
	EXPECT_EQ(2, holder.limit);
	EXPECT_STREQ("permission", holder.comm);
	step_post(&end);
	EXPECT_EQ(0, child_reap(pid));
	close(fd);
	device_restore(node);
}

TEST_HARNESS_MAIN

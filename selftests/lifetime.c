// SPDX-License-Identifier: GPL-2.0
/*
 * A client's end, however it comes, gives back all that it held, once, and not
 * a moment before its last reference goes; a pool's end comes with its last
 * user's.
 */
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <linux/magic.h>

#include "harness.h"
#include "pool.h"

#define NR_BLOCKS	512
#define NR_HELD		200	/* more than one magazine could hide */
#define DEATHS		200
#define DEBUGFS		"/sys/kernel/debug"

/* A pool, and a client that only looks. */
FIXTURE(life)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int watch;
	size_t map_size;
};

FIXTURE_SETUP(life)
{
	pool_name(self->name);
	self->watch = pool_new(self->name, 256, NR_BLOCKS);
	self->map_size = pool_info(self->watch).map_size;
}

FIXTURE_TEARDOWN(life)
{
	ASSERT_EQ(1, pool_stats(self->watch).nr_clients);
	ASSERT_EQ(0, pool_stats(self->watch).nr_waiting);
	pool_drain(self->watch);
	close(self->watch);
}

/* A client that holds NR_HELD blocks, some of them taken one at a time. */
static int holding_client(const char *name)
{
	__u32 indices[NR_HELD];
	int fd = pool_join(name);

	must(!pool_alloc(fd, indices, NR_HELD - 3));
	for (int i = 0; i < 3; i++)
		must(pool_take(fd) >= 0);
	return fd;
}

#define EXPECT_HELD(n) do { \
	pool_check(self->watch, n); \
	ASSERT_EQ((n) ? 0 : NR_HELD, pool_stats(self->watch).reclaimed); \
	ASSERT_EQ((n) ? 2 : 1, pool_stats(self->watch).nr_clients); \
} while (0)

TEST_F(life, closed)
{
	int fd = holding_client(self->name);

	EXPECT_HELD(NR_HELD);
	close(fd);
	EXPECT_HELD(0);
}

TEST_F(life, closed_after_some_were_freed)
{
	__u32 indices[4];
	int fd = pool_join(self->name);

	ASSERT_EQ(0, pool_alloc(fd, indices, 4));
	ASSERT_EQ(0, pool_give(fd, indices[2]));
	close(fd);
	pool_check(self->watch, 0);
	ASSERT_EQ(3, pool_stats(self->watch).reclaimed);
	ASSERT_EQ(1, pool_stats(self->watch).frees);
}

TEST_F(life, one_of_two_descriptors_closed)
{
	int fd = holding_client(self->name);
	int copy = dup(fd);

	ASSERT_LE(0, copy);
	close(fd);
	EXPECT_HELD(NR_HELD);
	ASSERT_LE(0, pool_take(copy));
	ASSERT_EQ(NR_HELD + 1, pool_stats(self->watch).nr_held);
	close(copy);
	pool_check(self->watch, 0);
}

TEST_F(life, closed_and_unmapped)
{
	int fd = holding_client(self->name);
	char *map = pool_map(fd);

	close(fd);
	EXPECT_HELD(NR_HELD);
	ASSERT_EQ(0, munmap(map, self->map_size));
	EXPECT_HELD(0);
}

TEST_F(life, unmapped_and_closed)
{
	int fd = holding_client(self->name);
	char *map = pool_map(fd);

	ASSERT_EQ(0, munmap(map, self->map_size));
	EXPECT_HELD(NR_HELD);
	close(fd);
	EXPECT_HELD(0);
}

/* Down to its last page the mapping is a reference. */
TEST_F(life, unmapped_in_pieces)
{
	int fd = holding_client(self->name);
	char *map = pool_map(fd);
	size_t page = getpagesize();

	close(fd);
	ASSERT_EQ(0, munmap(map + page, page));
	EXPECT_HELD(NR_HELD);
	ASSERT_EQ(0, munmap(map + 2 * page, self->map_size - 2 * page));
	EXPECT_HELD(NR_HELD);
	map[0] = 1;
	ASSERT_EQ(0, munmap(map, page));
	EXPECT_HELD(0);
}

/*
 * Ends of a process
 */
enum end {
	END_RETURNS,
	END_EXITS_AT_ONCE,
	END_IS_KILLED,
	END_CRASHES,
};

FIXTURE(end)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int watch;
};

FIXTURE_VARIANT(end)
{
	enum end end;
	bool mapped;
	int status;
};

FIXTURE_VARIANT_ADD(end, returns)
{
	.end = END_RETURNS,
};

FIXTURE_VARIANT_ADD(end, returns_mapped)
{
	.end = END_RETURNS, .mapped = true,
};

FIXTURE_VARIANT_ADD(end, exits_at_once)
{
	.end = END_EXITS_AT_ONCE, .mapped = true,
};

FIXTURE_VARIANT_ADD(end, is_killed)
{
	.end = END_IS_KILLED, .status = 128 + SIGKILL,
};

FIXTURE_VARIANT_ADD(end, is_killed_mapped)
{
	.end = END_IS_KILLED, .mapped = true, .status = 128 + SIGKILL,
};

FIXTURE_VARIANT_ADD(end, crashes)
{
	.end = END_CRASHES, .mapped = true, .status = 128 + SIGSEGV,
};

FIXTURE_SETUP(end)
{
	pool_name(self->name);
	self->watch = pool_new(self->name, 256, NR_BLOCKS);
}

FIXTURE_TEARDOWN(end)
{
	close(self->watch);
}

static void end_client(const char *name, bool mapped, enum end end,
		       struct step *step)
{
	int fd = holding_client(name);

	if (mapped)
		memset(pool_map(fd), 0xff, pool_info(fd).map_size);
	step_post(step);
	switch (end) {
	case END_RETURNS:
		exit(0);
	case END_EXITS_AT_ONCE:
		_exit(0);
	case END_CRASHES:
		signal(SIGSEGV, SIG_DFL);
		*(volatile char *)NULL = 1;
		break;
	case END_IS_KILLED:
		for (;;)
			pause();
	}
}

TEST_F(end, gives_all_back)
{
	struct step step;
	pid_t pid;

	step_init(&step);
	for (int i = 1; i <= 3; i++) {
		pid = child_fork();
		if (!pid)
			end_client(self->name, variant->mapped, variant->end,
				   &step);
		step_await(&step);
		if (variant->end == END_IS_KILLED) {
			pool_check(self->watch, NR_HELD);
			kill(pid, SIGKILL);
		}
		ASSERT_EQ(variant->status, child_reap(pid));
		pool_check(self->watch, 0);
		ASSERT_EQ(i * NR_HELD, pool_stats(self->watch).reclaimed);
		ASSERT_EQ(1, pool_stats(self->watch).nr_clients);
	}
	ASSERT_EQ(0, pool_stats(self->watch).frees);
	pool_drain(self->watch);
}

/*
 * exec
 */
static bool has_become(pid_t pid, const char *program)
{
	char path[32], comm[32] = "";

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file_read(path, comm, sizeof(comm));
	return !strncmp(comm, program, strlen(program));
}

static pid_t exec_holding(const char *name, bool keep)
{
	pid_t pid = child_fork();
	int fd;

	if (!pid) {
		fd = holding_client(name);
		pool_map(fd);
		must(!fcntl(fd, F_SETFD, keep ? 0 : FD_CLOEXEC));
		execlp("sleep", "sleep", "1000", NULL);
		pool_fatal("no sleep");
	}
	while (!has_become(pid, "sleep"))
		usleep(1000);
	return pid;
}

TEST_F(life, exec_closes)
{
	pid_t pid = exec_holding(self->name, false);

	/* comm changes before the files are closed. */
	pool_await_clients(self->watch, 1);
	EXPECT_HELD(0);
	ASSERT_EQ(0, kill(pid, 0));
	child_kill(pid);
	EXPECT_HELD(0);
}

TEST_F(life, exec_keeps)
{
	pid_t pid = exec_holding(self->name, true);

	usleep(50000);
	EXPECT_HELD(NR_HELD);
	child_kill(pid);
	EXPECT_HELD(0);
}

/*
 * A descriptor in several hands
 */
static void send_fd(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] = {};
	struct iovec iov = { .iov_base = "", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	must(sendmsg(socket, &msg, 0) == 1);
}

static int receive_fd(int socket)
{
	char control[CMSG_SPACE(sizeof(int))] = {};
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	must(recvmsg(socket, &msg, MSG_CMSG_CLOEXEC) == 1);
	must(CMSG_FIRSTHDR(&msg));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* A child that holds blocks, sends its descriptor and is killed. */
static void send_from_child_and_kill(const char *name, int socket)
{
	struct step step;
	pid_t pid;

	step_init(&step);
	pid = child_fork();
	if (!pid) {
		send_fd(socket, holding_client(name));
		step_post(&step);
		for (;;)
			pause();
	}
	step_await(&step);
	must(child_kill(pid) == 128 + SIGKILL);
}

TEST_F(life, passed_over_a_socket)
{
	__u32 owners[NR_BLOCKS];
	int sockets[2], fd;
	__u32 client;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	send_from_child_and_kill(self->name, sockets[0]);
	EXPECT_HELD(NR_HELD);
	fd = receive_fd(sockets[1]);
	EXPECT_HELD(NR_HELD);

	/* It is still one client, and the receiver may free what it holds. */
	client = pool_info(fd).client;
	ASSERT_NE(client, pool_info(self->watch).client);
	ASSERT_EQ(0, pool_owners(fd, 0, NR_BLOCKS, owners));
	for (__u32 i = 0; i < NR_BLOCKS; i++) {
		if (owners[i] == client) {
			ASSERT_EQ(0, pool_give(fd, i));
		}
	}
	pool_check(self->watch, 0);
	ASSERT_EQ(NR_HELD, pool_stats(self->watch).frees);
	close(fd);
	close(sockets[0]);
	close(sockets[1]);
}

TEST_F(life, lost_in_a_socket)
{
	int sockets[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	send_from_child_and_kill(self->name, sockets[0]);
	EXPECT_HELD(NR_HELD);
	close(sockets[0]);
	EXPECT_HELD(NR_HELD);
	close(sockets[1]);
	pool_await_clients(self->watch, 1);
	EXPECT_HELD(0);
}

TEST_F(life, inherited_by_a_child)
{
	int fd = holding_client(self->name);
	__u32 client = pool_info(fd).client;
	__u32 owners[NR_BLOCKS];
	int index = pool_take(fd);
	struct step die;
	pid_t pid;

	step_init(&die);
	pid = child_fork();
	if (!pid) {
		must(pool_info(fd).client == client);
		must(!pool_give(fd, index));
		must(pool_give(fd, index) == -EPERM);
		index = pool_take(fd);
		must(!pool_owners(fd, index, 1, owners));
		must(owners[0] == client);
		step_await(&die);
		_exit(0);
	}
	pool_await_held(self->watch, NR_HELD + 1);
	close(fd);
	pool_await_held(self->watch, NR_HELD + 1);
	ASSERT_EQ(2, pool_stats(self->watch).nr_clients);
	step_post(&die);
	ASSERT_EQ(0, child_reap(pid));
	pool_check(self->watch, 0);
	ASSERT_EQ(NR_HELD + 1, pool_stats(self->watch).reclaimed);
	ASSERT_EQ(1, pool_stats(self->watch).frees);
}

/*
 * Mappings and names
 */
TEST_F(life, mapping_outlives_the_descriptor)
{
	int fd = holding_client(self->name);
	char *map = pool_map(fd), *other = pool_map(self->watch);

	memset(map, 0x5a, self->map_size);
	close(fd);
	for (size_t i = 0; i < self->map_size; i += 64) {
		ASSERT_EQ(0x5a, map[i]);
	}
	other[7] = 0x11;
	ASSERT_EQ(0x11, map[7]);
	EXPECT_HELD(NR_HELD);
	munmap(map, self->map_size);
	munmap(other, self->map_size);
	EXPECT_HELD(0);
}

/* A pool that is only mapped is in use: it keeps its name. */
TEST(mapping_keeps_the_pool)
{
	char name[BLOCKPOOL_NAME_SIZE];
	char *map;
	size_t size;
	int fd;

	pool_name(name);
	fd = pool_new(name, 64, 64);
	size = pool_info(fd).map_size;
	map = pool_map(fd);
	map[64] = 0x77;
	close(fd);
	ASSERT_TRUE(pool_listed(name));
	fd = pool_join(name);
	ASSERT_EQ(0x77, pool_map(fd)[64]);
	close(fd);
	munmap(map, size);
}

TEST(last_client_takes_the_pool_along)
{
	char name[BLOCKPOOL_NAME_SIZE];
	unsigned int count = pool_count();
	int fd, other;

	pool_name(name);
	fd = pool_new(name, 64, 64);
	other = pool_join(name);
	ASSERT_EQ(count + 1, pool_count());
	close(fd);
	ASSERT_TRUE(pool_listed(name));
	close(other);
	ASSERT_FALSE(pool_listed(name));
	ASSERT_EQ(count, pool_count());
	fd = pool_open(O_RDWR);
	ASSERT_EQ(-ENOENT, pool_attach(fd, name));
	ASSERT_EQ(-ENOENT, pool_unlink(name));
	ASSERT_EQ(0, pool_create(fd, name, 64, 64));
	close(fd);
}

static int persistent_pool(const char *name)
{
	struct blockpool_create_args args = {
		.flags = BLOCKPOOL_PERSIST,
		.block_size = 64,
		.nr_blocks = 64,
	};
	int fd = pool_open(O_RDWR);

	must(!pool_create_args(fd, name, args));
	return fd;
}

TEST(persistent_pool_stays_until_unlinked)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int fd, index;

	pool_name(name);
	fd = persistent_pool(name);
	ASSERT_EQ(BLOCKPOOL_PERSIST, pool_info(fd).flags);
	index = pool_take(fd);
	ASSERT_LE(0, index);
	pool_map(fd)[index * pool_info(fd).stride] = 0x42;
	/* The mapping goes with this process; give the block back by hand. */
	ASSERT_EQ(0, pool_give(fd, index));
	close(fd);
	ASSERT_TRUE(pool_listed(name));

	fd = pool_join(name);
	ASSERT_EQ(0x42, pool_map(fd)[index * pool_info(fd).stride]);
	pool_drain(fd);
	ASSERT_EQ(0, pool_unlink(name));
	ASSERT_EQ(-ENOENT, pool_unlink(name));
	ASSERT_FALSE(pool_listed(name));
	ASSERT_EQ(BLOCKPOOL_PERSIST | BLOCKPOOL_UNLINKED, pool_info(fd).flags);
	pool_drain(fd);
	close(fd);
}

TEST(persistent_pool_without_a_client_goes_when_unlinked)
{
	char name[BLOCKPOOL_NAME_SIZE];
	unsigned int count = pool_count();

	pool_name(name);
	close(persistent_pool(name));
	ASSERT_EQ(count + 1, pool_count());
	ASSERT_EQ(0, pool_unlink(name));
	ASSERT_EQ(count, pool_count());
	ASSERT_EQ(-ENOENT, pool_attach(pool_open(O_RDWR), name));
}

TEST(killed_creator_leaves_a_whole_persistent_pool)
{
	char name[BLOCKPOOL_NAME_SIZE];
	struct step step;
	pid_t pid;
	int fd;

	pool_name(name);
	step_init(&step);
	pid = child_fork();
	if (!pid) {
		fd = persistent_pool(name);
		pool_map(fd);
		free(pool_take_all(fd));
		step_post(&step);
		for (;;)
			pause();
	}
	step_await(&step);
	child_kill(pid);
	fd = pool_join(name);
	ASSERT_EQ(64, pool_stats(fd).reclaimed);
	pool_drain(fd);
	ASSERT_EQ(0, pool_unlink(name));
	close(fd);
}

TEST_F(life, unlinked_while_mapped)
{
	int old = holding_client(self->name), new;
	char *old_map = pool_map(old), *new_map;

	memset(old_map, 0x21, self->map_size);
	ASSERT_EQ(0, pool_unlink(self->name));
	ASSERT_FALSE(pool_listed(self->name));
	ASSERT_EQ(-ENOENT, pool_attach(pool_open(O_RDWR), self->name));
	ASSERT_EQ(BLOCKPOOL_UNLINKED, pool_info(old).flags);
	ASSERT_STREQ(self->name, pool_info(old).name);

	/* A new pool of that name has nothing to do with the old one. */
	new = pool_new(self->name, 256, NR_BLOCKS);
	new_map = pool_map(new);
	for (size_t i = 0; i < self->map_size; i++) {
		ASSERT_EQ(0, new_map[i]);
	}
	memset(new_map, 0x22, self->map_size);
	ASSERT_EQ(0x21, old_map[0]);
	free(pool_take_all(new));
	EXPECT_HELD(NR_HELD);
	pool_check(new, NR_BLOCKS);
	ASSERT_EQ(0, pool_info(new).flags);
	close(old);
	ASSERT_EQ(0x21, old_map[self->map_size - 1]);
	munmap(old_map, self->map_size);
	EXPECT_HELD(0);
	munmap(new_map, self->map_size);
	close(new);
}

/*
 * Death of those who sleep, or for whom others wait
 */
TEST_F(life, killed_asleep)
{
	__u32 *indices = pool_take_all(self->watch);
	struct waiter waiter = waiter_start(self->name, 1, -1);

	waiter_end(&waiter);
	ASSERT_EQ(0, pool_stats(self->watch).nr_waiting);
	ASSERT_EQ(0, pool_free(self->watch, indices, NR_BLOCKS, NULL));
	pool_check(self->watch, 0);
	free(indices);
}

/* A block handed over to one who dies that moment must not be lost. */
TEST_F(life, killed_while_being_served)
{
	__u32 *indices = pool_take_all(self->watch);
	struct waiter waiter;

	for (int i = 0; i < DEATHS; i++) {
		waiter = waiter_start(self->name, 2, -1);
		if (i & 1)
			kill(waiter.pid, SIGKILL);
		ASSERT_EQ(0, pool_free(self->watch, indices, 2, NULL));
		waiter_end(&waiter);
		pool_check(self->watch, NR_BLOCKS - 2);
		ASSERT_EQ(0, pool_alloc(self->watch, indices, 2));
	}
	ASSERT_EQ(0, pool_free(self->watch, indices, NR_BLOCKS, NULL));
	free(indices);
}

TEST_F(life, killed_while_another_waits)
{
	struct waiter waiter;
	struct step step;
	__u32 *indices;
	pid_t pid;

	step_init(&step);
	pid = child_fork();
	if (!pid) {
		free(pool_take_all(pool_join(self->name)));
		step_post(&step);
		for (;;)
			pause();
	}
	step_await(&step);
	waiter = waiter_start(self->name, NR_BLOCKS, -1);
	child_kill(pid);
	ASSERT_EQ(0, waiter_result(&waiter));
	pool_check(self->watch, NR_BLOCKS);
	ASSERT_EQ(NR_BLOCKS, pool_stats(self->watch).reclaimed);
	waiter_end(&waiter);
	indices = pool_take_all(self->watch);
	ASSERT_EQ(0, pool_free(self->watch, indices, NR_BLOCKS, NULL));
	free(indices);
}

/*
 * The module
 */
static int unload(void)
{
	return syscall(SYS_delete_module, "blockpool", O_NONBLOCK) ? -errno : 0;
}

TEST(module_stays_while_in_use)
{
	char name[BLOCKPOOL_NAME_SIZE];
	size_t size;
	char *map;
	int fd;

	/* An open device is use enough, even without a pool. */
	fd = pool_open(O_RDONLY);
	ASSERT_EQ(-EWOULDBLOCK, unload());
	pool_name(name);
	close(fd);

	fd = pool_new(name, 64, 64);
	ASSERT_EQ(-EWOULDBLOCK, unload());
	size = pool_info(fd).map_size;
	map = pool_map(fd);
	close(fd);
	ASSERT_EQ(-EWOULDBLOCK, unload());
	map[0] = 1;

	fd = pool_join(name);
	pool_drain(fd);
	close(fd);
	munmap(map, size);
}

/*
 * What can be read elsewhere
 */
static long long fdinfo_value(int fd, const char *key)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	return file_value(path, key);
}

TEST(fdinfo)
{
	struct blockpool_create_args args = {
		.block_size = 64,
		.nr_blocks = 64,
		.client_max = 9,
	};
	char name[BLOCKPOOL_NAME_SIZE], path[64], text[512], line[64];
	int fd = pool_open(O_RDWR), other;

	pool_name(name);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	ASSERT_EQ(0, file_read(path, text, sizeof(text)));
	ASSERT_NULL(strstr(text, "pool:"));

	ASSERT_EQ(0, pool_create_args(fd, name, args));
	ASSERT_LE(0, pool_take(fd));
	ASSERT_LE(0, pool_take(fd));
	ASSERT_EQ(0, file_read(path, text, sizeof(text)));
	snprintf(line, sizeof(line), "\npool:\t%s\n", name);
	ASSERT_TRUE(strstr(text, line) != NULL);
	ASSERT_TRUE(strstr(text, "\nheld:\t2\n") != NULL);
	ASSERT_TRUE(strstr(text, "\nlimit:\t9\n") != NULL);
	ASSERT_EQ(pool_info(fd).client, fdinfo_value(fd, "client"));
	other = pool_join(name);
	ASSERT_EQ(0, fdinfo_value(other, "held"));
	ASSERT_EQ(pool_info(other).client, fdinfo_value(other, "client"));
	close(other);
	close(fd);
}

static const struct {
	const char *name;
	size_t offset;
} stats_fields[] = {
#define FIELD(name) { #name, offsetof(struct blockpool_stats, name) }
	FIELD(nr_blocks), FIELD(nr_free), FIELD(nr_held), FIELD(nr_kernel),
	FIELD(nr_clients), FIELD(nr_waiting), FIELD(min_free), FIELD(allocs),
	FIELD(frees), FIELD(reclaimed), FIELD(failures), FIELD(refused),
	FIELD(waits),
#undef FIELD
};

/* A statistic of the pool, out of its section; -1 if it has none. */
static long long debugfs_value(const char *pool, const char *field)
{
	FILE *file = fopen(DEBUGFS "/blockpool/stats", "re");
	char line[256], text[64];
	long long value = -1;
	bool ours = false;

	must(file != NULL);
	snprintf(text, sizeof(text), "pool %s\n", pool);
	while (value < 0 && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, "pool ", 5))
			ours = !strcmp(line, text);
		else if (ours && !strncmp(line, field, strlen(field)) &&
			 line[strlen(field)] == ' ')
			value = strtoll(line + strlen(field), NULL, 10);
	}
	fclose(file);
	return value;
}

static void expect_debugfs(const char *pool, int fd)
{
	struct blockpool_stats stats = pool_stats(fd);
	__u64 value;

	for (size_t i = 0; i < ARRAY_SIZE(stats_fields); i++) {
		memcpy(&value, (char *)&stats + stats_fields[i].offset,
		       sizeof(value));
		must(debugfs_value(pool, stats_fields[i].name) ==
		     (long long)value);
	}
}

TEST_F(life, debugfs)
{
	struct statfs fs;
	int fd;

	if (statfs(DEBUGFS, &fs) || fs.f_type != DEBUGFS_MAGIC)
		SKIP(return, "no debugfs at " DEBUGFS);
	fd = holding_client(self->name);
	pool_give(self->watch, 0);
	pool_give(self->watch, NR_BLOCKS);
	expect_debugfs(self->name, fd);
	close(fd);
	expect_debugfs(self->name, self->watch);

	/* The name belongs to whoever has it now. */
	ASSERT_EQ(0, pool_unlink(self->name));
	fd = pool_new(self->name, 64, 5);
	expect_debugfs(self->name, fd);
	close(fd);
	ASSERT_EQ(-1, debugfs_value(self->name, "nr_blocks"));
}

TEST_HARNESS_MAIN

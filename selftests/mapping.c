// SPDX-License-Identifier: GPL-2.0
/*
 * The mapping: what part of it can be had, what is refused, that nothing the
 * owner of an address space may do to it loses data, and that the rest of the
 * kernel takes blocks for the ordinary memory that they are.
 */
#include <arpa/inet.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "harness.h"
#include "pool.h"

#define RAM_DISK	"/dev/ram0"
#define RAM_BLOCK	4096
#define CRASHED		(128 + SIGSEGV)

/* 50 blocks of 1536 bytes: 18 pages and 3/4. */
#define NR_BLOCKS	50
#define BLOCK_SIZE	1500
#define NR_PAGES	19

FIXTURE(map)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int fd;
	size_t page, size;
	char *map;
};

static char stamp(size_t page)
{
	return 'A' + page;
}

/* Each page is full of a letter of its own. */
FIXTURE_SETUP(map)
{
	pool_name(self->name);
	self->fd = pool_new(self->name, BLOCK_SIZE, NR_BLOCKS);
	self->page = getpagesize();
	self->size = pool_info(self->fd).map_size;
	ASSERT_EQ(NR_PAGES * self->page, self->size);
	self->map = pool_map(self->fd);
	for (size_t i = 0; i < NR_PAGES; i++)
		memset(self->map + i * self->page, stamp(i), self->page);
}

FIXTURE_TEARDOWN(map)
{
	pool_drain(self->fd);
	close(self->fd);
}

static bool has_stamp(const char *map, size_t first, size_t bytes)
{
	size_t page = getpagesize();

	for (size_t i = 0; i < bytes; i++) {
		if (map[i] != stamp(first + i / page))
			return false;
	}
	return true;
}

/*
 * Offsets and lengths
 */
TEST_F(map, any_part)
{
	for (size_t first = 0; first < NR_PAGES; first++) {
		for (size_t n = 1; first + n <= NR_PAGES; n++) {
			char *part = mmap(NULL, n * self->page,
					  PROT_READ | PROT_WRITE, MAP_SHARED,
					  self->fd, first * self->page);

			ASSERT_NE(MAP_FAILED, part);
			ASSERT_TRUE(has_stamp(part, first, n * self->page));
			ASSERT_EQ(0, munmap(part, n * self->page));
		}
	}
}

TEST_F(map, odd_length)
{
	static const size_t lengths[] = { 1, 100, 4095, 4097, 5000, 8191 };

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		char *part = mmap(NULL, lengths[i], PROT_READ, MAP_SHARED,
				  self->fd, 3 * self->page);

		ASSERT_NE(MAP_FAILED, part);
		ASSERT_TRUE(has_stamp(part, 3, lengths[i]));
		ASSERT_EQ(0, munmap(part, lengths[i]));
	}
}

static int map_error(int fd, size_t length, int prot, int flags, off_t offset)
{
	void *map = mmap(NULL, length, prot, flags, fd, offset);

	if (map != MAP_FAILED)
		munmap(map, length);
	return map == MAP_FAILED ? errno : 0;
}

TEST_F(map, beyond_the_end)
{
	const struct {
		size_t length;
		off_t offset;
	} cases[] = {
		{ self->size + 1, 0 },
		{ self->size + self->page, 0 },
		{ 2 * self->size, 0 },
		{ 1UL << 40, 0 },
		{ self->page + 1, self->size - self->page },
		{ 2 * self->page, self->size - self->page },
		{ self->size, self->page },
		{ self->page, self->size + self->page },
		{ self->page, 1UL << 32 },
		{ self->page, 1UL << 44 },
		{ self->page, (1UL << 62) },
		{ self->size, (1UL << 63) - 2 * self->size },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int error = map_error(self->fd, cases[i].length, PROT_READ,
				      MAP_SHARED, cases[i].offset);

		/* The largest do not come so far as to ask the driver. */
		ASSERT_TRUE(error == EINVAL ||
			    (error == EOVERFLOW && i >= 10)) {
			TH_LOG("case %zu: %d", i, error);
		}
	}
	ASSERT_EQ(0, map_error(self->fd, self->size, PROT_READ, MAP_SHARED, 0));
	ASSERT_EQ(0, map_error(self->fd, self->page, PROT_READ, MAP_SHARED,
			       self->size - self->page));
}

/* What lies behind the last page may be anybody's. */
TEST(beyond_the_end_of_any_size)
{
	char name[BLOCKPOOL_NAME_SIZE];
	size_t page = getpagesize();
	int fd;

	for (size_t n = 1; n <= 70; n++) {
		pool_name(name);
		fd = pool_new(name, page, n);
		ASSERT_EQ(n * page, pool_info(fd).map_size);
		ASSERT_EQ(0, map_error(fd, n * page, PROT_READ, MAP_SHARED, 0));
		ASSERT_EQ(EINVAL, map_error(fd, (n + 1) * page, PROT_READ,
					    MAP_SHARED, 0));
		/* The status page, and nothing behind it. */
		ASSERT_EQ(0, map_error(fd, page, PROT_READ, MAP_SHARED,
				       n * page));
		ASSERT_EQ(EINVAL, map_error(fd, 2 * page, PROT_READ, MAP_SHARED,
					    n * page));
		ASSERT_EQ(EINVAL, map_error(fd, page, PROT_READ, MAP_SHARED,
					    (n + 1) * page));
		close(fd);
	}
}

TEST_F(map, odd_offset)
{
	ASSERT_EQ(EINVAL, map_error(self->fd, 1, PROT_READ, MAP_SHARED, 1));
	ASSERT_EQ(EINVAL, map_error(self->fd, 1, PROT_READ, MAP_SHARED, 1536));
	ASSERT_EQ(EINVAL, map_error(self->fd, 0, PROT_READ, MAP_SHARED, 0));
}

/*
 * What is refused
 */
TEST_F(map, not_executable)
{
	ASSERT_EQ(EACCES, map_error(self->fd, self->page, PROT_EXEC, MAP_SHARED,
				    0));
	ASSERT_EQ(EACCES, map_error(self->fd, self->page,
				    PROT_READ | PROT_WRITE | PROT_EXEC,
				    MAP_SHARED, 0));
	ASSERT_EQ(-1, mprotect(self->map, self->page, PROT_READ | PROT_EXEC));
	ASSERT_EQ(EACCES, errno);
	ASSERT_EQ(-1, mprotect(self->map, self->page, PROT_EXEC));
	ASSERT_EQ(EACCES, errno);
	ASSERT_EQ(0, mprotect(self->map, self->page, PROT_READ));
	ASSERT_EQ(0, mprotect(self->map, self->page, PROT_READ | PROT_WRITE));
	self->map[0] = 1;
}

TEST_F(map, not_private)
{
	ASSERT_EQ(EINVAL, map_error(self->fd, self->page, PROT_READ,
				    MAP_PRIVATE, 0));
	ASSERT_EQ(EINVAL, map_error(self->fd, self->page,
				    PROT_READ | PROT_WRITE, MAP_PRIVATE, 0));
}

TEST_F(map, does_not_grow)
{
	void *grown = mremap(self->map, self->size, self->size + self->page,
			     MREMAP_MAYMOVE);

	ASSERT_EQ(MAP_FAILED, grown);
	ASSERT_EQ(MAP_FAILED, mremap(self->map, self->page, 2 * self->page, 0));
	/* The old way to have a second mapping of the same pages. */
	ASSERT_EQ(MAP_FAILED,
		  mremap(self->map, 0, self->size, MREMAP_MAYMOVE));
	ASSERT_TRUE(has_stamp(self->map, 0, self->size));
}

/* Writes to a read-only mapping: by the program, and through its /proc/PID/mem. */
static void write_to(char *map)
{
	int mem = open("/proc/self/mem", O_RDWR);

	must(mem >= 0);
	must(pwrite(mem, "x", 1, (uintptr_t)map) == -1);
	signal(SIGSEGV, SIG_DFL);
	*(volatile char *)map = 'x';
}

TEST_F(map, read_only)
{
	int fd = pool_open(O_RDONLY);
	char *map;
	pid_t pid;

	ASSERT_EQ(0, pool_attach(fd, self->name));
	ASSERT_EQ(EACCES, map_error(fd, self->page, PROT_WRITE, MAP_SHARED, 0));
	ASSERT_EQ(EACCES, map_error(fd, self->page, PROT_READ | PROT_WRITE,
				    MAP_SHARED, 0));
	ASSERT_EQ(EINVAL, map_error(fd, self->page, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE, 0));
	ASSERT_EQ(EINVAL, map_error(fd, self->size + 1, PROT_READ, MAP_SHARED,
				    0));
	ASSERT_EQ(EACCES, map_error(fd, self->page, PROT_READ | PROT_EXEC,
				    MAP_SHARED, 0));
	map = mmap(NULL, self->size, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_TRUE(has_stamp(map, 0, self->size));
	self->map[5] = 'x';
	ASSERT_EQ('x', map[5]);
	self->map[5] = stamp(0);
	ASSERT_EQ(-1, mprotect(map, self->page, PROT_READ | PROT_WRITE));
	ASSERT_EQ(EACCES, errno);
	ASSERT_EQ(-1, mprotect(map, self->page, PROT_WRITE));
	ASSERT_EQ(EACCES, errno);

	pid = child_fork();
	if (!pid) {
		write_to(mmap(NULL, self->size, PROT_READ, MAP_SHARED, fd, 0));
		_exit(0);
	}
	ASSERT_EQ(CRASHED, child_reap(pid));
	ASSERT_TRUE(has_stamp(self->map, 0, self->size));

	/* Nor can such a client take blocks or give them back. */
	ASSERT_EQ(-EACCES, pool_take(fd));
	ASSERT_EQ(-EACCES, pool_take_wait(fd, -1));
	ASSERT_EQ(-EACCES, pool_give(fd, 0));
	ASSERT_EQ(2, pool_stats(fd).nr_clients);
	pool_check(fd, 0);
	close(fd);
}

TEST_F(map, write_only)
{
	int fd = pool_open(O_WRONLY);
	int index;

	ASSERT_EQ(0, pool_attach(fd, self->name));
	ASSERT_EQ(EACCES, map_error(fd, self->page, PROT_READ, MAP_SHARED, 0));
	ASSERT_EQ(EACCES, map_error(fd, self->page, PROT_WRITE, MAP_SHARED, 0));
	index = pool_take(fd);
	ASSERT_LE(0, index);
	ASSERT_EQ(0, pool_give(fd, index));
	close(fd);
}

/*
 * What an owner may do with an address space
 */
TEST_F(map, moves)
{
	char *to = mmap(NULL, self->size, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_EQ(to, mremap(self->map, self->size, self->size,
			     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	ASSERT_TRUE(has_stamp(to, 0, self->size));
	ASSERT_EQ(0, madvise(to, self->size, MADV_DONTNEED));
	ASSERT_TRUE(has_stamp(to, 0, self->size));
}

TEST_F(map, shrinks)
{
	char *map = mremap(self->map, self->size, 2 * self->page, 0);

	ASSERT_EQ(self->map, map);
	ASSERT_TRUE(has_stamp(map, 0, 2 * self->page));
	map[2 * self->page - 1] = 'x';
}

/* Some may be refused; none may lose a byte, or bring another page. */
TEST_F(map, advice_loses_nothing)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_COLD, MADV_PAGEOUT,
		MADV_WILLNEED, MADV_RANDOM, MADV_SEQUENTIAL, MADV_NORMAL,
		MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_MERGEABLE, MADV_DODUMP,
		MADV_DONTDUMP, MADV_DONTFORK,
	};
	char *other = pool_map(self->fd);

	for (size_t i = 0; i < ARRAY_SIZE(advice); i++) {
		madvise(self->map, self->size, advice[i]);
		ASSERT_TRUE(has_stamp(self->map, 0, self->size)) {
			TH_LOG("advice %d", advice[i]);
		}
		self->map[0] = 'x';
		ASSERT_EQ('x', other[0]);
		self->map[0] = stamp(0);
	}
	ASSERT_EQ(0, madvise(self->map, self->size, MADV_DONTNEED));
	ASSERT_EQ(0, mlock(self->map, self->size));
	ASSERT_EQ(0, munlock(self->map, self->size));
	ASSERT_TRUE(has_stamp(self->map, 0, self->size));
}

TEST_F(map, is_not_inherited)
{
	pid_t pid = child_fork();

	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		_exit(*(volatile char *)self->map);
	}
	ASSERT_EQ(CRASHED, child_reap(pid));
	ASSERT_TRUE(has_stamp(self->map, 0, self->size));
}

/* Who asks for a mapping in the child gets a whole one, and a lasting one. */
TEST_F(map, is_inherited_on_request)
{
	struct step end;
	int fd = pool_join(self->name), index;
	char *map = pool_map(fd);
	pid_t pid;

	if (madvise(map, self->size, MADV_DOFORK))
		SKIP(return, "MADV_DOFORK is refused");
	index = pool_take(fd);
	ASSERT_LE(0, index);
	step_init(&end);
	pid = child_fork();
	if (!pid) {
		close(fd);
		must(has_stamp(map, 0, self->size));
		map[0] = 'x';
		step_await(&end);
		_exit(0);
	}
	close(fd);
	munmap(map, self->size);
	while (*(volatile char *)self->map != 'x')
		usleep(1000);
	ASSERT_EQ(1, pool_stats(self->fd).nr_held);
	step_post(&end);
	ASSERT_EQ(0, child_reap(pid));
	pool_check(self->fd, 0);
}

TEST_F(map, flags)
{
	char line[256], *flags = NULL;
	unsigned long start;
	bool ours = false;
	FILE *smaps = fopen("/proc/self/smaps", "re");

	ASSERT_NE(NULL, smaps);
	while (!flags && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%*x", &start) == 1 && strchr(line, '-'))
			ours = start == (uintptr_t)self->map;
		if (ours && !strncmp(line, "VmFlags:", 8))
			flags = line;
	}
	fclose(smaps);
	ASSERT_NE(NULL, flags);
	EXPECT_NE(NULL, strstr(flags, " sh "));	/* shared */
	EXPECT_NE(NULL, strstr(flags, " dc "));	/* not copied on fork */
	EXPECT_NE(NULL, strstr(flags, " de "));	/* does not expand */
	EXPECT_NE(NULL, strstr(flags, " dd "));	/* not in core dumps */
	EXPECT_EQ(NULL, strstr(flags, " ex "));
	EXPECT_EQ(NULL, strstr(flags, " me "));	/* may not become executable */
	EXPECT_EQ(NULL, strstr(flags, " io "));	/* ordinary pages */
	EXPECT_EQ(NULL, strstr(flags, " pf "));
}

TEST_F(map, two_clients_see_the_same_bytes)
{
	struct step written;
	char *other;
	pid_t pid;

	step_init(&written);
	pid = child_fork();
	if (!pid) {
		other = pool_map(pool_join(self->name));
		must(has_stamp(other, 0, self->size));
		memset(other, 'z', self->size);
		step_post(&written);
		_exit(0);
	}
	step_await(&written);
	for (size_t i = 0; i < self->size; i++) {
		ASSERT_EQ('z', self->map[i]);
	}
	ASSERT_EQ(0, child_reap(pid));
}

/*
 * Other users of memory
 */
static long futex(char *word, int op, int value)
{
	const struct timespec timeout = { .tv_sec = 20 };

	return syscall(SYS_futex, word, op, value,
		       (op & FUTEX_CMD_MASK) == FUTEX_WAIT ? &timeout : NULL,
		       NULL, 0);
}

/* Nobody is woken before he sleeps. */
static void wake_one(char *word, int op)
{
	for (int i = 0; i < 20000; i++) {
		if (futex(word, op, 1) == 1)
			return;
		usleep(1000);
	}
	pool_fatal("nobody sleeps on the futex");
}

static void *sleep_on(void *word)
{
	return (void *)futex(word, FUTEX_WAIT_PRIVATE, 0);
}

TEST_F(map, futex_between_threads)
{
	char *word = self->map + 3 * self->page;
	pthread_t thread;
	void *result;

	memset(word, 0, 4);
	ASSERT_EQ(0, pthread_create(&thread, NULL, sleep_on, word));
	wake_one(word, FUTEX_WAKE_PRIVATE);
	ASSERT_EQ(0, pthread_join(thread, &result));
	ASSERT_EQ(NULL, result);
}

TEST_F(map, futex_between_processes)
{
	char *word = self->map + 3 * self->page;
	char *other;
	pid_t pid;

	memset(word, 0, 4);
	/* The kernel has no name for a page that belongs to no file. */
	if (futex(word, FUTEX_WAKE, 1) && errno == EFAULT)
		SKIP(return, "no shared futexes in blocks");
	pid = child_fork();
	if (!pid) {
		other = pool_map(pool_join(self->name)) + 3 * self->page;
		must(!futex(other, FUTEX_WAIT, 0));
		_exit(0);
	}
	wake_one(word, FUTEX_WAKE);
	ASSERT_EQ(0, child_reap(pid));
}

TEST_F(map, pipe)
{
	char *from = self->map + 2 * self->page, *to = self->map;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(BLOCK_SIZE, write(fds[1], from, BLOCK_SIZE));
	ASSERT_EQ(BLOCK_SIZE, read(fds[0], to, BLOCK_SIZE));
	ASSERT_EQ(0, memcmp(from, to, BLOCK_SIZE));
	close(fds[0]);
	close(fds[1]);
}

/* The pages are in the pipe itself, and stay there when the pool is gone. */
TEST(spliced_pages_outlive_the_pool)
{
	struct iovec iov = { .iov_len = 3 * 4096 };
	char name[BLOCKPOOL_NAME_SIZE];
	char copy[3 * 4096];
	int fd, fds[2];

	pool_name(name);
	fd = pool_new(name, 4096, 8);
	iov.iov_base = pool_map(fd);
	memset(iov.iov_base, 'v', iov.iov_len);
	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(iov.iov_len, vmsplice(fds[1], &iov, 1, 0));
	*(char *)iov.iov_base = 'w';
	ASSERT_EQ(0, munmap(iov.iov_base, 8 * 4096));
	close(fd);
	ASSERT_FALSE(pool_listed(name));

	/* Nobody else may have got them meanwhile. */
	fd = pool_new(name, 4096, 1024);
	memset(pool_map(fd), 'n', 1024 * 4096);
	ASSERT_EQ(sizeof(copy), read(fds[0], copy, sizeof(copy)));
	ASSERT_EQ('w', copy[0]);
	for (size_t i = 1; i < sizeof(copy); i++) {
		ASSERT_EQ('v', copy[i]);
	}
	close(fd);
}

TEST_F(map, another_process_reads_it)
{
	struct iovec remote = { .iov_base = self->map, .iov_len = self->size };
	struct iovec local = { .iov_len = self->size };
	pid_t parent = getpid(), pid;

	pid = child_fork();
	if (!pid) {
		local.iov_base = malloc(self->size);
		must(process_vm_readv(parent, &local, 1, &remote, 1, 0) ==
		     (ssize_t)self->size);
		must(has_stamp(local.iov_base, 0, self->size));
		memset(local.iov_base, 'p', self->size);
		must(process_vm_writev(parent, &local, 1, &remote, 1, 0) ==
		     (ssize_t)self->size);
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(pid));
	for (size_t i = 0; i < self->size; i++) {
		ASSERT_EQ('p', self->map[i]);
	}
}

/* A pair of connected TCP sockets. */
static void connect_pair(int *fds)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t length = sizeof(address);
	int server = socket(AF_INET, SOCK_STREAM, 0);

	must(!bind(server, (struct sockaddr *)&address, length));
	must(!listen(server, 1));
	must(!getsockname(server, (struct sockaddr *)&address, &length));
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	must(!connect(fds[0], (struct sockaddr *)&address, length));
	fds[1] = accept(server, NULL, NULL);
	must(fds[1] >= 0);
	close(server);
}

TEST_F(map, zero_copy_send)
{
	struct msghdr done = {};
	int fds[2], one = 1;
	char *copy = malloc(self->size);
	struct pollfd poll_fd;

	connect_pair(fds);
	ASSERT_EQ(0, setsockopt(fds[0], SOL_SOCKET, SO_ZEROCOPY, &one,
				sizeof(one)));
	ASSERT_EQ(self->size, send(fds[0], self->map, self->size,
				   MSG_ZEROCOPY));
	ASSERT_EQ(self->size, recv(fds[1], copy, self->size, MSG_WAITALL));
	ASSERT_TRUE(has_stamp(copy, 0, self->size));
	/* The kernel says when it has let go of the pages. */
	poll_fd.fd = fds[0];
	poll_fd.events = 0;
	ASSERT_EQ(1, poll(&poll_fd, 1, 20000));
	ASSERT_EQ(0, recvmsg(fds[0], &done, MSG_ERRQUEUE));
	free(copy);
	close(fds[0]);
	close(fds[1]);
}

/*
 * Direct I/O, on a disk in memory
 */
static int modprobe(const char *option, const char *first, const char *second)
{
	pid_t pid = child_fork();

	if (!pid) {
		execl("/sbin/modprobe", "modprobe", option, first, second, NULL);
		_exit(127);
	}
	return child_reap(pid);
}

TEST(direct_io)
{
	bool there = !access(RAM_DISK, F_OK);
	char name[BLOCKPOOL_NAME_SIZE];
	int fd, disk;
	char *map;

	if (!there && modprobe("brd", "rd_nr=1", "rd_size=1024"))
		SKIP(return, "no disk in memory (brd)");
	pool_name(name);
	fd = pool_new(name, RAM_BLOCK, 16);
	map = pool_map(fd);
	disk = open(RAM_DISK, O_RDWR | O_DIRECT | O_CLOEXEC);
	ASSERT_LE(0, disk);

	/* Out of blocks onto the disk, and from there into others. */
	for (int i = 0; i < 8; i++)
		memset(map + i * RAM_BLOCK, stamp(i), RAM_BLOCK);
	ASSERT_EQ(8 * RAM_BLOCK, pwrite(disk, map, 8 * RAM_BLOCK, 0));
	ASSERT_EQ(8 * RAM_BLOCK, pread(disk, map + 8 * RAM_BLOCK,
				       8 * RAM_BLOCK, 0));
	ASSERT_EQ(0, memcmp(map, map + 8 * RAM_BLOCK, 8 * RAM_BLOCK));
	ASSERT_EQ(512, pread(disk, map + 512, 512, 3 * RAM_BLOCK));
	ASSERT_EQ(stamp(3), map[512]);
	ASSERT_EQ(stamp(3), map[1023]);
	ASSERT_EQ(stamp(0), map[1024]);

	/* Not into a mapping that can only be read. */
	close(fd);
	fd = pool_open(O_RDONLY);
	ASSERT_EQ(0, pool_attach(fd, name));
	ASSERT_EQ(-1, pread(disk, mmap(NULL, RAM_BLOCK, PROT_READ, MAP_SHARED,
				       fd, 0), RAM_BLOCK, 4 * RAM_BLOCK));
	ASSERT_EQ(EFAULT, errno);
	ASSERT_EQ(stamp(0), map[0]);
	close(fd);
	close(disk);
	if (!there) {
		ASSERT_EQ(0, modprobe("-r", "brd", NULL));
	}
}

TEST_HARNESS_MAIN

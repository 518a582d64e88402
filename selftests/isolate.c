// SPDX-License-Identifier: GPL-2.0
/*
 * Isolated pools: a client touches what it holds and nothing else, whatever it does
 * to its address space, and nobody can keep a hold of what it frees.
 */
#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "host/random.h"
#include "harness.h"
#include "peer/user.h"
#include "touch.h"

#define PROCESS		BLOCKPOOL_PEER_PROCESS
#define RAM_DISK	"/dev/ram0"
#define WINDOWS		65536	/* the first is no client's */
#define RW		(PROT_READ | PROT_WRITE)

static int new_pool(const char *name, __u32 flags, __u32 block_size,
		    __u32 nr_blocks)
{
	const struct blockpool_create_args args = {
		.flags = BLOCKPOOL_ISOLATED | flags,
		.block_size = block_size,
		.nr_blocks = nr_blocks,
	};
	int fd = pool_open(O_RDWR);

	must(fd >= 0 && !pool_create_args(fd, name, args));
	return fd;
}

FIXTURE(isolated)
{
	char name[BLOCKPOOL_NAME_SIZE];
	struct blockpool_info info;
	size_t page;
	int fd;
	char *map;
};

FIXTURE_VARIANT(isolated)
{
	__u32 flags;
	__u32 block_size;
	__u32 nr_blocks;
};

FIXTURE_VARIANT_ADD(isolated, bytes)
{
	.block_size = 100,
	.nr_blocks = 67,
};

FIXTURE_VARIANT_ADD(isolated, page)
{
	.block_size = 4096,
	.nr_blocks = 520,	/* more than a page table has room for */
};

FIXTURE_VARIANT_ADD(isolated, page_and_a_byte)
{
	.block_size = 4097,
	.nr_blocks = 66,
};

/* A stride has a page that belongs to no block. */
FIXTURE_VARIANT_ADD(isolated, odd_pages)
{
	.block_size = 17 * 4096,
	.nr_blocks = 34,
};

FIXTURE_VARIANT_ADD(isolated, megabytes)
{
	.block_size = 4 << 20,
	.nr_blocks = 2,
};

FIXTURE_VARIANT_ADD(isolated, guard)
{
	.flags = BLOCKPOOL_GUARD,
	.block_size = 4096,
	.nr_blocks = 40,
};

FIXTURE_VARIANT_ADD(isolated, guard_and_some)
{
	.flags = BLOCKPOOL_GUARD,
	.block_size = 2 * 4096,
	.nr_blocks = 20,
};

FIXTURE_SETUP(isolated)
{
	expect_faults();
	pool_name(self->name);
	self->fd = new_pool(self->name, variant->flags, variant->block_size,
			    variant->nr_blocks);
	self->info = pool_info(self->fd);
	self->page = getpagesize();
	self->map = pool_map(self->fd);
	ASSERT_EQ(BLOCKPOOL_ISOLATED | variant->flags, self->info.flags);
	ASSERT_EQ(0, self->info.stride % self->page);
	ASSERT_EQ(0, self->info.block_offset % self->page);
	ASSERT_EQ(!!variant->flags, !!self->info.block_offset);
}

FIXTURE_TEARDOWN(isolated)
{
	pool_give_all(self->fd);
	pool_drain(self->fd);
	close(self->fd);
}

static char *block_at(const struct blockpool_info *info, char *map, __u32 index)
{
	return map + info->block_offset + (size_t)index * info->stride;
}

/* Each page of each stride, as the owner table says and by touching it. */
static void check_reach(int fd, char *map)
{
	struct blockpool_info info = pool_info(fd);
	size_t page = getpagesize(), offset, in_stride;
	__u32 *owners = malloc(info.nr_blocks * sizeof(*owners));
	bool mine;

	must(!pool_owners(fd, 0, info.nr_blocks, owners));
	for (offset = 0; offset < info.map_size; offset += page) {
		in_stride = offset % info.stride;
		mine = owners[offset / info.stride] == info.client &&
		       in_stride >= info.block_offset &&
		       in_stride < info.block_offset + info.block_size;
		if (touch(map + offset) != (mine ? 0 : SIGBUS))
			pool_fatal("byte %zu: %s", offset,
				   mine ? "not there" : "there");
	}
	free(owners);
}

/* Every second block of those that are free now. */
static void take_some(int fd)
{
	__u32 count = pool_stats(fd).nr_free;
	__u32 *indices = malloc(count * sizeof(*indices));

	must(!pool_alloc(fd, indices, count));
	for (__u32 i = 0; i < count; i += 2)
		must(!pool_give(fd, indices[i]));
	free(indices);
}

static char *map_part(int fd, size_t offset, size_t length, int prot)
{
	char *map = mmap(NULL, length, prot, MAP_SHARED, fd, offset);

	must(map != MAP_FAILED);
	return map;
}

/*
 * What is in reach
 */
TEST_F(isolated, what_is_held)
{
	__u32 *indices;

	check_reach(self->fd, self->map);
	indices = pool_take_all(self->fd);
	check_reach(self->fd, self->map);
	ASSERT_EQ(0, pool_free(self->fd, indices, variant->nr_blocks, NULL));
	check_reach(self->fd, self->map);
	take_some(self->fd);
	check_reach(self->fd, self->map);
	pool_give_all(self->fd);
	check_reach(self->fd, self->map);
	free(indices);
}

/* Each has been touched: what is left in reach is what was not freed. */
TEST_F(isolated, freed_in_any_order)
{
	__u32 *indices = pool_take_all(self->fd), n = variant->nr_blocks / 2;
	struct random random = RANDOM_INIT;
	__u32 other, index;

	check_reach(self->fd, self->map);
	for (__u32 i = 0; i < variant->nr_blocks; i++) {
		other = random_below(&random, i + 1);
		index = indices[i];
		indices[i] = indices[other];
		indices[other] = index;
	}
	ASSERT_EQ(0, pool_free(self->fd, indices, n, NULL));
	check_reach(self->fd, self->map);
	ASSERT_EQ(0, pool_free(self->fd, indices + n, variant->nr_blocks - n,
			       NULL));
	check_reach(self->fd, self->map);
	free(indices);
}

TEST_F(isolated, bytes_stay)
{
	int index = pool_take(self->fd);
	char *block = block_at(&self->info, self->map, index);

	ASSERT_LE(0, index);
	for (size_t i = 0; i < variant->block_size; i++) {
		ASSERT_EQ(0, block[i]);
	}
	memset(block, 'a', variant->block_size);
	ASSERT_EQ(0, munmap(self->map, self->info.map_size));
	self->map = pool_map(self->fd);
	block = block_at(&self->info, self->map, index);
	for (size_t i = 0; i < variant->block_size; i++) {
		ASSERT_EQ('a', block[i]);
	}
}

TEST_F(isolated, two_clients)
{
	int other = pool_join(self->name);
	char *map = pool_map(other);

	for (int round = 0; round < 2; round++) {
		take_some(self->fd);
		take_some(other);
		check_reach(self->fd, self->map);
		check_reach(other, map);
		pool_give_all(self->fd);
		check_reach(self->fd, self->map);
		check_reach(other, map);
		pool_give_all(other);
	}
	ASSERT_EQ(0, munmap(map, self->info.map_size));
	close(other);
}

/* The second gets the very block, and what the first wrote. */
TEST_F(isolated, passed_on)
{
	int other = pool_join(self->name);
	char *map = pool_map(other);
	int index = pool_take(self->fd);
	char *block = block_at(&self->info, self->map, index);

	ASSERT_LE(0, index);
	ASSERT_EQ(SIGBUS, touch(block_at(&self->info, map, index)));
	memset(block, 'a', variant->block_size);
	ASSERT_EQ(0, pool_give(self->fd, index));
	ASSERT_EQ(SIGBUS, touch(block));
	ASSERT_EQ(index, pool_take(other));
	ASSERT_EQ(SIGBUS, touch(block));
	ASSERT_EQ('a', *block_at(&self->info, map, index));
	ASSERT_EQ(0, munmap(map, self->info.map_size));
	close(other);
	ASSERT_EQ(SIGBUS, touch(block));
}

TEST_F(isolated, several_mappings)
{
	char *maps[3];

	for (int i = 0; i < 3; i++)
		maps[i] = pool_map(self->fd);
	take_some(self->fd);
	for (int i = 0; i < 3; i++)
		check_reach(self->fd, maps[i]);
	ASSERT_EQ(0, munmap(maps[1], self->info.map_size));
	pool_give_all(self->fd);
	check_reach(self->fd, maps[0]);
	check_reach(self->fd, maps[2]);
	check_reach(self->fd, self->map);
}

/* Each single page, and what begins and ends inside of blocks. */
TEST_F(isolated, partial_mappings)
{
	__u32 *indices = pool_take_all(self->fd);
	size_t size = self->info.map_size, page = self->page, at;
	char *map;

	for (at = 0; at < size; at += page) {
		map = map_part(self->fd, at, page, RW);
		ASSERT_EQ(touch(self->map + at), touch(map));
		ASSERT_EQ(0, munmap(map, page));
	}
	map = map_part(self->fd, page, size - 2 * page, RW);
	for (at = page; at < size - page; at += page) {
		ASSERT_EQ(touch(self->map + at), touch(map + at - page));
	}
	ASSERT_EQ(0, pool_free(self->fd, indices, variant->nr_blocks, NULL));
	for (at = 0; at < size - 2 * page; at += page) {
		ASSERT_EQ(SIGBUS, touch(map + at));
	}
	free(indices);
}

/* Also not where another client's window may begin. */
TEST_F(isolated, beyond_the_end)
{
	size_t size = self->info.map_size;

	ASSERT_EQ(MAP_FAILED, mmap(NULL, size + self->page, PROT_READ,
				   MAP_SHARED, self->fd, 0));
	ASSERT_EQ(EINVAL, errno);
	for (off_t window = 0; window < 8; window++) {
		ASSERT_EQ(MAP_FAILED, mmap(NULL, self->page, PROT_READ,
					   MAP_SHARED, self->fd, (window << 47) +
					   (window ? 0 : size + self->page)));
		ASSERT_EQ(EINVAL, errno);
	}
}

TEST_F(isolated, status_page)
{
	const volatile struct blockpool_status *status;
	__u32 *indices = pool_take_all(self->fd);
	char *map = map_part(self->fd, self->info.status_offset, self->page,
			     PROT_READ);

	status = (const volatile struct blockpool_status *)map;
	ASSERT_LE(sizeof(*status), status->size);
	ASSERT_EQ(0, status->cache_max);
	ASSERT_EQ(-EAGAIN, pool_take(self->fd));
	ASSERT_EQ(1, status->wanted);
	ASSERT_EQ(0, pool_free(self->fd, indices, variant->nr_blocks, NULL));
	ASSERT_EQ(0, status->wanted);
	ASSERT_EQ(SIGSEGV, store(map, 'x'));
	free(indices);
}

/* Such a client cannot hold a block. */
TEST_F(isolated, read_only)
{
	int fd = pool_open(O_RDONLY);
	char *map;

	ASSERT_EQ(0, pool_attach(fd, self->name));
	take_some(self->fd);
	map = map_part(fd, 0, self->info.map_size, PROT_READ);
	for (size_t at = 0; at < self->info.map_size; at += self->page) {
		ASSERT_EQ(SIGBUS, load(map + at));
	}
	ASSERT_EQ(-1, mprotect(map, self->page, RW));
	ASSERT_EQ(EACCES, errno);
	ASSERT_EQ(SIGSEGV, store(map, 'x'));
	close(fd);
}

/*
 * What an owner may do with an address space
 */
TEST_F(isolated, moves)
{
	size_t size = self->info.map_size;
	char *to = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);
	char *from = self->map;

	take_some(self->fd);
	check_reach(self->fd, from);
	ASSERT_EQ(to, mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
			     to));
	check_reach(self->fd, to);
	ASSERT_EQ(SIGSEGV, touch(from));
	pool_give_all(self->fd);
	check_reach(self->fd, to);
}

TEST_F(isolated, moves_in_part)
{
	size_t size = self->info.map_size, half = size / 2 & -self->page, at;
	char *to = mmap(NULL, half, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);
	__u32 *indices = pool_take_all(self->fd);

	check_reach(self->fd, self->map);
	ASSERT_EQ(to, mremap(self->map, half, half,
			     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	ASSERT_EQ(0, pool_free(self->fd, indices, variant->nr_blocks, NULL));
	for (at = 0; at < half; at += self->page) {
		ASSERT_EQ(SIGSEGV, touch(self->map + at));
		ASSERT_EQ(SIGBUS, touch(to + at));
	}
	for (at = half; at < size; at += self->page) {
		ASSERT_EQ(SIGBUS, touch(self->map + at));
	}
	free(indices);
}

TEST_F(isolated, does_not_grow)
{
	size_t size = self->info.map_size;

	ASSERT_EQ(MAP_FAILED, mremap(self->map, size, size + self->page,
				     MREMAP_MAYMOVE));
	ASSERT_EQ(MAP_FAILED, mremap(self->map, self->page, 2 * self->page, 0));
	ASSERT_EQ(MAP_FAILED, mremap(self->map, 0, size, MREMAP_MAYMOVE));
	check_reach(self->fd, self->map);
}

TEST_F(isolated, holes)
{
	__u32 *indices = pool_take_all(self->fd);
	size_t size = self->info.map_size, at;

	check_reach(self->fd, self->map);
	for (at = self->page; at < size; at += 3 * self->page) {
		ASSERT_EQ(0, munmap(self->map + at, self->page));
	}
	ASSERT_EQ(0, pool_free(self->fd, indices, variant->nr_blocks, NULL));
	for (at = 0; at < size; at += self->page) {
		ASSERT_EQ(at / self->page % 3 == 1 ? SIGSEGV : SIGBUS,
			  touch(self->map + at));
	}
	free(indices);
}

/* Some is refused; none brings a page in that is not the client's. */
TEST_F(isolated, advice)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_COLD, MADV_PAGEOUT,
		MADV_WILLNEED, MADV_RANDOM, MADV_SEQUENTIAL, MADV_NORMAL,
		MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_MERGEABLE, MADV_DODUMP,
		MADV_DONTDUMP, MADV_DONTFORK, MADV_POPULATE_READ,
		MADV_POPULATE_WRITE,
	};
	size_t size = self->info.map_size;

	take_some(self->fd);
	for (size_t i = 0; i < ARRAY_SIZE(advice); i++)
		madvise(self->map, size, advice[i]);
	ASSERT_EQ(-1, madvise(self->map, size, MADV_DOFORK));
	ASSERT_EQ(EINVAL, errno);
	ASSERT_EQ(0, mlock(self->map, size));
	ASSERT_EQ(0, mlockall(MCL_CURRENT | MCL_FUTURE));
	check_reach(self->fd, self->map);
	check_reach(self->fd, pool_map(self->fd));
	ASSERT_EQ(0, munlockall());
	pool_give_all(self->fd);
	check_reach(self->fd, self->map);
}

TEST_F(isolated, protection)
{
	size_t size = self->info.map_size;
	int index = pool_take(self->fd);
	char *block = block_at(&self->info, self->map, index);

	ASSERT_LE(0, index);
	ASSERT_EQ(0, touch(block));
	ASSERT_EQ(0, mprotect(self->map, size, PROT_READ));
	ASSERT_EQ(0, load(block));
	ASSERT_EQ(SIGSEGV, store(block, 'x'));
	ASSERT_EQ(-1, mprotect(self->map, size, PROT_READ | PROT_EXEC));
	ASSERT_EQ(EACCES, errno);
	ASSERT_EQ(0, mprotect(self->map, size, PROT_NONE));
	ASSERT_EQ(SIGSEGV, touch(block));

	/* Taken away while it may not be touched. */
	ASSERT_EQ(0, pool_give(self->fd, index));
	ASSERT_EQ(0, mprotect(self->map, size, RW));
	check_reach(self->fd, self->map);
}

TEST_F(isolated, is_not_inherited)
{
	int index = pool_take(self->fd);
	char *block = block_at(&self->info, self->map, index);
	pid_t pid;

	ASSERT_LE(0, index);
	ASSERT_EQ(0, touch(block));
	pid = child_fork();
	if (!pid) {
		must(touch(block) == SIGSEGV);
		must(touch(self->map) == SIGSEGV);
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(pid));
	ASSERT_EQ(0, touch(block));
}

/* One client, in two processes: what one of them frees is the other's no more. */
TEST_F(isolated, shared_by_processes)
{
	struct step mapped, freed;
	char *map;
	pid_t pid;

	take_some(self->fd);
	step_init(&mapped);
	step_init(&freed);
	pid = child_fork();
	if (!pid) {
		map = pool_map(self->fd);
		check_reach(self->fd, map);
		step_post(&mapped);
		step_await(&freed);
		check_reach(self->fd, map);
		_exit(0);
	}
	step_await(&mapped);
	pool_give_all(self->fd);
	check_reach(self->fd, self->map);
	step_post(&freed);
	ASSERT_EQ(0, child_reap(pid));
}

TEST_F(isolated, killed)
{
	struct step taken;
	pid_t pid;

	step_init(&taken);
	pid = child_fork();
	if (!pid) {
		int fd = pool_join(self->name);
		char *map = pool_map(fd);

		close(self->fd);
		free(pool_take_all(fd));
		check_reach(fd, map);
		step_post(&taken);
		for (;;)
			memset(block_at(&self->info, map, 0), 'k',
			       variant->block_size);
	}
	step_await(&taken);
	ASSERT_EQ(-EAGAIN, pool_take(self->fd));
	ASSERT_EQ(128 + SIGKILL, child_kill(pid));
	pool_await_held(self->fd, 0);
	take_some(self->fd);
	check_reach(self->fd, self->map);
}

/* What the kernel does for a client it does with what that holds. */
TEST_F(isolated, system_calls)
{
	int index = pool_take(self->fd), fds[2];
	char *block = block_at(&self->info, self->map, index);
	size_t size = variant->block_size < 4096 ? variant->block_size : 4096;

	ASSERT_LE(0, index);
	ASSERT_EQ(0, pipe(fds));
	memset(block, 'a', size);
	ASSERT_EQ(size, write(fds[1], block, size));
	ASSERT_EQ(size, read(fds[0], block, size));
	ASSERT_EQ(size, write(fds[1], block, size));
	ASSERT_EQ(0, pool_give(self->fd, index));
	ASSERT_EQ(-1, write(fds[1], block, size));
	ASSERT_EQ(EFAULT, errno);
	ASSERT_EQ(-1, read(fds[0], block, size));
	ASSERT_EQ(EFAULT, errno);
	close(fds[0]);
	close(fds[1]);
}

/*
 * Nobody gets a hold of a page that would outlast the free: the kernel gives out no
 * references to what is behind a VM_PFNMAP mapping, nor anything else with VM_IO.
 */
FIXTURE(held)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int fd, index;
	char *map, *block;
	struct iovec iov;
};

FIXTURE_SETUP(held)
{
	expect_faults();
	pool_name(self->name);
	self->fd = new_pool(self->name, 0, 4096, 16);
	self->map = pool_map(self->fd);
	self->index = pool_take(self->fd);
	ASSERT_LE(0, self->index);
	self->block = self->map + (size_t)self->index * 4096;
	memset(self->block, 'a', 4096);
	self->iov.iov_base = self->block;
	self->iov.iov_len = 4096;
}

FIXTURE_TEARDOWN(held)
{
	pool_give_all(self->fd);
	pool_drain(self->fd);
	close(self->fd);
}

TEST_F(held, no_vmsplice)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(-1, vmsplice(fds[1], &self->iov, 1, 0));
	ASSERT_EQ(EFAULT, errno);
}

TEST_F(held, no_process_vm)
{
	char bytes[4096] = {};
	struct iovec local = { .iov_base = bytes, .iov_len = sizeof(bytes) };

	ASSERT_EQ(-1, process_vm_readv(getpid(), &local, 1, &self->iov, 1, 0));
	ASSERT_EQ(EFAULT, errno);
	ASSERT_EQ(-1, process_vm_writev(getpid(), &local, 1, &self->iov, 1, 0));
	ASSERT_EQ(EFAULT, errno);
}

TEST_F(held, no_proc_mem)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	char byte = 'm';

	ASSERT_LE(0, mem);
	ASSERT_EQ(-1, pread(mem, &byte, 1, (uintptr_t)self->block));
	ASSERT_EQ(EIO, errno);
	ASSERT_EQ(-1, pwrite(mem, &byte, 1, (uintptr_t)self->block));
	ASSERT_EQ(EIO, errno);
	ASSERT_EQ('a', *self->block);
	close(mem);
}

TEST_F(held, no_debugger)
{
	struct step mapped, end;
	char *map;
	pid_t pid;

	step_init(&mapped);
	step_init(&end);
	pid = child_fork();
	if (!pid) {
		/* Where the parent has its own. */
		map = mmap(self->map, 16 * 4096, RW, MAP_SHARED | MAP_FIXED,
			   self->fd, 0);
		must(map == self->map && !store(self->block, 'c'));
		step_post(&mapped);
		step_await(&end);
		_exit(0);
	}
	step_await(&mapped);
	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	errno = 0;
	ASSERT_EQ(-1, ptrace(PTRACE_PEEKDATA, pid, self->block, NULL));
	ASSERT_EQ(EIO, errno);
	ASSERT_EQ(-1, ptrace(PTRACE_POKEDATA, pid, self->block, NULL));
	ASSERT_EQ(EIO, errno);
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, pid, NULL, NULL));
	step_post(&end);
	ASSERT_EQ(0, child_reap(pid));
	ASSERT_EQ('c', *self->block);
}

TEST_F(held, no_io_uring_buffer)
{
	struct io_uring_params params = {};
	int ring = syscall(SYS_io_uring_setup, 1, &params);

	if (ring < 0)
		SKIP(return, "no io_uring here");
	ASSERT_EQ(-1, syscall(SYS_io_uring_register, ring,
			      IORING_REGISTER_BUFFERS, &self->iov, 1));
	ASSERT_EQ(EFAULT, errno);
	close(ring);
}

TEST_F(held, no_zero_copy_send)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1;

	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)));
	ASSERT_EQ(4096, sendto(fd, self->block, 4096, 0,
			       (const struct sockaddr *)&address,
			       sizeof(address)));
	ASSERT_EQ(-1, sendto(fd, self->block, 4096, MSG_ZEROCOPY,
			     (const struct sockaddr *)&address,
			     sizeof(address)));
	ASSERT_EQ(EFAULT, errno);
	close(fd);
}

static int modprobe(const char *option, const char *first, const char *second)
{
	pid_t pid = child_fork();

	if (!pid) {
		execl("/sbin/modprobe", "modprobe", option, first, second, NULL);
		_exit(127);
	}
	return child_reap(pid);
}

TEST_F(held, no_direct_io)
{
	bool there = !access(RAM_DISK, F_OK);
	int disk;

	if (!there && modprobe("brd", "rd_nr=1", "rd_size=1024"))
		SKIP(return, "no disk in memory (brd)");
	disk = open(RAM_DISK, O_RDWR | O_DIRECT | O_CLOEXEC);
	ASSERT_LE(0, disk);
	ASSERT_EQ(-1, pwrite(disk, self->block, 4096, 0));
	ASSERT_EQ(EFAULT, errno);
	ASSERT_EQ(-1, pread(disk, self->block, 4096, 0));
	ASSERT_EQ(EFAULT, errno);
	close(disk);
	disk = open(RAM_DISK, O_RDWR | O_CLOEXEC);
	ASSERT_EQ(4096, pwrite(disk, self->block, 4096, 0));
	close(disk);
	if (!there) {
		ASSERT_EQ(0, modprobe("-r", "brd", NULL));
	}
}

/*
 * Others
 */

/* The kernel is no client: it reaches all blocks, and clients none of its own. */
TEST_F(held, kernel_peer)
{
	int peer = peer_join(self->name);
	int index = peer_take(peer, PROCESS);
	char *block = self->map + (size_t)index * 4096;

	ASSERT_LE(0, index);
	ASSERT_EQ(SIGBUS, touch(block));
	ASSERT_EQ(0, peer_data(peer, BLOCKPOOL_PEER_FILL, index, 4096, 7));
	ASSERT_EQ(0, peer_data(peer, BLOCKPOOL_PEER_CHECK, index, 4096, 7));
	for (__u32 i = 0; i < 4096; i++)
		self->block[i] = blockpool_peer_byte(9, i);
	ASSERT_EQ(0, peer_data(peer, BLOCKPOOL_PEER_CHECK, self->index, 4096, 9));
	ASSERT_EQ(0, peer_give(peer, PROCESS, index));
	check_reach(self->fd, self->map);
	close(peer);
}

/* A pool without isolation stays whole in each mapping. */
TEST_F(held, plain_pool_beside)
{
	char name[BLOCKPOOL_NAME_SIZE];
	__u32 *indices;
	char *map;
	int fd;

	pool_name(name);
	fd = pool_new(name, 4096, 16);
	map = pool_map(fd);
	indices = pool_take_all(fd);
	ASSERT_EQ(0, pool_free(fd, indices, 16, NULL));
	for (__u32 i = 0; i < 16; i++) {
		ASSERT_EQ(0, touch(map + i * 4096));
	}
	pool_give_all(self->fd);
	for (__u32 i = 0; i < 16; i++) {
		ASSERT_EQ(0, touch(map + i * 4096));
	}
	free(indices);
	close(fd);
}

TEST_F(held, isolated_pool_beside)
{
	char name[BLOCKPOOL_NAME_SIZE];
	char *map;
	int fd;

	pool_name(name);
	fd = new_pool(name, 0, 4096, 16);
	map = pool_map(fd);
	free(pool_take_all(fd));
	check_reach(fd, map);
	check_reach(self->fd, self->map);
	pool_give_all(fd);
	check_reach(fd, map);
	check_reach(self->fd, self->map);
	close(fd);
}

/* Negative if there was no window for it. */
static int join_and_map(const char *name)
{
	int fd = pool_join(name);
	char *map = mmap(NULL, 4096, RW, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		must(errno == ENOMEM);
	else
		must(!munmap(map, 4096));
	return map == MAP_FAILED ? -fd : fd;
}

TEST_F(held, as_many_clients_as_windows)
{
	const struct rlimit files = { WINDOWS + 100, WINDOWS + 100 };
	int n, fd = 0, *fds = calloc(WINDOWS, sizeof(*fds));

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	for (n = 0; n < WINDOWS && fd >= 0; n++) {
		fd = join_and_map(self->name);
		fds[n] = fd;
	}
	/* One is the fixture's, and the last got none. */
	ASSERT_EQ(WINDOWS - 1, n);

	/* That has no mapping, and takes and frees all the same. */
	fd = -fd;
	ASSERT_LE(0, pool_take(fd));
	pool_give_all(fd);
	ASSERT_EQ(MAP_FAILED, mmap(NULL, 4096, RW, MAP_SHARED, fd, 0));
	ASSERT_EQ(ENOMEM, errno);

	/* When one goes, its window is free. */
	close(fds[n / 2]);
	ASSERT_NE(MAP_FAILED, mmap(NULL, 4096, RW, MAP_SHARED, fd, 0));
	check_reach(self->fd, self->map);
	close_range(fds[0], ~0U, 0);
	free(fds);
}

TEST_HARNESS_MAIN

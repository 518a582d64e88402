// SPDX-License-Identifier: GPL-2.0
/*
 * The status page: who may map it and how, and what it says; and that who polls
 * for an edge hears of each block while the pool is short.
 */
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "harness.h"
#include "peer/user.h"

#define PROCESS		BLOCKPOOL_PEER_PROCESS
#define NR_BLOCKS	256U
#define NAP_MS		20
#define LONG_MS		20000	/* longer than it can take */

static void *map_status(int fd, size_t length, int prot, int flags)
{
	return mmap(NULL, length, prot, flags, fd,
		    pool_info(fd).status_offset);
}

static int map_error(int fd, size_t length, int prot, int flags)
{
	void *map = map_status(fd, length, prot, flags);

	if (map != MAP_FAILED)
		munmap(map, length);
	return map == MAP_FAILED ? errno : 0;
}

FIXTURE(status)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int fd, peer;
	size_t page;
	const volatile struct blockpool_status *status;
};

FIXTURE_SETUP(status)
{
	cpu_pin(0);
	pool_name(self->name);
	self->fd = pool_new(self->name, 64, NR_BLOCKS);
	self->peer = peer_join(self->name);
	self->page = getpagesize();
	self->status = map_status(self->fd, self->page, PROT_READ, MAP_SHARED);
	ASSERT_NE(MAP_FAILED, self->status);
}

FIXTURE_TEARDOWN(status)
{
	close(self->peer);
	pool_give_all(self->fd);
	pool_drain(self->fd);
	close(self->fd);
}

/*
 * The mapping
 */
TEST_F(status, is_there)
{
	struct blockpool_info info = pool_info(self->fd);

	EXPECT_EQ(info.map_size, info.status_offset);
	EXPECT_LE(sizeof(*self->status), self->status->size);
	EXPECT_GE(self->page, self->status->size);
	EXPECT_EQ(0, self->status->wanted);
	EXPECT_EQ(NR_BLOCKS / 8, self->status->cache_max);
	for (size_t i = self->status->size; i < self->page; i++)
		ASSERT_EQ(0, ((const volatile char *)self->status)[i]);
}

TEST_F(status, is_one_page)
{
	EXPECT_EQ(0, map_error(self->fd, 1, PROT_READ, MAP_SHARED));
	EXPECT_EQ(EINVAL, map_error(self->fd, self->page + 1, PROT_READ,
				    MAP_SHARED));
	EXPECT_EQ(EINVAL, map_error(self->fd, 2 * self->page, PROT_READ,
				    MAP_SHARED));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, pool_info(self->fd).map_size +
				   self->page, PROT_READ, MAP_SHARED,
				   self->fd, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, self->page, PROT_READ, MAP_SHARED,
				   self->fd, pool_info(self->fd).status_offset +
				   self->page));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mremap((void *)self->status, self->page,
				     2 * self->page, MREMAP_MAYMOVE));
}

TEST_F(status, is_read_only)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	struct blockpool_status was = *self->status, evil = {};

	EXPECT_EQ(EACCES, map_error(self->fd, self->page,
				    PROT_READ | PROT_WRITE, MAP_SHARED));
	EXPECT_EQ(EACCES, map_error(self->fd, self->page, PROT_WRITE,
				    MAP_SHARED));
	EXPECT_EQ(EACCES, map_error(self->fd, self->page,
				    PROT_READ | PROT_EXEC, MAP_SHARED));
	EXPECT_EQ(EINVAL, map_error(self->fd, self->page,
				    PROT_READ | PROT_WRITE, MAP_PRIVATE));
	EXPECT_EQ(EINVAL, map_error(self->fd, self->page, PROT_READ,
				    MAP_PRIVATE));
	EXPECT_EQ(-1, mprotect((void *)self->status, self->page,
			       PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect((void *)self->status, self->page,
			       PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);

	/* A debugger's way in does not go past that. */
	ASSERT_LE(0, fd);
	EXPECT_EQ(-1, pwrite(fd, &evil, sizeof(evil), (uintptr_t)self->status));
	EXPECT_EQ(was.size, self->status->size);
	EXPECT_EQ(was.cache_max, self->status->cache_max);
	close(fd);
}

TEST_F(status, is_for_readers_too)
{
	int fd = pool_open(O_RDONLY);

	ASSERT_EQ(0, pool_attach(fd, self->name));
	EXPECT_EQ(0, map_error(fd, self->page, PROT_READ, MAP_SHARED));
	EXPECT_NE(0, map_error(fd, self->page, PROT_READ | PROT_WRITE,
			       MAP_SHARED));
	close(fd);
}

/* A page taken out of the page table is the same when it comes back. */
TEST_F(status, comes_back)
{
	__u32 indices[NR_BLOCKS];

	ASSERT_EQ(0, madvise((void *)self->status, self->page, MADV_DONTNEED));
	EXPECT_EQ(NR_BLOCKS / 8, self->status->cache_max);
	ASSERT_LE(0, pool_take(self->fd));
	ASSERT_EQ(-EAGAIN, pool_alloc(self->fd, indices, NR_BLOCKS));
	EXPECT_NE(0, self->status->wanted);
}

/* The page outlives the pool's name and its other users. */
TEST_F(status, is_kept_by_its_mapping)
{
	const volatile struct blockpool_status *status;
	char name[BLOCKPOOL_NAME_SIZE];
	int fd;

	pool_name(name);
	fd = pool_new(name, 64, NR_BLOCKS);
	status = map_status(fd, self->page, PROT_READ, MAP_SHARED);
	ASSERT_NE(MAP_FAILED, status);
	close(fd);
	EXPECT_TRUE(pool_listed(name));
	EXPECT_EQ(NR_BLOCKS / 8, status->cache_max);
	ASSERT_EQ(0, munmap((void *)status, self->page));
	EXPECT_FALSE(pool_listed(name));
}

/*
 * What it says
 */
TEST_F(status, cache_max_is_shared_out)
{
	int fds[7];

	for (__u32 i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = pool_join(self->name);
		EXPECT_EQ(NR_BLOCKS / 8 / (i + 2), self->status->cache_max);
	}
	for (__u32 i = ARRAY_SIZE(fds); i-- > 0; ) {
		close(fds[i]);
		EXPECT_EQ(NR_BLOCKS / 8 / (i + 1), self->status->cache_max);
	}
}

TEST_F(status, wanted_by_one_who_was_refused)
{
	__u32 *indices = pool_take_all(self->fd);

	EXPECT_EQ(0, self->status->wanted);
	ASSERT_EQ(-EAGAIN, pool_take(self->fd));
	EXPECT_EQ(1, self->status->wanted);
	ASSERT_EQ(0, pool_give(self->fd, indices[0]));
	EXPECT_EQ(0, self->status->wanted);
	free(indices);
}

/* And given back by it. */
TEST_F(status, wanted_by_the_kernel)
{
	__u32 *indices = pool_take_all(self->fd);
	__u32 context, n = peer_contexts(self->peer);

	for (context = 0; context < n; context++) {
		ASSERT_EQ(-EAGAIN, peer_take(self->peer, context));
		EXPECT_EQ(1, self->status->wanted);
		ASSERT_EQ(0, pool_give(self->fd, indices[context]));
		EXPECT_EQ(0, self->status->wanted);
		ASSERT_EQ(indices[context], peer_take(self->peer, context));
		ASSERT_EQ(-EAGAIN, pool_take(self->fd));
		EXPECT_EQ(1, self->status->wanted);
		ASSERT_EQ(0, peer_give(self->peer, context, indices[context]));
		EXPECT_EQ(0, self->status->wanted);
		ASSERT_EQ(indices[context], pool_take(self->fd));
	}
	free(indices);
}

TEST_F(status, wanted_by_one_who_waits)
{
	__u32 *indices = pool_take_all(self->fd);
	struct waiter waiter = waiter_start(self->name, 3, -1);

	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(3, self->status->wanted);
		ASSERT_EQ(0, pool_give(self->fd, indices[i]));
	}
	EXPECT_EQ(0, waiter_result(&waiter));
	EXPECT_EQ(0, self->status->wanted);
	waiter_end(&waiter);
	free(indices);
}

/* Who is gone wants nothing: the next block ends it. */
TEST_F(status, wanted_by_one_who_gave_up)
{
	__u32 *indices = pool_take_all(self->fd), three[3];

	ASSERT_EQ(-ETIMEDOUT, pool_alloc_wait(self->fd, three, 3, NAP_MS));
	ASSERT_EQ(0, pool_give(self->fd, indices[0]));
	EXPECT_EQ(0, self->status->wanted);
	free(indices);
}

/* By one after the other, that is. */
TEST_F(status, wanted_by_all_who_wait)
{
	__u32 *indices = pool_take_all(self->fd);
	struct waiter first = waiter_start(self->name, 1, -1);
	struct waiter second = waiter_start(self->name, 2, -1);

	EXPECT_EQ(1, self->status->wanted);
	ASSERT_EQ(0, pool_give(self->fd, indices[0]));
	EXPECT_EQ(0, waiter_result(&first));
	EXPECT_EQ(2, self->status->wanted);
	ASSERT_EQ(0, pool_free(self->fd, indices + 1, 2, NULL));
	EXPECT_EQ(0, waiter_result(&second));
	EXPECT_EQ(0, self->status->wanted);
	waiter_end(&first);
	waiter_end(&second);
	free(indices);
}

/*
 * Who polls
 */

static int edges_of(int fd)
{
	struct epoll_event event = { .events = EPOLLOUT | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	must(epoll >= 0);
	must(!epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
	return epoll;
}

/* From interrupts it may come with the next tick. */
static int edge(int epoll, int timeout_ms)
{
	struct epoll_event event;

	return epoll_wait(epoll, &event, 1, timeout_ms);
}

/* The CPU's magazine is open, and would keep what is freed, but for the poller. */
static void kernel_takes_all(int peer, __u32 *indices)
{
	must(peer_alloc(peer, PROCESS, indices, NR_BLOCKS) == NR_BLOCKS);
}

TEST_F(status, wanted_by_one_who_polls)
{
	__u32 indices[NR_BLOCKS];
	int epoll;

	kernel_takes_all(self->peer, indices);
	EXPECT_EQ(0, self->status->wanted);
	epoll = edges_of(self->fd);
	EXPECT_EQ(1, self->status->wanted);
	EXPECT_EQ(0, edge(epoll, 0));
	close(epoll);
	ASSERT_EQ(0, peer_give(self->peer, PROCESS, indices[0]));
	EXPECT_EQ(0, self->status->wanted);
}

TEST_F(status, edges_of_the_kernels_frees)
{
	__u32 indices[NR_BLOCKS], context;
	int epoll, taken;

	kernel_takes_all(self->peer, indices);
	epoll = edges_of(self->fd);
	for (context = 0; context < peer_contexts(self->peer); context++) {
		ASSERT_EQ(0, edge(epoll, 0));
		ASSERT_EQ(0, peer_give(self->peer, context, indices[context]));
		ASSERT_EQ(1, edge(epoll, LONG_MS)) TH_LOG("context %u", context);
		ASSERT_EQ(0, edge(epoll, 0));
		taken = pool_take(self->fd);
		ASSERT_EQ(indices[context], taken);
		ASSERT_EQ(-EAGAIN, pool_take(self->fd));
	}
	close(epoll);
}

/* Who was refused three has not enough after one, and hears of them all. */
TEST_F(status, edges_until_there_are_enough)
{
	__u32 indices[NR_BLOCKS], three[3], context;
	int epoll;

	kernel_takes_all(self->peer, indices);
	epoll = edges_of(self->fd);
	for (context = 0; context < peer_contexts(self->peer); context++) {
		ASSERT_EQ(-EAGAIN, pool_alloc(self->fd, three, 3));
		EXPECT_EQ(3, self->status->wanted);
		for (int i = 0; i < 3; i++) {
			ASSERT_EQ(0, edge(epoll, 0));
			ASSERT_EQ(0, peer_give(self->peer, context,
					       indices[3 * context + i]));
			ASSERT_EQ(1, edge(epoll, LONG_MS))
				TH_LOG("context %u, block %d", context, i);
		}
		EXPECT_EQ(0, self->status->wanted);
		ASSERT_EQ(0, pool_alloc(self->fd, three, 3));
	}
	close(epoll);
}

TEST_HARNESS_MAIN

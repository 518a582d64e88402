// SPDX-License-Identifier: GPL-2.0
/*
 * A pool's reserve: clients leave it alone, and the kernel has it at any time, in
 * any context, on any CPU.
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "harness.h"
#include "peer/user.h"

#define PROCESS		BLOCKPOOL_PEER_PROCESS
#define NR_BLOCKS	512U
#define RESERVE		24U
#define FOR_CLIENTS	(NR_BLOCKS - RESERVE)
#define NAP_MS		20
#define LONG_MS		20000	/* longer than it can take */

FIXTURE(reserve)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int fd, peer;
	__u32 contexts;
	__u32 ours[RESERVE], theirs[NR_BLOCKS];
};

FIXTURE_SETUP(reserve)
{
	const struct blockpool_create_args args = {
		.block_size = 64,
		.nr_blocks = NR_BLOCKS,
		.reserve = RESERVE,
	};

	pool_name(self->name);
	self->fd = pool_open(O_RDWR);
	ASSERT_EQ(0, pool_create_args(self->fd, self->name, args));
	self->peer = peer_join(self->name);
	self->contexts = peer_contexts(self->peer);
}

FIXTURE_TEARDOWN(reserve)
{
	cpu_unpin();
	close(self->peer);
	pool_give_all(self->fd);
	pool_check(self->fd, 0);
	close(self->fd);
}

static int sleep_take(int peer, __u32 *indices, __u32 count)
{
	return peer_op(peer, BLOCKPOOL_PEER_ALLOC, PROCESS,
		       BLOCKPOOL_PEER_SLEEP, indices, count);
}

/*
 * What clients get
 */
TEST_F(reserve, is_told)
{
	ASSERT_EQ(RESERVE, pool_info(self->fd).reserve);
}

TEST(of_all_but_one)
{
	struct blockpool_create_args args = {
		.block_size = 64,
		.nr_blocks = 8,
		.reserve = 8,
	};
	char name[BLOCKPOOL_NAME_SIZE];
	int fd = pool_open(O_RDWR);

	pool_name(name);
	ASSERT_EQ(-EINVAL, pool_create_args(fd, name, args));
	args.reserve = -1U;
	ASSERT_EQ(-EINVAL, pool_create_args(fd, name, args));
	args.reserve = 7;
	ASSERT_EQ(0, pool_create_args(fd, name, args));
	ASSERT_LE(0, pool_take(fd));
	ASSERT_EQ(-EAGAIN, pool_take(fd));
	close(fd);
}

TEST_F(reserve, is_left_by_clients)
{
	int fds[3] = { self->fd, pool_join(self->name), pool_join(self->name) };
	__u32 taken = 0;

	for (int i = 0; pool_take(fds[i % 3]) >= 0; i++)
		taken++;
	ASSERT_EQ(FOR_CLIENTS, taken);
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(-EAGAIN, pool_take(fds[i]));
		ASSERT_EQ(-ETIMEDOUT, pool_take_wait(fds[i], NAP_MS));
	}
	pool_check(self->fd, FOR_CLIENTS);
	close(fds[1]);
	close(fds[2]);
}

TEST_F(reserve, batch)
{
	ASSERT_EQ(-EINVAL, pool_alloc(self->fd, self->theirs, FOR_CLIENTS + 1));
	ASSERT_EQ(-EINVAL, pool_alloc_wait(self->fd, self->theirs,
					   FOR_CLIENTS + 1, -1));
	ASSERT_EQ(0, pool_alloc(self->fd, self->theirs, FOR_CLIENTS - 1));
	ASSERT_EQ(-EAGAIN, pool_alloc(self->fd, self->theirs, 2));
	ASSERT_LE(0, pool_take(self->fd));
}

/* Half of what there is for clients. */
TEST_F(reserve, extra)
{
	struct blockpool_alloc_args args = {
		.size = sizeof(args),
		.count = FOR_CLIENTS - 11,
		.extra = 100,
		.indices = (uintptr_t)self->theirs,
	};

	ASSERT_EQ(0, pool_ioctl(self->fd, BLOCKPOOL_IOC_ALLOC, &args));
	ASSERT_EQ(FOR_CLIENTS - 11 + 5, args.count);
}

/* Blocks in magazines count as any, and no client gets one too many for them. */
TEST_F(reserve, with_magazines)
{
	__u32 indices[NR_BLOCKS / 4], taken = 0;

	for (int cpu = 0; cpu < cpu_count(); cpu++) {
		cpu_pin(cpu);
		ASSERT_EQ(ARRAY_SIZE(indices),
			  peer_alloc(self->peer, PROCESS, indices,
				     ARRAY_SIZE(indices)));
		ASSERT_EQ(0, peer_free(self->peer, PROCESS, indices,
				       ARRAY_SIZE(indices)));
	}
	cpu_unpin();
	ASSERT_NE(0, pool_stats(self->fd).nr_cached);
	while (pool_take(self->fd) >= 0)
		taken++;
	ASSERT_EQ(FOR_CLIENTS, taken);
	ASSERT_EQ(0, pool_stats(self->fd).nr_cached);
}

/*
 * What the kernel gets
 */
TEST_F(reserve, is_the_kernels_in_any_context)
{
	ASSERT_EQ(0, pool_alloc(self->fd, self->theirs, FOR_CLIENTS));
	for (__u32 context = 0; context < self->contexts; context++) {
		ASSERT_EQ(RESERVE, peer_alloc(self->peer, context, self->ours,
					      RESERVE));
		ASSERT_EQ(-EAGAIN, peer_take(self->peer, context));
		pool_check(self->fd, NR_BLOCKS);
		ASSERT_EQ(0, peer_free(self->peer, context, self->ours,
				       RESERVE));
		ASSERT_EQ(0, peer_alloc_bulk(self->peer, context, self->ours,
					     RESERVE));
		ASSERT_EQ(0, peer_free_bulk(self->peer, context, self->ours,
					    RESERVE));
		ASSERT_EQ(-EAGAIN, pool_take(self->fd));
	}
	ASSERT_EQ(RESERVE, sleep_take(self->peer, self->ours, RESERVE));
	ASSERT_EQ(0, peer_free(self->peer, PROCESS, self->ours, RESERVE));
}

/*
 * What one CPU leaves, and what it frees, is there for the next, which cannot reach
 * into its magazine: also if no client was refused, which would have shut that.
 */
TEST_F(reserve, is_the_kernels_on_any_cpu)
{
	ASSERT_EQ(0, pool_alloc(self->fd, self->theirs, FOR_CLIENTS));
	for (int i = 0; i < 8 * cpu_count(); i++) {
		for (__u32 n = 1; n <= RESERVE; n += 7) {
			cpu_pin(i % cpu_count());
			ASSERT_EQ(n, peer_alloc(self->peer, i % 3, self->ours,
						n));
			cpu_pin((i + 1) % cpu_count());
			ASSERT_EQ(RESERVE - n,
				  peer_alloc(self->peer, i % 3, self->ours + n,
					     RESERVE - n));
			ASSERT_EQ(0, peer_free(self->peer, i % 2, self->ours,
					       RESERVE));
		}
	}
}

/* Magazines have at most what is above it. */
TEST_F(reserve, is_in_no_magazine)
{
	__u32 above = 40;

	ASSERT_EQ(0, pool_alloc(self->fd, self->theirs, FOR_CLIENTS - above));
	for (int i = 0; i < 8 * cpu_count(); i++) {
		cpu_pin(i % cpu_count());
		for (int again = 0; again < 3; again++) {
			ASSERT_EQ(RESERVE, peer_alloc(self->peer, PROCESS,
						      self->ours, RESERVE));
			ASSERT_EQ(0, peer_free(self->peer, PROCESS, self->ours,
					       RESERVE));
		}
		ASSERT_GE(above, pool_stats(self->fd).nr_cached);
	}
}

/* Beyond it the kernel takes as anybody. */
TEST_F(reserve, and_more)
{
	__u32 indices[NR_BLOCKS];

	ASSERT_EQ(NR_BLOCKS, peer_alloc(self->peer, PROCESS, indices,
					NR_BLOCKS));
	ASSERT_EQ(-EAGAIN, pool_take(self->fd));
	ASSERT_EQ(0, peer_free(self->peer, PROCESS, indices, RESERVE));
	ASSERT_EQ(-EAGAIN, pool_take(self->fd));
	ASSERT_EQ(0, peer_free(self->peer, PROCESS, indices + RESERVE, 1));
	ASSERT_LE(0, pool_take(self->fd));
	ASSERT_EQ(0, peer_free(self->peer, PROCESS, indices + RESERVE + 1,
			       NR_BLOCKS - RESERVE - 1));
}

/*
 * Who waits
 */

/* A child that wants blocks for the kernel, all or none. */
static struct waiter kernel_waiter_start(const char *name, __u32 count, int fd)
{
	__u64 waiting = pool_stats(fd).nr_waiting;
	struct waiter waiter;
	__u32 indices[NR_BLOCKS];
	int fds[2], ret;

	must(!pipe(fds));
	waiter.pid = child_fork();
	if (!waiter.pid) {
		ret = peer_op(peer_join(name), BLOCKPOOL_PEER_ALLOC_BULK,
			      PROCESS, BLOCKPOOL_PEER_SLEEP, indices, count);
		must(write(fds[1], &ret, sizeof(ret)) == sizeof(ret));
		for (;;)
			pause();
	}
	close(fds[1]);
	waiter.fd = fds[0];
	pool_await_waiting(fd, waiting + 1);
	return waiter;
}

static bool is_served(const struct waiter *waiter)
{
	struct pollfd poll_fd = { .fd = waiter->fd, .events = POLLIN };

	return poll(&poll_fd, 1, NAP_MS) == 1;
}

/* A client that waits does not keep the kernel waiting, whatever it waits for. */
TEST_F(reserve, a_client_waits)
{
	struct waiter client;

	ASSERT_EQ(0, pool_alloc(self->fd, self->theirs, FOR_CLIENTS - 5));
	client = waiter_start(self->name, 6, -1);
	for (__u32 context = 0; context < self->contexts; context++) {
		ASSERT_EQ(RESERVE, peer_alloc(self->peer, context, self->ours,
					      RESERVE));
		ASSERT_EQ(0, peer_free(self->peer, context, self->ours,
				       RESERVE));
	}
	ASSERT_EQ(RESERVE, sleep_take(self->peer, self->ours, RESERVE));
	ASSERT_EQ(0, peer_free(self->peer, PROCESS, self->ours, RESERVE));
	ASSERT_FALSE(is_served(&client));
	ASSERT_EQ(0, pool_free(self->fd, self->theirs, 1, NULL));
	ASSERT_EQ(0, waiter_result(&client));
	waiter_end(&client);
	pool_await_held(self->fd, FOR_CLIENTS - 6);
}

/* The kernel's stand before the clients', and behind one another. */
TEST_F(reserve, the_kernel_waits)
{
	struct waiter client, first, killed, second;

	ASSERT_EQ(0, pool_alloc(self->fd, self->theirs, FOR_CLIENTS));
	client = waiter_start(self->name, 1, -1);
	ASSERT_EQ(RESERVE, sleep_take(self->peer, self->ours, RESERVE));
	first = kernel_waiter_start(self->name, 2, self->fd);
	killed = kernel_waiter_start(self->name, 1, self->fd);
	waiter_end(&killed);
	second = kernel_waiter_start(self->name, 1, self->fd);

	ASSERT_EQ(0, pool_free(self->fd, self->theirs, 1, NULL));
	ASSERT_FALSE(is_served(&second));
	ASSERT_EQ(0, pool_free(self->fd, self->theirs + 1, 1, NULL));
	ASSERT_EQ(0, waiter_result(&first));
	ASSERT_FALSE(is_served(&second));
	ASSERT_EQ(0, pool_free(self->fd, self->theirs + 2, 1, NULL));
	ASSERT_EQ(0, waiter_result(&second));

	/* The reserve must be whole, and one block more be there. */
	ASSERT_EQ(0, peer_free(self->peer, PROCESS, self->ours, RESERVE));
	ASSERT_FALSE(is_served(&client));
	ASSERT_EQ(0, pool_free(self->fd, self->theirs + 3, 1, NULL));
	ASSERT_EQ(0, waiter_result(&client));
	waiter_end(&client);
	waiter_end(&first);
	waiter_end(&second);
	pool_await_held(self->fd, FOR_CLIENTS - 4);
}

/* One that leaves the queue lets those through before whom it was. */
TEST_F(reserve, the_kernel_waits_and_is_killed)
{
	struct waiter client, kernel;

	ASSERT_EQ(0, pool_alloc(self->fd, self->theirs, FOR_CLIENTS));
	ASSERT_EQ(RESERVE, sleep_take(self->peer, self->ours, RESERVE));
	client = waiter_start(self->name, 1, -1);
	kernel = kernel_waiter_start(self->name, RESERVE + 3, self->fd);
	ASSERT_EQ(0, pool_free(self->fd, self->theirs, 2, NULL));
	ASSERT_EQ(0, peer_free(self->peer, PROCESS, self->ours, RESERVE));
	ASSERT_FALSE(is_served(&kernel));
	ASSERT_FALSE(is_served(&client));
	waiter_end(&kernel);
	ASSERT_EQ(0, waiter_result(&client));
	waiter_end(&client);
	pool_await_held(self->fd, FOR_CLIENTS - 2);
}

/*
 * What clients are told
 */
static bool can_take(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

	must(poll(&poll_fd, 1, 0) >= 0);
	return poll_fd.revents & POLLOUT;
}

TEST_F(reserve, poll)
{
	ASSERT_TRUE(can_take(self->fd));
	ASSERT_EQ(0, pool_alloc(self->fd, self->theirs, FOR_CLIENTS - 1));
	ASSERT_TRUE(can_take(self->fd));
	ASSERT_LE(0, pool_take(self->fd));
	ASSERT_FALSE(can_take(self->fd));
	ASSERT_EQ(1, peer_alloc(self->peer, PROCESS, self->ours, 1));
	ASSERT_EQ(0, pool_free(self->fd, self->theirs, 1, NULL));
	ASSERT_FALSE(can_take(self->fd));
	ASSERT_EQ(0, peer_free(self->peer, PROCESS, self->ours, 1));
	ASSERT_TRUE(can_take(self->fd));
}

/* The block that makes the reserve whole is no news, the next is. */
TEST_F(reserve, edge)
{
	struct epoll_event event = { .events = EPOLLOUT | EPOLLET };
	int queue = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_EQ(0, pool_alloc(self->fd, self->theirs, FOR_CLIENTS));
	ASSERT_EQ(2, peer_alloc(self->peer, PROCESS, self->ours, 2));
	ASSERT_EQ(0, epoll_ctl(queue, EPOLL_CTL_ADD, self->fd, &event));
	ASSERT_EQ(0, epoll_wait(queue, &event, 1, 0));
	ASSERT_EQ(0, peer_free(self->peer, PROCESS, self->ours, 2));
	ASSERT_EQ(0, epoll_wait(queue, &event, 1, NAP_MS));
	ASSERT_EQ(0, pool_free(self->fd, self->theirs, 1, NULL));
	ASSERT_EQ(1, epoll_wait(queue, &event, 1, LONG_MS));
	close(queue);
}

TEST_F(reserve, status)
{
	const volatile struct blockpool_status *status;

	status = mmap(NULL, getpagesize(), PROT_READ, MAP_SHARED, self->fd,
		      pool_info(self->fd).status_offset);
	ASSERT_NE(MAP_FAILED, status);
	ASSERT_EQ(FOR_CLIENTS / 8, status->cache_max);
	ASSERT_EQ(0, pool_alloc(self->fd, self->theirs, FOR_CLIENTS));
	ASSERT_EQ(0, status->wanted);
	ASSERT_EQ(-EAGAIN, pool_take(self->fd));
	ASSERT_EQ(1, status->wanted);

	/* The kernel may take and free as it likes; no client is helped by it. */
	ASSERT_EQ(RESERVE, peer_alloc(self->peer, PROCESS, self->ours, RESERVE));
	ASSERT_EQ(0, peer_free(self->peer, PROCESS, self->ours, RESERVE));
	ASSERT_EQ(1, status->wanted);
	ASSERT_EQ(0, pool_free(self->fd, self->theirs, 1, NULL));
	ASSERT_EQ(0, status->wanted);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/*
 * Every function that blockpool exports, called by another module in each
 * context that it may be called in.
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "harness.h"
#include "peer/user.h"

#define PROCESS		BLOCKPOOL_PEER_PROCESS
#define BLOCKS		100U
#define FLAGS		(BLOCKPOOL_PERSIST | BLOCKPOOL_ON_NODE | \
			 BLOCKPOOL_ISOLATED | BLOCKPOOL_DEBUG)
#ifdef SYS_poll
#define POLL_CALL	SYS_poll	/* what poll() is in the C library */
#else
#define POLL_CALL	SYS_ppoll
#endif
#define LONG_NAME	"12345678901234567890123456789012"	/* by the NUL */

/* What blockpool_alloc() and its kin return in the context of a variant. */

FIXTURE(context)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int user;
	int peer;
	__u32 indices[BLOCKS + 1];
};

FIXTURE_VARIANT(context)
{
	__u32 context;
};

FIXTURE_VARIANT_ADD(context, process)
{
	.context = BLOCKPOOL_PEER_PROCESS,
};

FIXTURE_VARIANT_ADD(context, softirq)
{
	.context = BLOCKPOOL_PEER_SOFTIRQ,
};

FIXTURE_VARIANT_ADD(context, hardirq)
{
	.context = BLOCKPOOL_PEER_HARDIRQ,
};

FIXTURE_VARIANT_ADD(context, nmi)
{
	.context = BLOCKPOOL_PEER_NMI,
};

/* On one CPU: what is in another's magazine is out of reach for some calls. */
FIXTURE_SETUP(context)
{
	cpu_pin(0);
	pool_name(self->name);
	self->user = pool_new(self->name, 256, BLOCKS);
	self->peer = peer_join(self->name);
	if (variant->context >= peer_contexts(self->peer))
		SKIP(return, "this machine has no NMIs to send");
}

FIXTURE_TEARDOWN(context)
{
	close(self->peer);
	pool_drain(self->user);
	close(self->user);
	EXPECT_FALSE(pool_listed(self->name));
}

/* Whether each of count indices is below the limit and there once. */
static bool distinct(const __u32 *indices, __u32 count, __u32 limit)
{
	for (__u32 i = 0; i < count; i++) {
		if (indices[i] >= limit)
			return false;
		for (__u32 k = 0; k < i; k++)
			if (indices[i] == indices[k])
				return false;
	}
	return true;
}

/* Swaps about, so that blocks do not go back in the order they came. */
static void shuffle(__u32 *indices, __u32 count)
{
	unsigned int seed = 1;

	for (__u32 i = count - 1; i > 0; i--) {
		__u32 k = rand_r(&seed) % (i + 1), index = indices[i];

		indices[i] = indices[k];
		indices[k] = index;
	}
}

TEST_F(context, exhaustion)
{
	struct blockpool_stats stats;

	ASSERT_EQ(BLOCKS, peer_alloc(self->peer, variant->context,
				     self->indices, BLOCKS + 1));
	EXPECT_TRUE(distinct(self->indices, BLOCKS, BLOCKS));
	stats = pool_stats(self->user);
	EXPECT_EQ(BLOCKS, stats.nr_kernel);
	EXPECT_EQ(BLOCKS, stats.nr_held);
	EXPECT_EQ(BLOCKS, stats.allocs);
	EXPECT_EQ(1, stats.failures);
	pool_check(self->user, BLOCKS);

	EXPECT_EQ(-EAGAIN, peer_take(self->peer, variant->context));
	EXPECT_EQ(-EAGAIN, peer_alloc_bulk(self->peer, variant->context,
					   self->indices + BLOCKS, 1));
	EXPECT_EQ(-EAGAIN, pool_take(self->user));
	EXPECT_EQ(4, pool_stats(self->user).failures);

	shuffle(self->indices, BLOCKS);
	ASSERT_EQ(0, peer_free(self->peer, variant->context, self->indices,
			       BLOCKS));
	stats = pool_stats(self->user);
	EXPECT_EQ(0, stats.nr_kernel);
	EXPECT_EQ(BLOCKS, stats.frees);
	EXPECT_EQ(0, stats.min_free);
	EXPECT_EQ(0, stats.refused);
	pool_drain(self->user);
}

TEST_F(context, bulk_all_or_nothing)
{
	ASSERT_EQ(0, peer_alloc_bulk(self->peer, variant->context,
				     self->indices, 60));
	pool_check(self->user, 60);
	EXPECT_EQ(-EAGAIN, peer_alloc_bulk(self->peer, variant->context,
					   self->indices + 60, 41));
	EXPECT_EQ(60, pool_stats(self->user).allocs);
	EXPECT_EQ(40, pool_stats(self->user).min_free);
	pool_check(self->user, 60);

	EXPECT_EQ(0, peer_alloc_bulk(self->peer, variant->context,
				     self->indices + 60, 40));
	EXPECT_TRUE(distinct(self->indices, BLOCKS, BLOCKS));
	pool_check(self->user, BLOCKS);

	shuffle(self->indices, BLOCKS);
	EXPECT_EQ(0, peer_free_bulk(self->peer, variant->context,
				    self->indices, BLOCKS));
	EXPECT_EQ(BLOCKS, pool_stats(self->user).frees);
	EXPECT_EQ(0, pool_stats(self->user).refused);
}

TEST_F(context, bulk_bad_count)
{
	EXPECT_EQ(-EINVAL, peer_alloc_bulk(self->peer, variant->context,
					   self->indices, BLOCKS + 1));
	EXPECT_EQ(-EINVAL, peer_alloc_bulk(self->peer, variant->context,
					   self->indices, 0));
	EXPECT_EQ(0, peer_free_bulk(self->peer, variant->context,
				    self->indices, 0));
	EXPECT_EQ(0, pool_stats(self->user).allocs);
	EXPECT_EQ(0, pool_stats(self->user).frees);
	EXPECT_EQ(0, pool_stats(self->user).refused);
}

/* A bulk takes no more than BLOCKPOOL_BATCH_MAX; it frees any number. */
TEST_F(context, bulk_too_large)
{
	__u32 nr = BLOCKPOOL_BATCH_MAX + 1, *indices;
	char name[BLOCKPOOL_NAME_SIZE];
	int user, peer;

	pool_name(name);
	user = pool_new(name, 1, nr);
	peer = peer_join(name);
	indices = calloc(nr, sizeof(*indices));
	EXPECT_EQ(-EINVAL, peer_alloc_bulk(peer, variant->context, indices,
					   nr));
	EXPECT_EQ(0, peer_alloc_bulk(peer, variant->context, indices, nr - 1));
	EXPECT_EQ(1, peer_alloc(peer, variant->context, indices + nr - 1, 2));
	pool_check(user, nr);
	EXPECT_EQ(0, peer_free_bulk(peer, variant->context, indices, nr));
	pool_drain(user);
	free(indices);
	close(peer);
	close(user);
}

/*
 * The classic case: a counter that assumes frees in order hands B out twice.
 * Also with the user as one of the three.
 */
TEST_F(context, out_of_order)
{
	int a, b, c, peer = self->peer;

	for (int round = 0; round < 50; round++) {
		a = peer_take(peer, variant->context);
		b = round % 2 ? pool_take(self->user)
			      : peer_take(peer, variant->context);
		ASSERT_GE(a, 0);
		ASSERT_GE(b, 0);
		ASSERT_NE(a, b);
		ASSERT_EQ(0, peer_give(peer, variant->context, a));
		c = peer_take(peer, variant->context);
		ASSERT_GE(c, 0);
		ASSERT_NE(b, c);
		pool_check(self->user, 2);
		ASSERT_EQ(0, round % 2 ? pool_give(self->user, b)
				       : peer_give(peer, variant->context, b));
		ASSERT_EQ(0, peer_give(peer, variant->context, c));
		pool_check(self->user, 0);
	}
	EXPECT_EQ(0, pool_stats(self->user).refused);
}

TEST_F(context, double_free)
{
	struct blockpool_stats stats;
	int kept = peer_take(self->peer, variant->context);
	int index = peer_take(self->peer, variant->context);

	ASSERT_GE(kept, 0);
	ASSERT_GE(index, 0);
	ASSERT_EQ(0, peer_give(self->peer, variant->context, index));
	for (int i = 1; i <= 20; i++) {
		ASSERT_EQ(0, peer_give(self->peer, variant->context, index));
		stats = pool_stats(self->user);
		ASSERT_EQ(i, stats.refused);
		ASSERT_EQ(1, stats.frees);
		ASSERT_EQ(1, stats.nr_kernel);
		pool_check(self->user, 1);
	}
}

/* What is good in a bulk is freed, whatever is beside it: here, each twice. */
TEST_F(context, double_free_in_bulk)
{
	__u32 twice[2 * BLOCKS];

	ASSERT_EQ(0, peer_alloc_bulk(self->peer, variant->context,
				     self->indices, BLOCKS));
	for (__u32 i = 0; i < 2 * BLOCKS; i++)
		twice[i] = self->indices[i / 2];
	ASSERT_EQ(0, peer_free_bulk(self->peer, variant->context, twice,
				    2 * BLOCKS));
	EXPECT_EQ(BLOCKS, pool_stats(self->user).refused);
	EXPECT_EQ(BLOCKS, pool_stats(self->user).frees);
	pool_check(self->user, 0);
}

TEST_F(context, free_of_a_users_block)
{
	int index = pool_take(self->user);
	__u32 id = pool_info(self->user).client, owner;

	ASSERT_GE(index, 0);
	ASSERT_EQ(0, peer_give(self->peer, variant->context, index));
	EXPECT_EQ(1, pool_stats(self->user).refused);
	EXPECT_EQ(0, pool_stats(self->user).frees);
	ASSERT_EQ(0, pool_owners(self->user, index, 1, &owner));
	EXPECT_EQ(id, owner);
	pool_check(self->user, 1);
	EXPECT_EQ(0, pool_give(self->user, index));
}

TEST_F(context, user_free_of_the_kernels_block)
{
	int index = peer_take(self->peer, variant->context);
	__u32 owner;

	ASSERT_GE(index, 0);
	ASSERT_EQ(0, pool_owners(self->user, index, 1, &owner));
	EXPECT_EQ(BLOCKPOOL_OWNER_KERNEL, owner);
	EXPECT_EQ(-EPERM, pool_give(self->user, index));
	EXPECT_EQ(1, pool_stats(self->user).refused);
	pool_check(self->user, 1);
	EXPECT_EQ(0, peer_give(self->peer, variant->context, index));
	EXPECT_EQ(1, pool_stats(self->user).refused);
}

/* While the kernel holds every block, so that a near miss would do harm. */
TEST_F(context, free_of_no_block)
{
	__u32 kinds[] = {
		BLOCKPOOL_PEER_NULL, BLOCKPOOL_PEER_USER, BLOCKPOOL_PEER_ERROR,
		BLOCKPOOL_PEER_STACK, BLOCKPOOL_PEER_STATIC,
		BLOCKPOOL_PEER_TEXT, BLOCKPOOL_PEER_KMALLOC,
		BLOCKPOOL_PEER_VMALLOC, BLOCKPOOL_PEER_PAGE,
		BLOCKPOOL_PEER_BEFORE, BLOCKPOOL_PEER_INSIDE,
		BLOCKPOOL_PEER_HALF, BLOCKPOOL_PEER_FREED,
	};
	__u64 refused = 0;

	ASSERT_EQ(0, peer_alloc_bulk(self->peer, variant->context,
				     self->indices, BLOCKS));
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		for (__u32 index = 0; index < BLOCKS; index += BLOCKS - 1) {
			ASSERT_EQ(BLOCKPOOL_NO_INDEX,
				  peer_bad(self->peer, variant->context,
					   kinds[i], index, true))
				TH_LOG("kind %u at %u", kinds[i], index);
			ASSERT_EQ(++refused, pool_stats(self->user).refused)
				TH_LOG("kind %u at %u", kinds[i], index);
			ASSERT_EQ(BLOCKS, pool_stats(self->user).nr_kernel);
		}
	}
	EXPECT_EQ(0, pool_stats(self->user).frees);
	pool_check(self->user, BLOCKS);
}

/* The byte behind the last block; this pool ends in the middle of a page. */
TEST_F(context, free_of_what_is_behind)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int user, peer;

	pool_name(name);
	user = pool_new(name, 64, 70);
	peer = peer_open();
	ASSERT_EQ(0, peer_get(peer, name));
	EXPECT_EQ(BLOCKPOOL_NO_INDEX,
		  peer_bad(peer, variant->context, BLOCKPOOL_PEER_BEHIND, 69,
			   true));
	EXPECT_EQ(1, pool_stats(user).refused);
	/* Behind any other there is a block, if only a free one. */
	EXPECT_EQ(7, peer_bad(peer, variant->context, BLOCKPOOL_PEER_BEHIND, 6,
			      true));
	EXPECT_EQ(2, pool_stats(user).refused);
	close(peer);
	pool_drain(user);
	close(user);
}

/* In NMI a bulk does not get what is in the magazine and the depot together. */
static int take_all(int peer, __u32 context, __u32 *indices)
{
	if (context == BLOCKPOOL_PEER_NMI)
		return peer_alloc(peer, context, indices, BLOCKS) - BLOCKS;
	return peer_alloc_bulk(peer, context, indices, BLOCKS);
}

/* Takes in this context what is freed in another, and the other way round. */
TEST_F(context, taken_here_freed_there)
{
	__u32 context;

	for (context = 0; context < peer_contexts(self->peer); context++) {
		ASSERT_EQ(BLOCKS, peer_alloc(self->peer, variant->context,
					     self->indices, BLOCKS));
		ASSERT_EQ(0, peer_free(self->peer, context, self->indices,
				       BLOCKS));
		pool_check(self->user, 0);
		ASSERT_EQ(0, take_all(self->peer, context, self->indices));
		ASSERT_EQ(0, peer_free_bulk(self->peer, variant->context,
					    self->indices, BLOCKS));
		pool_check(self->user, 0);
	}
	EXPECT_EQ(0, pool_stats(self->user).refused);
}

TEST_F(context, fill_and_check)
{
	struct blockpool_peer_churn churn = {
		.context = variant->context,
		.interval_us = 200,
		.steps = 2000,
		.depth = 64,
		.batch = 16,
		.length = 256,
		.seed = 7,
	};
	struct blockpool_stats stats;

	ASSERT_EQ(0, pool_ioctl(self->peer, BLOCKPOOL_PEER_CHURN_RUN, &churn));
	EXPECT_EQ(2000, churn.done);
	EXPECT_EQ(0, churn.corrupted);
	EXPECT_GT(churn.taken, 2000);
	EXPECT_EQ(churn.taken, churn.freed);
	stats = pool_stats(self->user);
	EXPECT_EQ(churn.taken, stats.allocs);
	EXPECT_EQ(churn.freed, stats.frees);
	EXPECT_EQ(churn.failed, stats.failures);
	EXPECT_EQ(0, stats.refused);
	EXPECT_GE(BLOCKS - 64, stats.min_free);
	EXPECT_LE(BLOCKS - 64 - BLOCKS / 8, stats.min_free);
}

/* A churn that goes on ends with its file, and leaves nothing behind. */
TEST_F(context, closed_while_it_churns)
{
	const struct timespec nap = { .tv_nsec = 20000000 };
	struct blockpool_peer_churn churn = {
		.context = variant->context,
		.interval_us = 200,
		.depth = 64,
		.batch = 16,
		.length = 256,
		.seed = 8,
	};
	int peer = peer_join(self->name);
	__u64 allocs;

	if (variant->context == PROCESS) {
		EXPECT_EQ(-EBADR, pool_ioctl(peer, BLOCKPOOL_PEER_CHURN_START,
					     &churn));
		close(peer);
		return;
	}
	ASSERT_EQ(0, pool_ioctl(peer, BLOCKPOOL_PEER_CHURN_START, &churn));
	for (int i = 0; i < 500 && !pool_stats(self->user).allocs; i++)
		nanosleep(&nap, NULL);
	close(peer);
	allocs = pool_stats(self->user).allocs;
	EXPECT_GT(allocs, 0);
	pool_check(self->user, 0);
	nanosleep(&nap, NULL);
	EXPECT_EQ(allocs, pool_stats(self->user).allocs);
	EXPECT_EQ(0, pool_stats(self->user).refused);
}

/* A free in this context serves a user who sleeps. */
TEST_F(context, free_wakes_a_user)
{
	struct waiter waiter;

	ASSERT_EQ(0, peer_alloc_bulk(self->peer, variant->context,
				     self->indices, BLOCKS));
	waiter = waiter_start(self->name, 2, -1);
	ASSERT_EQ(0, peer_give(self->peer, variant->context,
			       self->indices[0]));
	EXPECT_EQ(1, pool_stats(self->user).nr_waiting);
	ASSERT_EQ(0, peer_give(self->peer, variant->context,
			       self->indices[1]));
	EXPECT_EQ(0, waiter_result(&waiter));
	EXPECT_EQ(0, pool_stats(self->user).nr_waiting);
	EXPECT_EQ(1, pool_stats(self->user).waits);
	pool_check(self->user, BLOCKS);
	waiter_end(&waiter);
}

static int poll_for_a_block(int fd, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
	int ret = poll(&poll_fd, 1, timeout_ms);

	return ret == 1 ? poll_fd.revents : ret;
}

/* Until it is asleep in poll(): of one that runs, "running" is all that is told. */
static void await_polling(pid_t pid)
{
	const struct timespec nap = { .tv_nsec = 10000000 };
	char path[64], text[256];
	long call = -1;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	for (int i = 0; i < 2000 && call != POLL_CALL; i++) {
		nanosleep(&nap, NULL);
		must(!file_read(path, text, sizeof(text)));
		call = strtol(text, NULL, 10);	/* 0 of "running" is read() */
	}
	if (call != POLL_CALL)
		pool_fatal("%d is not in poll(), but: %s", pid, text);
}

TEST_F(context, free_wakes_a_poller)
{
	pid_t child;

	ASSERT_EQ(0, peer_alloc_bulk(self->peer, variant->context,
				     self->indices, BLOCKS));
	EXPECT_EQ(0, poll_for_a_block(self->user, 0));
	child = child_fork();
	if (!child) {
		/* At a timeout poll() looks again: only a signal tells. */
		alarm(20);
		_exit(poll_for_a_block(self->user, -1) & POLLOUT ? 0 : 1);
	}
	await_polling(child);
	ASSERT_EQ(0, peer_give(self->peer, variant->context,
			       self->indices[0]));
	EXPECT_EQ(0, child_reap(child));
	EXPECT_NE(0, POLLOUT & poll_for_a_block(self->user, 0));
}

/* Who cannot wait may take what a sleeper, who needs more, has not got yet. */
TEST_F(context, atomic_barges)
{
	struct waiter waiter;
	int index;

	ASSERT_EQ(0, peer_alloc_bulk(self->peer, variant->context,
				     self->indices, BLOCKS));
	waiter = waiter_start(self->name, 2, -1);
	ASSERT_EQ(0, peer_give(self->peer, variant->context,
			       self->indices[0]));
	EXPECT_EQ(-EAGAIN, pool_take(self->user));
	index = peer_take(self->peer, variant->context);
	EXPECT_EQ(self->indices[0], index);
	EXPECT_EQ(1, pool_stats(self->user).nr_waiting);
	ASSERT_EQ(0, peer_free_bulk(self->peer, variant->context,
				    self->indices, 2));
	EXPECT_EQ(0, waiter_result(&waiter));
	waiter_end(&waiter);
}

/* Pools: blockpool_create(), blockpool_get(), blockpool_put(). */

FIXTURE(pool)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int peer;
};

FIXTURE_SETUP(pool)
{
	pool_name(self->name);
	self->peer = peer_open();
	ASSERT_GE(self->peer, 0);
}

FIXTURE_TEARDOWN(pool)
{
	close(self->peer);
	EXPECT_FALSE(pool_listed(self->name));
}

#define expect_create(expected, change) \
	do { \
		struct blockpool_peer_create attr = \
			peer_attr(self->name, 100, 10); \
		unsigned int count = pool_count(); \
		\
		change; \
		EXPECT_EQ(expected, peer_create(self->peer, attr)) \
			TH_LOG("%s", #change); \
		EXPECT_EQ(count, pool_count()); \
	} while (0)

static void rename_to(struct blockpool_peer_create *attr, const char *name)
{
	*attr = peer_attr(name, attr->block_size, attr->nr_blocks);
}

TEST_F(pool, create_bad_attr)
{
	expect_create(-EINVAL, attr.null_name = 1);
	expect_create(-EINVAL, rename_to(&attr, ""));
	expect_create(-EINVAL, rename_to(&attr, "."));
	expect_create(-EINVAL, rename_to(&attr, ".."));
	expect_create(-EINVAL, rename_to(&attr, "a/b"));
	expect_create(-EINVAL, rename_to(&attr, "a\nb"));
	expect_create(-EINVAL, rename_to(&attr, "a\x7f"));
	expect_create(-EINVAL, rename_to(&attr, "\xc3\xa9"));
	expect_create(-EINVAL, rename_to(&attr, LONG_NAME));
	expect_create(-EINVAL, attr.block_size = 0);
	expect_create(-EINVAL, attr.block_size = BLOCKPOOL_BLOCK_SIZE_MAX + 1);
	expect_create(-EINVAL, attr.block_size = 1ULL << 32);
	expect_create(-EINVAL, attr.block_size = -1ULL);
	expect_create(-EINVAL, attr.nr_blocks = 0);
	expect_create(-EINVAL, attr.nr_blocks = BLOCKPOOL_BLOCKS_MAX + 1);
	expect_create(-EINVAL, attr.nr_blocks = -1U);
	for (int bit = 0; bit < 32; bit++)
		if (!(1U << bit & FLAGS))
			expect_create(-EINVAL, attr.flags = 1U << bit);
	expect_create(-EINVAL, attr.node = 1);
	expect_create(-EINVAL, (attr.flags = BLOCKPOOL_ON_NODE,
				attr.node = 4096));
	expect_create(-EINVAL, (attr.flags = BLOCKPOOL_ON_NODE,
				attr.node = -1U));
	for (int bit = 9; bit < 16; bit++)
		expect_create(-EINVAL, attr.mode = 0600 | 1U << bit);
}

TEST_F(pool, create_too_large)
{
	__u64 pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	__u32 too_many = pages * size / BLOCKPOOL_BLOCK_SIZE_MAX + 1;

	expect_create(-ENOMEM,
		      (attr.block_size = BLOCKPOOL_BLOCK_SIZE_MAX,
		       attr.nr_blocks = BLOCKPOOL_BLOCKS_MAX));
	expect_create(-ENOMEM,
		      (attr.block_size = BLOCKPOOL_BLOCK_SIZE_MAX,
		       attr.nr_blocks = too_many));
}

TEST_F(pool, create_twice)
{
	int other = peer_open();

	ASSERT_EQ(0, peer_create(self->peer, peer_attr(self->name, 100, 10)));
	EXPECT_EQ(-EEXIST, peer_create(other, peer_attr(self->name, 7, 7)));
	ASSERT_EQ(0, peer_get(other, self->name));
	close(other);
	EXPECT_EQ(0, peer_put(self->peer));
	ASSERT_EQ(0, peer_create(self->peer, peer_attr(self->name, 7, 7)));
}

TEST_F(pool, what_was_asked_for)
{
	struct blockpool_peer_create attr = peer_attr(self->name, 1500, 33);
	struct blockpool_info info;
	int user;

	attr.mode = 0640;
	attr.client_max = 3;
	ASSERT_EQ(0, peer_create(self->peer, attr));
	user = pool_join(self->name);
	info = pool_info(user);
	EXPECT_STREQ(self->name, info.name);
	EXPECT_EQ(0, info.flags);
	EXPECT_EQ(1500, info.block_size);
	EXPECT_EQ(33, info.nr_blocks);
	EXPECT_EQ(0640, info.mode);
	EXPECT_EQ(3, info.client_max);
	EXPECT_EQ(0, info.uid);
	EXPECT_EQ(0, info.gid);
	close(user);
}

TEST_F(pool, mode_default)
{
	int user;

	ASSERT_EQ(0, peer_create(self->peer, peer_attr(self->name, 1, 1)));
	user = pool_join(self->name);
	EXPECT_EQ(0600, pool_info(user).mode);
	EXPECT_EQ(0, pool_info(user).client_max);
	close(user);
}

/* The limit is for clients, and the kernel is none. */
TEST_F(pool, client_max_is_not_for_the_kernel)
{
	struct blockpool_peer_create attr = peer_attr(self->name, 64, 10);
	__u32 indices[10];
	int user;

	attr.client_max = 2;
	ASSERT_EQ(0, peer_create(self->peer, attr));
	user = pool_join(self->name);
	EXPECT_EQ(-EDQUOT, pool_alloc(user, indices, 3));
	EXPECT_EQ(10, peer_alloc(self->peer, PROCESS, indices, 10));
	pool_check(user, 10);
	EXPECT_EQ(0, peer_free(self->peer, PROCESS, indices, 10));
	close(user);
}

TEST_F(pool, get_unknown)
{
	EXPECT_EQ(-ENOENT, peer_get(self->peer, self->name));
	EXPECT_EQ(-ENOENT, peer_get(self->peer, ""));
	EXPECT_EQ(-ENOENT, peer_get(self->peer, "no\nsuch/pool"));
	EXPECT_EQ(-ENXIO, peer_put(self->peer));
}

/* A pool lives while the kernel holds it, and not for longer. */
TEST_F(pool, put_ends_it)
{
	int other = peer_open();

	ASSERT_EQ(0, peer_create(self->peer, peer_attr(self->name, 64, 10)));
	ASSERT_EQ(0, peer_get(other, self->name));
	EXPECT_EQ(0, peer_put(self->peer));
	EXPECT_TRUE(pool_listed(self->name));
	EXPECT_EQ(0, peer_put(other));
	EXPECT_FALSE(pool_listed(self->name));
	EXPECT_EQ(-ENOENT, peer_get(other, self->name));
	close(other);
}

TEST_F(pool, kernel_keeps_a_users_pool)
{
	int user = pool_new(self->name, 64, 10), index;

	ASSERT_EQ(0, peer_get(self->peer, self->name));
	close(user);
	EXPECT_TRUE(pool_listed(self->name));
	index = peer_take(self->peer, PROCESS);
	ASSERT_GE(index, 0);
	user = pool_join(self->name);
	pool_check(user, 1);
	EXPECT_EQ(0, peer_give(self->peer, PROCESS, index));
	EXPECT_EQ(0, peer_put(self->peer));
	EXPECT_TRUE(pool_listed(self->name));
	close(user);
}

TEST_F(pool, unlinked_while_the_kernel_has_it)
{
	int other = peer_open(), user;
	__u32 indices[10];

	ASSERT_EQ(0, peer_create(self->peer, peer_attr(self->name, 64, 10)));
	user = pool_join(self->name);
	ASSERT_EQ(0, pool_unlink(self->name));
	EXPECT_EQ(-ENOENT, peer_get(other, self->name));
	ASSERT_EQ(0, peer_create(other, peer_attr(self->name, 64, 20)));

	EXPECT_EQ(10, peer_alloc(self->peer, PROCESS, indices, 10));
	pool_check(user, 10);
	EXPECT_EQ(0, peer_free(self->peer, PROCESS, indices, 10));
	pool_drain(user);
	EXPECT_EQ(BLOCKPOOL_UNLINKED, pool_info(user).flags);
	close(other);
	close(user);
}

TEST_F(pool, persistent)
{
	struct blockpool_peer_create attr = peer_attr(self->name, 64, 10);

	attr.flags = BLOCKPOOL_PERSIST;
	ASSERT_EQ(0, peer_create(self->peer, attr));
	EXPECT_EQ(0, peer_put(self->peer));
	EXPECT_TRUE(pool_listed(self->name));
	ASSERT_EQ(0, peer_get(self->peer, self->name));
	EXPECT_EQ(0, peer_put(self->peer));
	EXPECT_TRUE(pool_listed(self->name));
	EXPECT_EQ(0, pool_unlink(self->name));
	EXPECT_FALSE(pool_listed(self->name));
}

/* A kernel user that goes takes its blocks with it, if it is an honest one. */
TEST_F(pool, close_gives_back)
{
	int other = peer_open(), user;
	__u32 indices[7];

	ASSERT_EQ(0, peer_create(self->peer, peer_attr(self->name, 64, 10)));
	ASSERT_EQ(0, peer_get(other, self->name));
	user = pool_join(self->name);
	ASSERT_EQ(7, peer_alloc(other, PROCESS, indices, 7));
	pool_check(user, 7);
	close(other);
	pool_check(user, 0);
	EXPECT_EQ(7, pool_stats(user).frees);
	EXPECT_EQ(0, pool_stats(user).reclaimed);
	close(user);
}

static int references(void)
{
	char text[16];

	must(!file_read("/sys/module/blockpool/refcnt", text, sizeof(text)));
	return atoi(text);
}

/*
 * Neither module can go while an open file of the peer has a pool: not because
 * of the symbols, which a kernel user may have got in another way.
 */
TEST_F(pool, no_unload)
{
	int index, before = references();

	ASSERT_EQ(0, peer_create(self->peer, peer_attr(self->name, 64, 10)));
	EXPECT_EQ(before + 1, references());
	EXPECT_EQ(0, peer_put(self->peer));
	EXPECT_EQ(before, references());
	ASSERT_EQ(0, peer_get(self->peer, "default"));
	EXPECT_EQ(before + 1, references());
	ASSERT_EQ(0, peer_create(self->peer, peer_attr(self->name, 64, 10)));
	EXPECT_EQ(before + 1, references());

	EXPECT_EQ(-1, syscall(SYS_delete_module, "blockpool", O_NONBLOCK));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(-1, syscall(SYS_delete_module, "blockpool_peer", O_NONBLOCK));
	EXPECT_EQ(EAGAIN, errno);
	index = peer_take(self->peer, PROCESS);
	EXPECT_GE(index, 0);
	EXPECT_EQ(0, peer_give(self->peer, PROCESS, index));
}

/* Geometry: blockpool_index(), blockpool_block(), and the memory itself. */

FIXTURE(geometry)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int peer;
	int user;
	int pagemap;
	struct blockpool_info info;
	char *map;
};

FIXTURE_VARIANT(geometry)
{
	__u32 block_size;
	__u32 nr_blocks;
};

#define BLOCKS_OF(size, nr)	{ .block_size = size, .nr_blocks = nr }

FIXTURE_VARIANT_ADD(geometry, size_1_nr_1) BLOCKS_OF(1, 1);
FIXTURE_VARIANT_ADD(geometry, size_1_nr_1000) BLOCKS_OF(1, 1000);
FIXTURE_VARIANT_ADD(geometry, size_64_nr_777) BLOCKS_OF(64, 777);
FIXTURE_VARIANT_ADD(geometry, size_64_nr_70000) BLOCKS_OF(64, 70000);
FIXTURE_VARIANT_ADD(geometry, size_65_nr_70000) BLOCKS_OF(65, 70000);
FIXTURE_VARIANT_ADD(geometry, size_100_nr_999) BLOCKS_OF(100, 999);
FIXTURE_VARIANT_ADD(geometry, size_1500_nr_301) BLOCKS_OF(1500, 301);
FIXTURE_VARIANT_ADD(geometry, size_2048_nr_256) BLOCKS_OF(2048, 256);
FIXTURE_VARIANT_ADD(geometry, size_4096_nr_64) BLOCKS_OF(4096, 64);
FIXTURE_VARIANT_ADD(geometry, size_4097_nr_65) BLOCKS_OF(4097, 65);
FIXTURE_VARIANT_ADD(geometry, size_9000_nr_33) BLOCKS_OF(9000, 33);
FIXTURE_VARIANT_ADD(geometry, size_192_nr_30000) BLOCKS_OF(192, 30000);
FIXTURE_VARIANT_ADD(geometry, size_960_nr_9000) BLOCKS_OF(960, 9000);
FIXTURE_VARIANT_ADD(geometry, size_1920_nr_5000) BLOCKS_OF(1920, 5000);
FIXTURE_VARIANT_ADD(geometry, size_65536_nr_9) BLOCKS_OF(65536, 9);
FIXTURE_VARIANT_ADD(geometry, size_1m_and_1_nr_5) BLOCKS_OF((1 << 20) + 1, 5);
FIXTURE_VARIANT_ADD(geometry, size_4m_nr_2) BLOCKS_OF(4 << 20, 2);

FIXTURE_SETUP(geometry)
{
	pool_name(self->name);
	self->peer = peer_open();
	ASSERT_EQ(0, peer_create(self->peer,
				 peer_attr(self->name, variant->block_size,
					   variant->nr_blocks)));
	self->user = pool_join(self->name);
	self->info = pool_info(self->user);
	self->map = pool_map(self->user);
	self->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	ASSERT_GE(self->pagemap, 0);
}

FIXTURE_TEARDOWN(geometry)
{
	close(self->pagemap);
	munmap(self->map, self->info.map_size);
	close(self->user);
	close(self->peer);
	EXPECT_FALSE(pool_listed(self->name));
}

TEST_F(geometry, every_index)
{
	struct blockpool_peer_walk walk;

	memset(&walk, POOL_POISON, sizeof(walk));
	ASSERT_EQ(0, pool_ioctl(self->peer, BLOCKPOOL_PEER_WALK, &walk));
	EXPECT_EQ(variant->nr_blocks, walk.nr_blocks);
	EXPECT_EQ(variant->block_size, walk.block_size);
	EXPECT_EQ(0, walk.misaligned);
	EXPECT_EQ(0, walk.wrong_index);
	EXPECT_EQ(0, walk.wrong_inside);
	EXPECT_EQ(0, walk.wrong_beyond);
}

/* Where a byte of the mapping lies in memory; 0 if it is not there. */
static __u64 physical(int pagemap, const char *byte)
{
	__u64 page = sysconf(_SC_PAGESIZE), at = (uintptr_t)byte, entry;

	if (pread(pagemap, &entry, sizeof(entry), at / page * sizeof(entry)) !=
	    sizeof(entry) || !(entry >> 63))
		return 0;
	return (entry & ((1ULL << 55) - 1)) * page + at % page;
}

/*
 * The user's bytes are the kernel's, and in a row: what the pages are is asked
 * of the kernel's page tables, not of blockpool.
 */
TEST_F(geometry, in_place_and_contiguous)
{
	__u32 page = sysconf(_SC_PAGESIZE), size = variant->block_size, i, at;
	__u32 step = variant->nr_blocks > 1000 ? 97 : 1;
	char *block;

	for (i = 0; i < variant->nr_blocks; i += step) {
		struct blockpool_peer_where where = { .index = i };

		ASSERT_EQ(0, pool_ioctl(self->peer, BLOCKPOOL_PEER_WHERE,
					&where));
		ASSERT_NE(0, where.physical);
		block = self->map + self->info.block_offset +
			(size_t)i * self->info.stride;
		for (at = 0; at < size; at += page)
			ASSERT_EQ(where.physical + at,
				  physical(self->pagemap, block + at));
		ASSERT_EQ(where.physical + size - 1,
			  physical(self->pagemap, block + size - 1));
	}
}

/* And not only within a block. */
TEST_F(geometry, chunks_are_contiguous)
{
	__u64 page = sysconf(_SC_PAGESIZE), chunk = self->info.chunk_size, at;
	__u64 first = 0;

	ASSERT_EQ(0, chunk % page);
	ASSERT_EQ(0, chunk % self->info.stride);
	for (at = 0; at < self->info.map_size; at += page) {
		if (at % chunk == 0)
			first = physical(self->pagemap, self->map + at);
		ASSERT_NE(0, first);
		ASSERT_EQ(first + at % chunk,
			  physical(self->pagemap, self->map + at))
			TH_LOG("byte %llu", at);
	}
}

static bool filled(const char *block, __u32 size, __u32 seed)
{
	for (__u32 i = 0; i < size; i++)
		if ((__u8)block[i] != blockpool_peer_byte(seed, i))
			return false;
	return true;
}

static void fill(char *block, __u32 size, __u32 seed)
{
	for (__u32 i = 0; i < size; i++)
		block[i] = blockpool_peer_byte(seed, i);
}

/* All blocks are written before any is looked at: none overlaps another. */
TEST_F(geometry, each_sees_what_the_other_wrote)
{
	__u32 size = variant->block_size, stride = self->info.stride;
	char *first = self->map + self->info.block_offset;
	__u32 nr = variant->nr_blocks, i;
	__u32 *indices;

	if (nr > BLOCKPOOL_BATCH_MAX)
		nr = BLOCKPOOL_BATCH_MAX;
	indices = calloc(nr, sizeof(*indices));
	ASSERT_EQ(0, peer_alloc_bulk(self->peer, PROCESS, indices, nr));
	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, peer_data(self->peer, BLOCKPOOL_PEER_FILL,
				       indices[i], size, indices[i]));
	for (i = 0; i < nr; i++)
		ASSERT_TRUE(filled(first + (size_t)indices[i] * stride,
				   size, indices[i]))
			TH_LOG("block %u", indices[i]);

	for (i = 0; i < nr; i++)
		fill(first + (size_t)indices[i] * stride, size, ~indices[i]);
	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, peer_data(self->peer, BLOCKPOOL_PEER_CHECK,
				       indices[i], size, ~indices[i]))
			TH_LOG("block %u", indices[i]);
	ASSERT_EQ(0, peer_free_bulk(self->peer, PROCESS, indices, nr));
	free(indices);
}

/* On a machine with memory in large pieces a chunk is what a page table maps. */
TEST(chunks_are_large)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int fd;

	must(!file_write("/proc/sys/vm/compact_memory", "1"));
	pool_name(name);
	fd = pool_new(name, 2048, 8192);
	EXPECT_EQ(2 << 20, pool_info(fd).chunk_size);
	close(fd);
}

/*
 * Blocks of other pools, of the same stride, and some of them between the blocks of
 * this one, where only what is in their pages tells them from its own.  The last
 * block has a page for itself, which comes from far away.
 */
#define OTHERS		8
#define OTHER_BLOCKS	1024U	/* a chunk */

static __u32 offer_others(struct __test_metadata *_metadata)
{
	struct blockpool_peer_offer offer;
	char names[OTHERS][BLOCKPOOL_NAME_SIZE];
	__u32 indices[OTHER_BLOCKS + 1], between = 0;
	int fds[OTHERS], peer, i, mine = OTHERS / 2;

	for (i = 0; i < OTHERS; i++) {
		pool_name(names[i]);
		fds[i] = pool_new(names[i], 2048, OTHER_BLOCKS + (i == mine));
	}
	peer = peer_join(names[mine]);
	ASSERT_EQ(0, peer_alloc_bulk(peer, PROCESS, indices, OTHER_BLOCKS + 1));
	for (i = 0; i < OTHERS; i++) {
		if (i == mine)
			continue;
		offer = (struct blockpool_peer_offer) { .free = 1 };
		strcpy(offer.name, names[i]);
		ASSERT_EQ(0, pool_ioctl(peer, BLOCKPOOL_PEER_OFFER, &offer));
		EXPECT_EQ(OTHER_BLOCKS, offer.offered);
		EXPECT_EQ(0, offer.found);
		between += offer.between;
		close(fds[i]);
	}
	EXPECT_EQ((OTHERS - 1) * OTHER_BLOCKS, pool_stats(fds[mine]).refused);
	pool_check(fds[mine], OTHER_BLOCKS + 1);
	close(peer);
	pool_drain(fds[mine]);
	close(fds[mine]);
	return between;
}

/* Where chunks come to lie is the machine's affair: until one is between. */
TEST(blocks_of_other_pools)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int ballast[20], n = 0;
	__u32 between;

	do {
		pool_name(name);
		ballast[n++] = pool_new(name, 2048, OTHER_BLOCKS);
		between = offer_others(_metadata);
	} while (!between && n < ARRAY_SIZE(ballast));
	EXPECT_NE(0, between);
	while (n)
		close(ballast[--n]);
}

/* Sleeping: GFP_KERNEL. */

/* A child that is asleep in the peer, and keeps what it gets. */
struct sleeper {
	pid_t pid;
	int fd;
};

static void sleep_for_blocks(const char *name, __u32 op, __u32 count, int fd)
{
	__u32 indices[BLOCKS];
	int peer = peer_join(name);
	int ret = peer_op(peer, op, PROCESS, BLOCKPOOL_PEER_SLEEP, indices,
			  count);

	must(write(fd, &ret, sizeof(ret)) == sizeof(ret));
	for (;;)
		pause();
}

static struct sleeper sleeper_start(int user, const char *name, __u32 op,
				    __u32 count)
{
	__u64 waiting = pool_stats(user).nr_waiting;
	struct sleeper sleeper;
	int fds[2];

	must(!pipe2(fds, O_CLOEXEC));
	sleeper.pid = child_fork();
	if (!sleeper.pid)
		sleep_for_blocks(name, op, count, fds[1]);
	close(fds[1]);
	sleeper.fd = fds[0];
	pool_await_waiting(user, waiting + 1);
	return sleeper;
}

static int sleeper_result(struct sleeper *sleeper)
{
	struct pollfd poll_fd = { .fd = sleeper->fd, .events = POLLIN };
	int ret;

	if (poll(&poll_fd, 1, 20000) != 1 ||
	    read(sleeper->fd, &ret, sizeof(ret)) != sizeof(ret))
		pool_fatal("a sleeper in the kernel was not served");
	return ret;
}

/* Whether it still sleeps. */
static bool sleeper_sleeps(struct sleeper *sleeper)
{
	struct pollfd poll_fd = { .fd = sleeper->fd, .events = POLLIN };

	return !poll(&poll_fd, 1, 0);
}

static void sleeper_end(struct sleeper *sleeper)
{
	child_kill(sleeper->pid);
	close(sleeper->fd);
}

FIXTURE(sleep)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int user;
	int peer;
};

FIXTURE_SETUP(sleep)
{
	pool_name(self->name);
	self->user = pool_new(self->name, 64, 2);
	self->peer = peer_join(self->name);
}

FIXTURE_TEARDOWN(sleep)
{
	close(self->peer);
	pool_drain(self->user);
	close(self->user);
	EXPECT_FALSE(pool_listed(self->name));
}

TEST_F(sleep, not_while_there_are_blocks)
{
	__u32 indices[2];

	EXPECT_EQ(2, peer_op(self->peer, BLOCKPOOL_PEER_ALLOC, PROCESS,
			     BLOCKPOOL_PEER_SLEEP, indices, 2));
	EXPECT_TRUE(distinct(indices, 2, 2));
	EXPECT_EQ(0, peer_free(self->peer, PROCESS, indices, 2));
	EXPECT_EQ(0, peer_op(self->peer, BLOCKPOOL_PEER_ALLOC_BULK, PROCESS,
			     BLOCKPOOL_PEER_SLEEP, indices, 2));
	EXPECT_TRUE(distinct(indices, 2, 2));
	EXPECT_EQ(0, peer_free(self->peer, PROCESS, indices, 2));
	EXPECT_EQ(0, pool_stats(self->user).waits);
	EXPECT_EQ(-EINVAL, peer_op(self->peer, BLOCKPOOL_PEER_ALLOC_BULK,
				   PROCESS, BLOCKPOOL_PEER_SLEEP, indices, 3));
}

TEST_F(sleep, ended_by_a_users_free)
{
	struct sleeper sleeper;
	__u32 indices[2];

	ASSERT_EQ(0, pool_alloc(self->user, indices, 2));
	sleeper = sleeper_start(self->user, self->name, BLOCKPOOL_PEER_ALLOC, 1);
	EXPECT_EQ(1, pool_stats(self->user).waits);
	ASSERT_EQ(0, pool_give(self->user, indices[1]));
	EXPECT_EQ(1, sleeper_result(&sleeper));
	EXPECT_EQ(0, pool_stats(self->user).nr_waiting);
	EXPECT_EQ(1, pool_stats(self->user).nr_kernel);
	pool_check(self->user, 2);
	sleeper_end(&sleeper);
	ASSERT_EQ(0, pool_give(self->user, indices[0]));
}

TEST_F(sleep, ended_by_the_kernels_free)
{
	__u32 indices[2], context;
	struct sleeper sleeper;

	for (context = 0; context < peer_contexts(self->peer); context++) {
		ASSERT_EQ(2, peer_alloc(self->peer, context, indices, 2));
		sleeper = sleeper_start(self->user, self->name,
					BLOCKPOOL_PEER_ALLOC, 1);
		ASSERT_EQ(0, peer_free(self->peer, context, indices, 2));
		EXPECT_EQ(1, sleeper_result(&sleeper));
		pool_check(self->user, 1);
		sleeper_end(&sleeper);
		pool_check(self->user, 0);
	}
}

TEST_F(sleep, ended_by_a_users_death)
{
	struct sleeper sleeper;
	struct step step;
	__u32 indices[2];
	pid_t child;

	step_init(&step);
	child = child_fork();
	if (!child) {
		must(!pool_alloc(pool_join(self->name), indices, 2));
		step_post(&step);
		for (;;)
			pause();
	}
	step_await(&step);
	sleeper = sleeper_start(self->user, self->name,
				BLOCKPOOL_PEER_ALLOC_BULK, 2);
	EXPECT_EQ(128 + SIGKILL, child_kill(child));
	EXPECT_EQ(0, sleeper_result(&sleeper));
	EXPECT_EQ(2, pool_stats(self->user).nr_kernel);
	EXPECT_EQ(2, pool_stats(self->user).reclaimed);
	pool_check(self->user, 2);
	sleeper_end(&sleeper);
}

/* Of one who died waiting nothing is left: not in the queue, not in the pool. */
TEST_F(sleep, killed)
{
	__u32 indices[2], op;
	struct sleeper sleeper;
	__u64 failures;

	for (op = BLOCKPOOL_PEER_ALLOC; op <= BLOCKPOOL_PEER_ALLOC_BULK; op++) {
		ASSERT_EQ(0, pool_alloc(self->user, indices, 2));
		failures = pool_stats(self->user).failures;
		sleeper = sleeper_start(self->user, self->name, op, 2);
		sleeper_end(&sleeper);
		EXPECT_EQ(0, pool_stats(self->user).nr_waiting);
		EXPECT_EQ(0, pool_stats(self->user).nr_kernel);
		EXPECT_EQ(failures + 1, pool_stats(self->user).failures);
		pool_check(self->user, 2);
		ASSERT_EQ(0, pool_give(self->user, indices[0]));
		pool_check(self->user, 1);
		ASSERT_EQ(0, pool_give(self->user, indices[1]));
		pool_drain(self->user);
	}
}

/* Others who wait behind it are served when the first gives up. */
TEST_F(sleep, killed_with_others_behind)
{
	struct sleeper first;
	struct waiter second;
	__u32 indices[2];

	ASSERT_EQ(0, pool_alloc(self->user, indices, 2));
	first = sleeper_start(self->user, self->name,
			      BLOCKPOOL_PEER_ALLOC_BULK, 2);
	second = waiter_start(self->name, 1, -1);
	ASSERT_EQ(0, pool_give(self->user, indices[0]));
	EXPECT_EQ(2, pool_stats(self->user).nr_waiting);
	sleeper_end(&first);
	EXPECT_EQ(0, waiter_result(&second));
	EXPECT_EQ(0, pool_stats(self->user).nr_waiting);
	waiter_end(&second);
	ASSERT_EQ(0, pool_give(self->user, indices[1]));
}

static void ignore(int signal)
{
	(void)signal;
}

/* The sleep is killable, not interruptible. */
TEST_F(sleep, not_ended_by_a_signal)
{
	const struct timespec nap = { .tv_nsec = 50000000 };
	struct sigaction action = { .sa_handler = ignore };
	struct sleeper sleeper;
	__u32 indices[2];

	ASSERT_EQ(0, pool_alloc(self->user, indices, 2));
	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	sleeper = sleeper_start(self->user, self->name, BLOCKPOOL_PEER_ALLOC, 1);
	ASSERT_EQ(0, kill(sleeper.pid, SIGUSR1));
	nanosleep(&nap, NULL);
	EXPECT_EQ(1, pool_stats(self->user).nr_waiting);
	EXPECT_TRUE(sleeper_sleeps(&sleeper));
	ASSERT_EQ(0, pool_give(self->user, indices[0]));
	EXPECT_EQ(1, sleeper_result(&sleeper));
	sleeper_end(&sleeper);
	ASSERT_EQ(0, pool_give(self->user, indices[1]));
}

/* Kernel and users stand in one queue. */
TEST_F(sleep, first_come_first_served)
{
	struct sleeper kernel[2];
	struct waiter user[2];
	__u32 indices[2];
	int other;

	ASSERT_EQ(0, pool_alloc(self->user, indices, 2));
	kernel[0] = sleeper_start(self->user, self->name,
				  BLOCKPOOL_PEER_ALLOC_BULK, 2);
	user[0] = waiter_start(self->name, 1, -1);
	kernel[1] = sleeper_start(self->user, self->name,
				  BLOCKPOOL_PEER_ALLOC, 1);
	user[1] = waiter_start(self->name, 2, -1);

	/* One is not enough for the first, and nobody goes past it. */
	ASSERT_EQ(0, pool_give(self->user, indices[0]));
	EXPECT_EQ(4, pool_stats(self->user).nr_waiting);
	EXPECT_EQ(1, pool_stats(self->user).nr_free);
	other = pool_join(self->name);
	EXPECT_EQ(-EAGAIN, pool_take(other));
	close(other);

	ASSERT_EQ(0, pool_give(self->user, indices[1]));
	EXPECT_EQ(0, sleeper_result(&kernel[0]));
	EXPECT_EQ(3, pool_stats(self->user).nr_waiting);

	sleeper_end(&kernel[0]);
	EXPECT_EQ(0, waiter_result(&user[0]));
	EXPECT_EQ(1, sleeper_result(&kernel[1]));
	EXPECT_EQ(1, pool_stats(self->user).nr_waiting);

	waiter_end(&user[0]);
	EXPECT_EQ(1, pool_stats(self->user).nr_waiting);
	sleeper_end(&kernel[1]);
	EXPECT_EQ(0, waiter_result(&user[1]));
	EXPECT_EQ(4, pool_stats(self->user).waits);
	pool_check(self->user, 2);
	waiter_end(&user[1]);
}

/* The peer itself, on which all the above relies. */

static __u32 crc32c(const char *data, size_t length)
{
	__u32 crc = ~0U;

	for (size_t i = 0; i < length; i++) {
		crc ^= (__u8)data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static __s64 peer_crc(int fd, __u32 index, __u32 length)
{
	struct blockpool_peer_crc args = {
		.index = index,
		.length = length,
	};
	int ret = pool_ioctl(fd, BLOCKPOOL_PEER_CRC, &args);

	return ret ? (__s64)ret : (__s64)args.crc;
}

TEST(crc32c_in_place)
{
	char name[BLOCKPOOL_NAME_SIZE], *map, *block;
	struct blockpool_info info;
	int user, peer, index;

	ASSERT_EQ(0xe3069283, crc32c("123456789", 9));
	pool_name(name);
	user = pool_new(name, 3000, 8);
	map = pool_map(user);
	info = pool_info(user);
	peer = peer_join(name);
	index = pool_take(user);
	ASSERT_GE(index, 0);
	block = map + info.block_offset + (size_t)index * info.stride;

	memcpy(block, "123456789", 9);
	EXPECT_EQ(0xe3069283, peer_crc(peer, index, 9));
	EXPECT_EQ(0, peer_crc(peer, index, 0));
	fill(block, 3000, 1);
	for (__u32 length = 1; length <= 3000; length = length * 2 + 1)
		EXPECT_EQ(crc32c(block, length),
			  peer_crc(peer, index, length));
	EXPECT_EQ(-EBADR, peer_crc(peer, index, info.stride + 1));
	EXPECT_EQ(-EBADR, peer_crc(peer, 8, 1));
	EXPECT_EQ(-EBADR, peer_crc(peer, -1U, 1));
	close(peer);
	munmap(map, info.map_size);
	close(user);
}

TEST(peer_refuses)
{
	struct blockpool_peer_churn churn = { .seed = 1 };
	__u32 index = 0;
	int peer = peer_open();

	EXPECT_EQ(-ENXIO, peer_take(peer, PROCESS));
	EXPECT_EQ(-ENXIO, peer_crc(peer, 0, 0));
	EXPECT_EQ(-EBADR, peer_get(peer, LONG_NAME));
	close(peer);
	peer = peer_join("default");
	EXPECT_EQ(-EBADR, peer_op(peer, 4, PROCESS, 0, &index, 1));
	EXPECT_EQ(-EBADR, peer_alloc(peer, BLOCKPOOL_PEER_CONTEXTS, &index, 1));
	EXPECT_EQ(-EBADR, peer_op(peer, BLOCKPOOL_PEER_ALLOC,
				  BLOCKPOOL_PEER_SOFTIRQ, BLOCKPOOL_PEER_SLEEP,
				  &index, 1));
	index = -1U;
	EXPECT_EQ(-EBADR, peer_give(peer, PROCESS, index));
	EXPECT_EQ(-EPERM, peer_data(peer, BLOCKPOOL_PEER_FILL, 0, 1, 0));
	EXPECT_EQ(-EBADR, peer_data(peer, BLOCKPOOL_PEER_CHECK, 0, -1U, 0));
	EXPECT_EQ(-EBADR, pool_ioctl(peer, BLOCKPOOL_PEER_CHURN_RUN, &churn));
	EXPECT_EQ(-EBADR, pool_ioctl(peer, BLOCKPOOL_PEER_CHURN_STOP, &churn));
	EXPECT_EQ(-ENOTTY, pool_ioctl(peer, _IO(0xBF, 99), NULL));
	close(peer);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/*
 * The library's magazines on a model of the device: when it asks the kernel and
 * for how much, and what threads keep and give up.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include "harness.h"
#include "library.h"

#define NR_BLOCKS	1024
#define CACHE_MAX	256		/* for this a first thread has room for: */
#define ROOM		128
#define HALF		(ROOM / 2)
#define NR_HANDLES	11		/* more than have magazines */
#define NR_IDLE		32
#define MANY		700

/* So many calls were made since the last look, the last one for so many blocks. */
#define EXPECT_IOCTLS(nr, count) do {		\
	EXPECT_EQ((unsigned int)(nr), model.nr_ioctls);	\
	if (nr)					\
		EXPECT_EQ((__u32)(count), model.last_count); \
	model.nr_ioctls = 0;			\
} while (0)

FIXTURE(magazine)
{
	struct blockpool *pool;
	void *blocks[NR_BLOCKS + 1];
};

FIXTURE_SETUP(magazine)
{
	model_init(64, NR_BLOCKS);
	self->pool = blockpool_open(NULL, O_RDWR);
	ASSERT_NE(NULL, self->pool);
	model.status->cache_max = CACHE_MAX;
}

FIXTURE_TEARDOWN(magazine)
{
	EXPECT_EQ(0, blockpool_close(self->pool));
}

TEST_F(magazine, one_call_for_half_a_magazine)
{
	void **blocks = self->blocks;

	ASSERT_TRUE(take(self->pool, blocks, 1));
	EXPECT_IOCTLS(1, 1 + HALF);
	ASSERT_TRUE(take(self->pool, blocks + 1, HALF));
	EXPECT_IOCTLS(0, 0);
	ASSERT_TRUE(take(self->pool, blocks + 1 + HALF, 1));
	EXPECT_IOCTLS(1, 1 + HALF);

	ASSERT_TRUE(give(self->pool, blocks, HALF));
	EXPECT_IOCTLS(0, 0);
	ASSERT_TRUE(give(self->pool, blocks + HALF, 1));
	EXPECT_IOCTLS(1, HALF + 1);
	ASSERT_TRUE(give(self->pool, blocks + HALF + 1, 1));
	EXPECT_IOCTLS(0, 0);
	EXPECT_EQ((__u32)HALF + 1, model_held());
}

TEST_F(magazine, last_in_first_out)
{
	ASSERT_TRUE(take(self->pool, self->blocks, 9));
	ASSERT_EQ(0, blockpool_free(self->pool, self->blocks[4]));
	EXPECT_EQ(self->blocks[4], blockpool_alloc(self->pool));
}

TEST_F(magazine, a_double_free_does_not_get_far)
{
	void *block = blockpool_alloc(self->pool);
	__u32 cached;

	ASSERT_EQ(0, blockpool_free(self->pool, block));
	model.nr_ioctls = 0;
	EXPECT_ERRNO(EPERM, blockpool_free(self->pool, block) == -1);
	EXPECT_ERRNO(EPERM, blockpool_free_bulk(self->pool, &block, 1) == -1);
	/* Nor one of a block that came along and was never taken. */
	cached = blockpool_index(self->pool, block) ? 0 : 1;
	EXPECT_ERRNO(EPERM, blockpool_free(self->pool,
					   blockpool_block(self->pool,
							   cached)) == -1);
	EXPECT_IOCTLS(0, 0);
	EXPECT_EQ(block, blockpool_alloc(self->pool));
	EXPECT_NE(block, blockpool_alloc(self->pool));
}

TEST_F(magazine, the_kernel_decides_about_what_is_not_known)
{
	void *block = blockpool_block(self->pool, NR_BLOCKS - 1);

	EXPECT_ERRNO(EPERM, blockpool_free(self->pool, block) == -1);
	EXPECT_IOCTLS(1, 1);
	model_lend(NR_BLOCKS - 1);
	EXPECT_EQ(0, blockpool_free(self->pool, block));
	EXPECT_IOCTLS(1, 1);
	EXPECT_EQ(0u, model_held());
	EXPECT_ERRNO(EPERM, blockpool_free(self->pool, block) == -1);
	EXPECT_IOCTLS(1, 1);

	/* What went through a magazine once is not known any more either. */
	ASSERT_TRUE(take(self->pool, &block, 1));
	ASSERT_TRUE(give(self->pool, &block, 1));
	ASSERT_EQ(0, blockpool_flush(self->pool));
	model_lend(blockpool_index(self->pool, block));
	EXPECT_EQ(0, blockpool_free(self->pool, block));
	EXPECT_EQ(0u, model_held());
}

TEST_F(magazine, bulk_is_one_call_or_none)
{
	void **blocks = self->blocks;

	ASSERT_EQ(32, blockpool_alloc_bulk(self->pool, blocks, 32));
	EXPECT_IOCTLS(1, 32 + HALF);
	ASSERT_EQ(50, blockpool_alloc_bulk(self->pool, blocks + 32, 50));
	EXPECT_IOCTLS(0, 0);
	ASSERT_EQ(50, blockpool_alloc_bulk(self->pool, blocks + 82, 50));
	EXPECT_IOCTLS(1, 50 - (HALF - 50) + HALF);
	ASSERT_EQ(64, blockpool_free_bulk(self->pool, blocks, 64));
	EXPECT_IOCTLS(0, 0);
	ASSERT_EQ(68, blockpool_free_bulk(self->pool, blocks + 64, 68));
	EXPECT_IOCTLS(1, HALF + 64 + 68 - HALF);

	ASSERT_EQ(MANY, blockpool_alloc_bulk(self->pool, blocks, MANY));
	EXPECT_IOCTLS(1, MANY - HALF + HALF);
	ASSERT_EQ(MANY, blockpool_free_bulk(self->pool, blocks, MANY));
	EXPECT_IOCTLS(1, MANY);
}

TEST_F(magazine, bulk_takes_all_there_is)
{
	ASSERT_TRUE(take(self->pool, self->blocks, 1));
	ASSERT_EQ(0, blockpool_free(self->pool, self->blocks[0]));
	EXPECT_ERRNO(EAGAIN, blockpool_alloc_bulk(self->pool, self->blocks,
						  NR_BLOCKS + 1) == -1);
	ASSERT_EQ(NR_BLOCKS, blockpool_alloc_bulk(self->pool, self->blocks,
						  NR_BLOCKS));
}

TEST_F(magazine, no_more_than_needed_if_there_is_little)
{
	ASSERT_EQ(NR_BLOCKS - 2, blockpool_alloc_bulk(self->pool, self->blocks,
						      NR_BLOCKS - 2));
	model.nr_ioctls = 0;
	errno = 0;
	ASSERT_TRUE(take(self->pool, self->blocks, 1));
	EXPECT_EQ(0, errno);
	EXPECT_EQ(NR_BLOCKS - 1, model_held());
	ASSERT_TRUE(take(self->pool, self->blocks, 1));
	EXPECT_EQ(2, model.nr_ioctls);
	EXPECT_ERRNO(EAGAIN, !blockpool_alloc(self->pool));
	EXPECT_ERRNO(EAGAIN, blockpool_alloc_bulk(self->pool, self->blocks,
						  2) == -1);
}

TEST_F(magazine, a_limit_is_for_use)
{
	struct blockpool *pool;

	model.client_max = 64;
	pool = blockpool_open(NULL, O_RDWR);
	ASSERT_NE(NULL, pool);
	ASSERT_TRUE(take(pool, self->blocks, 1));
	EXPECT_EQ(1u + 2, model_held());
	ASSERT_EQ(63, blockpool_alloc_bulk(pool, self->blocks + 1, 63));
	EXPECT_ERRNO(EDQUOT, !blockpool_alloc(pool));
	ASSERT_TRUE(give(pool, self->blocks, 64));
	EXPECT_GE(4u, model_held());
	EXPECT_EQ(0, blockpool_close(pool));
}

TEST_F(magazine, a_short_pool_gets_all_back)
{
	void **blocks = self->blocks;

	ASSERT_TRUE(take(self->pool, blocks, 3));
	model.status->wanted = 1;
	ASSERT_TRUE(take(self->pool, blocks + 3, HALF - 2));	/* the rest */
	model.nr_ioctls = 0;
	ASSERT_TRUE(take(self->pool, blocks + HALF + 1, 1));
	EXPECT_IOCTLS(1, 1);
	ASSERT_EQ(5, blockpool_alloc_bulk(self->pool, blocks + HALF + 2, 5));
	EXPECT_IOCTLS(1, 5);
	ASSERT_EQ(0, blockpool_free(self->pool, blocks[0]));
	EXPECT_IOCTLS(1, 1);

	model.status->wanted = 0;
	ASSERT_TRUE(give(self->pool, blocks + 1, 10));
	EXPECT_IOCTLS(0, 0);
	model.status->wanted = 1;
	ASSERT_EQ(0, blockpool_free(self->pool, blocks[11]));
	EXPECT_IOCTLS(1, 11);
	ASSERT_EQ(9, blockpool_free_bulk(self->pool, blocks + 12, 9));
	EXPECT_IOCTLS(1, 9);
	EXPECT_EQ((__u32)HALF + 7 - 21, model_held());
}

TEST_F(magazine, shrinks_when_less_is_advised)
{
	ASSERT_TRUE(take(self->pool, self->blocks, 200));
	ASSERT_TRUE(give(self->pool, self->blocks, 100));
	model.status->cache_max = 8;
	ASSERT_TRUE(give(self->pool, self->blocks + 100, 100));
	EXPECT_GE(8u, model_held());
	model.status->cache_max = 0;
	ASSERT_TRUE(take(self->pool, self->blocks, 9));
	ASSERT_TRUE(give(self->pool, self->blocks, 9));
	EXPECT_EQ(0u, model_held());
	model.status->cache_max = CACHE_MAX;
	ASSERT_TRUE(take(self->pool, self->blocks, 1));
	EXPECT_EQ(1u + HALF, model_held());
}

TEST_F(magazine, waiting_is_for_an_empty_one)
{
	ASSERT_TRUE(take(self->pool, self->blocks, 1));
	model.nr_ioctls = 0;
	self->blocks[1] = blockpool_alloc_wait(self->pool, -1);
	ASSERT_NE(NULL, self->blocks[1]);
	EXPECT_IOCTLS(0, 0);
	ASSERT_EQ(0, blockpool_free(self->pool, self->blocks[1]));
	ASSERT_TRUE(take(self->pool, self->blocks, NR_BLOCKS - 1));
	EXPECT_ERRNO(ETIMEDOUT, !blockpool_alloc_wait(self->pool, 5));
	EXPECT_EQ(5, model.timeout_ms);
}

TEST_F(magazine, flush_gives_back_blocks_and_room)
{
	EXPECT_EQ(0, blockpool_flush(self->pool));
	EXPECT_IOCTLS(0, 0);
	ASSERT_TRUE(take(self->pool, self->blocks, 1));
	ASSERT_EQ(0, blockpool_free(self->pool, self->blocks[0]));
	EXPECT_EQ((__u32)HALF + 1, model_held());
	model.nr_ioctls = 0;
	EXPECT_EQ(0, blockpool_flush(self->pool));
	EXPECT_IOCTLS(1, HALF + 1);
	EXPECT_EQ(0u, model_held());
	EXPECT_EQ(0, blockpool_flush(self->pool));
	EXPECT_ERRNO(EPERM, blockpool_free(self->pool, self->blocks[0]) == -1);
	ASSERT_TRUE(take(self->pool, self->blocks, 1));
	EXPECT_EQ((__u32)HALF + 1, model_held());
}

/* Blocks that went by other ways are left out, and the others go back. */
TEST_F(magazine, flush_goes_on_behind_a_refused_one)
{
	ASSERT_TRUE(take(self->pool, self->blocks, 3));
	ASSERT_TRUE(give(self->pool, self->blocks, 3));
	model_steal(blockpool_index(self->pool, self->blocks[1]));
	EXPECT_ERRNO(EPERM, blockpool_flush(self->pool) == -1);
	EXPECT_EQ(0u, model_held());
}

/* One take and give a thread, which then has a magazine; errors are counted. */
static void *touch(void *arg)
{
	struct blockpool *pool = arg;
	void *block = blockpool_alloc(pool);

	return (void *)(long)(!block || blockpool_free(pool, block));
}

TEST_F(magazine, goes_back_when_its_thread_ends)
{
	pthread_t thread;
	void *errors;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, touch, self->pool));
		ASSERT_EQ(0, pthread_join(thread, &errors));
		EXPECT_EQ(NULL, errors);
		EXPECT_EQ(0u, model_held());
		EXPECT_IOCTLS(2, HALF + 1);	/* the room is back too */
	}
}

static struct blockpool *late_pool;

static void late(void *block)
{
	void *other = blockpool_alloc(late_pool);

	if (!other || blockpool_free(late_pool, other) ||
	    blockpool_free(late_pool, block))
		abort();
}

static void *end_late(void *arg)
{
	pthread_key_t *key = arg;

	return (void *)(long)pthread_setspecific(*key,
						 blockpool_alloc(late_pool));
}

/* The key is younger than the library's, so its destructor runs behind. */
TEST_F(magazine, destructors_may_still_give_back)
{
	pthread_key_t key;
	pthread_t thread;
	void *errors;

	late_pool = self->pool;
	ASSERT_EQ(0, pthread_key_create(&key, late));
	ASSERT_EQ(0, pthread_create(&thread, NULL, end_late, &key));
	ASSERT_EQ(0, pthread_join(thread, &errors));
	EXPECT_EQ(NULL, errors);
	EXPECT_EQ(0u, model_held());
	EXPECT_IOCTLS(5, 1);
}

TEST_F(magazine, more_handles_than_have_magazines)
{
	struct blockpool *pools[NR_HANDLES];
	int round, i;
	void *block;

	for (i = 0; i < NR_HANDLES; i++) {
		pools[i] = blockpool_open(NULL, O_RDWR);
		ASSERT_NE(NULL, pools[i]);
	}
	for (round = 0; round < 3; round++) {
		for (i = 0; i < NR_HANDLES; i++)
			ASSERT_TRUE(take(pools[i], self->blocks + 3 * i, 3));
		for (i = 0; i < NR_HANDLES; i++) {
			block = self->blocks[3 * i];
			ASSERT_TRUE(give(pools[i], self->blocks + 3 * i, 3));
			EXPECT_ERRNO(EPERM, blockpool_free(pools[i], block) == -1);
		}
	}
	for (i = 0; i < NR_HANDLES; i++)
		ASSERT_EQ(0, blockpool_flush(pools[i]));
	EXPECT_EQ(0u, model_held());
	for (i = 0; i < NR_HANDLES; i++)
		EXPECT_EQ(0, blockpool_close(pools[i]));

	pools[0] = blockpool_open(NULL, O_RDWR);	/* there is a place again */
	ASSERT_NE(NULL, pools[0]);
	ASSERT_TRUE(take(pools[0], self->blocks, 1));
	EXPECT_LT(1u, model_held());
	EXPECT_EQ(0, blockpool_close(pools[0]));
}

/* The main thread goes first, then the other, and so on. */
struct turns {
	pthread_barrier_t barrier;
	pthread_mutex_t lock;
	struct blockpool *pool;
};

static void *across_a_close(void *arg)
{
	struct turns *turns = arg;
	long errors = (long)touch(turns->pool);

	pthread_barrier_wait(&turns->barrier);	/* the handle is closed, ... */
	pthread_barrier_wait(&turns->barrier);	/* ... and there is another */
	errors += (long)touch(turns->pool);
	return (void *)errors;
}

/* The model lets nothing go at a close: what the first handle had stays held. */
TEST_F(magazine, of_a_closed_handle_is_void)
{
	struct turns turns = { .pool = blockpool_open(NULL, O_RDWR) };
	pthread_t thread;
	__u32 held;
	void *errors;

	ASSERT_NE(NULL, turns.pool);
	ASSERT_EQ(0, pthread_barrier_init(&turns.barrier, NULL, 2));
	ASSERT_EQ(0, pthread_create(&thread, NULL, across_a_close, &turns));
	pthread_barrier_wait(&turns.barrier);
	ASSERT_EQ(NULL, touch(turns.pool));
	ASSERT_EQ(0, blockpool_flush(turns.pool));
	held = model_held();
	EXPECT_LT(0u, held);
	ASSERT_EQ(0, blockpool_close(turns.pool));
	turns.pool = blockpool_open(NULL, O_RDWR);
	ASSERT_NE(NULL, turns.pool);
	ASSERT_EQ(NULL, touch(turns.pool));
	ASSERT_EQ(0, blockpool_flush(turns.pool));
	EXPECT_EQ(held, model_held());
	pthread_barrier_wait(&turns.barrier);
	ASSERT_EQ(0, pthread_join(thread, &errors));
	EXPECT_EQ(NULL, errors);
	EXPECT_EQ(held, model_held());
	EXPECT_EQ(0, blockpool_close(turns.pool));
	pthread_barrier_destroy(&turns.barrier);
}

/* One at a time, for there are not enough blocks for all to have five. */
static long use_some(struct turns *turns)
{
	void *blocks[5];
	long errors = 0;
	int i;

	for (i = 0; i < 11; i++) {	/* who has room keeps the last one */
		pthread_mutex_lock(&turns->lock);
		errors += !take(turns->pool, blocks, i % 5 + 1) ||
			  !give(turns->pool, blocks, i % 5 + 1);
		pthread_mutex_unlock(&turns->lock);
	}
	return errors;
}

static void *keep_and_idle(void *arg)
{
	struct turns *turns = arg;
	long errors = use_some(turns);

	errors += blockpool_flush(turns->pool);
	pthread_barrier_wait(&turns->barrier);
	pthread_barrier_wait(&turns->barrier);	/* less is advised now */
	errors += use_some(turns);
	pthread_barrier_wait(&turns->barrier);
	pthread_barrier_wait(&turns->barrier);
	return (void *)errors;
}

/* 64 blocks, 32 threads that keep what they may and then sleep, and one more. */
TEST(idle_threads_starve_nobody)
{
	struct turns turns = { .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_t threads[NR_IDLE];
	void *errors, *blocks[64];
	int i;

	model_init(2048, 64);
	turns.pool = blockpool_open(NULL, O_RDWR);
	ASSERT_NE(NULL, turns.pool);
	model.status->cache_max = 32;
	ASSERT_EQ(0, pthread_barrier_init(&turns.barrier, NULL, NR_IDLE + 1));
	for (i = 0; i < NR_IDLE; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, keep_and_idle,
					    &turns));
	pthread_barrier_wait(&turns.barrier);
	EXPECT_EQ(0u, model_held());
	model.status->cache_max = 64 / 8;
	pthread_barrier_wait(&turns.barrier);
	pthread_barrier_wait(&turns.barrier);
	EXPECT_LT(0u, model_held());
	EXPECT_GE(64u / 8, model_held());
	ASSERT_TRUE(take(turns.pool, blocks, 64 - 64 / 8));
	ASSERT_TRUE(give(turns.pool, blocks, 64 - 64 / 8));
	EXPECT_GE(64u / 8, model_held());
	pthread_barrier_wait(&turns.barrier);
	for (i = 0; i < NR_IDLE; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], &errors));
		EXPECT_EQ(NULL, errors);
	}
	ASSERT_EQ(0, blockpool_flush(turns.pool));
	EXPECT_EQ(0u, model_held());
	EXPECT_EQ(0, blockpool_close(turns.pool));
	pthread_barrier_destroy(&turns.barrier);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/*
 * The owner table and the element stack as the pool uses them, from threads: the
 * stack under a lock, the owner words without one.  Under TSan this also shows
 * that the depot's lock is all that the words and the blocks need.
 */
#include <pthread.h>
#include <stdlib.h>

#include "harness.h"
#include "../../common/stack.h"
#include "../../kmod/owner.h"

#define NR_THREADS	4
#define NR_BLOCKS	6
#define ROUNDS		20000
#define HOSTILE_ROUNDS	2000
#define FIRST_CLIENT	(BLOCKPOOL_OWNER_KERNEL + 1)

struct pool {
	pthread_mutex_t lock;
	u32 owners[NR_BLOCKS];
	u32 blocks[NR_BLOCKS];		/* plain memory: its owner's alone */
	union {
		struct bp_stack stack;	/* under the lock */
		char room[sizeof(struct bp_stack) + NR_BLOCKS * sizeof(u32)];
	};
};

struct worker {
	struct pool *pool;
	pthread_barrier_t *barrier;
	pthread_t thread;
	u32 id;
	u32 errors;
	u32 wins;
};

static void pool_init(struct pool *pool)
{
	memset(pool, 0, sizeof(*pool));
	pthread_mutex_init(&pool->lock, NULL);
	pool->stack.size = NR_BLOCKS;
	bp_stack_fill(&pool->stack);
}

static bool pool_take(struct pool *pool, u32 id, u32 *index)
{
	bool taken;

	pthread_mutex_lock(&pool->lock);
	taken = bp_stack_pop(&pool->stack, index);
	pthread_mutex_unlock(&pool->lock);
	if (taken)
		bp_owner_claim(&pool->owners[*index], id);
	return taken;
}

/* A client's is going for a moment. */
static bool release(u32 *owner, u32 id)
{
	u32 seen;

	if (id == BLOCKPOOL_OWNER_KERNEL)
		return bp_owner_release_kernel(owner);
	if (!bp_owner_go(owner, id, &seen))
		return false;
	bp_owner_gone(owner, BLOCKPOOL_OWNER_FREE);
	return true;
}

static bool pool_give(struct pool *pool, u32 id, u32 index)
{
	bool room;

	if (!release(&pool->owners[index], id))
		return false;
	pthread_mutex_lock(&pool->lock);
	room = bp_stack_push(&pool->stack, index);
	pthread_mutex_unlock(&pool->lock);
	return room;
}

/* Run a thread for each worker, and wait for all. */
static void run(struct worker *workers, void *(*body)(void *))
{
	int i;

	for (i = 0; i < NR_THREADS; i++)
		if (pthread_create(&workers[i].thread, NULL, body, &workers[i]))
			abort();
	for (i = 0; i < NR_THREADS; i++)
		pthread_join(workers[i].thread, NULL);
}

/* A block's memory holds what its owner put there until it is given back. */
static void *take_and_give(void *arg)
{
	struct worker *worker = arg;
	struct pool *pool = worker->pool;
	u32 i, index;

	for (i = 0; i < ROUNDS; i++) {
		if (!pool_take(pool, worker->id, &index))
			continue;
		pool->blocks[index] = worker->id;
		if (READ_ONCE(pool->owners[index]) != worker->id ||
		    pool->blocks[index] != worker->id ||
		    !pool_give(pool, worker->id, index))
			worker->errors++;
		worker->wins++;
	}
	return NULL;
}

TEST(one_owner_at_a_time)
{
	struct worker workers[NR_THREADS] = { 0 };
	struct pool pool;
	int i;

	pool_init(&pool);
	for (i = 0; i < NR_THREADS; i++) {
		workers[i].pool = &pool;
		workers[i].id = BLOCKPOOL_OWNER_KERNEL + i;
	}
	run(workers, take_and_give);

	for (i = 0; i < NR_THREADS; i++) {
		ASSERT_EQ(0u, workers[i].errors);
		ASSERT_NE(0u, workers[i].wins);
	}
	ASSERT_EQ((u32)NR_BLOCKS, pool.stack.nr);
	for (i = 0; i < NR_BLOCKS; i++)
		ASSERT_EQ(BLOCKPOOL_OWNER_FREE, pool.owners[i]);
}

/* All free the same block at the same time. */
static void *free_together(void *arg)
{
	struct worker *worker = arg;
	int i;

	for (i = 0; i < HOSTILE_ROUNDS; i++) {
		pthread_barrier_wait(worker->barrier);
		if (release(&worker->pool->owners[0], worker->id))
			worker->wins++;
		if (pthread_barrier_wait(worker->barrier))
			bp_owner_claim(&worker->pool->owners[0], worker->id);
	}
	return NULL;
}

TEST(of_two_frees_at_once_one_succeeds)
{
	struct worker workers[NR_THREADS] = { 0 };
	pthread_barrier_t barrier;
	struct pool pool;
	u32 i, wins = 0;

	pool_init(&pool);
	pthread_barrier_init(&barrier, NULL, NR_THREADS);
	bp_owner_claim(&pool.owners[0], FIRST_CLIENT);
	for (i = 0; i < NR_THREADS; i++) {
		workers[i].pool = &pool;
		workers[i].id = FIRST_CLIENT;
		workers[i].barrier = &barrier;
	}
	run(workers, free_together);
	for (i = 0; i < NR_THREADS; i++)
		wins += workers[i].wins;
	ASSERT_EQ((u32)HOSTILE_ROUNDS, wins);
}

TEST(others_blocks_are_refused)
{
	u32 owner = BLOCKPOOL_OWNER_FREE;

	ASSERT_FALSE(bp_owner_release(&owner, FIRST_CLIENT));
	ASSERT_FALSE(bp_owner_release_kernel(&owner));
	ASSERT_EQ(BLOCKPOOL_OWNER_FREE, owner);

	bp_owner_claim(&owner, FIRST_CLIENT);
	ASSERT_FALSE(bp_owner_release(&owner, FIRST_CLIENT + 1));
	ASSERT_FALSE(bp_owner_release_kernel(&owner));
	ASSERT_EQ(FIRST_CLIENT, owner);
	ASSERT_TRUE(bp_owner_release(&owner, FIRST_CLIENT));
	ASSERT_FALSE(bp_owner_release(&owner, FIRST_CLIENT));

	bp_owner_claim(&owner, BLOCKPOOL_OWNER_KERNEL);
	ASSERT_FALSE(bp_owner_release(&owner, FIRST_CLIENT));
	ASSERT_TRUE(bp_owner_release_kernel(&owner));
	ASSERT_FALSE(bp_owner_release_kernel(&owner));
	ASSERT_EQ(BLOCKPOOL_OWNER_FREE, owner);
}

/* Whatever its other bits are: also those of the kernel's id and of a client's. */
TEST(blocks_in_limbo_are_free_and_nobodys)
{
	static const u32 bits[] = {
		0, BLOCKPOOL_OWNER_KERNEL, FIRST_CLIENT, BLOCKPOOL_OWNER_PORT - 1,
	};
	u32 i, owner, word;

	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		word = BP_OWNER_LIMBO | bits[i];
		owner = word;
		ASSERT_EQ(BLOCKPOOL_OWNER_FREE, bp_owner_read(&owner));
		ASSERT_FALSE(bp_owner_release_kernel(&owner));
		ASSERT_FALSE(bp_owner_release(&owner, bits[i]));
		ASSERT_EQ(word, owner);
		bp_owner_claim(&owner, FIRST_CLIENT);
		ASSERT_EQ(FIRST_CLIENT, bp_owner_read(&owner));
	}
}

/* And of those that ask at once, one lets go. */
TEST(blocks_that_go_are_told_as_of_who_had_them)
{
	static const u32 ids[] = {
		BLOCKPOOL_OWNER_KERNEL, FIRST_CLIENT, BLOCKPOOL_OWNER_PORT - 1,
	};
	u32 i, owner, seen;

	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		owner = ids[i];
		ASSERT_FALSE(bp_owner_go(&owner, ids[i] + 1, &seen));
		ASSERT_EQ(ids[i], owner);
		ASSERT_TRUE(bp_owner_go(&owner, ids[i], &seen));
		ASSERT_EQ(ids[i], bp_owner_read(&owner));
		ASSERT_FALSE(bp_owner_go(&owner, ids[i], &seen));
		ASSERT_FALSE(bp_owner_release(&owner, ids[i]));
		ASSERT_FALSE(bp_owner_release_kernel(&owner));
		ASSERT_FALSE(bp_owner_hand(&owner, ids[i], BLOCKPOOL_OWNER_PORT));
		bp_owner_gone(&owner, BLOCKPOOL_OWNER_PORT);
		ASSERT_EQ(BLOCKPOOL_OWNER_PORT, owner);
	}
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/*
 * The library on a model of the device: what it hands to the kernel and makes of
 * the answer, and that threads can share a handle.  What it refuses before it
 * asks the kernel is tested in lib/test-host.c.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "harness.h"
#include "library.h"

#define BLOCK_SIZE	1500
#define STRIDE		1536
#define NR_BLOCKS	700
#define NR_THREADS	4
#define ROUNDS		3000
#define BATCH		5

static bool fd_is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* What is taken and not given back: without what this thread's magazine has. */
static unsigned int nr_taken(struct blockpool *pool)
{
	return blockpool_flush(pool) ? ~0u : model_held();
}

FIXTURE(library)
{
	struct blockpool *pool;
	void *blocks[NR_BLOCKS + 1];
};

/* All holds with magazines and without. */
FIXTURE_VARIANT(library)
{
	bool cached;
};

FIXTURE_VARIANT_ADD(library, cached)
{
	.cached = true,
};

FIXTURE_VARIANT_ADD(library, uncached)
{
	.cached = false,
};

FIXTURE_SETUP(library)
{
	model_init(BLOCK_SIZE, NR_BLOCKS);
	self->pool = blockpool_open(NULL, O_RDWR);
	ASSERT_NE(NULL, self->pool);
	if (!variant->cached)
		model.status->cache_max = 0;
}

FIXTURE_TEARDOWN(library)
{
	int fd = model.fd;

	EXPECT_EQ(0, blockpool_close(self->pool));
	EXPECT_FALSE(fd_is_open(fd));
}

TEST_F(library, open_attaches_default)
{
	EXPECT_STREQ("default", model.attached);
	EXPECT_EQ(O_RDWR | O_CLOEXEC, model.open_flags);
	EXPECT_EQ(model.fd, blockpool_fd(self->pool));
}

TEST(create_hands_all_fields_on)
{
	struct blockpool_attr attr = {
		.name = "exactly-31-characters-long-name",
		.block_size = 3000, .nr_blocks = 9, .flags = BLOCKPOOL_PERSIST,
		.mode = 0640, .client_max = 5, .node = 3, .reserve = 4,
	};
	struct blockpool_create_args *args = &model.created;
	struct blockpool *pool;

	model_init(3000, 9);
	pool = blockpool_create(&attr);
	ASSERT_NE(NULL, pool);
	EXPECT_STREQ(attr.name, args->name);
	EXPECT_EQ(3000u, args->block_size);
	EXPECT_EQ(9u, args->nr_blocks);
	EXPECT_EQ((__u32)BLOCKPOOL_PERSIST, args->flags);
	EXPECT_EQ(0640u, args->mode);
	EXPECT_EQ(5u, args->client_max);
	EXPECT_EQ(3u, args->node);
	EXPECT_EQ(4u, args->reserve);
	EXPECT_EQ(O_RDWR | O_CLOEXEC, model.open_flags);
	EXPECT_EQ(0, blockpool_close(pool));
}

TEST(errors_of_the_device_come_through)
{
	struct blockpool_attr attr = { .name = "a", .block_size = 64, .nr_blocks = 1 };

	model_init(64, 1);
	model.open_error = ENOENT;
	EXPECT_ERRNO(ENODEV, !blockpool_open(NULL, O_RDWR));
	EXPECT_ERRNO(ENODEV, !blockpool_create(&attr));
	EXPECT_ERRNO(ENODEV, blockpool_unlink("a") == -1);
	model.open_error = EACCES;
	EXPECT_ERRNO(EACCES, !blockpool_open(NULL, O_RDWR));

	model.open_error = 0;
	model.fail_request = BLOCKPOOL_IOC_CREATE;
	model.fail_error = EEXIST;
	EXPECT_ERRNO(EEXIST, !blockpool_create(&attr));
	EXPECT_FALSE(fd_is_open(model.fd));
	model.fail_request = BLOCKPOOL_IOC_ATTACH;
	model.fail_error = ENOENT;
	EXPECT_ERRNO(ENOENT, !blockpool_open("a", O_RDONLY));
	EXPECT_FALSE(fd_is_open(model.fd));
	model.fail_request = BLOCKPOOL_IOC_UNLINK;
	EXPECT_ERRNO(ENOENT, blockpool_unlink("a") == -1);
	EXPECT_FALSE(fd_is_open(model.fd));
}

/* A pool that cannot be mapped must not stay behind under its name. */
TEST(create_that_cannot_map_unlinks)
{
	struct blockpool_attr attr = {
		.name = "a", .block_size = 64, .nr_blocks = 1,
		.flags = BLOCKPOOL_PERSIST,
	};

	model_init(64, 1);
	model.map_size = 1ull << 60;
	EXPECT_ERRNO(ENOMEM, !blockpool_create(&attr));
	EXPECT_STREQ("a", model.unlinked);
	EXPECT_FALSE(fd_is_open(model.fd));

	model_init(64, 1);
	model.map_size = 1ull << 60;
	EXPECT_ERRNO(ENOMEM, !blockpool_open("a", O_RDWR));
	EXPECT_STREQ("", model.unlinked);
	EXPECT_FALSE(fd_is_open(model.fd));
}

TEST_F(library, a_block_by_address_and_index)
{
	char *base = blockpool_block(self->pool, 0);
	char *end = base + (size_t)NR_BLOCKS * STRIDE;
	uint32_t i;

	for (i = 0; i < NR_BLOCKS; i++) {
		char *block = blockpool_block(self->pool, i);

		ASSERT_EQ(base + (size_t)i * STRIDE, block);
		ASSERT_EQ(i, blockpool_index(self->pool, block));
		ASSERT_EQ(BLOCKPOOL_NO_INDEX,
			  blockpool_index(self->pool, block + 1));
		ASSERT_EQ(BLOCKPOOL_NO_INDEX,
			  blockpool_index(self->pool, block + STRIDE - 64));
	}
	EXPECT_ERRNO(EINVAL, !blockpool_block(self->pool, NR_BLOCKS));
	EXPECT_ERRNO(EINVAL, !blockpool_block(self->pool, BLOCKPOOL_NO_INDEX));
	EXPECT_ERRNO(EINVAL, blockpool_free(self->pool, end) == -1);
	EXPECT_ERRNO(EINVAL, blockpool_free(self->pool, base - STRIDE) == -1);
	EXPECT_ERRNO(EINVAL, blockpool_free(self->pool, NULL) == -1);
	EXPECT_ERRNO(EINVAL, blockpool_free(self->pool, base + 8) == -1);
}

TEST_F(library, take_and_give)
{
	void *block = blockpool_alloc(self->pool);

	ASSERT_NE(NULL, block);
	EXPECT_EQ(1u, nr_taken(self->pool));
	EXPECT_EQ(0, blockpool_free(self->pool, block));
	EXPECT_ERRNO(EPERM, blockpool_free(self->pool, block) == -1);
	EXPECT_EQ(0u, nr_taken(self->pool));
	EXPECT_ERRNO(EPERM, blockpool_free(self->pool, block) == -1);

	block = blockpool_alloc_wait(self->pool, 77);
	ASSERT_NE(NULL, block);
	EXPECT_EQ(0, blockpool_free(self->pool, block));
	EXPECT_ERRNO(EINVAL, !blockpool_alloc_wait(self->pool, -2));
}

/* Sooner or later, but no block of somebody else's goes back. */
TEST_F(library, a_stolen_block_is_refused)
{
	void *block = blockpool_alloc(self->pool);

	ASSERT_NE(NULL, block);
	model_steal(blockpool_index(self->pool, block));
	errno = 0;
	EXPECT_TRUE(blockpool_free(self->pool, block) == -1 ||
		    blockpool_flush(self->pool) == -1);
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(0u, nr_taken(self->pool));
}

TEST_F(library, bulk_takes_all_or_nothing)
{
	void **blocks = self->blocks;
	int i, n;

	EXPECT_ERRNO(EINVAL, blockpool_alloc_bulk(self->pool, blocks, 0) == -1);
	EXPECT_ERRNO(EINVAL, blockpool_alloc_bulk(self->pool, blocks,
						  BLOCKPOOL_BATCH_MAX + 1) == -1);
	EXPECT_ERRNO(EAGAIN, blockpool_alloc_bulk(self->pool, blocks,
						  NR_BLOCKS + 1) == -1);
	EXPECT_EQ(0u, nr_taken(self->pool));
	for (n = 1; n <= NR_BLOCKS; n = 2 * n + 1) {
		blocks[n] = self;
		ASSERT_EQ(n, blockpool_alloc_bulk(self->pool, blocks, n));
		ASSERT_EQ((void *)self, blocks[n]);
		ASSERT_EQ((__u32)n, nr_taken(self->pool));
		/* Only blocks that are held, and each once, can all be freed. */
		for (i = 0; i < n; i++)
			ASSERT_EQ(0, blockpool_free(self->pool, blocks[i]));
		ASSERT_EQ(0u, nr_taken(self->pool));
	}
}

TEST_F(library, exhaustion)
{
	ASSERT_EQ(NR_BLOCKS, blockpool_alloc_bulk(self->pool, self->blocks,
						  NR_BLOCKS));
	EXPECT_ERRNO(EAGAIN, !blockpool_alloc(self->pool));
	EXPECT_ERRNO(ETIMEDOUT, !blockpool_alloc_wait(self->pool, 77));
	EXPECT_EQ(77, model.timeout_ms);
	ASSERT_EQ(NR_BLOCKS, blockpool_free_bulk(self->pool, self->blocks,
						 NR_BLOCKS));
	EXPECT_EQ(0u, nr_taken(self->pool));
}

/* Blocks before a bad one are freed, it and those behind it are not. */
TEST_F(library, free_bulk_stops_at_a_bad_one)
{
	static const int places[] = {
		0, 1, 2, 255, 256, 257, 511, 512, 513, NR_BLOCKS - 1,
	};
	void **blocks = self->blocks;
	void *good;
	int error, at, want;
	unsigned int i;

	for (i = 0; i < 2 * ARRAY_SIZE(places); i++) {
		at = places[i / 2];
		error = i % 2 ? EINVAL : EPERM;
		ASSERT_EQ(NR_BLOCKS, blockpool_alloc_bulk(self->pool, blocks,
							  NR_BLOCKS));
		good = blocks[at];
		if (i % 2)
			blocks[at] = (char *)good + 1;
		else
			ASSERT_EQ(0, blockpool_free(self->pool, good));

		want = at ? at : -1;
		EXPECT_ERRNO(error, blockpool_free_bulk(self->pool, blocks,
							NR_BLOCKS) == want);
		ASSERT_EQ((__u32)(NR_BLOCKS - at - !(i % 2)),
			  nr_taken(self->pool));

		blocks[at] = good;
		if (!(i % 2))
			blocks[at] = blockpool_alloc(self->pool);
		ASSERT_EQ(NR_BLOCKS - at,
			  blockpool_free_bulk(self->pool, blocks + at,
					      NR_BLOCKS - at));
		ASSERT_EQ(0u, nr_taken(self->pool));
	}
	EXPECT_ERRNO(EINVAL, blockpool_free_bulk(self->pool, blocks, 0) == -1);
}

TEST_F(library, info_and_stats)
{
	struct blockpool_stats stats;
	struct blockpool_info info;

	ASSERT_NE(NULL, blockpool_alloc(self->pool));
	ASSERT_EQ(0, blockpool_flush(self->pool));
	ASSERT_EQ(0, blockpool_info(self->pool, &info));
	EXPECT_EQ((__u32)BLOCK_SIZE, info.block_size);
	EXPECT_EQ((__u32)NR_BLOCKS, info.nr_blocks);
	EXPECT_EQ((__u32)STRIDE, info.stride);
	ASSERT_EQ(0, blockpool_stats(self->pool, &stats));
	EXPECT_EQ((__u64)NR_BLOCKS - 1, stats.nr_free);
	EXPECT_EQ(1u, stats.nr_held);
}

/* Does a handle of one's own do, and a close with blocks in the magazine? */
static bool works(struct blockpool *pool)
{
	void *blocks[BATCH];

	return pool && blockpool_alloc_bulk(pool, blocks, BATCH) == BATCH &&
	       !blockpool_free(pool, blocks[0]) &&
	       blockpool_free_bulk(pool, blocks + 1, BATCH - 1) == BATCH - 1 &&
	       blockpool_free(pool, blocks[0]) && errno == EPERM &&
	       !blockpool_close(pool);
}

/* Counts calls up to the first that did not say ECHILD. */
static bool is_echild(bool failed, int *calls)
{
	bool good = failed && errno == ECHILD;

	errno = 0;
	++*calls;
	return good;
}

/* 0, or the number of the call that was wrong. */
static int inherited_calls(struct blockpool *pool, void *block)
{
	struct blockpool_stats stats;
	struct blockpool_info info;
	void *blocks[2] = { block, block };
	int n = 0;
	bool good =
		is_echild(!blockpool_alloc(pool), &n) &&
		is_echild(!blockpool_alloc_wait(pool, 0), &n) &&
		is_echild(blockpool_alloc_bulk(pool, blocks, 2) == -1, &n) &&
		is_echild(blockpool_free(pool, block) == -1, &n) &&
		is_echild(blockpool_free_bulk(pool, blocks, 1) == -1, &n) &&
		is_echild(blockpool_flush(pool) == -1, &n) &&
		is_echild(blockpool_index(pool, block) == BLOCKPOOL_NO_INDEX,
			  &n) &&
		is_echild(!blockpool_block(pool, 0), &n) &&
		is_echild(blockpool_info(pool, &info) == -1, &n) &&
		is_echild(blockpool_stats(pool, &stats) == -1, &n) &&
		is_echild(blockpool_fd(pool) == -1, &n);

	if (!good)
		return n;
	return blockpool_close(pool) || !works(blockpool_open(NULL, O_RDWR)) ?
	       n + 1 : 0;
}

TEST_F(library, a_child_is_told_that_it_is_one)
{
	void *block = blockpool_alloc(self->pool);
	int status;
	pid_t pid;

	ASSERT_NE(NULL, block);
	pid = fork();
	if (!pid)
		_exit(inherited_calls(self->pool, block));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	ASSERT_EQ(0, WEXITSTATUS(status));
	EXPECT_EQ(1u, nr_taken(self->pool));
	EXPECT_EQ(0, blockpool_free(self->pool, block));
}

/* Stamp a block, and see that the stamp is still there. */
static bool stamp(void *block, long mark)
{
	volatile long *word = block;

	*word = mark;
	return *word == mark;
}

static void *share(void *arg)
{
	struct blockpool *pool = arg;
	long errors = 0, mark = (long)pthread_self();
	void *block, *blocks[BATCH];
	int i, n;

	for (i = 0; i < ROUNDS; i++) {
		block = blockpool_alloc(pool);
		errors += !block || !stamp(block, mark);
		n = blockpool_alloc_bulk(pool, blocks, BATCH);
		errors += n != BATCH;
		while (n-- > 0)
			errors += !stamp(blocks[n], mark);
		errors += blockpool_free(pool, block) != 0;
		errors += blockpool_free_bulk(pool, blocks, BATCH) != BATCH;
	}
	return (void *)errors;
}

TEST_F(library, threads_share_a_handle)
{
	pthread_t threads[NR_THREADS];
	void *errors;
	int i;

	for (i = 0; i < NR_THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, share,
					    self->pool));
	for (i = 0; i < NR_THREADS; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], &errors));
		EXPECT_EQ(NULL, errors);
	}
	EXPECT_EQ(0u, model_held());	/* they are gone, and so is what they kept */
}

/* Of a program that was linked when attr ended before its last fields. */
struct blockpool *bp_create_1_0(const struct blockpool_attr *attr);

TEST(create_of_an_older_program)
{
	struct blockpool_attr attr = {
		.name = "old", .block_size = 64, .nr_blocks = 1,
		.node = 7, .reserve = 9,
	};
	struct blockpool *pool;

	EXPECT_ERRNO(EINVAL, !bp_create_1_0(NULL));
	model_init(64, 1);
	pool = bp_create_1_0(&attr);
	ASSERT_NE(NULL, pool);
	EXPECT_STREQ("old", model.created.name);
	EXPECT_EQ(0u, model.created.node);
	EXPECT_EQ(0u, model.created.reserve);
	EXPECT_EQ(0, blockpool_close(pool));

	attr.flags = BLOCKPOOL_ON_NODE;
	pool = bp_create_1_0(&attr);
	ASSERT_NE(NULL, pool);
	EXPECT_EQ(7u, model.created.node);
	EXPECT_EQ(0u, model.created.reserve);
	EXPECT_EQ(0, blockpool_close(pool));
}

TEST_HARNESS_MAIN

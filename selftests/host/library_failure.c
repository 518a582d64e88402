// SPDX-License-Identifier: GPL-2.0
/*
 * The library where the system refuses it something: memory, a page that is wiped
 * in a child, a thread's key, the blocking of signals.  A handle that cannot be is
 * not there, and nothing is left of it; what only makes calls cheap is gone without.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "model.h"
#include "thread.h"

#define NR_BLOCKS	256
#define KEYS		"BLOCKPOOL_TEST_KEYS"	/* how many are used up */

#define EXPECT_ERRNO(error, failed) do {	\
	errno = 0;				\
	EXPECT_TRUE(failed);			\
	EXPECT_EQ(error, errno);		\
} while (0)

/* --- calls that fail: the nth of them from now on, if it is not 0 --- */

static struct {
	int madvise;
	int setspecific;
	int sigmask;
} refuse;

static bool refused(int *nth)
{
	return *nth && !--*nth;
}

typeof(madvise) __real_madvise, __wrap_madvise;
typeof(pthread_setspecific) __real_pthread_setspecific, __wrap_pthread_setspecific;
typeof(pthread_sigmask) __real_pthread_sigmask, __wrap_pthread_sigmask;

int __wrap_madvise(void *at, size_t size, int advice)
{
	if (advice != MADV_WIPEONFORK || !refused(&refuse.madvise))
		return __real_madvise(at, size, advice);
	errno = EINVAL;
	return -1;
}

int __wrap_pthread_setspecific(pthread_key_t key, const void *value)
{
	return refused(&refuse.setspecific) ? ENOMEM :
		__real_pthread_setspecific(key, value);
}

int __wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	return refused(&refuse.sigmask) ? EINVAL :
		__real_pthread_sigmask(how, set, old);
}

/* Before the library asks for its key. */
static __attribute__((constructor(101))) void use_up_keys(void)
{
	const char *text = getenv(KEYS);
	int n = text ? atoi(text) : 0;
	pthread_key_t key;

	while (n-- && !pthread_key_create(&key, NULL))
		;
}

/* --- a handle that cannot be --- */

static int nr_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	int c, n = 0;

	while (maps && (c = getc(maps)) != EOF)
		n += c == '\n';
	if (maps)
		fclose(maps);
	return n;
}

static struct blockpool *make(bool create)
{
	struct blockpool_attr attr = {
		.name = "made", .block_size = 64, .nr_blocks = NR_BLOCKS,
	};

	return create ? blockpool_create(&attr) : blockpool_open(NULL, O_RDWR);
}

/* Whether it works without; with is tested elsewhere. */
static bool lends(struct blockpool *pool)
{
	void *block = blockpool_alloc(pool);

	return block && !blockpool_free(pool, block) && !blockpool_flush(pool) &&
		!model_held();
}

FIXTURE(opening)
{
	int mappings;
};

FIXTURE_VARIANT(opening)
{
	bool create;
	__u32 flags;
	int *nth;		/* NULL: the model's mmap() */
	int error;
	int least;		/* this many of these calls are made */
};

FIXTURE_VARIANT_ADD(opening, open_mmap)
{
	.error = ENOMEM, .least = 4,
};

FIXTURE_VARIANT_ADD(opening, create_mmap)
{
	.create = true, .error = ENOMEM, .least = 4,
};

FIXTURE_VARIANT_ADD(opening, open_wiped)
{
	.nth = &refuse.madvise, .error = EINVAL, .least = 2,
};

FIXTURE_VARIANT_ADD(opening, create_wiped)
{
	.create = true, .nth = &refuse.madvise, .error = EINVAL, .least = 2,
};

FIXTURE_VARIANT_ADD(opening, tracked_mmap)
{
	.flags = BLOCKPOOL_TRACK, .error = ENOMEM, .least = 5,
};

FIXTURE_VARIANT_ADD(opening, tracked_wiped)
{
	.flags = BLOCKPOOL_TRACK, .nth = &refuse.madvise, .error = EINVAL,
	.least = 3,
};

/* Once before, so that what the C library maps for itself is there. */
FIXTURE_SETUP(opening)
{
	model_init(64, NR_BLOCKS);
	blockpool_close(make(variant->create));
	self->mappings = nr_mappings();
	self->mappings = nr_mappings();
}

FIXTURE_TEARDOWN(opening)
{
}

/* The nth of its calls fails, until it makes fewer. */
TEST_F(opening, fails_and_leaves_nothing)
{
	int *nth = variant->nth ?: &model.fail_mmap, n;
	struct blockpool *pool;

	for (n = 1; ; n++) {
		model_init_flags(64, NR_BLOCKS, variant->flags);
		*nth = n;
		errno = 0;
		pool = make(variant->create);
		*nth = 0;
		if (pool)
			break;
		ASSERT_EQ(variant->error, errno);
		ASSERT_EQ(-1, fcntl(model.fd, F_GETFD));
		/* The name of what was created does not stay. */
		ASSERT_STREQ(model.create_calls ? "made" : "", model.unlinked);
		munmap(model.status, sizeof(*model.status));	/* the model's own */
		ASSERT_EQ(self->mappings, nr_mappings());
	}
	EXPECT_LT(variant->least, n);
	EXPECT_TRUE(lends(pool));
	EXPECT_EQ(0, blockpool_close(pool));
}

/* The device has said yes, and then cannot say to what. */
TEST(opened_without_info)
{
	model_init(64, NR_BLOCKS);
	model.fail_request = BLOCKPOOL_IOC_INFO;
	model.fail_error = EIO;
	EXPECT_ERRNO(EIO, !make(false));
	EXPECT_ERRNO(EIO, !make(true));
	EXPECT_STREQ("made", model.unlinked);
}

/* --- a thread without a magazine --- */

FIXTURE(uncached)
{
	struct blockpool *pool;
};

FIXTURE_SETUP(uncached)
{
	model_init(64, NR_BLOCKS);
	self->pool = blockpool_open(NULL, O_RDWR);
	ASSERT_NE(NULL, self->pool);
}

FIXTURE_TEARDOWN(uncached)
{
	EXPECT_EQ(0, blockpool_close(self->pool));
}

/* Whether a block is taken without the magazine that the next one comes with. */
static bool taken_alone(struct blockpool *pool)
{
	unsigned int before = model.nr_ioctls;

	return blockpool_alloc(pool) && model.nr_ioctls == before + 1 &&
		model_held() == 1 && blockpool_alloc(pool) && model_held() > 2;
}

TEST_F(uncached, memory)
{
	model.fail_mmap = 1;
	EXPECT_TRUE(taken_alone(self->pool));
}

TEST_F(uncached, wiped_memory)
{
	refuse.madvise = 1;
	EXPECT_TRUE(taken_alone(self->pool));
}

TEST_F(uncached, setspecific)
{
	refuse.setspecific = 1;
	EXPECT_TRUE(taken_alone(self->pool));
}

TEST_F(uncached, sigmask)
{
	refuse.sigmask = 1;
	EXPECT_TRUE(taken_alone(self->pool));
}

/* In a child whose library came too late for a key of its own, or a good one. */
TEST_F(uncached, keys)
{
	static const char *const numbers[] = { "32", "1024" };
	void *block;
	int status;

	if (getenv(KEYS)) {
		block = blockpool_alloc(self->pool);
		ASSERT_NE(NULL, block);
		EXPECT_EQ(1u, model_held());
		EXPECT_EQ(0, blockpool_free(self->pool, block));
		EXPECT_EQ(0u, model_held());
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (!fork()) {
			setenv(KEYS, numbers[i], 1);
			freopen("/dev/null", "w", stdout);
			execl("/proc/self/exe", "keys", "-t", "keys", NULL);
		}
		ASSERT_LT(0, wait(&status));
		EXPECT_EQ(0, status) TH_LOG("%s keys", numbers[i]);
	}
}

/* --- a magazine that is in use: a signal handler came in the middle --- */

TEST_F(uncached, in_use)
{
	struct bp_magazine *magazine;
	void *block = blockpool_alloc(self->pool);
	void *blocks[2];

	ASSERT_NE(NULL, block);
	magazine = bp_thread_magazine(self->pool);
	ASSERT_NE(NULL, magazine);
	ASSERT_TRUE(bp_magazine_enter(magazine));
	EXPECT_ERRNO(EAGAIN, blockpool_flush(self->pool) == -1);
	model.nr_ioctls = 0;
	EXPECT_EQ(0, blockpool_free(self->pool, block));
	EXPECT_EQ(2, blockpool_alloc_bulk(self->pool, blocks, 2));
	EXPECT_EQ(2, blockpool_free_bulk(self->pool, blocks, 2));
	EXPECT_EQ(3u, model.nr_ioctls);
	bp_magazine_leave(magazine);
	EXPECT_EQ(0, blockpool_flush(self->pool));
	EXPECT_EQ(0u, model_held());
}

static void *end_inside(void *pool)
{
	void *block = blockpool_alloc(pool);

	return block && bp_magazine_enter(bp_thread_magazine(pool)) ? block : NULL;
}

/* What is in it nobody knows: the handle has it until it is closed. */
TEST_F(uncached, in_use_for_ever)
{
	pthread_t thread;
	__u32 held;
	void *block;

	ASSERT_EQ(0, pthread_create(&thread, NULL, end_inside, self->pool));
	ASSERT_EQ(0, pthread_join(thread, &block));
	ASSERT_NE(NULL, block);
	held = model_held();
	EXPECT_LT(1u, held);
	EXPECT_NE(NULL, blockpool_alloc(self->pool));
	EXPECT_EQ(0, blockpool_free(self->pool, block));
	EXPECT_EQ(0, blockpool_flush(self->pool));
	EXPECT_EQ(held, model_held());	/* one came, one went */
}

static pthread_barrier_t both;

static void *outlive(void *pool)
{
	void *block = blockpool_alloc(pool);

	blockpool_free(pool, block);
	pthread_barrier_wait(&both);	/* the handle is closed, its place taken */
	pthread_barrier_wait(&both);
	return block;
}

/* What is in a magazine of a handle that was closed is of no other. */
static void *outlived_by_thread(struct __test_metadata *_metadata, bool again)
{
	struct blockpool *pool;
	pthread_t thread;
	void *block;

	model_init(64, NR_BLOCKS);
	pool = make(false);
	pthread_barrier_init(&both, NULL, 2);
	ASSERT_EQ(0, pthread_create(&thread, NULL, outlive, pool));
	pthread_barrier_wait(&both);
	blockpool_close(pool);
	model_init(64, NR_BLOCKS);
	pool = again ? make(false) : NULL;
	pthread_barrier_wait(&both);
	ASSERT_EQ(0, pthread_join(thread, &block));
	EXPECT_EQ(0u, model.nr_ioctls);
	if (pool)
		EXPECT_EQ(0, blockpool_close(pool));
	return block;
}

TEST(handle_closed_before_its_thread_ends)
{
	EXPECT_NE(NULL, outlived_by_thread(_metadata, false));
	EXPECT_NE(NULL, outlived_by_thread(_metadata, true));
}

/* --- more than one thing wrong at once --- */

TEST_F(uncached, inherited_before_invalid)
{
	void *block;
	int status;

	if (!fork()) {
		EXPECT_ERRNO(ECHILD, !blockpool_alloc_wait(self->pool, -2));
		EXPECT_ERRNO(ECHILD, blockpool_alloc_bulk(self->pool, &block, 0) == -1);
		_exit(__test_passed(_metadata) ? 0 : 1);
	}
	ASSERT_LT(0, wait(&status));
	EXPECT_EQ(0, status);
}

TEST(no_device)
{
	const int errors[] = { ENOENT, ENXIO };

	model_init(64, NR_BLOCKS);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		model.open_error = errors[i];
		EXPECT_ERRNO(ENODEV, !make(false));
	}
	model.open_error = EACCES;
	EXPECT_ERRNO(EACCES, !make(false));
}

TEST_HARNESS_MAIN

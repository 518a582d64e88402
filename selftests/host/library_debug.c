// SPDX-License-Identifier: GPL-2.0
/*
 * The library on a model of the device, as far as it helps to find who misuses
 * blocks: pools for debugging and isolated ones, call stacks, what is printed with
 * BLOCKPOOL_DEBUG, and what AddressSanitizer is told.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unwind.h>

#include "harness.h"
#include "blockpool.h"
#include "model.h"
#include "model_port.h"
#include "zlib_stream.h"

#define BLOCK_SIZE	1500	/* no multiple of anything */
#define NR_BLOCKS	700
#define LAST		(NR_BLOCKS - 1)	/* in no magazine */
#define NR_THREADS	4
#define ROUNDS		300
#define TEXT_SIZE	16384
#define MANY_SHARES	9

#define noinline	__attribute__((noinline))

#define EXPECT_ERRNO(error, failed) do {	\
	errno = 0;				\
	EXPECT_TRUE(failed);			\
	EXPECT_EQ(error, errno);		\
} while (0)

/* Keeps a call from being the last thing that a function does. */
static inline void stay_here(void)
{
	asm volatile("" : : : "memory");
}

static struct blockpool *open_pool(__u32 flags)
{
	model_init_flags(BLOCK_SIZE, NR_BLOCKS, flags);
	return blockpool_open(NULL, O_RDWR);
}

static struct blockpool_port *bind_port(struct blockpool *pool, const char *name)
{
	struct blockpool_port_attr attr = {
		.name = name,
		.flags = BLOCKPOOL_BIND_SEND | BLOCKPOOL_BIND_RECV |
			 BLOCKPOOL_BIND_CREATE,
	};

	return blockpool_bind(pool, &attr);
}

/*
 * Pools whose blocks the library keeps none of
 */

FIXTURE(direct)
{
	struct blockpool *pool;
};

FIXTURE_VARIANT(direct)
{
	__u32 flags;
};

FIXTURE_VARIANT_ADD(direct, guard) { .flags = BLOCKPOOL_GUARD };
FIXTURE_VARIANT_ADD(direct, poison) { .flags = BLOCKPOOL_POISON };
FIXTURE_VARIANT_ADD(direct, track) { .flags = BLOCKPOOL_TRACK };
FIXTURE_VARIANT_ADD(direct, consistency) { .flags = BLOCKPOOL_CONSISTENCY };
FIXTURE_VARIANT_ADD(direct, isolated) { .flags = BLOCKPOOL_ISOLATED };
FIXTURE_VARIANT_ADD(direct, all) {
	.flags = BLOCKPOOL_DEBUG | BLOCKPOOL_ISOLATED,
};

FIXTURE_SETUP(direct)
{
	self->pool = open_pool(variant->flags);
	ASSERT_NE(NULL, self->pool);
	model.status->cache_max = NR_BLOCKS;	/* nobody asks it */
}

FIXTURE_TEARDOWN(direct)
{
	EXPECT_EQ(0, blockpool_close(self->pool));
	EXPECT_EQ(0u, model_held());
}

TEST_F(direct, each_call_is_the_kernels)
{
	void *blocks[3];

	blocks[0] = blockpool_alloc(self->pool);
	ASSERT_NE(NULL, blocks[0]);
	EXPECT_EQ(1u, model_held());
	ASSERT_EQ(2, blockpool_alloc_bulk(self->pool, blocks + 1, 2));
	EXPECT_EQ(3u, model_held());
	ASSERT_EQ(0, blockpool_free(self->pool, blocks[1]));
	EXPECT_EQ(2u, model_held());
	EXPECT_ERRNO(EPERM, blockpool_free(self->pool, blocks[1]) == -1);
	EXPECT_EQ(4u, model.nr_ioctls);
	blocks[1] = blockpool_alloc_wait(self->pool, 1);
	ASSERT_EQ(3, blockpool_free_bulk(self->pool, blocks, 3));
	EXPECT_EQ(6u, model.nr_ioctls);
	EXPECT_EQ(0, blockpool_flush(self->pool));
	EXPECT_EQ(6u, model.nr_ioctls);
}

/* With guard zones block 0 does not lie where the mapping begins. */
TEST_F(direct, blocks_by_address_and_index)
{
	struct blockpool_info info;
	char *base = blockpool_block(self->pool, 0);
	__u32 i;

	ASSERT_EQ(0, blockpool_info(self->pool, &info));
	EXPECT_EQ(variant->flags & BLOCKPOOL_GUARD ? 1 : 0,
		  info.block_offset > 0);
	EXPECT_EQ(0u, (uintptr_t)(base - info.block_offset) % 4096);
	for (i = 0; i < NR_BLOCKS; i++) {
		char *block = base + (size_t)i * info.stride;

		ASSERT_EQ(block, blockpool_block(self->pool, i));
		ASSERT_EQ(i, blockpool_index(self->pool, block));
	}
	EXPECT_ERRNO(EINVAL, blockpool_index(self->pool, base -
					     info.block_offset - info.stride) ==
		     BLOCKPOOL_NO_INDEX);
	EXPECT_ERRNO(EINVAL, !blockpool_block(self->pool, NR_BLOCKS));
}

/* The kernel shall report it, if it reports anything. */
TEST_F(direct, what_is_no_block_is_shown_to_the_kernel)
{
	bool asked = variant->flags & BLOCKPOOL_DEBUG;
	char *block = blockpool_alloc(self->pool);
	void *blocks[] = { block, block + 8 };

	ASSERT_NE(NULL, block);
	model.nr_ioctls = 0;
	EXPECT_ERRNO(EINVAL, blockpool_free(self->pool, block + 8) == -1);
	EXPECT_EQ((unsigned int)asked, model.nr_ioctls);
	EXPECT_ERRNO(EINVAL, blockpool_free_bulk(self->pool, blocks, 2) == 1);
	EXPECT_EQ(asked + 1u, model.nr_ioctls);
	if (asked)
		EXPECT_EQ(BLOCKPOOL_NO_INDEX, model.last_index);
	EXPECT_EQ(0u, model_held());
}

TEST_F(direct, and_so_is_what_is_to_be_sent)
{
	struct blockpool_port *port = bind_port(self->pool, "port");
	void *block = blockpool_alloc(self->pool);
	struct blockpool_message messages[] = {
		{ .index = blockpool_index(self->pool, block) },
		{ .index = NR_BLOCKS },
	};

	model.timeout_ms = 1;
	EXPECT_ERRNO(EINVAL, blockpool_send(port, messages, 2, 0, 0) == -1);
	EXPECT_EQ(variant->flags & BLOCKPOOL_DEBUG ? 0 : 1, model.timeout_ms);
	ASSERT_EQ(1, blockpool_send(port, messages, 1, 0, 0));
	EXPECT_ERRNO(EPERM, blockpool_free(self->pool, block) == -1);
	ASSERT_EQ(1, blockpool_recv(port, messages, 2, 0, 0));
	EXPECT_EQ(0, blockpool_free(self->pool, block));
	EXPECT_EQ(0, blockpool_unbind(port));
}

static bool is_mapped(const char *page)
{
	return !msync((void *)page, 4096, MS_ASYNC);
}

TEST(all_of_the_mapping_goes)
{
	struct blockpool *pool = open_pool(BLOCKPOOL_GUARD);
	struct blockpool_info info;
	char *mapping;

	ASSERT_NE(NULL, pool);
	ASSERT_EQ(0, blockpool_info(pool, &info));
	mapping = (char *)blockpool_block(pool, 0) - info.block_offset;
	EXPECT_TRUE(is_mapped(mapping));
	EXPECT_TRUE(is_mapped(mapping + info.map_size - 4096));
	ASSERT_EQ(0, blockpool_close(pool));
	EXPECT_FALSE(is_mapped(mapping));
	EXPECT_FALSE(is_mapped(mapping + info.map_size - 4096));
}

/*
 * Call stacks
 */

/* The path in a frame, by the text that the model was told. */
static const char *path_of(__u64 frame, char *path)
{
	const char *line = model.modules, *end;
	__u64 skip;

	for (skip = frame >> 48; skip && *line; skip--)
		line = strchr(line, '\n') + 1;
	end = strchr(line, '\n');
	snprintf(path, PATH_MAX, "%.*s", end ? (int)(end - line) : 0, line);
	return path;
}

static int first_bias(struct dl_phdr_info *info, size_t size, void *bias)
{
	*(uintptr_t *)bias = info->dlpi_addr;
	return 1;
}

/* The function of this program in which a frame lies; NULL if in another file. */
static void *function_of(__u64 frame)
{
	char path[PATH_MAX], self[PATH_MAX];
	uintptr_t address = frame & ((1ull << 48) - 1), bias;

	if (!realpath("/proc/self/exe", self) ||
	    strcmp(path_of(frame, path), self))
		return NULL;
	dl_iterate_phdr(first_bias, &bias);
	return _Unwind_FindEnclosingFunction((void *)(bias + address - 1));
}

FIXTURE(track)
{
	struct blockpool *pool;
};

FIXTURE_SETUP(track)
{
	self->pool = open_pool(BLOCKPOOL_TRACK);
	ASSERT_NE(NULL, self->pool);
}

FIXTURE_TEARDOWN(track)
{
	EXPECT_EQ(0, blockpool_close(self->pool));
}

static noinline void *take_here(struct blockpool *pool)
{
	void *block = blockpool_alloc(pool);

	stay_here();
	return block;
}

static noinline void *wait_here(struct blockpool *pool)
{
	void *block = blockpool_alloc_wait(pool, 0);

	stay_here();
	return block;
}

static noinline int take_two_here(struct blockpool *pool, void **blocks)
{
	int n = blockpool_alloc_bulk(pool, blocks, 2);

	stay_here();
	return n;
}

static noinline int give_here(struct blockpool *pool, void *block)
{
	int ret = blockpool_free(pool, block);

	stay_here();
	return ret;
}

static noinline int give_two_here(struct blockpool *pool, void **blocks)
{
	int n = blockpool_free_bulk(pool, blocks, 2);

	stay_here();
	return n;
}

#define EXPECT_CALLER(stack, function)	do {				\
	EXPECT_LE(2u, (stack).nr);					\
	EXPECT_EQ((void *)(function), function_of((stack).frames[0]));	\
} while (0)

/* Of each call, the first frame is that of who called the library. */
TEST_F(track, stack_begins_with_the_caller)
{
	void *blocks[3];

	blocks[0] = take_here(self->pool);
	ASSERT_NE(NULL, blocks[0]);
	EXPECT_CALLER(model.alloc, take_here);
	ASSERT_EQ(2, take_two_here(self->pool, blocks + 1));
	EXPECT_CALLER(model.alloc, take_two_here);
	ASSERT_EQ(0, give_here(self->pool, blocks[0]));
	EXPECT_CALLER(model.free, give_here);
	ASSERT_EQ(2, give_two_here(self->pool, blocks + 1));
	EXPECT_CALLER(model.free, give_two_here);
	EXPECT_EQ(1u, model.nr_modules);
}

TEST_F(track, stack_of_one_who_waits)
{
	void *blocks[NR_BLOCKS];

	ASSERT_EQ(NR_BLOCKS, blockpool_alloc_bulk(self->pool, blocks,
						  NR_BLOCKS));
	model.alloc.nr = 0;
	EXPECT_ERRNO(ETIMEDOUT, !wait_here(self->pool));
	EXPECT_CALLER(model.alloc, wait_here);
}

static noinline int send_here(struct blockpool_port *port,
			      const struct blockpool_message *message,
			      int timeout_ms)
{
	int n = blockpool_send(port, message, 1, 0, timeout_ms);

	stay_here();
	return n;
}

static noinline int recv_here(struct blockpool_port *port,
			      struct blockpool_message *message)
{
	int n = blockpool_recv(port, message, 1, 0, 1);

	stay_here();
	return n;
}

static noinline int share_here(struct blockpool_port *port,
			       const struct blockpool_message *message)
{
	int ret = blockpool_share(&port, 1, message);

	stay_here();
	return ret;
}

TEST_F(track, stack_of_one_who_sends_and_receives)
{
	struct blockpool_port *port = bind_port(self->pool, "port");
	struct blockpool_message message = { 0 };

	message.index = blockpool_index(self->pool, take_here(self->pool));
	ASSERT_EQ(1, send_here(port, &message, 0));
	EXPECT_CALLER(model.send, send_here);
	ASSERT_EQ(1, recv_here(port, &message));
	EXPECT_CALLER(model.recv, recv_here);
	EXPECT_EQ(0, blockpool_unbind(port));
}

static noinline void *deep(struct blockpool *pool, int depth)
{
	void *block = depth ? deep(pool, depth - 1) : take_here(pool);

	stay_here();
	return block;
}

TEST_F(track, stack_is_cut_where_it_is_long)
{
	int i;

	ASSERT_NE(NULL, deep(self->pool, 2));
	EXPECT_CALLER(model.alloc, take_here);
	for (i = 1; i < 4; i++)
		EXPECT_EQ((void *)deep, function_of(model.alloc.frames[i]));
	EXPECT_NE((void *)deep, function_of(model.alloc.frames[4]));
	ASSERT_NE(NULL, deep(self->pool, 100));
	EXPECT_EQ(BLOCKPOOL_FRAMES_MAX, model.alloc.nr);
	EXPECT_EQ((void *)deep,
		  function_of(model.alloc.frames[BLOCKPOOL_FRAMES_MAX - 1]));
}

static struct blockpool *handler_pool;
static void *handler_block;

static void handle(int signal)
{
	handler_block = take_here(handler_pool);
}

static noinline void interrupted(void)
{
	raise(SIGUSR1);
	stay_here();
}

static bool has_frame(const struct model_stack *stack, void *function)
{
	__u32 i;

	for (i = 0; i < stack->nr; i++) {
		if (function_of(stack->frames[i]) == function)
			return true;
	}
	return false;
}

TEST_F(track, stack_goes_on_behind_a_signal_handler)
{
	struct sigaction action = { .sa_handler = handle };

	handler_pool = self->pool;
	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	interrupted();
	ASSERT_NE(NULL, handler_block);
	EXPECT_CALLER(model.alloc, take_here);
	EXPECT_EQ((void *)handle, function_of(model.alloc.frames[1]));
	EXPECT_TRUE(has_frame(&model.alloc, interrupted));
}

/* zlib calls back for its memory: a library that was not there at first. */
static noinline void *zlib_takes(void *pool, unsigned int items,
				 unsigned int size)
{
	handler_block = take_here(pool);
	stay_here();
	return NULL;
}

static void zlib_frees(void *pool, void *address)
{
}

/* 0 if the call back came. */
static int through_zlib(struct blockpool *pool)
{
	struct zlib stream = {
		.zalloc = zlib_takes, .zfree = zlib_frees, .opaque = pool,
	};
	void *library = dlopen("libz.so.1", RTLD_NOW);
	int (*init)(struct zlib *z, const char *version, int size);

	if (!library)
		return -1;
	handler_block = NULL;
	init = dlsym(library, "inflateInit_");
	init(&stream, "1", sizeof(stream));
	dlclose(library);
	/* The next time it shall lie elsewhere. */
	mmap((void *)((uintptr_t)init & -4096ul), 4096, PROT_NONE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	return handler_block ? 0 : -1;
}

/* Loaded later, and loaded again, it has one line, and the others keep theirs. */
TEST_F(track, library_loaded_later)
{
	char path[PATH_MAX], before[TEXT_SIZE];
	int i;

	ASSERT_NE(NULL, take_here(self->pool));
	strcpy(before, model.modules);
	EXPECT_EQ(NULL, strstr(before, "libz.so"));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, through_zlib(self->pool));
		EXPECT_CALLER(model.alloc, take_here);
		EXPECT_EQ((void *)zlib_takes,
			  function_of(model.alloc.frames[1]));
		path_of(model.alloc.frames[2], path);
		EXPECT_NE(NULL, strstr(path, "/libz.so.1")) TH_LOG("%s", path);
		EXPECT_EQ(2u, model.nr_modules);
		EXPECT_EQ(0, strncmp(before, model.modules, strlen(before)));
	}
}

static int tracked_child(struct blockpool *inherited)
{
	struct blockpool *pool;

	if (blockpool_alloc(inherited) || errno != ECHILD)
		return 1;
	model.nr_modules = 0;
	pool = blockpool_open(NULL, O_RDWR);
	if (!pool || !take_here(pool) || model.nr_modules != 1 ||
	    strstr(model.modules, "libz.so"))
		return 2;
	return function_of(model.alloc.frames[0]) == take_here ? 0 : 3;
}

/* A child begins anew: the parent's other threads may have been at work on it. */
TEST_F(track, child_tells_for_itself)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, through_zlib(self->pool));
	pid = fork();
	if (!pid)
		_exit(tracked_child(self->pool));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	ASSERT_EQ(0, WEXITSTATUS(status));
}

static void *pairs(void *arg)
{
	long errors = 0;
	void *block;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		block = take_here(arg);
		errors += !block || give_here(arg, block);
	}
	return (void *)errors;
}

TEST_F(track, threads_share_a_handle)
{
	pthread_t threads[NR_THREADS];
	void *errors;
	int i;

	for (i = 0; i < NR_THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, pairs,
					    self->pool));
	for (i = 0; i < NR_THREADS; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], &errors));
		EXPECT_EQ(NULL, errors);
	}
	EXPECT_CALLER(model.alloc, take_here);
	EXPECT_CALLER(model.free, give_here);
	EXPECT_EQ((void *)pairs, function_of(model.free.frames[1]));
}

TEST(nothing_is_told_where_nobody_tracks)
{
	struct blockpool *pool = open_pool(BLOCKPOOL_GUARD);

	ASSERT_NE(NULL, pool);
	ASSERT_NE(NULL, take_here(pool));
	EXPECT_EQ(0u, model.nr_modules);
	EXPECT_EQ(0u, model.alloc.nr);
	EXPECT_EQ(0, blockpool_close(pool));
}

/*
 * AddressSanitizer
 */

/* What gcc says by itself. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__
#endif
#endif

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>

/* All of it is, or nothing. */
static bool is_poisoned(const void *at, size_t size)
{
	const char *byte = at;
	size_t i, poisoned = 0;

	for (i = 0; i < size; i++)
		poisoned += __asan_address_is_poisoned(byte + i);
	if (poisoned && poisoned != size)
		abort();
	return poisoned;
}

FIXTURE(asan)
{
	struct blockpool *pool;
	struct blockpool_info info;
	char *mapping;
};

FIXTURE_VARIANT(asan)
{
	__u32 flags;
};

FIXTURE_VARIANT_ADD(asan, plain) { .flags = 0 };
FIXTURE_VARIANT_ADD(asan, guard) { .flags = BLOCKPOOL_GUARD };

/* The address of block 0 is known only by asking for it: a taken one tells too. */
FIXTURE_SETUP(asan)
{
	char *block;

	unsetenv("BLOCKPOOL_DEBUG");
	self->pool = open_pool(variant->flags);
	ASSERT_NE(NULL, self->pool);
	ASSERT_EQ(0, blockpool_info(self->pool, &self->info));
	block = blockpool_alloc(self->pool);
	ASSERT_NE(NULL, block);
	self->mapping = block - self->info.block_offset -
			(size_t)blockpool_index(self->pool, block) *
			self->info.stride;
	ASSERT_EQ(0, blockpool_free(self->pool, block));
}

FIXTURE_TEARDOWN(asan)
{
	size_t size = self->info.map_size;

	EXPECT_EQ(0, blockpool_close(self->pool));
	EXPECT_FALSE(is_poisoned(self->mapping, size));
}

TEST_F(asan, only_what_is_taken_can_be_touched)
{
	__u32 behind = self->info.stride - BLOCK_SIZE;
	char *block;

	EXPECT_TRUE(is_poisoned(self->mapping, self->info.map_size));
	block = blockpool_alloc(self->pool);
	EXPECT_FALSE(is_poisoned(block, BLOCK_SIZE));
	EXPECT_TRUE(is_poisoned(block + BLOCK_SIZE, behind));
	if (self->info.block_offset)
		EXPECT_TRUE(is_poisoned(block - self->info.block_offset,
					self->info.block_offset));
	ASSERT_EQ(0, blockpool_free(self->pool, block));
	EXPECT_TRUE(is_poisoned(self->mapping, self->info.map_size));
	EXPECT_EQ(0u, model_held());	/* no magazine has any */
}

TEST_F(asan, each_call_tells)
{
	void *blocks[3];
	int i;

	model.others_wait = true;
	blocks[0] = blockpool_alloc_wait(self->pool, 0);
	model.others_wait = false;
	ASSERT_NE(NULL, blocks[0]);
	ASSERT_EQ(2, blockpool_alloc_bulk(self->pool, blocks + 1, 2));
	for (i = 0; i < 3; i++)
		EXPECT_FALSE(is_poisoned(blocks[i], BLOCK_SIZE));
	ASSERT_EQ(3, blockpool_free_bulk(self->pool, blocks, 3));
	EXPECT_TRUE(is_poisoned(self->mapping, self->info.map_size));
}

TEST_F(asan, what_is_asked_for_by_index_is_shown)
{
	char *block = blockpool_block(self->pool, LAST);

	EXPECT_FALSE(is_poisoned(block, BLOCK_SIZE));
	EXPECT_TRUE(is_poisoned(self->mapping, block - self->mapping));
}

TEST_F(asan, what_is_sent_is_gone)
{
	struct blockpool_port *port = bind_port(self->pool, "port");
	char *block = blockpool_alloc(self->pool);
	struct blockpool_message message = {
		.index = blockpool_index(self->pool, block),
	};

	message.length = MODEL_LENGTH + 1;
	EXPECT_ERRNO(EINVAL, send_here(port, &message, 0) == -1);
	EXPECT_FALSE(is_poisoned(block, BLOCK_SIZE));
	message.length = 0;
	ASSERT_EQ(1, send_here(port, &message, 0));
	EXPECT_TRUE(is_poisoned(self->mapping, self->info.map_size));
	ASSERT_EQ(1, recv_here(port, &message));
	EXPECT_FALSE(is_poisoned(block, BLOCK_SIZE));
	EXPECT_EQ(0, blockpool_free(self->pool, block));
	EXPECT_TRUE(is_poisoned(self->mapping, self->info.map_size));
	EXPECT_EQ(0, blockpool_unbind(port));
}

/* As long as the handle has a share, the block can be read. */
TEST_F(asan, shares_are_counted)
{
	struct blockpool_port *ports[MANY_SHARES];
	char *block = blockpool_alloc(self->pool);
	struct blockpool_message message = {
		.index = blockpool_index(self->pool, block),
	};
	int i;

	ports[0] = bind_port(self->pool, "port");
	for (i = 1; i < MANY_SHARES; i++)
		ports[i] = ports[0];
	ASSERT_EQ(0, blockpool_share(ports, MANY_SHARES, &message));
	EXPECT_TRUE(is_poisoned(block, BLOCK_SIZE));
	for (i = 0; i < MANY_SHARES; i++) {
		ASSERT_EQ(1, recv_here(ports[0], &message));
		EXPECT_FALSE(is_poisoned(block, BLOCK_SIZE));
	}
	for (i = 0; i < MANY_SHARES; i++) {
		EXPECT_FALSE(is_poisoned(block, BLOCK_SIZE));
		EXPECT_ERRNO(EPERM, send_here(ports[0], &message, 0) == -1);
		EXPECT_EQ(0, blockpool_free(self->pool, block));
	}
	EXPECT_TRUE(is_poisoned(block, BLOCK_SIZE));
	EXPECT_EQ(0, blockpool_unbind(ports[0]));
}

/* More than can be counted: better a mistake unseen than one that is none. */
TEST_F(asan, too_many_shares)
{
	struct blockpool_port *ports[BLOCKPOOL_PORTS_MAX];
	char *block = blockpool_alloc(self->pool);
	struct blockpool_message message = {
		.index = blockpool_index(self->pool, block),
	};
	unsigned int i;

	ports[0] = bind_port(self->pool, "port");
	for (i = 1; i < BLOCKPOOL_PORTS_MAX; i++)
		ports[i] = ports[0];
	ASSERT_EQ(0, blockpool_share(ports, BLOCKPOOL_PORTS_MAX, &message));
	for (i = 0; i < BLOCKPOOL_PORTS_MAX; i++)
		ASSERT_EQ(1, recv_here(ports[0], &message));
	for (i = 0; i < BLOCKPOOL_PORTS_MAX; i++) {
		EXPECT_FALSE(is_poisoned(block, BLOCK_SIZE));
		ASSERT_EQ(0, blockpool_free(self->pool, block));
	}
	EXPECT_EQ(0, blockpool_unbind(ports[0]));
}

/* Those behind a bad one are still held. */
TEST_F(asan, a_refused_free_takes_nothing_away)
{
	void *blocks[3];

	ASSERT_EQ(3, blockpool_alloc_bulk(self->pool, blocks, 3));
	model_steal(blockpool_index(self->pool, blocks[1]));
	EXPECT_ERRNO(EPERM, blockpool_free_bulk(self->pool, blocks, 3) == 1);
	EXPECT_TRUE(is_poisoned(blocks[0], BLOCK_SIZE));
	EXPECT_FALSE(is_poisoned(blocks[2], BLOCK_SIZE));
	EXPECT_EQ(0, blockpool_free(self->pool, blocks[2]));
}

/* Each handle's mapping is its own, in whatever order they go. */
TEST_F(asan, two_handles)
{
	struct blockpool *other = blockpool_open(NULL, O_RDWR);
	char *block = blockpool_alloc(other), *base;

	ASSERT_NE(NULL, block);
	base = block - (size_t)blockpool_index(other, block) * self->info.stride;
	ASSERT_EQ(0, blockpool_free(other, block));
	EXPECT_EQ(0, blockpool_close(self->pool));
	EXPECT_FALSE(is_poisoned(self->mapping, self->info.map_size));
	self->pool = other;
	self->mapping = base - self->info.block_offset;
	EXPECT_TRUE(is_poisoned(self->mapping, self->info.map_size));
}

/* Where the parent has a pool, a child may have anything. */
TEST_F(asan, a_child_has_it_clean)
{
	size_t size = self->info.map_size;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid)
		_exit(is_poisoned(self->mapping, size) ||
		      blockpool_close(self->pool));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(is_poisoned(self->mapping, size));
}
#endif

/*
 * Reports on stderr
 */

static struct capture {
	int file, before;
	char text[TEXT_SIZE];
} capture;

static void capture_begin(void)
{
	capture.file = memfd_create("stderr", 0);
	capture.before = dup(STDERR_FILENO);
	dup2(capture.file, STDERR_FILENO);
}

/* What was printed meanwhile. */
static const char *capture_end(void)
{
	ssize_t n;

	dup2(capture.before, STDERR_FILENO);
	n = pread(capture.file, capture.text, sizeof(capture.text) - 1, 0);
	capture.text[n < 0 ? 0 : n] = '\0';
	close(capture.file);
	close(capture.before);
	return capture.text;
}

/* The report begins with this line, and the stack with this function. */
static bool report_is(const char *text, const char *function,
		      const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static bool report_is(const char *text, const char *function,
		      const char *format, ...)
{
	char line[1000], call[1000];
	const char *first;
	size_t length;
	va_list ap;

	va_start(ap, format);
	length = vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	if (strncmp(text, line, length) || text[length] != '\n')
		return false;
	length += snprintf(line, sizeof(line),
			   "\nblockpool: model: by pid %d, tid %d (%.15s):\n",
			   getpid(), gettid(), program_invocation_short_name);
	first = strstr(text, line);
	snprintf(call, sizeof(call), " (%s+0x", function);
	return first && strstr(first, call) &&
	       strstr(first, call) < strchr(first + strlen(line), '\n');
}

#define EXPECT_REPORT(function, ...) do {				\
	const char *__text = capture_end();				\
									\
	EXPECT_TRUE(report_is(__text, function,				\
			      "blockpool: model: " __VA_ARGS__))	\
		TH_LOG("%s", __text);					\
} while (0)

FIXTURE(report)
{
	struct blockpool *pool;
	void *block;
	__u32 index;
};

/* In the process's magazine, or known to the kernel only. */
FIXTURE_VARIANT(report)
{
	__u32 flags;
};

FIXTURE_VARIANT_ADD(report, plain) { .flags = 0 };
FIXTURE_VARIANT_ADD(report, track) { .flags = BLOCKPOOL_TRACK };

FIXTURE_SETUP(report)
{
	setenv("BLOCKPOOL_DEBUG", "1", 1);
	self->pool = open_pool(variant->flags);
	ASSERT_NE(NULL, self->pool);
	self->block = take_here(self->pool);
	ASSERT_NE(NULL, self->block);
	self->index = blockpool_index(self->pool, self->block);
}

FIXTURE_TEARDOWN(report)
{
	EXPECT_EQ(0, blockpool_close(self->pool));
}

TEST_F(report, double_free)
{
	capture_begin();
	EXPECT_EQ(0, give_here(self->pool, self->block));
	EXPECT_STREQ("", capture_end());
	capture_begin();
	EXPECT_ERRNO(EPERM, give_here(self->pool, self->block) == -1);
	EXPECT_REPORT("give_here", "double free, block %u, owner word 0",
		      self->index);
}

/* As a double free of a block that was damaged. */
TEST_F(report, free_of_what_is_in_quarantine)
{
	model_own(self->index, BLOCKPOOL_OWNER_QUARANTINE);
	capture_begin();
	EXPECT_ERRNO(EPERM, give_here(self->pool, self->block) == -1 ||
		     blockpool_flush(self->pool) == -1);
	EXPECT_NE(NULL, strstr(capture_end(), "double free, block"));
}

/* Nothing that the caller did wrong. */
TEST_F(report, none_of_a_call_that_fails)
{
	char *inside = (char *)blockpool_block(self->pool, LAST);

	model.fail_request = BLOCKPOOL_IOC_FREE;
	model.fail_error = ENOMEM;
	capture_begin();
	EXPECT_ERRNO(ENOMEM, give_here(self->pool, inside) == -1);
	EXPECT_STREQ("", capture_end());
	model.fail_error = 0;
}

TEST_F(report, free_of_what_others_hold)
{
	void *blocks[] = { self->block, blockpool_block(self->pool, LAST) };

	model_steal(LAST);
	capture_begin();
	EXPECT_ERRNO(EPERM, give_two_here(self->pool, blocks) == 1);
	EXPECT_REPORT("give_two_here",
		      "free by one who does not hold it, block %u, owner word %u",
		      LAST, MODEL_CLIENT + 1);
}

TEST_F(report, free_of_what_is_no_block)
{
	char *inside = (char *)self->block + 8;

	capture_begin();
	EXPECT_ERRNO(EINVAL, give_here(self->pool, inside) == -1);
	EXPECT_REPORT("give_here",
		      "free of what is not a block: 0x%lx, byte 8 of block %u",
		      (unsigned long)inside, self->index);
	capture_begin();
	EXPECT_ERRNO(EINVAL, give_here(self->pool, &inside) == -1);
	EXPECT_REPORT("give_here", "free of what is not a block: 0x%lx",
		      (unsigned long)&inside);
}

FIXTURE(sent)
{
	struct blockpool *pool;
	struct blockpool_port *port;
	struct blockpool_message message;
	void *block;
};

FIXTURE_VARIANT(sent)
{
	__u32 flags;
};

FIXTURE_VARIANT_ADD(sent, plain) { .flags = 0 };
FIXTURE_VARIANT_ADD(sent, track) { .flags = BLOCKPOOL_TRACK };

FIXTURE_SETUP(sent)
{
	setenv("BLOCKPOOL_DEBUG", "1", 1);
	self->pool = open_pool(variant->flags);
	ASSERT_NE(NULL, self->pool);
	self->port = bind_port(self->pool, "port");
	self->block = take_here(self->pool);
	ASSERT_NE(NULL, self->block);
	self->message.index = blockpool_index(self->pool, self->block);
	capture_begin();
}

FIXTURE_TEARDOWN(sent)
{
	EXPECT_EQ(0, blockpool_unbind(self->port));
	EXPECT_EQ(0, blockpool_close(self->pool));
}

TEST_F(sent, free_block)
{
	EXPECT_EQ(0, give_here(self->pool, self->block));
	EXPECT_ERRNO(EPERM, send_here(self->port, &self->message, 0) == -1);
	EXPECT_REPORT("send_here", "send of a free block, block %u, owner word 0",
		      self->message.index);
}

TEST_F(sent, in_flight)
{
	EXPECT_EQ(1, send_here(self->port, &self->message, 0));
	EXPECT_ERRNO(EPERM, send_here(self->port, &self->message, 0) == -1);
	EXPECT_REPORT("send_here",
		      "send by one who does not hold it, block %u, owner word %u",
		      self->message.index, BLOCKPOOL_OWNER_PORT | 1);
}

TEST_F(sent, no_block)
{
	self->message.index = NR_BLOCKS;
	EXPECT_ERRNO(EINVAL, send_here(self->port, &self->message, 0) == -1);
	EXPECT_REPORT("send_here", "send of what is not a block: index %u",
		      NR_BLOCKS);
}

TEST_F(sent, as_share)
{
	EXPECT_EQ(0, give_here(self->pool, self->block));
	EXPECT_ERRNO(EPERM, share_here(self->port, &self->message) == -1);
	EXPECT_REPORT("share_here", "send of a free block, block %u, owner word 0",
		      self->message.index);
}

/* Not the block's fault. */
TEST_F(sent, nothing_wrong_with_the_block)
{
	self->message.length = MODEL_LENGTH + 1;
	EXPECT_ERRNO(EINVAL, send_here(self->port, &self->message, 0) == -1);
	self->message.length = 0;
	model_port_end("port");
	EXPECT_ERRNO(ENOENT, send_here(self->port, &self->message, 0) == -1);
	EXPECT_STREQ("", capture_end());
	EXPECT_EQ(-1, blockpool_unbind(self->port));
	self->port = bind_port(self->pool, "port");
}

#define INHERITED	"blockpool: model: call on a handle inherited over fork()"

TEST_F(report, inherited_handle)
{
	int status;
	pid_t pid;

	capture_begin();
	pid = fork();
	if (!pid) {
		if (!take_here(self->pool) && errno == ECHILD)
			_exit(!report_is(capture_end(), "take_here", INHERITED));
		_exit(2);
	}
	capture_end();
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* Kept here, and given back by other ways. */
TEST(report_of_a_flush)
{
	struct blockpool *pool;
	void *block;

	setenv("BLOCKPOOL_DEBUG", "1", 1);
	pool = open_pool(0);
	block = take_here(pool);
	ASSERT_EQ(0, give_here(pool, block));
	model_steal(blockpool_index(pool, block));
	capture_begin();
	errno = 0;
	blockpool_flush(pool);
	EXPECT_EQ(NULL, strstr(capture_end(), "double free"));
	if (errno)	/* there are magazines */
		EXPECT_NE(NULL, strstr(capture.text,
				       "free by one who does not hold it"));
	EXPECT_EQ(0, blockpool_close(pool));
}

TEST(no_report_unless_wanted)
{
	static const char *const values[] = { NULL, "", "0" };
	struct blockpool *pool;
	void *block;
	int i;

	for (i = 0; i < 3; i++) {
		unsetenv("BLOCKPOOL_DEBUG");
		if (values[i])
			setenv("BLOCKPOOL_DEBUG", values[i], 1);
		pool = open_pool(BLOCKPOOL_DEBUG);
		block = take_here(pool);
		capture_begin();
		EXPECT_EQ(0, give_here(pool, block));
		EXPECT_EQ(-1, give_here(pool, block));
		EXPECT_STREQ("", capture_end());
		EXPECT_EQ(0, blockpool_close(pool));
	}
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: LGPL-2.1-only OR MIT
#include <limits.h>
#include <pthread.h>

#include "watch.h"

#if __has_include("valgrind/memcheck.h")
#include <valgrind/memcheck.h>
#else	/* where the library was built nobody had Valgrind */
static inline int no_tool(const void *at, ...)
{
	(void)at;
	return 0;
}

#define VALGRIND_MAKE_MEM_DEFINED	no_tool
#define VALGRIND_MAKE_MEM_NOACCESS	no_tool
#define VALGRIND_CREATE_MEMPOOL		no_tool
#define VALGRIND_DESTROY_MEMPOOL	no_tool
#define VALGRIND_MEMPOOL_ALLOC		no_tool
#define VALGRIND_MEMPOOL_FREE		no_tool
#endif

#define TOOL_MEMCHECK	1
#define TOOL_ASAN	2

/* There in a program built with AddressSanitizer, and in no other. */
void __asan_poison_memory_region(const volatile void *at, size_t size)
	__attribute__((weak));
void __asan_unpoison_memory_region(const volatile void *at, size_t size)
	__attribute__((weak));

/*
 * Of Valgrind's tools only memcheck answers.  The others have no use for this, and
 * shall see a program as it is, with its magazines.
 */
unsigned char bp_watch_tools(void)
{
	unsigned char tools = __asan_poison_memory_region ? TOOL_ASAN : 0;

	if (VALGRIND_MAKE_MEM_DEFINED(&tools, sizeof(tools)))
		tools |= TOOL_MEMCHECK;
	return tools;
}

static unsigned char *mapping_of(const struct blockpool *pool)
{
	return pool->base - pool->block_offset;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct blockpool *watched;	/* all handles with tools */

static void before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
	pthread_mutex_unlock(&lock);
}

/*
 * AddressSanitizer does not see that a child has no mapping of the pool: whatever
 * lies there next must not count as a pool's free blocks.
 */
static void after_fork_in_child(void)
{
	for (; watched; watched = watched->next) {
		if (watched->tools & TOOL_ASAN)
			__asan_unpoison_memory_region(mapping_of(watched),
						      watched->map_size);
		watched->tools = 0;
	}
	pthread_mutex_unlock(&lock);
}

static void watch_forks(void)
{
	pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

/* To memcheck the handle is an allocator: it then knows who took and freed. */
void bp_watch_open(struct blockpool *pool)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	unsigned char *mapping = mapping_of(pool);

	pthread_once(&once, watch_forks);
	pthread_mutex_lock(&lock);
	if (pool->tools & TOOL_ASAN)
		__asan_poison_memory_region(mapping, pool->map_size);
	if (pool->tools & TOOL_MEMCHECK) {
		VALGRIND_CREATE_MEMPOOL(pool, pool->block_offset, true);
		VALGRIND_MAKE_MEM_NOACCESS(mapping, pool->map_size);
	}
	pool->next = watched;
	watched = pool;
	pthread_mutex_unlock(&lock);
}

/* What is mapped there next is somebody else's. */
void bp_watch_close(struct blockpool *pool)
{
	struct blockpool **at;

	pthread_mutex_lock(&lock);
	for (at = &watched; *at && *at != pool; at = &(*at)->next)
		;
	if (*at)
		*at = pool->next;
	if (pool->tools & TOOL_ASAN)
		__asan_unpoison_memory_region(mapping_of(pool), pool->map_size);
	if (pool->tools & TOOL_MEMCHECK)
		VALGRIND_DESTROY_MEMPOOL(pool);
	pthread_mutex_unlock(&lock);
}

void bp_watch_taken(struct blockpool *pool, u32 index)
{
	void *block = block_at(pool, index);

	if (pool->tools & TOOL_ASAN)
		__asan_unpoison_memory_region(block, pool->block_size);
	if (pool->tools & TOOL_MEMCHECK)
		VALGRIND_MEMPOOL_ALLOC(pool, block, pool->block_size);
}

/* A state that can count no further stays: its block may be touched for ever. */
void bp_watch_shared(struct blockpool *pool, u32 index)
{
	unsigned char *state = &pool->states[index], more;
	unsigned char old = __atomic_load_n(state, __ATOMIC_RELAXED);

	do
		more = old < STATE_SHARED ? STATE_SHARED :
		       old < UCHAR_MAX ? old + 1 : old;
	while (!__atomic_compare_exchange_n(state, &old, more, true,
					    __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED));
	bp_watch_shown(pool, index);
}

/* The state that there was; a share less of those that there are is no other one. */
static unsigned char forget(unsigned char *state)
{
	unsigned char old = __atomic_load_n(state, __ATOMIC_RELAXED), less;

	do
		less = old <= STATE_SHARED ? STATE_UNKNOWN :
		       old < UCHAR_MAX ? old - 1 : old;
	while (!__atomic_compare_exchange_n(state, &old, less, true,
					    __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED));
	return old;
}

void bp_watch_freed(struct blockpool *pool, u32 index)
{
	unsigned char was = forget(&pool->states[index]);
	void *block = block_at(pool, index);

	if (was > STATE_SHARED)
		return;
	if (pool->tools & TOOL_ASAN)
		__asan_poison_memory_region(block, pool->block_size);
	if (!(pool->tools & TOOL_MEMCHECK))
		return;
	if (was == STATE_HELD)
		VALGRIND_MEMPOOL_FREE(pool, block);
	else
		VALGRIND_MAKE_MEM_NOACCESS(block, pool->block_size);
}

void bp_watch_shown(const struct blockpool *pool, u32 index)
{
	void *block = block_at(pool, index);

	if (pool->tools & TOOL_ASAN)
		__asan_unpoison_memory_region(block, pool->block_size);
	if (pool->tools & TOOL_MEMCHECK)
		VALGRIND_MAKE_MEM_DEFINED(block, pool->block_size);
}

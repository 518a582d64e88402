// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/*
 * The magazines: made, filled, emptied, given up.
 *
 * Of all this only bp_thread_open(), bp_thread_close() and the end of a thread
 * take a lock.  The rest is done by a thread to its own magazine, may be
 * interrupted anywhere by a signal handler that takes and gives blocks too, and
 * may be called by one.
 */
#include <assert.h>
#include <pthread.h>
#include <signal.h>

#include "kernel.h"
#include "report.h"
#include "thread.h"
#include "wiped.h"

/*
 * glibc keeps the values of so many keys in the thread itself; to set another may
 * need memory, which a signal handler cannot ask for.
 */
#define KEYS_IN_THREAD	32

/* In memory that a child finds wiped: with no handles open and no lock taken. */
struct registry {
	pthread_mutex_t lock;
	struct blockpool *open[THREAD_SLOTS];
};

__thread struct bp_thread_entry bp_thread_table[THREAD_SLOTS + 1]
	bp_initial_exec;
static __thread bool ended bp_initial_exec;	/* no more magazines here */

static struct registry *registry;	/* NULL: nobody has magazines */
static u64 last_serial;			/* under the registry's lock; not wiped */
static pthread_key_t key;

/*
 * Most blocks that the handle may keep.  An eighth, as the status page says of
 * the pool, so that a limit is not used up by magazines.
 */
static u32 cache_limit(const struct blockpool *pool)
{
	u32 limit = __atomic_load_n(&pool->status->cache_max, __ATOMIC_RELAXED);

	if (pool->client_max && pool->client_max / 8 < limit)
		limit = pool->client_max / 8;
	return limit;
}

/*
 * Half of what the other threads leave, rounded up: a magazine of one block still
 * serves who takes and gives one at a time.  With n threads that take turns to ask,
 * each comes to have 1 / (n + 1) of the limit, and there is room for one more.
 */
static u32 share_of(const struct blockpool *pool, u32 others)
{
	u32 limit = cache_limit(pool);
	u32 left = limit > others ? limit - others : 0;
	u32 half = left / 2 + left % 2;

	return half < MAGAZINE_ROOM ? half : MAGAZINE_ROOM;
}

/*
 * All that threads reserve is never more than the limit was when they did, and
 * nothing is in a magazine for which it has no room reserved.
 */
u32 bp_thread_fit(struct blockpool *pool, struct bp_magazine *magazine)
{
	struct bp_stack *stack = &magazine->stack;
	u32 reserved = __atomic_load_n(&pool->reserved, __ATOMIC_RELAXED);
	u32 others, share, size;

	do {
		others = reserved - stack->size;
		share = share_of(pool, others);
		size = share > stack->nr ? share : stack->nr;
		if (size == stack->size)
			return share;
	} while (!__atomic_compare_exchange_n(&pool->reserved, &reserved,
					      others + size, true,
					      __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	stack->size = size;
	return share;
}

static void shut(struct blockpool *pool, struct bp_magazine *magazine)
{
	__atomic_fetch_sub(&pool->reserved, magazine->stack.size,
			   __ATOMIC_RELAXED);
	magazine->stack.size = 0;
}

int bp_thread_refill(struct blockpool *pool, struct bp_magazine *magazine,
		     u32 need)
{
	struct bp_stack *stack = &magazine->stack;
	u32 *to = &stack->elements[stack->nr];
	u32 extra = is_short(pool) ? 0 : stack->size / 2;
	u32 i, n = bp_kernel_take(pool, to, need - stack->nr, extra, NULL);

	if (!n)
		return -1;
	for (i = 0; i < n; i++)
		pool->states[to[i]] = STATE_CACHED;
	stack->nr += n;
	return 0;
}

/* Those that the kernel refuses were given back by other ways: go on behind. */
static int put_all(struct blockpool *pool, const u32 *indices, u32 n)
{
	int ret = 0;
	u32 done;

	for (done = 0; done < n; done++) {
		done += bp_kernel_put(pool, indices + done, n - done, NULL);
		if (done == n)
			break;
		bp_report_free(pool, block_at(pool, indices[done]), NULL);
		ret = -1;
	}
	return ret;
}

/* Blocks lose their state before the kernel may lend them on. */
int bp_thread_flush(struct blockpool *pool, struct bp_magazine *magazine,
		    u32 keep)
{
	struct bp_stack *stack = &magazine->stack;
	u32 *elements = stack->elements;
	u32 i, n = stack->nr > keep ? stack->nr - keep : 0;
	int ret;

	for (i = 0; i < n; i++)
		pool->states[elements[i]] = STATE_UNKNOWN;
	ret = put_all(pool, elements, n);
	bp_stack_drop_cold(stack, n);
	return ret;
}

static_assert(MAGAZINE_GAP + sizeof(struct bp_magazine) +
	      MAGAZINE_SPACE * sizeof(u32) <= MAGAZINE_BYTES, "one page");

static struct bp_magazine *magazine_map(void)
{
	char *page = bp_map_wiped(MAGAZINE_BYTES);

	return page ? (void *)(page + MAGAZINE_GAP) : NULL;
}

static void magazine_unmap(struct bp_magazine *magazine)
{
	munmap((char *)magazine - MAGAZINE_GAP, MAGAZINE_BYTES);
}

/* Make this thread's magazine, shut, out of that of a closed handle if it can. */
static void magazine_make(struct blockpool *pool, struct bp_thread_entry *entry)
{
	struct bp_magazine *magazine = entry->magazine;

	if (!magazine)
		magazine = magazine_map();
	if (!magazine)
		return;
	if (pthread_setspecific(key, bp_thread_table)) {
		entry->magazine = NULL;
		magazine_unmap(magazine);
		return;
	}
	*magazine = (struct bp_magazine){ 0 };
	entry->magazine = magazine;
	entry->serial = pool->serial;
}

/* No signal handler shall begin another one half-way. */
static bp_slow void magazine_make_alone(struct blockpool *pool)
{
	struct bp_thread_entry *entry = bp_thread_entry(pool);
	sigset_t all, old;

	sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &old))
		return;
	if (entry->serial != pool->serial && !ended)
		magazine_make(pool, entry);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

struct bp_magazine *bp_thread_enter(struct blockpool *pool)
{
	struct bp_magazine *magazine = bp_thread_magazine(pool);
	u32 reserved;

	if (!magazine) {
		reserved = __atomic_load_n(&pool->reserved, __ATOMIC_RELAXED);
		if (pool->slot == THREAD_SLOTS * sizeof(*bp_thread_table) ||
		    ended || !share_of(pool, reserved))
			return NULL;
		magazine_make_alone(pool);
		magazine = bp_thread_magazine(pool);
	}
	return magazine && bp_magazine_enter(magazine) ? magazine : NULL;
}

int blockpool_flush(struct blockpool *pool)
{
	struct bp_magazine *magazine;
	int ret;

	if (inherited(pool))
		return bp_refuse_inherited(pool, bp_caller());
	magazine = bp_thread_magazine(pool);
	if (!magazine)
		return 0;
	if (!bp_magazine_enter(magazine))
		return fail(EAGAIN);
	ret = bp_thread_flush(pool, magazine, 0);
	shut(pool, magazine);
	bp_magazine_leave(magazine);
	return ret;
}

void bp_thread_open(struct blockpool *pool)
{
	int i = THREAD_SLOTS;

	pool->serial = 1;
	if (registry && !is_direct(pool)) {
		pthread_mutex_lock(&registry->lock);
		pool->serial = ++last_serial;
		for (i = 0; i < THREAD_SLOTS && registry->open[i]; i++)
			;
		if (i < THREAD_SLOTS)
			registry->open[i] = pool;
		pthread_mutex_unlock(&registry->lock);
	}
	pool->slot = (size_t)i * sizeof(*bp_thread_table);
}

/* An inherited handle has no slot: another may have that one here. */
void bp_thread_close(struct blockpool *pool)
{
	size_t i = pool->slot / sizeof(*bp_thread_table);

	if (!registry || i == THREAD_SLOTS)
		return;
	pthread_mutex_lock(&registry->lock);
	if (registry->open[i] == pool)
		registry->open[i] = NULL;
	pthread_mutex_unlock(&registry->lock);
}

/*
 * A magazine that is busy now will be for ever: a signal handler ended the thread
 * in the middle of its use.  Nobody knows what is in it; the handle has it.
 */
static void magazine_end(struct blockpool *pool, struct bp_magazine *magazine)
{
	if (!bp_magazine_enter(magazine))
		return;
	bp_thread_flush(pool, magazine, 0);
	shut(pool, magazine);
}

/*
 * The lock keeps the handles from being closed.  Destructors that run after this
 * one may still take blocks and give them back, without magazines.
 */
static void thread_end(void *unused)
{
	struct bp_thread_entry *entry;
	struct blockpool *pool;
	int i;

	(void)unused;
	ended = true;
	pthread_mutex_lock(&registry->lock);
	for (i = 0; i < THREAD_SLOTS; i++) {
		pool = registry->open[i];
		entry = &bp_thread_table[i];
		if (!entry->magazine)
			continue;
		if (pool && pool->serial == entry->serial)
			magazine_end(pool, entry->magazine);
		entry->serial = 0;
		bp_barrier();	/* a signal handler finds none, or one that is busy */
		magazine_unmap(entry->magazine);
		entry->magazine = NULL;
	}
	pthread_mutex_unlock(&registry->lock);
}

/* Without either, all goes to the kernel each time. */
static __attribute__((constructor)) void thread_init(void)
{
	if (pthread_key_create(&key, thread_end))
		return;
	if (key < KEYS_IN_THREAD)
		registry = bp_map_wiped(sizeof(*registry));
	if (!registry)
		pthread_key_delete(key);
}

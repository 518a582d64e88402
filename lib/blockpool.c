// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/*
 * Taking blocks and giving them back: to and from this thread's magazine if it
 * has what is needed, and round it, straight to and from the kernel, if there
 * is none or a signal handler finds it in use.
 *
 * Nothing here needs memory but a bounded piece of stack or takes a lock, so
 * every call may be made in a signal handler.
 */
#include <limits.h>

#include "kernel.h"
#include "report.h"
#include "thread.h"
#include "watch.h"

/* Indices on the stack at a time: 1 KiB, kind to threads with a small one. */
#define PIECE		256U

/* Most blocks that are got through a magazine at a time. */
#define REFILL_MAX	(MAGAZINE_SPACE - MAGAZINE_ROOM)

/*
 * From inside, @n blocks that are there: in one pass, and no copy first.  The
 * handle is copied because to the compiler a state may lie anywhere in it.
 */
static inline void pop_blocks(const struct blockpool *pool,
			      struct bp_stack *stack, void **blocks, u32 n)
{
	const u32 *elements = &stack->elements[stack->nr - n];
	const struct blockpool copy = *pool;
	unsigned char *states = pool->states;
	u32 i;

	for (i = 0; i < n; i++) {
		blocks[i] = block_at(&copy, elements[i]);
		states[elements[i]] = STATE_HELD;
	}
	stack->nr -= n;
}

/* From inside, up to the first that is not known to be held; how many. */
static inline u32 push_blocks(const struct blockpool *pool,
			      struct bp_stack *stack, void **blocks, u32 n)
{
	u32 *elements = &stack->elements[stack->nr];
	const struct blockpool copy = *pool;
	unsigned char *states = pool->states;
	u32 i, index;

	for (i = 0; i < n; i++) {
		index = index_of(&copy, blocks[i]);
		if (index == BLOCKPOOL_NO_INDEX || states[index] != STATE_HELD)
			break;
		states[index] = STATE_CACHED;
		elements[i] = index;
	}
	stack->nr += i;
	return i;
}

static inline void *hold(struct blockpool *pool, u32 index)
{
	pool->states[index] = STATE_HELD;
	return block_at(pool, index);
}

static void *hold_straight(struct blockpool *pool, u32 index)
{
	if (pool->tools)
		bp_watch_taken(pool, index);
	return hold(pool, index);
}

/*
 * The kernel writes the indices into the upper end of the caller's own array,
 * and they become addresses from the bottom up: where a pointer is as large as
 * two indices, address i covers indices 2i - n and 2i - n + 1, and as i < n both
 * have been read.
 */
static int take_straight(struct blockpool *pool, void **blocks, u32 n,
			 const void *caller)
{
	u32 *indices = (u32 *)(blocks + n) - n;
	u32 i, index;

	if (!bp_kernel_take(pool, indices, n, 0, caller))
		return -1;
	for (i = 0; i < n; i++) {
		memcpy(&index, indices + i, sizeof(index));
		blocks[i] = hold_straight(pool, index);
	}
	return 0;
}

static int take_through(struct blockpool *pool, struct bp_magazine *magazine,
			void **blocks, u32 n)
{
	int ret = 0;

	bp_thread_fit(pool, magazine);
	if (magazine->stack.nr < n)
		ret = bp_thread_refill(pool, magazine, n);
	if (!ret)
		pop_blocks(pool, &magazine->stack, blocks, n);
	bp_magazine_leave(magazine);
	return ret;
}

/* For many, what is in the magazine goes back first, to be taken with the rest. */
static bp_slow int take_slow(struct blockpool *pool, void **blocks, u32 n,
			     const void *caller)
{
	struct bp_magazine *magazine = NULL;
	int ret, error = errno;

	if (inherited(pool))
		return bp_refuse_inherited(pool, caller);
	if (n <= REFILL_MAX)
		magazine = bp_thread_enter(pool);
	else
		blockpool_flush(pool);
	if (magazine)
		ret = take_through(pool, magazine, blocks, n);
	else
		ret = take_straight(pool, blocks, n, caller);
	if (!ret)
		errno = error;
	return ret;
}

static bp_slow void *take_one_slow(struct blockpool *pool, const void *caller)
{
	void *block;

	return take_slow(pool, &block, 1, caller) ? NULL : block;
}

/* Inlined always, as it asks for the caller, and not before it must. */
static inline __attribute__((always_inline)) void *
take_one(struct blockpool *pool)
{
	struct bp_magazine *magazine = bp_thread_magazine(pool);
	u32 index;

	if (!bp_likely(magazine && bp_magazine_take(magazine, &index)))
		return take_one_slow(pool, bp_caller());
	return hold(pool, index);
}

void *blockpool_alloc(struct blockpool *pool)
{
	return take_one(pool);
}

/* Of a bad argument; an inherited handle goes first. */
static bp_slow int refuse(const struct blockpool *pool, const void *caller)
{
	return inherited(pool) ? bp_refuse_inherited(pool, caller) :
				 fail(EINVAL);
}

void *blockpool_alloc_wait(struct blockpool *pool, int timeout_ms)
{
	int error = errno;
	u32 index;
	void *block;

	if (timeout_ms < -1) {
		refuse(pool, bp_caller());
		return NULL;
	}
	block = take_one(pool);
	if (block || errno != EAGAIN)
		return block;
	if (bp_kernel_wait(pool, &index, timeout_ms, bp_caller()))
		return NULL;
	errno = error;
	return hold_straight(pool, index);
}

int blockpool_alloc_bulk(struct blockpool *pool, void **blocks, unsigned int n)
{
	struct bp_magazine *magazine = bp_thread_magazine(pool);

	if (!n || n > BLOCKPOOL_BATCH_MAX)
		return refuse(pool, bp_caller());
	if (!bp_likely(magazine && bp_magazine_enter(magazine)))
		goto slow;
	if (!bp_likely(n <= magazine->stack.nr)) {
		bp_magazine_leave(magazine);
		goto slow;
	}
	pop_blocks(pool, &magazine->stack, blocks, n);
	bp_magazine_leave(magazine);
	return (int)n;
slow:
	return take_slow(pool, blocks, n, bp_caller()) ? -1 : (int)n;
}

/*
 * A block on its way to the kernel, its number in @index: false if it must be
 * refused, with errno.
 */
static bool give_up(struct blockpool *pool, void *block, u32 *index)
{
	unsigned char *state;

	*index = index_of(pool, block);
	if (*index == BLOCKPOOL_NO_INDEX) {
		errno = EINVAL;
		return false;
	}
	state = &pool->states[*index];
	if (*state == STATE_CACHED) {
		errno = EPERM;
		return false;
	}
	if (pool->tools)
		bp_watch_freed(pool, *index);
	else
		*state = STATE_UNKNOWN;
	return true;
}

/*
 * Give a piece to the kernel in order; returns how many it took, with errno if
 * fewer than @n.  What it refuses is none of ours from then on.  In a pool for
 * debugging it shall see, and report, what is refused for being no block.
 */
static u32 put_straight(struct blockpool *pool, void **blocks, u32 n,
			const void *caller)
{
	u32 indices[PIECE];
	u32 i, given, good = 0, done = 0;
	int error;

	while (good < n && give_up(pool, blocks[good], &indices[good]))
		good++;
	error = errno;
	given = good + (good < n && pool->flags & BLOCKPOOL_DEBUG);
	if (given)
		done = bp_kernel_put(pool, indices, given, caller);
	if (done == good && good < n)
		errno = error;
	for (i = done + 1; pool->tools && i < good; i++)
		bp_watch_shown(pool, indices[i]);	/* they are still ours */
	return done;
}

/*
 * Put blocks into the magazine, more than it is to hold if need be, and then in
 * one ioctl back what is too much: all, if the pool is short.  Returns for how
 * many that was done: those up to the first that is not known to be held.
 */
static u32 put_through(struct blockpool *pool, struct bp_magazine *magazine,
		       void **blocks, u32 n)
{
	struct bp_stack *stack = &magazine->stack;
	u32 share = bp_thread_fit(pool, magazine);
	u32 done = 0;

	if (stack->size) {
		if (n > MAGAZINE_SPACE - stack->nr)
			n = MAGAZINE_SPACE - stack->nr;
		done = push_blocks(pool, stack, blocks, n);
		if (is_short(pool))
			bp_thread_flush(pool, magazine, 0);
		else if (stack->nr > stack->size)
			bp_thread_flush(pool, magazine, share / 2);
		bp_thread_fit(pool, magazine);
	}
	bp_magazine_leave(magazine);
	return done;
}

/* Returns how many were given back, with errno if fewer than @n. */
static bp_slow u32 put_slow(struct blockpool *pool, void **blocks, u32 n,
			    const void *caller)
{
	struct bp_magazine *magazine;
	u32 done, piece, some = 0;
	int error = errno;

	if (inherited(pool)) {
		bp_refuse_inherited(pool, caller);
		return 0;
	}
	for (done = 0; done < n; done += some) {
		magazine = bp_thread_enter(pool);
		some = magazine ? put_through(pool, magazine, blocks + done,
					      n - done) : 0;
		if (some)
			continue;
		piece = n - done < PIECE ? n - done : PIECE;
		some = put_straight(pool, blocks + done, piece, caller);
		if (some < piece) {
			bp_report_free(pool, blocks[done + some], caller);
			return done + some;
		}
	}
	errno = error;
	return done;
}

static bp_slow int put_one_slow(struct blockpool *pool, void *block,
				const void *caller)
{
	return put_slow(pool, &block, 1, caller) ? 0 : -1;
}

/* In a child no state says held, so that is asked before the status page is read. */
int blockpool_free(struct blockpool *pool, void *block)
{
	struct bp_magazine *magazine = bp_thread_magazine(pool);
	u32 index = index_of(pool, block);

	if (!bp_likely(magazine && index != BLOCKPOOL_NO_INDEX &&
		       pool->states[index] == STATE_HELD && !is_short(pool)))
		return put_one_slow(pool, block, bp_caller());
	pool->states[index] = STATE_CACHED;	/* before another can take it */
	if (bp_likely(bp_magazine_put(magazine, index)))
		return 0;
	pool->states[index] = STATE_HELD;
	return put_one_slow(pool, block, bp_caller());
}

/* How many went into the magazine, which has room for all or is left alone. */
static inline u32 put_fast(struct blockpool *pool, void **blocks, u32 n)
{
	struct bp_magazine *magazine = bp_thread_magazine(pool);
	u32 done = 0;

	if (!bp_likely(magazine && bp_magazine_enter(magazine)))
		return 0;
	if (bp_likely(n <= bp_stack_room(&magazine->stack)))
		done = push_blocks(pool, &magazine->stack, blocks, n);
	bp_magazine_leave(magazine);
	return done;
}

int blockpool_free_bulk(struct blockpool *pool, void **blocks, unsigned int n)
{
	u32 done = 0;

	if (inherited(pool))
		return bp_refuse_inherited(pool, bp_caller());
	if (!n || n > INT_MAX)
		return fail(EINVAL);
	if (bp_likely(!is_short(pool)))
		done = put_fast(pool, blocks, n);
	if (!bp_likely(done == n))
		done += put_slow(pool, blocks + done, n - done, bp_caller());
	return done ? (int)done : -1;
}

uint32_t blockpool_index(const struct blockpool *pool, const void *block)
{
	uint32_t index;

	if (inherited(pool)) {
		bp_refuse_inherited(pool, bp_caller());
		return BLOCKPOOL_NO_INDEX;
	}
	index = index_of(pool, block);
	if (index == BLOCKPOOL_NO_INDEX)
		errno = EINVAL;
	return index;
}

static bp_slow void *block_slow(const struct blockpool *pool, uint32_t index,
				const void *caller)
{
	if (inherited(pool)) {
		bp_refuse_inherited(pool, caller);
		return NULL;
	}
	if (index >= pool->nr_blocks) {
		errno = EINVAL;
		return NULL;
	}
	if (pool->states[index] != STATE_HELD)
		bp_watch_shown(pool, index);
	return block_at(pool, index);
}

void *blockpool_block(const struct blockpool *pool, uint32_t index)
{
	if (!bp_likely(*pool->here == HERE_PLAIN &&
		       index < pool->nr_blocks))
		return block_slow(pool, index, bp_caller());
	return block_at(pool, index);
}

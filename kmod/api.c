// SPDX-License-Identifier: GPL-2.0
/* What other modules call: blockpool.h.  The kernel is one owner. */
#include <linux/export.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>

#include "blockpool.h"
#include "owner.h"
#include "pool.h"
#include "trace.h"
#include "whole.h"

/**
 * blockpool_create() - make a pool
 * @attr: what it shall be; nothing is kept of it
 *
 * The pool belongs to root and lives until blockpool_put() and the last user
 * process that has it open, or with BLOCKPOOL_PERSIST until it is unlinked.
 *
 * Context: Process context; may sleep.
 * Return: The pool, or -EINVAL, -EOPNOTSUPP, -EEXIST, -ENOMEM, -EINTR (fatal
 *	signal) as ERR_PTR.
 */
struct blockpool *blockpool_create(const struct blockpool_attr *attr)
{
	struct blockpool *pool;

	pool = bp_pool_create(attr, GLOBAL_ROOT_UID, GLOBAL_ROOT_GID, false);
	if (!IS_ERR(pool))
		__module_get(THIS_MODULE);
	return pool;
}
EXPORT_SYMBOL_GPL(blockpool_create);

/**
 * blockpool_get() - use a pool that exists
 * @name: its name; "default" is the one made by the module's parameters
 *
 * Context: Process or softirq context.
 * Return: The pool, held until blockpool_put(), or -ENOENT as ERR_PTR.
 */
struct blockpool *blockpool_get(const char *name)
{
	struct blockpool *pool = bp_pool_find(name);

	if (!pool)
		return ERR_PTR(-ENOENT);
	__module_get(THIS_MODULE);
	return pool;
}
EXPORT_SYMBOL_GPL(blockpool_get);

/**
 * blockpool_put() - be done with a pool
 * @pool: from blockpool_create() or blockpool_get()
 *
 * Give all blocks back before: of a pool that goes while the kernel holds some,
 * the memory is lost.
 *
 * Context: Process context; may sleep.
 * Return: Nothing.
 */
void blockpool_put(struct blockpool *pool)
{
	bp_pool_put(pool);
	module_put(THIS_MODULE);
}
EXPORT_SYMBOL_GPL(blockpool_put);

static void *bp_kernel_claim(struct blockpool *pool, u32 index)
{
	bp_owner_claim(&pool->owners[index], BLOCKPOOL_OWNER_KERNEL);
	return bp_store_block(&pool->store, index);
}

/* Not from the magazine. */
static int bp_kernel_take_depot(struct blockpool *pool, gfp_t gfp,
				u32 *indices, u32 n)
{
	if (!gfpflags_allow_blocking(gfp))
		return bp_stock_take_atomic(&pool->stock, indices, n);
	return bp_stock_take_wait(&pool->stock, indices, n, KTIME_MAX,
				  BLOCKPOOL_OWNER_KERNEL);
}

/*
 * In debug mode: again if damaged ones are among them, until there are enough.
 * They are the kernel's before the look at all blocks, and not only the caller's.
 */
static int bp_kernel_take_debug(struct blockpool *pool, gfp_t gfp,
				u32 *indices, u32 n)
{
	int ret;
	u32 i;

	bp_whole_begin(pool->debug, n);
	do {
		ret = bp_kernel_take_depot(pool, gfp, indices, n);
	} while (!ret && !bp_debug_take(pool->debug, indices, n,
					&bp_caller_kernel));
	for (i = 0; !ret && i < n; i++)
		bp_kernel_claim(pool, indices[i]);
	bp_whole_end(pool->debug, n, BLOCKPOOL_FOUND_ALLOC, &bp_caller_kernel);
	return ret;
}

/* Fill indices, and do not mind an empty magazine. */
static int bp_kernel_take(struct blockpool *pool, gfp_t gfp, u32 *indices,
			  u32 n)
{
	int ret;

	might_alloc(gfp);
	if (bp_stock_take_here(&pool->stock, indices, n))
		return 0;
	if (pool->debug)
		ret = bp_kernel_take_debug(pool, gfp, indices, n);
	else
		ret = bp_kernel_take_depot(pool, gfp, indices, n);
	if (ret)
		atomic_long_inc(&pool->failures);
	return ret;
}

/*
 * Ends a share that the kernel has of a block, and gives that back if it was the last;
 * false if it has none.
 */
static bool bp_kernel_end_share(struct blockpool *pool, u32 index)
{
	int left;

	if (index == BLOCKPOOL_NO_INDEX || in_nmi() ||
	    READ_ONCE(pool->owners[index]) != BLOCKPOOL_OWNER_SHARED)
		return false;
	left = bp_share_end_kernel(&pool->shares, index);
	if (left < 0)
		return false;
	preempt_disable();
	trace_unshare(bp_pool_number(pool), BLOCKPOOL_OWNER_KERNEL, index, left);
	if (!left)
		bp_owner_gone(&pool->owners[index], BLOCKPOOL_OWNER_FREE);
	preempt_enable();
	if (left)
		return true;
	atomic_long_dec(&pool->nr_in_flight);
	if (pool->debug)
		bp_pool_give_debug(pool, &index, 1, BP_FREED,
				   &bp_caller_kernel);
	else
		bp_pool_give_here(pool, &index, 1);
	return true;
}

static void bp_kernel_refuse(struct blockpool *pool, u32 index, u32 owner)
{
	atomic_long_inc(&pool->refused);
	trace_refused(bp_pool_number(pool), index, bp_refusal_of(index, owner),
		      BLOCKPOOL_OWNER_KERNEL, owner);
}

/* The index of a block that is to be given back, or BLOCKPOOL_NO_INDEX. */
static u32 bp_kernel_release(struct blockpool *pool, const void *block,
			     unsigned long ip)
{
	u32 index = bp_store_find(&pool->store, block), owner = 0;

	if (index != BLOCKPOOL_NO_INDEX &&
	    bp_owner_release_kernel(&pool->owners[index]))
		return index;
	if (bp_kernel_end_share(pool, index))
		return BLOCKPOOL_NO_INDEX;
	if (index != BLOCKPOOL_NO_INDEX)
		owner = bp_owner_read(&pool->owners[index]);
	bp_kernel_refuse(pool, index, owner);
	pr_warn_ratelimited("blockpool: %s: free of %p by %pS refused: %s\n",
			    pool->name, block, (void *)ip,
			    index == BLOCKPOOL_NO_INDEX ?
			    "not a block" : "not held by the kernel");
	return BLOCKPOOL_NO_INDEX;
}

/* The same in debug mode, where of two at once only one is let. */
static u32 bp_kernel_release_debug(struct blockpool *pool, const void *block)
{
	u32 index = bp_store_find(&pool->store, block), owner = 0;

	if (index != BLOCKPOOL_NO_INDEX &&
	    bp_owner_release_seen(&pool->owners[index], BLOCKPOOL_OWNER_KERNEL,
				  &owner))
		return index;
	if (bp_kernel_end_share(pool, index))
		return BLOCKPOOL_NO_INDEX;
	owner = bp_owner_told_to(owner, BLOCKPOOL_OWNER_KERNEL);
	bp_kernel_refuse(pool, index, owner);
	bp_debug_refuse(pool->debug, index, owner, &bp_caller_kernel);
	return BLOCKPOOL_NO_INDEX;
}

static void bp_kernel_free_debug(struct blockpool *pool, void *const *blocks,
				 u32 n, unsigned long ip)
{
	u32 indices[BP_SLICE_MAX], index, ready = 0, i;

	bp_whole_begin(pool->debug, n);
	for (i = 0; i < n; i++) {
		index = bp_kernel_release_debug(pool, blocks[i]);
		if (index != BLOCKPOOL_NO_INDEX)
			indices[ready++] = index;
		if (ready < BP_SLICE_MAX && i < n - 1)
			continue;
		bp_trace_freed(bp_pool_number(pool), indices, ready,
			       BLOCKPOOL_OWNER_KERNEL, ip);
		bp_pool_give_debug(pool, indices, ready, BP_FREED,
				   &bp_caller_kernel);
		ready = 0;
	}
	bp_whole_end(pool->debug, n, BLOCKPOOL_FOUND_FREE, &bp_caller_kernel);
}

/* The same if it is as it should be; a number above any index means ask again. */
static __always_inline unsigned long
bp_kernel_release_fast(struct blockpool *pool, const void *block)
{
	unsigned long index = bp_store_guess(&pool->store, block);

	if (likely(index < pool->store.nr_blocks) &&
	    likely(bp_owner_release_kernel(pool->owners + index)))
		return index;
	return ULONG_MAX;
}

static noinline void *bp_kernel_alloc_slow(struct blockpool *pool, gfp_t gfp,
					   unsigned long ip)
{
	void *block;
	u32 index;

	/* Who is not traced has tried that. */
	if (!(trace_take_enabled() && bp_stock_pop(&pool->stock, &index)) &&
	    bp_kernel_take(pool, gfp, &index, 1))
		return NULL;
	preempt_disable();
	trace_take(bp_pool_number(pool), index, BLOCKPOOL_OWNER_KERNEL, ip);
	block = bp_kernel_claim(pool, index);
	preempt_enable();
	return block;
}

static noinline void bp_kernel_give_slow(struct blockpool *pool,
					 unsigned long index)
{
	u32 one = index;

	bp_pool_give_here(pool, &one, 1);
}

/* Blocks that are nobody's, to where they are free. */
static void bp_kernel_give(struct blockpool *pool, const u32 *indices, u32 n,
			   unsigned long ip)
{
	bp_trace_freed(bp_pool_number(pool), indices, n, BLOCKPOOL_OWNER_KERNEL,
		       ip);
	bp_pool_give_here(pool, indices, n);
}

/* As blockpool_free(), and told; false: it is not a block for the fast way. */
static bool bp_kernel_free_told(struct blockpool *pool, void *block,
				unsigned long ip)
{
	unsigned long index = bp_store_guess(&pool->store, block);
	u32 seen;

	if (index >= pool->store.nr_blocks ||
	    !bp_owner_go(&pool->owners[index], BLOCKPOOL_OWNER_KERNEL, &seen))
		return false;
	preempt_disable();
	trace_free(bp_pool_number(pool), index, BLOCKPOOL_OWNER_KERNEL, ip);
	bp_owner_gone(&pool->owners[index], BLOCKPOOL_OWNER_FREE);
	preempt_enable();
	if (!bp_stock_push(&pool->stock, index))
		bp_kernel_give_slow(pool, index);
	return true;
}

static noinline void bp_kernel_free_slow(struct blockpool *pool, void *block,
					 unsigned long ip)
{
	u32 index;

	if (pool->debug) {
		bp_kernel_free_debug(pool, &block, 1, ip);
		return;
	}
	if (trace_free_enabled() && bp_kernel_free_told(pool, block, ip))
		return;
	index = bp_kernel_release(pool, block, ip);
	if (index != BLOCKPOOL_NO_INDEX)
		bp_kernel_give(pool, &index, 1, ip);
}

/**
 * blockpool_alloc() - take a block
 * @pool: the pool
 * @gfp: GFP_KERNEL or another that may sleep: wait for a block, behind those
 *	who came before; GFP_ATOMIC or GFP_NOWAIT: never sleep, and take what is
 *	free even if others wait for it
 *
 * The content of the block is undefined.
 *
 * Context: Any but under the scheduler's own locks; process context if @gfp may
 *	sleep.  In NMI it may also get nothing because it has interrupted who is
 *	at the pool's depot.
 * Return: The block, or NULL if none is free or a fatal signal came first; a
 *	caller that cannot sleep does not get those in other CPUs' magazines.
 */
void *blockpool_alloc(struct blockpool *pool, gfp_t gfp)
{
	u32 index;

	if (!trace_take_enabled() && likely(bp_stock_pop(&pool->stock, &index)))
		return bp_kernel_claim(pool, index);
	return bp_kernel_alloc_slow(pool, gfp, _RET_IP_);
}
EXPORT_SYMBOL_GPL(blockpool_alloc);

/**
 * blockpool_free() - give a block back
 * @pool: the pool
 * @block: from blockpool_alloc() or blockpool_alloc_bulk() on this pool
 *
 * What is not a block of the pool held by the kernel is refused: it is counted
 * and reported, and nothing changes.  Two frees of one block at the very same
 * time may slip past that, but not in debug mode; a free of another module's block
 * does: the kernel is one owner.
 *
 * A block that was received with BLOCKPOOL_MESSAGE_SHARED goes back with its last share.
 * Such a one is not to be freed in NMI, nor on PREEMPT_RT where one may not sleep.
 *
 * What is in the block stays there, for whoever takes it or has it mapped: clear
 * what is secret.  After a second user has mapped the pool, blocks are cleared
 * here, in the caller's context.
 *
 * Context: Any but under the scheduler's own locks.
 * Return: Nothing.
 */
void blockpool_free(struct blockpool *pool, void *block)
{
	unsigned long index = ULONG_MAX;

	/* Who is traced goes the slow way, so that the fast one stays as it is. */
	if (!trace_free_enabled())
		index = bp_kernel_release_fast(pool, block);
	if (unlikely(index == ULONG_MAX))
		bp_kernel_free_slow(pool, block, _RET_IP_);
	else if (unlikely(!bp_stock_push(&pool->stock, index)))
		bp_kernel_give_slow(pool, index);
}
EXPORT_SYMBOL_GPL(blockpool_free);

/**
 * blockpool_alloc_bulk() - take several blocks, or none
 * @pool: the pool
 * @gfp: as for blockpool_alloc()
 * @blocks: where to put them
 * @n: how many, 1 to BLOCKPOOL_BATCH_MAX and at most what the pool has
 *
 * Context: Any but under the scheduler's own locks; process context if @gfp may
 *	sleep.  See blockpool_alloc().
 * Return: 0, or -EINVAL, -EAGAIN (not as many free), -EINTR (fatal signal).
 */
int blockpool_alloc_bulk(struct blockpool *pool, gfp_t gfp, void **blocks,
			 unsigned int n)
{
	/*
	 * The indices are put in the second half of the caller's array and
	 * turned into addresses from the front: index i is read before
	 * anything is written over it.
	 */
	u32 *indices = (u32 *)(blocks + n) - n;
	unsigned int i;
	bool traced;
	int ret;

	if (!n || n > BLOCKPOOL_BATCH_MAX || n > bp_pool_nr_blocks(pool))
		return -EINVAL;
	ret = bp_kernel_take(pool, gfp, indices, n);
	if (ret)
		return ret;
	traced = trace_take_enabled() || trace_take_bulk_enabled();
	if (traced) {
		preempt_disable();
		__bp_trace_taken(bp_pool_number(pool), indices, n,
				 BLOCKPOOL_OWNER_KERNEL, _RET_IP_);
	}
	for (i = 0; i < n; i++)
		blocks[i] = bp_kernel_claim(pool, indices[i]);
	if (traced)
		preempt_enable();
	return 0;
}
EXPORT_SYMBOL_GPL(blockpool_alloc_bulk);

/**
 * blockpool_free_bulk() - give several blocks back
 * @pool: the pool
 * @blocks: the blocks
 * @n: how many
 *
 * Those that must be refused are, each as by blockpool_free(), and the others
 * are freed.
 *
 * Context: Any but under the scheduler's own locks.
 * Return: Nothing.
 */
void blockpool_free_bulk(struct blockpool *pool, void **blocks, unsigned int n)
{
	u32 indices[BP_SLICE_MAX], ready = 0;
	unsigned long index;
	unsigned int i;

	for (i = 0; i < n; i++) {
		index = bp_kernel_release_fast(pool, blocks[i]);
		if (unlikely(index == ULONG_MAX)) {
			if (pool->debug) {
				bp_kernel_free_debug(pool, blocks, n, _RET_IP_);
				return;
			}
			index = bp_kernel_release(pool, blocks[i], _RET_IP_);
		}
		if (index != BLOCKPOOL_NO_INDEX)
			indices[ready++] = index;
		if (ready == BP_SLICE_MAX) {
			bp_kernel_give(pool, indices, ready, _RET_IP_);
			ready = 0;
		}
	}
	bp_kernel_give(pool, indices, ready, _RET_IP_);
}
EXPORT_SYMBOL_GPL(blockpool_free_bulk);

/**
 * blockpool_block_size() - how much of a block may be used
 * @pool: the pool
 *
 * Context: Any.
 * Return: Bytes, as asked for when the pool was made.
 */
size_t blockpool_block_size(const struct blockpool *pool)
{
	return pool->block_size;
}
EXPORT_SYMBOL_GPL(blockpool_block_size);

/**
 * blockpool_nr_blocks() - how many blocks there are
 * @pool: the pool
 *
 * Context: Any.
 * Return: Their number; indices are below it.
 */
u32 blockpool_nr_blocks(const struct blockpool *pool)
{
	return bp_pool_nr_blocks(pool);
}
EXPORT_SYMBOL_GPL(blockpool_nr_blocks);

/**
 * blockpool_index() - the number of a block, the same for all who see it
 * @pool: the pool
 * @block: any address
 *
 * Context: Any.
 * Return: The index, or BLOCKPOOL_NO_INDEX if @block is not the first byte of a
 *	block of the pool.
 */
u32 blockpool_index(const struct blockpool *pool, const void *block)
{
	return bp_store_find(&pool->store, block);
}
EXPORT_SYMBOL_GPL(blockpool_index);

/**
 * blockpool_block() - the address of a block, whoever holds it
 * @pool: the pool
 * @index: its number
 *
 * Context: Any.
 * Return: The address, in the direct map, or NULL if there is no such block.
 */
void *blockpool_block(const struct blockpool *pool, u32 index)
{
	if (index >= bp_pool_nr_blocks(pool))
		return NULL;
	return bp_store_block(&pool->store, index);
}
EXPORT_SYMBOL_GPL(blockpool_block);

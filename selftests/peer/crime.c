// SPDX-License-Identifier: GPL-2.0
/*
 * Does to blocks what debug mode shall find, in functions whose names shall be in
 * its reports; and falsifies a pool's bookkeeping, which nothing else can.
 */

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/processor.h>
#include <linux/sched/task.h>
#include <linux/string.h>
#include <kmod/pool.h>

#include "peer.h"

struct crime {
	struct blockpool *pool;
	struct blockpool_peer_crime *args;
	int ret;
};

/* Each call is followed by something, lest it become a jump without a trace. */
static noinline void *crime_take(struct blockpool *pool)
{
	void *block = blockpool_alloc(pool, GFP_ATOMIC);

	barrier();
	return block;
}

static noinline void crime_free(struct blockpool *pool, void *block)
{
	blockpool_free(pool, block);
	barrier();
}

/* Not just as the one before, lest the compiler make one of the two. */
static noinline void crime_free_again(struct blockpool *pool, void *block)
{
	OPTIMIZER_HIDE_VAR(block);
	blockpool_free(pool, block);
	barrier();
}

static void crime_write(const struct blockpool_peer_crime *args, u8 *block)
{
	memset(block + args->offset, args->byte, args->length);
}

static void crime_do(struct crime *crime, u8 *block)
{
	struct blockpool_peer_crime *args = crime->args;

	switch (args->kind) {
	case BLOCKPOOL_PEER_WRITE_HELD:
		crime_write(args, block);
		crime_free(crime->pool, block);
		break;
	case BLOCKPOOL_PEER_WRITE_FREE:
		crime_free(crime->pool, block);
		crime_write(args, block);
		break;
	case BLOCKPOOL_PEER_FREE_TWICE:
		crime_free(crime->pool, block);
		crime_free_again(crime->pool, block);
		break;
	case BLOCKPOOL_PEER_FREE_INSIDE:
		crime_free_again(crime->pool, block + args->offset);
		crime_free(crime->pool, block);
		break;
	}
}

static noinline void crime_run(void *arg)
{
	struct crime *crime = arg;
	struct blockpool_peer_crime *args = crime->args;
	u8 *block;

	if (args->kind == BLOCKPOOL_PEER_FREE_FOREIGN) {
		crime_free_again(crime->pool,
				 blockpool_block(crime->pool, args->index));
		return;
	}
	block = crime_take(crime->pool);
	if (!block) {
		crime->ret = -EAGAIN;
		return;
	}
	args->index = blockpool_index(crime->pool, block);
	crime_do(crime, block);
}

static bool peer_crime_valid(const struct peer *peer,
			     const struct blockpool_peer_crime *args)
{
	s64 last = PAGE_SIZE + peer->block_bytes;

	return args->kind < BLOCKPOOL_PEER_CRIMES &&
	       args->context < BLOCKPOOL_PEER_CONTEXTS &&
	       args->length <= PAGE_SIZE && args->byte <= U8_MAX &&
	       args->offset >= -last && args->offset <= last &&
	       (args->kind != BLOCKPOOL_PEER_FREE_FOREIGN ||
		args->index < peer->nr_blocks);
}

long peer_crime(struct peer *peer, struct blockpool_peer_crime __user *user)
{
	struct blockpool_peer_crime args;
	struct crime crime = { .pool = peer->pool, .args = &args };
	int ret;

	if (copy_from_user(&args, user, sizeof(args)))
		return -EFAULT;
	if (!peer_crime_valid(peer, &args))
		return -EBADR;
	ret = peer_call(args.context, crime_run, &crime) ?: crime.ret;
	if (!ret && copy_to_user(user, &args, sizeof(args)))
		ret = -EFAULT;
	return ret;
}

/* In the depot's order: whoever frees or takes meanwhile waits. */
static u32 *peer_ledger(struct blockpool *pool, u32 what, u32 at)
{
	struct bp_stack *stack = pool->stock.depot.stack;

	switch (what) {
	case BLOCKPOOL_PEER_OWNER_WORD:
		return &pool->owners[at];
	case BLOCKPOOL_PEER_ELEMENT:
		return at < stack->nr ? &stack->elements[at] : NULL;
	case BLOCKPOOL_PEER_NR_FREE:
		return &stack->nr;
	default:
		return NULL;
	}
}

long peer_falsify(struct peer *peer, struct blockpool_peer_falsify __user *user)
{
	raw_spinlock_t *lock = &peer->pool->stock.depot.lock;
	struct blockpool_peer_falsify args;
	unsigned long flags;
	u32 *word;

	if (copy_from_user(&args, user, sizeof(args)))
		return -EFAULT;
	if (args.at >= peer->nr_blocks)
		return -EBADR;
	raw_spin_lock_irqsave(lock, flags);
	word = peer_ledger(peer->pool, args.what, args.at);
	if (word) {
		args.was = *word;
		WRITE_ONCE(*word, args.word);
	}
	raw_spin_unlock_irqrestore(lock, flags);
	if (!word)
		return -EBADR;
	return copy_to_user(user, &args, sizeof(args)) ? -EFAULT : 0;
}

struct duel {
	struct blockpool *pool;
	void *block;
	atomic_t ready;
};

static void duel_free(struct duel *duel)
{
	atomic_inc(&duel->ready);
	while (atomic_read(&duel->ready) < 2)
		cpu_relax();
	blockpool_free(duel->pool, duel->block);
}

static int duel_second(void *arg)
{
	duel_free(arg);
	return 0;
}

/* Frees the block on two CPUs at the same instant. */
static int duel_once(struct duel *duel)
{
	struct task_struct *second;

	duel->block = blockpool_alloc(duel->pool, GFP_ATOMIC);
	if (!duel->block)
		return -EAGAIN;
	atomic_set(&duel->ready, 0);
	second = kthread_create(duel_second, duel, "blockpool_duel");
	if (IS_ERR(second)) {
		blockpool_free(duel->pool, duel->block);
		return PTR_ERR(second);
	}
	get_task_struct(second);
	kthread_bind(second, cpumask_any_but(cpu_online_mask,
					     raw_smp_processor_id()));
	wake_up_process(second);
	duel_free(duel);
	kthread_stop(second);
	put_task_struct(second);
	return 0;
}

long peer_duel(struct peer *peer, struct blockpool_peer_duel __user *user)
{
	struct duel duel = { .pool = peer->pool };
	struct blockpool_peer_duel args;
	int ret = 0;
	u32 i;

	if (copy_from_user(&args, user, sizeof(args)))
		return -EFAULT;
	if (num_online_cpus() < 2 || args.rounds > 100000)
		return -EBADR;
	for (i = 0; !ret && i < args.rounds; i++)
		ret = duel_once(&duel);
	return ret;
}

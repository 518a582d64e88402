// SPDX-License-Identifier: GPL-2.0
/* Takes and frees at random, and stamps what it holds. */

#include <linux/bitops.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/ktime.h>
#include <linux/prandom.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "compat.h"
#include "peer.h"

struct peer_stamped {
	void *block;
	u64 stamp;
};

/* Only one step at a time touches it, or its owner before and afterwards. */
struct peer_churn {
	struct hrtimer timer;
	struct completion over;
	ktime_t interval;
	int cpu;		/* that NMIs are sent to */
	struct peer_trap *trap;	/* or what causes them */
	struct blockpool *pool;
	struct blockpool_peer_churn args;
	struct rnd_state random;
	bool astray;
	u32 sequence;
	u32 nr_held;
	struct peer_stamped held[BLOCKPOOL_PEER_DEPTH_MAX];
	void *batch[BLOCKPOOL_PEER_BATCH_MAX];
};

static u32 peer_random(struct peer_churn *churn, u32 below)
{
	return prandom_u32_state(&churn->random) % below;
}

static void peer_stamp(struct peer_churn *churn, void *block)
{
	u64 stamp = (u64)churn->args.seed << 32 | churn->sequence++;
	u32 whole = round_down(churn->args.length, sizeof(stamp));

	memset64(block, stamp, whole / sizeof(stamp));
	memcpy(block + whole, &stamp, churn->args.length - whole);
	churn->held[churn->nr_held].block = block;
	churn->held[churn->nr_held].stamp = stamp;
	churn->nr_held++;
}

/* A process that has the pool mapped may write there at this moment. */
static bool peer_stamp_whole(struct peer_churn *churn,
			     const struct peer_stamped *held)
{
	u32 words = churn->args.length / sizeof(held->stamp), i;
	const u64 *word = held->block;

	for (i = 0; i < words; i++)
		if (READ_ONCE(word[i]) != held->stamp)
			return false;
	/* As above, the bytes behind the last word. */
	return !data_race(memcmp(word + words, &held->stamp,
				 churn->args.length % sizeof(held->stamp)));
}

static u32 peer_take_batch(struct peer_churn *churn, gfp_t gfp, u32 n)
{
	u32 i;

	if (peer_random(churn, 2))
		return blockpool_alloc_bulk(churn->pool, gfp, churn->batch, n) ?
		       0 : n;
	for (i = 0; i < n; i++) {
		churn->batch[i] = blockpool_alloc(churn->pool, gfp);
		if (!churn->batch[i])
			break;
		/* Whoever holds one does not sleep: all might. */
		gfp = GFP_ATOMIC;
	}
	return i;
}

static void peer_churn_take(struct peer_churn *churn, u32 n)
{
	gfp_t gfp = GFP_ATOMIC;
	u32 got, i;

	n = min(n, churn->args.depth - churn->nr_held);
	if (!n)
		return;
	if ((churn->args.flags & BLOCKPOOL_PEER_SLEEP) && !churn->nr_held)
		gfp = GFP_KERNEL;
	got = peer_take_batch(churn, gfp, n);
	for (i = 0; i < got; i++)
		peer_stamp(churn, churn->batch[i]);
	churn->args.taken += got;
	churn->args.failed += got < n;
	churn->args.denied += got < n && peer_depot_has(churn->pool) >= n;
}

/* Any of the held, so that they go back in no order. */
static void *peer_pick(struct peer_churn *churn)
{
	u32 at = peer_random(churn, churn->nr_held);
	struct peer_stamped held = churn->held[at];

	if (!peer_stamp_whole(churn, &held)) {
		churn->args.corrupted++;
		pr_err_ratelimited("blockpool_peer: block %u changed while held\n",
				   blockpool_index(churn->pool, held.block));
	}
	churn->held[at] = churn->held[--churn->nr_held];
	return held.block;
}

static void peer_churn_give(struct peer_churn *churn, u32 n)
{
	u32 i;

	n = min(n, churn->nr_held);
	if (!n)
		return;
	for (i = 0; i < n; i++)
		churn->batch[i] = peer_pick(churn);
	if (peer_random(churn, 2)) {
		blockpool_free_bulk(churn->pool, churn->batch, n);
	} else {
		for (i = 0; i < n; i++)
			blockpool_free(churn->pool, churn->batch[i]);
	}
	churn->args.freed += n;
	churn->args.aside += peer_limbo_has(churn->pool);
}

static void peer_churn_step(void *arg)
{
	struct peer_churn *churn = arg;
	u32 n = 1 + peer_random(churn, churn->args.batch);

	if (!peer_in_context(churn->args.context))
		churn->astray = true;
	churn->args.in_magazine += peer_inside_magazine(churn->pool);
	churn->args.in_depot += peer_inside_depot(churn->pool);
	if (peer_random(churn, 2))
		peer_churn_take(churn, n);
	else
		peer_churn_give(churn, n);
	WRITE_ONCE(churn->args.done, churn->args.done + 1);
}

static bool peer_churn_over(const struct peer_churn *churn)
{
	return churn->args.steps &&
	       READ_ONCE(churn->args.done) >= churn->args.steps;
}

static enum hrtimer_restart peer_churn_expired(struct hrtimer *timer)
{
	struct peer_churn *churn = container_of(timer, struct peer_churn, timer);

	if (churn->args.context != BLOCKPOOL_PEER_NMI)
		peer_churn_step(churn);
	else if (!peer_churn_over(churn))
		peer_nmi_send(churn->cpu, peer_churn_step, churn);
	if (peer_churn_over(churn)) {
		complete(&churn->over);
		return HRTIMER_NORESTART;
	}
	hrtimer_forward_now(timer, churn->interval);
	return HRTIMER_RESTART;
}

static u32 peer_churn_flags(const struct blockpool_peer_churn *args)
{
	switch (args->context) {
	case BLOCKPOOL_PEER_PROCESS:
		return BLOCKPOOL_PEER_SLEEP;
	case BLOCKPOOL_PEER_NMI:
		return args->steps ? 0 : BLOCKPOOL_PEER_IN_MAGAZINE |
					 BLOCKPOOL_PEER_IN_DEPOT;
	default:
		return 0;
	}
}

static bool peer_churn_valid(const struct peer *peer,
			     const struct blockpool_peer_churn *args)
{
	if (args->context >= BLOCKPOOL_PEER_CONTEXTS ||
	    (args->flags & ~peer_churn_flags(args)) ||
	    hweight32(args->flags) > 1 ||
	    args->steps > BLOCKPOOL_PEER_STEPS_MAX ||
	    !args->depth || args->depth > BLOCKPOOL_PEER_DEPTH_MAX ||
	    !args->batch || args->batch > BLOCKPOOL_PEER_BATCH_MAX ||
	    args->batch > peer->nr_blocks ||
	    !args->length || args->length > peer->block_bytes)
		return false;
	if (args->context == BLOCKPOOL_PEER_PROCESS)
		return true;
	return (u64)args->batch * args->length <= BLOCKPOOL_PEER_STEP_BYTES_MAX &&
	       args->interval_us >= BLOCKPOOL_PEER_INTERVAL_MIN &&
	       args->interval_us <= BLOCKPOOL_PEER_INTERVAL_MAX;
}

static struct peer_churn *peer_churn_new(struct peer *peer,
					 struct blockpool_peer_churn __user *user)
{
	struct peer_churn *churn;
	int ret = -EFAULT;

	churn = kzalloc(sizeof(*churn), GFP_KERNEL);
	if (!churn)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(&churn->args, user, sizeof(churn->args)))
		goto free;
	ret = -EBADR;
	if (!peer_churn_valid(peer, &churn->args))
		goto free;

	memset_startat(&churn->args, 0, done);
	churn->pool = peer->pool;
	churn->interval = ns_to_ktime((u64)churn->args.interval_us *
				      NSEC_PER_USEC);
	prandom_seed_state(&churn->random, churn->args.seed);
	init_completion(&churn->over);
	return churn;

free:
	kfree(churn);
	return ERR_PTR(ret);
}

static int peer_churn_go(struct peer_churn *churn)
{
	enum hrtimer_mode mode = peer_timer_mode(churn->args.context);

	if (churn->args.flags) {
		churn->trap = peer_trap_set(churn->pool, churn->args.flags,
					    peer_churn_step, churn);
		return PTR_ERR_OR_ZERO(churn->trap);
	}
	if (churn->args.context == BLOCKPOOL_PEER_NMI && !peer_nmi_there())
		return -EOPNOTSUPP;
	churn->cpu = cpumask_any_but(cpu_online_mask, raw_smp_processor_id());
	if (churn->cpu >= nr_cpu_ids)
		churn->cpu = raw_smp_processor_id();
	hrtimer_setup(&churn->timer, peer_churn_expired, CLOCK_MONOTONIC, mode);
	hrtimer_start(&churn->timer, churn->interval, mode);
	return 0;
}

static void peer_churn_halt(struct peer_churn *churn)
{
	if (churn->trap)
		peer_trap_clear(churn->trap);
	else if (churn->args.context != BLOCKPOOL_PEER_PROCESS)
		hrtimer_cancel(&churn->timer);
	if (churn->args.context == BLOCKPOOL_PEER_NMI)
		peer_nmi_wait(churn->cpu);
	while (churn->nr_held)
		peer_churn_give(churn, churn->args.batch);
}

static long peer_churn_tell(struct peer_churn *churn,
			    struct blockpool_peer_churn __user *user)
{
	if (copy_to_user(user, &churn->args, sizeof(churn->args)))
		return -EFAULT;
	return churn->astray ? -EPROTO : 0;
}

/* A fatal signal ends it early: a sleeping take would fail for ever after. */
static void peer_churn_here(struct peer_churn *churn)
{
	while (churn->args.done < churn->args.steps &&
	       !fatal_signal_pending(current)) {
		peer_churn_step(churn);
		cond_resched();
	}
}

long peer_churn_run(struct peer *peer, struct blockpool_peer_churn __user *user)
{
	struct peer_churn *churn = peer_churn_new(peer, user);
	long ret = -EBADR;

	if (IS_ERR(churn))
		return PTR_ERR(churn);
	if (!churn->args.steps)
		goto free;
	if (churn->args.context == BLOCKPOOL_PEER_PROCESS) {
		peer_churn_here(churn);
	} else {
		ret = peer_churn_go(churn);
		if (ret)
			goto free;
		/* Killed or not, what was done is told. */
		(void)wait_for_completion_killable(&churn->over);
	}
	peer_churn_halt(churn);
	ret = peer_churn_tell(churn, user);
free:
	kfree(churn);
	return ret;
}

long peer_churn_start(struct peer *peer,
		      struct blockpool_peer_churn __user *user)
{
	struct peer_churn *churn;
	long ret = -EBADR;

	if (peer->churn)
		return -EBADR;
	churn = peer_churn_new(peer, user);
	if (IS_ERR(churn))
		return PTR_ERR(churn);
	if (churn->args.context != BLOCKPOOL_PEER_PROCESS && !churn->args.steps)
		ret = peer_churn_go(churn);
	if (ret)
		kfree(churn);
	else
		peer->churn = churn;
	return ret;
}

long peer_churn_stop(struct peer *peer,
		     struct blockpool_peer_churn __user *user)
{
	long ret;

	if (!peer->churn)
		return -EBADR;
	peer_churn_halt(peer->churn);
	ret = peer_churn_tell(peer->churn, user);
	kfree(peer->churn);
	peer->churn = NULL;
	return ret;
}

void peer_churn_end(struct peer *peer)
{
	if (!peer->churn)
		return;
	peer_churn_halt(peer->churn);
	kfree(peer->churn);
	peer->churn = NULL;
}

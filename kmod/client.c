// SPDX-License-Identifier: GPL-2.0
/*
 * A client: an open file that is attached to a pool; the unit of ownership.
 *
 * The last reference to the file is the last of the client: no call is under
 * way then and no mapping is left, so what the owner table says is the client's
 * is all there is to take back.
 */
#include <linux/cred.h>
#include <linux/pid.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "charge.h"
#include "client.h"
#include "owner.h"
#include "pool.h"
#include "trace.h"
#include "whole.h"

#define BP_RECLAIM_STRIDE	(64u << 10)	/* words read between breathers */

/* The lowest ids mean something else in the owner table. */
#define BP_CLIENT_IDS	XA_LIMIT(BLOCKPOOL_OWNER_SHARED + 1, \
				 BLOCKPOOL_OWNER_PORT - 1)

/**
 * bp_client_open() - attach a client, for the current task and credentials
 * @pool: the pool; the client takes over the caller's reference
 *
 * Context: Process context; may sleep.
 * Return: The client, or ERR_PTR(-ENOMEM) and the reference is the caller's.
 */
struct bp_client *bp_client_open(struct blockpool *pool)
{
	struct bp_client *client = kzalloc(sizeof(*client), BP_GFP_CHARGED);
	int ret;

	if (!client)
		return ERR_PTR(-ENOMEM);
	client->pool = pool;
	client->uid = current_euid();
	client->pid = get_task_pid(current, PIDTYPE_TGID);
	client->tgid = pid_nr(client->pid);
	get_task_comm(client->comm, current);
	ret = xa_alloc_cyclic(&pool->clients, &client->id, client,
			      BP_CLIENT_IDS, &pool->next_client,
			      BP_GFP_CHARGED);
	if (ret < 0) {
		put_pid(client->pid);
		kfree(client);
		return ERR_PTR(-ENOMEM);
	}
	bp_window_init(&client->window, pool, client->id);
	bp_bindings_init(&client->bindings);
	atomic_inc(&pool->nr_clients);
	bp_pool_advise(pool);
	trace_client_open(bp_pool_number(pool), client->id, client->tgid,
			  client->comm);
	return client;
}

/* What a call in debug mode begins and ends with, see whole.c. */
static void bp_client_begin(struct bp_client *client, u32 n)
{
	if (client->pool->debug)
		bp_whole_begin(client->pool->debug, n);
}

static void bp_client_end(struct bp_client *client, u32 n, u32 found,
			  const struct bp_caller *caller)
{
	if (client->pool->debug)
		bp_whole_end(client->pool->debug, n, found, caller);
}

/* Where a caller was, if it says so. */
static unsigned long bp_caller_ip(const struct bp_caller *caller)
{
	return caller->nr_frames ? caller->frames[0] : 0;
}

/* Blocks that go from the client are nobody's now. */
static void bp_client_gone(struct blockpool *pool, const u32 *indices, u32 n,
			   const struct bp_caller *caller)
{
	u32 i;

	preempt_disable();
	bp_trace_freed(bp_pool_number(pool), indices, n, caller->client,
		       bp_caller_ip(caller));
	for (i = 0; i < n; i++)
		bp_owner_gone(&pool->owners[indices[i]], BLOCKPOOL_OWNER_FREE);
	preempt_enable();
}

static void bp_client_give(struct blockpool *pool, const u32 *indices, u32 n,
			   enum bp_cause cause, const struct bp_caller *caller)
{
	this_cpu_sub(*pool->clients_hold, n);
	bp_pool_give(pool, indices, n, cause, caller);
}

/*
 * Take back all that the client holds.  Its count says when to stop: nobody
 * else can change the words that carry its id.
 */
static void bp_client_reclaim(struct bp_client *client)
{
	const struct bp_caller caller = { .client = client->id };
	struct blockpool *pool = client->pool;
	u32 held = atomic_read(&client->charged), left = held, index, n = 0;
	u32 indices[BP_SLICE_MAX], seen;

	bp_client_begin(client, held);
	for (index = 0; left && index < bp_pool_nr_blocks(pool); index++) {
		if (bp_owner_go(&pool->owners[index], client->id, &seen)) {
			indices[n++] = index;
			left--;
		}
		if (n == BP_SLICE_MAX || (n && !left)) {
			bp_client_gone(pool, indices, n, &caller);
			bp_client_give(pool, indices, n, BP_RECLAIMED, &caller);
			n = 0;
		}
		if (index % BP_RECLAIM_STRIDE == 0)
			cond_resched();
	}
	WARN_ON_ONCE(left);
	bp_client_end(client, held, BLOCKPOOL_FOUND_RECLAIM, &caller);
	if (held)
		trace_client_reclaim(bp_pool_number(pool), client->id, held);
}

/* Ends a share that the client has of a block; false if it has none. */
static bool bp_client_end_share(struct bp_client *client, u32 index,
				enum bp_cause cause,
				const struct bp_caller *caller)
{
	struct blockpool *pool = client->pool;

	if (!bp_share_release(&pool->shares, client->id, index))
		return false;
	atomic_dec(&client->shares);
	atomic_dec(&client->charged);
	if (pool->flags & BLOCKPOOL_ISOLATED)
		bp_window_revoke(&client->window, &index, 1);
	bp_share_ended(pool, index, bp_share_end_flight(&pool->shares, index),
		       cause, caller);
	return true;
}

static void bp_client_end_shares(struct bp_client *client)
{
	const struct bp_caller caller = { .client = client->id };
	u32 index;

	while (bp_share_next(&client->pool->shares, client->id, &index)) {
		bp_client_end_share(client, index, BP_RECLAIMED, &caller);
		cond_resched();
	}
}

/* At the release of the file, when no call on it is under way. */
void bp_client_close(struct bp_client *client)
{
	struct blockpool *pool = client->pool;

	bp_bindings_destroy(client);
	bp_client_end_shares(client);
	bp_client_reclaim(client);
	if (pool->debug)
		bp_paths_leave(&pool->debug->reports.paths, client->id);
	xa_erase(&pool->clients, client->id);
	atomic_dec(&pool->nr_clients);
	bp_pool_advise(pool);
	bp_window_destroy(&client->window);
	put_pid(client->pid);
	trace_client_close(bp_pool_number(pool), client->id);
	kfree_rcu(client, rcu);	/* a port may tell it news */
	bp_pool_put(pool);
}

/*
 * Count n more blocks as the client's, or fewer if some will do, as far as its
 * limit lets it have them.  Returns how many.
 */
u32 bp_client_charge(struct bp_client *client, u32 n, bool some)
{
	u32 max = client->pool->client_max ?: U32_MAX, left;
	int charged = atomic_read(&client->charged);

	do {
		left = max - min_t(u32, charged, max);
		if (some)
			n = min(n, left);
		if (!n || n > left)
			return 0;
	} while (!atomic_try_cmpxchg(&client->charged, &charged, charged + n));
	return n;
}

/* So many of its blocks are a port's now. */
void bp_client_passed(struct bp_client *client, u32 n)
{
	atomic_sub(n, &client->charged);
	this_cpu_sub(*client->pool->clients_hold, n);
	atomic_long_add(n, &client->pool->nr_in_flight);
}

/* So many of a port's, for which it was charged, are its own now. */
void bp_client_got(struct bp_client *client, u32 n)
{
	this_cpu_add(*client->pool->clients_hold, n);
	atomic_long_sub(n, &client->pool->nr_in_flight);
}

static int bp_client_wait(struct bp_client *client, u32 *indices, u32 n,
			  ktime_t until)
{
	int ret;

	atomic_add(n, &client->waiting);
	ret = bp_stock_take_wait(&client->pool->stock, indices, n, until,
				 client->id);
	atomic_sub(n, &client->waiting);
	return ret;
}

/*
 * Charged before they are there: threads of one client that wait side by side
 * are never served more than it may hold.
 */
static int bp_client_take(struct bp_client *client, u32 *indices, u32 n,
			  ktime_t until, const struct bp_caller *caller)
{
	struct bp_debug *debug = client->pool->debug;
	int ret;

	if (!bp_client_charge(client, n, false))
		return -EDQUOT;
	do {
		if (until == BP_NO_WAIT)
			ret = bp_stock_take(&client->pool->stock, indices, n);
		else
			ret = bp_client_wait(client, indices, n, until);
	} while (!ret && debug && !bp_debug_take(debug, indices, n, caller));
	if (ret)
		atomic_sub(n, &client->charged);
	return ret;
}

static void bp_client_claim(struct bp_client *client, const u32 *indices, u32 n,
			    const struct bp_caller *caller)
{
	u32 i;

	preempt_disable();
	bp_trace_taken(bp_pool_number(client->pool), indices, n, client->id,
		       bp_caller_ip(caller));
	for (i = 0; i < n; i++)
		bp_owner_claim(&client->pool->owners[indices[i]], client->id);
	preempt_enable();
	this_cpu_add(*client->pool->clients_hold, n);
}

/*
 * Before a client takes its first block: one that it takes and maps only later
 * must not tell it what another user wrote there.
 */
int bp_client_admit(struct bp_client *client)
{
	int ret;

	if (READ_ONCE(client->admitted))
		return 0;
	ret = bp_pool_admit(client->pool, current_euid());
	if (!ret)
		WRITE_ONCE(client->admitted, true);
	return ret;
}

/**
 * bp_client_alloc() - take blocks for a client
 * @client: the client
 * @indices: where to put them
 * @n: how many; all or none
 * @until: by CLOCK_MONOTONIC, KTIME_MAX for ever, or BP_NO_WAIT
 * @caller: the client, for reports
 *
 * Context: Process context; may sleep.
 * Return: 0, -EINVAL, -EDQUOT, -EAGAIN, -ETIMEDOUT or -EINTR.
 */
int bp_client_alloc(struct bp_client *client, u32 *indices, u32 n,
		    ktime_t until, const struct bp_caller *caller)
{
	struct blockpool *pool = client->pool;
	int ret;

	if (n > bp_pool_nr_blocks(pool) - pool->reserve)
		return -EINVAL;
	bp_client_begin(client, n);
	ret = bp_client_take(client, indices, n, until, caller);
	if (ret)
		atomic_long_inc(&pool->failures);
	else
		bp_client_claim(client, indices, n, caller);
	bp_client_end(client, n, BLOCKPOOL_FOUND_ALLOC, caller);
	return ret;
}

/**
 * bp_client_alloc_extra() - take blocks that a client may need soon
 * @client: the client
 * @indices: where to put them
 * @n: how many at most
 * @caller: the client, for reports
 *
 * Context: Process context; may sleep.
 * Return: How many.
 */
u32 bp_client_alloc_extra(struct bp_client *client, u32 *indices, u32 n,
			  const struct bp_caller *caller)
{
	u32 charged = bp_client_charge(client, n, true);
	struct blockpool *pool = client->pool;

	bp_client_begin(client, charged);
	n = bp_depot_take_some(&pool->stock.depot, indices, charged);
	if (pool->debug)
		n = bp_debug_take_some(pool->debug, indices, n, caller);
	atomic_sub(charged - n, &client->charged);
	bp_client_claim(client, indices, n, caller);
	bp_client_end(client, charged, BLOCKPOOL_FOUND_ALLOC, caller);
	return n;
}

/* Returns 1 if the block is going from the client, 0 if it was shared and that is done. */
static int bp_client_release_one(struct bp_client *client, u32 index,
				 const struct bp_caller *caller)
{
	struct blockpool *pool = client->pool;
	u32 owner = BLOCKPOOL_OWNER_FREE;
	int ret = -EPERM;

	if (index >= bp_pool_nr_blocks(pool))
		ret = -EINVAL;
	else if (bp_owner_go(&pool->owners[index], client->id, &owner))
		ret = 1;
	else if (owner == BLOCKPOOL_OWNER_SHARED &&
		 bp_client_end_share(client, index, BP_FREED, caller))
		ret = 0;
	if (ret >= 0)
		return ret;
	if (ret == -EINVAL)
		index = BLOCKPOOL_NO_INDEX;
	atomic_long_inc(&pool->refused);
	owner = bp_owner_told_to(owner, client->id);
	trace_refused(bp_pool_number(pool), index, bp_refusal_of(index, owner),
		      client->id, owner);
	if (pool->debug)
		bp_debug_refuse(pool->debug, index, owner, caller);
	return ret;
}

/* A slice of what bp_client_free() is asked for. */
static int bp_client_free_slice(struct bp_client *client, const u32 *indices,
				u32 n, u32 *done,
				const struct bp_caller *caller)
{
	u32 own[BP_SLICE_MAX], freed = 0, i;
	int ret = 0;

	for (i = 0; i < n; i++) {
		ret = bp_client_release_one(client, indices[i], caller);
		if (ret < 0)
			break;
		if (ret)
			own[freed++] = indices[i];
	}
	bp_client_gone(client->pool, own, freed, caller);
	if (client->pool->flags & BLOCKPOOL_ISOLATED)
		bp_window_revoke(&client->window, own, freed);
	bp_taken_drop(client, own, freed);
	atomic_sub(freed, &client->charged);
	bp_client_give(client->pool, own, freed, BP_FREED, caller);
	*done += i;
	return min(ret, 0);
}

/**
 * bp_client_free() - give a client's blocks back, up to the first bad one
 * @client: the client
 * @indices: the blocks, believed in nothing
 * @n: how many
 * @done: in: 0; out: how many were freed
 * @caller: the client, for reports
 *
 * Context: Process context; may sleep.
 * Return: 0, or what is wrong with indices[*done]: -EINVAL or -EPERM.
 */
int bp_client_free(struct bp_client *client, const u32 *indices, u32 n,
		   u32 *done, const struct bp_caller *caller)
{
	int ret = 0;

	bp_client_begin(client, n);
	while (!ret && *done < n)
		ret = bp_client_free_slice(client, indices + *done,
					   min(BP_SLICE_MAX, n - *done), done,
					   caller);
	bp_client_end(client, n, BLOCKPOOL_FOUND_FREE, caller);
	return ret;
}

/* Whether there is a report that the client was not given. */
bool bp_client_untold(const struct bp_client *client)
{
	struct bp_debug *debug = client->pool->debug;

	return debug && bp_reports_latest(&debug->reports) >
			atomic64_read(&client->told);
}

/* Of two at once, the later report counts. */
void bp_client_told(struct bp_client *client, u64 seq)
{
	s64 told = atomic64_read(&client->told);

	while (told < seq &&
	       !atomic64_try_cmpxchg(&client->told, &told, seq))
		;
}

/*
 * The client with the lowest id above *id, and its id; NULL after the last.
 * Under the lock and not RCU: bp_client_close() lets go of the pid at once.
 */
struct bp_client *bp_client_next(struct blockpool *pool, u32 *id)
{
	unsigned long at = *id;
	struct bp_client *client;

	lockdep_assert_held(&pool->clients.xa_lock);
	client = xa_find_after(&pool->clients, &at, S32_MAX, XA_PRESENT);
	*id = at;
	return client;
}

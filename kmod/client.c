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
#include <linux/sched.h>
#include <linux/slab.h>

#include "charge.h"
#include "client.h"
#include "owner.h"
#include "pool.h"

#define BP_RECLAIM_STRIDE	(64u << 10)	/* words read between breathers */

/* The lowest ids mean free and kernel. */
#define BP_CLIENT_IDS	XA_LIMIT(BLOCKPOOL_OWNER_KERNEL + 1, S32_MAX)

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
	get_task_comm(client->comm, current);
	ret = xa_alloc_cyclic(&pool->clients, &client->id, client,
			      BP_CLIENT_IDS, &pool->next_client,
			      BP_GFP_CHARGED);
	if (ret < 0) {
		put_pid(client->pid);
		kfree(client);
		return ERR_PTR(-ENOMEM);
	}
	atomic_inc(&pool->nr_clients);
	bp_pool_advise(pool);
	return client;
}

static void bp_client_give(struct blockpool *pool, const u32 *indices, u32 n,
			   enum bp_cause cause)
{
	this_cpu_sub(*pool->clients_hold, n);
	bp_pool_give(pool, indices, n, cause);
}

/*
 * Take back all that the client holds.  Its count says when to stop: nobody
 * else can change the words that carry its id.
 */
static void bp_client_reclaim(struct bp_client *client)
{
	struct blockpool *pool = client->pool;
	u32 left = atomic_read(&client->charged), index, n = 0;
	u32 slice = pool->slice, indices[BP_SLICE_MAX];

	for (index = 0; left && index < bp_pool_nr_blocks(pool); index++) {
		if (bp_owner_release(&pool->owners[index], client->id)) {
			indices[n++] = index;
			left--;
		}
		if (n == slice || (n && !left)) {
			bp_client_give(pool, indices, n, BP_RECLAIMED);
			n = 0;
			cond_resched();
		}
		if (index % BP_RECLAIM_STRIDE == 0)
			cond_resched();
	}
	WARN_ON_ONCE(left);
}

/* At the release of the file, when no call on it is under way. */
void bp_client_close(struct bp_client *client)
{
	struct blockpool *pool = client->pool;

	bp_client_reclaim(client);
	xa_erase(&pool->clients, client->id);
	atomic_dec(&pool->nr_clients);
	bp_pool_advise(pool);
	put_pid(client->pid);
	kfree(client);
	bp_pool_put(pool);
}

/*
 * Count n more blocks as the client's, or fewer if some will do, as far as its
 * limit lets it have them.  Returns how many.
 */
static u32 bp_client_charge(struct bp_client *client, u32 n, bool some)
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

static int bp_client_wait(struct bp_client *client, u32 *indices, u32 n,
			  ktime_t until)
{
	int ret;

	atomic_add(n, &client->waiting);
	ret = bp_stock_take_wait(&client->pool->stock, indices, n, until,
				 TASK_INTERRUPTIBLE);
	atomic_sub(n, &client->waiting);
	return ret;
}

/*
 * Charged before they are there: threads of one client that wait side by side
 * are never served more than it may hold.
 */
static int bp_client_take(struct bp_client *client, u32 *indices, u32 n,
			  ktime_t until)
{
	int ret;

	if (!bp_client_charge(client, n, false))
		return -EDQUOT;
	if (until == BP_NO_WAIT)
		ret = bp_stock_take(&client->pool->stock, indices, n);
	else
		ret = bp_client_wait(client, indices, n, until);
	if (ret)
		atomic_sub(n, &client->charged);
	return ret;
}

static void bp_client_claim(struct bp_client *client, const u32 *indices, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		bp_owner_claim(&client->pool->owners[indices[i]], client->id);
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
 *
 * Context: Process context; may sleep.
 * Return: 0, -EINVAL, -EDQUOT, -EAGAIN, -ETIMEDOUT or -EINTR.
 */
int bp_client_alloc(struct bp_client *client, u32 *indices, u32 n,
		    ktime_t until)
{
	struct blockpool *pool = client->pool;
	int ret;

	if (n > bp_pool_nr_blocks(pool))
		return -EINVAL;
	ret = bp_client_take(client, indices, n, until);
	if (ret)
		atomic_long_inc(&pool->failures);
	else
		bp_client_claim(client, indices, n);
	return ret;
}

/**
 * bp_client_alloc_extra() - take blocks that a client may need soon
 * @client: the client
 * @indices: where to put them
 * @n: how many at most
 *
 * Context: Process context; may sleep.
 * Return: How many.
 */
u32 bp_client_alloc_extra(struct bp_client *client, u32 *indices, u32 n)
{
	u32 charged = bp_client_charge(client, n, true);

	n = bp_depot_take_some(&client->pool->stock.depot, indices, charged);
	atomic_sub(charged - n, &client->charged);
	bp_client_claim(client, indices, n);
	return n;
}

static int bp_client_release_one(struct bp_client *client, u32 index)
{
	struct blockpool *pool = client->pool;
	int ret = 0;

	if (index >= bp_pool_nr_blocks(pool))
		ret = -EINVAL;
	else if (!bp_owner_release(&pool->owners[index], client->id))
		ret = -EPERM;
	if (ret)
		atomic_long_inc(&pool->refused);
	return ret;
}

/* A slice of what bp_client_free() is asked for. */
static int bp_client_free_slice(struct bp_client *client, const u32 *indices,
				u32 n, u32 *done)
{
	u32 freed;
	int ret = 0;

	for (freed = 0; freed < n; freed++) {
		ret = bp_client_release_one(client, indices[freed]);
		if (ret)
			break;
	}
	atomic_sub(freed, &client->charged);
	bp_client_give(client->pool, indices, freed, BP_FREED);
	*done += freed;
	return ret;
}

/**
 * bp_client_free() - give a client's blocks back, up to the first bad one
 * @client: the client
 * @indices: the blocks, believed in nothing
 * @n: how many
 * @done: in: 0; out: how many were freed
 *
 * Context: Process context; may sleep.
 * Return: 0, or what is wrong with indices[*done]: -EINVAL or -EPERM.
 */
int bp_client_free(struct bp_client *client, const u32 *indices, u32 n,
		   u32 *done)
{
	u32 slice = client->pool->slice;
	int ret = 0;

	while (!ret && *done < n) {
		ret = bp_client_free_slice(client, indices + *done,
					   min(slice, n - *done), done);
		cond_resched();
	}
	return ret;
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

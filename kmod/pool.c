// SPDX-License-Identifier: GPL-2.0
/*
 * A pool, its life and its name.
 *
 * Clients and kernel users hold references; a persistent pool holds one on
 * itself for as long as it has a name.  The list of names holds none: a pool
 * that nobody needs leaves it on the last put.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/ctype.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "owner.h"
#include "pool.h"
#include "trace.h"
#include "whole.h"

static DEFINE_MUTEX(bp_names_lock);
static DEFINE_SPINLOCK(bp_pools_lock);
static LIST_HEAD(bp_pools);		/* all that live, named or not */
static DEFINE_MUTEX(bp_look_lock);
static DEFINE_XARRAY_ALLOC1(bp_names);	/* pools by id; read under RCU */
static u32 bp_next_id;			/* protected by bp_names_lock */
static u32 bp_last_number;		/* of a pool; protected by bp_pools_lock */

/* A name is shown to people, and ends a line in debugfs. */
bool bp_name_valid(const char *name)
{
	const char *c;

	if (!name || !*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	if (strnlen(name, BLOCKPOOL_NAME_SIZE) == BLOCKPOOL_NAME_SIZE)
		return false;
	for (c = name; *c; c++)
		if (!isascii(*c) || !isprint(*c) || *c == '/')
			return false;
	return true;
}

static bool bp_node_valid(u32 node)
{
	return node < MAX_NUMNODES && node_online(node);
}

static bool bp_attr_valid(const struct blockpool_attr *attr)
{
	return bp_name_valid(attr->name) &&
	       attr->block_size >= 1 &&
	       attr->block_size <= BLOCKPOOL_BLOCK_SIZE_MAX &&
	       attr->nr_blocks >= 1 &&
	       attr->nr_blocks <= BLOCKPOOL_BLOCKS_MAX &&
	       !(attr->flags & ~BP_POOL_FLAGS) &&
	       attr->reserve < attr->nr_blocks &&
	       (attr->flags & BLOCKPOOL_ON_NODE ? bp_node_valid(attr->node) :
						  !attr->node) &&
	       !(attr->mode & ~0777);
}

static bool bp_pool_is_debugged(const struct blockpool *pool)
{
	return pool->flags & BLOCKPOOL_DEBUG;
}

/*
 * How many blocks to give back at a time: what is wiped or who is woken in one
 * go is bounded, and a caller who may sleep rests between two slices.
 */
static u32 bp_pool_slice(u32 stride)
{
	return clamp((64u << 10) / stride, 1u, BP_SLICE_MAX);
}

/* What debug mode fills and checks is not wiped: it tells a client as little. */
static void bp_pool_say_wipe(struct blockpool *pool)
{
	struct bp_store *store = &pool->store;

	store->wipe_begin = pool->flags & BLOCKPOOL_POISON ?
			    pool->block_size : 0;
	store->wipe_end = pool->flags & BLOCKPOOL_GUARD ?
			  pool->block_size : store->geo.stride;
}

static struct blockpool *bp_pool_new(const struct blockpool_attr *attr,
				     const struct bp_geometry *geo)
{
	struct blockpool *pool;

	pool = kvzalloc(struct_size(pool, store.origins, geo->nr_chunks),
			BP_GFP_CHARGED);
	if (!pool)
		return NULL;
	strscpy(pool->name, attr->name, sizeof(pool->name));
	pool->block_size = attr->block_size;
	pool->flags = attr->flags;
	pool->client_max = attr->client_max;
	pool->reserve = attr->reserve;
	pool->mode = attr->mode ?: 0600;
	pool->node = attr->flags & BLOCKPOOL_ON_NODE ? attr->node :
						       NUMA_NO_NODE;
	pool->store.geo = *geo;
	bp_pool_say_wipe(pool);
	pool->slice = bp_pool_slice(geo->stride);
	kref_init(&pool->refs);
	INIT_LIST_HEAD(&pool->pools);
	mutex_init(&pool->admission);
	xa_init_flags(&pool->clients, XA_FLAGS_ALLOC | XA_FLAGS_ACCOUNT);
	bp_ports_init(&pool->ports);
	bp_shares_init(&pool->shares);
	return pool;
}

/* Whether there is the memory for it; the caller's user pays, if charge is there. */
static int bp_pool_afford(const struct bp_geometry *geo, u32 flags,
			  struct bp_charge *charge)
{
	u64 bytes = geo->map_size +
		    (u64)geo->nr_blocks * 2 * sizeof(u32) +
		    (u64)geo->nr_chunks * sizeof(void *) +
		    bp_stock_cpus_bytes(geo->nr_blocks) +
		    bp_debug_bytes(flags, geo->nr_blocks) +
		    PAGE_SIZE;	/* the status */
	u64 pages = DIV_ROUND_UP_ULL(bytes, PAGE_SIZE);

	if (pages > (unsigned long)si_mem_available())
		return -ENOMEM;
	return charge ? bp_charge_current(charge, pages) : 0;
}

static int bp_pool_fill_status(struct blockpool *pool)
{
	pool->status = (void *)__get_free_page(BP_GFP_CHARGED | __GFP_ZERO);
	if (!pool->status)
		return -ENOMEM;
	pool->status->size = sizeof(*pool->status);
	bp_pool_advise(pool);
	return 0;
}

static void bp_pool_free_arrays(struct blockpool *pool)
{
	free_page((unsigned long)pool->status);
	free_percpu(pool->clients_hold);
	kvfree(pool->owners);
}

/* See debug.h. */
static int bp_pool_debug(struct blockpool *pool)
{
	const struct bp_guard guard = {
		.store = &pool->store,
		.flags = pool->flags,
		.block_size = pool->block_size,
	};
	struct bp_debug *debug;

	if (!bp_pool_is_debugged(pool))
		return 0;
	debug = bp_debug_create(pool->name, &guard, &pool->stock.depot,
				pool->owners);
	if (IS_ERR(debug))
		return PTR_ERR(debug);
	pool->store.nr_blocks = 0;	/* no free is fast */
	pool->debug = debug;
	bp_sweep_start(debug);
	return 0;
}

/* Get all other memory that the pool will ever need, or none. */
static int bp_pool_fill(struct blockpool *pool)
{
	u32 nr_blocks = bp_pool_nr_blocks(pool);
	int ret = -ENOMEM;

	pool->owners = kvcalloc(nr_blocks, sizeof(u32), BP_GFP_CHARGED);
	pool->clients_hold = alloc_percpu_gfp(long, BP_GFP_CHARGED);
	if (!pool->owners || !pool->clients_hold || bp_pool_fill_status(pool))
		goto err_arrays;
	ret = bp_stock_init(&pool->stock, nr_blocks, pool->reserve,
			    !bp_pool_is_debugged(pool), pool->owners,
			    pool->status);
	if (ret)
		goto err_arrays;
	ret = bp_store_init(&pool->store, pool->node);
	if (ret)
		goto err_stock;
	ret = bp_pool_debug(pool);
	if (ret)
		goto err_store;
	return 0;

err_store:
	bp_store_destroy(&pool->store);
err_stock:
	bp_stock_destroy(&pool->stock);
err_arrays:
	bp_pool_free_arrays(pool);
	return ret;
}

/* Whether large chunks would break up huge pages and be none. */
static bool bp_pool_wastes(const struct bp_geometry *geo)
{
	u32 bytes = PAGE_SIZE << get_order(geo->chunk_size);

	return bytes - geo->chunk_size > bytes / 8;
}

/* What the flags of a pool ask of its geometry. */
static u32 bp_pool_blocks_with(u32 flags)
{
	return (flags & BLOCKPOOL_GUARD ? BP_GUARDED : 0) |
	       (flags & BLOCKPOOL_ISOLATED ? BP_PAGED : 0);
}

/* Of chunks of some size; for the user who calls, if it is to pay. */
static struct blockpool *bp_pool_make(const struct blockpool_attr *attr,
				      bool pay, u32 chunk)
{
	struct bp_charge charge = {};
	struct blockpool *pool;
	struct bp_geometry geo;
	int ret;

	bp_geometry_init(&geo, attr->block_size, attr->nr_blocks, PAGE_SIZE,
			 chunk, bp_pool_blocks_with(attr->flags));
	if (chunk == BP_CHUNK_HUGE && bp_pool_wastes(&geo))
		return ERR_PTR(-ENOMEM);
	ret = bp_pool_afford(&geo, attr->flags, pay ? &charge : NULL);
	if (ret)
		return ERR_PTR(ret);
	pool = bp_pool_new(attr, &geo);
	ret = pool ? bp_pool_fill(pool) : -ENOMEM;
	if (ret) {
		kvfree(pool);
		bp_uncharge(&charge);
		return ERR_PTR(ret);
	}
	pool->charge = charge;
	return pool;
}

/*
 * Nobody refers to the pool any more but a bp_pool_find() on its way past.  The
 * memory of blocks that a kernel user kept is left to it: better lost than used
 * by two.
 */
static void bp_pool_destroy(struct blockpool *pool)
{
	struct bp_depot_stats depot;
	u32 kept;

	spin_lock(&bp_pools_lock);
	list_del_rcu(&pool->pools);
	spin_unlock(&bp_pools_lock);
	/* Who looks at it is done then, and others do not find it any more. */
	mutex_lock(&bp_look_lock);
	mutex_unlock(&bp_look_lock);
	bp_ports_destroy(&pool->ports);
	if (pool->debug)
		bp_sweep_stop(pool->debug);
	bp_stock_empty(&pool->stock);
	bp_depot_read_stats(&pool->stock.depot, &depot);
	kept = bp_pool_nr_blocks(pool) - depot.nr_free -
	       bp_pool_nr_quarantined(pool);
	if (pool->debug)
		bp_debug_destroy(pool->debug);
	if (kept)
		pr_warn("blockpool: %s: memory lost, %u blocks were not given back by the kernel\n",
			pool->name, kept);
	else
		bp_store_destroy(&pool->store);
	bp_stock_destroy(&pool->stock);
	bp_pool_free_arrays(pool);
	bp_shares_destroy(&pool->shares);
	xa_destroy(&pool->clients);
	bp_uncharge(&pool->charge);
	trace_pool_destroy(bp_pool_number(pool));
	kvfree_rcu(pool, rcu);
}

/* Returns the pool with a reference, or NULL. */
struct blockpool *bp_pool_find(const char *name)
{
	struct blockpool *pool, *found = NULL;
	unsigned long id;

	rcu_read_lock();
	xa_for_each(&bp_names, id, pool) {
		if (!strcmp(pool->name, name) &&
		    kref_get_unless_zero(&pool->refs)) {
			found = pool;
			break;
		}
	}
	rcu_read_unlock();
	return found;
}

/* The first pool with an id above *id, referenced, and its id; or NULL. */
struct blockpool *bp_pool_next(u32 *id)
{
	unsigned long at = *id;
	struct blockpool *pool;

	rcu_read_lock();
	do {
		pool = xa_find_after(&bp_names, &at, U32_MAX, XA_PRESENT);
	} while (pool && !kref_get_unless_zero(&pool->refs));
	rcu_read_unlock();
	*id = at;
	return pool;
}

/*
 * The living pool with the lowest number above *number, and its number; or NULL.
 * Whether it is there any longer when this returns, is the caller's matter.
 */
struct blockpool *bp_pool_above(u32 *number)
{
	u32 left = READ_ONCE(bp_last_number);	/* even if the list is a ring */
	struct blockpool *pool, *found = NULL;

	rcu_read_lock();
	list_for_each_entry_rcu(pool, &bp_pools, pools) {
		if (bp_pool_number(pool) > *number) {
			*number = bp_pool_number(pool);
			found = pool;
		}
		if (found || !--left)
			break;
	}
	rcu_read_unlock();
	return found;
}

/*
 * Likewise; it stays until bp_pool_look_end().  Not by a reference, with which it would
 * keep its name longer than its users do.
 */
struct blockpool *bp_pool_look(u32 *number)
{
	struct blockpool *pool;

	mutex_lock(&bp_look_lock);
	pool = bp_pool_above(number);
	if (!pool)
		mutex_unlock(&bp_look_lock);
	return pool;
}

void bp_pool_look_end(void)
{
	mutex_unlock(&bp_look_lock);
}

struct blockpool *bp_pool_hold(struct blockpool *pool)
{
	kref_get(&pool->refs);
	return pool;
}

static bool bp_name_taken(const char *name)
{
	struct blockpool *pool;
	bool taken = false;
	unsigned long id;

	rcu_read_lock();
	xa_for_each(&bp_names, id, pool)
		taken |= !strcmp(pool->name, name);
	rcu_read_unlock();
	return taken;
}

static int bp_pool_publish(struct blockpool *pool)
{
	int ret = -EEXIST;

	mutex_lock(&bp_names_lock);
	if (!bp_name_taken(pool->name))
		ret = xa_alloc_cyclic(&bp_names, &pool->id, pool, xa_limit_31b,
				      &bp_next_id, GFP_KERNEL);
	if (ret < 0)
		pool->id = 0;
	else if (pool->flags & BLOCKPOOL_PERSIST)
		bp_pool_hold(pool);
	mutex_unlock(&bp_names_lock);
	return min(ret, 0);
}

/* Returns whether there was a name to take away. */
static bool bp_pool_unpublish(struct blockpool *pool)
{
	lockdep_assert_held(&bp_names_lock);
	if (!pool->id)
		return false;
	xa_erase(&bp_names, pool->id);
	WRITE_ONCE(pool->id, 0);
	return true;
}

static void bp_pool_release(struct kref *refs)
{
	struct blockpool *pool = container_of(refs, struct blockpool, refs);

	bp_pool_unpublish(pool);
	mutex_unlock(&bp_names_lock);
	bp_pool_destroy(pool);
}

void bp_pool_put(struct blockpool *pool)
{
	kref_put_mutex(&pool->refs, bp_pool_release, &bp_names_lock);
}

/* The caller holds a reference of its own.  False if there was no name any more. */
bool bp_pool_unlink(struct blockpool *pool)
{
	bool named;

	mutex_lock(&bp_names_lock);
	named = bp_pool_unpublish(pool);
	mutex_unlock(&bp_names_lock);
	if (named)
		trace_pool_unlink(bp_pool_number(pool));
	if (named && (pool->flags & BLOCKPOOL_PERSIST))
		bp_pool_put(pool);
	return named;
}

/* At unload: what is left is persistent, and nobody uses it. */
void bp_pool_unlink_all(void)
{
	struct blockpool *pool;
	u32 id = 0;

	while ((pool = bp_pool_next(&id))) {
		bp_pool_unlink(pool);
		bp_pool_put(pool);
	}
}

/* Whether blocks with guard zones are not larger than the largest there may be. */
static bool bp_attr_guardable(const struct blockpool_attr *attr)
{
	struct bp_geometry geo;

	bp_geometry_init(&geo, attr->block_size, attr->nr_blocks, PAGE_SIZE,
			 BP_CHUNK_EASY,
			 bp_pool_blocks_with(attr->flags | BLOCKPOOL_GUARD));
	return geo.stride <= BLOCKPOOL_BLOCK_SIZE_MAX;
}

/* What the module's parameter adds to the flags of a pool, if it can. */
static struct blockpool_attr bp_attr_debugged(const struct blockpool_attr *attr)
{
	struct blockpool_attr debugged = *attr;

	debugged.flags |= bp_debug_default;
	if (!bp_attr_guardable(attr))
		debugged.flags &= ~BLOCKPOOL_GUARD;
	return debugged;
}

/* Among those that live, in the order of their numbers. */
static void bp_pool_add(struct blockpool *pool)
{
	spin_lock(&bp_pools_lock);
	pool->stock.depot.pool = bp_last_number + 1;
	WRITE_ONCE(bp_last_number, bp_last_number + 1);
	list_add_tail_rcu(&pool->pools, &bp_pools);
	spin_unlock(&bp_pools_lock);
	trace_pool_create(bp_pool_number(pool), pool->name, pool->block_size,
			  bp_pool_nr_blocks(pool), pool->flags);
}

/**
 * bp_pool_create() - make a pool and give it its name
 * @attr: what it shall be; everything in it is checked
 * @uid: owner
 * @gid: group
 * @charge: charge the calling user's RLIMIT_MEMLOCK
 *
 * Context: Process context; may sleep.
 * Return: The pool with a reference for the caller, or -EINVAL, -EOPNOTSUPP,
 *	-EEXIST, -ENOMEM, -EINTR as ERR_PTR.
 */
struct blockpool *bp_pool_create(const struct blockpool_attr *attr, kuid_t uid,
				 kgid_t gid, bool charge)
{
	struct blockpool_attr debugged;
	struct blockpool *pool;
	int ret;

	if (!bp_attr_valid(attr) ||
	    (attr->flags & BLOCKPOOL_GUARD && !bp_attr_guardable(attr)))
		return ERR_PTR(-EINVAL);
	if (attr->flags & BLOCKPOOL_ISOLATED && !IS_ENABLED(CONFIG_64BIT))
		return ERR_PTR(-EOPNOTSUPP);	/* see isolate.c */
	/* Asked again when the name is given: this only saves the work. */
	if (bp_name_taken(attr->name))
		return ERR_PTR(-EEXIST);
	debugged = bp_attr_debugged(attr);
	pool = bp_pool_make(&debugged, charge, BP_CHUNK_HUGE);
	if (pool == ERR_PTR(-ENOMEM))
		pool = bp_pool_make(&debugged, charge, BP_CHUNK_EASY);
	if (IS_ERR(pool))
		return pool;
	pool->uid = uid;
	pool->gid = gid;
	bp_pool_add(pool);
	ret = bp_pool_publish(pool);
	if (ret) {
		bp_pool_put(pool);
		return ERR_PTR(ret);
	}
	return pool;
}

/* want is a mask of MAY_READ (4) and MAY_WRITE (2), for the current credentials. */
bool bp_mode_permits(umode_t mode, kuid_t uid, kgid_t gid, umode_t want)
{
	umode_t granted = mode;

	if (uid_eq(current_euid(), uid))
		granted >>= 6;
	else if (in_egroup_p(gid))
		granted >>= 3;
	/* No audit: LIST asks this of every pool that there is. */
	return !(want & ~granted) ||
	       ns_capable_noaudit(&init_user_ns, CAP_DAC_OVERRIDE);
}

bool bp_pool_permits(const struct blockpool *pool, umode_t want)
{
	return bp_mode_permits(pool->mode, pool->uid, pool->gid, want);
}

/* Wipe what is in the depot; all of it, if nothing is in a magazine. */
static int bp_pool_wipe_depot(struct blockpool *pool)
{
	struct bp_depot *depot = &pool->stock.depot;
	u32 below = U32_MAX, index;

	while (bp_depot_wipe_begin(depot, &below, &index)) {
		bp_store_wipe(&pool->store, index);
		bp_depot_wipe_end(depot, index);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/*
 * From now on blocks are wiped on their way back, see bp_pool_give(), for which
 * none may take the short way into a magazine any more; wipe those that came back
 * before.  All of them: a mapping reaches also blocks that were never taken.
 */
static int bp_pool_wipe_free(struct blockpool *pool)
{
	struct bp_stock *stock = &pool->stock;
	int ret;

	lockdep_assert_held(&pool->admission);
	WRITE_ONCE(stock->size, 0);
	WRITE_ONCE(pool->wipe, true);
	bp_depot_keep_aloof(&stock->depot, true);
	/* Pairs with rcu_read_lock() in bp_pool_give_slices(). */
	synchronize_rcu();
	ret = bp_stock_drain_all(stock) ?: bp_pool_wipe_depot(pool);
	pool->wiped = !ret;
	bp_depot_keep_aloof(&stock->depot, false);
	return ret;
}

/**
 * bp_pool_admit() - before a user sees the memory, or gets some of it
 * @pool: the pool
 * @uid: effective user of whoever maps it or takes a block
 *
 * As long as all of them are one user, nothing is wiped.  Before another
 * comes, all blocks that are free are, and every block is from then on when it is
 * given back.
 *
 * Context: Process context; may sleep.
 * Return: 0, or -EINTR (fatal signal) and nobody was let in.
 */
int bp_pool_admit(struct blockpool *pool, kuid_t uid)
{
	int ret = 0;

	if (mutex_lock_killable(&pool->admission))
		return -EINTR;
	if (!pool->admitted) {
		pool->admitted = true;
		pool->admitted_uid = uid;
	} else if (!pool->wiped && !uid_eq(uid, pool->admitted_uid)) {
		ret = bp_pool_wipe_free(pool);
	}
	mutex_unlock(&pool->admission);
	return ret;
}

/*
 * Whoever missed that the pool wipes is done giving back when the walk over the
 * free blocks begins: rcu_read_lock() pairs with synchronize_rcu() in
 * bp_pool_wipe_free().
 */
static void bp_pool_wipe(struct blockpool *pool, const u32 *indices, u32 n)
{
	u32 i;

	RCU_LOCKDEP_WARN(!rcu_read_lock_held(), "wiping while it is switched on");
	if (READ_ONCE(pool->wipe))
		for (i = 0; i < n; i++)
			bp_store_wipe(&pool->store, indices[i]);
}

static void bp_pool_give_slices(struct blockpool *pool, const u32 *indices,
				u32 n, enum bp_cause cause, bool here)
{
	u32 slice = pool->slice, some, i;

	for (i = 0; i < n; i += some) {
		some = min(slice, n - i);
		rcu_read_lock();
		bp_pool_wipe(pool, indices + i, some);
		if (here)
			bp_stock_give_here(&pool->stock, indices + i, some);
		else
			bp_depot_give(&pool->stock.depot, indices + i, some,
				      cause);
		rcu_read_unlock();
		if (!here)
			cond_resched();
	}
}

/**
 * bp_pool_give() - put blocks that no client owns any more back into the pool
 * @pool: the pool
 * @indices: the blocks
 * @n: how many
 * @cause: why
 * @caller: the client
 *
 * Context: Process context; may sleep.
 */
void bp_pool_give(struct blockpool *pool, const u32 *indices, u32 n,
		  enum bp_cause cause, const struct bp_caller *caller)
{
	if (pool->debug)
		bp_pool_give_debug(pool, indices, n, cause, caller);
	else
		bp_pool_give_slices(pool, indices, n, cause, false);
}

/* A share of a block has ended, in process context, and so many are left. */
void bp_share_ended(struct blockpool *pool, u32 index, u32 left,
		    enum bp_cause cause, const struct bp_caller *caller)
{
	if (left) {
		trace_unshare(bp_pool_number(pool), caller->client, index, left);
		return;
	}
	preempt_disable();
	trace_unshare(bp_pool_number(pool), caller->client, index, 0);
	WARN_ON_ONCE(!bp_owner_release(&pool->owners[index],
				       BLOCKPOOL_OWNER_SHARED));
	preempt_enable();
	atomic_long_dec(&pool->nr_in_flight);
	bp_pool_give(pool, &index, 1, cause, caller);
}

/**
 * bp_pool_give_here() - the same for blocks of the kernel, by way of the magazine
 * @pool: the pool
 * @indices: the blocks
 * @n: how many
 *
 * Context: Any.
 */
void bp_pool_give_here(struct blockpool *pool, const u32 *indices, u32 n)
{
	bp_pool_give_slices(pool, indices, n, BP_FREED, true);
}

/* The sound ones of a slice, to the depot. */
static void bp_pool_give_sound(struct blockpool *pool, const u32 *indices,
			       u32 n, enum bp_cause cause,
			       const struct bp_caller *caller)
{
	u32 found = cause == BP_RECLAIMED ? BLOCKPOOL_FOUND_RECLAIM :
					    BLOCKPOOL_FOUND_FREE;
	u32 sound[BP_SLICE_MAX];

	n = bp_debug_give(pool->debug, indices, sound, n, found, caller);
	if (!n)
		return;
	if (in_nmi())
		bp_depot_put_aside(&pool->stock.depot, sound, n);
	else
		bp_depot_give(&pool->stock.depot, sound, n, cause);
}

/**
 * bp_pool_give_debug() - the same in debug mode, for clients and for the kernel
 * @pool: the pool
 * @indices: the blocks
 * @n: how many
 * @cause: why
 * @caller: who gives them
 *
 * Context: Any; process context, and may sleep, if the caller is a client.
 */
void bp_pool_give_debug(struct blockpool *pool, const u32 *indices, u32 n,
			enum bp_cause cause, const struct bp_caller *caller)
{
	u32 some, i;

	for (i = 0; i < n; i += some) {
		some = min(pool->slice, n - i);
		rcu_read_lock();
		bp_pool_wipe(pool, indices + i, some);
		bp_pool_give_sound(pool, indices + i, some, cause, caller);
		rcu_read_unlock();
		if (caller->client != BLOCKPOOL_OWNER_KERNEL)
			cond_resched();
	}
}

/*
 * Tell users how much they should keep: all together no more than an eighth of what
 * they may have, and nothing where what is free must not be touched.
 */
void bp_pool_advise(struct blockpool *pool)
{
	u32 blocks = pool->flags & (BLOCKPOOL_ISOLATED | BLOCKPOOL_DEBUG) ? 0 :
		     bp_pool_nr_blocks(pool) - pool->reserve;
	u32 clients;

	xa_lock(&pool->clients);	/* of two, the later one knows better */
	clients = max(atomic_read(&pool->nr_clients), 1);
	WRITE_ONCE(pool->status->cache_max, blocks / 8 / clients);
	xa_unlock(&pool->clients);
}

/* A CPU has gone offline: what is in its magazines comes back. */
void bp_pool_cpu_dead(int cpu)
{
	struct blockpool *pool;

	spin_lock(&bp_pools_lock);
	list_for_each_entry(pool, &bp_pools, pools)
		bp_stock_cpu_dead(&pool->stock, cpu);
	spin_unlock(&bp_pools_lock);
}

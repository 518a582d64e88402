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
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "pool.h"

static DEFINE_MUTEX(bp_names_lock);
static DEFINE_XARRAY_ALLOC1(bp_names);	/* pools by id; read under RCU */
static u32 bp_next_id;			/* protected by bp_names_lock */

/* A name is shown to people, and ends a line in debugfs. */
static bool bp_name_valid(const char *name)
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

static bool bp_attr_valid(const struct blockpool_attr *attr)
{
	return bp_name_valid(attr->name) &&
	       attr->block_size >= 1 &&
	       attr->block_size <= BLOCKPOOL_BLOCK_SIZE_MAX &&
	       attr->nr_blocks >= 1 &&
	       attr->nr_blocks <= BLOCKPOOL_BLOCKS_MAX &&
	       !(attr->flags & ~BLOCKPOOL_PERSIST) &&
	       !(attr->mode & ~0777);
}

/*
 * How many blocks to give back at a time: what is wiped or who is woken in one
 * go is bounded, and a caller who may sleep can rest between two slices.
 */
static u32 bp_pool_slice(u32 stride)
{
	return clamp((64u << 10) / stride, 1u, BP_SLICE_MAX);
}

static struct blockpool *bp_pool_new(const struct blockpool_attr *attr,
				     kuid_t uid, kgid_t gid)
{
	struct blockpool *pool = kzalloc(sizeof(*pool), GFP_KERNEL_ACCOUNT);

	if (!pool)
		return NULL;
	strscpy(pool->name, attr->name, sizeof(pool->name));
	pool->block_size = attr->block_size;
	pool->flags = attr->flags;
	pool->client_max = attr->client_max;
	pool->mode = attr->mode ?: 0600;
	pool->uid = uid;
	pool->gid = gid;
	bp_geometry_init(&pool->store.geo, attr->block_size, attr->nr_blocks,
			 PAGE_SIZE);
	pool->slice = bp_pool_slice(pool->store.geo.stride);
	kref_init(&pool->refs);
	mutex_init(&pool->admission);
	xa_init_flags(&pool->clients, XA_FLAGS_ALLOC);
	return pool;
}

/* What the blocks and the arrays beside them take, in pages. */
static u64 bp_pool_pages(const struct blockpool *pool)
{
	const struct bp_geometry *geo = &pool->store.geo;
	u64 bytes = geo->map_size +
		    (u64)geo->nr_blocks * 2 * sizeof(u32) +
		    (u64)geo->nr_chunks * sizeof(void *);

	return DIV_ROUND_UP_ULL(bytes, PAGE_SIZE);
}

/* Get all memory that the pool will ever need, or none. */
static int bp_pool_fill(struct blockpool *pool, bool charge)
{
	u64 pages = bp_pool_pages(pool);
	u32 nr_blocks = bp_pool_nr_blocks(pool);
	int ret;

	if (pages > (unsigned long)si_mem_available())
		return -ENOMEM;
	ret = charge ? bp_charge_current(&pool->charge, pages) : 0;
	if (ret)
		return ret;
	ret = -ENOMEM;
	pool->owners = kvcalloc(nr_blocks, sizeof(u32), BP_GFP_CHARGED);
	if (!pool->owners)
		goto err_uncharge;
	ret = bp_depot_init(&pool->depot, nr_blocks);
	if (ret)
		goto err_owners;
	pool->kernel_held = alloc_percpu_gfp(long, BP_GFP_CHARGED);
	ret = pool->kernel_held ? bp_store_init(&pool->store) : -ENOMEM;
	if (ret)
		goto err_percpu;
	return 0;

err_percpu:
	free_percpu(pool->kernel_held);
	bp_depot_destroy(&pool->depot);
err_owners:
	kvfree(pool->owners);
err_uncharge:
	bp_uncharge(&pool->charge);
	return ret;
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

	bp_depot_read_stats(&pool->depot, &depot);
	kept = bp_pool_nr_blocks(pool) - depot.nr_free;
	if (kept)
		pr_warn("blockpool: %s: memory lost, %u blocks were not given back by the kernel\n",
			pool->name, kept);
	else
		bp_store_destroy(&pool->store);
	free_percpu(pool->kernel_held);
	bp_depot_destroy(&pool->depot);
	kvfree(pool->owners);
	xa_destroy(&pool->clients);
	bp_uncharge(&pool->charge);
	kfree_rcu(pool, rcu);
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

/**
 * bp_pool_create() - make a pool and give it its name
 * @attr: what it shall be; everything in it is checked
 * @uid: owner
 * @gid: group
 * @charge: charge the calling user's RLIMIT_MEMLOCK
 *
 * Context: Process context; may sleep.
 * Return: The pool with a reference for the caller, or -EINVAL, -EEXIST,
 *	-ENOMEM, -EINTR as ERR_PTR.
 */
struct blockpool *bp_pool_create(const struct blockpool_attr *attr, kuid_t uid,
				 kgid_t gid, bool charge)
{
	struct blockpool *pool;
	int ret;

	if (!bp_attr_valid(attr))
		return ERR_PTR(-EINVAL);
	/* Asked again when the name is given: this only saves the work. */
	if (bp_name_taken(attr->name))
		return ERR_PTR(-EEXIST);
	pool = bp_pool_new(attr, uid, gid);
	if (!pool)
		return ERR_PTR(-ENOMEM);
	ret = bp_pool_fill(pool, charge);
	if (ret) {
		kfree(pool);
		return ERR_PTR(ret);
	}
	ret = bp_pool_publish(pool);
	if (ret) {
		bp_pool_put(pool);
		return ERR_PTR(ret);
	}
	return pool;
}

/* want is a mask of MAY_READ (4) and MAY_WRITE (2), for the current credentials. */
bool bp_pool_permits(const struct blockpool *pool, umode_t want)
{
	umode_t granted = pool->mode;

	if (uid_eq(current_euid(), pool->uid))
		granted >>= 6;
	else if (in_egroup_p(pool->gid))
		granted >>= 3;
	/* No audit: LIST asks this of every pool that there is. */
	return !(want & ~granted) ||
	       ns_capable_noaudit(&init_user_ns, CAP_DAC_OVERRIDE);
}

/*
 * From now on blocks are wiped on their way back, see bp_pool_give(); wipe
 * those that came back before.  All of them: a mapping reaches also blocks that
 * were never taken.
 */
static int bp_pool_wipe_free(struct blockpool *pool)
{
	u32 below = U32_MAX, index;

	lockdep_assert_held(&pool->admission);
	WRITE_ONCE(pool->wipe, true);
	/* Pairs with rcu_read_lock() in bp_pool_give_slice(). */
	synchronize_rcu();
	while (bp_depot_wipe_begin(&pool->depot, &below, &index)) {
		bp_store_wipe(&pool->store, index);
		bp_depot_wipe_end(&pool->depot, index);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	pool->wiped = true;
	return 0;
}

/**
 * bp_pool_admit() - before a user sees the memory
 * @pool: the pool
 * @uid: effective user of whoever maps it
 *
 * As long as all mappings are of one user, nothing is wiped.  Before another
 * user's, all blocks that are free are, and every block is from then on when it
 * is given back.
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
static void bp_pool_give_slice(struct blockpool *pool, const u32 *indices,
			       u32 n, enum bp_cause cause)
{
	u32 i;

	rcu_read_lock();
	if (READ_ONCE(pool->wipe))
		for (i = 0; i < n; i++)
			bp_store_wipe(&pool->store, indices[i]);
	bp_depot_give(&pool->depot, indices, n, cause);
	rcu_read_unlock();
}

/**
 * bp_pool_give() - put blocks that nobody owns any more back into the pool
 * @pool: the pool
 * @indices: the blocks
 * @n: how many
 * @cause: why
 *
 * The magazines of the CPUs have their place here, and before bp_depot_take().
 *
 * Context: Any but NMI.
 */
void bp_pool_give(struct blockpool *pool, const u32 *indices, u32 n,
		  enum bp_cause cause)
{
	u32 slice = pool->slice, i;

	for (i = 0; i < n; i += slice)
		bp_pool_give_slice(pool, indices + i, min(slice, n - i), cause);
}

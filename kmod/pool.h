/* SPDX-License-Identifier: GPL-2.0 */
/* A pool, its life and its name. */
#ifndef BLOCKPOOL_POOL_H
#define BLOCKPOOL_POOL_H

#include <linux/atomic.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/uidgid.h>
#include <linux/xarray.h>

#include "blockpool.h"
#include "charge.h"
#include "debug.h"
#include "port.h"
#include "share.h"
#include "stock.h"
#include "store.h"

#define BP_DEFAULT_NAME		"default"

/* That a pool can be made with. */
#define BP_POOL_FLAGS	(BLOCKPOOL_PERSIST | BLOCKPOOL_ON_NODE | \
			 BLOCKPOOL_ISOLATED | BLOCKPOOL_DEBUG)

/*
 * Locks, from the outside in:
 *
 *   mmap_lock        mmap() and faults come here with it
 *   window->lock     what an isolated client's mappings reach, see isolate.h
 *   bp_names_lock    which pools have a name; the last bp_pool_put()
 *   pool->admission  whose mappings were let in; the wipe before the second's
 *   ports.lock       which ports there are, and who uses them
 *   clients' lock    which clients there are
 *   bp_look_lock     a look at any pool that lives; its end waits for it
 *   bp_pools_lock    all pools that live; then the lock of those who poll
 *   debug->walk      a look at all blocks
 *   depot.lock       the free indices; a leaf, see depot.h, as are those of port.h
 *		      and report.h
 *
 * The first five are not held over anything that may fault on user memory.
 */
struct blockpool {
	/* The following fields do not change while the pool lives. */
	char name[BLOCKPOOL_NAME_SIZE];
	u32 block_size;
	u32 flags;
	u32 client_max;
	u32 reserve;		/* free blocks that clients do not get */
	umode_t mode;
	u32 slice;		/* see bp_pool_give() */
	int node;		/* NUMA node asked for, or NUMA_NO_NODE */
	kuid_t uid;
	kgid_t gid;
	struct bp_charge charge;
	struct blockpool_status *status;	/* the page that users map */
	struct bp_debug *debug;	/* NULL without a flag of BLOCKPOOL_DEBUG */

	struct bp_stock stock;

	struct kref refs;
	struct list_head pools;		/* written under bp_pools_lock, read under RCU */

	/* Written under bp_names_lock; read anywhere. */
	u32 id;			/* in the list of names, 0 without one */

	/* The following fields are protected by admission. */
	struct mutex admission;
	bool admitted;		/* someone has mapped it, first ... */
	kuid_t admitted_uid;	/* ... this user */
	bool wiped;		/* what was free when another came is clean */

	/* Written under admission, once; see bp_pool_give(). */
	bool wipe;

	struct xarray clients;	/* struct bp_client by id, see client.h */
	u32 next_client;	/* protected by the lock of clients */
	atomic_t nr_clients;
	long __percpu *clients_hold;	/* the sum over CPUs counts */
	struct rcu_head rcu;

	struct bp_ports ports;
	struct bp_shares shares;
	atomic_long_t nr_in_flight;	/* sent and not received, and shared */

	atomic_long_t failures;
	atomic_long_t refused;

	/* What the fast paths use; it changes as little. */
	u32 *owners ____cacheline_aligned_in_smp;	/* see owner.h */
	struct bp_store store;	/* ends in an array */
};

static inline u32 bp_pool_nr_blocks(const struct blockpool *pool)
{
	return pool->store.geo.nr_blocks;
}

/* In events; of all pools since the module was loaded, it alone has it. */
static inline u32 bp_pool_number(const struct blockpool *pool)
{
	return pool->stock.depot.pool;
}

/* Damaged blocks, which nobody gets. */
static inline u32 bp_pool_nr_quarantined(const struct blockpool *pool)
{
	return pool->debug ? atomic_read(&pool->debug->nr_quarantined) : 0;
}

static inline unsigned long bp_pool_map_pages(const struct blockpool *pool)
{
	return pool->store.geo.map_size >> PAGE_SHIFT;
}

/*
 * What a look without locks finds: right when nothing moves.
 */
static inline u32 bp_pool_glance_free(const struct blockpool *pool)
{
	return min(bp_depot_glance(&pool->stock.depot) +
		   bp_stock_cached(&pool->stock), bp_pool_nr_blocks(pool));
}

static inline u32 bp_pool_glance_in_flight(const struct blockpool *pool)
{
	return max(atomic_long_read(&pool->nr_in_flight), 0L);
}

struct blockpool *bp_pool_create(const struct blockpool_attr *attr, kuid_t uid,
				 kgid_t gid, bool charge);
struct blockpool *bp_pool_find(const char *name);
struct blockpool *bp_pool_next(u32 *id);
struct blockpool *bp_pool_hold(struct blockpool *pool);
void bp_pool_put(struct blockpool *pool);
struct blockpool *bp_pool_above(u32 *number);
struct blockpool *bp_pool_look(u32 *number);
void bp_pool_look_end(void);
bool bp_pool_unlink(struct blockpool *pool);
void bp_pool_unlink_all(void);

bool bp_name_valid(const char *name);
bool bp_mode_permits(umode_t mode, kuid_t uid, kgid_t gid, umode_t want);
bool bp_pool_permits(const struct blockpool *pool, umode_t want);
int bp_pool_admit(struct blockpool *pool, kuid_t uid);

void bp_pool_give(struct blockpool *pool, const u32 *indices, u32 n,
		  enum bp_cause cause, const struct bp_caller *caller);
void bp_share_ended(struct blockpool *pool, u32 index, u32 left,
		    enum bp_cause cause, const struct bp_caller *caller);
void bp_pool_give_here(struct blockpool *pool, const u32 *indices, u32 n);
void bp_pool_give_debug(struct blockpool *pool, const u32 *indices, u32 n,
			enum bp_cause cause, const struct bp_caller *caller);

void bp_pool_advise(struct blockpool *pool);
void bp_pool_cpu_dead(int cpu);

#endif /* BLOCKPOOL_POOL_H */

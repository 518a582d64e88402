// SPDX-License-Identifier: GPL-2.0
/* A pool's statistics, as the ioctl and debugfs show them. */
#include <linux/minmax.h>
#include <linux/rcupdate.h>

#include "client.h"
#include "pool.h"
#include "stats.h"

static u64 bp_stats_client_held(struct blockpool *pool)
{
	struct bp_client *client;
	u64 held = 0;
	u32 id = 0;

	rcu_read_lock();
	while ((client = bp_client_next(pool, &id)))
		held += atomic_read(&client->held);
	rcu_read_unlock();
	return held;
}

/*
 * What comes from the depot is of one instant, and so are the sums that the uapi
 * header promises.  The kernel's share is what is left over and true when
 * nothing moves.
 */
void bp_stats_read(struct blockpool *pool, struct blockpool_stats *stats)
{
	u64 reclaimed = atomic64_read(&pool->reclaimed);
	u64 held_by_clients = bp_stats_client_held(pool);
	struct bp_depot_stats depot;

	bp_depot_read_stats(&pool->depot, &depot);
	stats->nr_blocks = bp_pool_nr_blocks(pool);
	stats->nr_free = depot.nr_free;
	stats->nr_held = stats->nr_blocks - stats->nr_free;
	stats->nr_kernel = stats->nr_held - min(held_by_clients, stats->nr_held);
	stats->nr_clients = atomic_read(&pool->nr_clients);
	stats->nr_waiting = depot.nr_waiting;
	stats->min_free = depot.min_free;
	stats->allocs = depot.taken;
	stats->frees = depot.given - reclaimed;
	stats->reclaimed = reclaimed;
	stats->failures = atomic64_read(&pool->failures);
	stats->refused = atomic64_read(&pool->refused);
	stats->waits = depot.waits;
}

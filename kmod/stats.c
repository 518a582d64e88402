// SPDX-License-Identifier: GPL-2.0
/* A pool's statistics, as the ioctl and debugfs show them. */
#include <linux/minmax.h>
#include <linux/percpu.h>

#include "pool.h"
#include "stats.h"

/* A block may be taken on one CPU and given back on another: only the sum counts. */
static u64 bp_stats_clients_hold(const struct blockpool *pool)
{
	long held = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		held += READ_ONCE(*per_cpu_ptr(pool->clients_hold, cpu));
	return max(held, 0L);
}

/*
 * Magazines are read while they are used: a block on its way may be counted twice
 * or not at all.  The sums that the uapi header promises hold because what is not
 * counted is worked out from what is.
 */
void bp_stats_read(struct blockpool *pool, struct blockpool_stats *stats)
{
	struct bp_depot_stats depot;
	u64 others;

	bp_depot_read_stats(&pool->stock.depot, &depot);
	stats->nr_blocks = bp_pool_nr_blocks(pool);
	stats->nr_cached = min_t(u64, bp_stock_cached(&pool->stock),
				 stats->nr_blocks - depot.nr_free);
	stats->nr_free = depot.nr_free + stats->nr_cached;
	stats->nr_held = stats->nr_blocks - stats->nr_free;
	stats->nr_quarantined = min_t(u64, bp_pool_nr_quarantined(pool),
				      stats->nr_held);
	stats->nr_in_flight = max(atomic_long_read(&pool->nr_in_flight), 0L);
	others = bp_stats_clients_hold(pool) + stats->nr_quarantined +
		 stats->nr_in_flight;
	stats->nr_kernel = stats->nr_held - min(others, stats->nr_held);
	stats->nr_clients = atomic_read(&pool->nr_clients);
	stats->nr_waiting = depot.nr_waiting;
	stats->min_free = depot.min_free;
	stats->frees = depot.given[BP_FREED] + bp_stock_freed(&pool->stock);
	stats->reclaimed = depot.given[BP_RECLAIMED];
	stats->allocs = stats->frees + stats->reclaimed + stats->nr_held;
	stats->failures = atomic_long_read(&pool->failures);
	stats->refused = atomic_long_read(&pool->refused);
	stats->waits = depot.waits;
	stats->reports = pool->debug ? bp_reports_count(&pool->debug->reports) :
				       0;
}

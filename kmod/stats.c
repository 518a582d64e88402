// SPDX-License-Identifier: GPL-2.0
/* A pool's statistics, as the ioctl and debugfs show them. */
#include <linux/minmax.h>
#include <linux/percpu.h>

#include "pool.h"
#include "stats.h"

/* A block may be taken on one CPU and given back on another: only the sum counts. */
static long bp_stats_kernel_held(const struct blockpool *pool)
{
	long held = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		held += *per_cpu_ptr(pool->kernel_held, cpu);
	return max(held, 0L);
}

/*
 * What comes from the depot is of one instant, and so are the sums that the uapi
 * header promises.
 */
void bp_stats_read(struct blockpool *pool, struct blockpool_stats *stats)
{
	struct bp_depot_stats depot;

	bp_depot_read_stats(&pool->depot, &depot);
	stats->nr_blocks = bp_pool_nr_blocks(pool);
	stats->nr_free = depot.nr_free;
	stats->nr_held = stats->nr_blocks - stats->nr_free;
	stats->nr_kernel = bp_stats_kernel_held(pool);
	stats->nr_clients = atomic_read(&pool->nr_clients);
	stats->nr_waiting = depot.nr_waiting;
	stats->min_free = depot.min_free;
	stats->allocs = depot.taken;
	stats->frees = depot.given[BP_FREED];
	stats->reclaimed = depot.given[BP_RECLAIMED];
	stats->failures = atomic64_read(&pool->failures);
	stats->refused = atomic64_read(&pool->refused);
	stats->waits = depot.waits;
}

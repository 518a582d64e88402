/* SPDX-License-Identifier: GPL-2.0 */
/* A pool's statistics, as the ioctl and debugfs show them. */
#ifndef BLOCKPOOL_STATS_H
#define BLOCKPOOL_STATS_H

struct blockpool;
struct blockpool_stats;

void bp_stats_read(struct blockpool *pool, struct blockpool_stats *stats);

#endif /* BLOCKPOOL_STATS_H */

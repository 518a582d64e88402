// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/blockpool/stats, for the administrator: a section a pool,
 * a line "pool NAME" and then the fields of struct blockpool_stats.
 *
 * One file and not a folder a pool: making and removing folders takes locks of
 * the file system that lead to mmap_lock, with which mmap() may have to drop a
 * pool's last reference.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "debugfs.h"
#include "pool.h"
#include "stats.h"

static struct dentry *bp_debugfs_root;

static void bp_debugfs_show_pool(struct seq_file *m, struct blockpool *pool)
{
	struct blockpool_stats stats = {};

	bp_stats_read(pool, &stats);
	seq_printf(m, "pool %s\n", pool->name);
#define BP_SHOW(field)	seq_printf(m, #field " %llu\n", stats.field)
	BP_SHOW(nr_blocks);
	BP_SHOW(nr_free);
	BP_SHOW(nr_held);
	BP_SHOW(nr_kernel);
	BP_SHOW(nr_clients);
	BP_SHOW(nr_waiting);
	BP_SHOW(min_free);
	BP_SHOW(allocs);
	BP_SHOW(frees);
	BP_SHOW(reclaimed);
	BP_SHOW(failures);
	BP_SHOW(refused);
	BP_SHOW(waits);
	BP_SHOW(nr_cached);
	BP_SHOW(nr_quarantined);
	BP_SHOW(reports);
#undef BP_SHOW
}

static int stats_show(struct seq_file *m, void *unused)
{
	struct blockpool *pool;
	u32 id = 0;

	while ((pool = bp_pool_next(&id))) {
		bp_debugfs_show_pool(m, pool);
		bp_pool_put(pool);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

void bp_debugfs_init(void)
{
	bp_debugfs_root = debugfs_create_dir("blockpool", NULL);
	debugfs_create_file("stats", 0400, bp_debugfs_root, NULL, &stats_fops);
}

/* Waits for readers. */
void bp_debugfs_exit(void)
{
	debugfs_remove(bp_debugfs_root);
}

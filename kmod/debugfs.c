// SPDX-License-Identifier: GPL-2.0
/* /sys/kernel/debug/blockpool: a folder a pool, for the administrator. */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "debugfs.h"
#include "pool.h"
#include "stats.h"

static struct dentry *bp_debugfs_root;

static int stats_show(struct seq_file *m, void *unused)
{
	struct blockpool_stats stats = {};

	bp_stats_read(m->private, &stats);
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
#undef BP_SHOW
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

void bp_debugfs_init(void)
{
	bp_debugfs_root = debugfs_create_dir("blockpool", NULL);
}

void bp_debugfs_exit(void)
{
	debugfs_remove(bp_debugfs_root);
}

/* Both under the lock of the names, so that one goes before its twin comes. */
void bp_debugfs_add(struct blockpool *pool)
{
	pool->debugfs = debugfs_create_dir(pool->name, bp_debugfs_root);
	debugfs_create_file("stats", 0400, pool->debugfs, pool, &stats_fops);
}

/* Waits for readers. */
void bp_debugfs_remove(struct blockpool *pool)
{
	debugfs_remove(pool->debugfs);
	pool->debugfs = NULL;
}

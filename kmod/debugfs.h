/* SPDX-License-Identifier: GPL-2.0 */
/* /sys/kernel/debug/blockpool: a folder a pool, for the administrator. */
#ifndef BLOCKPOOL_DEBUGFS_H
#define BLOCKPOOL_DEBUGFS_H

struct blockpool;

void bp_debugfs_init(void);
void bp_debugfs_exit(void);
void bp_debugfs_add(struct blockpool *pool);
void bp_debugfs_remove(struct blockpool *pool);

#endif /* BLOCKPOOL_DEBUGFS_H */

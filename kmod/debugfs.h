/* SPDX-License-Identifier: GPL-2.0 */
/* /sys/kernel/debug/blockpool/stats, for the administrator. */
#ifndef BLOCKPOOL_DEBUGFS_H
#define BLOCKPOOL_DEBUGFS_H

void bp_debugfs_init(void);
void bp_debugfs_exit(void);

#endif /* BLOCKPOOL_DEBUGFS_H */

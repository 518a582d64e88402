/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One look at a pool: figures, clients, owner table.  Our own client is left
 * out of all of them.  They are read one after the other while the pool goes on
 * working, so that under load they may disagree by a few blocks.
 */
#ifndef BLOCKPOOLCTL_VIEW_H
#define BLOCKPOOLCTL_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/blockpool.h>

struct view {
	struct blockpool_info info;
	struct blockpool_stats stats;
	struct blockpool_holder_args *holders;	/* cursor: the client's id */
	size_t nr_holders;
	__u32 *owners;				/* nr_blocks, or NULL */
	struct blockpool_port_args *ports;	/* with the owners; cursor: its number */
	size_t nr_ports;
};

/* 0, or the exit status after the error was told. */
int view_take(struct view *view, const char *name, bool with_owners);
void view_drop(struct view *view);

/* As members of the JSON object that is open. */
void view_json_flags(__u32 flags);
void view_json_owner(__u32 word, const char *port);
void view_json_pool(const struct view *view);
void view_json_stats(const struct view *view);
void view_json_holders(const struct view *view);
void view_json_runs(const struct view *view);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* blockpoolctl: what its rooms share. */
#ifndef BLOCKPOOLCTL_H
#define BLOCKPOOLCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/blockpool.h>

#define DEVICE		"/dev/blockpool"
#define MODULE		"blockpool"
#define DEFAULT_POOL	"default"

/* Exit status: 0, or one of these. */
#define EXIT_FAILED	1
#define EXIT_MISUSED	2
#define EXIT_DAMAGED	3		/* check: all went well, but for the blocks */

/* What the command line asked for. */
struct opts {
	bool json;
	bool has_block_size;
	bool has_nr_blocks;
	bool has_node;
	bool isolated;
	bool follow;
	bool no_create;
	bool wait;
	__u32 block_size;
	__u32 nr_blocks;
	__u32 client_max;
	__u32 node;
	__u32 reserve;
	__u32 debug;		/* of BLOCKPOOL_DEBUG */
	__u32 mode;		/* 0: not given */
	__u32 depth;		/* 0: not given */
	__s32 linger_ms;	/* -1: as long as the pool */
	double interval;	/* seconds */
	unsigned long count;	/* frames, messages; 0: without end */
	const char *arg;	/* NAME, POOL or MODULE.ko; NULL if not given */
	const char *port;	/* what follows it */
	const char *svg;	/* a file for the picture; NULL: none */
	const char *save;	/* a file for the record */
	const char *event;	/* an event's name */
	__u32 pid;		/* 0: any */
	bool print;		/* show what would be done */
};

/* main.c's table names these; each returns the exit status. */
int cmd_load(const struct opts *opts);
int cmd_unload(const struct opts *opts);
int cmd_create(const struct opts *opts);
int cmd_rm(const struct opts *opts);
int cmd_list(const struct opts *opts);
int cmd_show(const struct opts *opts);
int cmd_holders(const struct opts *opts);
int cmd_watch(const struct opts *opts);
int cmd_check(const struct opts *opts);
int cmd_reports(const struct opts *opts);
int cmd_repair(const struct opts *opts);
int cmd_ports(const struct opts *opts);
int cmd_cat(const struct opts *opts);
int cmd_feed(const struct opts *opts);
int cmd_recorder(const struct opts *opts);
int cmd_postmortem(const struct opts *opts);
int cmd_trace(const struct opts *opts);
int cmd_top(const struct opts *opts);

#endif

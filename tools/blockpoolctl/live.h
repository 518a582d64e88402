/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Events as they come, from an instance of tracefs that is ours alone and goes with us:
 * whatever else traces is not disturbed.
 */
#ifndef BLOCKPOOLCTL_LIVE_H
#define BLOCKPOOLCTL_LIVE_H

#include "blackbox/deed.h"
#include "blackbox/head.h"
#include "ctl.h"

struct live {
	struct head head;
	struct dat dat;			/* the head's, with the pages of this round */
	struct notes notes;
	struct events events;
	struct ksyms ksyms;
	struct tracefs_instance *instance;
	struct tracefs_cpu **readers;
	unsigned int nr_cpus;
	struct pool_name *pools;
	unsigned int nr_pools;
	__u64 nr_lost;
};

/*
 * Only those of the pool, of the process and of the kind that the command line names.
 * 0, or the exit status after the error was told; live_close() in any case.
 */
int live_open(struct live *live, const struct opts *opts);
void live_close(struct live *live);

/* Take what has come; false: Ctrl-C came, or it cannot be read. */
bool live_round(struct live *live);
bool live_next(struct live *live, struct event *event);

/* Sleep until there is more to be had; false: Ctrl-C came. */
bool live_wait(double seconds);

/* "?" if it was made before we looked and is not to be seen. */
const char *live_pool(const struct live *live, __u64 number);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* What a pool's memory costs the user who made it. */
#ifndef BLOCKPOOL_CHARGE_H
#define BLOCKPOOL_CHARGE_H

#include <linux/gfp.h>

/*
 * All that a pool consists of is charged to its maker's memory cgroup, and is
 * refused rather than found by the OOM killer.
 */
#define BP_GFP_CHARGED	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | \
			 __GFP_NOWARN)

struct user_struct;

struct bp_charge {
	struct user_struct *user;	/* NULL: nobody pays */
	long pages;
};

int bp_charge_current(struct bp_charge *charge, long pages);
void bp_uncharge(struct bp_charge *charge);

#endif /* BLOCKPOOL_CHARGE_H */

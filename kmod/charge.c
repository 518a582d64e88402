// SPDX-License-Identifier: GPL-2.0
/*
 * What a pool's memory costs the user who made it.
 *
 * The limit is RLIMIT_MEMLOCK, counted by user as io_uring does and not by
 * process: a pool may outlive its maker, who could otherwise fork, pin, exit
 * and begin again.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>

#include "charge.h"

/* Returns 0, or -ENOMEM if that is over the limit. */
int bp_charge_current(struct bp_charge *charge, long pages)
{
	long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	struct user_struct *user = current_user();
	long charged;

	if (capable(CAP_IPC_LOCK))
		return 0;
	charged = atomic_long_read(&user->locked_vm);
	do {
		if (charged + pages > limit)
			return -ENOMEM;
	} while (!atomic_long_try_cmpxchg(&user->locked_vm, &charged,
					  charged + pages));
	charge->user = get_uid(user);
	charge->pages = pages;
	return 0;
}

void bp_uncharge(struct bp_charge *charge)
{
	if (!charge->user)
		return;
	atomic_long_sub(charge->pages, &charge->user->locked_vm);
	free_uid(charge->user);
	charge->user = NULL;
}

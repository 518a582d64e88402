/* SPDX-License-Identifier: GPL-2.0 */
/* A client: an open file that is attached to a pool; the unit of ownership. */
#ifndef BLOCKPOOL_CLIENT_H
#define BLOCKPOOL_CLIENT_H

#include <linux/atomic.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <linux/uidgid.h>

#include "binding.h"
#include "isolate.h"

struct blockpool;
struct bp_caller;
struct pid;

#define BP_NO_WAIT	((ktime_t)-1)	/* where a time to wait until is asked for */

struct bp_client {
	struct blockpool *pool;		/* referenced */
	u32 id;				/* in the owner table */
	atomic_t charged;		/* blocks held or waited for: its limit's */
	atomic_t waiting;		/* of these, waited for */
	atomic_t shares;		/* of these, shares of blocks */
	bool admitted;			/* see bp_client_admit() */
	atomic64_t told;		/* reports that it was given: the last's seq */
	struct bp_window window;	/* if the pool is isolated */
	struct bp_bindings bindings;
	struct rcu_head rcu;

	/* Of whoever attached it, for reports only. */
	struct pid *pid;
	s32 tgid;		/* the same, where all have numbers */
	kuid_t uid;
	char comm[TASK_COMM_LEN];
};

struct bp_client *bp_client_open(struct blockpool *pool);
void bp_client_close(struct bp_client *client);

int bp_client_admit(struct bp_client *client);
int bp_client_alloc(struct bp_client *client, u32 *indices, u32 n,
		    ktime_t until, const struct bp_caller *caller);
u32 bp_client_alloc_extra(struct bp_client *client, u32 *indices, u32 n,
			  const struct bp_caller *caller);
int bp_client_free(struct bp_client *client, const u32 *indices, u32 n,
		   u32 *done, const struct bp_caller *caller);

u32 bp_client_charge(struct bp_client *client, u32 n, bool some);
void bp_client_passed(struct bp_client *client, u32 n);
void bp_client_got(struct bp_client *client, u32 n);

bool bp_client_untold(const struct bp_client *client);
void bp_client_told(struct bp_client *client, u64 seq);

/* Blocks whose owner word is the client's id; exact when nothing moves. */
static inline u32 bp_client_held(const struct bp_client *client)
{
	u32 others = atomic_read(&client->waiting) +
		     atomic_read(&client->shares);
	u32 charged = atomic_read(&client->charged);

	return charged - min(others, charged);
}

/* A walk over a pool's clients: good while their lock is held, xa_lock(). */
struct bp_client *bp_client_next(struct blockpool *pool, u32 *id);

#endif /* BLOCKPOOL_CLIENT_H */

/* SPDX-License-Identifier: GPL-2.0 */
/* blockpool_peer, inside. */
#ifndef PEER_H
#define PEER_H

#include <linux/gfp.h>
#include <linux/hrtimer.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>
#include <blockpool.h>

#include "blockpool_peer.h"

struct peer_churn;
struct peer_port;
struct peer_trap;

/**
 * struct peer - an open file
 * @lock: held over each ioctl; protects all below
 * @pool: the pool, or NULL
 * @nr_blocks: its number of blocks
 * @block_bytes: how much of a block may be touched
 * @held: blocks that BLOCKPOOL_PEER_OP took, by index
 * @churn: the churn that goes on, or NULL
 * @port: the port that it uses, or NULL
 */
struct peer {
	struct mutex lock;	/* one ioctl at a time */
	struct blockpool *pool;
	u32 nr_blocks;
	size_t block_bytes;
	struct xarray held;
	struct peer_churn *churn;
	struct peer_port *port;
};

/* context.c */
bool peer_in_context(u32 context);
enum hrtimer_mode peer_timer_mode(u32 context);
int peer_call(u32 context, void (*function)(void *arg), void *arg);

/* nmi.c */
int peer_nmi_init(void);
void peer_nmi_exit(void);
bool peer_nmi_there(void);
bool peer_nmi_send(int cpu, void (*function)(void *arg), void *arg);
void peer_nmi_wait(int cpu);

/* inside.c */
bool peer_inside_magazine(struct blockpool *pool);
bool peer_inside_depot(struct blockpool *pool);
u32 peer_depot_has(struct blockpool *pool);
bool peer_limbo_has(struct blockpool *pool);
bool peer_between(struct blockpool *pool, const void *address);
struct peer_trap *peer_trap_set(struct blockpool *pool, u32 where,
				void (*function)(void *arg), void *arg);
void peer_trap_clear(struct peer_trap *trap);

/* ops.c */
long peer_op(struct peer *peer, struct blockpool_peer_op __user *user);
void peer_free_held(struct peer *peer);

/* port.c */
long peer_port_open(struct peer *peer, struct blockpool_peer_port __user *user);
void peer_port_close(struct peer *peer);
long peer_port_send(struct peer *peer,
		    struct blockpool_peer_transfer __user *user);
long peer_port_recv(struct peer *peer,
		    struct blockpool_peer_transfer __user *user);
long peer_port_handled(struct peer *peer,
		       struct blockpool_peer_handled __user *user);

/* look.c */
long peer_crc(struct peer *peer, struct blockpool_peer_crc __user *user);
long peer_fill(struct peer *peer, struct blockpool_peer_data __user *user);
long peer_check(struct peer *peer, struct blockpool_peer_data __user *user);
long peer_where(struct peer *peer, struct blockpool_peer_where __user *user);
long peer_walk(struct peer *peer, struct blockpool_peer_walk __user *user);

/* bad.c */
long peer_bad(struct peer *peer, struct blockpool_peer_bad __user *user);
long peer_offer(struct peer *peer, struct blockpool_peer_offer __user *user);

/* crime.c */
long peer_crime(struct peer *peer, struct blockpool_peer_crime __user *user);
long peer_falsify(struct peer *peer,
		  struct blockpool_peer_falsify __user *user);
long peer_duel(struct peer *peer, struct blockpool_peer_duel __user *user);

/* death.c */
long peer_die(struct peer *peer, struct blockpool_peer_die __user *user);
long peer_truth(struct peer *peer, struct blockpool_peer_truth __user *user);

/* churn.c */
long peer_churn_run(struct peer *peer, struct blockpool_peer_churn __user *user);
long peer_churn_start(struct peer *peer,
		      struct blockpool_peer_churn __user *user);
long peer_churn_stop(struct peer *peer,
		     struct blockpool_peer_churn __user *user);
void peer_churn_end(struct peer *peer);

#endif /* PEER_H */

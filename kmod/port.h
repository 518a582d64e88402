/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A port: a named inbox of a pool, a bounded queue of messages, each of which has a
 * block with it.
 *
 * A block in a port is the port's: its owner word is bp_port_word(), from before the
 * message is in the queue until after it is out.  So whoever dies, sender or receiver,
 * at whatever instant, has the block or has not.
 *
 * The room of a port is its depth.  It is taken by messages in the queue, by those
 * that a sender has reserved room for and not yet put there, and by those that a
 * receiver has taken out and may yet put back.
 */
#ifndef BLOCKPOOL_PORT_H
#define BLOCKPOOL_PORT_H

#include <linux/irq_work.h>
#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <uapi/linux/blockpool.h>

#include "charge.h"

struct blockpool;
struct blockpool_port_attr;
struct pid;

/* A message, and what belongs to it. */
struct bp_message {
	struct blockpool_message user;
	struct pid *pid;	/* who sent it: NULL for the kernel */
	bool bound;		/* its receiver, to the port for the answer */
};

/* Who is told that messages came; on a port's list, looked through under RCU. */
struct bp_listener {
	struct list_head link;
	void (*hear)(struct bp_listener *listener);
};

/*
 * @lock is a leaf, raw and taken with interrupts off, so that a port serves any
 * context; an NMI only tries it.  It is held for the copy of one batch at most,
 * BLOCKPOOL_MESSAGES_MAX messages.
 *
 * Those who sleep for one message, or for room for one, are exclusive waiters: as
 * many are woken as can go on.  Those who need more are all woken each time.
 */
struct bp_port {
	/* The following fields do not change. */
	char name[BLOCKPOOL_NAME_SIZE];
	struct blockpool *pool;		/* there until the port has ended */
	u32 number;
	u32 flags;
	u32 depth;
	s32 linger_ms;
	umode_t mode;
	kuid_t uid;
	kgid_t gid;
	struct bp_charge charge;
	struct bp_message *ring;	/* depth of them */

	struct kref refs;
	struct rcu_head rcu;

	/* The following fields are protected by the lock of the pool's ports. */
	u32 nr_senders;
	u32 nr_receivers;
	ktime_t ends;			/* without receivers */
	struct list_head listeners;	/* read under RCU */

	raw_spinlock_t lock;
	/* The following fields are protected by it. */
	u32 head;			/* in the ring: the oldest */
	u32 nr;
	u32 nr_reserved;
	u32 nr_taken;
	u32 max;
	bool ended;
	u64 sent;
	u64 received;
	u64 refused;

	wait_queue_head_t readers;
	wait_queue_head_t writers;
	wait_queue_head_t pollers;
	struct irq_work later;
};

/* A pool's. */
struct bp_ports {
	struct mutex lock;	/* see pool.h for its place among others */
	/* The following fields are protected by it. */
	struct xarray by_number;	/* each referenced */
	u32 next;
	u32 nr;

	struct delayed_work linger;
};

/* Consistent among themselves. */
struct bp_port_stats {
	u32 nr;
	u32 nr_taken;
	u32 max;
	u64 sent;
	u64 received;
	u64 refused;
};

void bp_ports_init(struct bp_ports *ports);
void bp_ports_destroy(struct bp_ports *ports);

struct bp_port *bp_port_find(struct bp_ports *ports, const char *name);
struct bp_port *bp_port_next(struct bp_ports *ports, u32 *number);
struct bp_port *bp_port_create(struct blockpool *pool,
			       const struct blockpool_port_attr *attr,
			       kuid_t uid, kgid_t gid, bool charge);
void bp_port_end(struct bp_port *port);
void bp_port_put(struct bp_port *port);
void bp_port_join(struct bp_port *port, u32 rights,
		  struct bp_listener *listener);
void bp_port_leave(struct bp_port *port, u32 rights,
		   struct bp_listener *listener);

int bp_port_reserve(struct bp_port *port, u32 want, u32 need);
void bp_port_unreserve(struct bp_port *port, u32 n);
bool bp_port_publish(struct bp_port *port, const struct bp_message *messages,
		     u32 n);
void bp_port_refuse(struct bp_port *port, u32 n);

u32 bp_port_offers(struct bp_port *port, u32 want, u32 need);
int bp_port_take(struct bp_port *port, struct bp_message *messages, u32 want,
		 u32 need);
void bp_port_received(struct bp_port *port, u32 n, u32 settled);
void bp_port_settle(struct bp_port *port, u32 n);
void bp_port_put_back(struct bp_port *port, const struct bp_message *messages,
		      u32 n);

int bp_port_wait(wait_queue_head_t *queue, bool exclusive, ktime_t until,
		 unsigned int state, int (*attempt)(void *arg), void *arg);
__poll_t bp_port_poll(struct bp_port *port);
void bp_port_read_stats(struct bp_port *port, struct bp_port_stats *stats);

static inline struct bp_port *bp_port_hold(struct bp_port *port)
{
	kref_get(&port->refs);
	return port;
}

static inline bool bp_message_is_shared(const struct bp_message *message)
{
	return message->user.flags & BLOCKPOOL_MESSAGE_SHARED;
}

typedef void bp_trace_message_t(u32 pool, u32 port, u32 owner,
				const u32 *indices, u32 count);

void bp_port_trace(const struct bp_port *port, const struct bp_message *messages,
		   u32 n, u32 owner, bp_trace_message_t *trace);

/* An event of the blocks of messages, see trace.h. */
#define bp_trace_messages(event, port, messages, n, owner)		\
do {									\
	if (trace_##event##_enabled())					\
		bp_port_trace(port, messages, n, owner, trace_##event);	\
} while (0)

/* The owner word of a block in a port. */
static inline u32 bp_port_word(const struct bp_port *port)
{
	return BLOCKPOOL_OWNER_PORT | port->number;
}

#endif /* BLOCKPOOL_PORT_H */

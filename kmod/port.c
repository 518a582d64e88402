// SPDX-License-Identifier: GPL-2.0
/* A port: its queue, its life and its name. */
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "blockpool.h"
#include "owner.h"
#include "pool.h"
#include "port.h"
#include "queue.h"
#include "trace.h"
#include "wake.h"
#include "whole.h"

#define BP_DEPTH_DEFAULT	256u
#define BP_RETURN_SOME		16u	/* messages of an ended port at a time */

/* Of a port: 1 to what fits below BLOCKPOOL_OWNER_PORT. */
#define BP_PORT_NUMBERS		XA_LIMIT(1, BLOCKPOOL_OWNER_PORT - 1)

/*
 * Waking
 */

static void bp_wake(wait_queue_head_t *queue, int nr, __poll_t events)
{
	/* Pairs with prepare_to_wait() in bp_port_wait() and with poll_wait(). */
	if (wq_has_sleeper(queue))
		__wake_up(queue, TASK_NORMAL, nr, poll_to_key(events));
}

static void bp_port_tell_listeners(struct bp_port *port)
{
	struct bp_listener *listener;

	rcu_read_lock();
	list_for_each_entry_rcu(listener, &port->listeners, link)
		listener->hear(listener);
	rcu_read_unlock();
}

static void bp_port_wake_readers(struct bp_port *port, int nr)
{
	bp_wake(&port->readers, nr, 0);
	bp_wake(&port->pollers, 0, EPOLLIN | EPOLLRDNORM);
	bp_port_tell_listeners(port);
}

static void bp_port_wake_writers(struct bp_port *port, int nr)
{
	bp_wake(&port->writers, nr, 0);
	bp_wake(&port->pollers, 0, EPOLLOUT | EPOLLWRNORM);
}

/* All, for it is not known what has happened. */
static void bp_port_later(struct irq_work *work)
{
	struct bp_port *port = container_of(work, struct bp_port, later);

	bp_port_wake_readers(port, 0);
	bp_port_wake_writers(port, 0);
}

/* There are n more messages. */
static void bp_port_news(struct bp_port *port, u32 n)
{
	if (bp_may_wake())
		bp_port_wake_readers(port, n);
	else
		irq_work_queue(&port->later);
}

/* There is room for n more. */
static void bp_port_relief(struct bp_port *port, u32 n)
{
	if (bp_may_wake())
		bp_port_wake_writers(port, n);
	else
		irq_work_queue(&port->later);
}

static void bp_port_over(struct bp_port *port)
{
	wake_up_all(&port->readers);
	wake_up_all(&port->writers);
	/* Everybody polls for that; io_uring says what it is woken with. */
	wake_up_poll(&port->pollers, EPOLLHUP);
}

/**
 * bp_port_wait() - sleep until an attempt has success
 * @queue: the port's readers or writers
 * @exclusive: one message, or room for one, is enough
 * @until: by CLOCK_MONOTONIC, KTIME_MAX for ever
 * @state: TASK_INTERRUPTIBLE or TASK_KILLABLE: which signals end the wait
 * @attempt: called until it does not return -EAGAIN; must not sleep
 * @arg: for it
 *
 * Context: Process context; may sleep.
 * Return: What @attempt returned, or -ETIMEDOUT, -EINTR.
 */
int bp_port_wait(wait_queue_head_t *queue, bool exclusive, ktime_t until,
		 unsigned int state, int (*attempt)(void *arg), void *arg)
{
	ktime_t *expires = until == KTIME_MAX ? NULL : &until;
	bool expired = expires && until <= ktime_get(), queued;
	DEFINE_WAIT(wait);
	int ret;

	for (;;) {
		queued = true;
		if (exclusive)
			prepare_to_wait_exclusive(queue, &wait, state);
		else
			prepare_to_wait(queue, &wait, state);
		ret = attempt(arg);
		if (ret != -EAGAIN)
			break;
		if (expired) {
			ret = -ETIMEDOUT;
			break;
		}
		if (signal_pending_state(state, current)) {
			ret = -EINTR;
			break;
		}
		expired = !schedule_hrtimeout(expires, HRTIMER_MODE_ABS);
		/* Who was woken is off the queue, and mostly this is all to do. */
		queued = !list_empty_careful(&wait.entry);
		ret = attempt(arg);
		if (ret != -EAGAIN)
			break;
	}
	finish_wait(queue, &wait);
	/*
	 * It may have been woken for what it goes without, or, still in the queue, for
	 * more than it has just found.
	 */
	if (exclusive && (ret < 0 || queued))
		wake_up(queue);
	return ret;
}

/*
 * Events
 */

/* One or more, of all messages but those of shared blocks. */
void bp_port_trace(const struct bp_port *port, const struct bp_message *messages,
		   u32 n, u32 owner, bp_trace_message_t *trace)
{
	u32 pool = bp_pool_number(port->pool), indices[BP_SLICE_MAX], some = 0, i;

	for (i = 0; i < n; i++) {
		if (!bp_message_is_shared(&messages[i]))
			indices[some++] = messages[i].user.index;
		if (some == BP_SLICE_MAX || (some && i == n - 1)) {
			trace(pool, port->number, owner, indices, some);
			some = 0;
		}
	}
}

/*
 * The queue
 */

/*
 * In an NMI the lock may be held by whom it interrupted: there the first attempt of
 * a send may fail, and only there.
 */
#define bp_port_trylock(port, flags)					\
	((IS_ENABLED(CONFIG_SMP) || !in_nmi()) &&			\
	 raw_spin_trylock_irqsave(&(port)->lock, flags))

/* Once an NMI had the lock, its own CPU does not hold it, and others let go of it. */
#define bp_port_lock(port, flags)					\
do {									\
	if (in_nmi())							\
		while (!bp_port_trylock(port, flags))			\
			cpu_relax();					\
	else								\
		raw_spin_lock_irqsave(&(port)->lock, flags);		\
} while (0)

#define bp_port_unlock(port, flags)					\
	raw_spin_unlock_irqrestore(&(port)->lock, flags)

static u32 bp_port_room(const struct bp_port *port)
{
	return port->depth - port->nr - port->nr_reserved - port->nr_taken;
}

static struct bp_message *bp_port_slot(struct bp_port *port, u32 at)
{
	u32 slot = port->head + at;

	return &port->ring[slot < port->depth ? slot : slot - port->depth];
}

/**
 * bp_port_reserve() - get room for messages
 * @port: the port
 * @want: for how many
 * @need: for how many at least
 *
 * bp_port_publish() or bp_port_unreserve() must follow.
 *
 * Context: Any; in NMI it may get none because somebody is at the port.
 * Return: For how many, or -EAGAIN, -EPIPE.
 */
int bp_port_reserve(struct bp_port *port, u32 want, u32 need)
{
	unsigned long flags;
	int ret = -EAGAIN;
	u32 room;

	if (!bp_port_trylock(port, flags)) {
		if (in_nmi())
			return -EAGAIN;
		bp_port_lock(port, flags);
	}
	room = bp_port_room(port);
	if (port->ended) {
		ret = -EPIPE;
	} else if (room >= need) {
		ret = min(room, want);
		port->nr_reserved += ret;
	}
	bp_port_unlock(port, flags);
	return ret;
}

void bp_port_unreserve(struct bp_port *port, u32 n)
{
	unsigned long flags;

	bp_port_lock(port, flags);
	port->nr_reserved -= n;
	bp_port_unlock(port, flags);
	bp_port_relief(port, n);
}

/**
 * bp_port_publish() - put messages where there is room for them
 * @port: the port
 * @messages: their blocks are the port's
 * @n: how many, at most what is reserved
 *
 * Context: Any.
 * Return: false if the port has ended: the blocks are the caller's matter.
 */
bool bp_port_publish(struct bp_port *port, const struct bp_message *messages,
		     u32 n)
{
	unsigned long flags;
	bool ended;
	u32 i;

	bp_port_lock(port, flags);
	port->nr_reserved -= n;
	ended = port->ended;
	for (i = 0; !ended && i < n; i++)
		*bp_port_slot(port, port->nr++) = messages[i];
	if (!ended) {
		port->sent += n;
		port->max = max(port->max, port->nr);
	}
	bp_port_unlock(port, flags);
	if (!ended)
		bp_port_news(port, n);
	return !ended;
}

/* Somebody goes away because there was no room. */
void bp_port_refuse(struct bp_port *port, u32 n)
{
	unsigned long flags;

	if (!bp_port_trylock(port, flags)) {
		if (in_nmi())
			return;
		bp_port_lock(port, flags);
	}
	port->refused += n;
	bp_port_unlock(port, flags);
}

static void bp_port_pop(struct bp_port *port, struct bp_message *messages, u32 n)
{
	u32 i;

	lockdep_assert_held(&port->lock);
	for (i = 0; i < n; i++)
		messages[i] = *bp_port_slot(port, i);
	port->head = (port->head + n) % port->depth;
	port->nr -= n;
}

/*
 * How many messages bp_port_take() might take now, 0 if it would find too few.  Without
 * the lock: who waits looks again when the wait queue knows of it.
 */
u32 bp_port_offers(struct bp_port *port, u32 want, u32 need)
{
	u32 nr = data_race(port->nr);	/* as above */

	/* Who takes is told under the lock. */
	if (data_race(port->ended))
		return need;
	return nr < need ? 0 : min(want, nr);
}

/**
 * bp_port_take() - take messages out, for now
 * @port: the port
 * @messages: where to put them
 * @want: how many
 * @need: how many at least
 *
 * The blocks are still the port's, and so is the room.  bp_port_settle() must follow,
 * or bp_port_put_back().
 *
 * Context: Any but NMI.
 * Return: How many, or -EAGAIN, or -EPIPE if there will be none.
 */
int bp_port_take(struct bp_port *port, struct bp_message *messages, u32 want,
		 u32 need)
{
	unsigned long flags;
	int ret = -EAGAIN;

	bp_port_lock(port, flags);
	if (port->ended) {
		ret = -EPIPE;
	} else if (port->nr >= need) {
		ret = min(want, port->nr);
		bp_port_pop(port, messages, ret);
		port->nr_taken += ret;
	}
	bp_port_unlock(port, flags);
	return ret;
}

/* So many that were taken are in their receiver's hands, and some do not come back. */
void bp_port_received(struct bp_port *port, u32 n, u32 settled)
{
	unsigned long flags;

	bp_port_lock(port, flags);
	port->received += n;
	port->nr_taken -= settled;
	bp_port_unlock(port, flags);
	if (settled)
		bp_port_relief(port, settled);
}

/* So many that were taken do not come back. */
void bp_port_settle(struct bp_port *port, u32 n)
{
	unsigned long flags;

	bp_port_lock(port, flags);
	port->nr_taken -= n;
	bp_port_unlock(port, flags);
	bp_port_relief(port, n);
}

/* Whether the block of a message that nobody will receive is to be given back. */
static bool bp_port_drop(struct bp_port *port, const struct bp_message *message,
			 const struct bp_caller *caller)
{
	struct blockpool *pool = port->pool;
	u32 index = message->user.index;

	if (bp_message_is_shared(message)) {
		bp_share_ended(pool, index,
			       bp_share_end_flight(&pool->shares, index),
			       BP_RECLAIMED, caller);
		return false;
	}
	WARN_ON_ONCE(!bp_owner_release(&pool->owners[index],
				       bp_port_word(port)));
	return true;
}

/* The blocks of messages that nobody will receive go back to the pool. */
static void bp_port_return(struct bp_port *port,
			   const struct bp_message *messages, u32 n)
{
	const struct bp_caller caller = { .client = bp_port_word(port) };
	struct blockpool *pool = port->pool;
	u32 indices[BP_RETURN_SOME], some, freed, i;

	for (; n; n -= some, messages += some) {
		some = min(n, BP_RETURN_SOME);
		if (pool->debug)
			bp_whole_begin(pool->debug, some);
		for (freed = 0, i = 0; i < some; i++) {
			put_pid(messages[i].pid);
			if (bp_port_drop(port, &messages[i], &caller))
				indices[freed++] = messages[i].user.index;
		}
		if (freed)
			trace_drop(bp_pool_number(pool), port->number,
				   BLOCKPOOL_OWNER_FREE, indices, freed);
		atomic_long_sub(freed, &pool->nr_in_flight);
		bp_pool_give(pool, indices, freed, BP_RECLAIMED, &caller);
		if (pool->debug)
			bp_whole_end(pool->debug, some,
				     BLOCKPOOL_FOUND_RECLAIM, &caller);
	}
}

/**
 * bp_port_put_back() - what was taken out last comes first again
 * @port: the port
 * @messages: the messages; their blocks are the port's
 * @n: how many
 *
 * If the port has ended, the blocks go back to the pool.
 *
 * Context: Process context; may sleep.
 */
void bp_port_put_back(struct bp_port *port, const struct bp_message *messages,
		      u32 n)
{
	unsigned long flags;
	bool ended;
	u32 i;

	bp_port_lock(port, flags);
	ended = port->ended;
	port->nr_taken -= n;
	if (!ended) {
		port->head = (port->head + port->depth - n) % port->depth;
		port->nr += n;
		for (i = 0; i < n; i++)
			*bp_port_slot(port, i) = messages[i];
	}
	bp_port_unlock(port, flags);
	if (ended)
		bp_port_return(port, messages, n);
	else
		bp_port_news(port, n);
}

/* Under the lock in all cases: who hears of nothing waits for the next change. */
__poll_t bp_port_poll(struct bp_port *port)
{
	__poll_t events = 0;
	unsigned long flags;

	bp_port_lock(port, flags);
	if (port->nr)
		events |= EPOLLIN | EPOLLRDNORM;
	if (port->ended)
		events |= EPOLLHUP;
	else if (bp_port_room(port))
		events |= EPOLLOUT | EPOLLWRNORM;
	bp_port_unlock(port, flags);
	return events;
}

void bp_port_read_stats(struct bp_port *port, struct bp_port_stats *stats)
{
	unsigned long flags;

	bp_port_lock(port, flags);
	stats->nr = port->nr;
	stats->nr_taken = port->nr_taken;
	stats->max = port->max;
	stats->sent = port->sent;
	stats->received = port->received;
	stats->refused = port->refused;
	bp_port_unlock(port, flags);
}

/*
 * Its life
 */

static void bp_port_free_ring(struct bp_port *port)
{
	bp_uncharge(&port->charge);
	kvfree(port->ring);
	port->ring = NULL;
}

static void bp_port_release(struct kref *refs)
{
	struct bp_port *port = container_of(refs, struct bp_port, refs);

	irq_work_sync(&port->later);
	bp_port_free_ring(port);
	kfree_rcu(port, rcu);
}

/* Context: Process context; may sleep. */
void bp_port_put(struct bp_port *port)
{
	kref_put(&port->refs, bp_port_release);
}

/*
 * No message comes in any more, and those that are there go back to the pool.  The lock
 * of the ports is the caller's.
 */
void bp_port_end(struct bp_port *port)
{
	struct bp_ports *ports = &port->pool->ports;
	struct bp_message some[BP_RETURN_SOME];
	unsigned long flags;
	u32 n;

	xa_erase(&ports->by_number, port->number);
	ports->nr--;
	do {
		bp_port_lock(port, flags);
		port->ended = true;
		n = min(port->nr, BP_RETURN_SOME);
		bp_port_pop(port, some, n);
		bp_port_unlock(port, flags);
		bp_port_return(port, some, n);
	} while (n);
	bp_port_free_ring(port);	/* nobody looks into it any more */
	bp_port_over(port);
	trace_port_close(bp_pool_number(port->pool), port->number);
	bp_port_put(port);
}

/* Those whose time is over; and when to look again. */
static void bp_ports_linger(struct work_struct *work)
{
	struct bp_ports *ports = container_of(to_delayed_work(work),
					      struct bp_ports, linger);
	ktime_t now = ktime_get(), next = KTIME_MAX;
	unsigned long number;
	struct bp_port *port;

	mutex_lock(&ports->lock);
	xa_for_each(&ports->by_number, number, port) {
		if (port->nr_receivers)
			continue;
		if (port->ends <= now)
			bp_port_end(port);
		else
			next = min(next, port->ends);
	}
	if (next != KTIME_MAX)
		mod_delayed_work(bp_queue, &ports->linger,
				 nsecs_to_jiffies(next - now) + 1);
	mutex_unlock(&ports->lock);
}

void bp_ports_init(struct bp_ports *ports)
{
	mutex_init(&ports->lock);
	xa_init_flags(&ports->by_number, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	INIT_DELAYED_WORK(&ports->linger, bp_ports_linger);
}

/* Of a pool that nobody uses. */
void bp_ports_destroy(struct bp_ports *ports)
{
	unsigned long number;
	struct bp_port *port;

	cancel_delayed_work_sync(&ports->linger);
	mutex_lock(&ports->lock);
	xa_for_each(&ports->by_number, number, port)
		bp_port_end(port);
	mutex_unlock(&ports->lock);
	xa_destroy(&ports->by_number);
	mutex_destroy(&ports->lock);
}

/* The lock is the caller's, until it has a reference. */
struct bp_port *bp_port_find(struct bp_ports *ports, const char *name)
{
	unsigned long number;
	struct bp_port *port;

	lockdep_assert_held(&ports->lock);
	xa_for_each(&ports->by_number, number, port)
		if (!strcmp(port->name, name))
			return port;
	return NULL;
}

/* The port with the lowest number above *number, and its number, likewise. */
struct bp_port *bp_port_next(struct bp_ports *ports, u32 *number)
{
	unsigned long at = *number;
	struct bp_port *port;

	lockdep_assert_held(&ports->lock);
	port = xa_find_after(&ports->by_number, &at, BLOCKPOOL_OWNER_PORT - 1,
			     XA_PRESENT);
	*number = at;
	return port;
}

static void bp_port_init(struct bp_port *port, struct blockpool *pool,
			 const struct blockpool_port_attr *attr, u32 depth)
{
	strscpy(port->name, attr->name, sizeof(port->name));
	port->pool = pool;
	port->flags = attr->flags & BLOCKPOOL_BIND_AGAIN;
	port->depth = depth;
	port->linger_ms = attr->linger_ms;
	port->mode = attr->mode ?: 0600;
	kref_init(&port->refs);
	INIT_LIST_HEAD(&port->listeners);
	raw_spin_lock_init(&port->lock);
	init_waitqueue_head(&port->readers);
	init_waitqueue_head(&port->writers);
	init_waitqueue_head(&port->pollers);
	init_irq_work(&port->later, bp_port_later);
}

static struct bp_port *bp_port_new(struct blockpool *pool,
				   const struct blockpool_port_attr *attr,
				   bool charge)
{
	u32 depth = attr->depth ?: min(bp_pool_nr_blocks(pool), BP_DEPTH_DEFAULT);
	size_t bytes = depth * sizeof(struct bp_message);
	struct bp_port *port;

	port = kzalloc(sizeof(*port), BP_GFP_CHARGED);
	if (!port)
		return NULL;
	port->ring = kvmalloc(bytes, BP_GFP_CHARGED);
	if (!port->ring ||
	    (charge && bp_charge_current(&port->charge,
					 DIV_ROUND_UP(bytes, PAGE_SIZE)))) {
		kvfree(port->ring);
		kfree(port);
		return NULL;
	}
	bp_port_init(port, pool, attr, depth);
	return port;
}

static bool bp_port_attr_valid(const struct blockpool_port_attr *attr)
{
	return bp_name_valid(attr->name) &&
	       attr->depth <= BLOCKPOOL_DEPTH_MAX &&
	       attr->linger_ms >= -1 &&
	       !(attr->mode & ~0777);
}

/**
 * bp_port_create() - make a port; its first receiver must join at once
 * @pool: the pool; the lock of its ports is held
 * @attr: what it shall be; everything in it is checked
 * @uid: owner
 * @gid: group
 * @charge: for a client: charge the calling user's RLIMIT_MEMLOCK, and leave the
 *	kernel room for more
 *
 * Context: Process context; may sleep.
 * Return: The port, which the list refers to, or -EINVAL, -ENOMEM as ERR_PTR.
 */
struct bp_port *bp_port_create(struct blockpool *pool,
			       const struct blockpool_port_attr *attr,
			       kuid_t uid, kgid_t gid, bool charge)
{
	struct bp_ports *ports = &pool->ports;
	struct bp_port *port;

	lockdep_assert_held(&ports->lock);
	if (!bp_port_attr_valid(attr))
		return ERR_PTR(-EINVAL);
	if (charge && ports->nr >= BLOCKPOOL_PORTS_MAX)
		return ERR_PTR(-ENOMEM);
	port = bp_port_new(pool, attr, charge);
	if (!port)
		return ERR_PTR(-ENOMEM);
	port->uid = uid;
	port->gid = gid;
	if (xa_alloc_cyclic(&ports->by_number, &port->number, port,
			    BP_PORT_NUMBERS, &ports->next, BP_GFP_CHARGED) < 0) {
		bp_port_put(port);
		return ERR_PTR(-ENOMEM);
	}
	ports->nr++;
	trace_port_open(bp_pool_number(pool), port->number, port->name);
	return port;
}

/* The lock of the ports is the caller's, and so is a reference. */
void bp_port_join(struct bp_port *port, u32 rights, struct bp_listener *listener)
{
	lockdep_assert_held(&port->pool->ports.lock);
	if (rights & BLOCKPOOL_BIND_SEND)
		port->nr_senders++;
	if (rights & BLOCKPOOL_BIND_RECV) {
		port->nr_receivers++;
		list_add_tail_rcu(&listener->link, &port->listeners);
	}
}

/* The last receiver has gone. */
static void bp_port_abandon(struct bp_port *port)
{
	struct bp_ports *ports = &port->pool->ports;

	if (!port->linger_ms) {
		bp_port_end(port);
		return;
	}
	port->ends = port->linger_ms < 0 ? KTIME_MAX :
		     ktime_add_ms(ktime_get(), port->linger_ms);
	if (port->linger_ms > 0)
		mod_delayed_work(bp_queue, &ports->linger, 0);
}

/* Likewise; the listener is free after an RCU grace period. */
void bp_port_leave(struct bp_port *port, u32 rights,
		   struct bp_listener *listener)
{
	lockdep_assert_held(&port->pool->ports.lock);
	if (rights & BLOCKPOOL_BIND_SEND)
		port->nr_senders--;
	if (rights & BLOCKPOOL_BIND_RECV) {
		list_del_rcu(&listener->link);
		if (!--port->nr_receivers)
			bp_port_abandon(port);
	}
}

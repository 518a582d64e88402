// SPDX-License-Identifier: GPL-2.0
/* What other modules call to send and to receive: blockpool.h. */
#include <linux/export.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/preempt.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "blockpool.h"
#include "client.h"
#include "owner.h"
#include "pool.h"
#include "port.h"
#include "queue.h"
#include "trace.h"
#include "whole.h"

#define BP_SOME		16u	/* messages that are handled, or moved, at a time */
#define BP_KERNEL_RIGHTS	(BLOCKPOOL_BIND_SEND | BLOCKPOOL_BIND_RECV)
#define BP_KERNEL_FLAGS	(BP_KERNEL_RIGHTS | BLOCKPOOL_BIND_CREATE | \
			 BLOCKPOOL_BIND_AGAIN | BLOCKPOOL_BIND_SOFTIRQ)

/* What a module has of a port. */
struct blockpool_port {
	struct bp_listener listener;
	struct bp_port *port;		/* referenced, as is ... */
	struct blockpool *pool;		/* ... this */
	u32 rights;
	blockpool_handler_t handler;
	void *ctx;
	struct work_struct work;	/* one of them calls the handler ... */
	struct tasklet_struct tasklet;	/* ... as was asked for */
	bool softirq;
	bool closed;			/* the handler is not called any more */
};

static u32 *bp_message_owner(const struct blockpool_port *port,
			     const struct blockpool_message *message)
{
	return &port->pool->owners[message->index];
}

/* As bp_transfer_handle(); the kernel keeps its pages. */
static void bp_kernel_hand(struct blockpool *pool,
			   const struct bp_message *messages, u32 n, u32 found)
{
	u32 i;

	if (!pool->debug)
		return;
	for (i = 0; i < n; i++)
		bp_debug_hand(pool->debug, &messages[i].user.index, 1, found,
			      &bp_caller_kernel);
	bp_whole_end(pool->debug, 0, found, &bp_caller_kernel);
}

/*
 * Receiving
 */

/* Returns how many blocks are the kernel's; of the others it has shares. */
static u32 bp_kernel_recv_own(const struct blockpool_port *port,
			      const struct bp_message *some, u32 n)
{
	u32 word = bp_port_word(port->port), own = 0, i;

	preempt_disable();
	bp_trace_messages(receive, port->port, some, n, BLOCKPOOL_OWNER_KERNEL);
	for (i = 0; i < n; i++) {
		if (bp_message_is_shared(&some[i]))
			continue;
		WARN_ON_ONCE(!bp_owner_hand(bp_message_owner(port, &some[i].user),
					    word, BLOCKPOOL_OWNER_KERNEL));
		own++;
	}
	preempt_enable();
	return own;
}

/* At most BP_SOME; without sleeping. */
static int bp_kernel_recv_some(struct blockpool_port *port,
			       struct blockpool_message *messages, u32 want)
{
	struct bp_message some[BP_SOME];
	int n, i;
	u32 own;

	n = bp_port_take(port->port, some, min(want, BP_SOME), 1);
	if (n < 0)
		return n;
	bp_kernel_hand(port->pool, some, n, BLOCKPOOL_FOUND_RECV);
	own = bp_kernel_recv_own(port, some, n);
	for (i = 0; i < n; i++) {
		messages[i] = some[i].user;
		messages[i].pid = pid_nr(some[i].pid);
		put_pid(some[i].pid);
		if (!bp_message_is_shared(&some[i]))
			continue;
		bp_share_receive_kernel(&port->pool->shares, messages[i].index);
		trace_receive_shared(bp_pool_number(port->pool),
				     port->port->number,
				     BLOCKPOOL_OWNER_KERNEL, messages[i].index);
	}
	atomic_long_sub(own, &port->pool->nr_in_flight);
	bp_port_received(port->port, n, n);
	return n;
}

/* Returns whether there may be more. */
static bool bp_kernel_handle(struct blockpool_port *port)
{
	struct blockpool_message some[BP_SOME];
	int n, i;

	if (READ_ONCE(port->closed))
		return false;
	n = bp_kernel_recv_some(port, some, BP_SOME);
	for (i = 0; i < n; i++)
		port->handler(port, &some[i], port->ctx);
	return n == BP_SOME;
}

static void bp_kernel_work(struct work_struct *work)
{
	struct blockpool_port *port = container_of(work, struct blockpool_port,
						   work);

	if (bp_kernel_handle(port))
		queue_work(bp_queue, work);
}

static void bp_kernel_tasklet(struct tasklet_struct *tasklet)
{
	struct blockpool_port *port = container_of(tasklet,
						   struct blockpool_port,
						   tasklet);

	if (bp_kernel_handle(port))
		tasklet_schedule(tasklet);
}

static void bp_kernel_hear(struct bp_listener *listener)
{
	struct blockpool_port *port = container_of(listener,
						   struct blockpool_port,
						   listener);

	if (!port->handler)
		return;
	if (port->softirq)
		tasklet_schedule(&port->tasklet);
	else
		queue_work(bp_queue, &port->work);
}

struct bp_kernel_recv {
	struct blockpool_port *port;
	struct blockpool_message *messages;
	u32 n;
};

static int bp_kernel_recv_attempt(void *arg)
{
	const struct bp_kernel_recv *recv = arg;

	return bp_kernel_recv_some(recv->port, recv->messages, recv->n);
}

/**
 * blockpool_recv() - receive blocks
 * @port: opened with BLOCKPOOL_BIND_RECV, without a handler
 * @gfp: GFP_KERNEL: sleep until there is a message; GFP_ATOMIC, GFP_NOWAIT: do not
 * @messages: where to put the messages; their blocks are the kernel's
 * @n: how many at most
 *
 * Context: Process or softirq context; process context if @gfp may sleep.
 * Return: How many, at least 1, or -EINVAL, -EAGAIN (there is none), -EINTR (fatal
 *	signal), -EPIPE (the port has ended).
 */
int blockpool_recv(struct blockpool_port *port, gfp_t gfp,
		   struct blockpool_message *messages, unsigned int n)
{
	struct bp_kernel_recv recv = { port, messages, n };
	int ret;

	might_alloc(gfp);
	if (!n || port->handler || !(port->rights & BLOCKPOOL_BIND_RECV))
		return -EINVAL;
	ret = bp_kernel_recv_attempt(&recv);
	if (ret != -EAGAIN || !gfpflags_allow_blocking(gfp))
		return ret;
	return bp_port_wait(&port->port->readers, true, KTIME_MAX,
			    TASK_KILLABLE, bp_kernel_recv_attempt, &recv);
}
EXPORT_SYMBOL_GPL(blockpool_recv);

/*
 * Sending
 */

static bool bp_kernel_message_valid(const struct blockpool *pool,
				    const struct blockpool_message *message)
{
	return message->index < bp_pool_nr_blocks(pool) &&
	       message->offset <= pool->block_size &&
	       message->length <= pool->block_size - message->offset;
}

/* The first so many that are right; they are the port's then. */
static u32 bp_kernel_claim_some(struct blockpool_port *port,
				const struct blockpool_message *from,
				struct bp_message *to, u32 n)
{
	u32 word = bp_port_word(port->port), i;

	for (i = 0; i < n; i++) {
		if (!bp_kernel_message_valid(port->pool, &from[i]) ||
		    !bp_owner_hand(bp_message_owner(port, &from[i]),
				   BLOCKPOOL_OWNER_KERNEL, word))
			break;
		to[i] = (struct bp_message) { .user = from[i] };
		to[i].user.pid = 0;
		to[i].user.flags = 0;
	}
	bp_trace_messages(send, port->port, to, i, BLOCKPOOL_OWNER_KERNEL);
	return i;
}

static void bp_kernel_unclaim(struct blockpool_port *port,
			      const struct bp_message *messages, u32 n)
{
	u32 i;

	preempt_disable();
	bp_trace_messages(send_undone, port->port, messages, n,
			  BLOCKPOOL_OWNER_KERNEL);
	for (i = 0; i < n; i++)
		bp_owner_hand(bp_message_owner(port, &messages[i].user),
			      bp_port_word(port->port), BLOCKPOOL_OWNER_KERNEL);
	preempt_enable();
}

static void bp_kernel_refuse(struct blockpool *pool,
			     const struct blockpool_message *message)
{
	bool there = message->index < bp_pool_nr_blocks(pool);

	atomic_long_inc(&pool->refused);
	trace_refused(bp_pool_number(pool),
		      there ? message->index : BLOCKPOOL_NO_INDEX,
		      BP_REFUSED_SEND, BLOCKPOOL_OWNER_KERNEL,
		      there ? bp_owner_read(&pool->owners[message->index]) : 0);
}

/* At most BP_SOME, with room for them. */
static int bp_kernel_send_some(struct blockpool_port *port,
			       const struct blockpool_message *messages, u32 n)
{
	struct bp_message some[BP_SOME];
	u32 claimed = bp_kernel_claim_some(port, messages, some, n);

	if (claimed < n)
		bp_port_unreserve(port->port, n - claimed);
	if (!claimed) {
		bp_kernel_refuse(port->pool, messages);
		return -EPERM;
	}
	bp_kernel_hand(port->pool, some, claimed, BLOCKPOOL_FOUND_SEND);
	atomic_long_add(claimed, &port->pool->nr_in_flight);
	if (bp_port_publish(port->port, some, claimed))
		return claimed;
	atomic_long_sub(claimed, &port->pool->nr_in_flight);
	bp_kernel_unclaim(port, some, claimed);
	return -EPIPE;
}

struct bp_kernel_send {
	struct blockpool_port *port;
	u32 n;
};

static int bp_kernel_send_attempt(void *arg)
{
	const struct bp_kernel_send *send = arg;

	return bp_port_reserve(send->port->port, send->n, 1);
}

/* Room for some, or an error. */
static int bp_kernel_send_room(struct blockpool_port *port, gfp_t gfp, u32 n)
{
	struct bp_kernel_send send = { port, min(n, BP_SOME) };
	int ret = bp_kernel_send_attempt(&send);

	if (ret != -EAGAIN || !gfpflags_allow_blocking(gfp))
		return ret;
	return bp_port_wait(&port->port->writers, true, KTIME_MAX,
			    TASK_KILLABLE, bp_kernel_send_attempt, &send);
}

/**
 * blockpool_send() - send blocks
 * @port: opened with BLOCKPOOL_BIND_SEND
 * @gfp: GFP_KERNEL: sleep until there is room for all; GFP_ATOMIC, GFP_NOWAIT: do not
 * @messages: each with a block that the kernel holds; pid and flags mean nothing
 * @n: how many
 *
 * The blocks that are sent are the port's, the others still the caller's.
 *
 * Context: Any but under the scheduler's own locks; process context if @gfp may
 *	sleep.  In NMI it may also be refused because somebody is at the port.
 * Return: How many were sent, in order from the first; or none and -EINVAL, -EAGAIN
 *	(no room), -EINTR (fatal signal), -EPIPE (the port has ended), -EPERM (the
 *	first is not the kernel's to send, or not within its block).
 */
int blockpool_send(struct blockpool_port *port, gfp_t gfp,
		   const struct blockpool_message *messages, unsigned int n)
{
	unsigned int sent = 0;
	int ret = -EINVAL;

	might_alloc(gfp);
	if (!n || !(port->rights & BLOCKPOOL_BIND_SEND))
		return -EINVAL;
	do {
		ret = bp_kernel_send_room(port, gfp, n - sent);
		if (ret > 0)
			ret = bp_kernel_send_some(port, messages + sent, ret);
		if (ret > 0)
			sent += ret;
	} while (ret > 0 && sent < n);
	if (ret == -EAGAIN)
		bp_port_refuse(port->port, n - sent);
	return sent ? sent : ret;
}
EXPORT_SYMBOL_GPL(blockpool_send);

/*
 * What a module has of a port
 */

static struct blockpool_port *bp_kernel_port_new(struct blockpool *pool,
						 u32 flags,
						 blockpool_handler_t handler,
						 void *ctx)
{
	struct blockpool_port *port = kzalloc(sizeof(*port), GFP_KERNEL);

	if (!port)
		return NULL;
	port->listener.hear = bp_kernel_hear;
	port->pool = pool;
	port->rights = flags & BP_KERNEL_RIGHTS;
	port->softirq = flags & BLOCKPOOL_BIND_SOFTIRQ;
	port->handler = handler;
	port->ctx = ctx;
	INIT_WORK(&port->work, bp_kernel_work);
	tasklet_setup(&port->tasklet, bp_kernel_tasklet);
	return port;
}

/* Returns the port that is meant, made if need be. */
static struct bp_port *bp_kernel_port_find(struct blockpool *pool,
					   const struct blockpool_port_attr *attr)
{
	struct bp_port *port = bp_port_find(&pool->ports, attr->name);

	if (port && attr->flags & BLOCKPOOL_BIND_CREATE &&
	    !uid_eq(port->uid, GLOBAL_ROOT_UID))
		return ERR_PTR(-EEXIST);	/* in disguise */
	if (port)
		return port;
	if (!(attr->flags & BLOCKPOOL_BIND_CREATE))
		return ERR_PTR(-ENOENT);
	return bp_port_create(pool, attr, GLOBAL_ROOT_UID, GLOBAL_ROOT_GID,
			      false);
}

/* The lock of the pool's ports is held. */
static void bp_kernel_port_join(struct blockpool_port *handle,
				struct bp_port *port)
{
	handle->port = bp_port_hold(port);
	bp_pool_hold(handle->pool);
	__module_get(THIS_MODULE);
	bp_port_join(port, handle->rights, &handle->listener);
}

static bool bp_kernel_attr_valid(const struct blockpool_port_attr *attr,
				 blockpool_handler_t handler)
{
	bool recv = attr->flags & BLOCKPOOL_BIND_RECV;

	return attr->name && !(attr->flags & ~BP_KERNEL_FLAGS) &&
	       attr->flags & BP_KERNEL_RIGHTS &&
	       (recv || (!handler && !(attr->flags & BLOCKPOOL_BIND_CREATE)));
}

/**
 * blockpool_port_open() - use a port
 * @pool: the pool; it stays until blockpool_port_close()
 * @attr: the port, and what it shall be if this call makes it
 * @handler: with BLOCKPOOL_BIND_RECV: called for each message in the order of their
 *	coming, one at a time: in process context, or with BLOCKPOOL_BIND_SOFTIRQ in
 *	softirq context; or NULL, and blockpool_recv() is to be called
 * @ctx: for the handler
 *
 * Context: Process context; may sleep.
 * Return: The port, or -EINVAL, -ENOENT, -EEXIST (it is to be made, and a user has
 *	made one of that name), -ENOMEM as ERR_PTR.
 */
struct blockpool_port *
blockpool_port_open(struct blockpool *pool,
		    const struct blockpool_port_attr *attr,
		    blockpool_handler_t handler, void *ctx)
{
	struct blockpool_port *handle;
	struct bp_port *port;

	if (!bp_kernel_attr_valid(attr, handler))
		return ERR_PTR(-EINVAL);
	handle = bp_kernel_port_new(pool, attr->flags, handler, ctx);
	if (!handle)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&pool->ports.lock);
	port = bp_kernel_port_find(pool, attr);
	if (!IS_ERR(port))
		bp_kernel_port_join(handle, port);
	mutex_unlock(&pool->ports.lock);
	if (IS_ERR(port)) {
		kfree(handle);
		return ERR_CAST(port);
	}
	/* For what is there already. */
	bp_kernel_hear(&handle->listener);
	return handle;
}
EXPORT_SYMBOL_GPL(blockpool_port_open);

/**
 * blockpool_port_get() - use the port that a message names for its answer
 * @pool: the pool
 * @number: message->reply
 *
 * Context: Process context; may sleep.
 * Return: The port, to send to until blockpool_port_close(), or -ENOENT, -ENOMEM as
 *	ERR_PTR.
 */
struct blockpool_port *blockpool_port_get(struct blockpool *pool, u32 number)
{
	struct blockpool_port *handle;
	struct bp_port *port;

	handle = bp_kernel_port_new(pool, BLOCKPOOL_BIND_SEND, NULL, NULL);
	if (!handle)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&pool->ports.lock);
	port = xa_load(&pool->ports.by_number, number);
	if (port)
		bp_kernel_port_join(handle, port);
	mutex_unlock(&pool->ports.lock);
	if (port)
		return handle;
	kfree(handle);
	return ERR_PTR(-ENOENT);
}
EXPORT_SYMBOL_GPL(blockpool_port_get);

/**
 * blockpool_port_close() - be done with a port
 * @handle: from blockpool_port_open() or blockpool_port_get()
 *
 * Its handler is not running any more when this returns, and must not call it.
 * Messages that are left are the other receivers' matter, or the port's end.
 *
 * Context: Process context; may sleep.
 * Return: Nothing.
 */
void blockpool_port_close(struct blockpool_port *handle)
{
	struct blockpool *pool = handle->pool;

	WRITE_ONCE(handle->closed, true);
	mutex_lock(&pool->ports.lock);
	bp_port_leave(handle->port, handle->rights, &handle->listener);
	mutex_unlock(&pool->ports.lock);
	synchronize_rcu();	/* nobody tells it news */
	cancel_work_sync(&handle->work);
	tasklet_kill(&handle->tasklet);
	bp_port_put(handle->port);
	kfree(handle);
	bp_pool_put(pool);
	module_put(THIS_MODULE);
}
EXPORT_SYMBOL_GPL(blockpool_port_close);

/**
 * blockpool_port_number() - the number of a port, for an answer to be sent there
 * @port: the port
 *
 * Context: Any.
 * Return: The number, for message.reply.
 */
u32 blockpool_port_number(const struct blockpool_port *port)
{
	return port->port->number;
}
EXPORT_SYMBOL_GPL(blockpool_port_number);

// SPDX-License-Identifier: GPL-2.0
/* Uses a port: sends and receives as told, or handles messages by itself. */

#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "compat.h"
#include "peer.h"

struct peer_port {
	struct peer *peer;
	struct blockpool_port *port;
	struct blockpool_port *to;	/* or NULL */
	u32 context;			/* of the handler */
	atomic64_t handled;
	atomic64_t sent;
	atomic64_t freed;
	atomic64_t astray;
};

/* To whom it wishes the answer; returns whether that worked. */
static bool peer_answer(struct peer_port *port,
			const struct blockpool_message *message)
{
	struct blockpool_port *to = blockpool_port_get(port->peer->pool,
						       message->reply);
	struct blockpool_message answer = *message;
	int ret;

	if (IS_ERR(to))
		return false;
	answer.reply = 0;
	ret = blockpool_send(to, GFP_KERNEL, &answer, 1);
	blockpool_port_close(to);
	return ret == 1;
}

static bool peer_send_on(struct peer_port *port,
			 const struct blockpool_message *message)
{
	bool sleep = port->context == BLOCKPOOL_PEER_PROCESS;

	if (message->reply && sleep)
		return peer_answer(port, message);
	return port->to && blockpool_send(port->to,
					  sleep ? GFP_KERNEL : GFP_ATOMIC,
					  message, 1) == 1;
}

static void peer_handle(struct blockpool_port *from,
			const struct blockpool_message *message, void *ctx)
{
	struct peer_port *port = ctx;
	struct blockpool_message on = *message;
	u8 *block = blockpool_block(port->peer->pool, message->index);
	u64 crc = peer_crc32c(block + message->offset, message->length);

	on.cookie = crc << 32 | (u32)message->cookie;
	if (!peer_in_context(port->context))
		atomic64_inc(&port->astray);
	atomic64_inc(&port->handled);
	if (peer_send_on(port, &on)) {
		atomic64_inc(&port->sent);
	} else {
		blockpool_free(port->peer->pool, block);
		atomic64_inc(&port->freed);
	}
}

static bool peer_port_valid(const struct blockpool_peer_port *args)
{
	return memchr(args->name, 0, sizeof(args->name)) &&
	       memchr(args->to, 0, sizeof(args->to)) &&
	       args->mode <= U16_MAX &&
	       args->handler <= BLOCKPOOL_PEER_IN_SOFTIRQ;
}

static long peer_port_open_to(struct peer_port *port, const char *to)
{
	const struct blockpool_port_attr attr = {
		.name = to,
		.flags = BLOCKPOOL_BIND_SEND,
	};

	if (!*to)
		return 0;
	port->to = blockpool_port_open(port->peer->pool, &attr, NULL, NULL);
	if (!IS_ERR(port->to))
		return 0;
	return PTR_ERR(port->to);
}

/* The handler may run at once, and needs the other port by then. */
static long peer_port_open_both(struct peer_port *port,
				const struct blockpool_peer_port *args)
{
	const struct blockpool_port_attr attr = {
		.name = args->name,
		.flags = args->flags |
			 (args->handler == BLOCKPOOL_PEER_IN_SOFTIRQ ?
			  BLOCKPOOL_BIND_SOFTIRQ : 0),
		.depth = args->depth,
		.linger_ms = args->linger_ms,
		.mode = args->mode,
	};
	long ret = peer_port_open_to(port, args->to);

	if (ret)
		return ret;
	port->context = args->handler == BLOCKPOOL_PEER_IN_SOFTIRQ ?
			BLOCKPOOL_PEER_SOFTIRQ : BLOCKPOOL_PEER_PROCESS;
	port->port = blockpool_port_open(port->peer->pool, &attr,
					 args->handler ? peer_handle : NULL,
					 port);
	if (!IS_ERR(port->port))
		return 0;
	if (port->to)
		blockpool_port_close(port->to);
	return PTR_ERR(port->port);
}

long peer_port_open(struct peer *peer, struct blockpool_peer_port __user *user)
{
	struct blockpool_peer_port args;
	struct peer_port *port;
	long ret;

	if (copy_from_user(&args, user, sizeof(args)))
		return -EFAULT;
	if (peer->port || !peer_port_valid(&args))
		return -EBADR;
	port = kzalloc(sizeof(*port), GFP_KERNEL);
	if (!port)
		return -ENOMEM;
	port->peer = peer;
	ret = peer_port_open_both(port, &args);
	if (ret) {
		kfree(port);
		return ret;
	}
	peer->port = port;
	return put_user(blockpool_port_number(port->port), &user->number);
}

/* What it waits to send to is closed last: by then nobody sends. */
void peer_port_close(struct peer *peer)
{
	if (!peer->port)
		return;
	blockpool_port_close(peer->port->port);
	if (peer->port->to)
		blockpool_port_close(peer->port->to);
	kfree(peer->port);
	peer->port = NULL;
}

struct peer_transfer {
	struct blockpool_port *port;
	struct blockpool_message *messages;
	u32 count;
	gfp_t gfp;
	int result;
};

static void peer_transfer_send(void *arg)
{
	struct peer_transfer *transfer = arg;

	transfer->result = blockpool_send(transfer->port, transfer->gfp,
					  transfer->messages, transfer->count);
}

static void peer_transfer_recv(void *arg)
{
	struct peer_transfer *transfer = arg;

	transfer->result = blockpool_recv(transfer->port, transfer->gfp,
					  transfer->messages, transfer->count);
}

static long peer_transfer_init(struct peer *peer, struct peer_transfer *transfer,
			       struct blockpool_peer_transfer *args,
			       struct blockpool_peer_transfer __user *user)
{
	if (copy_from_user(args, user, sizeof(*args)))
		return -EFAULT;
	if (!peer->port || args->context >= BLOCKPOOL_PEER_CONTEXTS ||
	    args->flags & ~BLOCKPOOL_PEER_SLEEP ||
	    args->count > BLOCKPOOL_MESSAGES_MAX ||
	    (args->flags && args->context != BLOCKPOOL_PEER_PROCESS))
		return -EBADR;
	transfer->port = peer->port->port;
	transfer->count = args->count;
	transfer->gfp = args->flags ? GFP_KERNEL : GFP_ATOMIC;
	transfer->messages = kcalloc(args->count, sizeof(*transfer->messages),
				     GFP_KERNEL);
	return transfer->messages ? 0 : -ENOMEM;
}

long peer_port_send(struct peer *peer,
		    struct blockpool_peer_transfer __user *user)
{
	struct blockpool_peer_transfer args;
	struct peer_transfer transfer;
	long ret;
	int i;

	ret = peer_transfer_init(peer, &transfer, &args, user);
	if (ret)
		return ret;
	if (copy_from_user(transfer.messages, u64_to_user_ptr(args.messages),
			   array_size(args.count, sizeof(*transfer.messages))))
		ret = -EFAULT;
	else
		ret = peer_call(args.context, peer_transfer_send, &transfer);
	for (i = 0; !ret && i < transfer.result; i++)
		xa_erase(&peer->held, transfer.messages[i].index);
	kfree(transfer.messages);
	return ret ?: put_user(transfer.result, &user->result);
}

/* Blocks that cannot be kept go back to the pool. */
static long peer_keep_received(struct peer *peer,
			       const struct peer_transfer *transfer)
{
	long ret = 0;
	void *block;
	u32 index;
	int i;

	for (i = 0; i < transfer->result; i++) {
		index = transfer->messages[i].index;
		block = blockpool_block(peer->pool, index);
		if (!ret)
			ret = xa_err(xa_store(&peer->held, index, block,
					      GFP_KERNEL));
		if (ret)
			blockpool_free(peer->pool, block);
	}
	return ret;
}

long peer_port_recv(struct peer *peer,
		    struct blockpool_peer_transfer __user *user)
{
	struct blockpool_peer_transfer args;
	struct peer_transfer transfer;
	long ret;

	ret = peer_transfer_init(peer, &transfer, &args, user);
	if (ret)
		return ret;
	ret = peer_call(args.context, peer_transfer_recv, &transfer) ?:
	      peer_keep_received(peer, &transfer);
	if (!ret && transfer.result > 0 &&
	    copy_to_user(u64_to_user_ptr(args.messages), transfer.messages,
			 array_size(transfer.result,
				    sizeof(*transfer.messages))))
		ret = -EFAULT;
	kfree(transfer.messages);
	return ret ?: put_user(transfer.result, &user->result);
}

long peer_port_handled(struct peer *peer,
		       struct blockpool_peer_handled __user *user)
{
	struct blockpool_peer_handled handled;

	if (!peer->port)
		return -EBADR;
	handled.handled = atomic64_read(&peer->port->handled);
	handled.sent = atomic64_read(&peer->port->sent);
	handled.freed = atomic64_read(&peer->port->freed);
	handled.astray = atomic64_read(&peer->port->astray);
	return copy_to_user(user, &handled, sizeof(handled)) ? -EFAULT : 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * What a client sends to a port and receives from one: blocks go from its hands to the
 * port's, or back, without being free in between.
 *
 * Sending: room is reserved, the owner words say that the blocks go, then the port, the
 * client's pages are taken away if the pool is isolated, the messages are put in the queue.
 * Receiving: messages are taken out but keep their room, the caller is told, the owner
 * words say the client.  A client that is killed gets to the end of this as any other does.
 */
#include <linux/pid.h>
#include <linux/preempt.h>
#include <linux/sched.h>

#include "client.h"
#include "owner.h"
#include "pool.h"
#include "trace.h"
#include "transfer.h"
#include "whole.h"

static u32 *bp_transfer_owner(const struct bp_transfer *transfer, u32 at)
{
	return &transfer->client->pool->owners[transfer->messages[at].user.index];
}

/* @word: the owner word of a block that the client has not, or not any more. */
static void bp_send_refuse(const struct bp_client *client, u32 index, u32 word)
{
	trace_refused(bp_pool_number(client->pool), index, BP_REFUSED_SEND,
		      client->id, bp_owner_told_to(word, client->id));
}

static int bp_message_check(struct bp_client *client,
			    const struct blockpool_message *message)
{
	struct blockpool *pool = client->pool;
	struct bp_port *reply;
	u32 word;

	if (message->index >= bp_pool_nr_blocks(pool) ||
	    message->offset > pool->block_size ||
	    message->length > pool->block_size - message->offset)
		return -EINVAL;
	word = READ_ONCE(pool->owners[message->index]);
	if (word != client->id) {
		bp_send_refuse(client, message->index, word);
		return -EPERM;
	}
	if (!message->reply)
		return 0;
	reply = bp_bound_port(client, message->reply, BLOCKPOOL_BIND_RECV);
	if (!reply)
		return -EPERM;
	bp_port_put(reply);
	return 0;
}

/* All messages, before any of them goes. */
int bp_send_check(const struct bp_transfer *transfer)
{
	int ret = 0;
	u32 i;

	for (i = 0; !ret && i < transfer->n; i++)
		ret = bp_message_check(transfer->client,
				       &transfer->messages[i].user);
	return ret;
}

/* To where blocks go that go from the client. */
static void bp_send_gone(const struct bp_transfer *transfer, u32 n, u32 to)
{
	u32 i;

	for (i = 0; i < n; i++)
		bp_owner_gone(bp_transfer_owner(transfer, i), to);
}

/* Back from the port to the client. */
static void bp_send_unclaim(const struct bp_transfer *transfer, u32 n)
{
	u32 client = transfer->client->id;

	preempt_disable();
	bp_trace_messages(send_undone, transfer->port, transfer->messages, n,
			  client);
	bp_send_gone(transfer, n, client);
	preempt_enable();
}

/*
 * From the client to the port; all, or none if there is one that it does not hold: it is
 * there twice, or another thread was faster.
 */
static bool bp_send_claim(const struct bp_transfer *transfer, u32 n)
{
	u32 client = transfer->client->id, seen, i;

	for (i = 0; i < n; i++)
		if (!bp_owner_go(bp_transfer_owner(transfer, i), client, &seen))
			break;
	if (i < n) {
		bp_send_gone(transfer, i, client);
		bp_send_refuse(transfer->client,
			       transfer->messages[i].user.index, seen);
		return false;
	}
	preempt_disable();
	bp_trace_messages(send, transfer->port, transfer->messages, n, client);
	bp_send_gone(transfer, n, bp_port_word(transfer->port));
	preempt_enable();
	return true;
}

/* At the end of a call; see whole.c. */
static void bp_transfer_end(const struct bp_transfer *transfer, u32 found)
{
	struct bp_debug *debug = transfer->client->pool->debug;

	if (debug)
		bp_whole_end(debug, 0, found, transfer->caller);
}

/* What is done to blocks between their owners. */
static void bp_transfer_handle(const struct bp_transfer *transfer, u32 n,
			       u32 found)
{
	struct bp_client *client = transfer->client;
	struct blockpool *pool = client->pool;
	bool revoke = pool->flags & BLOCKPOOL_ISOLATED &&
		      found == BLOCKPOOL_FOUND_SEND;
	u32 indices[BP_SLICE_MAX], some, i, j;

	if (!revoke && !pool->debug)
		return;
	for (i = 0; i < n; i += some) {
		some = min(n - i, BP_SLICE_MAX);
		for (j = 0; j < some; j++)
			indices[j] = transfer->messages[i + j].user.index;
		if (revoke)
			bp_window_revoke(&client->window, indices, some);
		if (pool->debug)
			bp_debug_hand(pool->debug, indices, some, found,
				      transfer->caller);
	}
}

static void bp_message_seal(struct bp_message *message, struct pid *pid,
			    u32 flags)
{
	message->pid = get_pid(pid);
	message->bound = false;
	message->user.pid = 0;
	message->user.flags = flags;
}

/* With room reserved for n. */
static int bp_send_pass(struct bp_transfer *transfer, u32 n)
{
	struct bp_client *client = transfer->client;
	struct pid *pid = task_tgid(current);
	LIST_HEAD(lifted);
	u32 i;

	if (!bp_send_claim(transfer, n)) {
		bp_port_unreserve(transfer->port, n);
		return -EPERM;
	}
	bp_transfer_handle(transfer, n, BLOCKPOOL_FOUND_SEND);
	bp_taken_lift(client, transfer->messages, n, &lifted);
	bp_client_passed(client, n);
	for (i = 0; i < n; i++)
		bp_message_seal(&transfer->messages[i], pid, 0);
	if (bp_port_publish(transfer->port, transfer->messages, n)) {
		bp_taken_drop_lifted(&lifted);
		bp_transfer_end(transfer, BLOCKPOOL_FOUND_SEND);
		return n;
	}
	for (i = 0; i < n; i++)
		put_pid(pid);
	bp_taken_restore(client, &lifted);
	bp_client_got(client, n);
	atomic_add(n, &client->charged);
	bp_send_unclaim(transfer, n);
	return -EPIPE;
}

/*
 * Sharing
 */

static void bp_share_unreserve(struct bp_port **ports, u32 n)
{
	while (n--)
		bp_port_unreserve(ports[n], 1);
}

static int bp_share_reserve(struct bp_port **ports, u32 n)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < n; i++) {
		ret = bp_port_reserve(ports[i], 1, 1);
		if (ret < 0)
			break;
	}
	if (i == n)
		return 0;
	if (ret == -EAGAIN)
		bp_port_refuse(ports[i], 1);
	bp_share_unreserve(ports, i);
	return ret;
}

/* The block is shared, or nothing has changed. */
static int bp_share_claim(const struct bp_transfer *transfer,
			  struct bp_port **ports, u32 n)
{
	struct bp_client *client = transfer->client;
	u32 index = transfer->messages[0].user.index, seen, i;
	struct blockpool *pool = client->pool;
	u32 *owner = &pool->owners[index];
	int ret;

	if (!bp_owner_go(owner, client->id, &seen)) {
		bp_send_refuse(client, index, seen);
		return -EPERM;
	}
	ret = bp_share_begin(&pool->shares, index, n);
	preempt_disable();
	for (i = 0; !ret && i < n; i++)
		trace_share(bp_pool_number(pool), ports[i]->number, client->id,
			    index, n);
	bp_owner_gone(owner, ret ? client->id : BLOCKPOOL_OWNER_SHARED);
	preempt_enable();
	return ret;
}

/*
 * One of so many shares, each in flight until it is here: the block stays shared.  To a
 * port that has ended meanwhile: it ends at once.
 */
static void bp_share_publish(const struct bp_transfer *transfer,
			     struct bp_port *port)
{
	struct blockpool *pool = transfer->client->pool;
	struct bp_message message = *transfer->messages;
	struct pid *pid = task_tgid(current);
	u32 index = message.user.index;

	bp_message_seal(&message, pid, BLOCKPOOL_MESSAGE_SHARED);
	if (bp_port_publish(port, &message, 1))
		return;
	put_pid(pid);
	bp_share_ended(pool, index, bp_share_end_flight(&pool->shares, index),
		       BP_RECLAIMED, transfer->caller);
}

/**
 * bp_share() - send a share of a block that a client holds to each of some ports
 * @transfer: the client and its message, which bp_send_check() has seen
 * @ports: the ports
 * @n: how many
 *
 * Context: Process context; may sleep.
 * Return: 0, -EAGAIN, -EPIPE, -EPERM, -ENOMEM, -EOPNOTSUPP.
 */
int bp_share(const struct bp_transfer *transfer, struct bp_port **ports, u32 n)
{
	struct bp_client *client = transfer->client;
	int ret = bp_share_reserve(ports, n);
	LIST_HEAD(lifted);
	u32 i;

	if (ret)
		return ret;
	ret = bp_share_claim(transfer, ports, n);
	if (ret) {
		bp_share_unreserve(ports, n);
		return ret;
	}
	bp_transfer_handle(transfer, 1, BLOCKPOOL_FOUND_SEND);
	bp_taken_lift(client, transfer->messages, 1, &lifted);
	bp_client_passed(client, 1);
	for (i = 0; i < n; i++)
		bp_share_publish(transfer, ports[i]);
	bp_taken_drop_lifted(&lifted);
	bp_transfer_end(transfer, BLOCKPOOL_FOUND_SEND);
	return 0;
}

/*
 * Sending and receiving
 */

static int bp_send_attempt(void *arg)
{
	const struct bp_transfer *transfer = arg;

	return bp_port_reserve(transfer->port, transfer->n, transfer->need);
}

/* Tries, or sleeps. */
static int bp_transfer_wait(struct bp_transfer *transfer,
			    wait_queue_head_t *queue,
			    int (*attempt)(void *arg))
{
	int ret = attempt(transfer);

	if (ret != -EAGAIN || transfer->until == BP_NO_WAIT)
		return ret;
	return bp_port_wait(queue, transfer->need == 1, transfer->until,
			    TASK_INTERRUPTIBLE, attempt, transfer);
}

/**
 * bp_send() - send blocks that a client holds
 * @transfer: what, with messages that bp_send_check() has seen
 *
 * Context: Process context; may sleep.
 * Return: How many, in order from the first, or -EAGAIN, -ETIMEDOUT, -EINTR,
 *	-EPIPE, -EPERM and none.
 */
int bp_send(struct bp_transfer *transfer)
{
	int ret = bp_transfer_wait(transfer, &transfer->port->writers,
				   bp_send_attempt);

	if (ret > 0)
		return bp_send_pass(transfer, ret);
	if (ret == -EAGAIN || ret == -ETIMEDOUT)
		bp_port_refuse(transfer->port, transfer->n);
	return ret;
}

/*
 * Charged before they are the client's, and only for what there is: threads side by side
 * keep to its limit, and those that find nothing are in nobody's way.
 */
static int bp_recv_attempt(void *arg)
{
	const struct bp_transfer *transfer = arg;
	struct bp_client *client = transfer->client;
	u32 n = bp_port_offers(transfer->port, transfer->n, transfer->need);
	int ret;

	if (!n)
		return -EAGAIN;
	n = bp_client_charge(client, n, transfer->need < n);
	ret = n < transfer->need ? -EDQUOT :
	      bp_port_take(transfer->port, transfer->messages, n,
			   transfer->need);
	atomic_sub(n - max(ret, 0), &client->charged);
	return ret;
}

static void bp_recv_shares_undo(struct bp_transfer *transfer, u32 n)
{
	struct bp_client *client = transfer->client;

	while (n--)
		if (bp_message_is_shared(&transfer->messages[n]))
			bp_share_return(&client->pool->shares, client->id,
					transfer->messages[n].user.index);
}

/* Shares in flight are about to be the client's. */
static int bp_recv_shares(struct bp_transfer *transfer, u32 n)
{
	struct bp_client *client = transfer->client;
	int ret = 0;
	u32 i;

	for (i = 0; i < n; i++) {
		if (!bp_message_is_shared(&transfer->messages[i]))
			continue;
		ret = bp_share_receive(&client->pool->shares, client->id,
				       transfer->messages[i].user.index);
		if (ret)
			break;
	}
	if (ret)
		bp_recv_shares_undo(transfer, i);
	return ret;
}

static void bp_recv_replies_undo(struct bp_transfer *transfer, u32 n)
{
	struct bp_message *message = transfer->messages;

	for (; n; n--, message++) {
		if (message->bound)
			bp_unbind(transfer->client, message->user.reply);
		message->bound = false;
	}
}

/* The messages in the terms of who receives them; what can fail. */
static int bp_recv_prepare(struct bp_transfer *transfer, u32 n)
{
	struct bp_client *client = transfer->client;
	struct blockpool_message *message;
	int ret = 0;
	u32 i;

	for (i = 0; !ret && i < n; i++) {
		message = &transfer->messages[i].user;
		message->pid = pid_vnr(transfer->messages[i].pid);
		if (message->reply)
			ret = bp_bind_reply(client, message->reply,
					    &transfer->messages[i].bound);
	}
	ret = ret ?: bp_recv_shares(transfer, n);
	if (!ret && transfer->port->flags & BLOCKPOOL_BIND_AGAIN) {
		ret = bp_taken_note(client, transfer->port, transfer->messages,
				    n);
		if (ret)
			bp_recv_shares_undo(transfer, n);
	}
	if (ret)
		bp_recv_replies_undo(transfer, n);
	return ret;
}

static void bp_recv_put_back(struct bp_transfer *transfer, u32 n)
{
	atomic_sub(n, &transfer->client->charged);
	bp_port_put_back(transfer->port, transfer->messages, n);
}

/**
 * bp_recv() - take messages out of a port for a client
 * @transfer: where to put them
 *
 * The caller is to be told, and bp_recv_commit() or bp_recv_abort() to follow.
 *
 * Context: Process context; may sleep.
 * Return: How many, or -EAGAIN, -ETIMEDOUT, -EINTR, -EPIPE, -EDQUOT, -ENOMEM.
 */
int bp_recv(struct bp_transfer *transfer)
{
	int n = bp_transfer_wait(transfer, &transfer->port->readers,
				 bp_recv_attempt);
	int ret;

	if (n <= 0)
		return n;
	ret = bp_recv_prepare(transfer, n);
	if (!ret)
		return n;
	bp_recv_put_back(transfer, n);
	return ret;
}

static void bp_trace_share_received(const struct bp_transfer *transfer, u32 at)
{
	trace_receive_shared(bp_pool_number(transfer->client->pool),
			     transfer->port->number, transfer->client->id,
			     transfer->messages[at].user.index);
}

/* Returns how many blocks are the client's; of the others it has shares. */
static u32 bp_recv_own(const struct bp_transfer *transfer, u32 n)
{
	u32 word = bp_port_word(transfer->port), own = 0, i;
	u32 client = transfer->client->id;

	preempt_disable();
	bp_trace_messages(receive, transfer->port, transfer->messages, n,
			  client);
	for (i = 0; i < n; i++) {
		if (bp_message_is_shared(&transfer->messages[i]))
			continue;
		WARN_ON_ONCE(!bp_owner_hand(bp_transfer_owner(transfer, i),
					    word, client));
		own++;
	}
	preempt_enable();
	return own;
}

/* The blocks are the client's, or shares of them. */
void bp_recv_commit(struct bp_transfer *transfer, u32 n)
{
	bool again = transfer->port->flags & BLOCKPOOL_BIND_AGAIN;
	struct bp_client *client = transfer->client;
	u32 own, i;

	bp_transfer_handle(transfer, n, BLOCKPOOL_FOUND_RECV);
	own = bp_recv_own(transfer, n);
	for (i = 0; i < n; i++) {
		put_pid(transfer->messages[i].pid);
		if (!bp_message_is_shared(&transfer->messages[i]))
			continue;
		atomic_inc(&client->shares);
		bp_share_received(&client->pool->shares, client->id,
				  transfer->messages[i].user.index);
		bp_trace_share_received(transfer, i);
	}
	bp_client_got(transfer->client, own);
	bp_port_received(transfer->port, n, again ? n - own : n);
	bp_transfer_end(transfer, BLOCKPOOL_FOUND_RECV);
}

/* The caller could not be told: the next who asks will be. */
void bp_recv_abort(struct bp_transfer *transfer, u32 n)
{
	if (transfer->port->flags & BLOCKPOOL_BIND_AGAIN)
		bp_taken_undo(transfer->client, transfer->messages, n);
	bp_recv_shares_undo(transfer, n);
	bp_recv_replies_undo(transfer, n);
	bp_recv_put_back(transfer, n);
}

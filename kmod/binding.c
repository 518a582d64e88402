// SPDX-License-Identifier: GPL-2.0
/*
 * The ports that a client uses.
 *
 * Of a port made with BLOCKPOOL_BIND_AGAIN each message that a client has received is
 * remembered until its block leaves the client: freed, sent on, or gone back to the
 * port with the client's end.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/pid.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "binding.h"
#include "blockpool.h"
#include "client.h"
#include "owner.h"
#include "pool.h"
#include "trace.h"

#define BP_RIGHTS	(BLOCKPOOL_BIND_SEND | BLOCKPOOL_BIND_RECV)

/* Changes under the lock of the pool's ports; found under RCU. */
struct bp_binding {
	struct bp_listener listener;
	struct bp_bindings *bindings;
	struct bp_port *port;		/* referenced */
	u32 rights;
	u64 count;			/* of BINDs, and replies received */
	struct rcu_head rcu;
};

struct bp_taken {
	struct list_head link;
	struct bp_port *port;		/* referenced */
	struct bp_message message;
};

static void bp_binding_hear(struct bp_listener *listener)
{
	struct bp_binding *binding = container_of(listener, struct bp_binding,
						  listener);

	if (wq_has_sleeper(&binding->bindings->news))
		wake_up_poll(&binding->bindings->news, EPOLLIN | EPOLLRDNORM);
}

void bp_bindings_init(struct bp_bindings *bindings)
{
	xa_init_flags(&bindings->by_port, XA_FLAGS_ACCOUNT);
	init_waitqueue_head(&bindings->news);
	mutex_init(&bindings->lock);
	xa_init_flags(&bindings->taken, XA_FLAGS_ACCOUNT);
	INIT_LIST_HEAD(&bindings->order);
}

/* Whether the current credentials may use a port in that way. */
static bool bp_port_permits(const struct bp_port *port, u32 rights)
{
	umode_t want = (rights & BLOCKPOOL_BIND_RECV ? MAY_READ : 0) |
		       (rights & BLOCKPOOL_BIND_SEND ? MAY_WRITE : 0);

	return bp_mode_permits(port->mode, port->uid, port->gid, want);
}

static void bp_binding_end(struct bp_client *client, struct bp_binding *binding)
{
	lockdep_assert_held(&client->pool->ports.lock);
	xa_erase(&client->bindings.by_port, binding->port->number);
	client->bindings.nr--;
	bp_port_leave(binding->port, binding->rights, &binding->listener);
	bp_port_put(binding->port);
	kfree_rcu(binding, rcu);
}

/*
 * What is left of ports that have ended, so that others, who name them for answers, do
 * not fill the memory of who receives.
 */
static void bp_bindings_prune(struct bp_client *client)
{
	struct bp_binding *binding;
	unsigned long number;

	xa_for_each(&client->bindings.by_port, number, binding)
		if (bp_port_poll(binding->port) & EPOLLHUP)
			bp_binding_end(client, binding);
}

/* Blocks in a port without receivers are nobody's to give back. */
static bool bp_linger_permitted(const struct blockpool *pool, s32 linger_ms)
{
	return (u32)linger_ms <= BLOCKPOOL_LINGER_MAX ||
	       uid_eq(current_euid(), pool->uid) || capable(CAP_FOWNER);
}

/* Adds rights to what the client has of a port, if it has anything. */
static int bp_binding_add(struct bp_client *client, struct bp_port *port,
			  u32 rights)
{
	struct bp_bindings *bindings = &client->bindings;
	struct bp_binding *binding = xa_load(&bindings->by_port, port->number);

	lockdep_assert_held(&client->pool->ports.lock);
	/* Once in a billion ports, a number comes again. */
	if (binding && binding->port != port) {
		bp_binding_end(client, binding);
		binding = NULL;
	}
	if (!binding) {
		if (bindings->nr >= BLOCKPOOL_PORTS_MAX)
			bp_bindings_prune(client);
		binding = kzalloc(sizeof(*binding), BP_GFP_CHARGED);
		if (!binding)
			return -ENOMEM;
		binding->listener.hear = bp_binding_hear;
		binding->bindings = bindings;
		binding->port = bp_port_hold(port);
		if (xa_is_err(xa_store(&bindings->by_port, port->number,
				       binding, BP_GFP_CHARGED))) {
			bp_port_put(port);
			kfree(binding);
			return -ENOMEM;
		}
		bindings->nr++;
	}
	bp_port_join(port, rights & ~binding->rights, &binding->listener);
	WRITE_ONCE(binding->rights, binding->rights | rights);
	binding->count++;
	/* For what is there already. */
	bp_binding_hear(&binding->listener);
	return 0;
}

/**
 * bp_bind() - let a client use a port
 * @client: the client
 * @attr: the port; it is made if there is none and flags say so
 *
 * Context: Process context; may sleep.
 * Return: The port, referenced, or -EINVAL, -ENOENT, -EACCES, -ENOMEM as ERR_PTR.
 */
struct bp_port *bp_bind(struct bp_client *client,
			const struct blockpool_port_attr *attr)
{
	struct bp_ports *ports = &client->pool->ports;
	u32 rights = attr->flags & BP_RIGHTS;
	struct bp_port *port, *made = NULL;
	int ret = 0;

	mutex_lock(&ports->lock);
	port = bp_port_find(ports, attr->name);
	if (port ? !bp_port_permits(port, rights) :
		   !bp_linger_permitted(client->pool, attr->linger_ms)) {
		ret = -EACCES;
	} else if (!port && !(attr->flags & BLOCKPOOL_BIND_CREATE)) {
		ret = -ENOENT;
	} else if (!port) {
		port = bp_port_create(client->pool, attr, current_euid(),
				      current_egid(), true);
		ret = PTR_ERR_OR_ZERO(port);
		made = ret ? NULL : port;
	}
	ret = ret ?: bp_binding_add(client, port, rights);
	if (!ret)
		bp_port_hold(port);
	else if (made)
		bp_port_end(made);
	mutex_unlock(&ports->lock);
	return ret ? ERR_PTR(ret) : port;
}

/* Who receives a message may answer, whatever the mode of the port to answer to. */
int bp_bind_reply(struct bp_client *client, u32 number, bool *bound)
{
	struct bp_ports *ports = &client->pool->ports;
	struct bp_port *port;
	int ret = 0;

	mutex_lock(&ports->lock);
	port = xa_load(&ports->by_number, number);
	if (port)
		ret = bp_binding_add(client, port, BLOCKPOOL_BIND_SEND);
	*bound = port && !ret;
	mutex_unlock(&ports->lock);
	return ret;
}

int bp_unbind(struct bp_client *client, u32 number)
{
	struct bp_ports *ports = &client->pool->ports;
	struct bp_binding *binding;

	mutex_lock(&ports->lock);
	binding = xa_load(&client->bindings.by_port, number);
	if (binding && !--binding->count)
		bp_binding_end(client, binding);
	mutex_unlock(&ports->lock);
	return binding ? 0 : -ENOENT;
}

/* The port, referenced, if the client has that right of it; or NULL. */
struct bp_port *bp_bound_port(struct bp_client *client, u32 number, u32 right)
{
	struct bp_binding *binding;
	struct bp_port *port = NULL;

	rcu_read_lock();
	binding = xa_load(&client->bindings.by_port, number);
	if (binding && READ_ONCE(binding->rights) & right &&
	    kref_get_unless_zero(&binding->port->refs))
		port = binding->port;
	rcu_read_unlock();
	return port;
}

/* Whether any port has a message for the client. */
__poll_t bp_bindings_poll(struct bp_client *client)
{
	const __poll_t in = EPOLLIN | EPOLLRDNORM;
	struct bp_binding *binding;
	unsigned long number;
	__poll_t events = 0;

	rcu_read_lock();
	xa_for_each(&client->bindings.by_port, number, binding) {
		if (READ_ONCE(binding->rights) & BLOCKPOOL_BIND_RECV)
			events |= bp_port_poll(binding->port) & in;
		if (events)
			break;
	}
	rcu_read_unlock();
	return events;
}

/*
 * What was taken
 */

static void bp_taken_free(struct bp_taken *taken)
{
	put_pid(taken->message.pid);
	bp_port_put(taken->port);
	kfree(taken);
}

static struct bp_taken *bp_taken_pull(struct bp_bindings *bindings, u32 index)
{
	struct bp_taken *taken;

	lockdep_assert_held(&bindings->lock);
	taken = xa_erase(&bindings->taken, index);
	if (taken)
		list_del(&taken->link);
	return taken;
}

static int bp_taken_push(struct bp_bindings *bindings, struct bp_port *port,
			 const struct bp_message *message)
{
	struct bp_taken *taken = kzalloc(sizeof(*taken), BP_GFP_CHARGED);

	lockdep_assert_held(&bindings->lock);
	if (!taken)
		return -ENOMEM;
	if (xa_is_err(xa_store(&bindings->taken, message->user.index, taken,
			       BP_GFP_CHARGED))) {
		kfree(taken);
		return -ENOMEM;
	}
	taken->port = bp_port_hold(port);
	taken->message = *message;
	taken->message.user.flags |= BLOCKPOOL_MESSAGE_AGAIN;
	get_pid(message->pid);
	list_add_tail(&taken->link, &bindings->order);
	return 0;
}

/* The port gets the room back that a message had, whose block has left the client. */
static void bp_taken_settle(struct bp_taken *taken)
{
	bp_port_settle(taken->port, 1);
	bp_taken_free(taken);
}

/* Context: Process context; may sleep. */
void bp_taken_undo(struct bp_client *client, const struct bp_message *messages,
		   u32 n)
{
	struct bp_bindings *bindings = &client->bindings;
	u32 i;

	mutex_lock(&bindings->lock);
	for (i = 0; i < n; i++)
		if (!bp_message_is_shared(&messages[i]))
			bp_taken_free(bp_taken_pull(bindings,
						    messages[i].user.index));
	mutex_unlock(&bindings->lock);
}

/**
 * bp_taken_note() - remember messages that a client is about to get
 * @client: the client
 * @port: where they come from
 * @messages: the messages
 * @n: how many
 *
 * If it does not get them, bp_taken_undo() must follow.  Shares end with who holds them.
 *
 * Context: Process context; may sleep.
 * Return: 0, or -ENOMEM and none is remembered.
 */
int bp_taken_note(struct bp_client *client, struct bp_port *port,
		  const struct bp_message *messages, u32 n)
{
	struct bp_bindings *bindings = &client->bindings;
	int ret = 0;
	u32 i;

	mutex_lock(&bindings->lock);
	for (i = 0; i < n; i++) {
		ret = bp_message_is_shared(&messages[i]) ? 0 :
		      bp_taken_push(bindings, port, &messages[i]);
		if (ret)
			break;
	}
	mutex_unlock(&bindings->lock);
	if (ret)
		bp_taken_undo(client, messages, i);
	return ret;
}

/* Blocks leave the client for the pool. */
void bp_taken_drop(struct bp_client *client, const u32 *indices, u32 n)
{
	struct bp_bindings *bindings = &client->bindings;
	struct bp_taken *taken;
	u32 i;

	/* Of blocks that the caller has, nobody else adds one or takes it away. */
	if (data_race(xa_empty(&bindings->taken)))
		return;
	mutex_lock(&bindings->lock);
	for (i = 0; i < n; i++) {
		taken = bp_taken_pull(bindings, indices[i]);
		if (taken)
			bp_taken_settle(taken);
	}
	mutex_unlock(&bindings->lock);
}

/**
 * bp_taken_lift() - blocks are about to leave the client for a port
 * @client: the client
 * @messages: what it sends
 * @n: how many
 * @lifted: out: for bp_taken_drop_lifted() or bp_taken_restore()
 *
 * Context: Process context; may sleep.
 */
void bp_taken_lift(struct bp_client *client, const struct bp_message *messages,
		   u32 n, struct list_head *lifted)
{
	struct bp_bindings *bindings = &client->bindings;
	struct bp_taken *taken;
	u32 i;

	/* Likewise. */
	if (data_race(xa_empty(&bindings->taken)))
		return;
	mutex_lock(&bindings->lock);
	for (i = 0; i < n; i++) {
		taken = bp_taken_pull(bindings, messages[i].user.index);
		if (taken)
			list_add_tail(&taken->link, lifted);
	}
	mutex_unlock(&bindings->lock);
}

void bp_taken_drop_lifted(struct list_head *lifted)
{
	struct bp_taken *taken, *next;

	list_for_each_entry_safe(taken, next, lifted, link)
		bp_taken_settle(taken);
}

/* They did not leave: the port has ended. */
void bp_taken_restore(struct bp_client *client, struct list_head *lifted)
{
	struct bp_bindings *bindings = &client->bindings;
	struct bp_taken *taken;

	mutex_lock(&bindings->lock);
	list_for_each_entry(taken, lifted, link)
		xa_store(&bindings->taken, taken->message.user.index, taken,
			 GFP_KERNEL | __GFP_NOFAIL);
	list_splice_tail(lifted, &bindings->order);
	mutex_unlock(&bindings->lock);
}

/* Back to where it came from, which may have ended. */
static void bp_taken_return(struct bp_client *client, struct bp_taken *taken)
{
	struct blockpool *pool = client->pool;
	u32 *owner = &pool->owners[taken->message.user.index];

	if (WARN_ON_ONCE(!bp_owner_hand(owner, client->id,
					bp_port_word(taken->port))))
		return;
	bp_trace_messages(requeue, taken->port, &taken->message, 1, client->id);
	bp_client_passed(client, 1);
	bp_port_put_back(taken->port, &taken->message, 1);
	taken->message.pid = NULL;
}

/*
 * The client ends: its messages go back, the youngest first, so that the oldest is at
 * the head of its port, and are there before it leaves the ports.
 */
void bp_bindings_destroy(struct bp_client *client)
{
	struct bp_bindings *bindings = &client->bindings;
	struct bp_ports *ports = &client->pool->ports;
	struct bp_taken *taken, *next;
	struct bp_binding *binding;
	unsigned long number;

	list_for_each_entry_safe_reverse(taken, next, &bindings->order, link) {
		bp_taken_return(client, taken);
		bp_taken_free(taken);
	}
	xa_destroy(&bindings->taken);
	mutex_lock(&ports->lock);
	xa_for_each(&bindings->by_port, number, binding)
		bp_binding_end(client, binding);
	mutex_unlock(&ports->lock);
	xa_destroy(&bindings->by_port);
	mutex_destroy(&bindings->lock);
}

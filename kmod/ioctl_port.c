// SPDX-License-Identifier: GPL-2.0
/* The calls on /dev/blockpool that have to do with ports, as ioctl.c. */
#include <linux/anon_inodes.h>
#include <linux/cred.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>

#include "blockpool.h"
#include "charge.h"
#include "client.h"
#include "file.h"
#include "ioctl.h"
#include "pool.h"
#include "transfer.h"

#define BP_FEW_MESSAGES		8u	/* that fit on the stack */
#define BP_SOME_MESSAGES	16u	/* that go to the user or come at a time */

#define BP_BIND_FLAGS		(BLOCKPOOL_BIND_SEND | BLOCKPOOL_BIND_RECV | \
				 BLOCKPOOL_BIND_CREATE | BLOCKPOOL_BIND_FD | \
				 BLOCKPOOL_BIND_AGAIN)
#define BP_TRANSFER_FLAGS	(BLOCKPOOL_PORT_WAIT | BLOCKPOOL_PORT_ALL)

/*
 * A port's file, to be polled and nothing else; it keeps the port, and not the pool
 */

static __poll_t bp_port_file_poll(struct file *file, poll_table *wait)
{
	struct bp_port *port = file->private_data;

	poll_wait(file, &port->pollers, wait);
	return bp_port_poll(port);
}

static int bp_port_file_release(struct inode *inode, struct file *file)
{
	if (file->private_data)
		bp_port_put(file->private_data);
	return 0;
}

static const struct file_operations bp_port_fops = {
	.owner = THIS_MODULE,
	.release = bp_port_file_release,
	.poll = bp_port_file_poll,
	.llseek = noop_llseek,
};

static bool bp_bind_valid(const struct blockpool_bind_args *args)
{
	return !(args->flags & ~BP_BIND_FLAGS) &&
	       args->flags & (BLOCKPOOL_BIND_SEND | BLOCKPOOL_BIND_RECV) &&
	       (!(args->flags & BLOCKPOOL_BIND_CREATE) ||
		args->flags & BLOCKPOOL_BIND_RECV) &&
	       !args->port && !args->fd && !args->__reserved &&
	       bp_terminated(args->name);
}

static int bp_bind_and_tell(struct bp_client *client,
			    const struct blockpool_bind_args *args,
			    struct blockpool_bind_args __user *uargs,
			    struct file *port_file)
{
	const struct blockpool_port_attr attr = {
		.name = args->name,
		.flags = args->flags,
		.depth = args->depth,
		.linger_ms = args->linger_ms,
		.mode = args->mode,
	};
	struct bp_port *port;
	u32 number;

	/* Find out before anything is bound whether it can be told. */
	if (put_user(0, &uargs->port))
		return -EFAULT;
	port = bp_bind(client, &attr);
	if (IS_ERR(port))
		return PTR_ERR(port);
	number = port->number;
	if (port_file)
		port_file->private_data = port;
	else
		bp_port_put(port);
	return put_user(number, &uargs->port);
}

/* The descriptor is the caller's when all else is done. */
static int bp_bind_with_fd(struct bp_client *client,
			   const struct blockpool_bind_args *args,
			   struct blockpool_bind_args __user *uargs)
{
	int fd = get_unused_fd_flags(O_CLOEXEC), ret;
	struct file *file;

	if (fd < 0)
		return fd;
	file = anon_inode_getfile("[blockpool-port]", &bp_port_fops, NULL,
				  O_RDONLY);
	ret = PTR_ERR_OR_ZERO(file);
	if (!ret) {
		ret = put_user(fd, &uargs->fd) ? -EFAULT :
		      bp_bind_and_tell(client, args, uargs, file);
		if (ret)
			fput(file);
	}
	if (ret)
		put_unused_fd(fd);
	else
		fd_install(fd, file);
	return ret;
}

int bp_ioctl_bind(struct file *file, void *arg, void __user *uarg)
{
	const struct blockpool_bind_args *args = arg;
	struct bp_client *client;

	if (!bp_bind_valid(args))
		return -EINVAL;
	client = bp_writing_client(file);
	if (IS_ERR(client))
		return PTR_ERR(client);
	return args->flags & BLOCKPOOL_BIND_FD ?
	       bp_bind_with_fd(client, args, uarg) :
	       bp_bind_and_tell(client, args, uarg, NULL);
}

int bp_ioctl_unbind(struct file *file, void *arg, void __user *uarg)
{
	const struct blockpool_unbind_args *args = arg;
	struct bp_client *client = bp_writing_client(file);

	return IS_ERR(client) ? PTR_ERR(client) : bp_unbind(client, args->port);
}

/*
 * SEND, RECV, and CALL, which is both
 */

/* What a call works with; what it receives may lie where lay what it has sent. */
struct bp_parcel {
	struct bp_client *client;
	struct bp_stated stated;
	struct bp_message *messages;
	struct bp_message few[BP_FEW_MESSAGES];
};

/* Their arguments are laid out alike. */
static const struct blockpool_send_args *
bp_recv_alike(const struct blockpool_recv_args *args)
{
	BUILD_BUG_ON(sizeof(struct blockpool_send_args) !=
		     sizeof(struct blockpool_recv_args));
	return (const void *)args;
}

static bool bp_transfer_valid(const struct blockpool_send_args *args)
{
	return !(args->flags & ~BP_TRANSFER_FLAGS) && args->count &&
	       args->count <= BLOCKPOOL_MESSAGES_MAX && !args->__reserved;
}

/* For up to n messages; the stack is where args say. */
static int bp_parcel_init(struct bp_parcel *parcel, struct file *file,
			  const struct blockpool_send_args *args, u32 n)
{
	int ret;

	parcel->messages = parcel->few;
	parcel->client = bp_writing_client(file);
	if (IS_ERR(parcel->client))
		return PTR_ERR(parcel->client);
	ret = bp_stated_init(&parcel->stated, parcel->client, args->nr_frames,
			     u64_to_user_ptr(args->frames));
	if (ret || n <= BP_FEW_MESSAGES)
		return ret;
	parcel->messages = kvmalloc_array(n, sizeof(struct bp_message),
					  BP_GFP_CHARGED);
	return parcel->messages ? 0 : -ENOMEM;
}

static void bp_parcel_destroy(struct bp_parcel *parcel)
{
	if (parcel->messages != parcel->few)
		kvfree(parcel->messages);
}

static int bp_transfer_until(struct bp_transfer *transfer, struct file *file,
			     const struct blockpool_send_args *args)
{
	return bp_until(file, args->flags & BLOCKPOOL_PORT_WAIT,
			args->timeout_ms, &transfer->until);
}

/* All that can be wrong before the messages are looked at. */
static int bp_transfer_init(struct bp_transfer *transfer, struct file *file,
			    const struct bp_parcel *parcel,
			    const struct blockpool_send_args *args, u32 right)
{
	struct bp_client *client = parcel->client;
	int ret = bp_transfer_until(transfer, file, args);

	if (ret)
		return ret;
	transfer->client = client;
	transfer->caller = &parcel->stated.caller;
	transfer->n = args->count;
	transfer->need = args->flags & BLOCKPOOL_PORT_ALL ? args->count : 1;
	transfer->messages = parcel->messages;
	transfer->port = bp_bound_port(client, args->port, right);
	if (!transfer->port)
		return -ENOENT;
	if (transfer->need > transfer->port->depth)
		return -EINVAL;
	return right == BLOCKPOOL_BIND_RECV ? bp_client_admit(client) : 0;
}

static void bp_transfer_destroy(struct bp_transfer *transfer)
{
	if (transfer->port)
		bp_port_put(transfer->port);
}

static int bp_messages_from_user(struct bp_message *to, u32 n,
				 const struct blockpool_message __user *from)
{
	struct blockpool_message some[BP_SOME_MESSAGES];
	u32 few, i;

	for (; n; n -= few, from += few, to += few) {
		few = min(n, BP_SOME_MESSAGES);
		if (copy_from_user(some, from, few * sizeof(*some)))
			return -EFAULT;
		for (i = 0; i < few; i++) {
			to[i].user = some[i];
			to[i].user.flags = 0;	/* ours to say */
		}
	}
	return 0;
}

static int bp_messages_to_user(struct blockpool_message __user *to,
			       const struct bp_message *from, u32 n)
{
	struct blockpool_message some[BP_SOME_MESSAGES];
	u32 few, i;

	for (; n; n -= few, from += few, to += few) {
		few = min(n, BP_SOME_MESSAGES);
		for (i = 0; i < few; i++)
			some[i] = from[i].user;
		if (copy_to_user(to, some, few * sizeof(*some)))
			return -EFAULT;
	}
	return 0;
}

/* How many, or an error. */
static int bp_send_from_user(struct bp_transfer *transfer,
			     const struct blockpool_send_args *args,
			     u32 __user *udone)
{
	int ret = bp_messages_from_user(transfer->messages, args->count,
					u64_to_user_ptr(args->messages)) ?:
		  bp_send_check(transfer) ?:
		  bp_send(transfer);

	return ret > 0 && put_user(ret, udone) ? -EFAULT : ret;
}

static int bp_recv_to_user(struct bp_transfer *transfer,
			   const struct blockpool_send_args *args,
			   u32 __user *udone)
{
	struct blockpool_message __user *to = u64_to_user_ptr(args->messages);
	int n = bp_recv(transfer), ret;

	if (n <= 0)
		return n;
	ret = bp_messages_to_user(to, transfer->messages, n) ?:
	      put_user(n, udone);
	if (ret)
		bp_recv_abort(transfer, n);
	else
		bp_recv_commit(transfer, n);
	return ret;
}

/* SEND or RECV: what move() returns. */
static int bp_move(struct file *file, const struct blockpool_send_args *args,
		   struct blockpool_send_args __user *uargs, u32 right,
		   int (*move)(struct bp_transfer *transfer,
			       const struct blockpool_send_args *args,
			       u32 __user *udone))
{
	struct bp_transfer transfer = {};
	struct bp_parcel parcel;
	int ret;

	/* Find out before anything is moved whether it can be reported. */
	if (put_user(0, &uargs->done))
		return -EFAULT;
	if (!bp_transfer_valid(args))
		return -EINVAL;
	ret = bp_parcel_init(&parcel, file, args, args->count) ?:
	      bp_transfer_init(&transfer, file, &parcel, args, right) ?:
	      move(&transfer, args, &uargs->done);
	bp_transfer_destroy(&transfer);
	bp_parcel_destroy(&parcel);
	return ret;
}

int bp_ioctl_send(struct file *file, void *arg, void __user *uarg)
{
	int ret = bp_move(file, arg, uarg, BLOCKPOOL_BIND_SEND,
			  bp_send_from_user);

	return min(ret, 0);
}

int bp_ioctl_recv(struct file *file, void *arg, void __user *uarg)
{
	return bp_move(file, bp_recv_alike(arg), uarg, BLOCKPOOL_BIND_RECV,
		       bp_recv_to_user);
}

static bool bp_call_valid(const struct blockpool_call_args *args)
{
	return !args->__reserved &&
	       args->send.size == sizeof(args->send) &&
	       args->recv.size == sizeof(args->recv) &&
	       !args->recv.nr_frames && !args->recv.frames &&
	       bp_transfer_valid(&args->send) &&
	       bp_transfer_valid(bp_recv_alike(&args->recv));
}

/*
 * Nothing here says -ERESTARTSYS: a call that was made again would send again.
 */
static int bp_call(struct file *file, struct bp_transfer *send,
		   struct bp_transfer *recv,
		   const struct blockpool_call_args *args,
		   struct blockpool_call_args __user *uargs)
{
	const struct blockpool_send_args *recv_args = bp_recv_alike(&args->recv);
	int ret = bp_send_from_user(send, &args->send, &uargs->send.done);

	if (ret < 0)
		return ret;
	if (ret < args->send.count)
		return 0;
	/* Its time begins only now. */
	return bp_transfer_until(recv, file, recv_args) ?:
	       bp_recv_to_user(recv, recv_args, &uargs->recv.done);
}

int bp_ioctl_call(struct file *file, void *arg, void __user *uarg)
{
	struct blockpool_call_args __user *uargs = uarg;
	const struct blockpool_call_args *args = arg;
	struct bp_transfer send = {}, recv = {};
	struct bp_parcel parcel;
	int ret;

	if (put_user(0, &uargs->send.done) || put_user(0, &uargs->recv.done))
		return -EFAULT;
	if (!bp_call_valid(args))
		return -EINVAL;
	/* What is wrong with the second half is said before the first is done. */
	ret = bp_parcel_init(&parcel, file, &args->send,
			     max(args->send.count, args->recv.count)) ?:
	      bp_transfer_init(&send, file, &parcel, &args->send,
			       BLOCKPOOL_BIND_SEND) ?:
	      bp_transfer_init(&recv, file, &parcel,
			       bp_recv_alike(&args->recv),
			       BLOCKPOOL_BIND_RECV) ?:
	      bp_call(file, &send, &recv, args, uargs);
	bp_transfer_destroy(&recv);
	bp_transfer_destroy(&send);
	bp_parcel_destroy(&parcel);
	return ret;
}

/*
 * SHARE
 */

static int bp_share_to(struct bp_client *client, struct bp_message *message,
		       struct bp_port **ports, u32 n)
{
	const struct bp_caller caller = { .client = client->id };
	const struct bp_transfer transfer = {
		.client = client,
		.messages = message,
		.n = 1,
		.caller = &caller,
	};

	return bp_send_check(&transfer) ?: bp_share(&transfer, ports, n);
}

static int bp_ports_from_user(struct bp_client *client, struct bp_port **ports,
			      u32 n, const u32 __user *from)
{
	u32 number, i;
	int ret = 0;

	for (i = 0; i < n; i++) {
		if (get_user(number, from + i))
			ret = -EFAULT;
		else
			ports[i] = bp_bound_port(client, number,
						 BLOCKPOOL_BIND_SEND);
		if (ret || !ports[i])
			break;
	}
	return i == n ? 0 : ret ?: -ENOENT;
}

int bp_ioctl_share(struct file *file, void *arg, void __user *uarg)
{
	const struct blockpool_share_args *args = arg;
	struct bp_message message = { .user = args->message };
	struct bp_client *client;
	struct bp_port **ports;
	int ret;
	u32 i;

	if (args->flags || !args->nr_ports || args->__reserved ||
	    args->nr_ports > BLOCKPOOL_PORTS_MAX)
		return -EINVAL;
	client = bp_writing_client(file);
	if (IS_ERR(client))
		return PTR_ERR(client);
	ports = kcalloc(args->nr_ports, sizeof(*ports), BP_GFP_CHARGED);
	if (!ports)
		return -ENOMEM;
	ret = bp_ports_from_user(client, ports, args->nr_ports,
				 u64_to_user_ptr(args->ports)) ?:
	      bp_share_to(client, &message, ports, args->nr_ports);
	for (i = 0; i < args->nr_ports && ports[i]; i++)
		bp_port_put(ports[i]);
	kfree(ports);
	return ret;
}

/*
 * The list
 */

static void bp_port_tell(struct bp_port *port, struct blockpool_port_args *args)
{
	struct bp_port_stats stats;

	bp_port_read_stats(port, &stats);
	args->flags = port->flags;
	args->depth = port->depth;
	args->nr_messages = stats.nr;
	args->nr_taken = stats.nr_taken;
	args->max_messages = stats.max;
	args->nr_senders = port->nr_senders;
	args->nr_receivers = port->nr_receivers;
	args->linger_ms = port->linger_ms;
	args->mode = port->mode;
	args->uid = from_kuid_munged(current_user_ns(), port->uid);
	args->gid = from_kgid_munged(current_user_ns(), port->gid);
	args->sent = stats.sent;
	args->received = stats.received;
	args->refused = stats.refused;
	memcpy(args->name, port->name, sizeof(args->name));
}

int bp_ioctl_port(struct file *file, void *arg, void __user *uarg)
{
	struct blockpool_port_args *args = arg;
	struct blockpool *pool;
	struct bp_port *port;

	if (args->__reserved)
		return -EINVAL;
	pool = bp_file_look(file);
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	mutex_lock(&pool->ports.lock);
	port = bp_port_next(&pool->ports, &args->cursor);
	if (port)
		bp_port_tell(port, args);
	mutex_unlock(&pool->ports.lock);
	bp_pool_put(pool);
	return port ? 0 : -ENOENT;
}

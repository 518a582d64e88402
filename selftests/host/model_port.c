// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "model.h"
#include "model_port.h"

struct port {
	char name[BLOCKPOOL_NAME_SIZE];
	__u32 number;			/* 0: there is none */
	__u32 flags;
	__u32 binds;			/* that are not undone */
	__u32 nr;
	struct blockpool_message messages[MODEL_DEPTH];
};

static struct port ports[MODEL_PORTS];
static __u32 *owners;
static __u32 *shares;		/* of each block, in flight or held */
static __u32 nr_blocks;
static __u32 last_number;

void model_ports_init(__u32 *table, __u32 nr)
{
	memset(ports, 0, sizeof(ports));
	owners = table;
	nr_blocks = nr;
	last_number = 0;
	free(shares);
	shares = calloc(nr, sizeof(*shares));
}

static struct port *port_named(const char *name)
{
	__u32 i;

	for (i = 0; i < MODEL_PORTS; i++) {
		if (ports[i].number && !strcmp(ports[i].name, name))
			return &ports[i];
	}
	return NULL;
}

void model_port_end(const char *name)
{
	port_named(name)->number = 0;
}

/* 0 finds a place for another one. */
static struct port *port_numbered(__u32 number)
{
	__u32 i;

	for (i = 0; i < MODEL_PORTS; i++) {
		if (ports[i].number == number)
			return &ports[i];
	}
	return NULL;
}

static int bind_port(struct blockpool_bind_args *args)
{
	struct port *port = port_named(args->name);

	model.bound = *args;
	if (args->size != sizeof(*args) || args->__reserved)
		return EINVAL;
	if (!port) {
		port = args->flags & BLOCKPOOL_BIND_CREATE ?
			port_numbered(0) : NULL;
		if (!port)
			return ENOENT;
		*port = (struct port){ .number = ++last_number };
		memcpy(port->name, args->name, sizeof(port->name));
		port->flags = args->flags & BLOCKPOOL_BIND_AGAIN;
	}
	port->binds++;
	args->port = port->number;
	args->fd = -1;
	if (args->flags & BLOCKPOOL_BIND_FD)
		args->fd = eventfd(0, EFD_CLOEXEC);
	model.bound_fd = args->fd;
	return 0;
}

static int unbind_port(const struct blockpool_unbind_args *args)
{
	struct port *port = args->port ? port_numbered(args->port) : NULL;

	if (args->size != sizeof(*args))
		return EINVAL;
	model.nr_unbinds++;
	if (!port)
		return ENOENT;
	if (!--port->binds)
		port->number = 0;	/* and its blocks are lost */
	return 0;
}

static int next_port(struct blockpool_port_args *args)
{
	__u32 i;

	for (i = args->cursor + 1; i <= last_number; i++) {
		struct port *port = port_numbered(i);

		if (port) {
			args->cursor = i;
			args->flags = port->flags;
			return 0;
		}
	}
	return ENOENT;
}

static int look_at(const struct blockpool_message *messages, __u32 count)
{
	__u32 i, j;

	for (i = 0; i < count; i++) {
		if (messages[i].index >= nr_blocks ||
		    messages[i].length > MODEL_LENGTH)
			return EINVAL;
		if (owners[messages[i].index] != MODEL_CLIENT)
			return EPERM;
		for (j = 0; j < i; j++) {
			if (messages[j].index == messages[i].index)
				return EPERM;
		}
	}
	return 0;
}

static void put(struct port *port, const struct blockpool_message *message,
		__u32 owner, __u32 flags)
{
	struct blockpool_message *to = &port->messages[port->nr++];

	*to = *message;
	to->pid = MODEL_PID;
	to->flags = flags;
	owners[to->index] = owner;
}

static int send_messages(struct blockpool_send_args *args)
{
	const struct blockpool_message *messages =
		(void *)(uintptr_t)args->messages;
	struct port *port = port_numbered(args->port);
	__u32 i, room;
	int error;

	model.timeout_ms = args->timeout_ms;
	model.port_flags = args->flags;
	model_stack(&model.send, args->frames, args->nr_frames);
	if (!args->port || !port)
		return ENOENT;
	error = look_at(messages, args->count);
	if (error)
		return error;
	room = MODEL_DEPTH - port->nr;
	if (!room || (args->flags & BLOCKPOOL_PORT_ALL && room < args->count))
		return args->flags & BLOCKPOOL_PORT_WAIT ? ETIMEDOUT : EAGAIN;
	args->done = room < args->count ? room : args->count;
	for (i = 0; i < args->done; i++)
		put(port, &messages[i], BLOCKPOOL_OWNER_PORT | args->port, 0);
	return 0;
}

static __u32 held(void)
{
	__u32 i, n = 0;

	for (i = 0; i < nr_blocks; i++)
		n += owners[i] == MODEL_CLIENT;
	return n;
}

static int recv_messages(struct blockpool_recv_args *args)
{
	struct blockpool_message *messages = (void *)(uintptr_t)args->messages;
	struct port *port = port_numbered(args->port);
	__u32 i, n;

	model.timeout_ms = args->timeout_ms;
	model.port_flags = args->flags;
	model_stack(&model.recv, args->frames, args->nr_frames);
	if (!args->port || !port)
		return ENOENT;
	n = port->nr < args->count ? port->nr : args->count;
	if (!n || (args->flags & BLOCKPOOL_PORT_ALL && n < args->count))
		return args->flags & BLOCKPOOL_PORT_WAIT ? ETIMEDOUT : EAGAIN;
	if (model.client_max && held() + n > model.client_max)
		return EDQUOT;
	for (i = 0; i < n; i++) {
		messages[i] = port->messages[i];
		if (!(messages[i].flags & BLOCKPOOL_MESSAGE_SHARED))
			owners[messages[i].index] = MODEL_CLIENT;
		if (messages[i].reply)
			port_numbered(messages[i].reply)->binds++;
	}
	port->nr -= n;
	memmove(port->messages, port->messages + n,
		port->nr * sizeof(*port->messages));
	args->done = n;
	return 0;
}

/* Both halves are looked at first, as far as the library can get them wrong. */
static int call_messages(struct blockpool_call_args *args)
{
	struct port *from = args->recv.port ? port_numbered(args->recv.port) : NULL;
	int error;

	if (args->size != sizeof(*args) || args->__reserved ||
	    args->send.size != sizeof(args->send) ||
	    args->recv.size != sizeof(args->recv) ||
	    args->recv.nr_frames || args->recv.frames)
		return EINVAL;
	if (!from)
		return ENOENT;
	model.call_flags = args->send.flags;
	error = send_messages(&args->send);
	if (error || args->send.done < args->send.count)
		return error;
	return recv_messages(&args->recv);
}

static int share_message(const struct blockpool_share_args *args)
{
	const __u32 *numbers = (void *)(uintptr_t)args->ports;
	int error = look_at(&args->message, 1);
	struct port *port;
	__u32 i;

	if (args->size != sizeof(*args) || error)
		return error ? error : EINVAL;
	for (i = 0; i < args->nr_ports; i++) {
		port = port_numbered(numbers[i]);
		if (!port)
			return ENOENT;
		if (port->nr + args->nr_ports > MODEL_DEPTH)	/* all may be it */
			return EAGAIN;
	}
	for (i = 0; i < args->nr_ports; i++)
		put(port_numbered(numbers[i]), &args->message,
		    BLOCKPOOL_OWNER_SHARED, BLOCKPOOL_MESSAGE_SHARED);
	shares[args->message.index] = args->nr_ports;
	return 0;
}

__u32 model_share_end(__u32 index)
{
	return --shares[index];
}

int model_port_ioctl(unsigned long request, void *arg)
{
	switch (request) {
	case BLOCKPOOL_IOC_BIND:	return bind_port(arg);
	case BLOCKPOOL_IOC_UNBIND:	return unbind_port(arg);
	case BLOCKPOOL_IOC_PORT:	return next_port(arg);
	case BLOCKPOOL_IOC_SEND:	return send_messages(arg);
	case BLOCKPOOL_IOC_RECV:	return recv_messages(arg);
	case BLOCKPOOL_IOC_SHARE:	return share_message(arg);
	case BLOCKPOOL_IOC_CALL:	return call_messages(arg);
	default:			return ENOTTY;
	}
}

// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/*
 * Ports: blocks that go to others, and come from them.
 *
 * Another thread may receive a block before the call that sends it is back.  So a
 * block has lost its state when the kernel gets it, and what was not sent gets its
 * state back, unless somebody has meanwhile done something to it.
 *
 * Nothing but blockpool_bind() and its like needs memory, so a signal handler may
 * send and receive.
 */
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kernel.h"
#include "report.h"
#include "watch.h"

#define RIGHTS	(BLOCKPOOL_BIND_SEND | BLOCKPOOL_BIND_RECV)

struct blockpool_port {
	struct blockpool *pool;
	u32 number;
	u32 rights;		/* of BIND; none if it came with a message */
	bool again;		/* the kernel must see at once what is freed */
	int fd;			/* -1: none yet */
	char name[BLOCKPOOL_NAME_SIZE];
};

static int bind_name(struct blockpool *pool, const char *name,
		     struct blockpool_bind_args *args)
{
	args->size = sizeof(*args);
	return bp_set_name(args->name, name) ||
	       ioctl(pool->fd, BLOCKPOOL_IOC_BIND, args) ? -1 : 0;
}

static int unbind_number(struct blockpool *pool, u32 number)
{
	struct blockpool_unbind_args args = {
		.size = sizeof(args), .port = number,
	};

	return ioctl(pool->fd, BLOCKPOOL_IOC_UNBIND, &args);
}

/*
 * Whether the port was made with BLOCKPOOL_BIND_AGAIN.  What came from such a one
 * and lay in a magazine would still be the message to the kernel, to be received
 * again by another.  If that cannot be told, it is better to think so.
 */
static bool is_again(struct blockpool *pool, u32 number)
{
	struct blockpool_port_args args = {
		.size = sizeof(args), .cursor = number - 1,
	};

	int error = errno;
	bool again = ioctl(pool->fd, BLOCKPOOL_IOC_PORT, &args) ||
		     args.cursor != number || args.flags & BLOCKPOOL_BIND_AGAIN;

	errno = error;
	return again;
}

static struct blockpool_port *port_new(struct blockpool *pool)
{
	struct blockpool_port *port = calloc(1, sizeof(*port));

	if (port) {
		port->pool = pool;
		port->fd = -1;
	}
	return port;
}

struct blockpool_port *blockpool_bind(struct blockpool *pool,
				      const struct blockpool_port_attr *attr)
{
	struct blockpool_bind_args args = { 0 };
	struct blockpool_port *port;

	if (inherited(pool)) {
		bp_refuse_inherited(pool, bp_caller());
		return NULL;
	}
	if (!attr || attr->flags & BLOCKPOOL_BIND_FD) {
		errno = EINVAL;
		return NULL;
	}
	args.flags = attr->flags;
	args.depth = attr->depth;
	args.linger_ms = attr->linger_ms;
	args.mode = attr->mode;
	port = port_new(pool);
	if (!port || bind_name(pool, attr->name, &args)) {
		free(port);
		return NULL;
	}
	memcpy(port->name, args.name, sizeof(port->name));
	port->number = args.port;
	port->rights = attr->flags & RIGHTS;
	port->again = port->rights & BLOCKPOOL_BIND_RECV &&
		      is_again(pool, args.port);
	return port;
}

struct blockpool_port *
blockpool_reply_port(struct blockpool *pool,
		     const struct blockpool_message *message)
{
	struct blockpool_port *port;

	if (inherited(pool)) {
		bp_refuse_inherited(pool, bp_caller());
		return NULL;
	}
	if (!message->reply) {
		errno = ENOENT;
		return NULL;
	}
	port = port_new(pool);
	if (port)
		port->number = message->reply;
	return port;
}

/* To the kernel a child's ports are the parent's: it only forgets them. */
int blockpool_unbind(struct blockpool_port *port)
{
	int ret = 0;

	if (port->fd >= 0)
		close(port->fd);
	if (!inherited(port->pool))
		ret = unbind_number(port->pool, port->number);
	free(port);
	return ret;
}

uint32_t blockpool_port_number(const struct blockpool_port *port)
{
	if (!inherited(port->pool))
		return port->number;
	bp_refuse_inherited(port->pool, bp_caller());
	return 0;
}

/*
 * To BIND again makes a descriptor; the rights are there already.  The name may be
 * another port's by now, if this one has ended.
 */
static int fd_new(const struct blockpool_port *port)
{
	struct blockpool_bind_args args = {
		.flags = port->rights | BLOCKPOOL_BIND_FD,
	};

	if (!port->rights)
		return fail(EOPNOTSUPP);
	if (bind_name(port->pool, port->name, &args))
		return -1;
	unbind_number(port->pool, args.port);
	if (args.port == port->number)
		return args.fd;
	close(args.fd);
	return fail(EPIPE);
}

int blockpool_port_fd(struct blockpool_port *port)
{
	int fd, first = __atomic_load_n(&port->fd, __ATOMIC_RELAXED);

	if (inherited(port->pool))
		return bp_refuse_inherited(port->pool, bp_caller());
	if (first >= 0)
		return first;
	fd = fd_new(port);
	if (fd < 0 || __atomic_compare_exchange_n(&port->fd, &first, fd, false,
						  __ATOMIC_RELAXED,
						  __ATOMIC_RELAXED))
		return fd;
	close(fd);		/* another thread was quicker */
	return first;
}

/*
 * A block on its way to the kernel; false if it must be refused, with errno.  As
 * with a free, what else is wrong is for the kernel to say, and in a pool for
 * debugging also what is no block.
 */
static bool give_up(struct blockpool *pool, u32 index, unsigned char *before)
{
	unsigned char *state = &pool->states[index];

	*before = STATE_UNKNOWN;
	if (index >= pool->nr_blocks) {
		errno = EINVAL;
		return pool->flags & BLOCKPOOL_DEBUG;
	}
	if (*state == STATE_CACHED) {
		errno = EPERM;
		return false;
	}
	*before = *state;
	if (pool->tools && *state < STATE_SHARED)
		bp_watch_freed(pool, index);
	*state = STATE_SENT;
	return true;
}

/* One that was not sent. */
static void take_back(struct blockpool *pool, u32 index, unsigned char before)
{
	if (index >= pool->nr_blocks || pool->states[index] != STATE_SENT)
		return;
	pool->states[index] = before;
	if (pool->tools && before == STATE_HELD)
		bp_watch_taken(pool, index);
	else if (pool->tools)
		bp_watch_shown(pool, index);
}

/*
 * The messages may lie where others write, so each index is looked at as if it
 * were for the first time.
 */
static u32 index_in(const struct blockpool_message *message)
{
	return __atomic_load_n(&message->index, __ATOMIC_RELAXED);
}

static u32 give_up_all(struct blockpool *pool,
		       const struct blockpool_message *messages,
		       unsigned char *before, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		if (!give_up(pool, index_in(&messages[i]), &before[i]))
			break;
	}
	return i;
}

/* Either as it is for one who sends, or for one who receives. */
static bool is_bad(unsigned int n, unsigned int flags, int timeout_ms)
{
	return !n || n > BLOCKPOOL_MESSAGES_MAX ||
	       flags & ~BLOCKPOOL_PORT_ALL || timeout_ms < -1;
}

/* By SEND, or by CALL if something is to be received then.  Returns how many went. */
static u32 send_all(struct blockpool *pool, struct bp_move *send,
		    struct bp_move *recv, const void *caller)
{
	const struct blockpool_message *messages = send->messages;
	unsigned char before[BLOCKPOOL_MESSAGES_MAX];
	u32 i, given = give_up_all(pool, messages, before, send->n);

	if (given == send->n && recv)
		bp_kernel_call(pool, send, recv, caller);
	else if (given == send->n)
		bp_kernel_send(pool, send, caller);
	for (i = send->done; i < given; i++)
		take_back(pool, index_in(&messages[i]), before[i]);
	if (!send->done)
		bp_report_sent(pool, messages, send->n, caller);
	return send->done;
}

int blockpool_send(struct blockpool_port *port,
		   const struct blockpool_message *messages, unsigned int n,
		   unsigned int flags, int timeout_ms)
{
	struct blockpool *pool = port->pool;
	struct bp_move send = {
		.port = port->number,
		.n = n,
		.flags = flags,
		.timeout_ms = timeout_ms,
		.messages = messages,
	};

	if (inherited(pool))
		return bp_refuse_inherited(pool, bp_caller());
	if (is_bad(n, flags, timeout_ms))
		return fail(EINVAL);
	return send_all(pool, &send, NULL, bp_caller()) ? (int)send.done : -1;
}

int blockpool_share(struct blockpool_port *const *ports, unsigned int n,
		    const struct blockpool_message *message)
{
	u32 i, numbers[BLOCKPOOL_PORTS_MAX];
	struct blockpool_share_args args = {
		.size = sizeof(args),
		.nr_ports = n,
		.ports = (uintptr_t)numbers,
	};
	struct blockpool *pool;
	unsigned char before;

	if (!n || n > BLOCKPOOL_PORTS_MAX)
		return fail(EINVAL);
	pool = ports[0]->pool;
	if (inherited(pool))
		return bp_refuse_inherited(pool, bp_caller());
	for (i = 0; i < n; i++) {
		if (ports[i]->pool != pool)
			return fail(EINVAL);
		numbers[i] = ports[i]->number;
	}
	args.message = *message;
	if (give_up(pool, args.message.index, &before)) {
		if (!ioctl(pool->fd, BLOCKPOOL_IOC_SHARE, &args))
			return 0;
		take_back(pool, args.message.index, before);
	}
	bp_report_sent(pool, &args.message, 1, bp_caller());
	return -1;
}

/*
 * A block that was received can go into a magazine when it is freed, unless it is a
 * share, or one that the kernel must see freed.
 */
static void take_over(const struct blockpool_port *port,
		      const struct blockpool_message *message)
{
	struct blockpool *pool = port->pool;
	bool shared = message->flags & BLOCKPOOL_MESSAGE_SHARED;
	u32 index = index_in(message);

	if (index >= pool->nr_blocks)
		return;
	if (shared && pool->tools) {
		bp_watch_shared(pool, index);
	} else if (shared || port->again) {
		pool->states[index] = STATE_UNKNOWN;
		if (pool->tools)
			bp_watch_shown(pool, index);
	} else {
		pool->states[index] = STATE_HELD;
		if (pool->tools)
			bp_watch_taken(pool, index);
	}
}

/*
 * What has come is the handle's.  What this thread's magazine has shall not stand in
 * the way of the limit.  Returns how many, and if there are any, restores errno.
 */
static int end_recv(struct blockpool_port *port, struct bp_move *recv, int error,
		    const void *caller)
{
	u32 i;

	if (!recv->done && errno == EDQUOT) {
		blockpool_flush(port->pool);
		bp_kernel_recv(port->pool, recv, caller);
	}
	for (i = 0; i < recv->done; i++)
		take_over(port, &recv->messages[i]);
	if (recv->done)
		errno = error;
	return (int)recv->done;
}

int blockpool_recv(struct blockpool_port *port,
		   struct blockpool_message *messages, unsigned int n,
		   unsigned int flags, int timeout_ms)
{
	struct blockpool *pool = port->pool;
	struct bp_move recv = {
		.port = port->number,
		.n = n,
		.flags = flags,
		.timeout_ms = timeout_ms,
		.messages = messages,
	};
	int done, error = errno;

	if (inherited(pool))
		return bp_refuse_inherited(pool, bp_caller());
	if (is_bad(n, flags, timeout_ms))
		return fail(EINVAL);
	bp_kernel_recv(pool, &recv, bp_caller());
	done = end_recv(port, &recv, error, bp_caller());
	return done ? done : -1;
}

int blockpool_call(struct blockpool_port *to,
		   const struct blockpool_message *messages, unsigned int n,
		   struct blockpool_port *from,
		   struct blockpool_message *answers, unsigned int nr_answers,
		   int timeout_ms)
{
	struct blockpool *pool = to->pool;
	struct bp_move send = {
		.port = to->number,
		.n = n,
		.flags = BLOCKPOOL_PORT_ALL,
		.timeout_ms = timeout_ms,
		.messages = messages,
	}, recv = {
		.port = from->number,
		.n = nr_answers,
		.timeout_ms = timeout_ms,
		.messages = answers,
	};
	int error = errno;

	if (inherited(pool))
		return bp_refuse_inherited(pool, bp_caller());
	if (from->pool != pool || is_bad(n, 0, timeout_ms) ||
	    is_bad(nr_answers, 0, timeout_ms))
		return fail(EINVAL);
	if (!send_all(pool, &send, &recv, bp_caller()))
		return -1;
	return end_recv(from, &recv, error, bp_caller());
}

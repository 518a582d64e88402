// SPDX-License-Identifier: GPL-2.0
/*
 * What the processes do until they are killed.  Each answer that they get must be
 * one that is right for them; else they abort.
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "port_kills.h"
#include "../touch.h"

#define WINDOW		6	/* requests of one that are not answered yet */
#define ANSWERS		4	/* depth of a port for answers */
#define REBIND		64	/* steps */
#define TRY		16	/* steps between two things that must be refused */

const char *const port_names[PORTS] = {
	"plain", "again", "gone", "serve", "share-a", "share-b",
};

const struct part parts[VICTIMS] = {
	{ SENDER, PLAIN }, { SENDER, PLAIN }, { SENDER, PLAIN },
	{ RECEIVER, PLAIN }, { RECEIVER, PLAIN }, { RECEIVER, PLAIN },
	{ SENDER, AGAIN }, { SENDER, AGAIN },
	{ RECEIVER, AGAIN }, { RECEIVER, AGAIN }, { RECEIVER, AGAIN },
	{ OWNER, GONE }, { SENDER, GONE }, { SENDER, GONE },
	{ REQUESTER, SERVE }, { REQUESTER, SERVE },
	{ SERVER, SERVE }, { SERVER, SERVE },
	{ SHARER, SHARE_A }, { RECEIVER, SHARE_A }, { RECEIVER, SHARE_B },
};

struct victim {
	struct scene *scene;
	struct note *note;
	struct part part;
	int slot;
	struct random random;
	int fd;
	char *map;
	struct blockpool_info info;
	__u32 other;		/* a second port that it has bound */
	__u32 nr_held;		/* that it has not received */
	__u32 held[BATCH];
};

#define in(victim, where, call) ({				\
	(victim)->note->place = (where);			\
	__auto_type _ret = (call);				\
	(victim)->note->place = OUTSIDE;			\
	_ret;							\
})

static __u32 below(struct victim *victim, __u32 limit)
{
	return random_below(&victim->random, limit);
}

static bool once(struct victim *victim, __u32 many)
{
	return !below(victim, many);
}

/* Or the numbers are used up. */
static bool resting(const struct victim *victim)
{
	return __atomic_load_n(&victim->scene->rest, __ATOMIC_RELAXED) ||
	       victim->note->sent.at + BATCH > SEQS;
}

static bool isolated(const struct victim *victim)
{
	return victim->info.flags & BLOCKPOOL_ISOLATED;
}

/* What a call may answer when it does nothing this time. */
static bool not_now(int ret)
{
	return ret == -EAGAIN || ret == -ETIMEDOUT || ret == -EINTR ||
	       ret == -EDQUOT;
}

/*
 * Blocks
 */

static char *block_of(const struct victim *victim, __u32 index)
{
	return victim->map + victim->info.block_offset +
	       (size_t)index * victim->info.stride;
}

static void stamp(const struct victim *victim, __u32 index, __u64 stamp)
{
	*(__u64 *)block_of(victim, index) = stamp;
}

static __u64 stamp_of(const struct victim *victim, __u32 index)
{
	return *(__u64 *)block_of(victim, index);
}

static int alloc(struct victim *victim, __u32 *indices, __u32 n)
{
	return in(victim, ALLOC, once(victim, 2) ?
		  pool_alloc(victim->fd, indices, n) :
		  pool_alloc_wait(victim->fd, indices, n, 3));
}

/* Have as many blocks in hand, or those that there are. */
static __u32 fill(struct victim *victim, __u32 n)
{
	int ret;

	if (n > victim->nr_held) {
		ret = alloc(victim, victim->held + victim->nr_held,
			    n - victim->nr_held);
		must(!ret || not_now(ret));
		if (!ret)
			victim->nr_held = n;
	}
	return n < victim->nr_held ? n : victim->nr_held;
}

/* It was sent: in no way is it ours any more. */
static void is_gone(struct victim *victim, __u32 index)
{
	must(load(block_of(victim, index)) == (isolated(victim) ? SIGBUS : 0));
	if (once(victim, TRY))
		must(pool_give(victim->fd, index) == -EPERM);
}

static void forget(struct victim *victim, __u32 n)
{
	victim->nr_held -= n;
	memmove(victim->held, victim->held + n,
		victim->nr_held * sizeof(*victim->held));
}

/*
 * Calls
 */

static int unbind(struct victim *victim, __u32 port)
{
	return in(victim, BIND, port_unbind(victim->fd, port));
}

/* The port comes with its first receiver. */
static __u32 bind_to_send(struct victim *victim, enum port which)
{
	int port;

	while ((port = in(victim, BIND, port_bind(victim->fd, port_names[which],
						  PORT_SEND))) < 0) {
		must(port == -ENOENT);
		usleep(100);
	}
	return port;
}

static __u32 bind_as_receiver(struct victim *victim, const char *name, __u32 flags,
			      __u32 depth, __s32 linger_ms)
{
	struct blockpool_bind_args args = port_args(name, PORT_MAKE | flags);

	args.depth = depth;
	args.linger_ms = linger_ms;
	must(in(victim, BIND, port_bind_args(victim->fd, &args)) > 0);
	return args.port;
}

static __u32 bind_to_receive(struct victim *victim)
{
	const struct scene *scene = victim->scene;
	enum port which = victim->part.port;

	return bind_as_receiver(victim, port_names[which],
				which == AGAIN || which == SERVE ?
				BLOCKPOOL_BIND_AGAIN : 0, scene->depth,
				which == GONE ? scene->linger_ms : -1);
}

/* In flags and time-outs anything that is allowed. */
static __s32 how(struct victim *victim, __u32 count, __u32 *flags)
{
	*flags = 0;
	if (count <= victim->scene->depth && once(victim, 4))
		*flags |= BLOCKPOOL_PORT_ALL;
	if (once(victim, 3))
		return 0;
	*flags |= BLOCKPOOL_PORT_WAIT;
	return *flags & BLOCKPOOL_PORT_ALL || once(victim, 2) ?
	       (__s32)below(victim, 4) : -1;
}

/* Of all or of some of them; never of some, and an error. */
static int outcome(struct victim *victim, int ret, __u32 flags, __u32 count,
		   __u32 done)
{
	must(ret ? !done : done && done <= count);
	must(ret || !(flags & BLOCKPOOL_PORT_ALL) || done == count);
	victim->note->refused += not_now(ret);
	return ret ? ret : (int)done;
}

static struct blockpool_send_args send_args(struct victim *victim, __u32 port,
					    const struct blockpool_message *messages,
					    __u32 count)
{
	struct blockpool_send_args args = {
		.size = sizeof(args),
		.port = port,
		.count = count,
		.messages = (uintptr_t)messages,
	};

	args.timeout_ms = how(victim, count, &args.flags);
	return args;
}

/* How many went, or -errno; cursor counts them. */
static int send(struct victim *victim, struct cursor *cursor, __u32 port,
		const struct blockpool_message *messages, __u32 count)
{
	struct blockpool_send_args *args = &victim->note->send;
	int ret;

	*args = send_args(victim, port, messages, count);
	cursor_open(cursor, &args->done, count);
	ret = in(victim, args->flags & BLOCKPOOL_PORT_WAIT ? SEND_WAIT : SEND,
		 pool_ioctl(victim->fd, BLOCKPOOL_IOC_SEND, args));
	cursor_close(cursor);
	return outcome(victim, ret, args->flags, count, args->done);
}

static void check_message(const struct victim *victim,
			  const struct blockpool_message *message)
{
	bool shares = victim->part.port >= SHARE_A;
	__u64 seen = stamp_of(victim, message->index);

	must(message->index < victim->info.nr_blocks && message->pid > 0);
	must(!message->offset && message->length == sizeof(__u64));
	must(!(message->flags & BLOCKPOOL_MESSAGE_SHARED) == !shares);
	/* Who served it first died after the answer was written. */
	if (victim->part.port == SERVE && message->flags & BLOCKPOOL_MESSAGE_AGAIN)
		must(seen == message->cookie || seen == ~message->cookie);
	else if (victim->part.role == REQUESTER)
		must(seen == ~message->cookie);
	else
		must(seen == message->cookie);
}

static struct blockpool_message *noted(const struct victim *victim, __u32 at)
{
	return &victim->note->ring[at % RING];
}

static struct blockpool_recv_args recv_args(const struct victim *victim, __u32 port,
					    __u32 count, __s32 timeout_ms,
					    __u32 flags)
{
	__u32 at = victim->note->received.at, left = RING - at % RING;

	if (count > left)
		count = left;
	memset(noted(victim, at), 0, count * sizeof(struct blockpool_message));
	return (struct blockpool_recv_args) {
		.size = sizeof(struct blockpool_recv_args),
		.flags = flags,
		.port = port,
		.count = count,
		.timeout_ms = timeout_ms,
		.messages = (uintptr_t)noted(victim, at),
	};
}

/* The last of those noted. */
static void check_received(const struct victim *victim, int n)
{
	while (n > 0)
		check_message(victim, noted(victim, victim->note->received.at - n--));
}

/* How many came, or -errno. */
static int receive(struct victim *victim, __u32 port, __u32 count, __s32 timeout_ms,
		   __u32 flags)
{
	struct blockpool_recv_args *args = &victim->note->recv;
	int ret;

	*args = recv_args(victim, port, count, timeout_ms, flags);
	cursor_open(&victim->note->received, &args->done, args->count);
	ret = in(victim, flags & BLOCKPOOL_PORT_WAIT ? RECV_WAIT : RECV,
		 pool_ioctl(victim->fd, BLOCKPOOL_IOC_RECV, args));
	cursor_close(&victim->note->received);
	ret = outcome(victim, ret, flags, args->count, args->done);
	check_received(victim, ret);
	return ret;
}

/*
 * Both, and the second waits: how many went, or -errno; got is likewise for what came,
 * 0 if nothing was to.
 */
static int call(struct victim *victim, struct cursor *cursor, __u32 to,
		const struct blockpool_message *messages, __u32 n, __u32 from,
		__u32 count, __s32 timeout_ms, int *got)
{
	struct blockpool_call_args *args = &victim->note->call;
	int ret, sent;

	*args = (struct blockpool_call_args) {
		.size = sizeof(*args),
		.send = send_args(victim, to, messages, n),
		.recv = recv_args(victim, from, count, timeout_ms,
				  BLOCKPOOL_PORT_WAIT),
	};
	cursor_open(cursor, &args->send.done, n);
	cursor_open(&victim->note->received, &args->recv.done, args->recv.count);
	ret = in(victim, CALL, pool_ioctl(victim->fd, BLOCKPOOL_IOC_CALL, args));
	cursor_close(cursor);
	cursor_close(&victim->note->received);
	*got = 0;
	sent = outcome(victim, args->send.done ? 0 : ret, args->send.flags, n,
		       args->send.done);
	if (sent == (int)n)
		*got = outcome(victim, ret, 0, args->recv.count, args->recv.done);
	else
		must(!args->recv.done && (sent < 0 || !ret));
	check_received(victim, *got);
	return sent;
}

static __u32 nr_received(const struct victim *victim)
{
	return victim->note->received.at - victim->note->freed.at;
}

/* Of what was received the first. */
static void free_first(struct victim *victim, __u32 n)
{
	struct note *note = victim->note;
	__u32 indices[HOLD];

	if (!n)
		return;
	for (__u32 i = 0; i < n; i++) {
		check_message(victim, noted(victim, note->freed.at + i));
		indices[i] = noted(victim, note->freed.at + i)->index;
	}
	note->free = (struct blockpool_free_args) {
		.size = sizeof(note->free),
		.count = n,
		.indices = (uintptr_t)indices,
	};
	cursor_open(&note->freed, &note->free.done, n);
	must(!in(victim, FREE, pool_ioctl(victim->fd, BLOCKPOOL_IOC_FREE,
					  &note->free)));
	must(cursor_close(&note->freed) == n);
}

/*
 * Senders
 */

static void write_messages(const struct victim *victim, __u32 reply,
			   struct blockpool_message *messages, __u32 n)
{
	__u64 cookie = ((__u64)victim->slot + 1) << 40 | victim->note->sent.at;

	for (__u32 i = 0; i < n; i++, cookie++) {
		messages[i] = (struct blockpool_message) {
			.index = victim->held[i],
			.length = sizeof(cookie),
			.reply = reply,
			.cookie = cookie,
		};
		stamp(victim, victim->held[i], cookie);
	}
}

/* The last of them makes the call fail as a whole: before any is sent. */
static void send_what_is_refused(struct victim *victim,
				 struct blockpool_message *messages, __u32 n,
				 __u32 gone)
{
	int ret;

	if (gone == BLOCKPOOL_NO_INDEX)
		messages[n - 1].reply = victim->note->port;
	else
		messages[n - 1].index = gone;
	ret = send(victim, &victim->note->sent, victim->note->port, messages, n);
	must(ret == -EPERM || (ret == -EPIPE && victim->part.port == GONE));
}

/* Returns what SEND says. */
static int send_some(struct victim *victim, __u32 reply, __u32 n)
{
	struct blockpool_message messages[BATCH];
	__u32 gone = BLOCKPOOL_NO_INDEX;
	int ret;

	n = fill(victim, n);
	if (!n)
		return -EAGAIN;
	write_messages(victim, reply, messages, n);
	ret = send(victim, &victim->note->sent, victim->note->port, messages, n);
	if (ret > 0) {
		gone = messages[0].index;
		is_gone(victim, gone);
		forget(victim, ret);
	}
	if (once(victim, TRY) && victim->nr_held) {
		write_messages(victim, 0, messages, 1);
		send_what_is_refused(victim, messages, 1,
				     once(victim, 2) ? gone : BLOCKPOOL_NO_INDEX);
	}
	return ret;
}

static void unbind_ended(struct victim *victim)
{
	victim->note->epipes++;
	must(!unbind(victim, victim->note->port));
	victim->note->port = 0;
}

static void send_for_ever(struct victim *victim)
{
	int ret;

	for (;; victim->note->steps++) {
		victim->note->idle = resting(victim);
		if (resting(victim)) {
			usleep(100);
			continue;
		}
		if (!victim->note->port)
			victim->note->port = bind_to_send(victim, victim->part.port);
		ret = send_some(victim, 0, 1 + below(victim, BATCH));
		if (ret == -EPIPE && victim->part.port == GONE)
			unbind_ended(victim);
		else
			must(ret > 0 || not_now(ret));
		if (victim->note->port && once(victim, REBIND)) {
			must(!unbind(victim, victim->note->port));
			victim->note->port = 0;
		}
	}
}

/* Without a "done" of the kernel's. */
static int share(struct victim *victim, const struct blockpool_message *message)
{
	__u32 ports[2] = { victim->note->port, victim->other };
	struct blockpool_share_args args = {
		.size = sizeof(args),
		.nr_ports = 2,
		.ports = (uintptr_t)ports,
		.message = *message,
	};
	int ret;

	cursor_open(&victim->note->sent, &victim->note->shared, 1);
	ret = in(victim, SHARE, pool_ioctl(victim->fd, BLOCKPOOL_IOC_SHARE, &args));
	victim->note->shared = !ret;
	cursor_close(&victim->note->sent);
	return ret;
}

static void share_for_ever(struct victim *victim)
{
	struct blockpool_message message;
	int ret;

	victim->note->port = bind_to_send(victim, SHARE_A);
	victim->other = bind_to_send(victim, SHARE_B);
	for (;; victim->note->steps++) {
		if (resting(victim) || !fill(victim, 1)) {
			usleep(100);
			continue;
		}
		write_messages(victim, 0, &message, 1);
		ret = share(victim, &message);
		must(!ret || ret == -EAGAIN || ret == -EINTR);
		if (!ret) {
			is_gone(victim, message.index);
			forget(victim, 1);
		} else if (once(victim, 2)) {
			usleep(100);
		}
	}
}

/*
 * Receivers
 */

static bool ring_is_full(const struct victim *victim)
{
	return victim->note->received.at + BATCH >
	       __atomic_load_n(&victim->note->folded, __ATOMIC_ACQUIRE) + RING;
}

static void receive_some(struct victim *victim)
{
	__u32 n = 1 + below(victim, BATCH), flags;
	__s32 timeout_ms;

	if (n > HOLD - nr_received(victim))
		n = HOLD - nr_received(victim);
	if (!n)
		return;
	timeout_ms = how(victim, n, &flags);
	/* What it has itself may be what it waits for. */
	if (timeout_ms < 0 && nr_received(victim))
		timeout_ms = 2;
	must(({ int ret = receive(victim, victim->note->port, n, timeout_ms, flags);
		ret > 0 || not_now(ret); }));
}

/* In an isolated pool a share can be read, and not be written to. */
static void try_share(struct victim *victim)
{
	const struct blockpool_message *message;

	if (!nr_received(victim) || victim->part.port < SHARE_A)
		return;
	message = noted(victim, victim->note->received.at - 1);
	if (isolated(victim))
		must(store(block_of(victim, message->index), 'x'));
}

static void receive_for_ever(struct victim *victim)
{
	for (;; victim->note->steps++) {
		if (!victim->note->port)
			victim->note->port = bind_to_receive(victim);
		if (ring_is_full(victim) ||
		    (resting(victim) && !victim->scene->drained)) {
			usleep(100);
			continue;
		}
		receive_some(victim);
		/* Ports shall be full at times, that of one receiver above all. */
		if (once(victim, victim->part.role == OWNER ? 2 : TRY))
			usleep(below(victim, 1000));
		if (once(victim, TRY))
			try_share(victim);
		if (!once(victim, 3))
			free_first(victim, below(victim, nr_received(victim) + 1));
		if (once(victim, REBIND) && victim->part.role == RECEIVER) {
			must(!unbind(victim, victim->note->port));
			victim->note->port = 0;
		}
	}
}

/*
 * Requests
 */

/* Who asked is dead. */
static void drop_first(struct victim *victim)
{
	const struct blockpool_message *message = noted(victim, victim->note->freed.at);

	victim->note->epipes++;
	stamp(victim, message->index, message->cookie);
	free_first(victim, 1);
}

/* Who has no more in hand may wait for the next request with the same call. */
static int send_answer(struct victim *victim, __u32 port,
		       const struct blockpool_message *message, int *got)
{
	*got = 0;
	if (nr_received(victim) > 1 || ring_is_full(victim) || once(victim, 2))
		return send(victim, &victim->note->freed, port, message, 1);
	return call(victim, &victim->note->freed, port, message, 1,
		    victim->note->port, 1 + below(victim, 4), -1, got);
}

/* False if it has to be tried again. */
static bool answer_first(struct victim *victim)
{
	struct blockpool_message message = *noted(victim, victim->note->freed.at);
	__u32 port = message.reply;
	int ret, got;

	message.reply = 0;
	stamp(victim, message.index, ~message.cookie);
	ret = send_answer(victim, port, &message, &got);
	if (not_now(ret))
		return false;
	/* If it was dead when the message came, there was nothing to be bound. */
	must(unbind(victim, port) == (ret == -ENOENT ? -ENOENT : 0));
	must(ret == 1 || ret == -EPIPE || ret == -ENOENT);
	must(got >= 0 || not_now(got));
	/* What has come may be the same block again. */
	if (ret == 1 && got <= 0)
		is_gone(victim, message.index);
	else if (ret != 1)
		drop_first(victim);
	return true;
}

static void serve_for_ever(struct victim *victim)
{
	int ret;

	victim->note->port = bind_to_receive(victim);
	for (;; victim->note->steps++) {
		if (ring_is_full(victim)) {
			usleep(100);
			continue;
		}
		if (!nr_received(victim)) {
			ret = receive(victim, victim->note->port,
				      1 + below(victim, 4), -1, BLOCKPOOL_PORT_WAIT);
			must(ret > 0 || not_now(ret));
		}
		while (nr_received(victim) && answer_first(victim))
			victim->note->steps++;
	}
}

/* An answer to this process and to no other, not even to one before it. */
static void check_answers(const struct victim *victim, __u32 n)
{
	const struct note *note = victim->note;
	__u64 mine = ((__u64)victim->slot + 1) << 40;
	__u64 cookie;

	for (__u32 i = 0; i < n; i++) {
		cookie = noted(victim, note->freed.at + i)->cookie;
		must(cookie >= mine + note->first && cookie < mine + note->sent.at);
	}
}

/* Asks, and waits for an answer, with one call. */
static void ask(struct victim *victim)
{
	struct blockpool_message messages[BATCH];
	__u32 n = fill(victim, 1 + below(victim, 3));
	int ret, got;

	if (!n)
		return;
	write_messages(victim, victim->other, messages, n);
	ret = call(victim, &victim->note->sent, victim->note->port, messages, n,
		   victim->other, ANSWERS, once(victim, 2) ? -1 : 2, &got);
	must(ret > 0 || not_now(ret));
	must(got >= 0 || not_now(got));
	if (ret > 0)
		forget(victim, ret);
}

static void take_answers(struct victim *victim)
{
	check_answers(victim, nr_received(victim));
	free_first(victim, nr_received(victim));
}

/* Not asked for by CALL. */
static void await_answers(struct victim *victim)
{
	int ret = receive(victim, victim->other, ANSWERS,
			  resting(victim) || once(victim, 2) ? -1 : 2,
			  BLOCKPOOL_PORT_WAIT);

	must(ret > 0 || not_now(ret));
	take_answers(victim);
}

static void request_for_ever(struct victim *victim)
{
	struct note *note = victim->note;
	char name[BLOCKPOOL_NAME_SIZE];
	int ret;

	snprintf(name, sizeof(name), "answers-%d", victim->slot);
	victim->other = bind_as_receiver(victim, name, 0, ANSWERS, 0);
	note->port = bind_to_send(victim, SERVE);
	for (;; note->steps++) {
		note->idle = resting(victim) && !outstanding(note);
		if (!resting(victim) && outstanding(note) < WINDOW &&
		    !ring_is_full(victim)) {
			if (once(victim, 2)) {
				ask(victim);
				take_answers(victim);
				continue;
			}
			ret = send_some(victim, victim->other, 1 + below(victim, 3));
			must(ret > 0 || not_now(ret));
		}
		if (outstanding(note) && !ring_is_full(victim))
			await_answers(victim);
		else
			usleep(100);
	}
}

static int join(struct victim *victim)
{
	victim->fd = pool_join(victim->scene->name);
	victim->info = pool_info(victim->fd);
	victim->map = pool_map(victim->fd);
	return 0;
}

void victim_live(struct scene *scene, int slot, struct random random)
{
	struct victim victim = {
		.scene = scene,
		.note = &scene->notes[slot],
		.part = parts[slot],
		.slot = slot,
		.random = random,
	};

	expect_faults();
	in(&victim, OPEN, join(&victim));
	switch (victim.part.role) {
	case SENDER:
		return send_for_ever(&victim);
	case RECEIVER:
	case OWNER:
		return receive_for_ever(&victim);
	case REQUESTER:
		return request_for_ever(&victim);
	case SERVER:
		return serve_for_ever(&victim);
	case SHARER:
		return share_for_ever(&victim);
	}
}

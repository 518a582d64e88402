// SPDX-License-Identifier: GPL-2.0
/*
 * The calls of the device: arguments that are right, at their bounds, and wrong.
 * What comes back must be success or an errno that the call may have.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

#include "fuzz.h"

#define OVER_ALL	(1ULL << 40)	/* bytes: no guest has as many */
#define RING_US		2000		/* to end a wait that has no end */

union args {
	__u32 size;
	__u32 words[64];
	struct blockpool_create_args create;
	struct blockpool_name_args name;
	struct blockpool_info info;
	struct blockpool_alloc_args alloc;
	struct blockpool_free_args free;
	struct blockpool_stats stats;
	struct blockpool_list_args list;
	struct blockpool_holder_args holder;
	struct blockpool_owners_args owners;
	struct blockpool_modules_args modules;
	struct blockpool_check_args check;
	struct blockpool_repair_args repair;
	struct blockpool_report_args report;
	struct blockpool_bind_args bind;
	struct blockpool_unbind_args unbind;
	struct blockpool_send_args send;
	struct blockpool_recv_args recv;
	struct blockpool_share_args share;
	struct blockpool_port_args port;
	struct blockpool_call_args call;
};

/* 0 and 1, bounds of the interface and of types, anything. */
__u32 fuzz_number(struct fuzz *fuzz)
{
	static const __u32 bounds[] = {
		63, 64, 65, 255, 256, 257, BLOCKPOOL_MESSAGES_MAX,
		BLOCKPOOL_MESSAGES_MAX + 1, 4095, 4096, 4097,
		BLOCKPOOL_DEPTH_MAX, BLOCKPOOL_DEPTH_MAX + 1,
		BLOCKPOOL_BLOCK_SIZE_MAX - 1, BLOCKPOOL_BLOCK_SIZE_MAX,
		BLOCKPOOL_BLOCK_SIZE_MAX + 1, BLOCKPOOL_BLOCKS_MAX,
		BLOCKPOOL_BLOCKS_MAX + 1, 0x7fffffff, 0x80000000, 0xfffffffe,
		0xffffffff,
	};

	switch (fuzz_below(fuzz, 8)) {
	case 0:
		return FUZZ_PICK(fuzz, bounds);
	case 1:
		return random_next(&fuzz->random);
	case 2:
		return 1U << fuzz_below(fuzz, 32);
	case 3 ... 5:
		return fuzz_below(fuzz, 4);
	default:
		return fuzz_below(fuzz, 80);
	}
}

/* As a rule zero, for what is reserved or rarely used. */
static __u32 seldom(struct fuzz *fuzz)
{
	return fuzz_once(fuzz, 24) ? fuzz_number(fuzz) : 0;
}

/* Of BLOCKPOOL_NAME_SIZE bytes. */
void fuzz_name(struct fuzz *fuzz, char *name)
{
	static const char * const odd[] = {
		"", ".", "..", "a/b", "\x7f", "default", "no such pool",
	};

	memset(name, 0, BLOCKPOOL_NAME_SIZE);
	switch (fuzz_below(fuzz, 32)) {
	case 0:
		strcpy(name, FUZZ_PICK(fuzz, odd));
		break;
	case 1:
		memset(name, 'x', BLOCKPOOL_NAME_SIZE - fuzz_below(fuzz, 2));
		break;
	case 2:
		for (int i = 0; i < 8; i++)
			name[i] = random_next(&fuzz->random);
		break;
	default:
		snprintf(name, BLOCKPOOL_NAME_SIZE, "%s-%u", fuzz->prefix,
			 fuzz_below(fuzz, FUZZ_NAMES));
	}
}

static __u32 pool_flags(struct fuzz *fuzz)
{
	switch (fuzz_below(fuzz, 16)) {
	case 0 ... 5:
		return 0;
	case 6 ... 7:
		return BLOCKPOOL_PERSIST;
	case 8 ... 9:
		return BLOCKPOOL_ISOLATED;
	case 10:
		return BLOCKPOOL_ON_NODE;
	case 11:
		return 1U << fuzz_below(fuzz, 32);
	default:
		return random_next(&fuzz->random) & BLOCKPOOL_DEBUG;
	}
}

/* What comes into being is small, or else far too large for the machine. */
static void create_shape(struct fuzz *fuzz, struct blockpool_create_args *args)
{
	static const __u32 sizes[] = {
		1, 64, 65, 500, 1000, 2048, 4096, 4097, 65536, 1U << 20,
	};
	__u64 stride;

	args->block_size = fuzz_once(fuzz, 16) ? fuzz_number(fuzz) :
						 FUZZ_PICK(fuzz, sizes);
	args->nr_blocks = fuzz_once(fuzz, 4) ? fuzz_number(fuzz) :
					       1 + fuzz_below(fuzz, 100);
	stride = args->block_size + 4096ULL;
	if (stride > FUZZ_POOL_BYTES && fuzz_once(fuzz, 32))
		args->nr_blocks = 1;
	else if (stride * args->nr_blocks > FUZZ_POOL_BYTES &&
		 (__u64)args->block_size * args->nr_blocks < OVER_ALL)
		args->nr_blocks = FUZZ_POOL_BYTES / stride;
}

static void make_create(struct fuzz *fuzz, union args *args)
{
	static const __u32 modes[] = { 0, 0666, 0666, 0666, 0600, 0444, 0222 };

	create_shape(fuzz, &args->create);
	args->create.flags = pool_flags(fuzz);
	args->create.mode = fuzz_once(fuzz, 16) ? fuzz_number(fuzz) :
						  FUZZ_PICK(fuzz, modes);
	args->create.client_max = fuzz_once(fuzz, 4) ? fuzz_number(fuzz) : 0;
	args->create.node = seldom(fuzz);
	args->create.reserve = seldom(fuzz);
	fuzz_name(fuzz, args->create.name);
}

static void make_name(struct fuzz *fuzz, union args *args)
{
	args->name.flags = seldom(fuzz);
	fuzz_name(fuzz, args->name.name);
}

/* The pool "default" is other tests' too. */
static void make_unlink(struct fuzz *fuzz, union args *args)
{
	make_name(fuzz, args);
	if (!strcmp(args->name.name, "default"))
		args->name.name[0] = 'D';
}

static void make_query(struct fuzz *fuzz, union args *args)
{
	if (fuzz_once(fuzz, 8))
		args->words[1 + fuzz_below(fuzz, 40)] = fuzz_number(fuzz);
}

static void make_next(struct fuzz *fuzz, union args *args)
{
	args->list.cursor = fuzz_once(fuzz, 2) ? fuzz_number(fuzz) : 0;
	make_query(fuzz, args);
}

/* Where the kernel may look for, or put, so many words, or has no business. */
static __u64 words(struct fuzz *fuzz, const void *from, __u32 n)
{
	static const __u32 zeros[FUZZ_AREA / sizeof(__u32)];
	size_t bytes = n * sizeof(__u32);

	if (n > sizeof(zeros) / sizeof(*zeros))
		bytes = sizeof(zeros);
	return (uintptr_t)fuzz_place(fuzz, 1, from ?: zeros, bytes);
}

static __u32 batch(struct fuzz *fuzz)
{
	return fuzz_once(fuzz, 8) ? fuzz_number(fuzz) : 1 + fuzz_below(fuzz, 64);
}

static void make_frames(struct fuzz *fuzz, __u32 *nr_frames, __u64 *frames)
{
	if (!fuzz_once(fuzz, 8))
		return;
	*nr_frames = fuzz_number(fuzz);
	*frames = fuzz_once(fuzz, 2) ? words(fuzz, NULL, 64) :
				       random_next(&fuzz->random);
}

static void make_alloc(struct fuzz *fuzz, union args *args)
{
	struct blockpool_alloc_args *alloc = &args->alloc;

	alloc->flags = fuzz_once(fuzz, 4) ? BLOCKPOOL_ALLOC_WAIT : seldom(fuzz);
	alloc->count = batch(fuzz);
	if (alloc->flags & BLOCKPOOL_ALLOC_WAIT)
		alloc->timeout_ms = (int)fuzz_below(fuzz, 5) - 1;
	else
		alloc->timeout_ms = seldom(fuzz);
	if (fuzz_once(fuzz, 3))
		alloc->extra = batch(fuzz);
	make_frames(fuzz, &alloc->nr_frames, &alloc->frames);
	alloc->indices = words(fuzz, NULL, FUZZ_AREA / sizeof(__u32));
}

/* Its own, a foreign one, or no block. */
static __u32 any_index(struct fuzz *fuzz)
{
	if (fuzz_once(fuzz, 16))
		return fuzz_number(fuzz);
	if (fuzz_once(fuzz, 4))
		return fuzz_below(fuzz, 64);
	return FUZZ_PICK(fuzz, fuzz->last[fuzz->in_call]);
}

/* Some of them twice. */
static void make_free(struct fuzz *fuzz, union args *args)
{
	__u32 indices[64];

	for (int i = 0; i < 64; i++)
		indices[i] = any_index(fuzz);
	args->free.flags = seldom(fuzz);
	args->free.count = fuzz_once(fuzz, 4) ? batch(fuzz) :
						1 + fuzz_below(fuzz, 3);
	make_frames(fuzz, &args->free.nr_frames, &args->free.frames);
	args->free.indices = words(fuzz, indices, 64);
}

/* As many words as there is room for, or more than any pool has blocks. */
static void make_owners(struct fuzz *fuzz, union args *args)
{
	args->owners.flags = seldom(fuzz);
	args->owners.first = seldom(fuzz);
	args->owners.count = fuzz_once(fuzz, 8) ? BLOCKPOOL_BLOCKS_MAX + 1 :
						  fuzz_below(fuzz, 200);
	args->owners.owners = words(fuzz, NULL, FUZZ_AREA / sizeof(__u32));
}

static void make_modules(struct fuzz *fuzz, union args *args)
{
	static const char text[] = "/bin/true\n/lib/x\n\n/no end of line";

	args->modules.length = fuzz_once(fuzz, 4) ? fuzz_number(fuzz) :
						    sizeof(text);
	args->modules.text = (uintptr_t)fuzz_place(fuzz, 1, text, sizeof(text));
}

/* Of any number: what it means is to come. */
static void make_any(struct fuzz *fuzz, union args *args)
{
	for (int i = 1; i < 16; i++)
		args->words[i] = fuzz_once(fuzz, 2) ? fuzz_number(fuzz) : 0;
}

static void make_report(struct fuzz *fuzz, union args *args)
{
	/* Zeros behind what the kernel knows stay in their window. */
	args->report.report_size = fuzz_once(fuzz, 4) ?
		fuzz_number(fuzz) % (FUZZ_WINDOW / 2) :
		sizeof(struct blockpool_report);
	args->report.cursor = seldom(fuzz);
	args->report.report = words(fuzz, NULL, FUZZ_AREA / sizeof(__u32));
}

/*
 * Ports
 */

static void port_name(struct fuzz *fuzz, char *name)
{
	fuzz_name(fuzz, name);
	if (!fuzz_once(fuzz, 16))
		snprintf(name, BLOCKPOOL_NAME_SIZE, "port-%u",
			 fuzz_below(fuzz, FUZZ_PORTS));
}

/* Its own, another's, or none. */
static __u32 any_port(struct fuzz *fuzz)
{
	if (fuzz_once(fuzz, 16))
		return fuzz_number(fuzz);
	if (fuzz_once(fuzz, 8))
		return 1 + fuzz_below(fuzz, 8);
	return FUZZ_PICK(fuzz, fuzz->ports[fuzz->in_call]);
}

static __u32 bind_flags(struct fuzz *fuzz)
{
	__u32 make = BLOCKPOOL_BIND_RECV | BLOCKPOOL_BIND_CREATE;
	__u32 more = random_next(&fuzz->random) &
		     (BLOCKPOOL_BIND_FD | BLOCKPOOL_BIND_AGAIN);

	switch (fuzz_below(fuzz, 8)) {
	case 0:
		return seldom(fuzz);
	case 1:
		return make | more;
	case 2:
		return BLOCKPOOL_BIND_SEND | (more & BLOCKPOOL_BIND_FD);
	case 3:
		return BLOCKPOOL_BIND_RECV | (more & BLOCKPOOL_BIND_FD);
	default:
		return make | BLOCKPOOL_BIND_SEND | more;
	}
}

/* The pool that is other tests' too, where nothing may stay. */
static bool in_default(const struct fuzz *fuzz)
{
	struct blockpool_info info = { .size = sizeof(info) };

	return !ioctl(fuzz->fds[fuzz->in_call], BLOCKPOOL_IOC_INFO, &info) &&
	       !strcmp(info.name, "default");
}

static __s32 linger(struct fuzz *fuzz)
{
	__s32 ms = fuzz_once(fuzz, 16) ? fuzz_number(fuzz) :
					 (__s32)fuzz_below(fuzz, 4) - 1;

	return (ms == -1 || ms > 3) && in_default(fuzz) ? 0 : ms;
}

static void make_bind(struct fuzz *fuzz, union args *args)
{
	static const __u32 modes[] = { 0, 0666, 0666, 0222, 0444 };
	struct blockpool_bind_args *bind = &args->bind;

	bind->flags = bind_flags(fuzz);
	bind->depth = fuzz_once(fuzz, 16) ? fuzz_number(fuzz) :
					    fuzz_below(fuzz, 16);
	bind->linger_ms = linger(fuzz);
	bind->mode = fuzz_once(fuzz, 16) ? fuzz_number(fuzz) :
					   FUZZ_PICK(fuzz, modes);
	bind->port = seldom(fuzz);
	bind->fd = seldom(fuzz);
	bind->__reserved = fuzz_once(fuzz, 64);
	port_name(fuzz, bind->name);
}

static void make_unbind(struct fuzz *fuzz, union args *args)
{
	args->unbind.port = any_port(fuzz);
}

static struct blockpool_message any_message(struct fuzz *fuzz)
{
	return (struct blockpool_message) {
		.index = any_index(fuzz),
		.offset = seldom(fuzz),
		.length = fuzz_once(fuzz, 16) ? fuzz_number(fuzz) :
						fuzz_below(fuzz, 2),
		.reply = fuzz_once(fuzz, 8) ? any_port(fuzz) : 0,
		.cookie = random_next(&fuzz->random),
		.pid = fuzz_once(fuzz, 64),
		.flags = fuzz_once(fuzz, 64) ? fuzz_number(fuzz) : 0,
	};
}

/* SEND or RECV: all fields of both structures are the same. */
static void make_move(struct fuzz *fuzz, struct blockpool_send_args *send)
{
	if (fuzz_once(fuzz, 4))
		send->flags |= BLOCKPOOL_PORT_ALL;
	if (fuzz_once(fuzz, 4))
		send->flags |= BLOCKPOOL_PORT_WAIT;
	send->flags |= seldom(fuzz);
	send->timeout_ms = send->flags & BLOCKPOOL_PORT_WAIT ?
			   (__s32)fuzz_below(fuzz, 5) - 1 : (__s32)seldom(fuzz);
	send->port = any_port(fuzz);
	send->count = fuzz_once(fuzz, 4) ? batch(fuzz) : 1 + fuzz_below(fuzz, 3);
	send->done = seldom(fuzz);
	make_frames(fuzz, &send->nr_frames, &send->frames);
}

static void make_send(struct fuzz *fuzz, union args *args)
{
	struct blockpool_message messages[64];

	make_move(fuzz, &args->send);
	for (int i = 0; i < 64; i++)
		messages[i] = any_message(fuzz);
	args->send.messages = (uintptr_t)fuzz_place(fuzz, 1, messages,
						    sizeof(messages));
}

static void make_recv(struct fuzz *fuzz, union args *args)
{
	make_move(fuzz, &args->send);
	args->recv.messages = words(fuzz, NULL, FUZZ_AREA / sizeof(__u32));
}

/* What comes lies where what goes lay, and is no more than there is room for. */
static void make_both(struct fuzz *fuzz, union args *args)
{
	struct blockpool_message messages[FUZZ_AREA / sizeof(struct blockpool_message)];
	struct blockpool_call_args *call = &args->call;
	struct blockpool_send_args recv = {};

	memset(messages, 0, sizeof(messages));
	for (int i = 0; i < 64; i++)
		messages[i] = any_message(fuzz);
	make_move(fuzz, &call->send);
	call->send.size = fuzz_once(fuzz, 24) ? fuzz_number(fuzz) :
						sizeof(call->send);
	call->send.messages = (uintptr_t)fuzz_place(fuzz, 1, messages,
						    sizeof(messages));
	make_move(fuzz, &recv);
	recv.size = fuzz_once(fuzz, 24) ? fuzz_number(fuzz) : sizeof(call->recv);
	recv.messages = call->send.messages;
	recv.nr_frames = seldom(fuzz);
	recv.frames = seldom(fuzz);
	memcpy(&call->recv, &recv, sizeof(call->recv));
}

static void make_share(struct fuzz *fuzz, union args *args)
{
	__u32 ports[64];

	for (int i = 0; i < 64; i++)
		ports[i] = any_port(fuzz);
	args->share.flags = seldom(fuzz);
	args->share.nr_ports = fuzz_once(fuzz, 4) ? batch(fuzz) :
						    1 + fuzz_below(fuzz, 2);
	args->share.ports = words(fuzz, ports, 64);
	args->share.message = any_message(fuzz);
}

struct call {
	const char *name;
	__u32 weight;
	__u32 size;
	void (*make)(struct fuzz *fuzz, union args *args);
	__u8 errnos[12];	/* beside those that any call may have */
};

#define CALL(_name, _weight, _args, _make, ...)				\
	[_IOC_NR(BLOCKPOOL_IOC_##_name)] = {				\
		#_name, _weight, sizeof(struct blockpool_##_args), _make,	\
		{ __VA_ARGS__ } }

static const struct call calls[FUZZ_IOCTLS] = {
	CALL(CREATE, 4, create_args, make_create, EACCES, EBUSY, EEXIST, ENOMEM,
	     EINTR, EOPNOTSUPP),
	CALL(ATTACH, 6, name_args, make_name, EACCES, EBUSY, ENOENT, ENOMEM),
	CALL(UNLINK, 1, name_args, make_unlink, EACCES, ENOENT),
	CALL(INFO, 2, info, make_query, EACCES, ENOENT),
	CALL(ALLOC, 12, alloc_args, make_alloc, EACCES, EAGAIN, ETIMEDOUT, EINTR,
	     EDQUOT, ENOENT, ENOMEM),
	CALL(FREE, 10, free_args, make_free, EACCES, EPERM, ENOENT, ENOMEM),
	CALL(STATS, 2, stats, make_query, EACCES, ENOENT),
	CALL(LIST, 2, list_args, make_next, ENOENT),
	CALL(HOLDER, 2, holder_args, make_next, EACCES, ENOENT),
	CALL(OWNERS, 2, owners_args, make_owners, EACCES, ENOENT, EINTR),
	CALL(MODULES, 1, modules_args, make_modules, EACCES, ENOENT, ENOMEM,
	     EOPNOTSUPP),
	CALL(CHECK, 1, check_args, make_query, EACCES, ENOENT, EINTR, EOPNOTSUPP),
	CALL(REPAIR, 1, repair_args, make_query, EACCES, ENOENT, EINTR, EOPNOTSUPP),
	CALL(REPORT, 1, report_args, make_report, EACCES, ENOENT, ENOMEM,
	     EOPNOTSUPP),
	CALL(BIND, 8, bind_args, make_bind, EACCES, ENOENT, ENOMEM, EMFILE, EPIPE),
	CALL(UNBIND, 1, unbind_args, make_unbind, EACCES, ENOENT),
	CALL(SEND, 10, send_args, make_send, EACCES, EAGAIN, ETIMEDOUT, EINTR,
	     EPERM, EPIPE, ENOENT, ENOMEM),
	CALL(RECV, 10, recv_args, make_recv, EACCES, EAGAIN, ETIMEDOUT, EINTR,
	     EDQUOT, ENOENT, ENOMEM),
	CALL(SHARE, 4, share_args, make_share, EACCES, EAGAIN, EPERM, EPIPE, ENOENT,
	     ENOMEM, EOPNOTSUPP),
	CALL(PORT, 1, port_args, make_next, EACCES, ENOENT),
	CALL(CALL, 10, call_args, make_both, EACCES, EAGAIN, ETIMEDOUT, EINTR,
	     EPERM, EPIPE, EDQUOT, ENOENT, ENOMEM),
};

static bool may_fail(const struct call *call, int error)
{
	if (error == EBADF || error == ENOTTY || error == EFAULT ||
	    error == EINVAL || error == E2BIG)
		return true;
	return call->make && memchr(call->errnos, error, sizeof(call->errnos));
}

static void note(struct fuzz *fuzz, __u32 nr, int error)
{
	const struct call *call = &calls[nr];

	must(error < FUZZ_ERRNOS);
	fuzz_count(&fuzz->shared->calls);
	fuzz_count(&fuzz->shared->answers[call->make ? nr : FUZZ_IOCTLS][error]);
	if (error && !may_fail(call, error))
		pool_fatal("ioctl %u (%s) failed with %d: %s", nr,
			   call->make ? call->name : "none", error,
			   strerror(error));
}

/* Known ones by their weight, any other now and then. */
static __u32 pick_call(struct fuzz *fuzz)
{
	__u32 sum = 0, at;

	if (fuzz_once(fuzz, 40))
		return fuzz_below(fuzz, FUZZ_IOCTLS);
	for (__u32 nr = 0; nr < FUZZ_IOCTLS; nr++)
		sum += calls[nr].weight;
	at = fuzz_below(fuzz, sum);
	for (__u32 nr = 0; ; at -= calls[nr++].weight)
		if (at < calls[nr].weight)
			return nr;
}

static __u32 size_of(struct fuzz *fuzz, const struct call *call)
{
	switch (fuzz_below(fuzz, 24)) {
	case 0:
		return fuzz_number(fuzz);
	case 1:
		return call->size + fuzz_below(fuzz, 64);
	case 2:
		return call->size - fuzz_below(fuzz, 16);
	default:
		return call->size;
	}
}

/* A wait without end is ended by signals, as often as it takes. */
static void ring(bool on)
{
	const struct timeval each = { .tv_usec = on ? RING_US : 0 };
	const struct itimerval timer = { each, each };

	must(!setitimer(ITIMER_REAL, &timer, NULL));
}

/* A call that there is not: by its number, or by what else is in it. */
static unsigned long odd_request(struct fuzz *fuzz)
{
	if (fuzz_once(fuzz, 2))
		return _IO(BLOCKPOOL_IOC_MAGIC,
			   FUZZ_IOCTLS + fuzz_below(fuzz, 256 - FUZZ_IOCTLS));
	return _IOC(1 + fuzz_below(fuzz, 3), BLOCKPOOL_IOC_MAGIC,
		    fuzz_below(fuzz, 256), fuzz_number(fuzz));
}

/* Indices, one in every so many words of what the call was given to fill. */
static void keep(struct fuzz *fuzz, __u32 n, size_t words)
{
	const __u32 *indices = (const __u32 *)fuzz->memory.areas[1].good;

	for (__u32 i = 0; i < n && i < FUZZ_LAST; i++)
		fuzz->last[fuzz->in_call][i] = indices[i * words];
}

/* The number, if it was told in memory that is ours. */
static void keep_port(struct fuzz *fuzz)
{
	const struct blockpool_bind_args *bind =
		(const void *)fuzz->memory.areas[0].good;
	__u32 *ports = fuzz->ports[fuzz->in_call];

	ports[fuzz_below(fuzz, FUZZ_PORTS)] = bind->port;
	for (int i = 0; i < FUZZ_PORTS; i++)
		if (!ports[i])
			ports[i] = bind->port;
}

/* The number that the process's next file gets. */
static int next_fd(void)
{
	int fd = dup(STDERR_FILENO);

	must(fd >= 0);
	close(fd);
	return fd;
}

/*
 * The file of a port, wherever its number was told; none if the call failed.  If the
 * client's own was closed meanwhile, it may have got that one's number.
 */
static void keep_file(struct fuzz *fuzz, int client, int fd, bool bound)
{
	int *slot = &fuzz->fds[fuzz->in_call];

	if (*slot < 0 && client >= 0 && fcntl(client, F_GETFD) >= 0)
		fd = client;
	if (fcntl(fd, F_GETFD) < 0)
		return;
	must(bound);
	if (!fuzz_once(fuzz, 4)) {
		close(fd);
		return;
	}
	if (*slot >= 0)
		close(*slot);
	*slot = fd;
}

/* A file as a good user has it, attached to some pool or to none. */
static void fresh(struct fuzz *fuzz, int *fd)
{
	union args name = { .size = sizeof(name.name) };
	union args create = { .size = sizeof(create.create) };

	*fd = open(POOL_DEVICE, O_RDWR);
	if (*fd < 0 || fuzz_once(fuzz, 4))
		return;
	make_name(fuzz, &name);
	make_create(fuzz, &create);
	memcpy(create.create.name, name.name.name, BLOCKPOOL_NAME_SIZE);
	if (ioctl(*fd, BLOCKPOOL_IOC_ATTACH, &name) && errno == ENOENT)
		ioctl(*fd, BLOCKPOOL_IOC_CREATE, &create);
}

/* A port to move something through, and something. */
static void fresh_port(struct fuzz *fuzz)
{
	int fd = fuzz->fds[fuzz->in_call];
	union args bind = { .size = sizeof(bind.bind) };
	__u32 index;
	struct blockpool_alloc_args alloc = {
		.size = sizeof(alloc), .count = 1, .indices = (uintptr_t)&index,
	};

	make_bind(fuzz, &bind);
	bind.bind.flags &= ~BLOCKPOOL_BIND_FD;
	if (!ioctl(fd, BLOCKPOOL_IOC_BIND, &bind))
		for (int i = 0; i < FUZZ_PORTS; i++)
			fuzz->ports[fuzz->in_call][i] = bind.bind.port;
	if (!ioctl(fd, BLOCKPOOL_IOC_ALLOC, &alloc))
		for (int i = 0; i < FUZZ_LAST; i += 2)
			fuzz->last[fuzz->in_call][i] = index;
}

static bool needs_port(unsigned long request)
{
	return request == BLOCKPOOL_IOC_SEND || request == BLOCKPOOL_IOC_RECV ||
	       request == BLOCKPOOL_IOC_CALL || request == BLOCKPOOL_IOC_SHARE ||
	       request == BLOCKPOOL_IOC_UNBIND;
}

/* Then the call is ended by a signal. */
static bool waits_for_ever(__u32 nr, const union args *args)
{
	switch (_IO(BLOCKPOOL_IOC_MAGIC, nr)) {
	case BLOCKPOOL_IOC_ALLOC:
		return args->alloc.timeout_ms == -1;
	case BLOCKPOOL_IOC_SEND:
	case BLOCKPOOL_IOC_RECV:
		return args->send.timeout_ms == -1;
	case BLOCKPOOL_IOC_CALL:
		return args->call.send.timeout_ms == -1 ||
		       args->call.recv.timeout_ms == -1;
	default:
		return false;
	}
}

static void keep_what_came(struct fuzz *fuzz, __u32 nr, const union args *args)
{
	switch (_IO(BLOCKPOOL_IOC_MAGIC, nr)) {
	case BLOCKPOOL_IOC_ALLOC:
		keep(fuzz, args->alloc.count, 1);
		break;
	case BLOCKPOOL_IOC_RECV:
	case BLOCKPOOL_IOC_CALL:
		keep(fuzz, 1, sizeof(struct blockpool_message) / sizeof(__u32));
		break;
	case BLOCKPOOL_IOC_BIND:
		keep_port(fuzz);
		break;
	}
}

static int make_call(struct fuzz *fuzz, __u32 nr, unsigned long request,
		     union args *args)
{
	bool forever = waits_for_ever(nr, args);
	int ret;

	if (forever)
		ring(true);
	ret = ioctl(fuzz->fds[fuzz->in_call], request,
		    fuzz_place(fuzz, 0, args, sizeof(*args)));
	note(fuzz, nr, ret ? errno : 0);
	if (forever)
		ring(false);
	return ret;
}

void fuzz_ioctl(struct fuzz *fuzz)
{
	__u32 nr = pick_call(fuzz);
	const struct call *call = &calls[nr];
	unsigned long request = call->make ? _IO(BLOCKPOOL_IOC_MAGIC, nr) :
					     odd_request(fuzz);
	union args args = {};
	int ret, client, fd = -1;

	fuzz->in_call = fuzz_below(fuzz, FUZZ_FDS);
	if (fuzz->fds[fuzz->in_call] < 0 && !fuzz_once(fuzz, 8))
		fresh(fuzz, &fuzz->fds[fuzz->in_call]);
	client = fuzz->fds[fuzz->in_call];
	if (needs_port(request) && fuzz_once(fuzz, 2))
		fresh_port(fuzz);
	(call->make ?: make_any)(fuzz, &args);
	args.size = size_of(fuzz, call);
	if (request == BLOCKPOOL_IOC_BIND)
		fd = next_fd();
	ret = make_call(fuzz, nr, request, &args);
	if (!ret)
		keep_what_came(fuzz, nr, &args);
	if (fd >= 0)
		keep_file(fuzz, client, fd, !ret);
	fuzz_settle(fuzz);
}

/* From another thread while a call lies still: with memory that is there. */
void fuzz_unlink(struct fuzz *fuzz)
{
	union args args = { .size = sizeof(args.name) };
	int fd = pool_open(O_RDWR);

	make_unlink(fuzz, &args);
	ioctl(fd, BLOCKPOOL_IOC_UNLINK, &args);
	close(fd);
}

/* A line for each call; whether each that is known succeeded and failed. */
bool fuzz_report(const struct fuzz_shared *shared)
{
	bool both = true;

	for (__u32 nr = 0; nr <= FUZZ_IOCTLS; nr++) {
		const __u64 *answers = shared->answers[nr];
		const char *name = nr < FUZZ_IOCTLS ? calls[nr].name : "others";
		bool failed = false;

		if (!name)
			continue;
		printf("# %-8s %7llu done", name, answers[0]);
		for (int error = 1; error < FUZZ_ERRNOS; error++) {
			failed |= answers[error];
			if (answers[error])
				printf(", %llu %s", answers[error],
				       strerrorname_np(error));
		}
		printf("\n");
		both &= failed && (answers[0] || nr == FUZZ_IOCTLS);
	}
	return both;
}

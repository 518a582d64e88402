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
};

/* 0 and 1, bounds of the interface and of types, anything. */
__u32 fuzz_number(struct fuzz *fuzz)
{
	static const __u32 bounds[] = {
		63, 64, 65, 255, 256, 4095, 4096, 4097,
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

/* Own, foreign and no blocks; some of them twice. */
static void make_free(struct fuzz *fuzz, union args *args)
{
	__u32 indices[64];

	for (int i = 0; i < 64; i++)
		indices[i] = fuzz_once(fuzz, 16) ? fuzz_number(fuzz) :
			     fuzz_once(fuzz, 4) ? fuzz_below(fuzz, 64) :
			     FUZZ_PICK(fuzz, fuzz->last[fuzz->in_call]);
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

static void keep(struct fuzz *fuzz, __u32 n)
{
	const __u32 *indices = (const __u32 *)fuzz->memory.areas[1].good;

	for (__u32 i = 0; i < n && i < FUZZ_LAST; i++)
		fuzz->last[fuzz->in_call][i] = indices[i];
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

void fuzz_ioctl(struct fuzz *fuzz)
{
	__u32 nr = pick_call(fuzz);
	const struct call *call = &calls[nr];
	unsigned long request = call->make ? _IO(BLOCKPOOL_IOC_MAGIC, nr) :
					     odd_request(fuzz);
	union args args = {};
	bool forever;
	int ret;

	fuzz->in_call = fuzz_below(fuzz, FUZZ_FDS);
	if (fuzz->fds[fuzz->in_call] < 0 && !fuzz_once(fuzz, 8))
		fresh(fuzz, &fuzz->fds[fuzz->in_call]);
	(call->make ?: make_any)(fuzz, &args);
	args.size = size_of(fuzz, call);
	forever = nr == _IOC_NR(BLOCKPOOL_IOC_ALLOC) &&
		  args.alloc.timeout_ms == -1;
	if (forever)
		ring(true);
	ret = ioctl(fuzz->fds[fuzz->in_call], request,
		    fuzz_place(fuzz, 0, &args, sizeof(args)));
	note(fuzz, nr, ret ? errno : 0);
	if (forever)
		ring(false);
	if (!ret && nr == _IOC_NR(BLOCKPOOL_IOC_ALLOC))
		keep(fuzz, args.alloc.count);
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

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the rooms of attack_fuzz share: a process that makes random calls.
 *
 * attack_fuzz.c	the processes, and what must be true when all have ended
 * fuzz/memory.c	arguments in all kinds of memory
 * fuzz/ioctls.c	the calls of the device, with all kinds of arguments
 * fuzz/calls.c		what else can be done with a file or a mapping
 * fuzz/model.c		a client whose every answer can be foretold
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <setjmp.h>
#include <stdint.h>

#include "../attack.h"
#include "../pool.h"

#define FUZZ_NAMES	8	/* of pools that come and go */
#define FUZZ_FDS	8	/* files that a process has at most */
#define FUZZ_MAPS	4
#define FUZZ_WINDOW	(8UL << 20)	/* address space for one mapping */
#define FUZZ_POOL_BYTES	(1UL << 20)	/* of most pools that come into being */
#define FUZZ_LAST	8		/* indices remembered for each file */
#define FUZZ_PORTS	4		/* names of ports, numbers remembered likewise */
#define FUZZ_DEPTH	32		/* of the model's port, at most */
#define FUZZ_AREA	(24UL << 10)	/* bytes: holds BLOCKPOOL_BATCH_MAX indices */
#define FUZZ_IOCTLS	32		/* numbers that are tried */
#define FUZZ_ERRNOS	134

/* Written by all processes. */
struct fuzz_shared {
	bool stop;
	__u64 calls;		/* on the device, of all processes */
	__u64 stalled;		/* calls that lay still while others went on */
	__u64 faults;		/* SIGSEGV and SIGBUS, expected */
	__u64 model;		/* calls whose answer was foretold */
	/* By number of the ioctl and errno; the last number is for all unknown. */
	__u64 answers[FUZZ_IOCTLS + 1][FUZZ_ERRNOS];
};

/* The same bytes, seen in several ways. */
struct fuzz_area {
	char *good;
	char *readonly;
	char *flicker;		/* comes and goes meanwhile */
	char *stall;		/* comes when somebody has done something else */
	bool armed;		/* that is not there yet */
	int memfd;
};

struct fuzz_memory {
	struct fuzz_area areas[2];	/* of a structure, of what it points to */
	struct fuzz_thread *thread;
	int stalls;		/* a userfaultfd, or -1 */
};

struct fuzz_model {
	int fd;
	char *map;
	struct blockpool_info info;
	__u32 nr_held;
	__u32 held[BLOCKPOOL_BATCH_MAX];
	/* Its own port, to which it sends, and from which it receives. */
	struct blockpool_bind_args port;
	__u64 cookie;			/* the next */
	__u32 nr_queued;
	struct blockpool_message queued[FUZZ_DEPTH];
	bool taken[BLOCKPOOL_BATCH_MAX];	/* of what is held: from there */
	__u32 nr_shares;
	__u32 shares[FUZZ_DEPTH];
};

/* One process. */
struct fuzz {
	struct random random;
	struct fuzz_shared *shared;
	const char *prefix;		/* of all names */
	const char *model_name;
	int fds[FUZZ_FDS];		/* -1: closed */
	int in_call;			/* the one whose call is under way */
	char *windows[FUZZ_MAPS];
	int mail[2];			/* to send files to, and to get files from */
	int epoll;
	int pipe[2];
	__u32 last[FUZZ_FDS][FUZZ_LAST];	/* handed out to it, some time */
	__u32 ports[FUZZ_FDS][FUZZ_PORTS];	/* likewise */
	struct fuzz_memory memory;
	struct fuzz_model model;
};

static inline __u32 fuzz_below(struct fuzz *fuzz, __u32 below)
{
	return random_below(&fuzz->random, below);
}

/* True once in so many times. */
static inline bool fuzz_once(struct fuzz *fuzz, __u32 in)
{
	return !fuzz_below(fuzz, in);
}

static inline void fuzz_count(__u64 *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static inline int *fuzz_fd(struct fuzz *fuzz)
{
	return &fuzz->fds[fuzz_below(fuzz, FUZZ_FDS)];
}

#define FUZZ_PICK(fuzz, array) \
	((array)[fuzz_below(fuzz, sizeof(array) / sizeof((array)[0]))])

/* memory.c */
void fuzz_memory_init(struct fuzz *fuzz);
void *fuzz_place(struct fuzz *fuzz, int area, const void *bytes, size_t size);
void fuzz_settle(struct fuzz *fuzz);
void fuzz_memory_forked(struct fuzz *fuzz);
bool fuzz_touch(struct fuzz *fuzz, char *at, const void *bytes, size_t size);

/* ioctls.c */
__u32 fuzz_number(struct fuzz *fuzz);
void fuzz_name(struct fuzz *fuzz, char *name);
void fuzz_ioctl(struct fuzz *fuzz);
void fuzz_unlink(struct fuzz *fuzz);

/* calls.c */
void fuzz_calls_init(struct fuzz *fuzz);
void fuzz_call(struct fuzz *fuzz);
void fuzz_fork(struct fuzz *fuzz);
void fuzz_close(struct fuzz *fuzz);

bool fuzz_report(const struct fuzz_shared *shared);

/* model.c */
void fuzz_model_init(struct fuzz *fuzz);
void fuzz_model(struct fuzz *fuzz);
void fuzz_model_end(struct fuzz *fuzz);

#endif /* FUZZ_FUZZ_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A model of /dev/blockpool in user space, for the library to be tested on with
 * sanitizers: one pool, one client.  Its files are memfds, so that close() is the
 * real one and mmap() almost: as in the kernel, a child has no mapping of a pool.
 * Behind the blocks there is the status page.
 */
#ifndef HOST_MODEL_H
#define HOST_MODEL_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <linux/blockpool.h>

#define MODEL_CLIENT	7U	/* the id of the one client */

struct model_stack {
	__u32 nr;
	__u64 frames[BLOCKPOOL_FRAMES_MAX];
};

struct model {
	/* What a test sets. */
	int open_error;			/* errno that open() shall give, or 0 */
	unsigned long fail_request;	/* ioctl that shall fail with ... */
	int fail_error;
	int fail_mmap;			/* which mmap() from now on fails, or 0 */
	__u64 map_size;			/* in INFO, if not 0 */
	__u32 client_max;		/* 0: no limit */
	bool others_wait;		/* only who waits too gets a block */
	void (*meanwhile)(void);	/* called once, before a call is back ... */
	unsigned long meanwhile_request;	/* of this ioctl */
	struct blockpool_status *status;	/* of the last open */

	/* What a test may look at. */
	struct blockpool_create_args created;
	int create_calls;
	int open_flags;
	int fd;				/* of the last open */
	char unlinked[BLOCKPOOL_NAME_SIZE];
	char attached[BLOCKPOOL_NAME_SIZE];
	int timeout_ms;
	unsigned int nr_ioctls;		/* ALLOC and FREE only */
	__u32 last_count;		/* of the last of these */
	__u32 last_index;		/* of the last that was to be freed */
	__u32 flags;			/* of the pool */
	struct model_stack alloc, free, send, recv;	/* of the last, if tracked */
	struct blockpool_bind_args bound;	/* as the last BIND was called */
	int bound_fd;			/* that it gave */
	unsigned int nr_unbinds;
	__u32 port_flags;		/* of the last SEND or RECV, alone or in a CALL */
	__u32 call_flags;		/* of the SEND in the last CALL */
	unsigned int nr_modules;	/* MODULES so far, and what the last said */
	char modules[BLOCKPOOL_MODULES_SIZE + 1];
};

extern struct model model;
extern __thread bool model_inside;	/* a call of this thread is under way */

/* An empty pool as CREATE or ATTACH will find it. */
void model_init(__u32 block_size, __u32 nr_blocks);
void model_init_flags(__u32 block_size, __u32 nr_blocks, __u32 flags);
__u32 model_held(void);

/* Give a block to whom that word says, to somebody else, or to the client. */
void model_own(__u32 index, __u32 owner);
void model_steal(__u32 index);
void model_lend(__u32 index);

/* Note a call stack, if the pool tracks. */
void model_stack(struct model_stack *to, __u64 frames, __u32 nr);

/* The linker lets these stand for open(), ioctl(), fstat() and mmap(). */
int __wrap_open(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_fstat(int fd, struct stat *file);
int __real_fstat(int fd, struct stat *file);
int __real_open(const char *path, int flags, ...);
void *__real_mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset);

#endif /* HOST_MODEL_H */

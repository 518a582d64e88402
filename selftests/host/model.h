/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A model of /dev/blockpool in user space, for the library to be tested on with
 * sanitizers: one pool, one client.  Its files are memfds, so that mmap() and
 * close() are the real ones.
 */
#ifndef HOST_MODEL_H
#define HOST_MODEL_H

#include <linux/blockpool.h>

#define MODEL_CLIENT	7U	/* the id of the one client */

struct model {
	/* What a test sets. */
	int open_error;			/* errno that open() shall give, or 0 */
	unsigned long fail_request;	/* ioctl that shall fail with ... */
	int fail_error;
	__u64 map_size;			/* in INFO, if not 0 */

	/* What a test may look at. */
	struct blockpool_create_args created;
	int create_calls;
	int open_flags;
	int fd;				/* of the last open */
	char unlinked[BLOCKPOOL_NAME_SIZE];
	char attached[BLOCKPOOL_NAME_SIZE];
	int timeout_ms;
};

extern struct model model;

/* An empty pool as CREATE or ATTACH will find it. */
void model_init(__u32 block_size, __u32 nr_blocks);
__u32 model_held(void);

/* Give a block to somebody else. */
void model_steal(__u32 index);

/* The linker lets these stand for open() and ioctl(). */
int __wrap_open(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

#endif /* HOST_MODEL_H */

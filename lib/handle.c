// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/* The life of a handle, and what may be asked about it and its pool. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "handle.h"
#include "modules.h"
#include "report.h"
#include "thread.h"
#include "watch.h"
#include "wiped.h"

static int device_open(int oflags)
{
	int fd = open("/dev/blockpool", oflags | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENXIO))
		errno = ENODEV;
	return fd;
}

static int set_name(struct blockpool_name_args *args, const char *name)
{
	*args = (struct blockpool_name_args){ .size = sizeof(*args) };
	return bp_set_name(args->name, name);
}

/*
 * A handle with an open device, not mapped yet.  It lies at the end of its page: a
 * load waits for an earlier store to the same place of another page, and low places
 * have enough of both.
 */
static struct blockpool *handle_new(int fd)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct blockpool *pool;
	unsigned char *memory;

	memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return NULL;
	if (madvise(memory + page, page, MADV_WIPEONFORK)) {
		munmap(memory, 2 * page);
		return NULL;
	}

	memory[page] = HERE_PLAIN;
	pool = (struct blockpool *)(memory + page) - 1;
	pool->here = memory + page;
	pool->fd = fd;
	return pool;
}

/* Attached to no pool yet. */
static struct blockpool *handle_open(int oflags)
{
	int fd = device_open(oflags);
	struct blockpool *pool;

	if (fd < 0)
		return NULL;
	pool = handle_new(fd);
	if (!pool)
		close(fd);
	return pool;
}

static int map_blocks(struct blockpool *pool, const struct blockpool_info *info,
		      int prot)
{
	void *base;

	pool->map_size = (size_t)info->map_size;
	if (pool->map_size != info->map_size)
		return fail(ENOMEM);
	base = mmap(NULL, pool->map_size, prot, MAP_SHARED, pool->fd, 0);
	if (base == MAP_FAILED)
		return -1;
	pool->base = (unsigned char *)base + info->block_offset;
	pool->block_offset = info->block_offset;
	pool->block_size = info->block_size;
	pool->nr_blocks = info->nr_blocks;
	pool->client_max = info->client_max;
	pool->stride = bp_stride_init(info->stride);
	pool->flags = info->flags & (BLOCKPOOL_DEBUG | BLOCKPOOL_ISOLATED);
	return 0;
}

static int map_status(struct blockpool *pool, const struct blockpool_info *info)
{
	off_t offset = (off_t)info->status_offset;
	void *status = mmap(NULL, sizeof(*pool->status), PROT_READ, MAP_SHARED,
			    pool->fd, offset);

	if (status == MAP_FAILED)
		return -1;
	pool->status = status;
	return 0;
}

static int map_states(struct blockpool *pool)
{
	pool->states = bp_map_wiped(pool->nr_blocks);
	return pool->states ? 0 : -1;
}

/*
 * Find out who watches.  BLOCKPOOL_DEBUG in the environment asks for reports, and
 * as "0" for the magazines, which tools would else keep away.
 */
static int start_debug(struct blockpool *pool)
{
	const char *debug = secure_getenv("BLOCKPOOL_DEBUG");
	bool off = debug && !strcmp(debug, "0");

	pool->reports = debug && *debug && !off;
	if ((pool->reports || pool->flags & BLOCKPOOL_TRACK) &&
	    !bp_modules_open())
		return -1;
	pool->tools = off ? 0 : bp_watch_tools();
	if (pool->tools) {
		bp_watch_open(pool);
		*pool->here = HERE_WATCHED;
	}
	return 0;
}

/* Map the pool that the handle's client is attached to, and be ready for use. */
static int handle_map(struct blockpool *pool, int prot)
{
	struct blockpool_info info;

	if (blockpool_info(pool, &info) || map_blocks(pool, &info, prot) ||
	    map_status(pool, &info) || map_states(pool) || start_debug(pool))
		return -1;
	return 0;
}

void bp_handle_drop(struct blockpool *pool)
{
	int error = errno;

	blockpool_close(pool);
	errno = error;
}

struct blockpool *blockpool_create(const struct blockpool_attr *attr)
{
	struct blockpool_create_args args = { .size = sizeof(args) };
	struct blockpool_name_args name;
	struct blockpool *pool;
	int error;

	if (!attr || set_name(&name, attr->name))
		goto invalid;
	memcpy(args.name, name.name, sizeof(args.name));
	args.block_size = (uint32_t)attr->block_size;
	if (args.block_size != attr->block_size)
		goto invalid;
	args.nr_blocks = attr->nr_blocks;
	args.flags = attr->flags;
	args.mode = attr->mode;
	args.client_max = attr->client_max;
	args.node = attr->node;
	args.reserve = attr->reserve;

	pool = handle_open(O_RDWR);
	if (!pool)
		return NULL;
	if (ioctl(pool->fd, BLOCKPOOL_IOC_CREATE, &args))
		goto drop;
	if (handle_map(pool, PROT_READ | PROT_WRITE))
		goto unlink;
	bp_thread_open(pool);
	return pool;

unlink:
	error = errno;			/* a persistent pool would stay */
	ioctl(pool->fd, BLOCKPOOL_IOC_UNLINK, &name);
	errno = error;
drop:
	bp_handle_drop(pool);
	return NULL;
invalid:
	errno = EINVAL;
	return NULL;
}

struct blockpool *bp_handle_open(const char *name, int oflags)
{
	int mode = oflags & ~O_CLOEXEC;
	struct blockpool_name_args args;
	struct blockpool *pool;
	int prot = PROT_READ;

	if (mode == O_RDWR) {
		prot |= PROT_WRITE;
	} else if (mode != O_RDONLY) {
		errno = EINVAL;
		return NULL;
	}
	if (set_name(&args, name ? name : "default"))
		return NULL;

	pool = handle_open(mode);
	if (!pool)
		return NULL;
	if (ioctl(pool->fd, BLOCKPOOL_IOC_ATTACH, &args) ||
	    handle_map(pool, prot)) {
		bp_handle_drop(pool);
		return NULL;
	}
	return pool;
}

/* If it fails the file is as it was, the caller's. */
struct blockpool *bp_handle_adopt(int fd)
{
	struct blockpool *pool = handle_new(fd);

	if (!pool)
		return NULL;
	if (!handle_map(pool, PROT_READ | PROT_WRITE))
		return pool;
	pool->fd = -1;
	bp_handle_drop(pool);
	return NULL;
}

struct blockpool *blockpool_open(const char *name, int oflags)
{
	struct blockpool *pool = bp_handle_open(name, oflags);

	if (pool)
		bp_thread_open(pool);
	return pool;
}

/*
 * In a child the mappings' addresses may long be somebody else's, and the file
 * is the parent's too: closing this copy of the descriptor gives nothing back.
 * Threads find out by the serial that what is in their magazines is void.
 */
int blockpool_close(struct blockpool *pool)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int fd = pool->fd;

	if (pool->serial) {
		blockpool_flush(pool);	/* freed by us, not reclaimed */
		bp_thread_close(pool);
	}
	if (pool->tools)
		bp_watch_close(pool);
	if (pool->states)
		munmap(pool->states, pool->nr_blocks);
	if (pool->status && !inherited(pool))
		munmap((void *)pool->status, sizeof(*pool->status));
	if (pool->base && !inherited(pool))
		munmap(pool->base - pool->block_offset, pool->map_size);
	munmap(pool->here - page, 2 * page);
	return close(fd);
}

int blockpool_unlink(const char *name)
{
	struct blockpool_name_args args;
	int fd, ret, error;

	if (set_name(&args, name))
		return -1;
	fd = device_open(O_RDONLY);
	if (fd < 0)
		return -1;
	ret = ioctl(fd, BLOCKPOOL_IOC_UNLINK, &args);
	error = errno;
	close(fd);
	errno = error;
	return ret;
}

int blockpool_info(struct blockpool *pool, struct blockpool_info *info)
{
	if (inherited(pool))
		return bp_refuse_inherited(pool, bp_caller());
	*info = (struct blockpool_info){ .size = sizeof(*info) };
	return ioctl(pool->fd, BLOCKPOOL_IOC_INFO, info);
}

int blockpool_stats(struct blockpool *pool, struct blockpool_stats *stats)
{
	if (inherited(pool))
		return bp_refuse_inherited(pool, bp_caller());
	*stats = (struct blockpool_stats){ .size = sizeof(*stats) };
	return ioctl(pool->fd, BLOCKPOOL_IOC_STATS, stats);
}

int blockpool_fd(const struct blockpool *pool)
{
	return inherited(pool) ? bp_refuse_inherited(pool, bp_caller()) :
				 pool->fd;
}

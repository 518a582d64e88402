// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/blockpool.h>

#include "../../common/stack.h"
#include "device.h"

#define CLIENT	2U	/* as in the owner table; any but FREE and KERNEL */

/* What one client is told to keep at most: the module's rule. */
#define CACHE_MAX(blocks)	((blocks) / 8)

static struct {
	pthread_mutex_t lock;
	int fd;
	__u32 nr_blocks, block_size, stride, page;
	__u64 map_size;
	__u32 *owners;
	struct bp_stack *stack;
	struct blockpool_status *status;
	unsigned long allocs, frees;
} device = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

unsigned long device_allocs(void)
{
	return device.allocs;
}

unsigned long device_frees(void)
{
	return device.frees;
}

/* The pages of the pool, and behind them the status page. */
static int device_pages(void)
{
	if (ftruncate(device.fd, (off_t)(device.map_size + device.page)))
		return errno;
	device.status = mmap(NULL, device.page, PROT_READ | PROT_WRITE, MAP_SHARED,
			     device.fd, (off_t)device.map_size);
	if (device.status == MAP_FAILED)
		return errno;
	device.status->size = sizeof(*device.status);
	device.status->cache_max = CACHE_MAX(device.nr_blocks);
	return 0;
}

static int device_create(const struct blockpool_create_args *args)
{
	__u64 bytes;

	device.nr_blocks = args->nr_blocks;
	device.block_size = args->block_size;
	device.stride = (args->block_size + 63) & ~63U;
	device.page = (__u32)sysconf(_SC_PAGESIZE);
	bytes = (__u64)device.stride * device.nr_blocks;
	device.map_size = (bytes + device.page - 1) & -(__u64)device.page;
	device.stack = calloc(1, bp_stack_bytes(device.nr_blocks));
	device.owners = calloc(device.nr_blocks, sizeof(*device.owners));
	if (!device.stack || !device.owners)
		return ENOMEM;
	device.stack->size = device.nr_blocks;
	bp_stack_fill(device.stack);
	return device_pages();
}

static int device_info(struct blockpool_info *info)
{
	info->block_size = device.block_size;
	info->nr_blocks = device.nr_blocks;
	info->stride = device.stride;
	info->client = CLIENT;
	info->map_size = device.map_size;
	info->status_offset = device.map_size;
	info->chunk_size = device.page;
	return 0;
}

/* As in the module: who was refused wants so many, until there are. */
static void device_want(__u32 n)
{
	if (device.status->wanted < n)
		__atomic_store_n(&device.status->wanted, n, __ATOMIC_RELAXED);
}

static void device_more(void)
{
	if (device.status->wanted && device.stack->nr)
		__atomic_store_n(&device.status->wanted, 0, __ATOMIC_RELAXED);
}

/* Half of what there is at most, and none while somebody wants it. */
static __u32 device_extra(__u32 extra)
{
	if (device.status->wanted)
		return 0;
	return extra < device.stack->nr / 2 ? extra : device.stack->nr / 2;
}

static int device_alloc(struct blockpool_alloc_args *args)
{
	__u32 *indices = (__u32 *)(uintptr_t)args->indices, extra, i;

	device.allocs++;
	if (!bp_stack_pop_bulk(device.stack, indices, args->count)) {
		device_want(args->count);
		return EAGAIN;
	}
	extra = device_extra(args->extra);
	bp_stack_pop_bulk(device.stack, indices + args->count, extra);
	args->count += extra;
	for (i = 0; i < args->count; i++)
		device.owners[indices[i]] = CLIENT;
	return 0;
}

static int device_free(struct blockpool_free_args *args)
{
	const __u32 *indices = (const __u32 *)(uintptr_t)args->indices;

	device.frees++;
	for (args->done = 0; args->done < args->count; args->done++) {
		__u32 index = indices[args->done];

		if (index >= device.nr_blocks)
			return EINVAL;
		if (device.owners[index] != CLIENT)
			return EPERM;
		device.owners[index] = BLOCKPOOL_OWNER_FREE;
		bp_stack_push(device.stack, index);
	}
	device_more();
	return 0;
}

static int dispatch(unsigned long request, void *arg)
{
	switch (request) {
	case BLOCKPOOL_IOC_CREATE:	return device_create(arg);
	case BLOCKPOOL_IOC_INFO:	return device_info(arg);
	case BLOCKPOOL_IOC_ALLOC:	return device_alloc(arg);
	case BLOCKPOOL_IOC_FREE:	return device_free(arg);
	default:			return ENOTTY;
	}
}

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (!strcmp(path, "/dev/blockpool")) {
		device.fd = memfd_create("blockpool", MFD_CLOEXEC);
		return device.fd;
	}
	va_start(ap, flags);
	if (flags & (O_CREAT | __O_TMPFILE))
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int ioctl(int fd, unsigned long request, ...)
{
	int ret, error;
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);

	ret = (int)syscall(SYS_ioctl, fd, request, arg);
	if (fd != device.fd)
		return ret;
	pthread_mutex_lock(&device.lock);
	error = dispatch(request, arg);
	pthread_mutex_unlock(&device.lock);
	if (!error)
		return 0;
	errno = error;
	return -1;
}

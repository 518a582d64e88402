// SPDX-License-Identifier: LGPL-2.1-only OR MIT
#include <sys/ioctl.h>

#include "kernel.h"

u32 bp_kernel_take(struct blockpool *pool, u32 *indices, u32 n, u32 extra)
{
	struct blockpool_alloc_args args = {
		.size = sizeof(args),
		.count = n,
		.indices = (uintptr_t)indices,
		.extra = extra,
	};

	return ioctl(pool->fd, BLOCKPOOL_IOC_ALLOC, &args) ? 0 : args.count;
}

int bp_kernel_wait(struct blockpool *pool, u32 *index, int timeout_ms)
{
	struct blockpool_alloc_args args = {
		.size = sizeof(args),
		.flags = BLOCKPOOL_ALLOC_WAIT,
		.count = 1,
		.timeout_ms = timeout_ms,
		.indices = (uintptr_t)index,
	};

	return ioctl(pool->fd, BLOCKPOOL_IOC_ALLOC, &args);
}

u32 bp_kernel_put(struct blockpool *pool, const u32 *indices, u32 n)
{
	struct blockpool_free_args args = {
		.size = sizeof(args),
		.count = n,
		.indices = (uintptr_t)indices,
	};

	return ioctl(pool->fd, BLOCKPOOL_IOC_FREE, &args) ? args.done : n;
}

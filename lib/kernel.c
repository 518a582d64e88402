// SPDX-License-Identifier: LGPL-2.1-only OR MIT
#include <sys/ioctl.h>

#include "kernel.h"
#include "modules.h"
#include "trace.h"

/* How many frames, if the pool wants any. */
static u32 frames_for(struct blockpool *pool, const void *caller, u64 *frames)
{
	u32 nr;

	if (!(pool->flags & BLOCKPOOL_TRACK))
		return 0;
	nr = bp_trace(caller, frames);
	bp_modules_tell(pool);
	return nr;
}

u32 bp_kernel_take(struct blockpool *pool, u32 *indices, u32 n, u32 extra,
		   const void *caller)
{
	u64 frames[BLOCKPOOL_FRAMES_MAX];
	struct blockpool_alloc_args args = {
		.size = sizeof(args),
		.count = n,
		.indices = (uintptr_t)indices,
		.extra = extra,
		.nr_frames = frames_for(pool, caller, frames),
		.frames = (uintptr_t)frames,
	};

	return ioctl(pool->fd, BLOCKPOOL_IOC_ALLOC, &args) ? 0 : args.count;
}

int bp_kernel_wait(struct blockpool *pool, u32 *index, int timeout_ms,
		   const void *caller)
{
	u64 frames[BLOCKPOOL_FRAMES_MAX];
	struct blockpool_alloc_args args = {
		.size = sizeof(args),
		.flags = BLOCKPOOL_ALLOC_WAIT,
		.count = 1,
		.timeout_ms = timeout_ms,
		.indices = (uintptr_t)index,
		.nr_frames = frames_for(pool, caller, frames),
		.frames = (uintptr_t)frames,
	};

	return ioctl(pool->fd, BLOCKPOOL_IOC_ALLOC, &args);
}

u32 bp_kernel_put(struct blockpool *pool, const u32 *indices, u32 n,
		  const void *caller)
{
	u64 frames[BLOCKPOOL_FRAMES_MAX];
	struct blockpool_free_args args = {
		.size = sizeof(args),
		.count = n,
		.indices = (uintptr_t)indices,
		.nr_frames = frames_for(pool, caller, frames),
		.frames = (uintptr_t)frames,
	};

	return ioctl(pool->fd, BLOCKPOOL_IOC_FREE, &args) ? args.done : n;
}

/* Whatever else went wrong, what was sent is sent. */
u32 bp_kernel_send(struct blockpool *pool, u32 port,
		   const struct blockpool_message *messages, u32 n, u32 flags,
		   int timeout_ms, const void *caller)
{
	u64 frames[BLOCKPOOL_FRAMES_MAX];
	struct blockpool_send_args args = {
		.size = sizeof(args),
		.flags = flags | (timeout_ms ? BLOCKPOOL_PORT_WAIT : 0),
		.port = port,
		.count = n,
		.timeout_ms = timeout_ms,
		.messages = (uintptr_t)messages,
		.nr_frames = frames_for(pool, caller, frames),
		.frames = (uintptr_t)frames,
	};

	ioctl(pool->fd, BLOCKPOOL_IOC_SEND, &args);
	return args.done;
}

u32 bp_kernel_recv(struct blockpool *pool, u32 port,
		   struct blockpool_message *messages, u32 n, u32 flags,
		   int timeout_ms, const void *caller)
{
	u64 frames[BLOCKPOOL_FRAMES_MAX];
	struct blockpool_recv_args args = {
		.size = sizeof(args),
		.flags = flags | (timeout_ms ? BLOCKPOOL_PORT_WAIT : 0),
		.port = port,
		.count = n,
		.timeout_ms = timeout_ms,
		.messages = (uintptr_t)messages,
		.nr_frames = frames_for(pool, caller, frames),
		.frames = (uintptr_t)frames,
	};

	ioctl(pool->fd, BLOCKPOOL_IOC_RECV, &args);
	return args.done;
}

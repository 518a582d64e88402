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

/* The arguments of SEND and RECV are laid out alike. */
#define MOVE_ARGS(type, move)						\
	((struct type) {						\
		.size = sizeof(struct type),				\
		.flags = (move)->flags |				\
			 ((move)->timeout_ms ? BLOCKPOOL_PORT_WAIT : 0),\
		.port = (move)->port,					\
		.count = (move)->n,					\
		.timeout_ms = (move)->timeout_ms,			\
		.messages = (uintptr_t)(move)->messages,		\
	})

/* Whatever else goes wrong, what was moved is moved. */
static void move_messages(struct blockpool *pool, unsigned long request,
			  struct bp_move *move, const void *caller)
{
	struct blockpool_send_args args = MOVE_ARGS(blockpool_send_args, move);
	u64 frames[BLOCKPOOL_FRAMES_MAX];

	_Static_assert(sizeof(args) == sizeof(struct blockpool_recv_args),
		       "SEND and RECV are not alike");
	args.nr_frames = frames_for(pool, caller, frames);
	args.frames = (uintptr_t)frames;
	ioctl(pool->fd, request, &args);
	move->done = args.done;
}

void bp_kernel_send(struct blockpool *pool, struct bp_move *move,
		    const void *caller)
{
	move_messages(pool, BLOCKPOOL_IOC_SEND, move, caller);
}

void bp_kernel_recv(struct blockpool *pool, struct bp_move *move,
		    const void *caller)
{
	move_messages(pool, BLOCKPOOL_IOC_RECV, move, caller);
}

void bp_kernel_call(struct blockpool *pool, struct bp_move *send,
		    struct bp_move *recv, const void *caller)
{
	u64 frames[BLOCKPOOL_FRAMES_MAX];
	struct blockpool_call_args args = {
		.size = sizeof(args),
		.send = MOVE_ARGS(blockpool_send_args, send),
		.recv = MOVE_ARGS(blockpool_recv_args, recv),
	};

	args.send.nr_frames = frames_for(pool, caller, frames);
	args.send.frames = (uintptr_t)frames;
	ioctl(pool->fd, BLOCKPOOL_IOC_CALL, &args);
	send->done = args.send.done;
	recv->done = args.recv.done;
}

/* SPDX-License-Identifier: GPL-2.0 */
/* Tracks: who did something to a block, when, and by which call stack. */
#ifndef BLOCKPOOL_TRACK_H
#define BLOCKPOOL_TRACK_H

#include <linux/sched.h>
#include <linux/types.h>
#include <uapi/linux/blockpool.h>

#include "paths.h"

/* Who is calling: the kernel, whose stack is there to be walked, or a client. */
struct bp_caller {
	u32 client;		/* id, or BLOCKPOOL_OWNER_KERNEL */
	u32 nr_frames;		/* a client's, at most BLOCKPOOL_FRAMES_MAX ... */
	const u64 *frames;	/* ... as it handed them over */
};

extern const struct bp_caller bp_caller_kernel;

/*
 * Raw addresses; text is made of them when somebody reads it.  Not a handle of
 * the kernel's stack depot: that takes a plain lock in any context on some
 * kernels, never gives memory back, and costs more than these few copies.  Of a
 * module that is unloaded before the text is made, the names are lost.
 */
struct bp_track {
	u64 time_ns;
	u32 client;		/* as in struct bp_caller; 0: nothing is known */
	s32 pid;
	s32 tid;
	u32 cpu;
	char comm[TASK_COMM_LEN];
	u32 nr_frames;
	u64 frames[BLOCKPOOL_FRAMES_MAX];
};

/* A block's last alloc and free; written by who has the block to itself. */
struct bp_history {
	u32 sequence;		/* odd while one is written */
	struct bp_track alloc;
	struct bp_track free;
};

void bp_track_make(struct bp_track *track, const struct bp_caller *caller);
void bp_history_write(struct bp_history *history, struct bp_track *to,
		      const struct bp_track *track);
void bp_history_read(const struct bp_history *history, struct bp_track *alloc,
		     struct bp_track *free);

size_t bp_track_frame(const struct bp_track *track, u32 frame,
		      struct bp_paths *paths, char *text, size_t size);
void bp_track_tell(const struct bp_track *track, struct bp_paths *paths,
		   struct blockpool_track *to);

#endif /* BLOCKPOOL_TRACK_H */

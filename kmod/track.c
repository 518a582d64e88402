// SPDX-License-Identifier: GPL-2.0
/*
 * Tracks: who did something to a block, when, and by which call stack.
 *
 * Made in any context, NMI included: nothing here takes a lock.
 */
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/stacktrace.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "track.h"

#define BP_OWN_FRAMES	12u	/* that we and who walks it may add to a stack */
#define BP_READ_TRIES	4u	/* of a history that is being written */

const struct bp_caller bp_caller_kernel = {
	.client = BLOCKPOOL_OWNER_KERNEL,
};

#ifdef CONFIG_STACKTRACE
/*
 * The first frame behind the module's own.  Before these there may be some of who
 * walked the stack: not every kernel leaves them out.
 */
static u32 bp_track_first(const unsigned long *entries, u32 n)
{
	u32 own = 0;

	while (own < n && !within_module(entries[own], THIS_MODULE))
		own++;
	if (own == n)
		return 0;
	while (own < n && within_module(entries[own], THIS_MODULE))
		own++;
	return own;
}

/* The stack from the function on that called the module. */
static u32 bp_track_stack(u64 *frames)
{
	unsigned long entries[BLOCKPOOL_FRAMES_MAX + BP_OWN_FRAMES];
	u32 n = stack_trace_save(entries, ARRAY_SIZE(entries), 0);
	u32 first = bp_track_first(entries, n), i;

	n = min(n - first, BLOCKPOOL_FRAMES_MAX);
	for (i = 0; i < n; i++)
		frames[i] = entries[first + i];
	return n;
}
#else
static u32 bp_track_stack(u64 *frames)
{
	return 0;
}
#endif

void bp_track_make(struct bp_track *track, const struct bp_caller *caller)
{
	track->time_ns = ktime_get_mono_fast_ns();
	track->client = caller->client;
	track->pid = task_tgid_nr(current);
	track->tid = task_pid_nr(current);
	track->cpu = raw_smp_processor_id();
	strscpy(track->comm, current->comm, sizeof(track->comm));
	if (caller->client == BLOCKPOOL_OWNER_KERNEL) {
		track->nr_frames = bp_track_stack(track->frames);
		return;
	}
	track->nr_frames = caller->nr_frames;
	memcpy(track->frames, caller->frames,
	       caller->nr_frames * sizeof(*caller->frames));
}

/* Not the frames that are not there: there may be many a block. */
static void bp_track_copy(struct bp_track *to, const struct bp_track *from)
{
	u32 n = min(from->nr_frames, BLOCKPOOL_FRAMES_MAX);

	memcpy(to, from, offsetof(struct bp_track, frames[n]));
}

/* @to is one of the two in @history. */
void bp_history_write(struct bp_history *history, struct bp_track *to,
		      const struct bp_track *track)
{
	WRITE_ONCE(history->sequence, history->sequence + 1);
	smp_wmb();	/* pairs with smp_rmb() in bp_history_read() */
	bp_track_copy(to, track);
	/* Pairs with smp_load_acquire() in bp_history_read(). */
	smp_store_release(&history->sequence, history->sequence + 1);
}

/* Whoever reports may not have the block to itself: both, or nothing is known. */
void bp_history_read(const struct bp_history *history, struct bp_track *alloc,
		     struct bp_track *free)
{
	u32 sequence, i;

	for (i = 0; i < BP_READ_TRIES; i++) {
		/* Pairs with smp_store_release() in bp_history_write(). */
		sequence = smp_load_acquire(&history->sequence);
		/* What is torn is thrown away. */
		data_race((bp_track_copy(alloc, &history->alloc),
			   bp_track_copy(free, &history->free), 0));
		smp_rmb();	/* pairs with smp_wmb() in bp_history_write() */
		if (!(sequence & 1) &&
		    READ_ONCE(history->sequence) == sequence)
			return;
	}
	alloc->client = 0;
	free->client = 0;
}

/* A name, or a question mark: whoever reads it need not know addresses. */
static size_t bp_frame_kernel(u64 frame, char *text, size_t size)
{
	size_t length = scnprintf(text, size, "%pB",
				  (void *)(unsigned long)frame);

	return strncmp(text, "0x", 2) ? length : scnprintf(text, size, "?");
}

static size_t bp_frame_user(u32 client, u64 frame, struct bp_paths *paths,
			    char *text, size_t size)
{
	size_t length = bp_paths_read(paths, client, frame >> 48, text, size);

	return length + scnprintf(text + length, size - length, "+0x%llx",
				  frame & GENMASK_ULL(47, 0));
}

/* One frame as text, without a newline. */
size_t bp_track_frame(const struct bp_track *track, u32 frame,
		      struct bp_paths *paths, char *text, size_t size)
{
	if (track->client == BLOCKPOOL_OWNER_KERNEL)
		return bp_frame_kernel(track->frames[frame], text, size);
	return bp_frame_user(track->client, track->frames[frame], paths, text,
			     size);
}

/* Whole frames, as many as there is room for. */
static void bp_track_tell_stack(const struct bp_track *track,
				struct bp_paths *paths, char *stack)
{
	size_t length = 0, more;
	char text[BP_FRAME_TEXT];
	u32 i;

	for (i = 0; i < track->nr_frames; i++) {
		more = bp_track_frame(track, i, paths, text, sizeof(text));
		if (length + more + 2 > BLOCKPOOL_STACK_SIZE)
			break;
		memcpy(stack + length, text, more);
		length += more;
		stack[length++] = '\n';
	}
}

/* For user space; @to is all zeros. */
void bp_track_tell(const struct bp_track *track, struct bp_paths *paths,
		   struct blockpool_track *to)
{
	BUILD_BUG_ON(sizeof(to->comm) != sizeof(track->comm));
	if (!track->client)
		return;
	to->client = track->client;
	to->pid = track->pid;
	to->tid = track->tid;
	to->cpu = track->cpu;
	to->time_ns = track->time_ns;
	memcpy(to->comm, track->comm, sizeof(to->comm));
	bp_track_tell_stack(track, paths, to->stack);
}

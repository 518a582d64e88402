/* SPDX-License-Identifier: LGPL-2.1-only OR MIT */
/*
 * The magazines: one a thread and handle.
 *
 * Each thread has a table with a place for each of the handles that may have
 * magazines; a handle has a place, its slot, in the table of every thread.  An
 * entry counts while its serial is that of the handle.  So the first comparison
 * says in one go whether this thread has a magazine of this handle: what is left
 * of a handle that was closed has a serial that no other will ever have.
 */
#ifndef BLOCKPOOL_THREAD_H
#define BLOCKPOOL_THREAD_H

#include "internal.h"

#define THREAD_SLOTS	8

struct bp_thread_entry {
	u64 serial;
	struct bp_magazine *magazine;	/* this thread's, or of a handle before */
};

/* The last entry is always empty: for handles that got no slot. */
extern __thread struct bp_thread_entry bp_thread_table[THREAD_SLOTS + 1]
	bp_initial_exec bp_hidden;

/*
 * A magazine lies in a page of its own behind a gap: a load waits for an earlier
 * store to the same place of another page, and the status page is read there.
 */
#define MAGAZINE_BYTES	4096U
#define MAGAZINE_GAP	256U
#define MAGAZINE_SPACE	896U		/* elements that it has memory for */
#define MAGAZINE_ROOM	128U		/* most that stay in it between calls */

static inline struct bp_thread_entry *
bp_thread_entry(const struct blockpool *pool)
{
	return (void *)((char *)bp_thread_table + pool->slot);
}

/* NULL: this thread has none, maybe not yet. */
static inline struct bp_magazine *bp_thread_magazine(struct blockpool *pool)
{
	struct bp_thread_entry *entry = bp_thread_entry(pool);

	if (!bp_likely(entry->serial == pool->serial))
		return NULL;
	if (!entry->magazine)
		__builtin_unreachable();
	return entry->magazine;
}

/*
 * The magazine, made if there is none yet, with the caller inside; NULL: there
 * can be none now, or a signal handler is called in the middle of its use.
 */
struct bp_magazine *bp_thread_enter(struct blockpool *pool) bp_hidden;

/* For all below the caller is inside. */

/*
 * Set the magazine's size to this thread's share, which is returned, or if more
 * is in it, to that.
 */
u32 bp_thread_fit(struct blockpool *pool,
		  struct bp_magazine *magazine) bp_hidden;

/*
 * Get @need elements or more into the magazine, at most MAGAZINE_SPACE -
 * MAGAZINE_ROOM.  One ioctl, which brings up to half a magazine more.
 */
int bp_thread_refill(struct blockpool *pool, struct bp_magazine *magazine,
		     u32 need) bp_hidden;

/*
 * Give back all but the @keep elements put there last.  Those that the kernel
 * refuses are forgotten, and errno tells why.
 */
int bp_thread_flush(struct blockpool *pool, struct bp_magazine *magazine,
		    u32 keep) bp_hidden;

/* Give the handle a serial number and a slot; take the slot away. */
void bp_thread_open(struct blockpool *pool) bp_hidden;
void bp_thread_close(struct blockpool *pool) bp_hidden;

#endif /* BLOCKPOOL_THREAD_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The owner table: a word a block that says who holds it.
 *
 * A word leaves BLOCKPOOL_OWNER_FREE only by bp_owner_claim(), for a block that
 * its caller has just taken from the depot and that is therefore nobody
 * else's; it goes back by one of the two releases, before the block goes back
 * to the depot, whose lock orders the one before the other.
 */
#ifndef BLOCKPOOL_OWNER_H
#define BLOCKPOOL_OWNER_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <uapi/linux/blockpool.h>

static inline void bp_owner_claim(u32 *owner, u32 id)
{
	WRITE_ONCE(*owner, id);
}

/*
 * For a caller who may be hostile: of two that free one block at once, exactly
 * one is told that it held it.
 */
static inline bool bp_owner_release(u32 *owner, u32 id)
{
	return READ_ONCE(*owner) == id &&
	       cmpxchg(owner, id, BLOCKPOOL_OWNER_FREE) == id;
}

/* For kernel callers, who are trusted not to free one block twice at once. */
static inline bool bp_owner_release_kernel(u32 *owner)
{
	if (READ_ONCE(*owner) != BLOCKPOOL_OWNER_KERNEL)
		return false;
	WRITE_ONCE(*owner, BLOCKPOOL_OWNER_FREE);
	return true;
}

#endif /* BLOCKPOOL_OWNER_H */

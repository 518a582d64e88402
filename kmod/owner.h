/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The owner table: a word a block that says who holds it.
 *
 * A word leaves BLOCKPOOL_OWNER_FREE only by bp_owner_claim(), for a block that
 * its caller has just taken from the depot or a magazine and that is therefore
 * nobody else's; it goes back by one of the releases, before the block goes
 * back there.  The depot's lock orders the one before the other; a magazine is
 * one CPU's.  From hand to hand, by way of a port, it goes without being free in
 * between.  Into quarantine and out of it a word goes in the same manner, but the
 * block is in neither place then: see debug.h.
 *
 * A word with the top bit belongs to a free block that an NMI gave back and that
 * is not in the depot yet: the other bits are the depot's, see bp_depot_put_aside().
 * With the next bit as well the block is going: whom the other bits name, and whose it
 * is by what the world is told, has let go of it by a compare and exchange that succeeded,
 * and will write where it goes when the event of that is made.
 */
#ifndef BLOCKPOOL_OWNER_H
#define BLOCKPOOL_OWNER_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <uapi/linux/blockpool.h>

#define BP_OWNER_LIMBO	0x80000000u
#define BP_OWNER_GOING	(BP_OWNER_LIMBO | BLOCKPOOL_OWNER_PORT)

static inline void bp_owner_claim(u32 *owner, u32 id)
{
	data_race(*owner = id);	/* bp_owner_read() is anywhere */
}

/*
 * For a caller who may be hostile: of two that let go of one block at once, exactly one
 * is told that it held it.  The other can see what the word was.
 */
static inline bool bp_owner_leave(u32 *owner, u32 id, u32 to, u32 *seen)
{
	*seen = READ_ONCE(*owner);
	if (*seen == id)
		*seen = cmpxchg(owner, id, to);
	return *seen == id;
}

static inline bool bp_owner_release_seen(u32 *owner, u32 id, u32 *seen)
{
	return bp_owner_leave(owner, id, BLOCKPOOL_OWNER_FREE, seen);
}

/*
 * The same with an event before the block is anybody's: bp_owner_gone() is to follow,
 * without being preempted from the event on, see trace.h.
 */
static inline bool bp_owner_go(u32 *owner, u32 id, u32 *seen)
{
	return bp_owner_leave(owner, id, BP_OWNER_GOING | id, seen);
}

/* After all that was done to the block: who reads @to may do the next. */
static inline void bp_owner_gone(u32 *owner, u32 to)
{
	smp_store_release(owner, to);	/* pairs with cmpxchg() in bp_owner_leave() */
}

static inline bool bp_owner_release(u32 *owner, u32 id)
{
	u32 seen;

	return bp_owner_release_seen(owner, id, &seen);
}

/*
 * For kernel callers, who are trusted not to free one block twice at once; if two
 * do, KCSAN may see it here.
 */
static inline bool bp_owner_release_kernel(u32 *owner)
{
	if (*owner != BLOCKPOOL_OWNER_KERNEL)
		return false;
	WRITE_ONCE(*owner, BLOCKPOOL_OWNER_FREE);
	return true;
}

/*
 * From who has a block to who gets it, without it being free in between: to a port
 * from a sender who may be hostile, and from there by who took its message out.
 */
static inline bool bp_owner_hand(u32 *owner, u32 from, u32 to)
{
	u32 seen;

	return bp_owner_leave(owner, from, to, &seen);
}

/* A word as the world is told. */
static inline u32 bp_owner_told(u32 word)
{
	if ((word & BP_OWNER_GOING) == BP_OWNER_GOING)
		return word & ~BP_OWNER_GOING;
	return word & BP_OWNER_LIMBO ? BLOCKPOOL_OWNER_FREE : word;
}

/* As who had it is told: what goes from him is not his. */
static inline u32 bp_owner_told_to(u32 word, u32 id)
{
	return word == (BP_OWNER_GOING | id) ? BLOCKPOOL_OWNER_FREE :
					       bp_owner_told(word);
}

static inline u32 bp_owner_read(const u32 *owner)
{
	return bp_owner_told(READ_ONCE(*owner));
}

#endif /* BLOCKPOOL_OWNER_H */

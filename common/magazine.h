/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only OR MIT */
/*
 * The magazine: a small element stack of one CPU or one thread, which an
 * interrupt, an NMI or a signal handler may use at any instruction of its
 * owner's own use.
 *
 * Whoever is inside has set @busy, and who finds it set goes round the magazine,
 * to the depot.  That takes no atomic instruction and masks nothing: what comes
 * between the look at @busy and its setting is over, and has left the magazine
 * whole, before the owner goes on, who only then looks at the stack.
 *
 * Nobody else may touch it: on a CPU its owner has preemption disabled, and to
 * empty that of another CPU one has that CPU do it.  A stack of size 0 takes
 * nothing: so a magazine is shut, and so is one that is all zeros.
 */
#ifndef BLOCKPOOL_MAGAZINE_H
#define BLOCKPOOL_MAGAZINE_H

#include "stack.h"

struct bp_magazine {
	bool busy;
	struct bp_stack stack;
};

/* Go inside; false: someone was interrupted there. */
static inline bool bp_magazine_enter(struct bp_magazine *magazine)
{
	if (!bp_likely(!bp_peek(magazine->busy)))
		return false;
	bp_set(magazine->busy, true);
	bp_barrier();	/* pairs with an interrupt's look at busy: see above */
	return true;
}

static inline void bp_magazine_leave(struct bp_magazine *magazine)
{
	bp_barrier();	/* the stack is whole before another may come in */
	bp_set(magazine->busy, false);
}

/*
 * Take an element; false: there is none, or someone is inside.
 *
 * There are two ways out of this and the next, though one would do, so that the
 * compiler need not remember which it was: two instructions of about ten.
 */
static inline bool bp_magazine_take(struct bp_magazine *magazine, u32 *element)
{
	if (!bp_magazine_enter(magazine))
		return false;
	if (bp_stack_pop(&magazine->stack, element)) {
		bp_magazine_leave(magazine);
		return true;
	}
	bp_magazine_leave(magazine);
	return false;
}

/* Put an element there; false: it is full or shut, or someone is inside. */
static inline bool bp_magazine_put(struct bp_magazine *magazine, u32 element)
{
	if (!bp_magazine_enter(magazine))
		return false;
	if (bp_stack_push(&magazine->stack, element)) {
		bp_magazine_leave(magazine);
		return true;
	}
	bp_magazine_leave(magazine);
	return false;
}

#endif /* BLOCKPOOL_MAGAZINE_H */

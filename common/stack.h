/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only OR MIT */
/*
 * The element stack: an array and a count, and the only thing that hands out or
 * takes back an index.  No locks: who shares one brings the lock.
 *
 * It holds the free indices themselves and not a bit or a flag for each, so
 * frees may come in any order and both ways cost the same at any size.
 */
#ifndef BLOCKPOOL_STACK_H
#define BLOCKPOOL_STACK_H

#include "plain.h"

struct bp_stack {
	u32 nr;			/* elements[0 .. nr - 1] are on the stack */
	u32 size;		/* nothing is pushed beyond; may be less than nr */
	u32 elements[];
};

/* What one with room for so many takes. */
static inline size_t bp_stack_bytes(u32 room)
{
	return sizeof(struct bp_stack) + (size_t)room * sizeof(u32);
}

/* Put all indices below size on an empty stack, 0 on top. */
static inline void bp_stack_fill(struct bp_stack *stack)
{
	while (stack->nr < stack->size) {
		stack->elements[stack->nr] = stack->size - 1 - stack->nr;
		stack->nr++;
	}
}

static inline u32 bp_stack_room(const struct bp_stack *stack)
{
	return stack->size > stack->nr ? stack->size - stack->nr : 0;
}

/* Take n elements, or none and return false. */
static inline bool bp_stack_pop_bulk(struct bp_stack *stack, u32 *to, u32 n)
{
	if (n > stack->nr)
		return false;
	stack->nr -= n;
	memcpy(to, &stack->elements[stack->nr], n * sizeof(*to));
	return true;
}

/* Put n elements back, or none and return false if there is no room. */
static inline bool bp_stack_push_bulk(struct bp_stack *stack, const u32 *from,
				      u32 n)
{
	if (n > bp_stack_room(stack))
		return false;
	memcpy(&stack->elements[stack->nr], from, n * sizeof(*from));
	stack->nr += n;
	return true;
}

static inline bool bp_stack_pop(struct bp_stack *stack, u32 *to)
{
	unsigned long nr;

	if (!bp_likely(!__builtin_sub_overflow((unsigned long)stack->nr, 1ul,
					       &nr)))
		return false;
	*to = stack->elements[nr];
	stack->nr = (u32)nr;
	return true;
}

static inline bool bp_stack_push(struct bp_stack *stack, u32 element)
{
	u32 nr = stack->nr;

	if (!bp_likely(nr < stack->size))
		return false;
	stack->elements[nr] = element;
	bp_barrier();	/* makes the next line one instruction and not three */
	stack->nr++;
	return true;
}

/* Move the n top elements, at most nr; the other stack has the room. */
static inline void bp_stack_move(struct bp_stack *to, struct bp_stack *from,
				 u32 n)
{
	from->nr -= n;
	memcpy(&to->elements[to->nr], &from->elements[from->nr],
	       n * sizeof(*to->elements));
	to->nr += n;
}

/* Forget the n lowest, at most nr: those that were put there first. */
static inline void bp_stack_drop_cold(struct bp_stack *stack, u32 n)
{
	stack->nr -= n;
	memmove(stack->elements, &stack->elements[n],
		stack->nr * sizeof(*stack->elements));
}

/* Take the element at a position below nr; the top one fills the hole. */
static inline u32 bp_stack_take_at(struct bp_stack *stack, u32 at)
{
	u32 element = stack->elements[at];

	stack->elements[at] = stack->elements[--stack->nr];
	return element;
}

#endif /* BLOCKPOOL_STACK_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The element stack: an array and a count, and the only thing that hands out or
 * takes back an index.  Plain C, no locks, no calls: who shares one brings the
 * lock.
 *
 * It holds the free indices themselves and not a bit or a flag for each, so
 * frees may come in any order and both ways cost the same at any size.
 */
#ifndef BLOCKPOOL_STACK_H
#define BLOCKPOOL_STACK_H

#include "plain.h"

struct bp_stack {
	u32 *elements;	/* elements[0 .. nr - 1] are on the stack */
	u32 nr;
	u32 size;
};

static inline void bp_stack_init(struct bp_stack *stack, u32 *elements,
				 u32 size)
{
	stack->elements = elements;
	stack->nr = 0;
	stack->size = size;
}

/* Put all indices below size on an empty stack, 0 on top. */
static inline void bp_stack_fill(struct bp_stack *stack)
{
	while (stack->nr < stack->size) {
		stack->elements[stack->nr] = stack->size - 1 - stack->nr;
		stack->nr++;
	}
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
	if (n > stack->size - stack->nr)
		return false;
	memcpy(&stack->elements[stack->nr], from, n * sizeof(*from));
	stack->nr += n;
	return true;
}

static inline bool bp_stack_pop(struct bp_stack *stack, u32 *to)
{
	if (!stack->nr)
		return false;
	*to = stack->elements[--stack->nr];
	return true;
}

static inline bool bp_stack_push(struct bp_stack *stack, u32 element)
{
	if (stack->nr == stack->size)
		return false;
	stack->elements[stack->nr++] = element;
	return true;
}

/* Take the element at a position below nr; the top one fills the hole. */
static inline u32 bp_stack_take_at(struct bp_stack *stack, u32 at)
{
	u32 element = stack->elements[at];

	stack->elements[at] = stack->elements[--stack->nr];
	return element;
}

#endif /* BLOCKPOOL_STACK_H */

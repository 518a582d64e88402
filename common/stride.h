/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only OR MIT */
/*
 * Exact division by a number that is fixed when a pool is opened.
 *
 * Let stride = odd << shift.  To multiply by the inverse of odd modulo 2^64 and
 * to rotate right by shift are both one to one on 64-bit numbers, and together
 * they take q * stride to q for every q below 2^64 / stride.  So nothing but
 * q * stride comes out as such a q, and one comparison with the number of blocks
 * tells a block's first byte from an address inside of, before or behind one.
 */
#ifndef BLOCKPOOL_STRIDE_H
#define BLOCKPOOL_STRIDE_H

#include "plain.h"

struct bp_stride {
	u64 inverse;
	u32 bytes;
	u32 shift;
};

/* @bytes must not be zero. */
static inline struct bp_stride bp_stride_init(u32 bytes)
{
	u32 shift = (u32)__builtin_ctz(bytes);
	u64 odd = bytes >> shift;
	u64 inverse = odd;		/* right in the lowest 3 bits */

	/* Newton: each step doubles the bits that are right, 3 to 96. */
	for (int i = 0; i < 5; i++)
		inverse *= 2 - odd * inverse;
	return (struct bp_stride){ inverse, bytes, shift };
}

/* To the right, within the size of @x, by less than that. */
#define bp_stride_rotate(x, shift) \
	((x) >> (shift) | (x) << (-(shift) & (8 * sizeof(x) - 1)))

/* q if @offset is q * stride, else a number above any possible q. */
static inline u64 bp_stride_quotient(const struct bp_stride *stride,
				     u64 offset)
{
	return bp_stride_rotate(offset * stride->inverse, stride->shift);
}

/*
 * The same for who does not know where block 0 would lie, its origin, but has at
 * hand a word that was made of it: division is a multiplication modulo the size of
 * a long, so it can be done to the two parts of address - origin apart.  The secret
 * makes what comes out with the word of another secret mean nothing.
 */
static inline unsigned long bp_stride_word(const struct bp_stride *stride,
					   unsigned long origin,
					   unsigned long secret)
{
	return secret - origin * (unsigned long)stride->inverse;
}

static inline unsigned long bp_stride_index(const struct bp_stride *stride,
					    unsigned long address,
					    unsigned long word,
					    unsigned long secret)
{
	unsigned long x = address * (unsigned long)stride->inverse;

	return bp_stride_rotate(x + (word - secret), stride->shift);
}

#endif /* BLOCKPOOL_STRIDE_H */

/* SPDX-License-Identifier: LGPL-2.1-only OR MIT */
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

#include <stdint.h>

struct stride {
	uint64_t inverse;
	uint32_t bytes;
	uint32_t shift;
};

/* @bytes must not be zero. */
static inline struct stride stride_init(uint32_t bytes)
{
	uint32_t shift = (uint32_t)__builtin_ctz(bytes);
	uint64_t odd = bytes >> shift;
	uint64_t inverse = odd;		/* right in the lowest 3 bits */

	/* Newton: each step doubles the bits that are right, 3 to 96. */
	for (int i = 0; i < 5; i++)
		inverse *= 2 - odd * inverse;
	return (struct stride){ inverse, bytes, shift };
}

/* q if @offset is q * stride, else a number above any possible q. */
static inline uint64_t stride_quotient(const struct stride *stride,
				       uint64_t offset)
{
	uint64_t x = offset * stride->inverse;

	return x >> stride->shift | x << (-stride->shift & 63);
}

#endif /* BLOCKPOOL_STRIDE_H */

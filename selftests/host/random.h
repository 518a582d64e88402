/* SPDX-License-Identifier: GPL-2.0 */
/* A small generator of random numbers: the same ones in every run. */
#ifndef HOST_RANDOM_H
#define HOST_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state;
};

#define RANDOM_INIT	{ 0x9e3779b97f4a7c15u }

/* Xorshift64*: its upper half is what is good. */
static inline uint32_t random_next(struct random *random)
{
	uint64_t x = random->state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	random->state = x;
	return (uint32_t)((x * 0x2545f4914f6cdd1du) >> 32);
}

/* 0 to below - 1. */
static inline uint32_t random_below(struct random *random, uint32_t below)
{
	return (uint32_t)(((uint64_t)random_next(random) * below) >> 32);
}

#endif /* HOST_RANDOM_H */

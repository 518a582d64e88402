/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only OR MIT */
/*
 * The few words that the headers here need.  They are plain C, make no calls,
 * and are used in three worlds: the kernel, the library, the tests.
 */
#ifndef BLOCKPOOL_PLAIN_H
#define BLOCKPOOL_PLAIN_H

#include <linux/types.h>

#ifdef __KERNEL__
#include <linux/compiler.h>
#include <linux/string.h>
#define bp_barrier()	barrier()
#define bp_likely(x)	likely(x)
/* What an interrupt may change or look at meanwhile, as KCSAN is told. */
#define bp_peek(x)	data_race(x)
#define bp_set(x, v)	WRITE_ONCE(x, v)
#else
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
typedef __u32 u32;
typedef __u64 u64;
/* For the compiler only: what is ordered here is one thread with itself. */
static inline void bp_barrier(void)
{
	__asm__ __volatile__("" : : : "memory");
}

#define bp_likely(x)	__builtin_expect(!!(x), 1)
#define bp_peek(x)	(x)
#define bp_set(x, v)	((x) = (v))
#endif

#endif /* BLOCKPOOL_PLAIN_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Once, and in no order: what the kernel's macros promise, and no more.  Whoever
 * acts on what was read acts late here, so that a race which is there shows.
 */
#ifndef HOST_SHIM_COMPILER_H
#define HOST_SHIM_COMPILER_H

#include <sched.h>

/* data_race(): KCSAN's word alone, which has no meaning in a program. */
#define data_race(expr)	(expr)

#define READ_ONCE(word) ({						\
	__typeof__(word) __read =					\
		__atomic_load_n(&(word), __ATOMIC_RELAXED);		\
									\
	sched_yield();							\
	__read;								\
})

#define WRITE_ONCE(word, value)						\
	__atomic_store_n(&(word), (value), __ATOMIC_RELAXED)

#endif /* HOST_SHIM_COMPILER_H */

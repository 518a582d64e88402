/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only OR MIT */
#ifndef BLOCKPOOL_RELAX_H
#define BLOCKPOOL_RELAX_H

/* A turn of a loop that waits for another processor, where user space has a word for it. */
static inline void bp_relax(void)
{
#if __has_builtin(__builtin_ia32_pause)
	__builtin_ia32_pause();
#elif __has_builtin(__builtin_arm_yield)
	__builtin_arm_yield();
#else
	__asm__ __volatile__("" : : : "memory");
#endif
}

#endif /* BLOCKPOOL_RELAX_H */

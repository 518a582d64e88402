/* SPDX-License-Identifier: GPL-2.0 */
/* What kernels name differently; Kbuild looks into their headers. */
#ifndef PEER_COMPAT_H
#define PEER_COMPAT_H

#include <linux/crc32.h>
#include <linux/hrtimer.h>
#include <linux/percpu.h>
#include <linux/sched.h>

#ifndef PEER_HAVE_HRTIMER_SETUP
static inline void
hrtimer_setup(struct hrtimer *timer,
	      enum hrtimer_restart (*function)(struct hrtimer *),
	      clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}
#endif

/* Older kernels have crc32c() in a module; this one is in the kernel proper. */
static inline u32 peer_crc32c(const void *data, size_t length)
{
#ifdef PEER_HAVE_CRC32C_LE
	return ~__crc32c_le(~0, data, length);
#else
	return ~crc32c(~0, data, length);
#endif
}

/* Where that CPU has the pointer to its thread; 0 if this kernel has it elsewhere. */
static inline unsigned long peer_current_task(int cpu)
{
#ifdef PEER_HAVE_PCPU_HOT
	return (unsigned long)per_cpu_ptr(&pcpu_hot.current_task, cpu);
#else
	return 0;
#endif
}

#endif /* PEER_COMPAT_H */

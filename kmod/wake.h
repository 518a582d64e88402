/* SPDX-License-Identifier: GPL-2.0 */
/* When those who sleep or poll may be woken. */
#ifndef BLOCKPOOL_WAKE_H
#define BLOCKPOOL_WAKE_H

#include <linux/irqflags.h>
#include <linux/preempt.h>

/*
 * Whether the lock of a wait queue may be taken here: it may sleep on PREEMPT_RT.
 * Elsewhere than there an irq_work does it later.
 */
static inline bool bp_may_wake(void)
{
	return IS_ENABLED(CONFIG_PREEMPT_RT) ? preemptible() : !irqs_disabled();
}

#endif /* BLOCKPOOL_WAKE_H */

/* SPDX-License-Identifier: GPL-2.0 */
/* What became of the segments, counted on each CPU. */
#ifndef TAP_COUNTS_H
#define TAP_COUNTS_H

#include <linux/percpu.h>

enum tap_fate {
	TAP_CAPTURED,	/* sent to the port */
	TAP_CLOSED,	/* dropped: no port to send to */
	TAP_DRY,	/* dropped: no block is free */
	TAP_FULL,	/* dropped: no room in the port */
	TAP_FATES
};

DECLARE_PER_CPU(unsigned long [TAP_FATES], tap_counts);

static inline void tap_count(enum tap_fate fate)
{
	this_cpu_inc(tap_counts[fate]);
}

#endif /* TAP_COUNTS_H */

/* SPDX-License-Identifier: GPL-2.0 */
/* Instants of CLOCK_MONOTONIC, as the calendar has them now. */
#ifndef BLOCKPOOLCTL_MOMENT_H
#define BLOCKPOOLCTL_MOMENT_H

#include <linux/types.h>

#define MOMENT_TEXT	40

double moment_seconds(__u64 time_ns);			/* since 1970 */
const char *moment_text(char buf[MOMENT_TEXT], __u64 time_ns);	/* local time */

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* The bytes of a report, those that changed marked. */
#ifndef BLOCKPOOLCTL_DUMP_H
#define BLOCKPOOLCTL_DUMP_H

#include <stdio.h>
#include <linux/blockpool.h>

#include "term.h"

void dump_print(FILE *out, const struct blockpool_report *report,
		const struct term *term);

/* How many bytes it really has. */
size_t dump_size(const struct blockpool_report *report);

#endif

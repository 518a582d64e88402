/* SPDX-License-Identifier: GPL-2.0 */
/* What the module counts. */
#ifndef COUNTS_H
#define COUNTS_H

#include <stdbool.h>

struct counts {
	unsigned long captured;
	unsigned long closed;
	unsigned long dry;
	unsigned long full;
};

/* False if the module is not loaded. */
bool counts_read(struct counts *counts);

/* What was counted since an earlier look; from zero if the module was loaded anew. */
struct counts counts_since(const struct counts *now, const struct counts *then);

#endif /* COUNTS_H */

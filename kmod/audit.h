/* SPDX-License-Identifier: GPL-2.0 */
/* The audit: whether a depot and its owner table agree. */
#ifndef BLOCKPOOL_AUDIT_H
#define BLOCKPOOL_AUDIT_H

#include <linux/types.h>

#include "depot.h"

struct bp_audit {
	struct bp_depot *depot;
	const u32 *owners;
	u32 nr_blocks;
	unsigned long *seen;		/* a bit a block; under the depot's lock */
	const atomic_t *on_their_way;	/* blocks; NULL: they are not counted */

	/* The first contradiction. */
	u32 index;			/* or BLOCKPOOL_NO_INDEX */
	const char *what;
};

bool bp_audit(struct bp_audit *audit);

#endif /* BLOCKPOOL_AUDIT_H */

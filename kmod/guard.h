/* SPDX-License-Identifier: GPL-2.0 */
/* Guard zones round blocks, and the poison in free ones: fill, check, describe. */
#ifndef BLOCKPOOL_GUARD_H
#define BLOCKPOOL_GUARD_H

#include <linux/types.h>

#include "report.h"
#include "store.h"

#define BP_FILL_GUARD	0xbb
#define BP_FILL_POISON	0x6b

/* The blocks that are guarded or poisoned. */
struct bp_guard {
	const struct bp_store *store;
	u32 flags;		/* of the pool */
	u32 block_size;
};

void bp_guard_fill(const struct bp_guard *guard, u32 index);
bool bp_guard_sound(const struct bp_guard *guard, u32 index);
void bp_poison_fill(const struct bp_guard *guard, u32 index);
bool bp_poison_sound(const struct bp_guard *guard, u32 index);
bool bp_guard_describe(const struct bp_guard *guard, u32 index, bool content,
		       struct bp_record *record);

#endif /* BLOCKPOOL_GUARD_H */

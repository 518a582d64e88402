/* SPDX-License-Identifier: GPL-2.0 */
/* The store: a pool's block memory, and where each block lies in it. */
#ifndef BLOCKPOOL_STORE_H
#define BLOCKPOOL_STORE_H

#include <linux/reciprocal_div.h>

#include "geometry.h"

struct page;
struct vm_area_struct;

/* Nothing here changes between init and destroy. */
struct bp_store {
	struct bp_geometry geo;
	struct reciprocal_value by_stride;
	void **chunks;		/* in the direct map */
};

int bp_store_init(struct bp_store *store);
void bp_store_destroy(struct bp_store *store);

void *bp_store_block(const struct bp_store *store, u32 index);
void bp_store_wipe(const struct bp_store *store, u32 index);
u32 bp_store_index(const struct bp_store *store, const void *block);
struct page *bp_store_page(const struct bp_store *store, unsigned long pgoff);
int bp_store_map(const struct bp_store *store, struct vm_area_struct *vma);

#endif /* BLOCKPOOL_STORE_H */

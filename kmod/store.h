/* SPDX-License-Identifier: GPL-2.0 */
/* The store: a pool's block memory, and where each block lies in it. */
#ifndef BLOCKPOOL_STORE_H
#define BLOCKPOOL_STORE_H

#include <linux/mm.h>
#include <uapi/linux/blockpool.h>

#include "../common/stride.h"
#include "geometry.h"

/* Whether user mappings can have a chunk of PMD_SIZE as one huge page. */
#if defined(BP_HAVE_FOLIO_PMD) && defined(CONFIG_TRANSPARENT_HUGEPAGE)
#define BP_HUGE	1
#else
#define BP_HUGE	0
#endif

/* The struct pages that struct folio lies over: their private words are its own. */
#define BP_FOLIO_PAGES	(sizeof(struct folio) / sizeof(struct page))

/*
 * Nothing here changes between init and destroy.
 *
 * Chunk c begins front bytes before origins[c] + c * chunk_size: block i lies at
 * origins[chunk of i] + i * stride.
 *
 * The way back uses the private word of the chunk's pages, bp_stride_word() of its
 * origin; of a huge chunk, a few have none, and bp_store_find() takes the first's.
 * With another word, or for what is not a block's address, a number above any index
 * comes out but for one case in 2^64 / nr_blocks: it is the secret that makes this
 * true of another pool's blocks.
 */
struct bp_store {
	struct bp_geometry geo;
	struct bp_stride stride;
	unsigned long secret;
	unsigned long nr_blocks;	/* as in geo, or 0, and so is the ... */
	unsigned long bytes;		/* ... stride, as the fast paths want them */

	/* Of a stride, counted from the block, what a wipe clears. */
	u32 wipe_begin;
	u32 wipe_end;

	/* Where all chunks are and each page has a struct page; or 0, 0. */
	unsigned long low;
	unsigned long span;
	struct page *low_page;

	u32 nr_chunks;			/* that we have got */
	void *origins[];
};

int bp_store_init(struct bp_store *store, int node);
void bp_store_destroy(struct bp_store *store);

void bp_store_wipe(const struct bp_store *store, u32 index);
u32 bp_store_find(const struct bp_store *store, const void *block);
struct page *bp_store_page(const struct bp_store *store, unsigned long pgoff);
int bp_store_map(const struct bp_store *store, struct vm_area_struct *vma);
vm_fault_t bp_store_fault_huge(const struct bp_store *store,
			       struct vm_fault *vmf);

/* index is checked by the caller. */
static inline void *bp_store_block(const struct bp_store *store, u32 index)
{
	return store->origins[index >> store->geo.chunk_shift] +
	       index * store->bytes;
}

/* The index of a block by the private word of its page, or no index. */
static inline unsigned long bp_store_divide(const struct bp_store *store,
					    const void *block,
					    const struct page *page)
{
	return bp_stride_index(&store->stride, (unsigned long)block,
			       page_private(page), store->secret);
}

/*
 * The index of a block, or a number above any index: the fast answer, which knows
 * nearly all blocks.  bp_store_find() has the exact one.  The number that it is
 * compared with is nr_blocks of the store: 0 if no free may be fast.
 */
static inline unsigned long bp_store_guess(const struct bp_store *store,
					   const void *block)
{
	unsigned long offset = (unsigned long)block - store->low;
	struct page *page;

	if (unlikely(offset >= store->span))
		return ULONG_MAX;
	page = store->low_page + (offset >> PAGE_SHIFT);
	return bp_store_divide(store, block, page);
}

#endif /* BLOCKPOOL_STORE_H */

// SPDX-License-Identifier: GPL-2.0
/*
 * The store: a pool's block memory, and where each block lies in it.
 *
 * Chunks are ordinary pages, each with a reference count of its own, so that
 * user mappings, O_DIRECT and every other way to pin a page work on blocks and
 * outlive the pool if they must.  The private word of each page holds the
 * number of its chunk: the way back from an address to an index.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include <uapi/linux/blockpool.h>

#include "charge.h"
#include "store.h"

#define BP_MAP_BATCH	32u	/* pages, a page table lock each time */

static int bp_chunk_alloc(struct bp_store *store, u32 chunk)
{
	u32 bytes = bp_geometry_chunk_bytes(&store->geo, chunk), at;
	void *memory;

	if (fatal_signal_pending(current))
		return -EINTR;
	memory = alloc_pages_exact(bytes, BP_GFP_CHARGED | __GFP_ZERO);
	if (!memory)
		return -ENOMEM;
	store->chunks[chunk] = memory;
	for (at = 0; at < bytes; at += PAGE_SIZE)
		set_page_private(virt_to_page(memory + at), chunk);
	return 0;
}

/* store->geo is filled in by the caller. */
int bp_store_init(struct bp_store *store)
{
	u32 chunk;
	int ret;

	store->by_stride = reciprocal_value(store->geo.stride);
	store->chunks = kvcalloc(store->geo.nr_chunks, sizeof(*store->chunks),
				 BP_GFP_CHARGED);
	if (!store->chunks)
		return -ENOMEM;
	for (chunk = 0; chunk < store->geo.nr_chunks; chunk++) {
		ret = bp_chunk_alloc(store, chunk);
		if (ret) {
			bp_store_destroy(store);
			return ret;
		}
		cond_resched();
	}
	return 0;
}

/* Ends at the first chunk that bp_store_init() did not get. */
void bp_store_destroy(struct bp_store *store)
{
	u32 chunk;

	for (chunk = 0; chunk < store->geo.nr_chunks; chunk++) {
		if (!store->chunks[chunk])
			break;
		free_pages_exact(store->chunks[chunk],
				 bp_geometry_chunk_bytes(&store->geo, chunk));
		cond_resched();
	}
	kvfree(store->chunks);
}

/* index is checked by the caller. */
void *bp_store_block(const struct bp_store *store, u32 index)
{
	u32 shift = store->geo.chunk_shift;
	u32 in_chunk = index & ((1u << shift) - 1);

	return store->chunks[index >> shift] + in_chunk * store->geo.stride;
}

/* The last block with what is behind it in its page: all that can be mapped. */
void bp_store_wipe(const struct bp_store *store, u32 index)
{
	const struct bp_geometry *geo = &store->geo;
	u64 bytes = geo->stride;

	if (index == geo->nr_blocks - 1)
		bytes = geo->map_size - (u64)index * geo->stride;
	memset(bp_store_block(store, index), 0, bytes);
}

/*
 * Takes any address whatever.  That of a page which is not ours leads, by its
 * private word, to no chunk or to one that does not hold the address.
 */
u32 bp_store_index(const struct bp_store *store, const void *block)
{
	unsigned long chunk, offset;
	u32 in_chunk, index;

	if (!virt_addr_valid(block))
		return BLOCKPOOL_NO_INDEX;
	chunk = page_private(virt_to_page(block));
	if (chunk >= store->geo.nr_chunks)
		return BLOCKPOOL_NO_INDEX;
	offset = (unsigned long)block - (unsigned long)store->chunks[chunk];
	if (offset >= store->geo.chunk_size)
		return BLOCKPOOL_NO_INDEX;
	in_chunk = reciprocal_divide(offset, store->by_stride);
	index = (chunk << store->geo.chunk_shift) + in_chunk;
	if (in_chunk * store->geo.stride != offset ||
	    index >= store->geo.nr_blocks)
		return BLOCKPOOL_NO_INDEX;
	return index;
}

/* pgoff is checked by the caller. */
struct page *bp_store_page(const struct bp_store *store, unsigned long pgoff)
{
	u32 chunk_pages = store->geo.chunk_size >> PAGE_SHIFT;

	return virt_to_page(store->chunks[pgoff / chunk_pages] +
			    (pgoff % chunk_pages << PAGE_SHIFT));
}

static int bp_store_map_some(const struct bp_store *store,
			     struct vm_area_struct *vma, unsigned long first,
			     unsigned long n)
{
	struct page *pages[BP_MAP_BATCH];
	unsigned long i;

	for (i = 0; i < n; i++)
		pages[i] = bp_store_page(store, vma->vm_pgoff + first + i);
	return vm_insert_pages(vma, vma->vm_start + (first << PAGE_SHIFT),
			       pages, &n);
}

/* Put all pages in at once: blocks exist for those who can't wait for a fault. */
int bp_store_map(const struct bp_store *store, struct vm_area_struct *vma)
{
	unsigned long nr = vma_pages(vma), done, n;
	int ret;

	for (done = 0; done < nr; done += n) {
		n = min_t(unsigned long, nr - done, BP_MAP_BATCH);
		ret = bp_store_map_some(store, vma, done, n);
		if (ret)
			return ret;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The store: a pool's block memory, and where each block lies in it.
 *
 * Chunks are ordinary pages, each with a reference count of its own, so that
 * user mappings, O_DIRECT and every other way to pin a page work on blocks and
 * outlive the pool if they must.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "charge.h"
#include "store.h"

#define BP_MAP_BATCH	32u	/* pages, a page table lock each time */

/* Pages that have a struct page all or not at all; a kernel may have larger ones. */
#define BP_SECTION	((2ul << 20) >> PAGE_SHIFT)

static void *bp_store_chunk(const struct bp_store *store, u32 chunk)
{
	return store->origins[chunk] +
	       (unsigned long)chunk * store->geo.chunk_size;
}

/* Whether chunks could be smaller: then these are not fought for. */
static bool bp_chunk_is_luxury(const struct bp_geometry *geo)
{
	return geo->chunk_size > BP_CHUNK_EASY &&
	       geo->chunk_size > geo->stride &&
	       PAGE_ALIGNED(geo->chunk_size / 2);
}

/* The pages of a chunk, each on its own; those beyond its end go back. */
static struct page *bp_chunk_pages(const struct bp_store *store, u32 bytes,
				   int node)
{
	gfp_t gfp = BP_GFP_CHARGED | __GFP_ZERO;
	unsigned int order = get_order(bytes);
	struct page *page;
	unsigned long i;

	if (bp_chunk_is_luxury(&store->geo))
		gfp = (gfp & ~__GFP_RETRY_MAYFAIL) | __GFP_NORETRY;
	/* Without a node it is for the task's memory policy to say. */
	page = node == NUMA_NO_NODE ? alloc_pages(gfp, order) :
				      alloc_pages_node(node, gfp, order);
	if (!page)
		return NULL;
	split_page(page, order);
	for (i = PAGE_ALIGN(bytes) >> PAGE_SHIFT; i < 1ul << order; i++)
		__free_page(page + i);
	return page;
}

static int bp_chunk_alloc(struct bp_store *store, u32 chunk, int node)
{
	u32 bytes = bp_geometry_chunk_bytes(&store->geo, chunk), at;
	unsigned long word;
	struct page *page;

	if (fatal_signal_pending(current))
		return -EINTR;
	page = bp_chunk_pages(store, bytes, node);
	if (!page)
		return -ENOMEM;
	store->origins[chunk] = page_address(page) -
				(unsigned long)chunk * store->geo.chunk_size;
	word = store->secret - (unsigned long)store->origins[chunk] *
			       (unsigned long)store->stride.inverse;
	for (at = 0; at < bytes; at += PAGE_SIZE, page++)
		set_page_private(page, word);
	return 0;
}

static void bp_chunk_free(struct bp_store *store, u32 chunk)
{
	u32 bytes = bp_geometry_chunk_bytes(&store->geo, chunk), at;
	struct page *page = virt_to_page(bp_store_chunk(store, chunk));

	for (at = 0; at < bytes; at += PAGE_SIZE, page++) {
		set_page_private(page, 0);
		__free_page(page);
	}
}

/*
 * See whether from the lowest to the highest chunk all that lies between has a
 * struct page, and these are one array: then a block's is found by a subtraction.
 * (What is taken out of the machine later, from between them, is a risk for those
 * who free what they do not have.)
 */
static void bp_store_survey(struct bp_store *store)
{
	unsigned long low = ULONG_MAX, high = 0, begin, pfn, last;
	u32 chunk;

	if (!IS_ENABLED(CONFIG_64BIT) || (IS_ENABLED(CONFIG_SPARSEMEM) &&
					  !IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP)))
		return;
	for (chunk = 0; chunk < store->geo.nr_chunks; chunk++) {
		begin = (unsigned long)bp_store_chunk(store, chunk);
		low = min(low, begin);
		high = max(high, begin + bp_geometry_chunk_bytes(&store->geo,
								 chunk));
	}
	pfn = page_to_pfn(virt_to_page((void *)low));
	for (last = pfn + ((high - low) >> PAGE_SHIFT); pfn < last;
	     pfn += BP_SECTION) {
		if (!pfn_valid(pfn))
			return;
		cond_resched();
	}
	store->low = low;
	store->span = high - low;
	store->low_page = virt_to_page((void *)low);
}

/**
 * bp_store_init() - get the memory of all blocks
 * @store: the store, all zeros, with as many origins as there are chunks; its geo
 *	filled in
 * @node: NUMA node to have it from if possible, or NUMA_NO_NODE
 *
 * Return: 0, -ENOMEM or -EINTR (fatal signal).
 */
int bp_store_init(struct bp_store *store, int node)
{
	int ret;

	store->stride = bp_stride_init(store->geo.stride);
	store->nr_blocks = store->geo.nr_blocks;
	store->bytes = store->geo.stride;
	store->secret = get_random_long();
	while (store->nr_chunks < store->geo.nr_chunks) {
		ret = bp_chunk_alloc(store, store->nr_chunks, node);
		if (ret) {
			bp_store_destroy(store);
			return ret;
		}
		store->nr_chunks++;
		cond_resched();
	}
	bp_store_survey(store);
	return 0;
}

void bp_store_destroy(struct bp_store *store)
{
	while (store->nr_chunks) {
		bp_chunk_free(store, --store->nr_chunks);
		cond_resched();
	}
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
 * Takes any address whatever, and tells for sure.  A page that is not ours has a
 * private word that leads nowhere, or not back to the address.
 */
u32 bp_store_find(const struct bp_store *store, const void *block)
{
	unsigned long index;

	if (!virt_addr_valid(block))
		return BLOCKPOOL_NO_INDEX;
	index = bp_store_divide(store, block,
				page_private(virt_to_page(block)));
	if (index >= store->geo.nr_blocks ||
	    bp_store_block(store, index) != block)
		return BLOCKPOOL_NO_INDEX;
	return index;
}

/* pgoff is checked by the caller. */
struct page *bp_store_page(const struct bp_store *store, unsigned long pgoff)
{
	u32 chunk_pages = store->geo.chunk_size >> PAGE_SHIFT;

	return virt_to_page(store->origins[pgoff / chunk_pages] +
			    (pgoff << PAGE_SHIFT));
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

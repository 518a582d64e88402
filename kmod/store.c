// SPDX-License-Identifier: GPL-2.0
/*
 * The store: a pool's block memory, and where each block lies in it.
 *
 * Chunks are ordinary pages, each with a reference count of its own, so that
 * user mappings, O_DIRECT and every other way to pin a page work on blocks and
 * outlive the pool if they must.  Where huge user mappings can be had, a whole
 * chunk of that size is one folio, with one count.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "charge.h"
#include "compat.h"
#include "store.h"

#define BP_MAP_BATCH	32u	/* pages, a page table lock each time */

/* Pages that have a struct page all or not at all; a kernel may have larger ones. */
#define BP_SECTION	((2ul << 20) >> PAGE_SHIFT)

static void *bp_store_chunk(const struct bp_store *store, u32 chunk)
{
	return store->origins[chunk] - store->geo.front +
	       (unsigned long)chunk * store->geo.chunk_size;
}

/* Whether chunks could be smaller: then these are not fought for. */
static bool bp_chunk_is_luxury(const struct bp_geometry *geo)
{
	return geo->chunk_size > BP_CHUNK_EASY &&
	       geo->chunk_size > geo->stride &&
	       PAGE_ALIGNED(geo->chunk_size / 2);
}

static bool bp_chunk_is_huge(u32 bytes)
{
	return BP_HUGE && bytes == PMD_SIZE;
}

/* The pages of a chunk, each on its own or one folio; those beyond its end go back. */
static struct page *bp_chunk_pages(const struct bp_store *store, u32 bytes,
				   int node)
{
	gfp_t gfp = BP_GFP_CHARGED | __GFP_ZERO;
	unsigned int order = get_order(bytes);
	struct page *page;
	unsigned long i;

	if (bp_chunk_is_luxury(&store->geo))
		gfp = (gfp & ~__GFP_RETRY_MAYFAIL) | __GFP_NORETRY;
	if (bp_chunk_is_huge(bytes))
		gfp |= __GFP_COMP;
	/* Without a node it is for the task's memory policy to say. */
	page = node == NUMA_NO_NODE ? alloc_pages(gfp, order) :
				      alloc_pages_node(node, gfp, order);
	if (!page || bp_chunk_is_huge(bytes))
		return page;
	split_page(page, order);
	for (i = PAGE_ALIGN(bytes) >> PAGE_SHIFT; i < 1ul << order; i++)
		__free_page(page + i);
	return page;
}

/* The private word of all pages that have one for us. */
static void bp_chunk_mark(struct page *page, u32 bytes, unsigned long word)
{
	unsigned long taken = bp_chunk_is_huge(bytes) ? BP_FOLIO_PAGES : 1;
	unsigned long i;

	set_page_private(page, word);
	for (i = taken; i < bytes >> PAGE_SHIFT; i++)
		set_page_private(page + i, word);
}

static int bp_chunk_alloc(struct bp_store *store, u32 chunk, int node)
{
	u32 bytes = bp_geometry_chunk_bytes(&store->geo, chunk);
	unsigned long word;
	struct page *page;

	if (fatal_signal_pending(current))
		return -EINTR;
	page = bp_chunk_pages(store, bytes, node);
	if (!page)
		return -ENOMEM;
	store->origins[chunk] = page_address(page) + store->geo.front -
				(unsigned long)chunk * store->geo.chunk_size;
	word = bp_stride_word(&store->stride,
			      (unsigned long)store->origins[chunk],
			      store->secret);
	bp_chunk_mark(page, bytes, word);
	return 0;
}

static void bp_chunk_free(struct bp_store *store, u32 chunk)
{
	u32 bytes = bp_geometry_chunk_bytes(&store->geo, chunk), at;
	struct page *page = virt_to_page(bp_store_chunk(store, chunk));

	bp_chunk_mark(page, bytes, 0);
	if (bp_chunk_is_huge(bytes)) {
		put_page(page);
		return;
	}
	for (at = 0; at < bytes; at += PAGE_SIZE, page++)
		__free_page(page);
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
	void *block = bp_store_block(store, index);

	memset(block + store->wipe_begin, 0,
	       store->wipe_end - store->wipe_begin);
	if (index == geo->nr_blocks - 1)
		memset(block - geo->front + geo->stride, 0,
		       geo->map_size - (u64)geo->nr_blocks * geo->stride);
}

/*
 * Takes any address whatever, and tells for sure.  A page that is not ours has a
 * private word that leads nowhere, or not back to the address.
 */
u32 bp_store_find(const struct bp_store *store, const void *block)
{
	unsigned long index;
	struct page *page;

	if (!virt_addr_valid(block))
		return BLOCKPOOL_NO_INDEX;
	page = compound_head(virt_to_page(block));
	index = bp_store_divide(store, block, page);
	if (index >= store->geo.nr_blocks ||
	    bp_store_block(store, index) != block)
		return BLOCKPOOL_NO_INDEX;
	return index;
}

/* pgoff is checked by the caller. */
struct page *bp_store_page(const struct bp_store *store, unsigned long pgoff)
{
	u32 chunk_pages = store->geo.chunk_size >> PAGE_SHIFT;

	return virt_to_page(store->origins[pgoff / chunk_pages] -
			    store->geo.front + (pgoff << PAGE_SHIFT));
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

#if BP_HUGE
/* Whether there is a place for a huge page: its address and its offset agree. */
static bool bp_store_suits_huge(const struct bp_store *store,
				struct vm_area_struct *vma)
{
	return store->geo.chunk_size == PMD_SIZE &&
	       thp_vma_suitable_order(vma, ALIGN(vma->vm_start, PMD_SIZE),
				      PMD_ORDER);
}

/*
 * Not in a mapping that vm_insert_pages() has made VM_MIXEDMAP: of a huge page in
 * one the kernel would not drop the reference when it is cut up.
 */
vm_fault_t bp_store_fault_huge(const struct bp_store *store,
			       struct vm_fault *vmf)
{
	struct folio *folio;

	if (vmf->vma->vm_flags & VM_MIXEDMAP ||
	    !thp_vma_suitable_order(vmf->vma, vmf->address, PMD_ORDER))
		return VM_FAULT_FALLBACK;
	folio = page_folio(bp_store_page(store, vmf->pgoff));
	if (folio_order(folio) != PMD_ORDER)
		return VM_FAULT_FALLBACK;
	return vmf_insert_folio_pmd(vmf, folio, vmf->flags & FAULT_FLAG_WRITE);
}

/*
 * Nothing else that a module can call puts huge pages in.  Where they do not fit,
 * and behind them, small ones come in the same way: see bp_store_fault_huge().
 */
static int bp_store_map_huge(struct vm_area_struct *vma)
{
	unsigned long at = vma->vm_start;
	vm_fault_t ret;

	vm_flags_set(vma, VM_HUGEPAGE);	/* no memory is lost by them */
	while (at < vma->vm_end) {
		ret = handle_mm_fault(vma, at, 0, NULL);
		if (ret & VM_FAULT_ERROR)
			return vm_fault_to_errno(ret, 0);
		if (fatal_signal_pending(current))
			return -EINTR;
		/* What bp_store_fault_huge() returned comes out unchanged. */
		at += ret & VM_FAULT_NOPAGE ? PMD_SIZE : PAGE_SIZE;
		cond_resched();
	}
	return 0;
}
#else
static bool bp_store_suits_huge(const struct bp_store *store,
				struct vm_area_struct *vma)
{
	return false;
}

static int bp_store_map_huge(struct vm_area_struct *vma)
{
	return -EINVAL;
}
#endif

/* Put all pages in at once: blocks exist for those who can't wait for a fault. */
int bp_store_map(const struct bp_store *store, struct vm_area_struct *vma)
{
	unsigned long nr = vma_pages(vma), done, n;
	int ret;

	if (bp_store_suits_huge(store, vma))
		return bp_store_map_huge(vma);
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

// SPDX-License-Identifier: GPL-2.0
/*
 * Isolation: a client's mapping has the blocks that the client holds.
 *
 * mmap() puts nothing in.  A fault does, if the owner word says that the client
 * holds the block; and a free takes the page table entries away, after it has
 * released the owner words and before anybody else can get the blocks.  For the
 * kernel to find these entries, wherever the client's processes have mapped or
 * moved them, each client has a window: page offsets in the device's file that
 * are no other client's, pools without isolation included.
 *
 * The entries have no reference to a page (VM_PFNMAP), so that nobody can get one
 * through them and keep it: O_DIRECT and the like, which would go on in a block
 * that is another's by then, are refused.  (VM_IO: nor can MADV_DOFORK or a
 * debugger.)
 *
 * When a client is closed nothing is to be taken away: each mapping holds the file.
 */
#include <linux/idr.h>
#include <linux/mm.h>
#include <linux/sort.h>

#include "compat.h"
#include "debug.h"
#include "depot.h"
#include "isolate.h"
#include "pool.h"

/*
 * A window has room for the largest pool, and there are as many as a file has room
 * for.  The first is that of all pools without isolation.
 */
#define BP_WINDOW_SHIFT	47			/* log2 of its bytes */
#define BP_WINDOWS	(1u << (63 - BP_WINDOW_SHIFT))

/* Pages that a fault puts in at most: the aligned ones around it, of the block. */
#define BP_AROUND	16ul

static DEFINE_IDA(bp_windows);

/* A block and its pages, counted from the beginning of the pool. */
struct bp_extent {
	u32 index;
	pgoff_t start;
	pgoff_t end;
};

void bp_window_init(struct bp_window *window, struct blockpool *pool,
		    u32 client)
{
	window->pool = pool;
	window->client = client;
	init_rwsem(&window->lock);
}

void bp_window_destroy(struct bp_window *window)
{
	if (window->number)
		ida_free(&bp_windows, window->number);
}

static pgoff_t bp_window_first(const struct bp_window *window)
{
	return (u64)window->number << (BP_WINDOW_SHIFT - PAGE_SHIFT);
}

static int bp_window_open(struct bp_window *window,
			  struct address_space *mapping)
{
	int ret = 0;

	down_write(&window->lock);
	if (!window->number)
		ret = ida_alloc_range(&bp_windows, 1, BP_WINDOWS - 1,
				      GFP_KERNEL);
	if (ret > 0) {
		window->number = ret;
		window->mapping = mapping;
	}
	up_write(&window->lock);
	return ret < 0 ? -ENOMEM : 0;
}

static u32 bp_stride_pages(const struct blockpool *pool)
{
	return pool->store.geo.stride >> PAGE_SHIFT;
}

/* The block in whose stride a page of the pool lies; which may be a guard zone's. */
static struct bp_extent bp_extent_near(const struct blockpool *pool,
				       pgoff_t page)
{
	u32 index = page / bp_stride_pages(pool);
	pgoff_t start = (pgoff_t)index * bp_stride_pages(pool) +
			(pool->store.geo.front >> PAGE_SHIFT);

	return (struct bp_extent) {
		.index = index,
		.start = start,
		.end = start + (PAGE_ALIGN(pool->block_size) >> PAGE_SHIFT),
	};
}

/* What the client may do with a page: VM_READ and VM_WRITE, or 0 for nothing. */
static vm_flags_t bp_window_reaches(const struct bp_window *window,
				    const struct bp_extent *block, pgoff_t page)
{
	struct blockpool *pool = window->pool;
	u32 owner = READ_ONCE(pool->owners[block->index]);

	if (page < block->start || page >= block->end)
		return 0;
	if (owner == window->client)
		return VM_READ | VM_WRITE;
	if (owner == BLOCKPOOL_OWNER_SHARED &&
	    bp_share_held(&pool->shares, window->client, block->index))
		return VM_READ;
	return 0;
}

/* Put in a page and those around it, as far as block and mapping go. */
static vm_fault_t bp_window_fill(const struct bp_window *window,
				 struct vm_area_struct *vma,
				 const struct bp_extent *block, pgoff_t page,
				 vm_flags_t access)
{
	pgprot_t prot = vm_get_page_prot(vma->vm_flags &
					 (access | ~(VM_READ | VM_WRITE)));
	pgoff_t first = vma->vm_pgoff - bp_window_first(window);
	pgoff_t near = page - (page - block->start) % BP_AROUND;
	pgoff_t end = min3(near + BP_AROUND, block->end,
			   first + vma_pages(vma));
	vm_fault_t ret = VM_FAULT_NOPAGE;
	unsigned long at, pfn;

	for (page = max(near, first); page < end; page++) {
		at = vma->vm_start + ((page - first) << PAGE_SHIFT);
		pfn = page_to_pfn(bp_store_page(&window->pool->store, page));
		ret = vmf_insert_pfn_prot(vma, at, pfn, prot);
		if (ret != VM_FAULT_NOPAGE)
			break;
	}
	return ret;
}

/* An access that is refused; of a block that is held, to its guard zones. */
static void bp_window_report(const struct bp_window *window,
			     const struct vm_fault *vmf,
			     const struct bp_extent *block, pgoff_t page)
{
	struct bp_debug *debug = window->pool->debug;
	s64 offset = ((s64)page - (s64)block->start) * (s64)PAGE_SIZE +
		     offset_in_page(vmf->real_address);

	if (debug)
		bp_debug_stale(debug, window->client, block->index, offset);
}

static vm_fault_t bp_window_fault(struct vm_fault *vmf)
{
	struct bp_window *window = vmf->vma->vm_private_data;
	pgoff_t page = vmf->pgoff - bp_window_first(window);
	struct bp_extent block = bp_extent_near(window->pool, page);
	vm_fault_t ret = VM_FAULT_SIGBUS;
	vm_flags_t access;

	down_read(&window->lock);
	access = bp_window_reaches(window, &block, page);
	if (access && (access & VM_WRITE || !(vmf->flags & FAULT_FLAG_WRITE)))
		ret = bp_window_fill(window, vmf->vma, &block, page, access);
	up_read(&window->lock);
	if (ret == VM_FAULT_SIGBUS)
		bp_window_report(window, vmf, &block, page);
	return ret;
}

static void bp_window_unmap(const struct bp_window *window, u32 first, u32 n)
{
	loff_t stride = window->pool->store.geo.stride;
	loff_t window_at = (loff_t)window->number << BP_WINDOW_SHIFT;

	unmap_mapping_range(window->mapping, window_at + first * stride,
			    n * stride, 1);
}

/*
 * A page that was put in to be read: a share of a block is no more than that.  If it is
 * the client's own, another fault puts it in anew: to say here that it may be written to
 * would hold for what is there when the lock is gone.
 */
static vm_fault_t bp_window_mkwrite(struct vm_fault *vmf)
{
	struct bp_window *window = vmf->vma->vm_private_data;
	pgoff_t page = vmf->pgoff - bp_window_first(window);
	struct bp_extent block = bp_extent_near(window->pool, page);
	bool may;

	down_read(&window->lock);
	may = bp_window_reaches(window, &block, page) & VM_WRITE;
	if (may)
		bp_window_unmap(window, block.index, 1);
	up_read(&window->lock);
	if (may)
		return VM_FAULT_NOPAGE;
	bp_window_report(window, vmf, &block, page);
	return VM_FAULT_SIGBUS;
}

static const struct vm_operations_struct bp_window_vm_ops = {
	.fault = bp_window_fault,
	.pfn_mkwrite = bp_window_mkwrite,
};

/**
 * bp_window_map() - let a client's mapping of blocks have those that it holds
 * @window: the client's
 * @vma: the mapping, its offset as for a pool without isolation
 *
 * Context: mmap().
 * Return: 0, or -ENOMEM if there are too many clients that have mapped blocks.
 */
int bp_window_map(struct bp_window *window, struct vm_area_struct *vma)
{
	int ret = bp_window_open(window, vma->vm_file->f_mapping);

	if (ret)
		return ret;
	vma->vm_pgoff += bp_window_first(window);
	vma->vm_private_data = window;
	vma->vm_ops = &bp_window_vm_ops;
	vm_flags_set(vma, VM_PFNMAP | VM_IO);
	return 0;
}

static int bp_index_compare(const void *a, const void *b)
{
	return *(const u32 *)a < *(const u32 *)b ? -1 : 1;
}

/* All runs of neighbours, each at once. */
static void bp_window_unmap_all(const struct bp_window *window,
				const u32 *indices, u32 n)
{
	u32 sorted[BP_SLICE_MAX], i, run;

	memcpy(sorted, indices, n * sizeof(*indices));
	sort(sorted, n, sizeof(*sorted), bp_index_compare, NULL);
	for (i = 0; i < n; i += run) {
		for (run = 1; i + run < n; run++)
			if (sorted[i + run] != sorted[i] + run)
				break;
		bp_window_unmap(window, sorted[i], run);
	}
}

/**
 * bp_window_revoke() - take blocks away from a client that has released them
 * @window: the client's
 * @indices: the blocks; their owner words do not say the client any more
 * @n: how many, at most BP_SLICE_MAX
 *
 * When this returns no access of the client's reaches them.
 *
 * Context: Process context; may sleep.
 */
void bp_window_revoke(struct bp_window *window, const u32 *indices, u32 n)
{
	down_write(&window->lock);
	if (window->number)
		bp_window_unmap_all(window, indices, n);
	up_write(&window->lock);
}

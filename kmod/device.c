// SPDX-License-Identifier: GPL-2.0
/* /dev/blockpool: opening, mapping, polling.  The calls are in ioctl.c. */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/seq_file.h>

#include "client.h"
#include "compat.h"
#include "device.h"
#include "file.h"
#include "ioctl.h"
#include "pool.h"

static int bp_device_open(struct inode *inode, struct file *file)
{
	/* open(2) has a mode that grants nothing and so would ask for nothing. */
	if (!(file->f_mode & (FMODE_READ | FMODE_WRITE)))
		return -EINVAL;
	file->private_data = NULL;	/* misc_open() left something here */
	return nonseekable_open(inode, file);
}

static int bp_device_release(struct inode *inode, struct file *file)
{
	/* Nobody else has the file any more, so nothing needs to pair. */
	if (file->private_data)
		bp_client_close(file->private_data);
	return 0;
}

/* Behind the pages of the blocks there is one more: the status. */
static vm_fault_t bp_device_fault(struct vm_fault *vmf)
{
	struct bp_client *client = vmf->vma->vm_file->private_data;
	struct blockpool *pool = client->pool;
	unsigned long pages = bp_pool_map_pages(pool);

	if (vmf->pgoff > pages)
		return VM_FAULT_SIGBUS;
	vmf->page = vmf->pgoff < pages ? bp_store_page(&pool->store, vmf->pgoff) :
					 virt_to_page(pool->status);
	get_page(vmf->page);
	return 0;
}

#if BP_HUGE
static vm_fault_t bp_device_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct bp_client *client = vmf->vma->vm_file->private_data;

	return order == PMD_ORDER ?
		bp_store_fault_huge(&client->pool->store, vmf) :
		VM_FAULT_FALLBACK;
}
#endif

/*
 * Pages are all there after mmap(); a fault brings one back that madvise() took
 * away.  The mapping holds the file, and the file the pool.  (Those of isolated
 * pools are in isolate.c.)
 */
static const struct vm_operations_struct bp_device_vm_ops = {
	.fault = bp_device_fault,
#if BP_HUGE
	.huge_fault = bp_device_huge_fault,
#endif
};

static void bp_device_dress(struct vm_area_struct *vma, vm_flags_t never)
{
	vm_flags_clear(vma, VM_MAYEXEC | never);
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTCOPY | VM_DONTDUMP);
	vma->vm_ops = &bp_device_vm_ops;
}

static int bp_device_map_status(struct blockpool *pool,
				struct vm_area_struct *vma)
{
	if (vma_pages(vma) != 1)
		return -EINVAL;
	if (vma->vm_flags & VM_WRITE)
		return -EACCES;
	bp_device_dress(vma, VM_MAYWRITE);
	return vm_insert_page(vma, vma->vm_start, virt_to_page(pool->status));
}

static int bp_device_map_blocks(struct bp_client *client,
				struct vm_area_struct *vma)
{
	struct blockpool *pool = client->pool;
	int ret;

	if (vma_pages(vma) > bp_pool_map_pages(pool) - vma->vm_pgoff)
		return -EINVAL;
	ret = bp_pool_admit(pool, current_euid());
	if (ret)
		return ret;
	bp_device_dress(vma, 0);
	return pool->flags & BLOCKPOOL_ISOLATED ?
		bp_window_map(&client->window, vma) :
		bp_store_map(&pool->store, vma);
}

static int bp_device_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct bp_client *client;
	struct blockpool *pool;

	/* Not VM_SHARED, which a read-only file's shared mapping lacks. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;
	client = bp_file_client(file);
	if (IS_ERR(client))
		return PTR_ERR(client);
	pool = client->pool;
	if (vma->vm_pgoff > bp_pool_map_pages(pool))
		return -EINVAL;
	if (vma->vm_pgoff == bp_pool_map_pages(pool))
		return bp_device_map_status(pool, vma);
	return bp_device_map_blocks(client, vma);
}

static __poll_t bp_device_poll(struct file *file, poll_table *wait)
{
	struct bp_client *client = bp_file_client(file);
	__poll_t events = 0;

	if (IS_ERR(client))
		return EPOLLERR;
	poll_wait(file, &client->pool->stock.depot.pollers, wait);
	if (bp_stock_ready(&client->pool->stock))
		events |= EPOLLOUT | EPOLLWRNORM;
	poll_wait(file, &client->bindings.news, wait);
	events |= bp_bindings_poll(client);
	if (bp_client_untold(client))
		events |= EPOLLPRI;
	return events;
}

static void bp_device_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct bp_client *client = bp_file_attached(file);

	if (!client)
		return;
	seq_printf(m, "pool:\t%s\n", client->pool->name);
	seq_printf(m, "client:\t%u\n", client->id);
	seq_printf(m, "held:\t%u\n", bp_client_held(client));
	seq_printf(m, "limit:\t%u\n", client->pool->client_max);
}

static const struct file_operations bp_device_fops = {
	.owner = THIS_MODULE,
	.open = bp_device_open,
	.release = bp_device_release,
	.unlocked_ioctl = bp_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = bp_device_mmap,
	.get_unmapped_area = thp_get_unmapped_area,
	.poll = bp_device_poll,
	.show_fdinfo = bp_device_show_fdinfo,
};

/*
 * Who may open the device may make pools within its limits and use those whose
 * mode lets it.  The administrator gives the node to a group.
 */
static struct miscdevice bp_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "blockpool",
	.fops = &bp_device_fops,
	.mode = 0660,
};

int bp_device_register(void)
{
	return misc_register(&bp_device);
}

void bp_device_unregister(void)
{
	misc_deregister(&bp_device);
}

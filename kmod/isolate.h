/* SPDX-License-Identifier: GPL-2.0 */
/* Isolation: a client's mapping has the blocks that the client holds. */
#ifndef BLOCKPOOL_ISOLATE_H
#define BLOCKPOOL_ISOLATE_H

#include <linux/fs.h>
#include <linux/mm_types.h>
#include <linux/rwsem.h>
#include <linux/types.h>

struct blockpool;

struct bp_window {
	struct blockpool *pool;
	u32 client;		/* its id in the owner table */

	/*
	 * For writing: while blocks are taken away.  A fault has it for reading
	 * from its look at the owner word until the page is in the page table.
	 */
	struct rw_semaphore lock;

	/* The following fields are protected by the lock, until they are set. */
	struct address_space *mapping;
	unsigned int number;	/* 0: the client has never mapped a block */
};

void bp_window_init(struct bp_window *window, struct blockpool *pool,
		    u32 client);
void bp_window_destroy(struct bp_window *window);

int bp_window_map(struct bp_window *window, struct vm_area_struct *vma);
void bp_window_revoke(struct bp_window *window, const u32 *indices, u32 n);

#endif /* BLOCKPOOL_ISOLATE_H */

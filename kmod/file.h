/* SPDX-License-Identifier: GPL-2.0 */
/* An open file of /dev/blockpool and the client it is attached as. */
#ifndef BLOCKPOOL_FILE_H
#define BLOCKPOOL_FILE_H

#include <linux/fs.h>

struct blockpool;
struct bp_client;

/* The client, or NULL if the file is not attached yet. */
static inline struct bp_client *bp_file_attached(struct file *file)
{
	/* Pairs with cmpxchg() in bp_file_attach(). */
	return smp_load_acquire(&file->private_data);
}

bool bp_file_permits(const struct file *file, const struct blockpool *pool);
struct bp_client *bp_file_attach(struct file *file, struct blockpool *pool);
struct bp_client *bp_file_client(struct file *file);
struct blockpool *bp_file_look(struct file *file);

#endif /* BLOCKPOOL_FILE_H */

// SPDX-License-Identifier: GPL-2.0
/*
 * An open file of /dev/blockpool and the client it is attached as.
 *
 * file->private_data goes from NULL to the client once, without a lock: of two
 * that attach one file at the same time, one closes its client again.
 */
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/fs.h>

#include "client.h"
#include "file.h"
#include "pool.h"

/* What a file's way of opening asks of a pool's mode. */
static umode_t bp_file_wants(const struct file *file)
{
	return (file->f_mode & FMODE_READ ? MAY_READ : 0) |
	       (file->f_mode & FMODE_WRITE ? MAY_WRITE : 0);
}

/* Whether the current credentials may use a pool as the file was opened. */
bool bp_file_permits(const struct file *file, const struct blockpool *pool)
{
	return bp_pool_permits(pool, bp_file_wants(file));
}

/**
 * bp_file_attach() - attach a file to a pool; permission is the caller's matter
 * @file: the file
 * @pool: the pool; the caller's reference is used up in any case
 *
 * Return: The client, or -EBUSY (attached already), -ENOMEM as ERR_PTR.
 */
struct bp_client *bp_file_attach(struct file *file, struct blockpool *pool)
{
	struct bp_client *client = bp_client_open(pool);

	if (IS_ERR(client)) {
		bp_pool_put(pool);
		return client;
	}
	/* Pairs with smp_load_acquire() in bp_file_attached(). */
	if (cmpxchg(&file->private_data, NULL, client)) {
		bp_client_close(client);
		return ERR_PTR(-EBUSY);
	}
	return client;
}

/* "default", if the opener may use it, whoever it is that uses the file now. */
static struct blockpool *bp_file_default(struct file *file)
{
	struct blockpool *pool = bp_pool_find(BP_DEFAULT_NAME);
	const struct cred *saved;
	bool permitted;

	if (!pool)
		return ERR_PTR(-ENOENT);
	saved = override_creds(file->f_cred);
	permitted = bp_file_permits(file, pool);
	revert_creds(saved);
	if (permitted)
		return pool;
	bp_pool_put(pool);
	return ERR_PTR(-EACCES);
}

static struct bp_client *bp_file_attach_default(struct file *file)
{
	struct blockpool *pool = bp_file_default(file);
	struct bp_client *client;

	if (IS_ERR(pool))
		return ERR_CAST(pool);
	client = bp_file_attach(file, pool);
	return client == ERR_PTR(-EBUSY) ? bp_file_attached(file) : client;
}

/* The file's client; one that has none is attached to the pool "default". */
struct bp_client *bp_file_client(struct file *file)
{
	return bp_file_attached(file) ?: bp_file_attach_default(file);
}

/*
 * The pool that the file is attached to, or would be, with a reference; to look
 * at and not to stay.
 */
struct blockpool *bp_file_look(struct file *file)
{
	struct bp_client *client = bp_file_attached(file);

	return client ? bp_pool_hold(client->pool) : bp_file_default(file);
}

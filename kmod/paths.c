// SPDX-License-Identifier: GPL-2.0
/*
 * Paths: the files that the frames of clients' call stacks lie in.
 *
 * A client hands over one text, which is charged to it.  What a block's track says
 * of a client is read when the client may be gone, so the texts of the last ones
 * that went are kept.  They are read in any context, under RCU.
 */
#include <linux/ctype.h>
#include <linux/minmax.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "charge.h"
#include "paths.h"

struct bp_text {
	struct rcu_head rcu;
	u32 length;
	char bytes[];
};

void bp_paths_init(struct bp_paths *paths)
{
	xa_init(&paths->texts);
}

void bp_paths_destroy(struct bp_paths *paths)
{
	struct bp_text *text;
	unsigned long client;

	xa_for_each(&paths->texts, client, text)
		kvfree(text);
	xa_destroy(&paths->texts);
}

static void bp_text_free(struct bp_text *text)
{
	if (text)
		kvfree_rcu(text, rcu);
}

/* Returns 0, -ENOMEM or -EFAULT. */
int bp_paths_write(struct bp_paths *paths, u32 client, const void __user *from,
		   u32 length)
{
	struct bp_text *text = kvmalloc(struct_size(text, bytes, length),
					BP_GFP_CHARGED);
	struct bp_text *before;

	if (!text)
		return -ENOMEM;
	text->length = length;
	if (copy_from_user(text->bytes, from, length)) {
		kvfree(text);
		return -EFAULT;
	}
	before = xa_store(&paths->texts, client, text, BP_GFP_CHARGED);
	if (xa_is_err(before)) {
		kvfree(text);
		return xa_err(before);
	}
	bp_text_free(before);
	return 0;
}

/* The client is gone: what it said is kept for a while. */
void bp_paths_leave(struct bp_paths *paths, u32 client)
{
	struct bp_text *oldest = NULL;
	u32 *place;

	xa_lock(&paths->texts);
	if (xa_load(&paths->texts, client)) {
		place = &paths->gone[paths->next++ % BP_PATHS_GONE];
		oldest = __xa_erase(&paths->texts, *place);
		*place = client;
	}
	xa_unlock(&paths->texts);
	bp_text_free(oldest);
}

/* Where a line of the text begins, and its length; NULL if there is none. */
static const char *bp_text_line(const struct bp_text *text, u32 line,
				size_t *length)
{
	const char *at = text->bytes, *end = at + text->length, *newline;

	for (;; at = newline + 1) {
		newline = memchr(at, '\n', end - at);
		if (!newline)
			return NULL;
		if (!line--)
			break;
	}
	*length = newline - at;
	return at;
}

/* Those who read it on a terminal get no control characters of others. */
static size_t bp_path_copy(char *to, size_t size, const char *path,
			   size_t length)
{
	size_t skip = length > BP_PATH_TEXT ? length - BP_PATH_TEXT : 0, i;

	length = min(length - skip, size - 1);
	for (i = 0; i < length; i++)
		to[i] = isascii(path[skip + i]) && isprint(path[skip + i]) ?
			path[skip + i] : '?';
	to[length] = 0;
	return length;
}

/* The path in a line of a client's text, or a question mark; returns its length. */
size_t bp_paths_read(struct bp_paths *paths, u32 client, u32 line, char *to,
		     size_t size)
{
	const struct bp_text *text;
	const char *path = "?";
	size_t length = 1;

	rcu_read_lock();
	text = xa_load(&paths->texts, client);
	if (text)
		path = bp_text_line(text, line, &length) ?: path;
	length = bp_path_copy(to, size, path, length);
	rcu_read_unlock();
	return length;
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bytes that nobody vouches for, read from the front: what is not there any more
 * reads as nothing, and `bad` stays set.
 */
#ifndef BLACKBOX_BYTES_H
#define BLACKBOX_BYTES_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct bytes {
	const unsigned char *at;
	size_t left;
	bool bad;		/* more was asked for than there was */
};

/* The next so many, as bytes of their own; none if there are fewer. */
static inline struct bytes bytes_take(struct bytes *from, __u64 size)
{
	struct bytes part = { .at = from->at, .left = size };

	if (from->bad || size > from->left) {
		from->bad = true;
		return (struct bytes){ .at = from->at, .bad = true };
	}
	from->at += size;
	from->left -= size;
	return part;
}

/* A number of 1 to 8 bytes as this machine writes it. */
static inline __u64 bytes_number(struct bytes *from, size_t size)
{
	struct bytes part = bytes_take(from, size);
	__u64 value = 0;

	if (!part.bad)
		memcpy(&value, part.at, size);	/* little endian: see dat.h */
	return value;
}

/* Up to a NUL, which is taken too; NULL if there is none. */
static inline const char *bytes_string(struct bytes *from)
{
	const char *text = (const char *)from->at;
	const void *end = from->left ? memchr(text, '\0', from->left) : NULL;

	if (from->bad || !end) {
		from->bad = true;
		return NULL;
	}
	bytes_take(from, (const char *)end - text + 1);
	return text;
}

/* True if what comes next is this, which is taken. */
static inline bool bytes_are(struct bytes *from, const void *what, size_t size)
{
	if (from->bad || from->left < size || memcmp(from->at, what, size))
		return false;
	bytes_take(from, size);
	return true;
}

#endif

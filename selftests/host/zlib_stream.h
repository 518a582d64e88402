/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What zlib, which calls back for its memory, takes for a stream: for tests that load it
 * by name, and need none of its headers.
 */
#ifndef HOST_ZLIB_STREAM_H
#define HOST_ZLIB_STREAM_H

struct zlib {
	const void *next_in;
	unsigned int avail_in;
	unsigned long total_in;
	void *next_out;
	unsigned int avail_out;
	unsigned long total_out;
	const char *msg;
	void *state;
	void *(*zalloc)(void *opaque, unsigned int items, unsigned int size);
	void (*zfree)(void *opaque, void *address);
	void *opaque;
	int data_type;
	unsigned long adler, reserved;
};

#endif /* HOST_ZLIB_STREAM_H */

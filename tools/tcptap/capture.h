/* SPDX-License-Identifier: GPL-2.0 */
/* From the port into the file. */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <stdint.h>
#include <stdio.h>

#include <blockpool.h>

struct interface;

struct capture {
	struct blockpool *pool;
	struct blockpool_port *port;
	FILE *file;
	uint32_t snap_length;

	uint64_t begin;			/* ns since 1970 */
	uint64_t packets;
	uint64_t cut;			/* of these, not whole */
	uint64_t strange;		/* messages that are no segments */
	struct interface *interfaces;
	unsigned int nr_interfaces;
};

/* Nanoseconds since 1970. */
uint64_t now(void);

void capture_begin(struct capture *capture);

/*
 * Writes up to most packets that are in the port, flushes, and gives their blocks
 * back.  Returns how many there were, or -1 with errno: EAGAIN: none.
 */
int capture_some(struct capture *capture, uint64_t most);

/* The statistics; dropped NULL: nobody knows.  -1 with errno if the file failed. */
int capture_end(struct capture *capture, const uint64_t *dropped);

#endif /* CAPTURE_H */

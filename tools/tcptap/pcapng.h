/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A pcapng file (draft-ietf-opsawg-pcapng) of packets that begin with their IP header,
 * with times in nanoseconds.  Numbers are in this machine's byte order, as the format
 * allows.  What goes wrong with the file is told by ferror().
 */
#ifndef PCAPNG_H
#define PCAPNG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The values of epb_flags. */
enum pcapng_direction {
	PCAPNG_IN = 1,
	PCAPNG_OUT = 2,
};

struct pcapng_packet {
	uint64_t time;
	enum pcapng_direction direction;
	uint32_t length;
	uint32_t captured;
	const void *data;
};

void pcapng_begin(FILE *file);
void pcapng_interface(FILE *file, const char *name, uint32_t snap_length);
void pcapng_packet(FILE *file, uint32_t interface, const struct pcapng_packet *packet);

struct pcapng_statistics {
	uint64_t begin;
	uint64_t end;
	uint64_t delivered;
	const uint64_t *dropped;	/* on all interfaces, or NULL */
};

/* Goes behind the packets of the interface. */
void pcapng_statistics(FILE *file, uint32_t interface,
		       const struct pcapng_statistics *statistics);

#endif /* PCAPNG_H */

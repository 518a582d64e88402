// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "capture.h"
#include "module/segment.h"
#include "pcapng.h"

#define BATCH 64	/* messages at a time */

struct interface {
	char name[sizeof(((struct blockpool_segment *)0)->interface)];
	uint64_t packets;
};

uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

void capture_begin(struct capture *capture)
{
	capture->begin = now();
	pcapng_begin(capture->file);
	fflush(capture->file);
}

/* Its number in the file, which gets to know it at its first packet. */
static uint32_t number_of(struct capture *capture, const char *name)
{
	struct interface *interfaces = capture->interfaces;
	unsigned int i, n = capture->nr_interfaces;

	for (i = 0; i < n; i++)
		if (!strcmp(interfaces[i].name, name))
			return i;
	interfaces = reallocarray(interfaces, n + 1, sizeof(*interfaces));
	if (!interfaces)
		err(1, "interface %s", name);
	interfaces[n] = (struct interface){ 0 };
	strcpy(interfaces[n].name, name);
	capture->interfaces = interfaces;
	capture->nr_interfaces++;
	pcapng_interface(capture->file, name, capture->snap_length);
	return n;
}

/* The head is copied, once: whoever else has the pool mapped can write to it. */
static void write_packet(struct capture *capture, const struct blockpool_message *message)
{
	const char *data = blockpool_block(capture->pool, message->index);
	struct blockpool_segment segment;
	struct pcapng_packet packet;
	uint32_t number;

	if (message->length < sizeof(segment)) {
		capture->strange++;
		return;
	}
	data += message->offset;
	memcpy(&segment, data, sizeof(segment));
	segment.interface[sizeof(segment.interface) - 1] = '\0';
	packet = (struct pcapng_packet){
		.time = segment.time,
		.direction = segment.direction == BLOCKPOOL_SEGMENT_IN ? PCAPNG_IN : PCAPNG_OUT,
		.length = segment.length,
		.captured = message->length - sizeof(segment),
		.data = data + sizeof(segment),
	};
	number = number_of(capture, segment.interface);
	pcapng_packet(capture->file, number, &packet);
	capture->interfaces[number].packets++;
	capture->packets++;
	if (packet.captured < packet.length)
		capture->cut++;
}

int capture_some(struct capture *capture, uint64_t most)
{
	struct blockpool_message messages[BATCH];
	void *blocks[BATCH];
	int n, i;

	n = blockpool_recv(capture->port, messages, most < BATCH ? most : BATCH, 0, 0);
	for (i = 0; i < n; i++) {
		write_packet(capture, &messages[i]);
		blocks[i] = blockpool_block(capture->pool, messages[i].index);
	}
	if (n > 0 && blockpool_free_bulk(capture->pool, blocks, n) != n)
		return -1;
	if (n > 0 && fflush(capture->file))
		return -1;
	return n;
}

int capture_end(struct capture *capture, const uint64_t *dropped)
{
	struct pcapng_statistics statistics = {
		.begin = capture->begin, .end = now(), .dropped = dropped,
	};
	unsigned int i;

	for (i = 0; i < capture->nr_interfaces; i++) {
		statistics.delivered = capture->interfaces[i].packets;
		pcapng_statistics(capture->file, i, &statistics);
		statistics.dropped = NULL;
	}
	if (ferror(capture->file)) {
		errno = EIO;
		return -1;
	}
	return fclose(capture->file);
}

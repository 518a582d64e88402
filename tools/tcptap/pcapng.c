// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "pcapng.h"

enum {
	SECTION_HEADER = 0x0a0d0d0a,
	INTERFACE_DESCRIPTION = 1,
	INTERFACE_STATISTICS = 5,
	ENHANCED_PACKET = 6,

	BYTE_ORDER = 0x1a2b3c4d,
	LINKTYPE_RAW = 101,
	NANOSECONDS = 9,		/* negative powers of ten */

	OPT_END = 0,
	OPT_COMMENT = 1,
	SHB_USERAPPL = 4,
	IF_NAME = 2,
	IF_TSRESOL = 9,
	EPB_FLAGS = 2,
	ISB_STARTTIME = 2,
	ISB_ENDTIME = 3,
	ISB_OSDROP = 7,
	ISB_USRDELIV = 8,
};

/* A block but for a packet's data: 32-bit words, since all in it is padded to those. */
struct block {
	uint32_t words[64];
	uint32_t n;
};

static struct block begin(uint32_t type)
{
	return (struct block){ .words = { type }, .n = 2 };	/* the length comes later */
}

static void put(struct block *block, uint32_t word)
{
	block->words[block->n++] = word;
}

static void put_two(struct block *block, uint16_t first, uint16_t second)
{
	uint16_t both[] = { first, second };

	memcpy(&block->words[block->n++], both, sizeof(both));
}

static void put_time(struct block *block, uint64_t time)
{
	put(block, time >> 32);
	put(block, time);
}

static void put_option(struct block *block, uint16_t code, const void *value, size_t size)
{
	put_two(block, code, size);
	memcpy(&block->words[block->n], value, size);	/* words were zero */
	block->n += (size + 3) / 4;
}

static void put_option_time(struct block *block, uint16_t code, uint64_t time)
{
	put_two(block, code, sizeof(time));
	put_time(block, time);
}

/* The block's length, with so many more bytes that are not in it, at both ends. */
static void finish(struct block *block, uint32_t more)
{
	uint32_t length = (block->n + 1) * 4 + more;

	block->words[1] = length;
	put(block, length);
}

static void write_block(FILE *file, struct block *block)
{
	finish(block, 0);
	fwrite(block->words, 4, block->n, file);
}

void pcapng_begin(FILE *file)
{
	struct block block = begin(SECTION_HEADER);
	static const char name[] = "blockpool-tap";

	put(&block, BYTE_ORDER);
	put_two(&block, 1, 0);		/* version */
	put(&block, UINT32_MAX);	/* the section's length: unknown */
	put(&block, UINT32_MAX);
	put_option(&block, SHB_USERAPPL, name, strlen(name));
	put_two(&block, OPT_END, 0);
	write_block(file, &block);
}

void pcapng_interface(FILE *file, const char *name, uint32_t snap_length)
{
	struct block block = begin(INTERFACE_DESCRIPTION);
	uint8_t resolution = NANOSECONDS;

	put_two(&block, LINKTYPE_RAW, 0);
	put(&block, snap_length);
	put_option(&block, IF_NAME, name, strlen(name));
	put_option(&block, IF_TSRESOL, &resolution, sizeof(resolution));
	put_two(&block, OPT_END, 0);
	write_block(file, &block);
}

/* The data, up to 3 bytes of padding, the options and the length once more. */
void pcapng_packet(FILE *file, uint32_t interface, const struct pcapng_packet *packet)
{
	struct block block = begin(ENHANCED_PACKET);
	uint32_t padding = -packet->captured & 3;
	uint32_t head, flags = packet->direction;

	put(&block, interface);
	put_time(&block, packet->time);
	put(&block, packet->captured);
	put(&block, packet->length);
	head = block.n;
	put_option(&block, EPB_FLAGS, &flags, sizeof(flags));
	put_two(&block, OPT_END, 0);
	finish(&block, packet->captured + padding);

	fwrite(block.words, 4, head, file);
	fwrite(packet->data, 1, packet->captured, file);
	fwrite("\0\0", 1, padding, file);
	fwrite(block.words + head, 4, block.n - head, file);
}

void pcapng_statistics(FILE *file, uint32_t interface,
		       const struct pcapng_statistics *statistics)
{
	struct block block = begin(INTERFACE_STATISTICS);
	static const char comment[] = "isb_osdrop is the sum of all interfaces";

	put(&block, interface);
	put_time(&block, statistics->end);
	if (statistics->dropped) {
		put_option(&block, OPT_COMMENT, comment, strlen(comment));
		put_option(&block, ISB_OSDROP, statistics->dropped, sizeof(uint64_t));
	}
	put_option_time(&block, ISB_STARTTIME, statistics->begin);
	put_option_time(&block, ISB_ENDTIME, statistics->end);
	put_option(&block, ISB_USRDELIV, &statistics->delivered, sizeof(uint64_t));
	put_two(&block, OPT_END, 0);
	write_block(file, &block);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * CRC-32C in plain C, so that the consumer's figure owes nothing to the
 * kernel's code nor to an instruction of the processor.
 */
#include "crc32c.h"

#define POLYNOMIAL	0x82f63b78U	/* reflected */

static uint32_t table[256];

static void fill_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		table[i] = crc;
	}
}

uint32_t crc32c(const void *data, size_t length)
{
	const unsigned char *byte = data;
	uint32_t crc = ~0U;

	if (!table[1])
		fill_table();
	while (length--)
		crc = crc >> 8 ^ table[(crc ^ *byte++) & 0xff];
	return ~crc;
}

/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only OR MIT */
/*
 * The sum in a record that outlives its machine, whose memory may have lost a bit
 * meanwhile, or have been another's: over all of the record but the sum itself.
 *
 * FNV-1a, by words of 32 bits.  Each step is one to one, so that a change within one
 * word is always seen; any other goes unseen once in 2^32.
 */
#ifndef BLOCKPOOL_RECORD_H
#define BLOCKPOOL_RECORD_H

#include "plain.h"

#define BP_SUM_BEGIN	0x811c9dc5u
#define BP_SUM_PRIME	0x01000193u

/* Of bytes that come next, of which there are 4, or 8, or 12, ... */
static inline u32 bp_sum(u32 sum, const void *bytes, size_t size)
{
	const char *at = bytes;
	u32 word;

	for (; size; size -= sizeof(word), at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		sum = (sum ^ word) * BP_SUM_PRIME;
	}
	return sum;
}

/* Of a record of @size bytes, with its sum at @skip. */
static inline u32 bp_record_sum(const void *record, size_t skip, size_t size)
{
	const size_t rest = skip + sizeof(u32);

	return bp_sum(bp_sum(BP_SUM_BEGIN, record, skip),
		      (const char *)record + rest, size - rest);
}

#endif /* BLOCKPOOL_RECORD_H */

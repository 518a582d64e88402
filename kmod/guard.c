// SPDX-License-Identifier: GPL-2.0
/*
 * Guard zones round blocks, and the poison in free ones: fill, check, describe.
 *
 * Nobody writes to a guard zone but a repair, which writes what is there already, so
 * one may be looked at while the block is used.
 */
#include <linux/minmax.h>
#include <linux/string.h>

#include "guard.h"

#define BP_DUMP_BEFORE	16u	/* bytes shown before the first that is damaged */

/* Bytes that should all be the same. */
struct bp_zone {
	u8 *bytes;
	u32 length;
	s64 offset;		/* from the beginning of the block */
	u8 fill;
	u32 kind;		/* of report, if they are not */
};

static struct bp_zone bp_zone_before(const struct bp_guard *guard, u32 index)
{
	u32 front = guard->store->geo.front;

	return (struct bp_zone) {
		.bytes = bp_store_block(guard->store, index) - front,
		.length = front,
		.offset = -(s64)front,
		.fill = BP_FILL_GUARD,
		.kind = BLOCKPOOL_REPORT_UNDERRUN,
	};
}

static struct bp_zone bp_zone_behind(const struct bp_guard *guard, u32 index)
{
	const struct bp_geometry *geo = &guard->store->geo;

	return (struct bp_zone) {
		.bytes = bp_store_block(guard->store, index) +
			 guard->block_size,
		.length = geo->stride - geo->front - guard->block_size,
		.offset = guard->block_size,
		.fill = BP_FILL_GUARD,
		.kind = BLOCKPOOL_REPORT_OVERRUN,
	};
}

static struct bp_zone bp_zone_content(const struct bp_guard *guard, u32 index)
{
	return (struct bp_zone) {
		.bytes = bp_store_block(guard->store, index),
		.length = guard->block_size,
		.fill = BP_FILL_POISON,
		.kind = BLOCKPOOL_REPORT_USE_AFTER_FREE,
	};
}

static void bp_zone_fill(struct bp_zone zone)
{
	memset(zone.bytes, zone.fill, zone.length);
}

static u8 *bp_zone_damage(struct bp_zone zone)
{
	return memchr_inv(zone.bytes, zone.fill, zone.length);
}

void bp_guard_fill(const struct bp_guard *guard, u32 index)
{
	if (!(guard->flags & BLOCKPOOL_GUARD))
		return;
	bp_zone_fill(bp_zone_before(guard, index));
	bp_zone_fill(bp_zone_behind(guard, index));
}

/* For anyone at any time. */
bool bp_guard_sound(const struct bp_guard *guard, u32 index)
{
	return !(guard->flags & BLOCKPOOL_GUARD) ||
	       (!bp_zone_damage(bp_zone_before(guard, index)) &&
		!bp_zone_damage(bp_zone_behind(guard, index)));
}

void bp_poison_fill(const struct bp_guard *guard, u32 index)
{
	if (guard->flags & BLOCKPOOL_POISON)
		bp_zone_fill(bp_zone_content(guard, index));
}

/* For who has the free block to itself. */
bool bp_poison_sound(const struct bp_guard *guard, u32 index)
{
	return !(guard->flags & BLOCKPOOL_POISON) ||
	       !bp_zone_damage(bp_zone_content(guard, index));
}

static u32 bp_zone_count(struct bp_zone zone)
{
	u32 n = 0, i;

	for (i = 0; i < zone.length; i++)
		n += READ_ONCE(zone.bytes[i]) != zone.fill;
	return n;
}

static bool bp_zone_describe(struct bp_zone zone, struct bp_record *record)
{
	u8 *first = bp_zone_damage(zone);
	u32 at, from;

	if (!first)
		return false;
	at = first - zone.bytes;
	from = round_down(at - min(at, BP_DUMP_BEFORE), BP_DUMP_BEFORE);
	record->kind = zone.kind;
	record->offset = zone.offset + at;
	record->nr_damaged = bp_zone_count(zone);
	record->fill = zone.fill;
	record->dump_size = min(zone.length - from, BLOCKPOOL_DUMP_SIZE + 0u);
	record->dump_offset = zone.offset + from;
	memcpy(record->dump, zone.bytes + from, record->dump_size);
	return true;
}

/* The first zone that is damaged, if one is; the content of a free block is one. */
bool bp_guard_describe(const struct bp_guard *guard, u32 index, bool content,
		       struct bp_record *record)
{
	return (guard->flags & BLOCKPOOL_GUARD &&
		(bp_zone_describe(bp_zone_before(guard, index), record) ||
		 bp_zone_describe(bp_zone_behind(guard, index), record))) ||
	       (content && guard->flags & BLOCKPOOL_POISON &&
		bp_zone_describe(bp_zone_content(guard, index), record));
}

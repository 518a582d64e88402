// SPDX-License-Identifier: GPL-2.0
#include "words.h"

#include <stddef.h>
#include <linux/blockpool.h>

#define NR(table)	(sizeof(table) / sizeof((table)[0]))

static const struct words kinds[] = {
	[BLOCKPOOL_REPORT_UNDERRUN] = { "underrun", "underrun" },
	[BLOCKPOOL_REPORT_OVERRUN] = { "overrun", "overrun" },
	[BLOCKPOOL_REPORT_USE_AFTER_FREE] = {
		"use-after-free", "use after free" },
	[BLOCKPOOL_REPORT_DOUBLE_FREE] = { "double-free", "double free" },
	[BLOCKPOOL_REPORT_NOT_HELD] = {
		"not-held", "free by one who does not hold it" },
	[BLOCKPOOL_REPORT_NOT_A_BLOCK] = {
		"not-a-block", "free of what is not a block" },
	[BLOCKPOOL_REPORT_STALE] = {
		"stale", "access by one who does not hold it" },
	[BLOCKPOOL_REPORT_CORRUPT] = {
		"corrupt", "the bookkeeping is corrupt" },
};

static const struct words founds[] = {
	[BLOCKPOOL_FOUND_ALLOC] = { "alloc", "an alloc" },
	[BLOCKPOOL_FOUND_FREE] = { "free", "a free" },
	[BLOCKPOOL_FOUND_RECLAIM] = {
		"reclaim", "the reclaim of a dead client's blocks" },
	[BLOCKPOOL_FOUND_CHECK] = { "check", "a check" },
	[BLOCKPOOL_FOUND_SWEEP] = { "sweep", "the sweep" },
	[BLOCKPOOL_FOUND_FAULT] = { "fault", "a page fault" },
	[BLOCKPOOL_FOUND_SEND] = { "send", "a send" },
	[BLOCKPOOL_FOUND_RECV] = { "receive", "a receive" },
};

/* A later kernel may know more of both. */
static struct words look_up(const struct words *table, size_t nr, __u32 number)
{
	static const struct words unknown = { NULL, "something new" };

	return number < nr && table[number].name ? table[number] : unknown;
}

struct words kind_words(__u32 kind)
{
	return look_up(kinds, NR(kinds), kind);
}

struct words found_words(__u32 found)
{
	return look_up(founds, NR(founds), found);
}

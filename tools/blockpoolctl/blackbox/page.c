// SPDX-License-Identifier: GPL-2.0
#include "page.h"

/* The head: a time, and how many bytes of events follow, with two flags. */
#define HEAD		16
#define COMMIT_SIZE	((1ull << 20) - 1)
#define COMMIT_LOST	(1ull << 31)
#define COMMIT_COUNTED	(1ull << 30)	/* how many, behind the events */

/* An event: 5 bits of its type, which is its length in words if it is small ... */
#define TYPE_BITS	5
#define TYPE_LONG	0		/* ... a length follows */
#define TYPE_PADDING	29
#define TYPE_EXTEND	30		/* more bits of time follow */
#define TYPE_STAMP	31		/* a time, but for its highest 5 bits */
#define TIME_BITS	27
#define STAMP_BITS	59

bool page_open(struct page *page, struct bytes bytes)
{
	struct bytes all = bytes;
	__u64 commit, size;

	*page = (struct page){ .start = bytes_number(&all, 8) };
	page->time = page->start;
	commit = bytes_number(&all, 8);
	size = commit & COMMIT_SIZE;
	if (all.bad || size > all.left || size % 4 ||
	    commit & ~(COMMIT_SIZE | COMMIT_LOST | COMMIT_COUNTED)) {
		page->fault = "its head is no page's";
		return false;
	}
	page->rest = bytes_take(&all, size);
	page->lost = commit & COMMIT_LOST;
	if (page->lost && commit & COMMIT_COUNTED && all.left >= 8)
		page->nr_lost = bytes_number(&all, 8);
	return true;
}

bool page_fault(struct page *page, const char *fault)
{
	page->fault = fault;
	page->rest.left = 0;
	return false;
}

static void advance(struct page *page, __u32 type, __u64 delta, __u64 more)
{
	__u64 high = page->time >> STAMP_BITS << STAMP_BITS;

	if (type == TYPE_EXTEND)
		page->time += (more << TIME_BITS) + delta;
	else
		page->time = high | (((more << TIME_BITS) + delta) &
				     ((1ull << STAMP_BITS) - 1));
}

/* Padding at the end of a page has no time; an event that was given up has one. */
static bool skip_padding(struct page *page, __u64 delta)
{
	__u64 length;

	if (!delta) {
		page->rest.left = 0;
		return false;
	}
	length = bytes_number(&page->rest, 4);
	if (length < 4 || length % 4 || bytes_take(&page->rest, length - 4).bad)
		return page_fault(page, "an event that was given up has no end");
	page->time += delta;
	return true;
}

static bool take_record(struct page *page, __u32 type, struct bytes *record)
{
	__u64 length = 4ull * type;

	if (type == TYPE_LONG) {
		length = bytes_number(&page->rest, 4);
		if (length < 4)
			return page_fault(page, "an event has no length");
		length -= 4;
	}
	*record = bytes_take(&page->rest, length);
	if (record->bad)
		return page_fault(page, "an event goes beyond the end");
	bytes_take(&page->rest, -length & 3);
	return true;
}

bool page_next(struct page *page, struct bytes *record)
{
	while (page->rest.left) {
		__u32 head = bytes_number(&page->rest, 4);
		__u32 type = head & ((1 << TYPE_BITS) - 1);
		__u64 delta = head >> TYPE_BITS;

		if (page->rest.bad)
			return page_fault(page, "an event's head is cut short");
		if (type == TYPE_EXTEND || type == TYPE_STAMP) {
			advance(page, type, delta, bytes_number(&page->rest, 4));
			if (page->rest.bad)
				return page_fault(page, "a time is cut short");
		} else if (type == TYPE_PADDING) {
			if (!skip_padding(page, delta))
				return false;
		} else {
			page->time += delta;
			return take_record(page, type, record);
		}
	}
	return false;
}

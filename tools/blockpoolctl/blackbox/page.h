/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One page of the kernel's ring buffer, event by event.
 *
 * libtraceevent's kbuffer walks it too, but believes every length that it reads.
 */
#ifndef BLACKBOX_PAGE_H
#define BLACKBOX_PAGE_H

#include "bytes.h"

struct page {
	struct bytes rest;
	__u64 time;		/* of the last event that was given */
	__u64 start;
	bool lost;		/* events before this page are missing */
	__u64 nr_lost;		/* so many; 0: the kernel does not know */
	const char *fault;	/* why no more could be read */
};

/* False: not even its head makes sense, which page->fault tells. */
bool page_open(struct page *page, struct bytes bytes);

/* False: there are no more, or page->fault is set. */
bool page_next(struct page *page, struct bytes *record);

/* Read no more of it; false. */
bool page_fault(struct page *page, const char *fault);

#endif

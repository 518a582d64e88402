/* SPDX-License-Identifier: GPL-2.0 */
/* Where the fields of an event lie, from the kernel's own description of it. */
#ifndef BLACKBOX_LAYOUT_H
#define BLACKBOX_LAYOUT_H

#include "events.h"

struct layout *layout_read(const struct dat *dat, struct notes *notes);
void layout_free(struct layout *layout);

enum fit { FIT, FIT_OTHER, FIT_UNKNOWN, FIT_DAMAGED, FIT_BAD };

/*
 * Fill an event from its record.  FIT_OTHER: it is of a kind that is none of ours;
 * FIT_UNKNOWN: nobody has described it; FIT_DAMAGED: its sum is wrong; FIT_BAD: it is
 * not as it was described.
 */
enum fit layout_fill(const struct layout *layout, struct bytes record,
		     struct event *event);

const char *layout_symbol(const struct layout *layout, enum event_kind kind,
			  __u64 value);

#endif

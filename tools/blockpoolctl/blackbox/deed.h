/* SPDX-License-Identifier: GPL-2.0 */
/* An event in words: what was done, without who did it and where. */
#ifndef BLACKBOX_DEED_H
#define BLACKBOX_DEED_H

#include <stdio.h>

#include "events.h"
#include "ksyms.h"

#define DEED_TEXT	320

/* "took block 5, at peer_take+0x1c [blockpool_peer]" */
const char *deed_text(const struct events *events, const struct ksyms *ksyms,
		      const struct event *event, char text[DEED_TEXT]);

/* The same as a JSON object. */
void deed_json(const struct events *events, const struct ksyms *ksyms,
	       const struct event *event);

/* Whose doing it was: an owner word, 0 if it is nobody's. */
__u64 deed_doer(const struct event *event);

/* "client 5", "port 2", "the kernel", "nobody" ... */
#define OWNER_WORDS	32
const char *owner_words(__u64 owner, char text[OWNER_WORDS]);

const char *softirq_name(__u64 vec);

#endif

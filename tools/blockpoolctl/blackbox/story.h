/* SPDX-License-Identifier: GPL-2.0 */
/* A file of the past, read: what the post-mortem tells, in whatever form. */
#ifndef BLACKBOX_STORY_H
#define BLACKBOX_STORY_H

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "history.h"
#include "ksyms.h"

#define REASON_TEXT	160

struct story {
	struct notes notes;
	struct dat dat;
	struct events events;
	struct history history;
	struct ksyms ksyms;
	char doubt[REASON_TEXT];	/* why the head may be of another boot, or "" */
	time_t saved;			/* when the file was written, for the reader; 0: unknown */
};

/* 0, or -1 and *why.  The bytes must stay until story_close(). */
int story_open(struct story *story, struct bytes file, const char **why);
void story_close(struct story *story);

/* The holders may be others, for more reasons than that events are missing. */
bool story_doubtful(const struct story *story);

/* Three ways to tell it, on stdout or, the picture, into a file. */
void story_tell(const struct story *story);
void story_json(const struct story *story);
void story_draw(struct story *story, FILE *out);

/* A run of neighbours with one owner, from *index on; false: there is none. */
struct block_run {
	__u32 first;
	__u32 count;
	bool known;
	bool sure;
	__u32 owner;
	__u64 ip;
};

bool story_run(const struct story *story, const struct pool_past *pool,
	       __u32 *index, struct block_run *run);

/* The complaints of the last minute, the oldest first; NULL: no more. */
const struct event *story_complaint(const struct story *story, unsigned int *at);

/* Those that a ring keeps: the oldest one's place, and how many. */
struct kept {
	unsigned int first, nr;
};

static inline struct kept kept(__u64 nr_ever, unsigned int room)
{
	return (struct kept){ nr_ever > room ? nr_ever % room : 0,
			      nr_ever > room ? room : nr_ever };
}

#endif

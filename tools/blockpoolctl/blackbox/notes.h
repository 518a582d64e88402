/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is wrong with a record of the past: counted by kind, with the first of each
 * kind in words, so that the longest list of faults is short to read.
 */
#ifndef BLACKBOX_NOTES_H
#define BLACKBOX_NOTES_H

#include <linux/types.h>
#include <stdbool.h>

enum note {
	/* These belong to the life of a ring buffer. */
	NOTE_LOST,		/* events that were overwritten or dropped */
	NOTE_SILENT,		/* a CPU without any event */
	NOTE_SNAPSHOT,		/* a snapshot that has no end */
	NOTE_INSTANT,		/* the last instant of a machine that did not panic */
	/* These are damage: no holder is sure any more. */
	NOTE_CUT,		/* less than the file says there is */
	NOTE_UNNAMED,		/* events that nobody has described */
	NOTE_FORMAT,		/* an event's format is not as it should be */
	NOTE_SUM,		/* an event's sum is wrong */
	NOTE_PAGE,		/* a page, or the rest of it, makes no sense */
	NOTE_VALUE,		/* a number that cannot be */
	NOTE_CONFLICT,		/* events that contradict each other */
	NOTE_MEMORY,		/* no memory for it here */
	NR_NOTES
};

#define NOTE_DAMAGE	NOTE_CUT	/* and all behind it */
#define NOTE_TEXT	120

struct notes {
	__u64 count[NR_NOTES];
	char first[NR_NOTES][NOTE_TEXT];
};

void note(struct notes *notes, enum note kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

bool notes_damage(const struct notes *notes);

/* A heading for all of a kind, such as "pages that make no sense". */
const char *note_words(enum note kind);

/* The same for programs, such as "page". */
const char *note_key(enum note kind);

#endif

// SPDX-License-Identifier: GPL-2.0
#include "notes.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
	const char *key;
	const char *words;
} kinds[NR_NOTES] = {
	[NOTE_LOST] = { "lost", "events were overwritten or dropped" },
	[NOTE_SILENT] = { "silent", "a CPU has left no event" },
	[NOTE_SNAPSHOT] = { "snapshot", "a snapshot is not complete" },
	[NOTE_UNNAMED] = { "unnamed", "events that the file does not describe" },
	[NOTE_INSTANT] = { "instant", "without a panic, what each CPU was just changing" },
	[NOTE_CUT] = { "cut", "the file has less than it says" },
	[NOTE_FORMAT] = { "format", "the description of an event is damaged" },
	[NOTE_SUM] = { "sum", "the sum over an event is wrong" },
	[NOTE_PAGE] = { "page", "a page makes no sense from some point on" },
	[NOTE_VALUE] = { "value", "an event says what cannot be" },
	[NOTE_CONFLICT] = { "conflict", "events contradict each other" },
	[NOTE_MEMORY] = { "memory", "there is not enough memory here to read all" },
};

void note(struct notes *notes, enum note kind, const char *fmt, ...)
{
	va_list args;

	if (notes->count[kind]++)
		return;
	va_start(args, fmt);
	vsnprintf(notes->first[kind], NOTE_TEXT, fmt, args);
	va_end(args);
}

bool notes_damage(const struct notes *notes)
{
	for (int i = NOTE_DAMAGE; i < NR_NOTES; i++)
		if (notes->count[i])
			return true;
	return false;
}

const char *note_words(enum note kind)
{
	return kinds[kind].words;
}

const char *note_key(enum note kind)
{
	return kinds[kind].key;
}

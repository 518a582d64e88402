// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>

#include "story.h"

/* What recorder and postmortem wrote into the head when they were not sure. */
static void read_doubt(struct story *story)
{
	static const struct {
		const char *key;
		const char *words;
	} doubts[] = {
		{ "no-description",
		  "the boot that died left no description of its events; the next one's is used" },
		{ "other-boot",
		  "the description of the events is not that of the boot that died" },
		{ "unproved",
		  "nothing proves that the description of the events is of the boot that died" },
	};
	char key[32];

	if (!dat_says(&story->dat, "doubt", key, sizeof(key)))
		return;
	snprintf(story->doubt, sizeof(story->doubt), "it says that it is not sure of itself");
	for (size_t i = 0; i < sizeof(doubts) / sizeof(doubts[0]); i++)
		if (!strcmp(doubts[i].key, key))
			snprintf(story->doubt, sizeof(story->doubt), "%s", doubts[i].words);
}

int story_open(struct story *story, struct bytes file, const char **why)
{
	*story = (struct story){ };
	if (dat_open(&story->dat, file, &story->notes, why))
		return -1;
	*why = "no memory";
	if (events_open(&story->events, &story->dat, &story->notes)) {
		dat_close(&story->dat);
		return -1;
	}
	if (history_read(&story->history, &story->events, &story->notes)) {
		events_close(&story->events);
		dat_close(&story->dat);
		return -1;
	}
	ksyms_read(&story->ksyms, story->dat.kallsyms);
	read_doubt(story);
	return 0;
}

void story_close(struct story *story)
{
	ksyms_free(&story->ksyms);
	history_free(&story->history);
	events_close(&story->events);
	dat_close(&story->dat);
}

bool story_doubtful(const struct story *story)
{
	return notes_damage(&story->notes) || *story->doubt;
}

static struct block_run run_at(const struct story *story,
			       const struct pool_past *pool, __u32 index)
{
	const struct block_past *block = block_at(pool, index);
	struct block_run run = { .first = index, .count = 1 };

	if (!block)
		return run;
	run.known = true;
	run.owner = block->owner;
	run.ip = block->owner == BLOCKPOOL_OWNER_KERNEL ? block->ip : 0;
	run.sure = block_sure(&story->history, pool, block) && !*story->doubt;
	return run;
}

bool story_run(const struct story *story, const struct pool_past *pool,
	       __u32 *index, struct block_run *run)
{
	__u32 nr = pool->nr_blocks ? pool->nr_blocks : pool->nr_known;

	if (*index >= nr)
		return false;
	*run = run_at(story, pool, *index);
	while (++*index < nr) {
		struct block_run next = run_at(story, pool, *index);

		if (next.known != run->known || next.owner != run->owner ||
		    next.sure != run->sure || next.ip != run->ip)
			break;
		run->count++;
	}
	return true;
}

const struct event *story_complaint(const struct story *story, unsigned int *at)
{
	const struct history *history = &story->history;
	struct kept ring = kept(history->nr_complaints, COMPLAINTS);

	while (*at < ring.nr) {
		const struct event *event;

		event = &history->complaints[(ring.first + (*at)++) % COMPLAINTS];
		if (history->end.time - event->time <= LAST_MINUTE)
			return event;
	}
	return NULL;
}

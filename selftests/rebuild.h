/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the module's events say, put together without the tools' help: the text of a
 * ring buffer, and from it the holder of each block.
 */
#ifndef SELFTESTS_REBUILD_H
#define SELFTESTS_REBUILD_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/blockpool.h>

#include "pool.h"

/* Windows of snapshots begin so much earlier: the text has whole microseconds. */
#define REBUILD_SLACK_US	100
/* At most, from an event to its owner word. */
#define REBUILD_LAG_US		100000

struct event {
	__u64 us;
	const char *name;	/* "take" */
	const char *fields;	/* "pool=1 index=2 owner=4 ip=0x0" */
};

struct events {
	char *text;
	size_t nr;
	struct event *list;
};

/* "comm-pid [cpu] flags seconds.micros: name: fields"; false for anything else. */
static inline bool event_parse(char *line, struct event *event)
{
	unsigned long long seconds;
	unsigned int micros;
	char *at = strstr(line, "] "), *name, *end;
	int length;

	if (*line == '#' || !at ||
	    sscanf(at, "] %*s %llu.%u: %n", &seconds, &micros, &length) != 2)
		return false;
	name = at + length;
	end = strstr(name, ": ");
	if (!end)
		return false;
	*end = 0;
	event->us = seconds * 1000000 + micros;
	event->name = name;
	event->fields = end + 2;
	return true;
}

/* Of a ring buffer's file "trace"; in the order of their times. */
static inline struct events events_read(const char *path)
{
	struct events events = {};
	FILE *file = fopen(path, "re");
	size_t size = 0, lines = 0;
	char *line, *rest;

	must(file);
	must(getdelim(&events.text, &size, 0, file) > 0);
	fclose(file);
	for (line = events.text; *line; line++)
		lines += *line == '\n';
	events.list = calloc(lines + 1, sizeof(*events.list));
	must(events.list);
	for (line = strtok_r(events.text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest))
		events.nr += event_parse(line, &events.list[events.nr]);
	return events;
}

static inline void events_free(struct events *events)
{
	free(events->list);
	free(events->text);
	*events = (struct events) {};
}

static inline bool event_is(const struct event *event, const char *name)
{
	return !strcmp(event->name, name);
}

/* Where a field's value begins; each event has it that is asked for it. */
static inline const char *event_text(const struct event *event, const char *key)
{
	const char *at = event->fields;
	size_t length = strlen(key);

	for (; at; at = strchr(at, ' ')) {
		at += *at == ' ';
		if (!strncmp(at, key, length) && at[length] == '=')
			return at + length + 1;
	}
	pool_fatal("%s has no %s: %s", event->name, key, event->fields);
}

static inline __u64 event_u64(const struct event *event, const char *key)
{
	return strtoull(event_text(event, key), NULL, 0);
}

/* The next number of "{0x1,0x2}", from its first character on; false at the end. */
static inline bool event_number(const char **at, __u32 *number)
{
	char *end;

	if (**at != '{' && **at != ',')
		return false;
	*number = strtoul(*at + 1, &end, 0);
	must(end > *at + 1);
	*at = end;
	return true;
}

/* The owner table of a pool, as far as it is known. */
struct rebuild {
	__u32 pool;
	__u32 nr;
	__u32 *owners;
	__u32 *read;		/* what the snapshot said */
	__u64 *since;		/* of a block: events count from then on */
	bool broken;		/* a snapshot has a gap, or does not fit the pool */
};

static inline void rebuild_init(struct rebuild *rebuild, __u32 pool, __u32 nr)
{
	*rebuild = (struct rebuild) { .pool = pool, .nr = nr };
	rebuild->owners = calloc(nr, sizeof(*rebuild->owners));
	rebuild->read = calloc(nr, sizeof(*rebuild->read));
	rebuild->since = calloc(nr, sizeof(*rebuild->since));
	must(rebuild->owners && rebuild->read && rebuild->since);
}

static inline void rebuild_destroy(struct rebuild *rebuild)
{
	free(rebuild->owners);
	free(rebuild->read);
	free(rebuild->since);
}

/* Whose blocks are that an event is of, if it says so. */
static inline bool rebuild_says(const struct event *event, __u32 *owner)
{
	static const char *const own[] = {
		"take", "take_bulk", "receive", "send_undone",
	};
	static const char *const free[] = {
		"free", "free_bulk", "drop", "repair",
	};
	size_t i;

	for (i = 0; i < sizeof(own) / sizeof(*own); i++)
		if (event_is(event, own[i])) {
			*owner = event_u64(event, "owner");
			return true;
		}
	*owner = BLOCKPOOL_OWNER_FREE;
	for (i = 0; i < sizeof(free) / sizeof(*free); i++)
		if (event_is(event, free[i]))
			return true;
	if (event_is(event, "unshare"))
		return !event_u64(event, "holders");
	*owner = BLOCKPOOL_OWNER_QUARANTINE;
	if (event_is(event, "quarantine"))
		return true;
	*owner = BLOCKPOOL_OWNER_SHARED;
	if (event_is(event, "share"))
		return true;
	if (!event_is(event, "send") && !event_is(event, "requeue"))
		return false;
	*owner = BLOCKPOOL_OWNER_PORT | event_u64(event, "port");
	return true;
}

/* What the owner word was before an event that precedes it; false if it precedes none. */
static inline bool rebuild_before(const struct event *event, __u32 *owner)
{
	*owner = BLOCKPOOL_OWNER_FREE;
	if (!strncmp(event->name, "take", 4))
		return true;
	*owner = BLOCKPOOL_OWNER_SHARED;
	if (event_is(event, "unshare"))
		return true;
	if (event_is(event, "receive") || event_is(event, "send_undone"))
		*owner = BLOCKPOOL_OWNER_PORT | event_u64(event, "port");
	else if (!strncmp(event->name, "free", 4) || event_is(event, "send"))
		*owner = event_u64(event, "owner");
	else
		return false;
	return true;
}

/* The last event before a snapshot counts if its word was to come when that was read. */
static inline void rebuild_set(struct rebuild *rebuild, __u32 index,
			       const struct event *event, __u32 owner)
{
	__u32 before;
	bool counts;

	must(index < rebuild->nr);
	counts = event->us >= rebuild->since[index] ||
		 (event->us + REBUILD_LAG_US > rebuild->since[index] &&
		  rebuild_before(event, &before) && before == rebuild->read[index]);
	rebuild->owners[index] = counts ? owner : rebuild->read[index];
}

static inline void rebuild_event(struct rebuild *rebuild,
				 const struct event *event)
{
	const char *at;
	__u32 owner, index;

	if (!rebuild_says(event, &owner) ||
	    event_u64(event, "pool") != rebuild->pool)
		return;
	if (!strstr(event->fields, "indices=")) {
		rebuild_set(rebuild, event_u64(event, "index"), event, owner);
		return;
	}
	at = event_text(event, "indices");
	while (event_number(&at, &index))
		rebuild_set(rebuild, index, event, owner);
}

/* A part of a snapshot: returns where the next one has to begin. */
static inline __u32 rebuild_runs(struct rebuild *rebuild,
				 const struct event *event, __u32 first)
{
	__u64 window = (event_u64(event, "now") - event_u64(event, "start")) /
		       1000 + REBUILD_SLACK_US;
	const char *at = event_text(event, "runs");
	__u32 count, owner;

	rebuild->broken |= event_u64(event, "first") != first;
	while (event_number(&at, &count) && event_number(&at, &owner)) {
		rebuild->broken |= count > rebuild->nr - first;
		for (; !rebuild->broken && count; count--, first++) {
			rebuild->owners[first] = owner;
			rebuild->read[first] = owner;
			rebuild->since[first] = event->us - window;
		}
	}
	return first;
}

/*
 * From the snapshot that event number @begin begins, and all events that came since;
 * false if the snapshot has no end.
 */
static inline bool rebuild_from(struct rebuild *rebuild,
				const struct events *events, size_t begin)
{
	__u64 seq = event_u64(&events->list[begin], "seq");
	const struct event *event;
	bool ended = false;
	__u32 first = 0;
	size_t i;

	rebuild->broken = false;
	for (i = begin; i < events->nr && !ended; i++) {
		event = &events->list[i];
		if (strncmp(event->name, "snapshot_", 9) ||
		    event_u64(event, "pool") != rebuild->pool ||
		    event_u64(event, "seq") != seq)
			continue;
		if (event_is(event, "snapshot_runs"))
			first = rebuild_runs(rebuild, event, first);
		ended = event_is(event, "snapshot_end");
	}
	rebuild->broken |= first != rebuild->nr;
	for (i = 0; ended && !rebuild->broken && i < events->nr; i++)
		rebuild_event(rebuild, &events->list[i]);
	return ended;
}

#endif /* SELFTESTS_REBUILD_H */

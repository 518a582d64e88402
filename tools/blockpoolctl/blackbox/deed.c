// SPDX-License-Identifier: GPL-2.0
#include "deed.h"

#include <stdarg.h>
#include <string.h>

#include "../say.h"

#define LISTED	8u	/* indices in a line; the others are counted */

static const char *const words[] = { "nobody", "the kernel", "quarantine", "several" };

const char *owner_words(__u64 owner, char text[OWNER_WORDS])
{
	if (owner < sizeof(words) / sizeof(words[0]))
		return words[owner];
	if (owner & BLOCKPOOL_OWNER_PORT)
		snprintf(text, OWNER_WORDS, "port %llu",
			 owner & ~(__u64)BLOCKPOOL_OWNER_PORT);
	else
		snprintf(text, OWNER_WORDS, "client %llu", owner);
	return text;
}

__u64 deed_doer(const struct event *event)
{
	switch (event->kind) {
	case EVENT_TAKE:
	case EVENT_FREE:
	case EVENT_TAKE_BULK:
	case EVENT_FREE_BULK:
	case EVENT_SEND:
	case EVENT_RECEIVE:
	case EVENT_SEND_UNDONE:
	case EVENT_REQUEUE:
	case EVENT_SHARE:
	case EVENT_RECEIVE_SHARED:
		return event->owner;
	case EVENT_REFUSED:
		return event->caller;
	case EVENT_UNSHARE:
	case EVENT_CLIENT_OPEN:
	case EVENT_CLIENT_CLOSE:
	case EVENT_CLIENT_RECLAIM:
	case EVENT_WAIT_BEGIN:
	case EVENT_WAIT_END:
		return event->client;
	default:
		return 0;
	}
}

const char *softirq_name(__u64 vec)
{
	static const char *const names[] = { "HI", "TIMER", "NET_TX", "NET_RX",
		"BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU" };

	return vec < sizeof(names) / sizeof(names[0]) ? names[vec] : "?";
}

struct line {
	char *text;
	size_t used;
};

static void put(struct line *line, const char *fmt, ...)
{
	size_t room = DEED_TEXT - line->used;
	va_list args;
	int length;

	va_start(args, fmt);
	length = vsnprintf(line->text + line->used, room, fmt, args);
	va_end(args);
	line->used += (size_t)length < room ? (size_t)length : room - 1;
}

static void put_blocks(struct line *line, const char *did,
		       const struct event *event)
{
	struct bytes indices = event->words;

	put(line, "%s %llu block%s:", did, event->count,
	    event->count == 1 ? "" : "s");
	for (unsigned int i = 0; i < LISTED && indices.left; i++)
		put(line, " %llu", bytes_number(&indices, 4));
	if (indices.left)
		put(line, " and %zu more", indices.left / 4);
}

static void put_place(struct line *line, const struct ksyms *ksyms, __u64 ip)
{
	char text[KSYM_TEXT];

	if (ip)
		put(line, ", at %s", ksym_text(ksyms, ip, text));
}

static void put_symbol(struct line *line, const struct events *events,
		       const struct event *event, __u64 value)
{
	const char *symbol = event_symbol(events, event->kind, value);

	if (symbol)
		put(line, "%s", symbol);
	else
		put(line, "%llu", value);
}

static void put_refused(struct line *line, const struct events *events,
			const struct event *event)
{
	char caller[OWNER_WORDS], owner[OWNER_WORDS];

	put(line, "%s was refused block %lld (",
	    owner_words(event->caller, caller), (__s64)(__s32)event->index);
	put_symbol(line, events, event, event->reason);
	put(line, "), which %s had", owner_words(event->owner, owner));
}

static void put_corrupt(struct line *line, const struct events *events,
			const struct event *event)
{
	char owner[OWNER_WORDS];

	put(line, "block %lld is damaged (", (__s64)(__s32)event->index);
	put_symbol(line, events, event, event->what);
	put(line, ") at offset %lld, while with %s", (__s64)event->offset,
	    owner_words(event->owner, owner));
}

static bool put_move(struct line *line, const struct ksyms *ksyms,
		     const struct event *event)
{
	switch (event->kind) {
	case EVENT_TAKE:
	case EVENT_FREE:
		put(line, "%s block %llu", event->kind == EVENT_TAKE ? "took" : "freed",
		    event->index);
		put_place(line, ksyms, event->ip);
		return true;
	case EVENT_TAKE_BULK:
	case EVENT_FREE_BULK:
		put_blocks(line, event->kind == EVENT_TAKE_BULK ? "took" : "freed",
			   event);
		put_place(line, ksyms, event->ip);
		return true;
	case EVENT_SEND:
		put_blocks(line, "sent", event);
		put(line, ", to port %llu", event->port);
		return true;
	case EVENT_RECEIVE:
		put_blocks(line, "received", event);
		put(line, ", from port %llu", event->port);
		return true;
	case EVENT_SEND_UNDONE:
		put_blocks(line, "got back", event);
		put(line, ", which port %llu did not take", event->port);
		return true;
	case EVENT_REQUEUE:
		put_blocks(line, "died with", event);
		put(line, ", which went back to port %llu", event->port);
		return true;
	case EVENT_DROP:
		put_blocks(line, "dropped", event);
		put(line, ", of port %llu, which ended", event->port);
		return true;
	default:
		return false;
	}
}

static bool put_life(struct line *line, const struct event *event)
{
	switch (event->kind) {
	case EVENT_POOL_CREATE:
		put(line, "made pool '%s' of %llu blocks of %llu bytes",
		    event->name, event->nr_blocks, event->block_size);
		return true;
	case EVENT_CLIENT_OPEN:
		put(line, "opened as client %llu by %s (pid %lld)", event->client,
		    event->comm, event->pid);
		return true;
	case EVENT_CLIENT_CLOSE:
		put(line, "closed");
		return true;
	case EVENT_CLIENT_RECLAIM:
		put(line, "was gone, and %llu blocks were taken back", event->count);
		return true;
	case EVENT_WAIT_BEGIN:
		put(line, "began to wait for %llu block%s", event->count,
		    event->count == 1 ? "" : "s");
		return true;
	case EVENT_WAIT_END:
		if (event->result)
			put(line, "gave up waiting: %s", strerror(event->result < 0 ?
				-event->result : event->result));
		else
			put(line, "need not wait any more");
		return true;
	case EVENT_SHARE:
		put(line, "shared block %llu with %llu", event->index, event->holders);
		return true;
	case EVENT_RECEIVE_SHARED:
		put(line, "received a share of block %llu, from port %llu",
		    event->index, event->port);
		return true;
	case EVENT_UNSHARE:
		put(line, "gave up its share of block %llu, %llu left",
		    event->index, event->holders);
		return true;
	case EVENT_PORT_OPEN:
		put(line, "opened port %llu '%s'", event->port, event->name);
		return true;
	default:
		return false;
	}
}

/* Events that are seldom, or for the curious: by their names. */
static void put_other(struct line *line, const struct event *event)
{
	put(line, "%s", event_name(event->kind));
	if (event->port)
		put(line, " port %llu", event->port);
	if (event->count)
		put(line, " %llu", event->count);
	if (event->kind == EVENT_QUARANTINE || event->kind == EVENT_REPAIR)
		put(line, " block %llu", event->index);
}

const char *deed_text(const struct events *events, const struct ksyms *ksyms,
		      const struct event *event, char text[DEED_TEXT])
{
	struct line line = { .text = text };

	*text = '\0';
	if (event->kind == EVENT_REFUSED)
		put_refused(&line, events, event);
	else if (event->kind == EVENT_CORRUPT)
		put_corrupt(&line, events, event);
	else if (!put_move(&line, ksyms, event) && !put_life(&line, event))
		put_other(&line, event);
	return printable(text);
}

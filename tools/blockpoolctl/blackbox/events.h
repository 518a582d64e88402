/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The events that tell the story, as numbers: those of all CPUs in the order of time.
 * A field that an event does not have is 0.
 */
#ifndef BLACKBOX_EVENTS_H
#define BLACKBOX_EVENTS_H

#include <linux/blockpool.h>
#include <linux/types.h>

#include "dat.h"
#include "notes.h"
#include "page.h"

enum event_kind {
	EVENT_SWITCH,
	EVENT_WAKEUP,
	EVENT_EXIT,
	EVENT_IRQ_IN,
	EVENT_IRQ_OUT,
	EVENT_SOFTIRQ_IN,
	EVENT_SOFTIRQ_OUT,
	EVENT_MARK,
	/* Of pools; see layout.c for what is in them all. */
	EVENT_POOL_CREATE,
	EVENT_POOL_UNLINK,
	EVENT_POOL_DESTROY,
	EVENT_CLIENT_OPEN,
	EVENT_CLIENT_CLOSE,
	EVENT_CLIENT_RECLAIM,
	EVENT_TAKE,
	EVENT_FREE,
	EVENT_TAKE_BULK,
	EVENT_FREE_BULK,
	EVENT_REFILL,
	EVENT_FLUSH,
	EVENT_DRAIN,
	EVENT_WAIT_BEGIN,
	EVENT_WAIT_END,
	EVENT_REFUSED,
	EVENT_CORRUPT,
	EVENT_QUARANTINE,
	EVENT_REPAIR,
	EVENT_PORT_OPEN,
	EVENT_PORT_CLOSE,
	EVENT_SEND,
	EVENT_SEND_UNDONE,
	EVENT_RECEIVE,
	EVENT_REQUEUE,
	EVENT_DROP,
	EVENT_SHARE,
	EVENT_RECEIVE_SHARED,
	EVENT_UNSHARE,
	EVENT_SNAPSHOT_BEGIN,
	EVENT_SNAPSHOT_CLIENT,
	EVENT_SNAPSHOT_PORT,
	EVENT_SNAPSHOT_RUNS,
	EVENT_SNAPSHOT_END,
	NR_EVENT_KINDS
};

#define EVENT_NAME	32

struct event {
	enum event_kind kind;
	unsigned int cpu;
	__u64 time;			/* ns, by the clock of the buffer */
	__s64 thread;			/* that was running; 0: an idle one */
	__u64 gap_end;			/* of before this time, events may be missing */
	bool after_gap;			/* this CPU's last one may not be the one before it */

	/* Numbers, by the names of the fields. */
	__u64 pool, index, owner, from, caller, client, port, count, holders;
	__u64 seq, first, nr, start, now, at_panic, held, depth;
	__u64 block_size, nr_blocks, flags, nr_free, nr_held, nr_in_flight;
	__u64 ip, reason, what, offset, irq, vec;
	__s64 result, pid, prev_pid, next_pid, prev_state;

	char name[EVENT_NAME];		/* also the text of a mark */
	char comm[BLOCKPOOL_COMM_SIZE + 1];	/* next_comm, in a switch */
	char prev_comm[BLOCKPOOL_COMM_SIZE + 1];

	struct bytes words;		/* indices, or pairs of count and owner */
};

/* Reasons and faults have smaller numbers, and words of the kernel's. */
#define EVENT_SYMBOLS	32u

struct layout;				/* of an event, see layout.h */

struct events {
	const struct dat *dat;
	struct notes *notes;
	struct layout *layout;
	struct cpu_reader *cpus;
	unsigned int nr_cpus;
	bool quiet;			/* not the first time: all has been noted */
};

/* 0, or -1 without memory. */
int events_open(struct events *events, const struct dat *dat,
		struct notes *notes);
void events_close(struct events *events);

/* From the first one again. */
void events_rewind(struct events *events);

/*
 * The next of all CPUs.  False: there are no more.  The words are those of the file;
 * events that are none of ours are left out.
 */
bool events_next(struct events *events, struct event *event);

/*
 * Of a CPU, after the last event: until when events may be missing (0: there is no
 * page of it), and the times of its first and last event.
 */
struct cpu_span {
	__u64 nr_events;
	__u64 nr_lost;
	__u64 gap_end;
	__u64 first;
	__u64 last;
};

struct cpu_span events_span(const struct events *events, unsigned int cpu);

/* The word for a number in a field such as "reason", or NULL. */
const char *event_symbol(const struct events *events, enum event_kind kind,
			 __u64 value);

const char *event_name(enum event_kind kind);

#endif

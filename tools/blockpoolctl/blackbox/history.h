/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the events add up to: who ran on each CPU, and who held which block, when the
 * last of them was written.
 *
 * A block's owner is what the last snapshot says that read it, unless an event of that
 * block is later than the beginning of that reading, or its word was still to come then
 * (kmod/trace.h).  Of what nothing is said it is nobody's, if the pool was made before our
 * eyes.  It is sure if nothing is missing after that, on any CPU, and nothing is damaged.
 */
#ifndef BLACKBOX_HISTORY_H
#define BLACKBOX_HISTORY_H

#include "events.h"

#define SWITCHES	20u	/* of a CPU that are kept */
#define ACTIONS		8u	/* of a client */
#define COMPLAINTS	32u	/* refused or corrupt, of the last minute */
#define NESTED_MAX	8u	/* interrupts and softirqs on a CPU at once */
#define LAST_MINUTE	60000000000ull

struct thread {
	__s64 id;		/* 0: the idle one */
	char comm[BLOCKPOOL_COMM_SIZE + 1];
};

struct cpu_switch {
	__u64 time;
	struct thread from, to;
	__s64 from_state;
};

struct nested {
	bool softirq;
	__u64 number;
	char name[EVENT_NAME];
};

struct cpu_past {
	struct cpu_span span;
	struct thread now;
	bool known;		/* now is */
	__u64 since;
	struct cpu_switch switches[SWITCHES];
	unsigned int nr_switches;	/* ever; the last SWITCHES are kept */
	struct nested nested[NESTED_MAX];
	unsigned int nr_nested;
};

struct client_past {
	__u32 id;
	__s64 pid;		/* -1: not known */
	char comm[BLOCKPOOL_COMM_SIZE + 1];
	bool closed;
	bool waiting;
	__u32 held;		/* at the end */
	__u32 unsure;		/* of these */
	struct event actions[ACTIONS];
	unsigned int nr_actions;
};

struct port_past {
	__u32 number;
	char name[EVENT_NAME];
	bool closed;
	__u32 blocks;		/* in flight to it */
	__u32 unsure;
};

/* At most, from an event to its owner word: so long a word that is read may be the old one. */
#define WORD_LAG	100000000ull

struct block_past {
	__u64 time;		/* of what is known of it; 0: nothing */
	__u64 ip;		/* that took it, 0: not known */
	__s64 from;		/* the owner before; -1: any */
	__u32 owner;
	bool read;		/* by a snapshot, and not from an event */
	bool doubtful;
};

struct snapshot_past {
	__u64 seq;
	__u64 start;		/* when the first owner word was read */
	__u64 end;
	__u64 covered;		/* blocks from 0 on */
	__u64 nr_free, nr_held, nr_in_flight;
	bool at_panic;
	bool ended;
};

struct pool_past {
	__u32 number;
	char name[EVENT_NAME];
	__u64 block_size;
	__u64 nr_blocks;	/* 0: not known */
	__u32 flags;
	bool destroyed;
	bool unlinked;
	struct block_past *blocks;
	__u32 nr_known;		/* of the array; the others are ... */
	struct block_past unseen;	/* ... free, since the pool was made; or not known */
	struct client_past **clients;	/* by their ids */
	unsigned int nr_clients;
	struct port_past **ports;
	unsigned int nr_ports;
	struct snapshot_past latest;	/* perhaps not whole */
	struct snapshot_past whole;	/* the last one that is */

	/* At the end. */
	__u32 free, kernel, quarantined, shared, in_flight, held, unknown, unsure;
};

struct end {
	bool at_panic;
	bool stopped;		/* in order: recorder disarm said so */
	unsigned int cpu;	/* that panicked */
	struct thread thread;
	__u64 time;		/* of the last event */
	__u64 begin;		/* and of the first */
	__u64 panic_time;
};

struct history {
	struct notes *notes;
	struct cpu_past *cpus;
	unsigned int nr_cpus;
	struct pool_past **pools;	/* by their numbers */
	unsigned int nr_pools;
	struct event complaints[COMPLAINTS];
	__u64 nr_complaints;
	__u64 gap_end;		/* after this, nothing is missing; ~0: it may be */
	struct end end;
};

/* 0, or -1 without memory. */
int history_read(struct history *history, struct events *events,
		 struct notes *notes);
void history_free(struct history *history);

/* NULL: nothing is known of it. */
const struct block_past *block_at(const struct pool_past *pool, __u32 index);

/* All that happened to it since what is known is there, if events are since a time. */
bool block_since(const struct block_past *block, __u64 gap_end);

/* The owner of a block is as good as the buffer can tell. */
bool block_sure(const struct history *history, const struct pool_past *pool,
		const struct block_past *block);

const struct client_past *client_find(const struct pool_past *pool, __u32 id);
const struct port_past *port_find(const struct pool_past *pool, __u32 number);

#endif

/* SPDX-License-Identifier: LGPL-2.1-only OR MIT */
/* What a channel is: lanes in memory that both ends have, one each way. */
#ifndef BLOCKPOOL_CHANNEL_H
#define BLOCKPOOL_CHANNEL_H

#include "internal.h"

/* Two cache lines, as a processor may fetch them in pairs. */
#define CHANNEL_APART	128U

/*
 * A message on its way.  @place: from above, the lap, the block, where in it the
 * message begins, and its length; see bp_place().
 */
struct bp_slot {
	u64 place;
	u64 cookie;
};

/* Of who receives from a lane. */
struct bp_sleeper {
	u32 asleep;		/* or about to be: ring */
	u32 polls;		/* it will never be, so nobody needs to look */
} __attribute__((aligned(CHANNEL_APART)));

/* At the start of the shared memory; behind it are the slots of lane 0, then 1. */
struct bp_sleepers {
	struct bp_sleeper lanes[2];
};

/*
 * What one end knows of a lane: here @at counts the messages that went through, and
 * what the other end has of it is none of our business.
 */
struct bp_lane {
	struct bp_slot *slots;
	u64 nr_slots;		/* a power of two */
	struct bp_sleeper *sleeper;
	u64 at;
} __attribute__((aligned(CHANNEL_APART)));

/* The opener, end 0, sends in lane 0 and the acceptor in lane 1. */
struct blockpool_channel {
	struct blockpool *pool;	/* whose client holds the blocks */
	void *shared;
	size_t size;		/* bytes of it */
	u32 width;		/* bits of an offset and of a length */
	int socket;
	int spin_us;		/* before recv sleeps; -1: it never does */
	bool polls;		/* and has promised that */
	bool dead;		/* the peer's end is gone; atomic */
	u32 looks;		/* for messages that were not there */
	struct bp_lane out;	/* for the thread that sends */
	struct bp_lane in;	/* for the one that receives */
};

/*
 * The lap says whether a slot is full: a lane's memory begins with zeros, what is
 * sent in its first round has a one there, in the second a zero, and so on.
 */
#define LAP	(1ULL << 63)

static inline u64 bp_lap(const struct bp_lane *lane, u64 at)
{
	return at & lane->nr_slots ? 0 : LAP;
}

static inline bool bp_is_full(const struct bp_lane *lane, u64 at, u64 place)
{
	return !((place ^ bp_lap(lane, at)) & LAP);
}

static inline struct bp_slot *bp_slot(const struct bp_lane *lane, u64 at)
{
	return &lane->slots[at & (lane->nr_slots - 1)];
}

#endif /* BLOCKPOOL_CHANNEL_H */

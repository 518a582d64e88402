/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the rooms of attack_ports share: processes that send and receive until they
 * are killed, and what of that outlives them.
 *
 * attack_ports.c	the killer
 * ports/victims.c	what the processes do
 * ports/ledger.c	each message: sent, received, freed
 * ports/accounts.c	each block: whose it is
 */
#ifndef PORT_KILLS_H
#define PORT_KILLS_H

#include "../attack.h"
#include "../port.h"

#define VICTIMS		21	/* processes at a time */
#define BATCH		8	/* messages in one call */
#define HOLD		16	/* blocks that one receiver holds at most */
#define RING		1024	/* messages noted by one that are not in the ledger */
#define SEQS		(1U << 16)	/* messages of one sender in a scene */
#define COOKIE_SEQ	((1ULL << 40) - 1)

enum role {
	SENDER, RECEIVER,
	OWNER,			/* a receiver whose port ends with it */
	REQUESTER, SERVER,	/* names a port for the answer; answers */
	SHARER,			/* sends one block to both ports of shares */
};

enum port {
	PLAIN,			/* at most once; stays when its receivers die */
	AGAIN,			/* at least once */
	GONE,			/* ends with its only receiver */
	SERVE,			/* of requests, at least once */
	SHARE_A, SHARE_B,
	PORTS
};

extern const char *const port_names[PORTS];

struct part {
	enum role role;
	enum port port;
};

extern const struct part parts[VICTIMS];

enum place {
	OUTSIDE, OPEN, BIND, ALLOC, SEND, SEND_WAIT, RECV, RECV_WAIT, FREE, SHARE,
	CALL, PLACES
};

/*
 * How many of something there were, readable at any time by who sees it die.  Calls
 * that move it have their "done" in memory that outlives the caller, so that the
 * kernel itself notes what came of a call; and at most the call of a process that
 * died before the kernel noted anything is left in doubt.
 */
#define UNDER_WAY	(1U << 31)
#define UNTOLD		(~0U)

struct cursor {
	__u32 at;		/* so many; UNDER_WAY: and what the call has done */
	__u32 count;		/* that the call may move */
	const __u32 *done;
};

static inline void cursor_open(struct cursor *cursor, __u32 *done, __u32 count)
{
	*done = UNTOLD;
	cursor->count = count;
	cursor->done = done;
	__atomic_store_n(&cursor->at, cursor->at | UNDER_WAY, __ATOMIC_RELEASE);
}

static inline __u32 cursor_close(struct cursor *cursor)
{
	__u32 done = *cursor->done;

	__atomic_store_n(&cursor->at, (cursor->at & ~UNDER_WAY) + done,
			 __ATOMIC_RELEASE);
	return done;
}

/* Of one who is stopped, which may be between the call and the note. */
static inline __u32 cursor_now(const struct cursor *cursor)
{
	__u32 at = cursor->at & ~UNDER_WAY;

	return cursor->at & UNDER_WAY && *cursor->done != UNTOLD ?
	       at + *cursor->done : at;
}

/* Of one who does not move it now; returns how many are in doubt behind it. */
static inline __u32 cursor_settle(struct cursor *cursor)
{
	if (!(cursor->at & UNDER_WAY))
		return 0;
	if (*cursor->done != UNTOLD) {
		cursor_close(cursor);
		return 0;
	}
	cursor->at &= ~UNDER_WAY;
	return cursor->count;
}

/* What outlives one of them. */
struct note {
	enum place place;
	__u32 steps;
	bool idle;		/* it sends nothing, and its requests are answered */
	__u32 port;		/* that it has bound, 0 for none */
	__u32 first;		/* of its life: messages sent before */
	__u32 epipes;
	__u32 refused;		/* EAGAIN, ETIMEDOUT, EDQUOT of SEND and RECV */
	__u32 folded;		/* messages in the ring that may be written over */
	__u32 shared;		/* SHARE's done, which its caller notes */
	struct cursor sent;	/* by all that had this place in the scene */
	struct cursor received;
	struct cursor freed;	/* or sent on, in the order received */
	struct blockpool_send_args send;
	struct blockpool_recv_args recv;
	struct blockpool_call_args call;
	struct blockpool_free_args free;
	struct blockpool_message ring[RING];
};

/* One pool with its ports, until all die. */
struct scene {
	char name[BLOCKPOOL_NAME_SIZE];
	__u32 depth;		/* of its ports */
	__s32 linger_ms;	/* of GONE */
	bool rest;		/* nobody sends any more, but to answer */
	bool drained;		/* then all receive what is there, or else none does */
	struct note notes[VICTIMS];
};

/* A request that its sender waits to be answered. */
static inline __u32 outstanding(const struct note *note)
{
	return (note->sent.at & ~UNDER_WAY) - note->first -
	       (note->received.at & ~UNDER_WAY);
}

/* victims.c */
void victim_live(struct scene *scene, int slot, struct random random);

/* ledger.c: of the scene that goes on. */
struct ledger_sums {
	__u64 sent;
	__u64 received;
	__u64 again;		/* of these, not for the first time */
	__u64 answered;
	__u64 shared;
	__u64 doubtful;		/* calls in which the kernel had noted nothing */
	__u64 lost;
	__u64 twice;
	__u64 wrong;		/* in another way */
};

void ledger_begin(void);
void ledger_birth(int slot);
void ledger_fold(struct scene *scene, int slot, bool dead);
void ledger_taken_over(enum port port, const struct blockpool_message *message);
void ledger_judge(const struct scene *scene, struct ledger_sums *sums);

/* accounts.c: with all processes stopped; pids[slot] is 0 for none. */
bool accounts_check(const struct scene *scene, int fd, const pid_t *pids);

/* Whether a port without receivers is about to end. */
bool accounts_lingering(int fd);

/* With all dead: ports that stay are there, without users, and no others. */
bool accounts_ports_left(int fd, __u32 nr);

#endif /* PORT_KILLS_H */

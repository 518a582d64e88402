// SPDX-License-Identifier: GPL-2.0
/*
 * Each message of a scene: how often it came, and what became of it.  A cookie is
 * (place of the sender + 1) << 40 | number; numbers go on when a sender dies and
 * another takes its place.
 */
#include <string.h>

#include "kselftest.h"
#include "port_kills.h"

/* A message, at one of the ports that it comes to. */
struct entry {
	__u8 first;		/* times it came, without and ... */
	__u8 again;		/* ... with BLOCKPOOL_MESSAGE_AGAIN */
	__u8 freed;
	__u8 orphaned;		/* times its receiver died with it */
	bool doubtful;		/* whether it was sent, or one of these */
};

/* At the port that the sender has in parts[]; at SHARE_B, or as an answer. */
#define LEGS	2

static struct entry ledger[VICTIMS][LEGS][SEQS];
static struct {
	__u32 received;		/* entered here, of the one alive */
	__u32 freed;
	__u32 last[VICTIMS];	/* number, of each sender, that came first time */
} places[VICTIMS];
static __u64 strays;		/* that nobody sent, or not to there */
static __u64 disorder;
static __u64 doubtful;

void ledger_begin(void)
{
	memset(ledger, 0, sizeof(ledger));
	strays = 0;
	disorder = 0;
	doubtful = 0;
}

void ledger_birth(int slot)
{
	memset(&places[slot], 0, sizeof(places[slot]));
}

static struct entry *entry_of(const struct part *at,
			      const struct blockpool_message *message)
{
	__u64 sender = (message->cookie >> 40) - 1;
	__u64 seq = message->cookie & COOKIE_SEQ;
	const struct part *part;

	if (sender >= VICTIMS || seq >= SEQS)
		return NULL;
	part = &parts[sender];
	if (at->role == REQUESTER)
		return at == part ? &ledger[sender][1][seq] : NULL;
	if (part->role == SHARER && at->port == SHARE_B)
		return &ledger[sender][1][seq];
	return part->port == at->port ? &ledger[sender][0][seq] : NULL;
}

static void enter(const struct part *part, const struct blockpool_message *message)
{
	struct entry *entry = entry_of(part, message);

	if (!entry)
		strays++;
	else if (message->flags & BLOCKPOOL_MESSAGE_AGAIN)
		entry->again++;
	else
		entry->first++;
}

static void enter_freed(const struct part *part,
			const struct blockpool_message *message)
{
	struct entry *entry = entry_of(part, message);

	if (entry)
		entry->freed++;
}

void ledger_taken_over(enum port port, const struct blockpool_message *message)
{
	const struct part part = { RECEIVER, port };

	enter(&part, message);
	enter_freed(&part, message);
}

/* Of one sender to one receiver, what was not there before comes in order. */
static void check_order(int slot, const struct blockpool_message *message)
{
	__u64 sender = (message->cookie >> 40) - 1;
	__u32 next = (message->cookie & COOKIE_SEQ) + 1;

	if (sender >= VICTIMS || parts[slot].role == REQUESTER ||
	    message->flags & BLOCKPOOL_MESSAGE_AGAIN)
		return;
	disorder += next <= places[slot].last[sender];
	places[slot].last[sender] = next;
}

/* What it was about to send may have been sent. */
static void doubt_sent(struct note *note, int slot)
{
	__u32 n = cursor_settle(&note->sent);

	for (; n && note->sent.at < SEQS; n--, note->sent.at++, doubtful++)
		for (int leg = 0; leg < LEGS; leg++)
			ledger[slot][leg][note->sent.at].doubtful = true;
}

/* Where the kernel left a message without saying so, or was to free it. */
static void doubt(struct note *note, int slot, __u32 at, __u32 n)
{
	struct entry *entry;

	for (; n; n--, at++) {
		entry = entry_of(&parts[slot], &note->ring[at % RING]);
		if (!entry)
			continue;
		entry->doubtful = true;
		doubtful++;
	}
}

static void orphan(struct note *note, int slot)
{
	struct entry *entry;

	for (__u32 at = note->freed.at; at < note->received.at; at++) {
		entry = entry_of(&parts[slot], &note->ring[at % RING]);
		if (entry)
			entry->orphaned++;
	}
}

static void settle(struct note *note, int slot)
{
	__u32 n;

	if (parts[slot].role != SERVER)
		doubt_sent(note, slot);
	n = cursor_settle(&note->freed);
	doubt(note, slot, note->freed.at, n);
	n = cursor_settle(&note->received);
	doubt(note, slot, note->received.at, n);
	orphan(note, slot);
}

static __u32 known(const struct cursor *cursor)
{
	return __atomic_load_n(&cursor->at, __ATOMIC_ACQUIRE) & ~UNDER_WAY;
}

/* Enter what it has noted since the last time, and all if it is dead. */
void ledger_fold(struct scene *scene, int slot, bool dead)
{
	struct note *note = &scene->notes[slot];
	const struct blockpool_message *message;

	if (dead)
		settle(note, slot);
	for (; places[slot].received < known(&note->received); places[slot].received++) {
		message = &note->ring[places[slot].received % RING];
		enter(&parts[slot], message);
		check_order(slot, message);
	}
	for (; places[slot].freed < known(&note->freed); places[slot].freed++)
		enter_freed(&parts[slot], &note->ring[places[slot].freed % RING]);
	__atomic_store_n(&note->folded, places[slot].freed, __ATOMIC_RELEASE);
}

/*
 * The judgement, when nothing is left in the ports
 */

/* Times that it may have come; what was sent came, if its port has not ended. */
static void judge_arrivals(const struct entry *entry, bool may_be_lost,
			   struct ledger_sums *sums)
{
	sums->lost += !entry->first && !may_be_lost;
	sums->twice += entry->first > 1;
}

/* Each death with it brings it again, until it has been freed: once. */
static void judge_again(const struct entry *entry, bool at_least_once,
			struct ledger_sums *sums)
{
	if (!at_least_once)
		sums->twice += entry->again;
	else if (entry->again < entry->orphaned)
		sums->lost++;
	else if (entry->again > entry->orphaned || entry->freed != entry->first)
		sums->twice++;
}

static void judge_message(int slot, __u32 seq, bool alive, struct ledger_sums *sums)
{
	const struct entry *entries[LEGS] = {
		&ledger[slot][0][seq], &ledger[slot][1][seq],
	};
	bool doubtful = entries[0]->doubtful || entries[1]->doubtful;
	const struct part *part = &parts[slot];

	sums->received += entries[0]->first;
	sums->again += entries[0]->again;
	judge_arrivals(entries[0], doubtful || part->port == GONE, sums);
	if (!doubtful)
		judge_again(entries[0], part->port == AGAIN || part->port == SERVE,
			    sums);
	if (part->role == SHARER) {
		sums->shared += entries[1]->first;
		judge_arrivals(entries[1], doubtful, sums);
		sums->wrong += entries[0]->first != entries[1]->first;
	} else if (part->role == REQUESTER) {
		sums->answered += entries[1]->first;
		judge_arrivals(entries[1], doubtful || !alive, sums);
	}
}

/* Who asked and is alive, and has had time, has its answers. */
void ledger_judge(const struct scene *scene, struct ledger_sums *sums)
{
	const struct note *note;

	for (int slot = 0; slot < VICTIMS; slot++) {
		note = &scene->notes[slot];
		for (__u32 seq = 0; seq < note->sent.at; seq++)
			judge_message(slot, seq, seq >= note->first, sums);
		for (__u32 seq = note->sent.at; seq < SEQS; seq++)
			strays += ledger[slot][0][seq].first ||
				  ledger[slot][0][seq].again;
		sums->sent += note->sent.at;
	}
	if (strays || disorder)
		ksft_print_msg("%llu messages of nobody, %llu out of order\n",
			       strays, disorder);
	sums->wrong += strays + disorder;
	sums->doubtful += doubtful;
}

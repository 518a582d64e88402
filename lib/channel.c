// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/*
 * Channels: blocks that go back and forth between two processes without the kernel.
 *
 * Why each block has one owner, whoever dies and wherever:
 *
 * A channel has an open file of its own, a client of the pool.  The blocks that go
 * round are taken once, through that file, before the first message, and never given
 * back one by one: in the kernel's table all of them belong to that client from then
 * on, as long as anybody has the file.  Both ends have it (its descriptor and a
 * mapping made by it), so:
 *
 *  - an end dies: the kernel drops its references, the other end's are left, and
 *    no word of the table changes.  What the dead end was reading, writing or
 *    sending is the channel's like all else.
 *  - the last end dies or closes: the file's last reference goes, and the kernel
 *    gives back what the client held (I3), all blocks of the channel at once.
 *  - one dies while the channel is made: if the file is in flight in the socket, it
 *    goes with the socket's queue.
 *
 * So there is no moment at which a block changes its owner, and nothing to repair.
 * The kernel reads neither the lanes nor the states below, and what is in them
 * decides nothing but which end uses which block: that is an agreement about bytes.
 *
 * The lanes keep that agreement between honest ends: an end sends what its states
 * say it has, and loses it; it has what it receives.  A block is in one lane once or
 * in the hands of one end.  As a lane has as many slots as the channel has blocks,
 * none is ever full, whoever is slow.  Of a peer that lies nothing is believed:
 * what it wrote is read once, and must name a block of the channel, one that this
 * end has not, and bytes of it; or it is EPROTO.  It can spoil what is in the blocks,
 * which it may write to in any case, and nothing else.
 *
 * A slot is full by the lap in its place, so who sends and who receives have no
 * indices to exchange: what crosses from one cache to the other is the message.
 * Who receives 32 sees all 32 at once, as the first of them is written last.
 */
#include <poll.h>
#include <sched.h>
#include <linux/membarrier.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "report.h"
#include "watch.h"
#include "../common/relax.h"

#define LOOK_CALLS	256U	/* empty hands until we ask whether the peer is dead */
#define SPIN_TURNS	256U	/* looks at a lane that count as one of these */
#define RINGS_MAX	8U	/* reads of the bell before each sleep */

#define NSEC_PER_MSEC	1000000ULL
#define NSEC_PER_USEC	1000ULL

static u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000 * NSEC_PER_MSEC + (u64)now.tv_nsec;
}

static inline bool is_dead(const struct blockpool_channel *channel)
{
	return __atomic_load_n(&channel->dead, __ATOMIC_ACQUIRE);
}

/* What it sent before it died is there: the kernel told us of its end after that. */
static void set_dead(struct blockpool_channel *channel)
{
	__atomic_store_n(&channel->dead, true, __ATOMIC_RELEASE);
}

/*
 * What a message is looked at by, in a copy, because to the compiler a state may lie
 * anywhere else.
 *
 * The states are the sending and the receiving thread's, for different blocks at any
 * time: between them a block goes through the peer and back.  That is order enough,
 * but nobody here can see it, so they are atomic.
 */
struct terms {
	unsigned char *states;
	u32 nr_blocks;
	u32 block_size;
	u32 width;
	struct blockpool *watched;	/* by a tool, or NULL */
};

static inline struct terms terms_of(const struct blockpool_channel *channel)
{
	struct blockpool *pool = channel->pool;

	return (struct terms) {
		.states = pool->states,
		.nr_blocks = pool->nr_blocks,
		.block_size = pool->block_size,
		.width = channel->width,
		.watched = pool->tools ? pool : NULL,
	};
}

/*
 * Sending
 */

/*
 * What goes into the slot, if the block is this end's, which it is not any more then;
 * else false, with errno.  The message may lie where others write: it is read once.
 */
static inline bool give_up(const struct terms *terms,
			   const struct blockpool_message *message, u64 *place)
{
	const volatile struct blockpool_message *from = message;
	u64 index = from->index, offset = from->offset, length = from->length;

	if (index >= terms->nr_blocks || offset + length > terms->block_size ||
	    from->reply) {
		errno = EINVAL;
		return false;
	}
	if (__atomic_load_n(&terms->states[index], __ATOMIC_RELAXED) != STATE_HELD) {
		errno = EPERM;
		return false;
	}
	if (terms->watched)
		bp_watch_freed(terms->watched, (u32)index);
	__atomic_store_n(&terms->states[index], STATE_SENT, __ATOMIC_RELAXED);
	*place = (index << terms->width | offset) << terms->width | length;
	return true;
}

/* Pairs with blockpool_channel_arm(): see there. */
static bp_slow void ring(struct blockpool_channel *channel)
{
	int error = errno;

	if (!__atomic_exchange_n(&channel->out.sleeper->asleep, 0, __ATOMIC_SEQ_CST))
		return;
	while (send(channel->socket, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		if (errno == EAGAIN)
			break;		/* it has not heard the last ones yet */
		if (errno != ENOBUFS && errno != ENOMEM) {
			set_dead(channel);
			break;
		}
		sched_yield();		/* it would sleep for ever */
	}
	errno = error;
}

/*
 * Show the peer a message and those behind it, and what is in their blocks: the
 * release pairs with the acquire in take().  Then wake it if it sleeps.
 *
 * To see whether it does takes a full barrier before the look at asleep, which pairs
 * with the one in blockpool_channel_arm(), and waits for all that was written to the
 * blocks.  A peer that never sleeps spares us that; but if it says so no more in the
 * meantime, its barrier in stop_polling() is ours too, wherever we are: either it
 * sees the message, or we see what it said.
 */
static inline void publish(struct blockpool_channel *channel, struct bp_slot *slot,
			   u64 place)
{
	struct bp_sleeper *peer = channel->out.sleeper;

	if (__atomic_load_n(&peer->polls, __ATOMIC_RELAXED)) {
		__atomic_store_n(&slot->place, place, __ATOMIC_RELEASE);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		if (bp_likely(__atomic_load_n(&peer->polls, __ATOMIC_RELAXED)))
			return;
	}
	__atomic_store_n(&slot->place, place, __ATOMIC_SEQ_CST);
	if (!bp_likely(!__atomic_load_n(&peer->asleep, __ATOMIC_SEQ_CST)))
		ring(channel);
}

int blockpool_channel_send(struct blockpool_channel *channel,
			   const struct blockpool_message *messages,
			   unsigned int n)
{
	const struct terms terms = terms_of(channel);
	struct bp_lane out = channel->out;
	u64 place, first = 0;
	struct bp_slot *slot;
	u32 i;

	if (inherited(channel->pool))
		return bp_refuse_inherited(channel->pool, bp_caller());
	if (!n || n > BLOCKPOOL_MESSAGES_MAX)
		return fail(EINVAL);
	if (is_dead(channel))
		return fail(EPIPE);
	for (i = 0; i < n && give_up(&terms, &messages[i], &place); i++) {
		slot = bp_slot(&out, out.at + i);
		place |= bp_lap(&out, out.at + i);
		__atomic_store_n(&slot->cookie, messages[i].cookie, __ATOMIC_RELAXED);
		if (i)
			__atomic_store_n(&slot->place, place, __ATOMIC_RELAXED);
		else
			first = place;
	}
	if (!i)
		return -1;
	channel->out.at += i;
	publish(channel, bp_slot(&out, out.at), first);
	return (int)i;
}

/*
 * Receiving
 */

/* The message in a place, and its block is ours; false if it cannot be. */
static inline bool take_over(const struct terms *terms, u64 place,
			     struct blockpool_message *message)
{
	u32 mask = (1U << terms->width) - 1;
	u32 length = place & mask, offset = place >> terms->width & mask;
	u64 index = (place & ~LAP) >> 2 * terms->width;

	if (index >= terms->nr_blocks || offset + length > terms->block_size ||
	    __atomic_load_n(&terms->states[index], __ATOMIC_RELAXED) != STATE_SENT)
		return false;
	__atomic_store_n(&terms->states[index], STATE_HELD, __ATOMIC_RELAXED);
	if (terms->watched)
		bp_watch_taken(terms->watched, (u32)index);
	*message = (struct blockpool_message) {
		.index = (u32)index, .offset = offset, .length = length,
	};
	return true;
}

/*
 * What is there, up to @n; -1 with EPROTO if the first of that cannot be.  Others
 * follow a message only if it is full, so a slot of the peer's lane that it has
 * not yet published is never looked at.
 */
static inline int take(struct blockpool_channel *channel,
		       struct blockpool_message *messages, u32 n)
{
	const struct terms terms = terms_of(channel);
	const struct bp_lane in = channel->in;
	const struct bp_slot *slot;
	u64 place;
	u32 i;

	for (i = 0; i < n; i++) {
		slot = bp_slot(&in, in.at + i);
		/* Pairs with blockpool_channel_send(). */
		place = __atomic_load_n(&slot->place, __ATOMIC_ACQUIRE);
		if (!bp_is_full(&in, in.at + i, place))
			break;
		if (!take_over(&terms, place, &messages[i])) {
			if (!i)
				return fail(EPROTO);
			break;
		}
		messages[i].cookie = __atomic_load_n(&slot->cookie, __ATOMIC_RELAXED);
	}
	channel->in.at += i;
	return (int)i;
}

static inline bool is_there(const struct blockpool_channel *channel)
{
	const struct bp_lane *in = &channel->in;
	u64 place = __atomic_load_n(&bp_slot(in, in->at)->place, __ATOMIC_SEQ_CST);

	return bp_is_full(in, in->at, place);
}

/* What woke us, or would for nothing.  A peer that never stops ringing is no reason to stay. */
static void hear(struct blockpool_channel *channel)
{
	char rings[64];
	ssize_t got = 1;
	u32 i;

	for (i = 0; i < RINGS_MAX && got > 0; i++)
		got = recv(channel->socket, rings, sizeof(rings), MSG_DONTWAIT);
	if (!got || (got < 0 && errno != EAGAIN && errno != EINTR))
		set_dead(channel);
}

static int membarrier(int command)
{
	return (int)syscall(SYS_membarrier, command, 0, 0);
}

/* A promise that can be taken back only where the kernel knows that barrier. */
static void start_polling(struct blockpool_channel *channel)
{
	int error = errno, known = membarrier(MEMBARRIER_CMD_QUERY);

	errno = error;
	channel->polls = known > 0 && known & MEMBARRIER_CMD_GLOBAL;
	if (channel->polls)
		__atomic_store_n(&channel->in.sleeper->polls, 1, __ATOMIC_RELAXED);
}

/*
 * Each thread of the machine passes a full barrier meanwhile, which takes some
 * milliseconds: pairs with publish().
 */
static bp_slow int stop_polling(struct blockpool_channel *channel)
{
	__atomic_store_n(&channel->in.sleeper->polls, 0, __ATOMIC_SEQ_CST);
	if (membarrier(MEMBARRIER_CMD_GLOBAL))
		return -1;
	channel->polls = false;
	return 0;
}

/*
 * Between saying that we sleep and the last look there is a full barrier, as between
 * the peer's message and its look at us in blockpool_channel_send(): so one of us
 * sees the other.  Old rings go before we say it, because one that comes after is
 * the one that we wait for.
 */
int blockpool_channel_arm(struct blockpool_channel *channel)
{
	struct bp_sleeper *me = channel->in.sleeper;
	int error = errno;

	if (inherited(channel->pool))
		return bp_refuse_inherited(channel->pool, bp_caller());
	if (channel->polls && stop_polling(channel))
		return -1;
	hear(channel);
	errno = error;
	__atomic_store_n(&me->asleep, 1, __ATOMIC_SEQ_CST);
	if (!is_there(channel) && !is_dead(channel))
		return 0;
	__atomic_store_n(&me->asleep, 0, __ATOMIC_RELAXED);
	return 1;
}

/* Milliseconds up to then, rounded up; -1 if it is never. */
static int left_ms(u64 end)
{
	u64 now;

	if (end == UINT64_MAX)
		return -1;
	now = now_ns();
	return now >= end ? 0 : (int)((end - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
}

/* For one who does not sleep, and would never hear of it: ask now and then. */
static void look(struct blockpool_channel *channel)
{
	struct pollfd bell = { .fd = channel->socket, .events = POLLRDHUP };

	if (++channel->looks % LOOK_CALLS == 0 && poll(&bell, 1, 0) > 0)
		set_dead(channel);
}

/* It comes back after some time, because of the peer and the clock. */
static void spin(struct blockpool_channel *channel)
{
	u32 i;

	for (i = 0; i < SPIN_TURNS; i++) {
		if (is_there(channel))
			return;
		bp_relax();
	}
	look(channel);
}

/* Until it rings; -1 with errno if that was not what ended it. */
static int sleep_until(struct blockpool_channel *channel, u64 end)
{
	struct pollfd bell = {
		.fd = channel->socket, .events = POLLIN | POLLRDHUP,
	};
	int ret = blockpool_channel_arm(channel);

	if (!ret)
		ret = poll(&bell, 1, left_ms(end));
	return ret < 0 ? -1 : 0;
}

/* With what is there before the peer's death is known it is all that will ever be. */
static bp_slow int take_slow(struct blockpool_channel *channel,
			     struct blockpool_message *messages, u32 n,
			     int timeout_ms)
{
	u64 start = timeout_ms > 0 || channel->spin_us > 0 ? now_ns() : 0;
	u64 spin_end = start + (u64)channel->spin_us * NSEC_PER_USEC;
	u64 end = timeout_ms < 0 ? UINT64_MAX :
				   start + (u64)timeout_ms * NSEC_PER_MSEC;
	int done, error = errno;
	bool dead;

	for (;;) {
		dead = is_dead(channel);
		done = take(channel, messages, n);
		if (done > 0)
			errno = error;
		if (done)
			return done;
		if (dead)
			return fail(EPIPE);
		if (!timeout_ms) {
			look(channel);
			return fail(EAGAIN);
		}
		if (timeout_ms > 0 && now_ns() >= end)
			return fail(ETIMEDOUT);
		if (channel->spin_us < 0 ||
		    (channel->spin_us && now_ns() < spin_end))
			spin(channel);
		else if (sleep_until(channel, end))
			return -1;
	}
}

int blockpool_channel_recv(struct blockpool_channel *channel,
			   struct blockpool_message *messages, unsigned int n,
			   int timeout_ms)
{
	int done;

	if (inherited(channel->pool))
		return bp_refuse_inherited(channel->pool, bp_caller());
	if (!n || n > BLOCKPOOL_MESSAGES_MAX || timeout_ms < -1)
		return fail(EINVAL);
	done = take(channel, messages, n);
	return bp_likely(done) ? done : take_slow(channel, messages, n, timeout_ms);
}

int blockpool_channel_spin(struct blockpool_channel *channel, int us)
{
	if (inherited(channel->pool))
		return bp_refuse_inherited(channel->pool, bp_caller());
	if (us < -1)
		return fail(EINVAL);
	channel->spin_us = us;
	if (us < 0)
		start_polling(channel);
	return 0;
}

void *blockpool_channel_block(const struct blockpool_channel *channel,
			      uint32_t index)
{
	return blockpool_block(channel->pool, index);
}

int blockpool_channel_info(struct blockpool_channel *channel,
			   struct blockpool_info *info)
{
	return blockpool_info(channel->pool, info);
}

int blockpool_channel_fd(const struct blockpool_channel *channel)
{
	return inherited(channel->pool) ?
	       bp_refuse_inherited(channel->pool, bp_caller()) : channel->socket;
}

// SPDX-License-Identifier: GPL-2.0
/* Debug mode: what is done to blocks on their way out of a pool and back. */
#include <linux/bitops.h>
#include <linux/hardirq.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "charge.h"
#include "debug.h"
#include "owner.h"
#include "trace.h"

/*
 * The parameter
 */

u32 bp_debug_default;

/* In the order of the letters. */
static const u32 bp_debug_flags[] = {
	BLOCKPOOL_GUARD, BLOCKPOOL_POISON, BLOCKPOOL_TRACK,
	BLOCKPOOL_CONSISTENCY,
};

static const char bp_debug_letters[] = "GPTC";

static int bp_debug_set(const char *text, const struct kernel_param *param)
{
	u32 *flags = param->arg;
	const char *letter;

	for (; *text; text++) {
		letter = strchr(bp_debug_letters, *text);
		if (!letter)
			return -EINVAL;
		*flags |= bp_debug_flags[letter - bp_debug_letters];
	}
	return 0;
}

static int bp_debug_get(char *text, const struct kernel_param *param)
{
	const u32 *flags = param->arg;
	int length = 0, i;

	for (i = 0; i < ARRAY_SIZE(bp_debug_flags); i++)
		if (*flags & bp_debug_flags[i])
			text[length++] = bp_debug_letters[i];
	text[length++] = '\n';
	text[length] = 0;
	return length;
}

static const struct kernel_param_ops bp_debug_ops = {
	.set = bp_debug_set,
	.get = bp_debug_get,
};

module_param_cb(debug, &bp_debug_ops, &bp_debug_default, 0444);
__MODULE_PARM_TYPE(debug, "charp");
MODULE_PARM_DESC(debug, "letters of GPTC: guard zones, poison, tracks, consistency in all pools (none)");

/*
 * Marks
 */

static size_t bp_marks_bits(u32 nr_blocks)
{
	return ((size_t)nr_blocks + 1) * BP_MARKS;
}

/* Whether it is the first of its kind; for no block, of those without one. */
static bool bp_debug_mark(struct bp_debug *debug, u32 index, enum bp_mark mark)
{
	unsigned long at = min(index, debug->nr_blocks);

	return !test_and_set_bit(at * BP_MARKS + mark, debug->marks);
}

/* Whatever happens next to the block is to be reported. */
void bp_debug_forgive(struct bp_debug *debug, u32 index)
{
	unsigned long at = min(index, debug->nr_blocks) * (unsigned long)BP_MARKS;
	int mark;

	for (mark = 0; mark < BP_MARKS; mark++)
		if (test_bit(at + mark, debug->marks))
			clear_bit(at + mark, debug->marks);
}

/*
 * Reports
 */

void bp_call_init(struct bp_call *call, struct bp_debug *debug, u32 found,
		  const struct bp_caller *caller)
{
	call->debug = debug;
	call->found = found;
	call->caller = caller;
	call->tracked = false;
}

/* One track a call, however many blocks. */
static const struct bp_track *bp_call_track(struct bp_call *call)
{
	if (!call->tracked)
		bp_track_make(&call->track, call->caller);
	call->tracked = true;
	return &call->track;
}

/* The record's kind and what belongs to that are filled in, the rest zeros. */
static void bp_call_report(struct bp_call *call, u32 index, u32 owner,
			   struct bp_record *record)
{
	struct bp_debug *debug = call->debug;

	record->found = call->found;
	record->index = index;
	record->owner = owner;
	record->by = *bp_call_track(call);
	if (debug->histories && index < debug->nr_blocks)
		bp_history_read(&debug->histories[index], &record->alloc,
				&record->free);
	bp_report(&debug->reports, record);
}

/* The same of damage. */
static void bp_call_damage(struct bp_call *call, u32 index, u32 owner,
			   struct bp_record *record)
{
	trace_corrupt(call->debug->depot->pool, index, record->kind,
		      record->offset, owner);
	bp_call_report(call, index, owner, record);
}

/* @content: also what is in the block, which is free. */
void bp_call_damaged(struct bp_call *call, u32 index, bool content)
{
	struct bp_debug *debug = call->debug;
	struct bp_record record = {};

	if (bp_guard_describe(&debug->guard, index, content, &record) &&
	    bp_debug_mark(debug, index, BP_MARK_DAMAGED))
		bp_call_damage(call, index, bp_owner_read(&debug->owners[index]),
			       &record);
}

void bp_call_corrupt(struct bp_call *call, u32 index, const char *detail)
{
	struct bp_debug *debug = call->debug;
	struct bp_record record = {
		.kind = BLOCKPOOL_REPORT_CORRUPT,
		.detail = detail,
	};
	u32 owner = BLOCKPOOL_OWNER_FREE;

	if (index < debug->nr_blocks)
		owner = bp_owner_read(&debug->owners[index]);
	else
		index = BLOCKPOOL_NO_INDEX;
	if (bp_debug_mark(debug, index, BP_MARK_CORRUPT))
		bp_call_damage(call, index, owner, &record);
}

static u32 bp_refuse_kind(u32 index, u32 owner)
{
	if (index == BLOCKPOOL_NO_INDEX)
		return BLOCKPOOL_REPORT_NOT_A_BLOCK;
	if (owner == BLOCKPOOL_OWNER_FREE ||
	    owner == BLOCKPOOL_OWNER_QUARANTINE)
		return BLOCKPOOL_REPORT_DOUBLE_FREE;
	return BLOCKPOOL_REPORT_NOT_HELD;
}

/**
 * bp_debug_refuse() - a free was refused
 * @debug: of the pool
 * @index: the block, or BLOCKPOOL_NO_INDEX
 * @owner: its owner word when that was found, as the caller is told
 * @caller: who wanted to free it
 *
 * Context: Any.
 */
void bp_debug_refuse(struct bp_debug *debug, u32 index, u32 owner,
		     const struct bp_caller *caller)
{
	struct bp_record record = { .kind = bp_refuse_kind(index, owner) };
	struct bp_call call;

	if (index != BLOCKPOOL_NO_INDEX &&
	    !bp_debug_mark(debug, index, BP_MARK_REFUSED))
		return;
	bp_call_init(&call, debug, BLOCKPOOL_FOUND_FREE, caller);
	bp_call_report(&call, index, owner, &record);
}

/**
 * bp_debug_stale() - a client has touched a block that it does not hold
 * @debug: of the pool
 * @client: its id
 * @index: the block
 * @offset: the byte
 *
 * Context: Any.
 */
void bp_debug_stale(struct bp_debug *debug, u32 client, u32 index, s64 offset)
{
	const struct bp_caller caller = { .client = client };
	struct bp_record record = {
		.kind = BLOCKPOOL_REPORT_STALE,
		.offset = offset,
	};
	struct bp_call call;
	u32 owner;

	if (!bp_debug_mark(debug, index, BP_MARK_STALE))
		return;
	owner = bp_owner_told_to(READ_ONCE(debug->owners[index]), client);
	bp_call_init(&call, debug, BLOCKPOOL_FOUND_FAULT, &caller);
	bp_call_damage(&call, index, owner, &record);
}

/*
 * Out of the pool and back
 */

/* The block is nobody's, and in no other place. */
void bp_debug_quarantine(struct bp_debug *debug, u32 index)
{
	u32 from = bp_owner_read(&debug->owners[index]);

	atomic_inc(&debug->nr_quarantined);
	WRITE_ONCE(debug->owners[index], BLOCKPOOL_OWNER_QUARANTINE);
	trace_quarantine(debug->depot->pool, index, from);
}

/* Whether it may be had; if not, it goes into quarantine, or is not there at all. */
static bool bp_debug_pass(struct bp_call *call, u32 index)
{
	struct bp_debug *debug = call->debug;

	if (unlikely(index >= debug->nr_blocks ||
		     READ_ONCE(debug->owners[index]) != BLOCKPOOL_OWNER_FREE)) {
		bp_call_corrupt(call, index, "taken, but was not free");
		return false;
	}
	if (likely(bp_guard_sound(&debug->guard, index) &&
		   bp_poison_sound(&debug->guard, index)))
		return true;
	bp_call_damaged(call, index, true);
	bp_debug_quarantine(debug, index);
	return false;
}

/* Moves those that may be had to the front. */
static u32 bp_debug_sift(struct bp_call *call, u32 *indices, u32 n)
{
	u32 sound = 0, i;

	for (i = 0; i < n; i++)
		if (bp_debug_pass(call, indices[i]))
			indices[sound++] = indices[i];
	return sound;
}

static void bp_debug_note_alloc(struct bp_call *call, const u32 *indices, u32 n)
{
	struct bp_debug *debug = call->debug;
	struct bp_history *history;
	u32 i;

	for (i = 0; i < n; i++) {
		bp_debug_forgive(debug, indices[i]);
		if (!debug->histories)
			continue;
		history = &debug->histories[indices[i]];
		bp_history_write(history, &history->alloc, bp_call_track(call));
	}
}

/* They were taken in vain; maybe before a wipe of all that is free saw them. */
static void bp_debug_put_back(struct bp_debug *debug, const u32 *indices, u32 n)
{
	u32 some, i;

	for (i = 0; i < n; i++)
		bp_store_wipe(debug->guard.store, indices[i]);
	for (i = 0; i < n; i += some) {
		some = min(n - i, BP_SLICE_MAX);
		if (in_nmi())
			bp_depot_put_aside(debug->depot, indices + i, some);
		else
			bp_depot_give(debug->depot, indices + i, some,
				      BP_FLUSHED);
	}
}

/**
 * bp_debug_take() - before blocks from the depot are claimed
 * @debug: of the pool
 * @indices: the blocks
 * @n: how many; all or none
 * @caller: who takes them
 *
 * Context: Any.
 * Return: false if one was damaged: the others are back in the depot, and others
 *	may be there.
 */
bool bp_debug_take(struct bp_debug *debug, u32 *indices, u32 n,
		   const struct bp_caller *caller)
{
	struct bp_call call;
	u32 sound;

	bp_call_init(&call, debug, BLOCKPOOL_FOUND_ALLOC, caller);
	sound = bp_debug_sift(&call, indices, n);
	if (sound == n)
		bp_debug_note_alloc(&call, indices, n);
	else
		bp_debug_put_back(debug, indices, sound);
	return sound == n;
}

/* The same if fewer will do; returns how many. */
u32 bp_debug_take_some(struct bp_debug *debug, u32 *indices, u32 n,
		       const struct bp_caller *caller)
{
	struct bp_call call;

	bp_call_init(&call, debug, BLOCKPOOL_FOUND_ALLOC, caller);
	n = bp_debug_sift(&call, indices, n);
	bp_debug_note_alloc(&call, indices, n);
	return n;
}

/**
 * bp_debug_give() - before blocks that were released go to the depot
 * @debug: of the pool
 * @indices: the blocks
 * @sound: out: those that may go there
 * @n: how many
 * @found: BLOCKPOOL_FOUND_FREE or BLOCKPOOL_FOUND_RECLAIM
 * @caller: who released them
 *
 * Context: Any.
 * Return: How many are sound.
 */
u32 bp_debug_give(struct bp_debug *debug, const u32 *indices, u32 *sound, u32 n,
		  u32 found, const struct bp_caller *caller)
{
	struct bp_history *history;
	struct bp_call call;
	u32 nr_sound = 0, i;

	bp_call_init(&call, debug, found, caller);
	for (i = 0; i < n; i++) {
		if (likely(bp_guard_sound(&debug->guard, indices[i]))) {
			sound[nr_sound++] = indices[i];
		} else {
			bp_call_damaged(&call, indices[i], false);
			bp_debug_quarantine(debug, indices[i]);
		}
		bp_poison_fill(&debug->guard, indices[i]);
		if (!debug->histories)
			continue;
		history = &debug->histories[indices[i]];
		bp_history_write(history, &history->free, bp_call_track(&call));
	}
	return nr_sound;
}

/**
 * bp_debug_hand() - while blocks go from one holder to another
 * @debug: of the pool
 * @indices: the blocks
 * @n: how many
 * @found: BLOCKPOOL_FOUND_SEND or BLOCKPOOL_FOUND_RECV
 * @caller: who sends or receives them
 *
 * A damaged one goes on, as there is a message in it: it is kept when it is freed.
 * The receiver is who took it last.
 *
 * Context: Any.
 */
void bp_debug_hand(struct bp_debug *debug, const u32 *indices, u32 n, u32 found,
		   const struct bp_caller *caller)
{
	struct bp_history *history;
	struct bp_call call;
	u32 i;

	bp_call_init(&call, debug, found, caller);
	for (i = 0; i < n; i++) {
		if (unlikely(!bp_guard_sound(&debug->guard, indices[i])))
			bp_call_damaged(&call, indices[i], false);
		if (!debug->histories || found != BLOCKPOOL_FOUND_RECV)
			continue;
		history = &debug->histories[indices[i]];
		bp_history_write(history, &history->alloc, bp_call_track(&call));
	}
}

/*
 * Its life
 */

/* Memory that it takes. */
u64 bp_debug_bytes(u32 flags, u32 nr_blocks)
{
	u64 each = flags & BLOCKPOOL_TRACK ? sizeof(struct bp_history) : 0;

	if (!(flags & BLOCKPOOL_DEBUG))
		return 0;
	return sizeof(struct bp_debug) + nr_blocks * each +
	       bp_marks_bits(nr_blocks) / BITS_PER_BYTE +
	       nr_blocks / BITS_PER_BYTE;
}

static int bp_debug_fill(struct bp_debug *debug)
{
	u32 i;

	for (i = 0; i < debug->nr_blocks; i++) {
		bp_guard_fill(&debug->guard, i);
		bp_poison_fill(&debug->guard, i);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static void bp_debug_free(struct bp_debug *debug)
{
	kvfree(debug->histories);
	kvfree(debug->marks);
	kvfree(debug->seen);
	kvfree(debug);
}

static int bp_debug_alloc(struct bp_debug *debug)
{
	u32 nr_blocks = debug->nr_blocks;

	debug->marks = kvcalloc(BITS_TO_LONGS(bp_marks_bits(nr_blocks)),
				sizeof(long), BP_GFP_CHARGED);
	debug->seen = kvcalloc(BITS_TO_LONGS(nr_blocks), sizeof(long),
			       BP_GFP_CHARGED);
	if (debug->flags & BLOCKPOOL_TRACK)
		debug->histories = kvcalloc(nr_blocks,
					    sizeof(*debug->histories),
					    BP_GFP_CHARGED);
	if (!debug->marks || !debug->seen ||
	    (debug->flags & BLOCKPOOL_TRACK && !debug->histories))
		return -ENOMEM;
	return bp_debug_fill(debug);
}

/**
 * bp_debug_create() - for a pool whose blocks are all free
 * @pool: its name
 * @guard: its blocks, and its flags
 * @depot: its depot
 * @owners: its owner table
 *
 * Of these all outlive it but @guard.
 *
 * Return: It, or -ENOMEM, -EINTR (fatal signal) as ERR_PTR.
 */
struct bp_debug *bp_debug_create(const char *pool, const struct bp_guard *guard,
				 struct bp_depot *depot, u32 *owners)
{
	struct bp_debug *debug = kvzalloc(sizeof(*debug), BP_GFP_CHARGED);
	int ret;

	if (!debug)
		return ERR_PTR(-ENOMEM);
	debug->flags = guard->flags;
	debug->nr_blocks = guard->store->geo.nr_blocks;
	debug->guard = *guard;
	debug->depot = depot;
	debug->owners = owners;
	ret = bp_debug_alloc(debug);
	if (ret) {
		bp_debug_free(debug);
		return ERR_PTR(ret);
	}
	mutex_init(&debug->walk);
	bp_reports_init(&debug->reports, pool, &depot->pollers);
	return debug;
}

void bp_debug_destroy(struct bp_debug *debug)
{
	bp_reports_destroy(&debug->reports);
	mutex_destroy(&debug->walk);
	bp_debug_free(debug);
}

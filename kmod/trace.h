/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Events for ftrace, perf and BPF: system "blockpool", what changes in pools.
 *
 * An event that says whose a block is now is made while nobody else may write its owner
 * word: before a free block goes back where others find it, before one that was taken is
 * its caller's, before a message is in its queue.  So the order of events is the order of
 * changes.  Most are made right before the word is written, for a machine that stops may
 * stop between the two, and making an event takes longer than writing a word; the others
 * right behind it.  Who reads a word of the owner table and then all events of its block
 * that came since knows the holder; but if the block's last event before that is one of a
 * moment ago, and the word is as that found it, the word is still to come: nobody is
 * preempted between the two.
 *
 * Fields are numbers and names of fixed length, for filters, triggers and histograms.
 * @pool is the number of the pool, its own since the module was loaded.  Owners are
 * owner words, as in uapi/linux/blockpool.h.  @ip is where the caller was, 0 if that
 * is not known.  @sum is of the record itself, for who reads it in memory that may be
 * damaged: see common/record.h.  Off, each event is a jump that is patched out: what
 * it would be told must not be worked out before trace_..._enabled().
 *
 * Context of them all: Any, NMI too.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM blockpool

#if !defined(BLOCKPOOL_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define BLOCKPOOL_TRACE_H

#include <linux/build_bug.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/tracepoint.h>
#include <linux/types.h>
#include <uapi/linux/blockpool.h>

#include "../common/record.h"

#ifndef BP_TRACE_ONCE
#define BP_TRACE_ONCE

#define BP_TRACE_MANY	128u	/* indices an event, or runs */

/* Why something was refused. */
enum bp_refusal {
	BP_REFUSED_NO_BLOCK,	/* there is no such block */
	BP_REFUSED_FREE,	/* a free: of one that is free */
	BP_REFUSED_NOT_HELD,	/* a free: of one that another has */
	BP_REFUSED_SEND		/* a message: of a block that its sender has not */
};

void __bp_trace_taken(u32 pool, const u32 *indices, u32 n, u32 owner,
		      unsigned long ip);
void __bp_trace_freed(u32 pool, const u32 *indices, u32 n, u32 owner,
		      unsigned long ip);

/* Blocks will be the owner's in a moment: take or take_bulk. */
#define bp_trace_taken(pool, indices, n, owner, ip)			\
do {									\
	if (trace_take_enabled() || trace_take_bulk_enabled())		\
		__bp_trace_taken(pool, indices, n, owner, ip);		\
} while (0)

/* Blocks that were the owner's are nobody's, or in a moment: free or free_bulk. */
#define bp_trace_freed(pool, indices, n, owner, ip)			\
do {									\
	if (trace_free_enabled() || trace_free_bulk_enabled())		\
		__bp_trace_freed(pool, indices, n, owner, ip);		\
} while (0)

/* How a refused free is called. */
static inline enum bp_refusal bp_refusal_of(u32 index, u32 owner)
{
	if (index == BLOCKPOOL_NO_INDEX)
		return BP_REFUSED_NO_BLOCK;
	return owner == BLOCKPOOL_OWNER_FREE ? BP_REFUSED_FREE :
					       BP_REFUSED_NOT_HELD;
}

/* The last of what an event does: @bytes, those that are behind its fixed fields. */
#define bp_sign(bytes)							\
do {									\
	const size_t __fixed = offsetof(typeof(*__entry), __data);	\
									\
	BUILD_BUG_ON(__fixed % sizeof(u32));				\
	__entry->sum = bp_record_sum(__entry,				\
				     offsetof(typeof(*__entry), sum),	\
				     __fixed + (bytes));		\
} while (0)

#endif /* BP_TRACE_ONCE */

TRACE_DEFINE_ENUM(BP_REFUSED_NO_BLOCK);
TRACE_DEFINE_ENUM(BP_REFUSED_FREE);
TRACE_DEFINE_ENUM(BP_REFUSED_NOT_HELD);
TRACE_DEFINE_ENUM(BP_REFUSED_SEND);

#define bp_show_refusal(reason)						\
	__print_symbolic(reason,					\
			 { BP_REFUSED_NO_BLOCK, "no_block" },		\
			 { BP_REFUSED_FREE, "free" },			\
			 { BP_REFUSED_NOT_HELD, "not_held" },		\
			 { BP_REFUSED_SEND, "send" })

/* Of reports, in the uapi header: those that are damage. */
#define bp_show_damage(what)						\
	__print_symbolic(what,						\
			 { 1, "underrun" }, { 2, "overrun" },		\
			 { 3, "use_after_free" }, { 7, "stale" },	\
			 { 8, "corrupt" })

#define bp_show_indices()						\
	__print_array(__get_dynamic_array(indices), __entry->count, sizeof(u32))

/*
 * Pools and clients
 */

TRACE_EVENT(pool_create,
	TP_PROTO(u32 pool, const char *name, u64 block_size, u32 nr_blocks,
		 u32 flags),
	TP_ARGS(pool, name, block_size, nr_blocks, flags),
	TP_STRUCT__entry(
		__field(u32, pool)
		__field(u32, sum)
		__array(char, name, BLOCKPOOL_NAME_SIZE)
		__field(u64, block_size)
		__field(u32, nr_blocks)
		__field(u32, flags)
	),
	TP_fast_assign(
		__entry->pool = pool;
		strscpy_pad(__entry->name, name, BLOCKPOOL_NAME_SIZE);
		__entry->block_size = block_size;
		__entry->nr_blocks = nr_blocks;
		__entry->flags = flags;
		bp_sign(0);
	),
	TP_printk("pool=%u name=%s block_size=%llu nr_blocks=%u flags=%#x",
		  __entry->pool, __entry->name, __entry->block_size,
		  __entry->nr_blocks, __entry->flags)
);

DECLARE_EVENT_CLASS(bp_pool,
	TP_PROTO(u32 pool),
	TP_ARGS(pool),
	TP_STRUCT__entry(
		__field(u32, pool)
		__field(u32, sum)
	),
	TP_fast_assign(
		__entry->pool = pool;
		bp_sign(0);
	),
	TP_printk("pool=%u", __entry->pool)
);

DEFINE_EVENT(bp_pool, pool_unlink, TP_PROTO(u32 pool), TP_ARGS(pool));
DEFINE_EVENT(bp_pool, pool_destroy, TP_PROTO(u32 pool), TP_ARGS(pool));

TRACE_EVENT(client_open,
	TP_PROTO(u32 pool, u32 client, s32 pid, const char *comm),
	TP_ARGS(pool, client, pid, comm),
	TP_STRUCT__entry(
		__field(u32, pool)
		__field(u32, sum)
		__field(u32, client)
		__field(s32, pid)
		__array(char, comm, TASK_COMM_LEN)
	),
	TP_fast_assign(
		__entry->pool = pool;
		__entry->client = client;
		__entry->pid = pid;
		strscpy_pad(__entry->comm, comm, TASK_COMM_LEN);
		bp_sign(0);
	),
	TP_printk("pool=%u client=%u pid=%d comm=%s", __entry->pool,
		  __entry->client, __entry->pid, __entry->comm)
);

TRACE_EVENT(client_close,
	TP_PROTO(u32 pool, u32 client),
	TP_ARGS(pool, client),
	TP_STRUCT__entry(
		__field(u32, pool)
		__field(u32, sum)
		__field(u32, client)
	),
	TP_fast_assign(
		__entry->pool = pool;
		__entry->client = client;
		bp_sign(0);
	),
	TP_printk("pool=%u client=%u", __entry->pool, __entry->client)
);

DECLARE_EVENT_CLASS(bp_client_count,
	TP_PROTO(u32 pool, u32 client, u32 count),
	TP_ARGS(pool, client, count),
	TP_STRUCT__entry(
		__field(u32, pool)
		__field(u32, sum)
		__field(u32, client)
		__field(u32, count)
	),
	TP_fast_assign(
		__entry->pool = pool;
		__entry->client = client;
		__entry->count = count;
		bp_sign(0);
	),
	TP_printk("pool=%u client=%u count=%u", __entry->pool,
		  __entry->client, __entry->count)
);

DEFINE_EVENT(bp_client_count, client_reclaim,
	TP_PROTO(u32 pool, u32 client, u32 count),
	TP_ARGS(pool, client, count));

/*
 * Taking and freeing; a wait is for @count blocks
 */

DECLARE_EVENT_CLASS(bp_block,
	TP_PROTO(u32 pool, u32 index, u32 owner, unsigned long ip),
	TP_ARGS(pool, index, owner, ip),
	TP_STRUCT__entry(
		__field(u32, pool)
		__field(u32, sum)
		__field(u32, index)
		__field(u32, owner)
		__field(unsigned long, ip)
	),
	TP_fast_assign(
		__entry->pool = pool;
		__entry->index = index;
		__entry->owner = owner;
		__entry->ip = ip;
		bp_sign(0);
	),
	TP_printk("pool=%u index=%u owner=%u ip=%pS", __entry->pool,
		  __entry->index, __entry->owner, (void *)__entry->ip)
);

DEFINE_EVENT(bp_block, take,
	TP_PROTO(u32 pool, u32 index, u32 owner, unsigned long ip),
	TP_ARGS(pool, index, owner, ip));

/* @owner: who had it, as in free_bulk. */
DEFINE_EVENT(bp_block, free,
	TP_PROTO(u32 pool, u32 index, u32 owner, unsigned long ip),
	TP_ARGS(pool, index, owner, ip));

DECLARE_EVENT_CLASS(bp_blocks,
	TP_PROTO(u32 pool, const u32 *indices, u32 count, u32 owner,
		 unsigned long ip),
	TP_ARGS(pool, indices, count, owner, ip),
	TP_STRUCT__entry(
		__field(u32, pool)
		__field(u32, sum)
		__field(u32, owner)
		__field(u32, count)
		__field(unsigned long, ip)
		__dynamic_array(u32, indices, count)
	),
	TP_fast_assign(
		__entry->pool = pool;
		__entry->owner = owner;
		__entry->count = count;
		__entry->ip = ip;
		memcpy(__get_dynamic_array(indices), indices,
		       count * sizeof(u32));
		bp_sign(count * sizeof(u32));
	),
	TP_printk("pool=%u owner=%u count=%u ip=%pS indices=%s",
		  __entry->pool, __entry->owner, __entry->count,
		  (void *)__entry->ip, bp_show_indices())
);

DEFINE_EVENT(bp_blocks, take_bulk,
	TP_PROTO(u32 pool, const u32 *indices, u32 count, u32 owner,
		 unsigned long ip),
	TP_ARGS(pool, indices, count, owner, ip));

DEFINE_EVENT(bp_blocks, free_bulk,
	TP_PROTO(u32 pool, const u32 *indices, u32 count, u32 owner,
		 unsigned long ip),
	TP_ARGS(pool, indices, count, owner, ip));

DECLARE_EVENT_CLASS(bp_count,
	TP_PROTO(u32 pool, u32 count),
	TP_ARGS(pool, count),
	TP_STRUCT__entry(
		__field(u32, pool)
		__field(u32, sum)
		__field(u32, count)
	),
	TP_fast_assign(
		__entry->pool = pool;
		__entry->count = count;
		bp_sign(0);
	),
	TP_printk("pool=%u count=%u", __entry->pool, __entry->count)
);

/* Free blocks: from the depot to this CPU's magazine ... */
DEFINE_EVENT(bp_count, refill, TP_PROTO(u32 pool, u32 count),
	TP_ARGS(pool, count));
/* ... half a full one back ... */
DEFINE_EVENT(bp_count, flush, TP_PROTO(u32 pool, u32 count),
	TP_ARGS(pool, count));
/* ... and all of it, because they are wanted. */
DEFINE_EVENT(bp_count, drain, TP_PROTO(u32 pool, u32 count),
	TP_ARGS(pool, count));

DEFINE_EVENT(bp_client_count, wait_begin,
	TP_PROTO(u32 pool, u32 client, u32 count),
	TP_ARGS(pool, client, count));

/* @result: 0 or a negative errno. */
TRACE_EVENT(wait_end,
	TP_PROTO(u32 pool, u32 client, int result),
	TP_ARGS(pool, client, result),
	TP_STRUCT__entry(
		__field(u32, pool)
		__field(u32, sum)
		__field(u32, client)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->pool = pool;
		__entry->client = client;
		__entry->result = result;
		bp_sign(0);
	),
	TP_printk("pool=%u client=%u result=%d", __entry->pool,
		  __entry->client, __entry->result)
);

/*
 * What was wrong
 */

/* @owner: the block's owner word at that time. */
TRACE_EVENT(refused,
	TP_PROTO(u32 pool, u32 index, enum bp_refusal reason, u32 caller,
		 u32 owner),
	TP_ARGS(pool, index, reason, caller, owner),
	TP_STRUCT__entry(
		__field(u32, pool)
		__field(u32, sum)
		__field(u32, index)
		__field(u32, reason)
		__field(u32, caller)
		__field(u32, owner)
	),
	TP_fast_assign(
		__entry->pool = pool;
		__entry->index = index;
		__entry->reason = reason;
		__entry->caller = caller;
		__entry->owner = owner;
		bp_sign(0);
	),
	TP_printk("pool=%u index=%u reason=%s caller=%u owner=%u",
		  __entry->pool, __entry->index,
		  bp_show_refusal(__entry->reason), __entry->caller,
		  __entry->owner)
);

/* @what: BLOCKPOOL_REPORT_...; @offset: of the first bad byte. */
TRACE_EVENT(corrupt,
	TP_PROTO(u32 pool, u32 index, u32 what, s64 offset, u32 owner),
	TP_ARGS(pool, index, what, offset, owner),
	TP_STRUCT__entry(
		__field(u32, pool)
		__field(u32, sum)
		__field(u32, index)
		__field(u32, what)
		__field(s64, offset)
		__field(u32, owner)
	),
	TP_fast_assign(
		__entry->pool = pool;
		__entry->index = index;
		__entry->what = what;
		__entry->offset = offset;
		__entry->owner = owner;
		bp_sign(0);
	),
	TP_printk("pool=%u index=%u what=%s offset=%lld owner=%u",
		  __entry->pool, __entry->index,
		  bp_show_damage(__entry->what), __entry->offset,
		  __entry->owner)
);

TRACE_EVENT(quarantine,
	TP_PROTO(u32 pool, u32 index, u32 from),
	TP_ARGS(pool, index, from),
	TP_STRUCT__entry(
		__field(u32, pool)
		__field(u32, sum)
		__field(u32, index)
		__field(u32, from)
	),
	TP_fast_assign(
		__entry->pool = pool;
		__entry->index = index;
		__entry->from = from;
		bp_sign(0);
	),
	TP_printk("pool=%u index=%u from=%u", __entry->pool, __entry->index,
		  __entry->from)
);

TRACE_EVENT(repair,
	TP_PROTO(u32 pool, u32 index),
	TP_ARGS(pool, index),
	TP_STRUCT__entry(
		__field(u32, pool)
		__field(u32, sum)
		__field(u32, index)
	),
	TP_fast_assign(
		__entry->pool = pool;
		__entry->index = index;
		bp_sign(0);
	),
	TP_printk("pool=%u index=%u", __entry->pool, __entry->index)
);

/*
 * Ports; @port is the number.  Of shared blocks, whose owner word does not change
 * with a message, share and unshare tell.
 */

TRACE_EVENT(port_open,
	TP_PROTO(u32 pool, u32 port, const char *name),
	TP_ARGS(pool, port, name),
	TP_STRUCT__entry(
		__field(u32, pool)
		__field(u32, sum)
		__field(u32, port)
		__array(char, name, BLOCKPOOL_NAME_SIZE)
	),
	TP_fast_assign(
		__entry->pool = pool;
		__entry->port = port;
		strscpy_pad(__entry->name, name, BLOCKPOOL_NAME_SIZE);
		bp_sign(0);
	),
	TP_printk("pool=%u port=%u name=%s", __entry->pool, __entry->port,
		  __entry->name)
);

TRACE_EVENT(port_close,
	TP_PROTO(u32 pool, u32 port),
	TP_ARGS(pool, port),
	TP_STRUCT__entry(
		__field(u32, pool)
		__field(u32, sum)
		__field(u32, port)
	),
	TP_fast_assign(
		__entry->pool = pool;
		__entry->port = port;
		bp_sign(0);
	),
	TP_printk("pool=%u port=%u", __entry->pool, __entry->port)
);

DECLARE_EVENT_CLASS(bp_message,
	TP_PROTO(u32 pool, u32 port, u32 owner, const u32 *indices, u32 count),
	TP_ARGS(pool, port, owner, indices, count),
	TP_STRUCT__entry(
		__field(u32, pool)
		__field(u32, sum)
		__field(u32, port)
		__field(u32, owner)
		__field(u32, count)
		__dynamic_array(u32, indices, count)
	),
	TP_fast_assign(
		__entry->pool = pool;
		__entry->port = port;
		__entry->owner = owner;
		__entry->count = count;
		memcpy(__get_dynamic_array(indices), indices,
		       count * sizeof(u32));
		bp_sign(count * sizeof(u32));
	),
	TP_printk("pool=%u port=%u owner=%u count=%u indices=%s",
		  __entry->pool, __entry->port, __entry->owner,
		  __entry->count, bp_show_indices())
);

/* @owner: the sender; the blocks are the port's now. */
DEFINE_EVENT(bp_message, send,
	TP_PROTO(u32 pool, u32 port, u32 owner, const u32 *indices, u32 count),
	TP_ARGS(pool, port, owner, indices, count));

/* They are its own again: the port had ended. */
DEFINE_EVENT(bp_message, send_undone,
	TP_PROTO(u32 pool, u32 port, u32 owner, const u32 *indices, u32 count),
	TP_ARGS(pool, port, owner, indices, count));

/* @owner: the receiver, who has them now. */
DEFINE_EVENT(bp_message, receive,
	TP_PROTO(u32 pool, u32 port, u32 owner, const u32 *indices, u32 count),
	TP_ARGS(pool, port, owner, indices, count));

/* @owner: who died with them; they are the port's again. */
DEFINE_EVENT(bp_message, requeue,
	TP_PROTO(u32 pool, u32 port, u32 owner, const u32 *indices, u32 count),
	TP_ARGS(pool, port, owner, indices, count));

/* The port has ended: they are free; @owner: 0. */
DEFINE_EVENT(bp_message, drop,
	TP_PROTO(u32 pool, u32 port, u32 owner, const u32 *indices, u32 count),
	TP_ARGS(pool, port, owner, indices, count));

/* @holders: shares that there are; one event a port, before its message is there. */
TRACE_EVENT(share,
	TP_PROTO(u32 pool, u32 port, u32 owner, u32 index, u32 holders),
	TP_ARGS(pool, port, owner, index, holders),
	TP_STRUCT__entry(
		__field(u32, pool)
		__field(u32, sum)
		__field(u32, port)
		__field(u32, owner)
		__field(u32, index)
		__field(u32, holders)
	),
	TP_fast_assign(
		__entry->pool = pool;
		__entry->port = port;
		__entry->owner = owner;
		__entry->index = index;
		__entry->holders = holders;
		bp_sign(0);
	),
	TP_printk("pool=%u port=%u owner=%u index=%u holders=%u",
		  __entry->pool, __entry->port, __entry->owner,
		  __entry->index, __entry->holders)
);

TRACE_EVENT(receive_shared,
	TP_PROTO(u32 pool, u32 port, u32 owner, u32 index),
	TP_ARGS(pool, port, owner, index),
	TP_STRUCT__entry(
		__field(u32, pool)
		__field(u32, sum)
		__field(u32, port)
		__field(u32, owner)
		__field(u32, index)
	),
	TP_fast_assign(
		__entry->pool = pool;
		__entry->port = port;
		__entry->owner = owner;
		__entry->index = index;
		bp_sign(0);
	),
	TP_printk("pool=%u port=%u owner=%u index=%u", __entry->pool,
		  __entry->port, __entry->owner, __entry->index)
);

/*
 * @client: whose share has ended: an owner word, a port's if nobody had received it.
 * @holders: shares that are left; 0: the block is free.
 */
TRACE_EVENT(unshare,
	TP_PROTO(u32 pool, u32 client, u32 index, u32 holders),
	TP_ARGS(pool, client, index, holders),
	TP_STRUCT__entry(
		__field(u32, pool)
		__field(u32, sum)
		__field(u32, client)
		__field(u32, index)
		__field(u32, holders)
	),
	TP_fast_assign(
		__entry->pool = pool;
		__entry->client = client;
		__entry->index = index;
		__entry->holders = holders;
		bp_sign(0);
	),
	TP_printk("pool=%u client=%u index=%u holders=%u", __entry->pool,
		  __entry->client, __entry->index, __entry->holders)
);

/*
 * Snapshots, see recorder.c; @seq is of all pools' at one time
 */

TRACE_EVENT(snapshot_begin,
	TP_PROTO(u32 pool, u32 seq, const char *name, u64 block_size,
		 u32 nr_blocks, u32 flags, u32 nr_free, u32 nr_in_flight,
		 bool at_panic),
	TP_ARGS(pool, seq, name, block_size, nr_blocks, flags, nr_free,
		nr_in_flight, at_panic),
	TP_STRUCT__entry(
		__field(u32, pool)
		__field(u32, sum)
		__field(u32, seq)
		__array(char, name, BLOCKPOOL_NAME_SIZE)
		__field(u64, block_size)
		__field(u32, nr_blocks)
		__field(u32, flags)
		__field(u32, nr_free)
		__field(u32, nr_held)
		__field(u32, nr_in_flight)
		__field(u32, at_panic)
	),
	TP_fast_assign(
		__entry->pool = pool;
		__entry->seq = seq;
		strscpy_pad(__entry->name, name, BLOCKPOOL_NAME_SIZE);
		__entry->block_size = block_size;
		__entry->nr_blocks = nr_blocks;
		__entry->flags = flags;
		__entry->nr_free = nr_free;
		__entry->nr_held = nr_blocks - nr_free;
		__entry->nr_in_flight = nr_in_flight;
		__entry->at_panic = at_panic;
		bp_sign(0);
	),
	TP_printk("pool=%u seq=%u name=%s block_size=%llu nr_blocks=%u flags=%#x nr_free=%u nr_held=%u nr_in_flight=%u at_panic=%u",
		  __entry->pool, __entry->seq, __entry->name,
		  __entry->block_size, __entry->nr_blocks, __entry->flags,
		  __entry->nr_free, __entry->nr_held, __entry->nr_in_flight,
		  __entry->at_panic)
);

TRACE_EVENT(snapshot_client,
	TP_PROTO(u32 pool, u32 seq, u32 client, s32 pid, const char *comm,
		 u32 held),
	TP_ARGS(pool, seq, client, pid, comm, held),
	TP_STRUCT__entry(
		__field(u32, pool)
		__field(u32, sum)
		__field(u32, seq)
		__field(u32, client)
		__field(s32, pid)
		__array(char, comm, TASK_COMM_LEN)
		__field(u32, held)
	),
	TP_fast_assign(
		__entry->pool = pool;
		__entry->seq = seq;
		__entry->client = client;
		__entry->pid = pid;
		strscpy_pad(__entry->comm, comm, TASK_COMM_LEN);
		__entry->held = held;
		bp_sign(0);
	),
	TP_printk("pool=%u seq=%u client=%u pid=%d comm=%s held=%u",
		  __entry->pool, __entry->seq, __entry->client, __entry->pid,
		  __entry->comm, __entry->held)
);

/* @depth: messages that have room; @nr: that are there. */
TRACE_EVENT(snapshot_port,
	TP_PROTO(u32 pool, u32 seq, u32 port, const char *name, u32 depth,
		 u32 nr),
	TP_ARGS(pool, seq, port, name, depth, nr),
	TP_STRUCT__entry(
		__field(u32, pool)
		__field(u32, sum)
		__field(u32, seq)
		__field(u32, port)
		__array(char, name, BLOCKPOOL_NAME_SIZE)
		__field(u32, depth)
		__field(u32, nr)
	),
	TP_fast_assign(
		__entry->pool = pool;
		__entry->seq = seq;
		__entry->port = port;
		strscpy_pad(__entry->name, name, BLOCKPOOL_NAME_SIZE);
		__entry->depth = depth;
		__entry->nr = nr;
		bp_sign(0);
	),
	TP_printk("pool=%u seq=%u port=%u name=%s depth=%u nr=%u",
		  __entry->pool, __entry->seq, __entry->port, __entry->name,
		  __entry->depth, __entry->nr)
);

/*
 * Owner words from the one of @first on: @nr pairs of how many and which, without a
 * gap.  They were read between @start and @now.  @now is later than the time of the
 * event, so that time less (@now - @start) is not later than the first read: who takes
 * it for that, and lets an event of a block that came since count, is on the safe
 * side, whatever interrupted us here.
 */
TRACE_EVENT(snapshot_runs,
	TP_PROTO(u32 pool, u32 seq, u64 start, u32 first, const u32 *runs,
		 u32 nr),
	TP_ARGS(pool, seq, start, first, runs, nr),
	TP_STRUCT__entry(
		__field(u32, pool)
		__field(u32, sum)
		__field(u32, seq)
		__field(u32, first)
		__field(u64, start)
		__field(u64, now)
		__field(u32, nr)
		__dynamic_array(u32, runs, 2 * nr)
	),
	TP_fast_assign(
		__entry->pool = pool;
		__entry->seq = seq;
		__entry->start = start;
		__entry->now = ktime_get_mono_fast_ns();
		__entry->first = first;
		__entry->nr = nr;
		memcpy(__get_dynamic_array(runs), runs,
		       2 * nr * sizeof(u32));
		bp_sign(2 * nr * sizeof(u32));
	),
	TP_printk("pool=%u seq=%u start=%llu now=%llu first=%u nr=%u runs=%s",
		  __entry->pool, __entry->seq, __entry->start, __entry->now,
		  __entry->first, __entry->nr,
		  __print_array(__get_dynamic_array(runs), 2 * __entry->nr,
				sizeof(u32)))
);

TRACE_EVENT(snapshot_end,
	TP_PROTO(u32 pool, u32 seq),
	TP_ARGS(pool, seq),
	TP_STRUCT__entry(
		__field(u32, pool)
		__field(u32, sum)
		__field(u32, seq)
	),
	TP_fast_assign(
		__entry->pool = pool;
		__entry->seq = seq;
		bp_sign(0);
	),
	TP_printk("pool=%u seq=%u", __entry->pool, __entry->seq)
);

#endif /* BLOCKPOOL_TRACE_H */

/* Found by way of the module's own folder, which is among those to look in. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH kmod
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>

/* SPDX-License-Identifier: GPL-2.0 */
/* Reports: what debug mode has found, for the kernel's log and for user space. */
#ifndef BLOCKPOOL_REPORT_H
#define BLOCKPOOL_REPORT_H

#include <linux/atomic.h>
#include <linux/irq_work.h>
#include <linux/ratelimit.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <uapi/linux/blockpool.h>

#include "track.h"

#define BP_REPORTS	64u	/* that are kept */

/* A report before it is text; the fields as in struct blockpool_report. */
struct bp_record {
	u64 seq;
	u32 kind;
	u32 found;
	u32 index;
	u32 owner;
	s64 offset;
	u32 nr_damaged;
	u8 fill;
	u16 dump_size;
	s64 dump_offset;
	u8 dump[BLOCKPOOL_DUMP_SIZE];
	const char *detail;	/* of CORRUPT, for the log */
	struct bp_track by;
	struct bp_track alloc;
	struct bp_track free;
};

/*
 * @lock is a leaf, raw and taken with interrupts off, for the copy of one record.
 * An NMI only tries it.
 */
struct bp_reports {
	const char *pool;		/* its name; not ours */
	wait_queue_head_t *pollers;	/* the pool's; not ours */
	struct irq_work tell;		/* them */
	struct ratelimit_state limit;	/* of what the log gets; the only ... */
	bool trusted;			/* ... one for the administrator */
	struct bp_paths paths;
	atomic_long_t lost;		/* to an NMI that did not get the lock */

	raw_spinlock_t lock;

	/* The following fields are protected by the lock. */
	u64 latest;			/* read anywhere */
	struct bp_record ring[BP_REPORTS];
};

void bp_reports_init(struct bp_reports *reports, const char *pool,
		     wait_queue_head_t *pollers);
void bp_reports_destroy(struct bp_reports *reports);

void bp_report(struct bp_reports *reports, struct bp_record *record);
bool bp_reports_next(struct bp_reports *reports, u64 after,
		     struct blockpool_report *report);

/* The seq of the last one. */
static inline u64 bp_reports_latest(const struct bp_reports *reports)
{
	return READ_ONCE(reports->latest);
}

static inline u64 bp_reports_count(const struct bp_reports *reports)
{
	return bp_reports_latest(reports) + atomic_long_read(&reports->lost);
}

#endif /* BLOCKPOOL_REPORT_H */

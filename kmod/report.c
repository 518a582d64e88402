// SPDX-License-Identifier: GPL-2.0
/*
 * Reports: what debug mode has found, for the kernel's log and for user space.
 *
 * A report is made and printed at once, in whatever context the crime comes to
 * light, so that the log has it even if the machine dies of it.  It is built on its
 * caller's stack, 800 bytes, and copied to the ring.
 */
#include <linux/capability.h>
#include <linux/hardirq.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/time64.h>
#include <linux/user_namespace.h>

#include "report.h"

#define BP_LOG_ROW	16u	/* bytes of a dump in a line of the log ... */
#define BP_LOG_DUMP	64u	/* ... and in all of them */
#define BP_LOG_BURST	10	/* reports of a pool in ... */
#define BP_LOG_PERIOD	(5 * HZ)

/* Of all pools together that the administrator has not made: anyone may make many. */
static DEFINE_RATELIMIT_STATE(bp_log_limit, BP_LOG_PERIOD, 2 * BP_LOG_BURST);

static bool bp_panic;
module_param_named(panic_on_corruption, bp_panic, bool, 0644);
MODULE_PARM_DESC(panic_on_corruption, "panic when damage is found (0)");

static const char *const bp_report_kinds[] = {
	[BLOCKPOOL_REPORT_UNDERRUN] = "underrun",
	[BLOCKPOOL_REPORT_OVERRUN] = "overrun",
	[BLOCKPOOL_REPORT_USE_AFTER_FREE] = "use after free",
	[BLOCKPOOL_REPORT_DOUBLE_FREE] = "double free",
	[BLOCKPOOL_REPORT_NOT_HELD] = "free by one who does not hold it",
	[BLOCKPOOL_REPORT_NOT_A_BLOCK] = "free of what is not a block",
	[BLOCKPOOL_REPORT_STALE] = "access by one who does not hold it",
	[BLOCKPOOL_REPORT_CORRUPT] = "the bookkeeping is corrupt",
};

static const char *const bp_report_founds[] = {
	[BLOCKPOOL_FOUND_ALLOC] = "an alloc",
	[BLOCKPOOL_FOUND_FREE] = "a free",
	[BLOCKPOOL_FOUND_RECLAIM] = "the reclaim of a dead client's blocks",
	[BLOCKPOOL_FOUND_CHECK] = "a check",
	[BLOCKPOOL_FOUND_SWEEP] = "the sweep",
	[BLOCKPOOL_FOUND_FAULT] = "a page fault",
	[BLOCKPOOL_FOUND_SEND] = "a send",
	[BLOCKPOOL_FOUND_RECV] = "a receive",
};

/* Lines of two reports may come mixed: each says whose it is. */
#define bp_report_line(reports, record, format, ...)			\
	pr_err("blockpool: %s: report %llu: " format "\n",		\
	       (reports)->pool, (record)->seq, ##__VA_ARGS__)

static void bp_report_log_dump(const struct bp_reports *reports,
			       const struct bp_record *record)
{
	u32 size = min(record->dump_size + 0u, BP_LOG_DUMP), at, n;

	bp_report_line(reports, record,
		       "%u bytes are not %02x, the first at offset %lld",
		       record->nr_damaged, record->fill, record->offset);
	for (at = 0; at < size; at += n) {
		n = min(size - at, BP_LOG_ROW);
		bp_report_line(reports, record, "%8lld: %*ph",
			       record->dump_offset + at, (int)n,
			       record->dump + at);
	}
}

static void bp_report_log_track(struct bp_reports *reports,
				const struct bp_record *record,
				const char *what, const struct bp_track *track)
{
	char text[BP_FRAME_TEXT];
	u32 i;

	if (!track->client)
		return;
	bp_report_line(reports, record,
		       "%s client %u, pid %d, tid %d (%*pE), CPU %u, at %llu.%06llu:",
		       what, track->client, track->pid, track->tid,
		       (int)strnlen(track->comm, sizeof(track->comm)),
		       track->comm, track->cpu,
		       track->time_ns / NSEC_PER_SEC,
		       track->time_ns % NSEC_PER_SEC / NSEC_PER_USEC);
	for (i = 0; i < track->nr_frames; i++) {
		bp_track_frame(track, i, &reports->paths, text, sizeof(text));
		bp_report_line(reports, record, "  %s", text);
	}
}

static void bp_report_log(struct bp_reports *reports,
			  const struct bp_record *record)
{
	bp_report_line(reports, record,
		       "%s%s%s, block %d, owner word %u, found by %s",
		       bp_report_kinds[record->kind],
		       record->detail ? ": " : "", record->detail ?: "",
		       (int)record->index, record->owner,
		       bp_report_founds[record->found]);
	if (record->dump_size)
		bp_report_log_dump(reports, record);
	else if (record->offset)
		bp_report_line(reports, record, "offset %lld", record->offset);
	bp_report_log_track(reports, record, "by", &record->by);
	bp_report_log_track(reports, record, "taken by", &record->alloc);
	bp_report_log_track(reports, record, "freed by", &record->free);
}

/* What was refused has done no harm. */
static bool bp_report_harm(const struct bp_record *record)
{
	return record->nr_damaged || record->kind == BLOCKPOOL_REPORT_CORRUPT;
}

static bool bp_reports_add(struct bp_reports *reports, struct bp_record *record)
{
	unsigned long flags;

	if (in_nmi()) {
		if (!IS_ENABLED(CONFIG_SMP) ||
		    !raw_spin_trylock_irqsave(&reports->lock, flags))
			return false;
	} else {
		raw_spin_lock_irqsave(&reports->lock, flags);
	}
	record->seq = reports->latest + 1;
	reports->ring[record->seq % BP_REPORTS] = *record;
	WRITE_ONCE(reports->latest, record->seq);
	raw_spin_unlock_irqrestore(&reports->lock, flags);
	return true;
}

/**
 * bp_report() - make a report
 * @reports: of the pool
 * @record: all but its seq, which is filled in
 *
 * Context: Any.
 */
void bp_report(struct bp_reports *reports, struct bp_record *record)
{
	if (!bp_reports_add(reports, record))
		atomic_long_inc(&reports->lost);
	else if (__ratelimit(&reports->limit) &&
		 (reports->trusted || __ratelimit(&bp_log_limit)))
		bp_report_log(reports, record);
	irq_work_queue(&reports->tell);
	if (READ_ONCE(bp_panic) && bp_report_harm(record))
		panic("blockpool: %s: %s\n", reports->pool,
		      bp_report_kinds[record->kind]);
}

static void bp_reports_tell(struct irq_work *work)
{
	struct bp_reports *reports = container_of(work, struct bp_reports,
						  tell);

	__wake_up(reports->pollers, TASK_INTERRUPTIBLE, 0,
		  poll_to_key(EPOLLPRI));
}

/* For the pool that the current task makes. */
void bp_reports_init(struct bp_reports *reports, const char *pool,
		     wait_queue_head_t *pollers)
{
	reports->pool = pool;
	reports->pollers = pollers;
	reports->trusted = ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN);
	init_irq_work(&reports->tell, bp_reports_tell);
	ratelimit_state_init(&reports->limit, BP_LOG_PERIOD, BP_LOG_BURST);
	raw_spin_lock_init(&reports->lock);
	bp_paths_init(&reports->paths);
}

void bp_reports_destroy(struct bp_reports *reports)
{
	irq_work_sync(&reports->tell);
	bp_paths_destroy(&reports->paths);
}

/* The first record that is still there after the one of that number. */
static bool bp_reports_find(struct bp_reports *reports, u64 after,
			    struct bp_record *record)
{
	unsigned long flags;
	bool found;

	raw_spin_lock_irqsave(&reports->lock, flags);
	found = after < reports->latest;
	if (reports->latest > BP_REPORTS)
		after = max(after, reports->latest - BP_REPORTS);
	if (found)
		*record = reports->ring[(after + 1) % BP_REPORTS];
	raw_spin_unlock_irqrestore(&reports->lock, flags);
	return found;
}

/**
 * bp_reports_next() - the next report, as user space is told
 * @reports: of the pool
 * @after: a seq, or 0
 * @report: out, all zeros before
 *
 * Context: Any but NMI.
 * Return: Whether there is one.
 */
bool bp_reports_next(struct bp_reports *reports, u64 after,
		     struct blockpool_report *report)
{
	struct bp_record record;

	if (!bp_reports_find(reports, after, &record))
		return false;
	report->seq = record.seq;
	report->kind = record.kind;
	report->found = record.found;
	report->index = record.index;
	report->owner = record.owner;
	report->offset = record.offset;
	report->nr_damaged = record.nr_damaged;
	report->fill = record.fill;
	report->dump_size = record.dump_size;
	report->dump_offset = record.dump_offset;
	memcpy(report->dump, record.dump, record.dump_size);
	bp_track_tell(&record.by, &reports->paths, &report->by);
	bp_track_tell(&record.alloc, &reports->paths, &report->alloc);
	bp_track_tell(&record.free, &reports->paths, &report->free);
	return true;
}

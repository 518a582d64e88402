// SPDX-License-Identifier: GPL-2.0
#include "report.h"

#include <stdbool.h>
#include <string.h>

#include "call.h"
#include "dump.h"
#include "moment.h"
#include "port.h"
#include "say.h"
#include "words.h"

static void print_head(FILE *out, const char *pool,
		       const struct blockpool_report *report)
{
	fprintf(out, "%s: report %llu: %s", pool, report->seq,
		kind_words(report->kind).text);
	if (report->index != BLOCKPOOL_NO_INDEX)
		fprintf(out, ", block %u", report->index);
	fputc('\n', out);
}

/* One that is just being freed is nobody's any more. */
static void print_owner(FILE *out, __u32 word, const char *port)
{
	switch (word) {
	case BLOCKPOOL_OWNER_FREE:
		break;
	case BLOCKPOOL_OWNER_KERNEL:
		fputs("; the kernel held it", out);
		break;
	case BLOCKPOOL_OWNER_QUARANTINE:
		fputs("; it was in quarantine", out);
		break;
	case BLOCKPOOL_OWNER_SHARED:
		fputs("; it was shared", out);
		break;
	default:
		if (port)
			fprintf(out, "; it was in port '%s'", port);
		else if (is_port(word))
			fprintf(out, "; it was in port %u", port_number(word));
		else
			fprintf(out, "; client %u held it", word);
	}
}

static void print_what(FILE *out, const struct blockpool_report *report,
		       const char *port)
{
	fprintf(out, "  found by %s", found_words(report->found).text);
	if (report->index != BLOCKPOOL_NO_INDEX)
		print_owner(out, report->owner, port);
	fputc('\n', out);
	if (report->nr_damaged)
		fprintf(out, "  %u byte%s not %02x, the first at offset %lld\n",
			report->nr_damaged, report->nr_damaged == 1 ? " is" : "s are",
			report->fill, report->offset);
	else if (report->kind == BLOCKPOOL_REPORT_STALE)
		fprintf(out, "  touched at offset %lld\n", report->offset);
}

/* Of the kernel, the process is but what it had interrupted or worked for. */
static void print_track(FILE *out, const char *did,
			const struct blockpool_track *track)
{
	char comm[BLOCKPOOL_COMM_SIZE + 1] = "", time[MOMENT_TEXT];

	if (!track->client)
		return;
	memcpy(comm, track->comm, BLOCKPOOL_COMM_SIZE);
	fprintf(out, "  %s by ", did);
	if (track->client == BLOCKPOOL_OWNER_KERNEL)
		fputs("the kernel, in ", out);
	else
		fprintf(out, "client %u, ", track->client);
	fprintf(out, "%s (pid %d, tid %d), CPU %u, %s\n", printable(comm),
		track->pid, track->tid, track->cpu,
		moment_text(time, track->time_ns));
	calls_print(out, track);
}

/* Who was calling did it, or was only there when it came to light. */
static const char *did(__u32 kind)
{
	switch (kind) {
	case BLOCKPOOL_REPORT_DOUBLE_FREE:
	case BLOCKPOOL_REPORT_NOT_HELD:
	case BLOCKPOOL_REPORT_NOT_A_BLOCK:
	case BLOCKPOOL_REPORT_STALE:
		return "done";
	default:
		return "found";
	}
}

void report_print(FILE *out, const char *pool,
		  const struct blockpool_report *report, const char *port,
		  const struct term *term)
{
	print_head(out, pool, report);
	print_what(out, report, port);
	dump_print(out, report, term);
	print_track(out, did(report->kind), &report->by);
	print_track(out, "taken", &report->alloc);
	print_track(out, "freed", &report->free);
}

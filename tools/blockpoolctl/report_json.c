// SPDX-License-Identifier: GPL-2.0
#include "report.h"

#include <string.h>

#include "call.h"
#include "dump.h"
#include "json.h"
#include "moment.h"
#include "view.h"
#include "words.h"

static void json_words(const char *key, struct words words)
{
	if (words.name)
		json_string(key, words.name);
	else
		json_null(key);
}

static void json_dump(const struct blockpool_report *report)
{
	json_hex("dump", report->dump, dump_size(report));
	json_signed("dump_offset", report->dump_offset);
	json_number("fill", report->fill);
}

static void json_track(const char *key, const struct blockpool_track *track)
{
	char comm[BLOCKPOOL_COMM_SIZE + 1] = "";

	if (!track->client) {
		json_null(key);
		return;
	}
	memcpy(comm, track->comm, BLOCKPOOL_COMM_SIZE);
	json_object(key);
	view_json_owner(track->client, NULL);
	json_signed("pid", track->pid);
	json_signed("tid", track->tid);
	json_string("comm", comm);
	json_number("cpu", track->cpu);
	json_number("time_ns", track->time_ns);
	json_real("time", moment_seconds(track->time_ns));
	calls_json("stack", track);
	json_end();
}

void report_json(const char *pool, const struct blockpool_report *report,
		 const char *port)
{
	json_object(NULL);
	json_string("name", pool);
	json_number("seq", report->seq);
	json_words("kind", kind_words(report->kind));
	json_words("found", found_words(report->found));
	if (report->index == BLOCKPOOL_NO_INDEX)
		json_null("index");
	else
		json_number("index", report->index);
	view_json_owner(report->owner, port);
	json_signed("offset", report->offset);
	json_number("nr_damaged", report->nr_damaged);
	json_dump(report);
	json_track("by", &report->by);
	json_track("alloc", &report->alloc);
	json_track("free", &report->free);
	json_end();
}

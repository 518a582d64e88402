// SPDX-License-Identifier: GPL-2.0
/* trace: what happens to pools, as it happens. */
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "json.h"
#include "live.h"
#include "say.h"

#define ROUND	0.1	/* seconds from one look to the next */

static void print_event(const struct live *live, const struct event *event)
{
	char text[DEED_TEXT], who[OWNER_WORDS], pool[EVENT_NAME];
	__u64 doer = deed_doer(event);

	snprintf(pool, sizeof(pool), "%s", live_pool(live, event->pool));
	printf("%14.6f  CPU %-3u  thread %-7lld  %s (%llu): %s%s%s\n",
	       event->time / 1e9, event->cpu, event->thread, printable(pool),
	       event->pool, doer ? owner_words(doer, who) : "", doer ? ": " : "",
	       deed_text(&live->events, &live->ksyms, event, text));
}

static int print_round(struct live *live, bool json)
{
	__u64 lost = live->nr_lost;
	struct event event;

	while (live_next(live, &event)) {
		if (!json)
			print_event(live, &event);
		else
			deed_json(&live->events, &live->ksyms, &event);
	}
	if (live->nr_lost != lost)
		fprintf(stderr, "blockpoolctl: %llu events came too fast and are lost\n",
			live->nr_lost - lost);
	return finish_output();
}

int cmd_trace(const struct opts *opts)
{
	struct live live;
	int status = live_open(&live, opts);

	while (!status && live_round(&live)) {
		status = print_round(&live, opts->json);
		if (!live_wait(ROUND))
			break;
	}
	live_close(&live);
	return status;
}

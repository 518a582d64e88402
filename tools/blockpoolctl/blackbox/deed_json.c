// SPDX-License-Identifier: GPL-2.0
#include "deed.h"

#include "../json.h"

void deed_json(const struct events *events, const struct ksyms *ksyms,
	       const struct event *event)
{
	char text[DEED_TEXT];

	json_object(NULL);
	json_number("time_ns", event->time);
	json_number("cpu", event->cpu);
	json_signed("thread", event->thread);
	json_number("pool", event->pool);
	json_string("event", event_name(event->kind));
	json_string("text", deed_text(events, ksyms, event, text));
	json_end();
}

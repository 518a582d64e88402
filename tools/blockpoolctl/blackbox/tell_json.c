// SPDX-License-Identifier: GPL-2.0
/* The story for programs: the same as in words, and every block. */
#include "../json.h"
#include "../view.h"
#include "deed.h"
#include "story.h"

static void json_thread(const struct thread *thread)
{
	json_signed("pid", thread->id);
	json_string("comm", thread->comm);
}

static const char *how(const struct end *end)
{
	if (!end->time)
		return "nothing";
	if (end->at_panic)
		return "panic";
	return end->stopped ? "disarmed" : "unknown";
}

static void json_the_end(const struct end *end)
{
	json_object("end");
	json_string("how", how(end));
	json_number("begin_ns", end->begin);
	json_number("time_ns", end->time);
	if (end->at_panic) {
		json_number("panic_ns", end->panic_time);
		json_number("cpu", end->cpu);
		json_thread(&end->thread);
	}
	json_end();
}

static void json_missing(const struct story *story)
{
	const struct notes *notes = &story->notes;

	if (*story->doubt)
		json_string("doubt", story->doubt);
	else
		json_null("doubt");
	json_bool("damaged", notes_damage(notes));
	json_array("missing");
	for (int kind = 0; kind < NR_NOTES; kind++) {
		if (!notes->count[kind])
			continue;
		json_object(NULL);
		json_string("kind", note_key(kind));
		json_string("text", note_words(kind));
		json_string("first", notes->first[kind]);
		json_number("count", notes->count[kind]);
		json_end();
	}
	json_end();
}

static void json_nested(const struct cpu_past *cpu)
{
	json_array("in");
	for (unsigned int i = 0; i < cpu->nr_nested; i++) {
		const struct nested *nested = &cpu->nested[i];

		json_object(NULL);
		json_string("kind", nested->softirq ? "softirq" : "irq");
		json_number("number", nested->number);
		json_string("name", nested->softirq ? softirq_name(nested->number) :
						      nested->name);
		json_end();
	}
	json_end();
}

static void json_switches(const struct cpu_past *cpu)
{
	struct kept ring = kept(cpu->nr_switches, SWITCHES);

	json_array("switches");
	for (unsigned int i = 0; i < ring.nr; i++) {
		const struct cpu_switch *s = &cpu->switches[(ring.first + i) % SWITCHES];

		json_object(NULL);
		json_number("time_ns", s->time);
		json_object("from");
		json_thread(&s->from);
		json_end();
		json_object("to");
		json_thread(&s->to);
		json_end();
		json_end();
	}
	json_end();
}

static void json_cpus(const struct history *history)
{
	json_array("cpus");
	for (unsigned int i = 0; i < history->nr_cpus; i++) {
		const struct cpu_past *cpu = &history->cpus[i];

		json_object(NULL);
		json_number("cpu", i);
		json_number("events", cpu->span.nr_events);
		json_bool("known", cpu->known);
		if (cpu->known) {
			json_thread(&cpu->now);
			json_number("since_ns", cpu->since);
			json_number("last_ns", cpu->span.last);
			json_nested(cpu);
			json_switches(cpu);
		}
		json_end();
	}
	json_end();
}

static void json_event(const struct story *story, const struct event *event)
{
	deed_json(&story->events, &story->ksyms, event);
}

static void json_clients(const struct story *story, const struct pool_past *pool)
{
	json_array("clients");
	for (unsigned int i = 0; i < pool->nr_clients; i++) {
		const struct client_past *client = pool->clients[i];
		struct kept ring = kept(client->nr_actions, ACTIONS);

		json_object(NULL);
		json_number("client", client->id);
		if (client->pid < 0)
			json_null("pid");
		else
			json_signed("pid", client->pid);
		json_string("comm", client->comm);
		json_bool("closed", client->closed);
		json_bool("waiting", client->waiting);
		json_number("held", client->held);
		json_number("unsure", client->unsure);
		json_array("actions");
		for (unsigned int j = 0; j < ring.nr; j++)
			json_event(story, &client->actions[(ring.first + j) % ACTIONS]);
		json_end();
		json_end();
	}
	json_end();
}

static void json_ports(const struct pool_past *pool)
{
	json_array("ports");
	for (unsigned int i = 0; i < pool->nr_ports; i++) {
		const struct port_past *port = pool->ports[i];

		json_object(NULL);
		json_number("port", port->number);
		json_string("name", port->name);
		json_bool("closed", port->closed);
		json_number("in_flight", port->blocks);
		json_number("unsure", port->unsure);
		json_end();
	}
	json_end();
}

/* The owner as show --json has it; "unknown" is no owner. */
static void json_run(const struct story *story, const struct pool_past *pool,
		     const struct block_run *run)
{
	const struct port_past *port = port_find(pool, run->owner &
						 ~BLOCKPOOL_OWNER_PORT);
	char text[KSYM_TEXT];

	json_object(NULL);
	json_number("first", run->first);
	json_number("count", run->count);
	json_bool("sure", run->sure);
	if (run->known)
		view_json_owner(run->owner, run->owner & BLOCKPOOL_OWNER_PORT && port ?
					    port->name : NULL);
	else
		json_string("state", "unknown");
	if (run->ip)
		json_string("taken_at", ksym_text(&story->ksyms, run->ip, text));
	json_end();
}

static void json_runs(const struct story *story, const struct pool_past *pool)
{
	struct block_run run;
	__u32 index = 0;

	json_array("runs");
	while (story_run(story, pool, &index, &run))
		json_run(story, pool, &run);
	json_end();
}

static void json_snapshot(const struct pool_past *pool)
{
	const struct snapshot_past *whole = &pool->whole;

	if (!whole->ended) {
		json_null("snapshot");
		return;
	}
	json_object("snapshot");
	json_number("seq", whole->seq);
	json_number("start_ns", whole->start);
	json_bool("at_panic", whole->at_panic);
	json_end();
}

static void json_pool(const struct story *story, const struct pool_past *pool)
{
	json_object(NULL);
	json_number("number", pool->number);
	json_string("name", pool->name);
	json_number("block_size", pool->block_size);
	json_number("nr_blocks", pool->nr_blocks);
	view_json_flags(pool->flags);
	json_bool("unlinked", pool->unlinked);
	json_bool("destroyed", pool->destroyed);
	json_number("nr_free", pool->free);
	json_number("nr_held", pool->held);
	json_number("nr_kernel", pool->kernel);
	json_number("nr_in_flight", pool->in_flight);
	json_number("nr_shared", pool->shared);
	json_number("nr_quarantined", pool->quarantined);
	json_number("nr_unknown", pool->unknown);
	json_number("nr_unsure", pool->unsure);
	json_snapshot(pool);
	json_clients(story, pool);
	json_ports(pool);
	json_runs(story, pool);
	json_end();
}

void story_json(const struct story *story)
{
	const struct history *history = &story->history;
	const struct event *event;
	unsigned int at = 0;

	json_object(NULL);
	json_the_end(&history->end);
	if (story->saved)
		json_signed("saved", story->saved);
	else
		json_null("saved");
	json_missing(story);
	json_cpus(history);
	json_array("pools");
	for (unsigned int i = 0; i < history->nr_pools; i++)
		json_pool(story, history->pools[i]);
	json_end();
	json_array("complaints");
	while ((event = story_complaint(story, &at)))
		json_event(story, event);
	json_end();
	json_end();
}

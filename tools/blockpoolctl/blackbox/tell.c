// SPDX-License-Identifier: GPL-2.0
/* The story in words, for a person who has been called at night. */
#include <stdio.h>
#include <string.h>

#include "../flags.h"
#include "../say.h"
#include "deed.h"
#include "story.h"

#define RANGES	10u	/* of blocks in a line; the others are counted */
#define SITES	4u	/* of the kernel's callers */

static double before(const struct story *story, __u64 time)
{
	return (story->history.end.time - time) / 1e9;
}

static const char *thread_text(const struct thread *thread, char text[48])
{
	char comm[sizeof(thread->comm)];

	memcpy(comm, thread->comm, sizeof(comm));
	if (!thread->id)
		snprintf(text, 48, "idle");
	else
		snprintf(text, 48, "%s (%lld)", *comm ? printable(comm) : "?", thread->id);
	return text;
}

static void tell_end(const struct story *story)
{
	const struct end *end = &story->history.end;
	char text[48];

	if (!end->time)
		puts("There is no event: nothing was armed, or the memory did not survive.");
	else if (end->at_panic)
		printf("The kernel panicked, on CPU %u, in %s.\n", end->cpu,
		       thread_text(&end->thread, text));
	else if (end->stopped)
		puts("The recorder was disarmed: the machine was not dying then.");
	else
		puts("It ended without a panic that was recorded: a reset, a power failure, a\n"
		     "hang that was cut short, or a panic in which the module had no say.");
	if (end->time)
		printf("The last event is of %.6f s; the first of %.3f s before.\n",
		       end->time / 1e9, before(story, end->begin));
}

/* It may be older than the last boot, if nothing was armed since. */
static void tell_age(const struct story *story)
{
	char text[64];
	struct tm tm;

	if (!story->saved || !localtime_r(&story->saved, &tm))
		return;
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	printf("The record was saved on %s.\n", text);
}

static void tell_missing(const struct story *story)
{
	const struct notes *notes = &story->notes;

	if (*story->doubt)
		printf("\nWARNING: %s. All below may be false.\n", story->doubt);
	if (notes_damage(notes))
		puts("\nWARNING: the record is damaged. Who holds what below may be false.");
	for (int kind = 0; kind < NR_NOTES; kind++) {
		char first[NOTE_TEXT];

		if (!notes->count[kind])
			continue;
		memcpy(first, notes->first[kind], sizeof(first));
		printf("Missing: %s (%s)", note_words(kind), printable(first));
		if (notes->count[kind] > 1)
			printf(", %llu times", notes->count[kind]);
		putchar('\n');
	}
}

static void tell_nested(const struct cpu_past *cpu)
{
	for (unsigned int i = 0; i < cpu->nr_nested; i++) {
		const struct nested *nested = &cpu->nested[i];
		char name[EVENT_NAME];

		memcpy(name, nested->name, sizeof(name));
		if (nested->softirq)
			printf(", in softirq %s", softirq_name(nested->number));
		else
			printf(", in interrupt %llu (%s)", nested->number,
			       printable(name));
	}
}

static void tell_switch(const struct story *story, const struct cpu_switch *s)
{
	char from[48], to[48];

	printf("  %12.6f  %s -> %s\n", -before(story, s->time),
	       thread_text(&s->from, from), thread_text(&s->to, to));
}

static void tell_cpu(const struct story *story, unsigned int number)
{
	const struct cpu_past *cpu = &story->history.cpus[number];
	struct kept ring = kept(cpu->nr_switches, SWITCHES);
	char text[48];

	if (!cpu->span.nr_events) {
		printf("\nCPU %u: nothing is known\n", number);
		return;
	}
	printf("\nCPU %u: %s", number, thread_text(&cpu->now, text));
	tell_nested(cpu);
	printf("; its last event is of %.6f s before the end\n",
	       before(story, cpu->span.last));
	for (unsigned int i = 0; i < ring.nr; i++)
		tell_switch(story, &cpu->switches[(ring.first + i) % SWITCHES]);
}

struct wanted {
	bool known;
	__u32 owner;
};

static bool is_wanted(const struct block_run *run, struct wanted wanted)
{
	return run->known == wanted.known &&
	       (!run->known || run->owner == wanted.owner);
}

/* "0-12 17 19-30, and 5 more", a question mark behind what is not sure. */
static void tell_blocks(const struct story *story, const struct pool_past *pool,
			struct wanted wanted)
{
	unsigned int nr = 0, more = 0;
	struct block_run run;
	__u32 index = 0;

	while (story_run(story, pool, &index, &run)) {
		if (!is_wanted(&run, wanted))
			continue;
		if (nr++ >= RANGES) {
			more += run.count;
			continue;
		}
		printf(" %u", run.first);
		if (run.count > 1)
			printf("-%u", run.first + run.count - 1);
		if (run.known && !run.sure)
			putchar('?');
	}
	if (more)
		printf(" and %u more", more);
	putchar('\n');
}

static void tell_sites(const struct story *story, const struct pool_past *pool)
{
	char text[KSYM_TEXT];
	struct block_run run;
	__u64 last[SITES];
	unsigned int nr = 0, i;
	__u32 index = 0;

	while (nr < SITES && story_run(story, pool, &index, &run)) {
		for (i = 0; i < nr && last[i] != run.ip; i++)
			;
		if (!run.ip || i < nr)
			continue;
		last[nr++] = run.ip;
		printf("    such as block %u, taken at %s\n", run.first,
		       printable((char *)ksym_text(&story->ksyms, run.ip, text)));
	}
}

static void tell_client(const struct story *story, const struct pool_past *pool,
			const struct client_past *client)
{
	struct kept ring = kept(client->nr_actions, ACTIONS);
	char comm[sizeof(client->comm)], text[DEED_TEXT];

	memcpy(comm, client->comm, sizeof(comm));
	printf("  client %u, ", client->id);
	if (client->pid < 0)
		fputs("of a process that is not named", stdout);
	else
		printf("%s (pid %lld)", printable(comm), client->pid);
	printf("%s%s: %u%s block%s:", client->closed ? ", closed" : "",
	       client->waiting ? ", waiting for blocks" : "", client->held,
	       client->unsure ? "?" : "", client->held == 1 ? "" : "s");
	tell_blocks(story, pool, (struct wanted){ true, client->id });
	for (unsigned int i = 0; i < ring.nr; i++) {
		const struct event *event;

		event = &client->actions[(ring.first + i) % ACTIONS];
		printf("    %12.6f  CPU %u  %s\n", -before(story, event->time),
		       event->cpu, deed_text(&story->events, &story->ksyms, event, text));
	}
}

static void tell_special(const struct story *story, const struct pool_past *pool,
			 const char *who, __u32 nr, struct wanted wanted)
{
	if (!nr)
		return;
	printf("  %s: %u block%s:", who, nr, nr == 1 ? "" : "s");
	tell_blocks(story, pool, wanted);
}

static void tell_port(const struct story *story, const struct pool_past *pool,
		      const struct port_past *port)
{
	char name[EVENT_NAME], who[80];

	if (!port->blocks)
		return;
	memcpy(name, port->name, sizeof(name));
	snprintf(who, sizeof(who), "in flight to port %u '%s'%s", port->number,
		 printable(name), port->closed ? ", closed" : "");
	tell_special(story, pool, who, port->blocks,
		     (struct wanted){ true, BLOCKPOOL_OWNER_PORT | port->number });
}

static void tell_source(const struct story *story, const struct pool_past *pool)
{
	if (!pool->whole.ended)
		puts("  No snapshot of it is whole: what is known is from events alone.");
	else if (pool->whole.at_panic)
		puts("  As it was when the kernel panicked.");
	else
		printf("  From a snapshot of %.6f s before the end, and the events since.\n",
		       before(story, pool->whole.start));
	if (pool->unsure)
		printf("  WARNING: of %u blocks (?) it is not sure who has them: events after\n"
		       "  the last that is known of them may be missing.\n",
		       pool->unsure);
}

static void tell_holders(const struct story *story, const struct pool_past *pool)
{
	tell_special(story, pool, "the kernel", pool->kernel,
		     (struct wanted){ true, BLOCKPOOL_OWNER_KERNEL });
	tell_sites(story, pool);
	for (unsigned int i = 0; i < pool->nr_clients; i++)
		if (pool->clients[i]->held || pool->clients[i]->waiting)
			tell_client(story, pool, pool->clients[i]);
	for (unsigned int i = 0; i < pool->nr_ports; i++)
		tell_port(story, pool, pool->ports[i]);
	tell_special(story, pool, "shared", pool->shared,
		     (struct wanted){ true, BLOCKPOOL_OWNER_SHARED });
	tell_special(story, pool, "in quarantine", pool->quarantined,
		     (struct wanted){ true, BLOCKPOOL_OWNER_QUARANTINE });
	tell_special(story, pool, "not known", pool->unknown,
		     (struct wanted){ .known = false });
}

static void tell_pool(const struct story *story, const struct pool_past *pool)
{
	char name[EVENT_NAME], flags[FLAGS_TEXT];

	memcpy(name, pool->name, sizeof(name));
	printf("\nPool %u '%s': ", pool->number, printable(name));
	if (pool->destroyed) {
		puts("destroyed before the end");
		return;
	}
	printf("%llu blocks of %llu bytes, flags %s%s\n", pool->nr_blocks,
	       pool->block_size, flags_text(flags, pool->flags),
	       pool->unlinked ? ", unlinked" : "");
	printf("  free %u, held %u, the kernel's %u, in flight %u, shared %u, ", pool->free,
	       pool->held, pool->kernel, pool->in_flight, pool->shared);
	printf("quarantined %u, not known %u\n", pool->quarantined, pool->unknown);
	tell_source(story, pool);
	tell_holders(story, pool);
}

static void tell_complaints(const struct story *story)
{
	const struct event *event;
	char text[DEED_TEXT];
	unsigned int at = 0;
	bool any = false;

	while ((event = story_complaint(story, &at))) {
		if (!any)
			puts("\nRefused or found corrupt in the last minute:");
		printf("  %12.6f  CPU %u  pool %llu: %s\n",
		       -before(story, event->time), event->cpu, event->pool,
		       deed_text(&story->events, &story->ksyms, event, text));
		any = true;
	}
}

void story_tell(const struct story *story)
{
	tell_end(story);
	tell_age(story);
	tell_missing(story);
	for (unsigned int i = 0; i < story->history.nr_cpus; i++)
		tell_cpu(story, i);
	for (unsigned int i = 0; i < story->history.nr_pools; i++)
		tell_pool(story, story->history.pools[i]);
	tell_complaints(story);
}

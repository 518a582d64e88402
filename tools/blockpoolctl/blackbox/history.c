// SPDX-License-Identifier: GPL-2.0
#include "history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pools.h"

/* What recorder disarm and arm write into the buffer. */
#define MARK_STOPPED	"blockpool: disarmed"

static struct thread thread(__s64 id, const char *comm)
{
	struct thread thread = { .id = id };

	snprintf(thread.comm, sizeof(thread.comm), "%s", comm);
	return thread;
}

static void took_switch(struct cpu_past *cpu, const struct event *event)
{
	cpu->switches[cpu->nr_switches++ % SWITCHES] = (struct cpu_switch){
		.time = event->time,
		.from = thread(event->prev_pid, event->prev_comm),
		.to = thread(event->next_pid, event->comm),
		.from_state = event->prev_state,
	};
	cpu->now = thread(event->next_pid, event->comm);
	cpu->known = true;
	cpu->since = event->time;
}

static void nested_in(struct cpu_past *cpu, const struct event *event)
{
	struct nested *nested;

	if (cpu->nr_nested == NESTED_MAX)
		return;
	nested = &cpu->nested[cpu->nr_nested++];
	*nested = (struct nested){
		.softirq = event->kind == EVENT_SOFTIRQ_IN,
		.number = event->kind == EVENT_SOFTIRQ_IN ? event->vec :
							    event->irq,
	};
	memcpy(nested->name, event->name, sizeof(nested->name));
}

/* Whatever was entered after it has been left, though its event is not there. */
static void nested_out(struct cpu_past *cpu, const struct event *event)
{
	bool softirq = event->kind == EVENT_SOFTIRQ_OUT;
	__u64 number = softirq ? event->vec : event->irq;
	unsigned int i = cpu->nr_nested;

	while (i--) {
		if (cpu->nested[i].softirq == softirq &&
		    cpu->nested[i].number == number) {
			cpu->nr_nested = i;
			return;
		}
	}
}

/*
 * Each event names the thread that runs.  If that is another than the last switch was to,
 * events of this CPU are missing where none should be, or they are another's.
 */
static void check_thread(struct history *history, struct cpu_past *cpu,
			 const struct event *event)
{
	if (cpu->known && cpu->now.id == event->thread)
		return;
	if (cpu->nr_switches && !event->after_gap)
		note(history->notes, NOTE_CONFLICT,
		     "CPU %u: thread %lld at %llu.%06llu s, and the last switch was to %lld",
		     event->cpu, event->thread, event->time / 1000000000,
		     event->time / 1000 % 1000000, cpu->now.id);
	cpu->now = thread(event->thread, "");
	cpu->known = true;
	cpu->since = event->time;
}

static void cpu_take(struct history *history, const struct event *event)
{
	struct cpu_past *cpu = &history->cpus[event->cpu];

	check_thread(history, cpu, event);
	switch (event->kind) {
	case EVENT_SWITCH:
		cpu->nr_nested = 0;
		took_switch(cpu, event);
		break;
	case EVENT_IRQ_IN:
	case EVENT_SOFTIRQ_IN:
		nested_in(cpu, event);
		break;
	case EVENT_IRQ_OUT:
	case EVENT_SOFTIRQ_OUT:
		nested_out(cpu, event);
		break;
	default:
		break;
	}
}

static void complaint(struct history *history, const struct event *event)
{
	if (event->kind == EVENT_REFUSED || event->kind == EVENT_CORRUPT)
		history->complaints[history->nr_complaints++ % COMPLAINTS] = *event;
}

static void look_for_end(struct history *history, const struct event *event)
{
	struct end *end = &history->end;

	if (!end->begin)
		end->begin = event->time;
	end->time = event->time;
	if (event->kind == EVENT_MARK)
		end->stopped = !strncmp(event->name, MARK_STOPPED,
					strlen(MARK_STOPPED));
	if (event->kind != EVENT_SNAPSHOT_BEGIN || !event->at_panic || end->at_panic)
		return;
	end->at_panic = true;
	end->panic_time = event->time;
	end->cpu = event->cpu;
	end->thread = history->cpus[event->cpu].now;
}

/*
 * A CPU that ran has left something: if it has not, what it did is missing.  What is
 * older than its first event has been overwritten.
 */
static void close_cpus(struct history *history, const struct events *events)
{
	bool any = history->end.time;

	for (unsigned int i = 0; i < history->nr_cpus; i++) {
		struct cpu_past *cpu = &history->cpus[i];

		cpu->span = events_span(events, i);
		if (!cpu->span.nr_events && any) {
			note(history->notes, NOTE_SILENT, "CPU %u", i);
			cpu->span.gap_end = ~0ull;
		}
		if (cpu->span.gap_end > history->gap_end)
			history->gap_end = cpu->span.gap_end;
	}
}

/*
 * A panic looks at the owner words once more.  Without one, a word may have been written
 * whose event was not: those of one call for each CPU.
 */
static void look_at_instant(struct history *history)
{
	const struct end *end = &history->end;

	if (end->time && !end->at_panic && !end->stopped)
		note(history->notes, NOTE_INSTANT, "the blocks of one call for each CPU, at most");
}

int history_read(struct history *history, struct events *events,
		 struct notes *notes)
{
	struct event event;

	*history = (struct history){
		.notes = notes,
		.nr_cpus = events->nr_cpus,
		.cpus = calloc(events->nr_cpus + 1, sizeof(*history->cpus)),
	};
	if (!history->cpus)
		return -1;
	while (events_next(events, &event)) {
		cpu_take(history, &event);
		pools_take(history, &event);
		complaint(history, &event);
		look_for_end(history, &event);
	}
	close_cpus(history, events);
	look_at_instant(history);
	pools_end(history);
	return 0;
}

void history_free(struct history *history)
{
	pools_free(history);
	free(history->cpus);
	history->cpus = NULL;
}

bool block_since(const struct block_past *block, __u64 gap_end)
{
	__u64 lag = block->read ? WORD_LAG : 0;

	return block->time >= gap_end && block->time - gap_end >= lag;
}

/* After the other CPUs were stopped, nothing of theirs can be missing. */
bool block_sure(const struct history *history, const struct pool_past *pool,
		const struct block_past *block)
{
	bool stood_still = pool->whole.at_panic && block->time >= pool->whole.start;

	return block->time && !block->doubtful && !notes_damage(history->notes) &&
	       (stood_still || block_since(block, history->gap_end));
}

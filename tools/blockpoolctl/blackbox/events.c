// SPDX-License-Identifier: GPL-2.0
#include "events.h"

#include <stdlib.h>

#include "layout.h"

/*
 * One CPU's pages.  What cannot be read is a gap: what is said after it is as good as
 * ever, but what happened in it nobody knows.
 */
struct cpu_reader {
	struct bytes left;	/* pages that are not open yet */
	struct page page;
	__u64 end;		/* of it: where the next begins, 0 if that is not known */
	unsigned int nr_pages;
	bool in_gap;		/* events before the next one may be missing */
	bool gap_before_next;	/* there was one before an event that is none of ours */
	bool waiting;		/* next has one */
	struct event next;
	struct cpu_span span;
};

int events_open(struct events *events, const struct dat *dat,
		struct notes *notes)
{
	*events = (struct events){
		.dat = dat,
		.notes = notes,
		.nr_cpus = dat->nr_cpus,
		.layout = layout_read(dat, notes),
		.cpus = calloc(dat->nr_cpus + 1, sizeof(*events->cpus)),
	};
	if (!events->layout || !events->cpus) {
		events_close(events);
		return -1;
	}
	events_rewind(events);
	events->quiet = false;
	return 0;
}

void events_close(struct events *events)
{
	layout_free(events->layout);
	free(events->cpus);
	events->layout = NULL;
	events->cpus = NULL;
}

void events_rewind(struct events *events)
{
	for (unsigned int i = 0; i < events->nr_cpus; i++)
		events->cpus[i] = (struct cpu_reader){
			.left = events->dat->cpus[i],
			.in_gap = true,
		};
	events->quiet = true;
}

#define tell(events, ...)						\
	do {								\
		if (!(events)->quiet)					\
			note((events)->notes, __VA_ARGS__);		\
	} while (0)

/* The first page is where the oldest were overwritten: no loss that is worth a word. */
static void lost_before(struct events *events, struct cpu_reader *cpu,
			unsigned int number)
{
	cpu->in_gap = true;
	cpu->span.nr_lost += cpu->page.nr_lost;
	if (cpu->nr_pages > 1)
		tell(events, NOTE_LOST, "on CPU %u before %llu.%06llu s", number,
		     cpu->page.start / 1000000000, cpu->page.start / 1000 % 1000000);
}

static __u64 page_start(const struct bytes *pages, size_t ahead, size_t size)
{
	struct bytes page = *pages;

	bytes_take(&page, ahead * size);
	return bytes_number(&page, 8);
}

/*
 * Each page begins after the one before it.  Of two that do not agree, the one to be
 * left out is this one if the page behind both is against it too.
 */
static bool is_out_of_order(const struct cpu_reader *cpu, size_t size)
{
	__u64 next = page_start(&cpu->left, 0, size);

	return cpu->left.left >= size && cpu->page.start > next &&
	       (cpu->left.left < 2 * size ||
		cpu->page.start > page_start(&cpu->left, 1, size));
}

static bool next_page(struct events *events, unsigned int number)
{
	struct cpu_reader *cpu = &events->cpus[number];
	size_t size = events->dat->page_size;

	if (!cpu->left.left)
		return false;
	if (cpu->left.left < size) {
		tell(events, NOTE_CUT, "the last page of CPU %u is cut short", number);
		size = cpu->left.left;
	}
	cpu->nr_pages++;
	if (!page_open(&cpu->page, bytes_take(&cpu->left, size)))
		return true;
	if (cpu->page.lost)
		lost_before(events, cpu, number);
	cpu->end = page_start(&cpu->left, 0, size);
	if (!cpu->page.rest.left)
		page_fault(&cpu->page, "it is empty");
	else if (cpu->page.start < cpu->span.last || is_out_of_order(cpu, size))
		page_fault(&cpu->page, "it begins before the one before it ends");
	return true;
}

static void took_event(struct cpu_reader *cpu, __u64 time)
{
	if (!cpu->span.nr_events++)
		cpu->span.first = time;
	if (cpu->in_gap)
		cpu->span.gap_end = time;
	cpu->in_gap = false;
	cpu->span.last = time;
}

/* A page's time may not go beyond the next page's beginning, if that makes sense. */
static bool time_fits(const struct cpu_reader *cpu)
{
	return cpu->page.time >= cpu->span.last &&
	       (cpu->end < cpu->page.start || cpu->page.time <= cpu->end);
}

/* True if the record is an event of ours. */
static bool take_record(struct events *events, unsigned int number,
			struct bytes record)
{
	struct cpu_reader *cpu = &events->cpus[number];
	enum fit fit = layout_fill(events->layout, record, &cpu->next);

	if (!time_fits(cpu)) {
		page_fault(&cpu->page, "its time does not go on");
		return false;
	}
	if (fit == FIT_UNKNOWN || fit == FIT_DAMAGED) {
		tell(events, fit == FIT_UNKNOWN ? NOTE_UNNAMED : NOTE_SUM,
		     "one in page %u of CPU %u", cpu->nr_pages, number);
		cpu->in_gap = true;
		return false;
	}
	if (fit == FIT_BAD) {
		page_fault(&cpu->page, "an event is not as its kind is described");
		return false;
	}
	cpu->next.after_gap = cpu->in_gap || cpu->gap_before_next;
	cpu->gap_before_next = cpu->next.after_gap && fit != FIT;
	took_event(cpu, cpu->page.time);
	cpu->next.cpu = number;
	cpu->next.time = cpu->page.time;
	return fit == FIT;
}

static void end_page(struct events *events, unsigned int number)
{
	struct cpu_reader *cpu = &events->cpus[number];

	if (!cpu->page.fault)
		return;
	tell(events, NOTE_PAGE, "page %u of CPU %u: %s", cpu->nr_pages, number,
	     cpu->page.fault);
	cpu->page.fault = NULL;
	cpu->in_gap = true;
}

static void advance(struct events *events, unsigned int number)
{
	struct cpu_reader *cpu = &events->cpus[number];
	struct bytes record;

	cpu->waiting = false;
	do {
		while (page_next(&cpu->page, &record)) {
			cpu->waiting = take_record(events, number, record);
			if (cpu->waiting)
				return;
		}
		end_page(events, number);
	} while (next_page(events, number));
}

/* Of equal times, the lower CPU's. */
bool events_next(struct events *events, struct event *event)
{
	struct cpu_reader *first = NULL;
	__u64 gap_end = 0;

	for (unsigned int i = 0; i < events->nr_cpus; i++) {
		struct cpu_reader *cpu = &events->cpus[i];

		if (!cpu->waiting)
			advance(events, i);
		if (cpu->waiting && (!first || cpu->next.time < first->next.time))
			first = cpu;
		if (cpu->span.gap_end > gap_end)
			gap_end = cpu->span.gap_end;
	}
	if (!first)
		return false;
	*event = first->next;
	event->gap_end = gap_end;
	first->waiting = false;
	return true;
}

struct cpu_span events_span(const struct events *events, unsigned int cpu)
{
	struct cpu_span span = events->cpus[cpu].span;

	if (events->cpus[cpu].in_gap)
		span.gap_end = span.nr_events ? ~0ull : 0;
	return span;
}

const char *event_symbol(const struct events *events, enum event_kind kind,
			 __u64 value)
{
	return layout_symbol(events->layout, kind, value);
}

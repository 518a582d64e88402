// SPDX-License-Identifier: GPL-2.0
/*
 * The last seconds as a picture: a lane a CPU, with the thread that ran longest in each
 * column of it, and a mark where something was done to a pool.
 */
#include <stdlib.h>
#include <string.h>

#include "deed.h"
#include "story.h"

#define COLUMNS		1040u
#define LEFT		110u
#define TOP		64u
#define BAR		24u		/* of threads */
#define MARK		7u		/* a row of marks */
#define LANE		(BAR + NR_MARKS * MARK + 18)
#define WINDOW		2000000000ull
#define LETTER		6.2		/* width of one, about */
#define LEGEND		64u
#define NAMES_MAX	256u
#define DOUBTFUL	"The record is damaged or doubtful: see the text</text>\n"
#define IDLE		"#e8e8e8"

enum mark { MARK_TAKE, MARK_FREE, MARK_MESSAGE, MARK_WAIT, MARK_BAD, NR_MARKS };

static const struct {
	const char *words;
	const char *colour;
} marks[NR_MARKS] = {
	[MARK_TAKE] = { "take", "#2e8b57" },
	[MARK_FREE] = { "free", "#4682b4" },
	[MARK_MESSAGE] = { "send, receive", "#8a2be2" },
	[MARK_WAIT] = { "wait", "#e69500" },
	[MARK_BAD] = { "refused, corrupt", "#d40000" },
};

/* Of all that ran in a column, the one that ran longest, and how long. */
struct column {
	__s64 thread;
	__u64 longest;
	__u64 last;		/* of the thread that is being added up */
	__s64 last_thread;
	char comm[BLOCKPOOL_COMM_SIZE + 1];
	__u8 marks;
};

struct lane {
	struct column columns[COLUMNS];
	struct thread now;
	__u64 since;		/* 0: who runs is not known yet */
};

struct picture {
	struct lane *lanes;
	unsigned int nr_lanes;
	__u64 begin, end;
};

/* Text of strangers, in a file that a browser reads. */
static void put_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '<' || *text == '>' || *text == '&' || *text == '"' ||
		    *text < ' ' || *text > '~')
			fputc(*text == '<' || *text == '>' ? '\'' : '?', out);
		else
			fputc(*text, out);
	}
}

static unsigned int column_of(const struct picture *picture, __u64 time)
{
	__u64 span = picture->end - picture->begin + 1;

	if (time <= picture->begin)
		return 0;
	if (time > picture->end)
		return COLUMNS - 1;
	return (double)(time - picture->begin) / span * COLUMNS;
}

static __u64 time_of(const struct picture *picture, unsigned int column)
{
	return picture->begin +
	       (double)(picture->end - picture->begin + 1) / COLUMNS * column;
}

static void add_to_column(struct column *column, const struct thread *thread,
			  __u64 length)
{
	column->last = column->last_thread == thread->id ? column->last + length :
							   length;
	column->last_thread = thread->id;
	if (column->last < column->longest || !column->last)
		return;
	column->longest = column->last;
	column->thread = thread->id;
	memcpy(column->comm, thread->comm, sizeof(column->comm));
}

/* What ran since the last switch, up to a time. */
static void ran_until(const struct picture *picture, struct lane *lane, __u64 time)
{
	__u64 from = lane->since > picture->begin ? lane->since : picture->begin;

	if (!lane->since || time <= from)
		return;
	for (unsigned int i = column_of(picture, from); i <= column_of(picture, time); i++) {
		__u64 start = time_of(picture, i), end = time_of(picture, i + 1);

		start = start > from ? start : from;
		end = end < time ? end : time;
		if (end > start)
			add_to_column(&lane->columns[i], &lane->now, end - start);
	}
}

static int mark_of(enum event_kind kind)
{
	switch (kind) {
	case EVENT_TAKE:
	case EVENT_TAKE_BULK:
		return MARK_TAKE;
	case EVENT_FREE:
	case EVENT_FREE_BULK:
	case EVENT_CLIENT_RECLAIM:
		return MARK_FREE;
	case EVENT_SEND:
	case EVENT_RECEIVE:
	case EVENT_SHARE:
	case EVENT_RECEIVE_SHARED:
		return MARK_MESSAGE;
	case EVENT_WAIT_BEGIN:
	case EVENT_WAIT_END:
		return MARK_WAIT;
	case EVENT_REFUSED:
	case EVENT_CORRUPT:
	case EVENT_QUARANTINE:
		return MARK_BAD;
	default:
		return -1;
	}
}

static void add_event(struct picture *picture, const struct event *event)
{
	struct lane *lane = &picture->lanes[event->cpu];
	int mark = mark_of(event->kind);

	if (event->kind == EVENT_SWITCH) {
		ran_until(picture, lane, event->time);
		lane->now.id = event->next_pid;
		memcpy(lane->now.comm, event->comm, sizeof(lane->now.comm));
		lane->since = event->time;
	}
	if (mark >= 0 && event->time >= picture->begin)
		lane->columns[column_of(picture, event->time)].marks |= 1 << mark;
}

/* One colour a thread, always the same one; neighbours are far apart. */
static unsigned int hue(__s64 thread)
{
	return (__u64)thread * 137 % 360;
}

static void put_box(FILE *out, unsigned int x, unsigned int y, unsigned int width,
		    unsigned int height, const char *paint)
{
	fprintf(out, "<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" fill=\"%s\"/>\n",
		x, y, width, height, paint);
}

static void put_bar(FILE *out, const struct column *column, unsigned int x,
		    unsigned int width, unsigned int y)
{
	char text[40];

	if (!column->longest)
		return;
	snprintf(text, sizeof(text), "hsl(%u,55%%,78%%)", hue(column->thread));
	put_box(out, x, y, width, BAR, column->thread ? text : IDLE);
	snprintf(text, sizeof(text), "%s (%lld)", column->comm, column->thread);
	if (!column->thread || strlen(text) * LETTER > width)
		return;
	fprintf(out, "<text x=\"%u\" y=\"%u\">", x + 2, y + 16);
	put_text(out, text);
	fputs("</text>\n", out);
}

static bool same(const struct column *a, const struct column *b)
{
	return a->thread == b->thread && !a->longest == !b->longest;
}

static void put_threads(FILE *out, const struct lane *lane, unsigned int y)
{
	unsigned int first = 0;

	for (unsigned int i = 1; i <= COLUMNS; i++) {
		if (i < COLUMNS && same(&lane->columns[i], &lane->columns[first]))
			continue;
		put_bar(out, &lane->columns[first], LEFT + first, i - first, y);
		first = i;
	}
}

static void put_marks(FILE *out, const struct lane *lane, unsigned int y)
{
	for (unsigned int mark = 0; mark < NR_MARKS; mark++) {
		fprintf(out, "<path stroke=\"%s\" d=\"", marks[mark].colour);
		for (unsigned int i = 0; i < COLUMNS; i++)
			if (lane->columns[i].marks & 1 << mark)
				fprintf(out, "M%u.5 %uv%u", LEFT + i,
					y + BAR + 2 + mark * MARK, MARK - 1);
		fputs("\"/>\n", out);
	}
}

static void put_lane(FILE *out, const struct picture *picture, unsigned int number)
{
	const struct lane *lane = &picture->lanes[number];
	unsigned int y = TOP + number * LANE;

	fprintf(out, "<text x=\"8\" y=\"%u\" font-weight=\"bold\">CPU %u</text>\n",
		y + 16, number);
	put_box(out, LEFT, y, COLUMNS, BAR + NR_MARKS * MARK + 4, "#fafafa");
	put_threads(out, lane, y);
	put_marks(out, lane, y);
}

static void put_axis(FILE *out, const struct picture *picture, unsigned int bottom)
{
	double span = (picture->end - picture->begin) / 1e9;

	for (unsigned int i = 0; i <= 4; i++) {
		unsigned int x = LEFT + i * (COLUMNS / 4);

		fprintf(out, "<path stroke=\"#bbbbbb\" d=\"M%u %uV%u\"/>\n", x, TOP - 6, bottom);
		fprintf(out, "<text x=\"%u\" y=\"%u\" text-anchor=\"%s\">%.3f s</text>\n", x,
			TOP - 10, i == 4 ? "end" : "middle", span * ((int)i - 4) / 4);
	}
	fprintf(out, "<path stroke=\"#d40000\" stroke-width=\"2\" d=\"M%u %uV%u\"/>\n",
		LEFT + COLUMNS, TOP - 6, bottom);
}

static void put_title(FILE *out, const struct story *story)
{
	const struct end *end = &story->history.end;

	fputs("<text x=\"8\" y=\"22\" font-size=\"16\" font-weight=\"bold\">", out);
	if (end->at_panic) {
		fprintf(out, "The end: a panic on CPU %u, in ", end->cpu);
		put_text(out, end->thread.id ? end->thread.comm : "idle");
		fprintf(out, " (%lld)", end->thread.id);
	} else {
		fputs(end->stopped ? "The recorder was disarmed" :
				     "The end, without a panic on record", out);
	}
	fputs("</text>\n", out);
	if (story_doubtful(story))
		fputs("<text x=\"700\" y=\"22\" fill=\"#d40000\" font-weight=\"bold\">" DOUBTFUL,
		      out);
}

static void put_legend(FILE *out, unsigned int y)
{
	unsigned int x = LEFT;

	for (unsigned int mark = 0; mark < NR_MARKS; mark++) {
		put_box(out, x, y - 9, 10, 10, marks[mark].colour);
		fprintf(out, "<text x=\"%u\" y=\"%u\">%s</text>\n", x + 15, y,
			marks[mark].words);
		x += 30 + strlen(marks[mark].words) * 7;
	}
	put_box(out, x, y - 9, 10, 10, IDLE);
	fprintf(out, "<text x=\"%u\" y=\"%u\">idle</text>\n", x + 15, y);
}

struct named {
	const struct column *column;
	unsigned int columns;
};

static int by_columns(const void *a, const void *b)
{
	const struct named *first = a, *second = b;

	return first->columns < second->columns ? 1 : first->columns > second->columns ? -1 :
	       0;
}

/* Another column of a thread; the table is full when those that ran little come. */
static void add_name(struct named *named, unsigned int *nr, const struct column *column)
{
	unsigned int i = 0;

	if (!column->longest || !column->thread)
		return;
	while (i < *nr && named[i].column->thread != column->thread)
		i++;
	if (i == NAMES_MAX)
		return;
	if (i == *nr)
		named[(*nr)++] = (struct named){ .column = column };
	named[i].columns++;
}

/* The threads that fill most columns, by their colours. */
static void put_names(FILE *out, const struct picture *picture, unsigned int y)
{
	struct named named[NAMES_MAX];
	unsigned int nr = 0, x = LEFT;
	char text[40];

	for (unsigned int i = 0; i < picture->nr_lanes; i++)
		for (unsigned int j = 0; j < COLUMNS; j++)
			add_name(named, &nr, &picture->lanes[i].columns[j]);
	qsort(named, nr, sizeof(*named), by_columns);
	for (unsigned int i = 0; i < nr && x < LEFT + COLUMNS - 150; i++) {
		const struct column *column = named[i].column;

		snprintf(text, sizeof(text), "hsl(%u,55%%,78%%)", hue(column->thread));
		put_box(out, x, y - 9, 10, 10, text);
		snprintf(text, sizeof(text), "%s (%lld)", column->comm, column->thread);
		fprintf(out, "<text x=\"%u\" y=\"%u\">", x + 15, y);
		put_text(out, text);
		fputs("</text>\n", out);
		x += 34 + strlen(text) * LETTER;
	}
}

static void put_picture(FILE *out, const struct story *story,
			const struct picture *picture)
{
	unsigned int bottom = TOP + picture->nr_lanes * LANE;

	fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\"",
		LEFT + COLUMNS + 20, bottom + LEGEND);
	fputs(" font-family=\"sans-serif\" font-size=\"11\">\n", out);
	put_box(out, 0, 0, LEFT + COLUMNS + 20, bottom + LEGEND, "white");
	put_title(out, story);
	for (unsigned int i = 0; i < picture->nr_lanes; i++)
		put_lane(out, picture, i);
	put_axis(out, picture, bottom);
	put_legend(out, bottom + 24);
	put_names(out, picture, bottom + 44);
	fputs("</svg>\n", out);
}

/* Without memory there is a picture without lanes. */
void story_draw(struct story *story, FILE *out)
{
	const struct history *history = &story->history;
	__u64 end = history->end.time;
	struct picture picture = {
		.lanes = calloc(history->nr_cpus + 1, sizeof(*picture.lanes)),
		.begin = end > WINDOW ? end - WINDOW : 0,
		.end = end,
	};
	struct event event;

	if (picture.begin < history->end.begin)
		picture.begin = history->end.begin;
	if (picture.lanes)
		picture.nr_lanes = history->nr_cpus;
	events_rewind(&story->events);
	while (picture.nr_lanes && events_next(&story->events, &event))
		add_event(&picture, &event);
	for (unsigned int i = 0; i < picture.nr_lanes; i++)
		ran_until(&picture, &picture.lanes[i], picture.end);
	put_picture(out, story, &picture);
	free(picture.lanes);
}

// SPDX-License-Identifier: GPL-2.0
/* top: who takes and frees most, and from where in the kernel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl.h"
#include "json.h"
#include "live.h"
#include "say.h"

#define ROUND	0.1	/* seconds from one look into the buffer to the next */
#define LINES	15	/* of each table */

/* What a line stands for: a client of a pool, or an address. */
struct line {
	__u64 pool;
	__u64 who;
	__u64 thread;		/* the last one that did something */
	__u64 takes, frees, sends, receives, refused, waits;
};

struct table {
	struct line *lines;
	size_t nr;
	size_t room;
};

struct top {
	struct live live;
	struct table clients;
	struct table sites;
	__u64 nr_lost;		/* when this frame began */
	double seconds;		/* that it took */
};

static struct line *find(struct table *table, __u64 pool, __u64 who)
{
	for (size_t i = 0; i < table->nr; i++)
		if (table->lines[i].pool == pool && table->lines[i].who == who)
			return &table->lines[i];
	if (table->nr == table->room) {
		size_t room = table->room ? 2 * table->room : 64;
		void *larger = realloc(table->lines, room * sizeof(*table->lines));

		if (!larger)
			return NULL;
		table->lines = larger;
		table->room = room;
	}
	table->lines[table->nr] = (struct line){ .pool = pool, .who = who };
	return &table->lines[table->nr++];
}

static void count(struct line *line, const struct event *event)
{
	if (!line)
		return;
	line->thread = event->thread;
	switch (event->kind) {
	case EVENT_TAKE:
		line->takes++;
		break;
	case EVENT_TAKE_BULK:
		line->takes += event->count;
		break;
	case EVENT_FREE:
		line->frees++;
		break;
	case EVENT_FREE_BULK:
		line->frees += event->count;
		break;
	case EVENT_SEND:
		line->sends += event->count;
		break;
	case EVENT_RECEIVE:
		line->receives += event->count;
		break;
	case EVENT_REFUSED:
		line->refused++;
		break;
	case EVENT_WAIT_BEGIN:
		line->waits++;
		break;
	default:
		break;
	}
}

static void add(struct top *top, const struct event *event)
{
	__u64 doer = deed_doer(event);

	if (doer)
		count(find(&top->clients, event->pool, doer), event);
	if (event->ip)
		count(find(&top->sites, event->pool, event->ip), event);
}

static __u64 total(const struct line *line)
{
	return line->takes + line->frees + line->sends + line->receives +
	       line->refused + line->waits;
}

static int by_total(const void *a, const void *b)
{
	__u64 first = total(a), second = total(b);

	return first < second ? 1 : first > second ? -1 : 0;
}

/* What the thread is called that worked for a client last; it may be gone. */
static void thread_name(__u64 thread, char name[BLOCKPOOL_COMM_SIZE + 1])
{
	char path[40];
	FILE *in;

	*name = '\0';
	snprintf(path, sizeof(path), "/proc/%llu/comm", thread);
	in = fopen(path, "re");
	if (in && fgets(name, BLOCKPOOL_COMM_SIZE + 1, in))
		name[strcspn(name, "\n")] = '\0';
	if (in)
		fclose(in);
	printable(name);
}

static double rate(const struct top *top, __u64 number)
{
	return number / top->seconds;
}

static void print_rates(const struct top *top, const struct line *line)
{
	char pool[EVENT_NAME];

	snprintf(pool, sizeof(pool), "%s", live_pool(&top->live, line->pool));
	printf("%10.0f %10.0f %9.0f %9.0f %8.0f %8.0f  %-16s ", rate(top, line->takes),
	       rate(top, line->frees), rate(top, line->sends), rate(top, line->receives),
	       rate(top, line->refused), rate(top, line->waits), printable(pool));
}

static void print_client(const struct top *top, const struct line *line)
{
	char comm[BLOCKPOOL_COMM_SIZE + 1], who[OWNER_WORDS];

	thread_name(line->thread, comm);
	print_rates(top, line);
	printf("%s, thread %llu %s\n", owner_words(line->who, who), line->thread, comm);
}

static void print_site(const struct top *top, const struct line *line)
{
	char text[KSYM_TEXT];

	ksym_text(&top->live.ksyms, line->who, text);
	print_rates(top, line);
	puts(printable(text));
}

static void print_table(const struct top *top, const struct table *table,
			const char *what,
			void (*print)(const struct top *top, const struct line *line))
{
	if (!table->nr)
		return;
	printf("%10s %10s %9s %9s %8s %8s  %-16s %s\n", "TAKES/s", "FREES/s", "SENDS/s",
	       "RECVS/s", "REFUSED", "WAITS", "POOL", what);
	for (size_t i = 0; i < table->nr && i < LINES; i++)
		print(top, &table->lines[i]);
	putchar('\n');
}

static void json_line(const struct top *top, const struct line *line, bool site)
{
	char text[KSYM_TEXT];

	json_object(NULL);
	json_number("pool", line->pool);
	json_string("pool_name", live_pool(&top->live, line->pool));
	if (site) {
		json_string("at", ksym_text(&top->live.ksyms, line->who, text));
	} else {
		json_number("client", line->who);
		json_number("thread", line->thread);
	}
	json_number("takes", line->takes);
	json_number("frees", line->frees);
	json_number("sends", line->sends);
	json_number("receives", line->receives);
	json_number("refused", line->refused);
	json_number("waits", line->waits);
	json_end();
}

static void json_frame(const struct top *top)
{
	json_object(NULL);
	json_real("seconds", top->seconds);
	json_number("lost", top->live.nr_lost - top->nr_lost);
	json_array("clients");
	for (size_t i = 0; i < top->clients.nr; i++)
		json_line(top, &top->clients.lines[i], false);
	json_end();
	json_array("sites");
	for (size_t i = 0; i < top->sites.nr; i++)
		json_line(top, &top->sites.lines[i], true);
	json_end();
	json_end();
}

static void print_frame(const struct top *top)
{
	if (!top->clients.nr && !top->sites.nr)
		puts("nothing happened\n");
	print_table(top, &top->clients, "WHO", print_client);
	print_table(top, &top->sites, "WHERE", print_site);
	if (top->live.nr_lost != top->nr_lost)
		printf("%llu events came too fast and are not in the figures\n\n",
		       top->live.nr_lost - top->nr_lost);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* One frame's events, which must be taken away often; false: Ctrl-C. */
static bool gather_frame(struct top *top, double interval)
{
	double begin = now(), left;
	struct event event;

	top->clients.nr = 0;
	top->sites.nr = 0;
	top->nr_lost = top->live.nr_lost;
	do {
		left = begin + interval - now();
		if (!live_wait(left > ROUND ? ROUND : left > 0 ? left : 0) ||
		    !live_round(&top->live))
			return false;
		while (live_next(&top->live, &event))
			add(top, &event);
	} while (now() - begin < interval);
	top->seconds = now() - begin;
	return true;
}

static int frames(struct top *top, const struct opts *opts)
{
	for (unsigned long i = 0; !opts->count || i < opts->count; i++) {
		if (!gather_frame(top, opts->interval))
			return 0;
		if (top->clients.nr)
			qsort(top->clients.lines, top->clients.nr,
			      sizeof(*top->clients.lines), by_total);
		if (top->sites.nr)
			qsort(top->sites.lines, top->sites.nr,
			      sizeof(*top->sites.lines), by_total);
		if (opts->json)
			json_frame(top);
		else
			print_frame(top);
		if (finish_output())
			return EXIT_FAILED;
	}
	return 0;
}

int cmd_top(const struct opts *opts)
{
	struct top top = { };
	int status = live_open(&top.live, opts);

	if (!status)
		status = frames(&top, opts);
	live_close(&top.live);
	free(top.clients.lines);
	free(top.sites.lines);
	return status;
}

// SPDX-License-Identifier: GPL-2.0
/* watch: a pool again and again. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ctl.h"
#include "device.h"
#include "frame.h"
#include "json.h"
#include "say.h"

struct watch {
	const struct opts *opts;
	const char *name;
	struct letters letters;
	struct rates rates;
	bool redraw;
	bool has_last;
	double last_time;
	__u64 last_allocs;
	__u64 last_frees;
};

static volatile sig_atomic_t ended;

static void on_end(int signal)
{
	(void)signal;
	ended = 1;
}

static void on_resize(int signal)
{
	(void)signal;
}

/* All are blocked but while we sleep, so that none is lost between the two. */
static void catch_signals(sigset_t *while_asleep)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction action = { .sa_handler = on_end };
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		sigaction(ends[i], &action, NULL);
		sigaddset(&blocked, ends[i]);
	}
	action.sa_handler = on_resize;
	sigaction(SIGWINCH, &action, NULL);
	sigaddset(&blocked, SIGWINCH);
	sigprocmask(SIG_BLOCK, &blocked, while_asleep);
}

static double now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* A pool made anew under the same name counts from zero: no rate then. */
static void update_rates(struct watch *watch, const struct view *view)
{
	const struct blockpool_stats *stats = &view->stats;
	double time = now(CLOCK_MONOTONIC);
	double passed = time - watch->last_time;
	struct rates *rates = &watch->rates;

	rates->known = watch->has_last && passed > 0 &&
		       stats->allocs >= watch->last_allocs &&
		       stats->frees >= watch->last_frees;
	if (rates->known) {
		rates->allocs = (stats->allocs - watch->last_allocs) / passed;
		rates->frees = (stats->frees - watch->last_frees) / passed;
	}
	watch->has_last = true;
	watch->last_time = time;
	watch->last_allocs = stats->allocs;
	watch->last_frees = stats->frees;
}

static void print_json(const struct watch *watch, const struct view *view)
{
	json_object(NULL);
	json_real("time", now(CLOCK_REALTIME));
	view_json_pool(view);
	view_json_stats(view);
	if (watch->rates.known) {
		json_real("allocs_per_second", watch->rates.allocs);
		json_real("frees_per_second", watch->rates.frees);
	} else {
		json_null("allocs_per_second");
		json_null("frees_per_second");
	}
	view_json_holders(view);
	json_end();
}

/* The frame is made first and shown in one write. */
static int redraw(const struct watch *watch, const struct view *view,
		  const struct term *term)
{
	size_t size;
	char *text = NULL;
	FILE *frame = open_memstream(&text, &size);

	if (!frame)
		return failed("no memory for a frame");
	frame_print(frame, view, &watch->letters, term, &watch->rates,
		    term->height);
	fclose(frame);
	term_redraw(text, term->height);
	free(text);
	return 0;
}

/*
 * The pool is looked at afresh each time: a watcher that stayed attached would
 * keep alive a pool, and a module, that all others have left.
 */
static int show_frame(struct watch *watch, unsigned long number)
{
	struct term term;
	struct view view;
	int status = view_take(&view, watch->name, !watch->opts->json);

	if (status)
		return status;
	update_rates(watch, &view);
	letters_update(&watch->letters, &view);
	term_look(&term);
	if (watch->opts->json) {
		print_json(watch, &view);
	} else if (watch->redraw) {
		status = redraw(watch, &view, &term);
	} else {
		if (number)
			putchar('\n');
		frame_print(stdout, &view, &watch->letters, &term,
			    &watch->rates, 0);
	}
	view_drop(&view);
	return status ? status : finish_output();
}

static void sleep_until_next(const struct opts *opts,
			     const sigset_t *while_asleep)
{
	struct timespec span = {
		.tv_sec = opts->interval,
		.tv_nsec = (opts->interval - (long)opts->interval) * 1e9,
	};

	ppoll(NULL, 0, &span, while_asleep);
}

static int run(struct watch *watch)
{
	const struct opts *opts = watch->opts;
	sigset_t while_asleep;
	unsigned long frame = 0;
	int status;

	catch_signals(&while_asleep);
	for (;;) {
		status = show_frame(watch, frame++);
		if (status || frame == opts->count)
			return status;
		sleep_until_next(opts, &while_asleep);
		if (ended)
			return 0;
	}
}

int cmd_watch(const struct opts *opts)
{
	char name[BLOCKPOOL_NAME_SIZE];
	struct watch watch = { .opts = opts, .name = name };
	struct term term;
	int status;

	if (!name_set(name, opts->arg, "pool"))
		return EXIT_MISUSED;
	term_look(&term);
	watch.redraw = term.tty && !opts->json;
	if (watch.redraw)
		term_begin_redraw();
	status = run(&watch);
	if (watch.redraw)
		term_end_redraw();
	return status;
}

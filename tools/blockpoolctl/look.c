// SPDX-License-Identifier: GPL-2.0
/* show, holders: one look at one pool. */
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "device.h"
#include "frame.h"
#include "json.h"
#include "say.h"

int cmd_show(const struct opts *opts)
{
	char name[BLOCKPOOL_NAME_SIZE];
	struct letters letters = { };
	struct term term;
	struct view view;
	int status;

	if (!name_set(name, opts->arg, "pool"))
		return EXIT_MISUSED;
	status = view_take(&view, name, true);
	if (status)
		return status;
	if (opts->json) {
		json_object(NULL);
		view_json_pool(&view);
		view_json_stats(&view);
		view_json_holders(&view);
		view_json_runs(&view);
		json_end();
	} else {
		term_look(&term);
		letters_update(&letters, &view);
		frame_print(stdout, &view, &letters, &term, NULL, 0);
	}
	view_drop(&view);
	return 0;
}

/* 0 says "none" in the ABI, for a pid and for a limit. */
static const char *or_dash(char buf[16], __u32 number)
{
	if (!number)
		return "-";
	snprintf(buf, 16, "%u", number);
	return buf;
}

static void print_holder(const struct blockpool_holder_args *holder)
{
	char comm[BLOCKPOOL_COMM_SIZE], user[OWNER_TEXT], pid[16], limit[16];

	memcpy(comm, holder->comm, sizeof(comm));
	comm[sizeof(comm) - 1] = '\0';
	printf("%8u %8s  %-16s %9u %9s  %s\n", holder->cursor,
	       or_dash(pid, holder->pid), user_text(user, holder->uid),
	       holder->held, or_dash(limit, holder->limit), printable(comm));
}

static void print_holders(const struct view *view)
{
	printf("%8s %8s  %-16s %9s %9s  %s\n", "CLIENT", "PID", "USER", "HELD",
	       "LIMIT", "COMMAND");
	for (size_t i = 0; i < view->nr_holders; i++)
		print_holder(&view->holders[i]);
	if (view->stats.nr_kernel)
		printf("%8s %8s  %-16s %9llu %9s  %s\n", "-", "-", "-",
		       (unsigned long long)view->stats.nr_kernel, "-",
		       "(the kernel)");
	if (view->stats.nr_in_flight)
		printf("%8s %8s  %-16s %9llu %9s  %s\n", "-", "-", "-",
		       (unsigned long long)view->stats.nr_in_flight, "-",
		       "(in flight)");
}

int cmd_holders(const struct opts *opts)
{
	char name[BLOCKPOOL_NAME_SIZE];
	struct view view;
	int status;

	if (!name_set(name, opts->arg, "pool"))
		return EXIT_MISUSED;
	status = view_take(&view, name, false);
	if (status)
		return status;
	if (opts->json) {
		json_object(NULL);
		json_string("name", view.info.name);
		json_number("nr_kernel", view.stats.nr_kernel);
		json_number("nr_in_flight", view.stats.nr_in_flight);
		view_json_holders(&view);
		json_end();
	} else {
		print_holders(&view);
	}
	view_drop(&view);
	return 0;
}

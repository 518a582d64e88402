// SPDX-License-Identifier: GPL-2.0
/* reports: what debug mode has found, and finds. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl.h"
#include "device.h"
#include "port.h"
#include "report.h"
#include "resolve.h"
#include "say.h"

#define LOOK_MS	1000	/* from one look whether anybody is left to the next */

struct reports {
	const char *name;
	int fd;
	bool json;
	struct term term;
	__u64 cursor;		/* the last one given, 0 for none */
	bool printed;
};

/* 1: there is one, 0: there is none, -1: the error was told. */
static int next_report(struct reports *reports, struct blockpool_report *report)
{
	struct blockpool_report_args args = {
		.size = sizeof(args),
		.report_size = sizeof(*report),
		.cursor = reports->cursor,
		.report = (unsigned long)report,
	};

	if (!ioctl(reports->fd, BLOCKPOOL_IOC_REPORT, &args)) {
		reports->cursor = args.cursor;
		return 1;
	}
	if (errno == ENOENT)
		return 0;
	pool_failed(reports->name, "read");
	return -1;
}

static void print(struct reports *reports,
		  const struct blockpool_report *report, __u64 lost)
{
	char name[BLOCKPOOL_NAME_SIZE];
	const char *port = port_name(reports->fd, report->owner, name);

	if (reports->json) {
		report_json(reports->name, report, port);
		return;
	}
	if (reports->printed)
		putchar('\n');
	if (lost)
		printf("%s: %llu report%s no longer kept\n\n", reports->name,
		       lost, lost == 1 ? " is" : "s are");
	report_print(stdout, reports->name, report, port, &reports->term);
	reports->printed = true;
}

/* All that there are now, one by one: the output may be a pipe into a program. */
static int print_new(struct reports *reports)
{
	struct blockpool_report report;
	__u64 last = reports->cursor;
	int more;

	while ((more = next_report(reports, &report)) > 0) {
		print(reports, &report, report.seq - last - 1);
		last = report.seq;
		if (finish_output())
			return EXIT_FAILED;
	}
	resolve_end();
	return more ? EXIT_FAILED : 0;
}

/*
 * A pool without a name that nobody uses any more is kept alive by us alone.  1:
 * it is so, 0: it is not, -1: the error was told.
 */
static int is_deserted(const struct reports *reports)
{
	struct blockpool_info info;
	struct blockpool_stats stats;

	if (pool_info(reports->fd, reports->name, &info) ||
	    pool_stats(reports->fd, reports->name, &stats))
		return -1;
	return info.flags & BLOCKPOOL_UNLINKED && stats.nr_clients == 1 &&
	       stats.nr_held == stats.nr_quarantined;
}

/* What was reported before the look that finds us alone is still printed. */
static int follow(struct reports *reports)
{
	struct pollfd wait = { .fd = reports->fd, .events = POLLPRI };
	int deserted, status;

	for (;;) {
		poll(&wait, 1, LOOK_MS);
		deserted = is_deserted(reports);
		status = print_new(reports);
		if (status || deserted < 0)
			return EXIT_FAILED;
		if (deserted)
			return failed("pool '%s' is gone", reports->name);
	}
}

int cmd_reports(const struct opts *opts)
{
	char name[BLOCKPOOL_NAME_SIZE];
	struct reports reports = { .name = name, .json = opts->json };
	int status;

	if (!name_set(name, opts->arg, "pool"))
		return EXIT_MISUSED;
	reports.fd = opts->follow ? pool_attach(name, O_RDONLY, "read") :
				    pool_look(name);
	if (reports.fd < 0)
		return EXIT_FAILED;
	term_look(&reports.term);
	status = print_new(&reports);
	if (!status && opts->follow)
		status = follow(&reports);
	close(reports.fd);
	return status;
}

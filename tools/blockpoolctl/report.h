/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A report in full.  What processes said of themselves in it, their names and
 * stacks, may be anything: nothing of it reaches a terminal or breaks a line.
 */
#ifndef BLOCKPOOLCTL_REPORT_H
#define BLOCKPOOLCTL_REPORT_H

#include <stdio.h>
#include <linux/blockpool.h>

#include "term.h"

/*
 * As a paragraph of text.  The port is the one whose block it was, NULL if nothing is
 * known.
 */
void report_print(FILE *out, const char *pool,
		  const struct blockpool_report *report, const char *port,
		  const struct term *term);

/* As a JSON object on a line of stdout. */
void report_json(const char *pool, const struct blockpool_report *report,
		 const char *port);

#endif

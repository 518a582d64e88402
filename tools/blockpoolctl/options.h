/* SPDX-License-Identifier: GPL-2.0 */
/* The options of all commands, and how their values are read. */
#ifndef BLOCKPOOLCTL_OPTIONS_H
#define BLOCKPOOLCTL_OPTIONS_H

#include "ctl.h"

/* One letter an option, as a command lists those that it takes. */
#define OPT_BLOCK_SIZE	"b"
#define OPT_NR_BLOCKS	"n"
#define OPT_MODE	"m"
#define OPT_CLIENT_MAX	"c"
#define OPT_NODE	"N"
#define OPT_INTERVAL	"i"
#define OPT_COUNT	"k"
#define OPT_DEBUG	"d"
#define OPT_ISOLATED	"I"
#define OPT_RESERVE	"r"
#define OPT_FOLLOW	"f"
#define OPT_DEPTH	"D"
#define OPT_LINGER	"l"
#define OPT_NO_CREATE	"C"
#define OPT_WAIT	"w"
#define OPT_PRINT	"P"
#define OPT_SVG		"s"
#define OPT_SAVE	"S"
#define OPT_PID		"p"
#define OPT_EVENT	"e"

enum parsed { PARSED_OK, PARSED_BAD, PARSED_HELP, PARSED_VERSION };

/*
 * Read options up to the first other word (taken is NULL: what comes before the
 * command) or in all of argv.  optind then says where the other words begin.
 * PARSED_BAD: the error has been told.
 */
enum parsed parse_options(int argc, char **argv, const char *taken,
			  struct opts *opts);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* A pool's flags as letters: G, P, T and C of debug mode, I if it is isolated. */
#ifndef BLOCKPOOLCTL_FLAGS_H
#define BLOCKPOOLCTL_FLAGS_H

#include <stdbool.h>
#include <linux/blockpool.h>

#define DEBUG_LETTERS	5
#define FLAGS_TEXT	6

/* Those that are set, in this order; none is "". */
const char *debug_letters(char buf[DEBUG_LETTERS], __u32 flags);

/* With I, and "-" if there is none. */
const char *flags_text(char buf[FLAGS_TEXT], __u32 flags);

/* Of debug mode; at least one, in any order. */
bool debug_flags(const char *letters, __u32 *flags);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* The calls that the text of a stack names, innermost first. */
#ifndef BLOCKPOOLCTL_CALL_H
#define BLOCKPOOLCTL_CALL_H

#include <stdio.h>
#include <linux/blockpool.h>

/* One line each, indented; nothing if there are none. */
void calls_print(FILE *out, const struct blockpool_track *track);

/* As an array of objects, a member of the JSON object that is open. */
void calls_json(const char *key, const struct blockpool_track *track);

#endif

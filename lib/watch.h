/* SPDX-License-Identifier: LGPL-2.1-only OR MIT */
/*
 * For the tools that a program may run under, memcheck of Valgrind and
 * AddressSanitizer: of the mapping nothing may be touched but the blocks that are
 * taken, and those whose address was asked for by index.
 *
 * Their content always counts as defined: others write to it too.
 */
#ifndef BLOCKPOOL_WATCH_H
#define BLOCKPOOL_WATCH_H

#include "internal.h"

/* Which of them are there, for pool->tools. */
bp_hidden unsigned char bp_watch_tools(void);

/* For handles with tools only.  The handle has its mapping. */
void bp_watch_open(struct blockpool *pool) bp_hidden;
void bp_watch_close(struct blockpool *pool) bp_hidden;

/*
 * A block was taken.  One will be given back or sent, and its state is unknown from
 * then on, unless it is shared and the handle has more than this share of it.
 */
void bp_watch_taken(struct blockpool *pool, u32 index) bp_hidden;
void bp_watch_freed(struct blockpool *pool, u32 index) bp_hidden;

/* A share of a block was received, maybe not the first: it is counted. */
void bp_watch_shared(struct blockpool *pool, u32 index) bp_hidden;

/* Whoever holds it may be asked for its content. */
void bp_watch_shown(const struct blockpool *pool, u32 index) bp_hidden;

#endif /* BLOCKPOOL_WATCH_H */

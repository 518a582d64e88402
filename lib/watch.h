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

/* A block was taken; one will be given back, which was taken here if @held. */
void bp_watch_taken(struct blockpool *pool, u32 index) bp_hidden;
void bp_watch_freed(struct blockpool *pool, u32 index, bool held) bp_hidden;

/* Whoever holds it may be asked for its content. */
void bp_watch_shown(const struct blockpool *pool, u32 index) bp_hidden;

#endif /* BLOCKPOOL_WATCH_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The map of a pool.  A cell stands for one block or, in a pool larger than the
 * map, for a run of 2^k blocks.  It shows who holds most of those that are held
 * in it, or that one of them is in quarantine; the sparse form of its sign says that
 * some blocks in it are free.
 */
#ifndef BLOCKPOOLCTL_MAP_H
#define BLOCKPOOLCTL_MAP_H

#include <stdio.h>

#include "letters.h"
#include "term.h"

/* Who a cell belongs to: a letter's number, or one of these. */
enum map_owner {
	MAP_OTHERS = NR_LETTERS,	/* clients for whom there is no letter */
	MAP_KERNEL,
	MAP_IN_FLIGHT,			/* in a port, or shared */
	MAP_QUARANTINE,
	MAP_FREE,
	NR_MAP_OWNERS,
};

struct map_shape {
	__u32 run;			/* blocks a cell */
	unsigned int columns;		/* cells a row */
	unsigned int rows;
	unsigned int gutter;		/* width of what is left of the cells */
};

struct map_shape map_shape(const struct view *view, const struct term *term,
			   unsigned int max_rows);
void map_print(FILE *out, const struct view *view,
	       const struct letters *letters, const struct term *term,
	       const struct map_shape *shape);

/* One sign, with its colour where there are colours. */
void map_sign(FILE *out, const struct term *term, unsigned int owner,
	      bool full);

/* How full the pool is, as wide as a row of the map. */
void map_bar(FILE *out, const struct view *view, const struct term *term,
	     const struct map_shape *shape);

#endif

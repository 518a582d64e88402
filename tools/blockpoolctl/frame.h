/* SPDX-License-Identifier: GPL-2.0 */
/* A pool as text: figures, bar, map, legend. */
#ifndef BLOCKPOOLCTL_FRAME_H
#define BLOCKPOOLCTL_FRAME_H

#include "map.h"

#define MAP_ROWS_MAX	16U

/* Operations a second since the frame before. */
struct rates {
	bool known;
	double allocs;
	double frees;
};

/* rates is NULL where there is no frame before; height 0 has no bound. */
void frame_print(FILE *out, const struct view *view,
		 const struct letters *letters, const struct term *term,
		 const struct rates *rates, unsigned int height);

#endif

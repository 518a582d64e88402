/* SPDX-License-Identifier: GPL-2.0 */
/* What stdout can show. */
#ifndef BLOCKPOOLCTL_TERM_H
#define BLOCKPOOLCTL_TERM_H

#include <stdbool.h>

struct term {
	bool tty;
	bool utf8;
	bool colour;
	unsigned int width;
	unsigned int height;
};

void term_look(struct term *term);

/* Make the terminal ready to be redrawn in place, and leave it as it was. */
void term_begin_redraw(void);
void term_end_redraw(void);

/* Draw text, ending in a newline, over what is there. */
void term_redraw(const char *text, unsigned int height);

#endif

// SPDX-License-Identifier: GPL-2.0
#include "term.h"

#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH_DEFAULT	80
#define HEIGHT_DEFAULT	24
#define WIDTH_MIN	20
#define WIDTH_MAX	400

static unsigned int number_in(const char *variable)
{
	const char *text = getenv(variable);
	int number = text ? atoi(text) : 0;

	return number > 0 ? number : 0;
}

static bool set_in(const char *variable)
{
	const char *text = getenv(variable);

	return text && *text;
}

static bool dumb(void)
{
	const char *name = getenv("TERM");

	return !name || !strcmp(name, "dumb");
}

/* The variables may be older than the terminal's last change: they come second. */
static void look_size(struct term *term)
{
	struct winsize size = { };
	unsigned int width, height;

	if (term->tty)
		ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	width = size.ws_col ? size.ws_col : number_in("COLUMNS");
	if (!width)
		width = WIDTH_DEFAULT;
	height = size.ws_row ? size.ws_row : number_in("LINES");
	term->width = width < WIDTH_MIN ? WIDTH_MIN :
		      width > WIDTH_MAX ? WIDTH_MAX : width;
	term->height = height ? height : HEIGHT_DEFAULT;
}

void term_look(struct term *term)
{
	term->tty = isatty(STDOUT_FILENO) && !dumb();
	term->utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	term->colour = term->tty && !set_in("NO_COLOR");
	look_size(term);
}

/* Cursor off, no wrapping: a long line is cut and the frame keeps its shape. */
void term_begin_redraw(void)
{
	fputs("\033[?25l\033[?7l\033[2J", stdout);
	fflush(stdout);
}

void term_end_redraw(void)
{
	fputs("\033[?7h\033[?25h", stdout);
	fflush(stdout);
}

/*
 * Each line is written over the old one and the rest of it cleared, so that
 * nothing is ever blank in between.  The last screen line stays free for the
 * cursor.
 */
void term_redraw(const char *text, unsigned int height)
{
	fputs("\033[H", stdout);
	for (unsigned int row = 1; *text && row < height; row++) {
		size_t len = strcspn(text, "\n");

		fwrite(text, 1, len, stdout);
		fputs("\033[K\n", stdout);
		text += len + (text[len] == '\n');
	}
	fputs("\033[J", stdout);
	fflush(stdout);
}

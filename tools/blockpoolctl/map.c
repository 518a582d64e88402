// SPDX-License-Identifier: GPL-2.0
#include "map.h"

#include <string.h>

#include "port.h"

#define COLUMNS_STEP	16U
#define MARGIN		2U

struct cell {
	unsigned int owner;
	bool full;
};

/* Rows begin at round indices: a multiple of 16 cells, 2^k blocks each. */
struct map_shape map_shape(const struct view *view, const struct term *term,
			   unsigned int max_rows)
{
	__u32 nr = view->info.nr_blocks;
	int digits = snprintf(NULL, 0, "%u", nr - 1);
	struct map_shape shape = {
		.run = 1,
		.gutter = MARGIN + (digits > 3 ? digits : 3) + 2,
	};
	unsigned int room = term->width > shape.gutter ?
			    term->width - shape.gutter : 0;

	shape.columns = room - room % COLUMNS_STEP;
	if (!shape.columns)
		shape.columns = COLUMNS_STEP / 2;
	while ((__u64)shape.run * shape.columns * max_rows < nr)
		shape.run *= 2;
	shape.rows = (nr - 1) / (shape.run * shape.columns) + 1;
	return shape;
}

static unsigned int owner_of(const struct letters *letters, __u32 word)
{
	if (word == BLOCKPOOL_OWNER_FREE)
		return MAP_FREE;
	if (word == BLOCKPOOL_OWNER_KERNEL)
		return MAP_KERNEL;
	if (word == BLOCKPOOL_OWNER_QUARANTINE)
		return MAP_QUARANTINE;
	if (word == BLOCKPOOL_OWNER_SHARED || is_port(word))
		return MAP_IN_FLIGHT;
	return letter_of(letters, word);
}

static struct cell make_cell(const __u32 *words, __u32 nr,
			     const struct letters *letters)
{
	__u32 counts[NR_MAP_OWNERS] = { };
	struct cell cell = { .owner = MAP_FREE };
	unsigned int owner = MAP_FREE;

	for (__u32 i = 0; i < nr; i++) {
		if (!i || words[i] != words[i - 1])
			owner = owner_of(letters, words[i]);
		counts[owner]++;
	}
	cell.full = !counts[MAP_FREE];
	counts[MAP_FREE] = 0;
	for (owner = 0; owner < MAP_FREE; owner++)
		if (counts[owner] > counts[cell.owner])
			cell.owner = owner;
	if (counts[MAP_QUARANTINE])
		cell.owner = MAP_QUARANTINE;
	return cell;
}

static const char *sign_text(const struct term *term, unsigned int owner,
			     bool full, char letter[2])
{
	switch (owner) {
	case MAP_FREE:
		return term->utf8 ? "·" : ".";
	case MAP_KERNEL:
		if (term->utf8)
			return full ? "█" : "▒";
		return full ? "#" : "=";
	case MAP_IN_FLIGHT:
		return full ? ">" : "-";
	case MAP_QUARANTINE:
		return full ? "!" : "?";
	case MAP_OTHERS:
		return full ? "@" : "%";
	default:
		letter[0] = (full ? 'A' : 'a') + owner;
		letter[1] = '\0';
		return letter;
	}
}

/*
 * Six colours in turn, which is why the letter stays; reversed, a run of one
 * holder's blocks is a field.
 */
static const char *sign_style(unsigned int owner, bool full)
{
	static const char *const full_style[] = {
		"7;36", "7;33", "7;32", "7;35", "7;34", "7;31" };
	static const char *const sparse_style[] = {
		"36", "33", "32", "35", "34", "31" };

	if (owner == MAP_FREE)
		return "2";
	if (owner == MAP_QUARANTINE)
		return "1;31";
	if (owner >= NR_LETTERS)
		return "0";
	return full ? full_style[owner % 6] : sparse_style[owner % 6];
}

void map_sign(FILE *out, const struct term *term, unsigned int owner, bool full)
{
	char letter[2];
	const char *text = sign_text(term, owner, full, letter);

	if (term->colour)
		fprintf(out, "\033[%sm%s\033[0m", sign_style(owner, full), text);
	else
		fputs(text, out);
}

/* A run of equal cells in one go: the escapes would outweigh the map. */
static void put_cells(FILE *out, const struct term *term, struct cell cell,
		      unsigned int nr)
{
	char letter[2];
	const char *text = sign_text(term, cell.owner, cell.full, letter);

	if (term->colour)
		fprintf(out, "\033[%sm", sign_style(cell.owner, cell.full));
	while (nr--)
		fputs(text, out);
	if (term->colour)
		fputs("\033[0m", out);
}

static void put_row(FILE *out, const struct term *term,
		    const struct cell *cells, unsigned int nr)
{
	unsigned int first = 0;

	for (unsigned int i = 1; i <= nr; i++) {
		if (i < nr && cells[i].owner == cells[first].owner &&
		    cells[i].full == cells[first].full)
			continue;
		put_cells(out, term, cells[first], i - first);
		first = i;
	}
	fputc('\n', out);
}

void map_print(FILE *out, const struct view *view,
	       const struct letters *letters, const struct term *term,
	       const struct map_shape *shape)
{
	__u32 at = 0, left = view->info.nr_blocks;

	while (left) {
		struct cell cells[shape->columns];
		unsigned int nr = 0;

		fprintf(out, "%*u  ", shape->gutter - 2, at);
		for (; left && nr < shape->columns; nr++) {
			__u32 run = left < shape->run ? left : shape->run;

			cells[nr] = make_cell(view->owners + at, run, letters);
			at += run;
			left -= run;
		}
		put_row(out, term, cells, nr);
	}
}

/* Anything held shows, and a pool that is not exhausted never looks so. */
void map_bar(FILE *out, const struct view *view, const struct term *term,
	     const struct map_shape *shape)
{
	__u64 held = view->stats.nr_held, nr = view->info.nr_blocks;
	unsigned int filled = held * shape->columns / nr;

	if (held && !filled)
		filled = 1;
	fprintf(out, "%*u%%  ", shape->gutter - 3,
		(unsigned int)(held * 100 / nr));
	for (unsigned int i = 0; i < shape->columns; i++) {
		if (term->utf8)
			fputs(i < filled ? "█" : "░", out);
		else
			fputc(i < filled ? '#' : '-', out);
	}
	fputc('\n', out);
}

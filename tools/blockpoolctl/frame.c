// SPDX-License-Identifier: GPL-2.0
#include "frame.h"

#include <string.h>

#include "flags.h"
#include "say.h"

/*
 * The lines that may be there: head 3, figures and rates 6, damage 1, bar 1, blank 1,
 * of the legend at most 8, and the cursor's.
 */
#define FIXED_LINES	21U
#define MAP_ROWS_MIN	3U
#define IN_FLIGHT_LENGTH 23U	/* of its line beside the gutter and the ports */
#define CLIENT_LINES_MIN 2U

static void print_head(FILE *out, const struct view *view)
{
	const struct blockpool_info *info = &view->info;
	char size[BYTES_TEXT], user[OWNER_TEXT], group[OWNER_TEXT];
	char debug[DEBUG_LETTERS];

	fprintf(out, "pool %s: %u blocks of %u bytes, stride %u, %s%s",
		info->name, info->nr_blocks, info->block_size, info->stride,
		bytes_text(size, info->map_size),
		info->flags & BLOCKPOOL_ISOLATED ? ", isolated" : "");
	if (info->flags & BLOCKPOOL_DEBUG)
		fprintf(out, ", debug %s", debug_letters(debug, info->flags));
	fputc('\n', out);
	fprintf(out, "owner %s:%s, mode %04o%s", user_text(user, info->uid),
		group_text(group, info->gid), info->mode,
		info->flags & BLOCKPOOL_PERSIST ? ", persistent" : "");
	if (info->client_max)
		fprintf(out, ", at most %u blocks a client", info->client_max);
	if (info->reserve)
		fprintf(out, ", reserve %u", info->reserve);
	fputs("\n\n", out);
}

struct figure {
	const char *name;
	unsigned long long value;
};

static void print_figures(FILE *out, const struct term *term,
			  const struct figure *figures, size_t nr)
{
	if (term->colour)
		fputs("\033[2m", out);
	for (size_t i = 0; i < nr; i++)
		fprintf(out, "%11s", figures[i].name);
	fputs(term->colour ? "\033[0m\n" : "\n", out);
	for (size_t i = 0; i < nr; i++)
		fprintf(out, "%11llu", figures[i].value);
	fputs("\n", out);
}

static void print_stats(FILE *out, const struct view *view,
			const struct term *term)
{
	const struct blockpool_stats *s = &view->stats;
	const struct figure now[] = {
		{ "free", s->nr_free }, { "cached", s->nr_cached },
		{ "held", s->nr_held },
		{ "kernel", s->nr_kernel }, { "in flight", s->nr_in_flight },
		{ "clients", s->nr_clients }, { "waiting", s->nr_waiting },
	};
	const struct figure ever[] = {
		{ "allocs", s->allocs }, { "frees", s->frees },
		{ "reclaimed", s->reclaimed }, { "failures", s->failures },
		{ "refused", s->refused }, { "waits", s->waits },
		{ "min free", s->min_free },
	};

	print_figures(out, term, now, sizeof(now) / sizeof(now[0]));
	print_figures(out, term, ever, sizeof(ever) / sizeof(ever[0]));
}

static void print_rates(FILE *out, const struct rates *rates)
{
	if (rates->known)
		fprintf(out, "%11.1f%11.1f  a second\n", rates->allocs,
			rates->frees);
	else
		fprintf(out, "%11s%11s  a second\n", "-", "-");
}

static void print_damage(FILE *out, const struct blockpool_stats *stats)
{
	if (stats->nr_quarantined || stats->reports)
		fprintf(out, "%11llu in quarantine, %llu report%s\n",
			stats->nr_quarantined, stats->reports,
			stats->reports == 1 ? "" : "s");
}

/* Both forms of the sign, where the map uses both. */
static void begin_line(FILE *out, const struct term *term, unsigned int owner,
		       const struct map_shape *shape, unsigned long long held)
{
	fputs("  ", out);
	map_sign(out, term, owner, true);
	if (shape->run > 1) {
		fputc(' ', out);
		if (owner == MAP_FREE)
			fputc(' ', out);
		else
			map_sign(out, term, owner, false);
	}
	fprintf(out, "%*llu  ", shape->gutter + 2, held);
}

static void print_client(FILE *out, const struct blockpool_holder_args *holder)
{
	char comm[BLOCKPOOL_COMM_SIZE], user[OWNER_TEXT];

	memcpy(comm, holder->comm, sizeof(comm));
	comm[sizeof(comm) - 1] = '\0';
	fprintf(out, "%s, ", printable(comm));
	if (holder->pid)
		fprintf(out, "pid %d, ", holder->pid);
	fprintf(out, "user %s", user_text(user, holder->uid));
	if (holder->limit)
		fprintf(out, ", limit %u", holder->limit);
	fputc('\n', out);
}

static const struct blockpool_holder_args *
find_holder(const struct view *view, __u32 client)
{
	for (size_t i = 0; i < view->nr_holders; i++)
		if (view->holders[i].cursor == client)
			return &view->holders[i];
	return NULL;
}

/* How the clients' blocks are spread over the lines that tell of them. */
struct told {
	unsigned long long named;	/* with a line of their own */
	unsigned long long unnamed;	/* in the map by a letter, but no line */
	unsigned long long others;	/* without a letter */
};

static struct told print_clients(FILE *out, const struct view *view,
				 const struct letters *letters,
				 const struct term *term,
				 const struct map_shape *shape,
				 unsigned int max_lines)
{
	struct told told = { };

	for (unsigned int i = 0; i < NR_LETTERS; i++) {
		const struct blockpool_holder_args *holder;

		if (!letters->client[i])
			continue;
		holder = find_holder(view, letters->client[i]);
		if (!max_lines) {
			told.unnamed += holder->held;
			continue;
		}
		begin_line(out, term, i, shape, holder->held);
		print_client(out, holder);
		told.named += holder->held;
		max_lines--;
	}
	for (size_t i = 0; i < view->nr_holders; i++)
		told.others += view->holders[i].held;
	told.others -= told.named + told.unnamed;
	return told;
}

/* The ports that have messages, as far as there is room for them on the line. */
static void print_ports(FILE *out, const struct view *view,
			const struct term *term, unsigned int used)
{
	unsigned int room = term->width > used ? term->width - used : 0;
	const char *before = ": ";

	for (size_t i = 0; i < view->nr_ports; i++) {
		const struct blockpool_port_args *port = &view->ports[i];
		unsigned int length = snprintf(NULL, 0, "%s%s %u", before,
					       port->name, port->nr_messages);

		if (!port->nr_messages)
			continue;
		if (length > room) {
			fputs(", ...", out);
			return;
		}
		fprintf(out, "%s%s %u", before, port->name, port->nr_messages);
		room -= length;
		before = ", ";
	}
}

static void print_legend(FILE *out, const struct view *view,
			 const struct letters *letters, const struct term *term,
			 const struct map_shape *shape, unsigned int max_lines)
{
	struct told told = print_clients(out, view, letters, term, shape,
					 max_lines);

	if (told.unnamed)
		fprintf(out, "  %*llu  more clients\n",
			shape->gutter + (shape->run > 1 ? 5 : 3), told.unnamed);
	if (told.others) {
		begin_line(out, term, MAP_OTHERS, shape, told.others);
		fputs("clients without a letter\n", out);
	}
	if (view->stats.nr_kernel) {
		begin_line(out, term, MAP_KERNEL, shape, view->stats.nr_kernel);
		fputs("the kernel\n", out);
	}
	if (view->stats.nr_in_flight) {
		begin_line(out, term, MAP_IN_FLIGHT, shape,
			   view->stats.nr_in_flight);
		fputs("in flight", out);
		print_ports(out, view, term,
			    shape->gutter + IN_FLIGHT_LENGTH);
		fputc('\n', out);
	}
	if (view->stats.nr_quarantined) {
		begin_line(out, term, MAP_QUARANTINE, shape,
			   view->stats.nr_quarantined);
		fputs("in quarantine\n", out);
	}
	begin_line(out, term, MAP_FREE, shape, view->stats.nr_free);
	fputs("free\n", out);
	if (shape->run > 1)
		fprintf(out, "\na cell is %u blocks; second sign: some of them are free\n",
			shape->run);
}

/*
 * Divide a screen between the map and the clients' lines: half to each, and
 * what one does not need to the other.  Some lines are always there.
 */
static struct map_shape fit(const struct view *view, const struct term *term,
			    unsigned int height, unsigned int *client_lines)
{
	unsigned int least = MAP_ROWS_MIN + CLIENT_LINES_MIN;
	unsigned int room = height > FIXED_LINES + least ?
			    height - FIXED_LINES : least;
	unsigned int rows = room - (*client_lines < room / 2 ? *client_lines :
							       room / 2);
	struct map_shape shape = map_shape(view, term, rows < MAP_ROWS_MAX ?
						       rows : MAP_ROWS_MAX);

	if (*client_lines > room - shape.rows)
		*client_lines = room - shape.rows;
	return shape;
}

static unsigned int lettered(const struct letters *letters)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < NR_LETTERS; i++)
		nr += !!letters->client[i];
	return nr;
}

void frame_print(FILE *out, const struct view *view,
		 const struct letters *letters, const struct term *term,
		 const struct rates *rates, unsigned int height)
{
	unsigned int client_lines = lettered(letters);
	struct map_shape shape = height ?
				 fit(view, term, height, &client_lines) :
				 map_shape(view, term, MAP_ROWS_MAX);

	print_head(out, view);
	print_stats(out, view, term);
	if (rates)
		print_rates(out, rates);
	print_damage(out, &view->stats);
	fputc('\n', out);
	map_bar(out, view, term, &shape);
	map_print(out, view, letters, term, &shape);
	fputc('\n', out);
	print_legend(out, view, letters, term, &shape, client_lines);
}

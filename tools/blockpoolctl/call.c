// SPDX-License-Identifier: GPL-2.0
#include "call.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "resolve.h"
#include "say.h"

/*
 * A line of a stack.  The kernel's has its function in it already.  In user space
 * it is what the process said of itself: a path, which may be any text, and an
 * address.
 */
struct call {
	char text[BLOCKPOOL_STACK_SIZE + 1];
	char path[BLOCKPOOL_STACK_SIZE + 1];	/* empty: it names no file */
	__u64 address;
	struct symbol symbol;			/* empty if nothing is known */
};

/* Cut the next line off; what is no text ends in a NUL or with the record. */
static bool next_line(const struct blockpool_track *track, size_t *at,
		      struct call *call)
{
	size_t left, len;

	do {
		const char *line = track->stack + *at;

		left = sizeof(track->stack) - *at;
		if (!left || !*line)
			return false;
		for (len = 0; len < left && line[len] && line[len] != '\n';)
			len++;
		memcpy(call->text, line, len);
		call->text[len] = '\0';
		*at += len + (len < left && line[len] == '\n');
	} while (!len);
	return true;
}

/* "/path+0x12ab", the last plus sign being the one meant. */
static void split_path(struct call *call)
{
	const char *plus = strrchr(call->text, '+');
	char *end;

	if (*call->text != '/' || !plus || strncmp(plus, "+0x", 3) ||
	    !isxdigit((unsigned char)plus[3]))
		return;
	call->address = strtoull(plus + 3, &end, 16);
	if (!*end)
		memcpy(call->path, call->text, plus - call->text);
}

static bool next_call(const struct blockpool_track *track, size_t *at,
		      struct call *call)
{
	memset(call, 0, sizeof(*call));
	if (!next_line(track, at, call))
		return false;
	if (track->client != BLOCKPOOL_OWNER_KERNEL)
		split_path(call);
	if (*call->path && !resolve(call->path, call->address, &call->symbol))
		call->symbol = (struct symbol){ };
	return true;
}

static void print_symbol(FILE *out, struct symbol *symbol)
{
	if (*symbol->function)
		fprintf(out, "%s+0x%llx ", printable(symbol->function),
			symbol->offset);
	if (*symbol->source)
		fprintf(out, "at %s:%u ", printable(symbol->source),
			symbol->line);
}

void calls_print(FILE *out, const struct blockpool_track *track)
{
	struct call call;
	size_t at = 0;

	while (next_call(track, &at, &call)) {
		bool known = *call.symbol.function || *call.symbol.source;

		fputs("    ", out);
		print_symbol(out, &call.symbol);
		fprintf(out, known ? "(%s)\n" : "%s\n", printable(call.text));
	}
}

static void json_call(const struct call *call)
{
	json_object(NULL);
	json_string("text", call->text);
	if (*call->path) {
		json_string("path", call->path);
		json_number("address", call->address);
	}
	if (*call->symbol.function) {
		json_string("function", call->symbol.function);
		json_number("offset", call->symbol.offset);
	}
	if (*call->symbol.source) {
		json_string("source", call->symbol.source);
		json_number("line", call->symbol.line);
	}
	json_end();
}

void calls_json(const char *key, const struct blockpool_track *track)
{
	struct call call;
	size_t at = 0;

	json_array(key);
	while (next_call(track, &at, &call))
		json_call(&call);
	json_end();
}

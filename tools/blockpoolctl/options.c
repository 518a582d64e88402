// SPDX-License-Identifier: GPL-2.0
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "flags.h"
#include "say.h"

/* A day: beyond that nobody watches, and a sum of times cannot overflow. */
#define INTERVAL_MIN	0.1
#define INTERVAL_MAX	86400.0

static const struct option long_options[] = {
	{ "block-size",	required_argument, NULL, 'b' },
	{ "nr-blocks",	required_argument, NULL, 'n' },
	{ "mode",	required_argument, NULL, 'm' },
	{ "client-max",	required_argument, NULL, 'c' },
	{ "node",	required_argument, NULL, 'N' },
	{ "interval",	required_argument, NULL, 'i' },
	{ "count",	required_argument, NULL, 'k' },
	{ "debug",	required_argument, NULL, 'd' },
	{ "isolated",	no_argument,	   NULL, 'I' },
	{ "reserve",	required_argument, NULL, 'r' },
	{ "follow",	no_argument,	   NULL, 'f' },
	{ "depth",	required_argument, NULL, 'D' },
	{ "linger",	required_argument, NULL, 'l' },
	{ "no-create",	no_argument,	   NULL, 'C' },
	{ "wait",	no_argument,	   NULL, 'w' },
	{ "print",	no_argument,	   NULL, 'P' },
	{ "svg",	required_argument, NULL, 's' },
	{ "save",	required_argument, NULL, 'S' },
	{ "pid",	required_argument, NULL, 'p' },
	{ "event",	required_argument, NULL, 'e' },
	{ "json",	no_argument,	   NULL, 'j' },
	{ "help",	no_argument,	   NULL, 'h' },
	{ "version",	no_argument,	   NULL, 'V' },
	{ }
};

static const char *option_name(int letter)
{
	const struct option *option = long_options;

	while (option->val != letter)
		option++;
	return option->name;
}

/* "2048", "2k" or "4M", and the suffix counts in 1024. */
static bool read_number(const char *text, unsigned long long *value)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	if (errno || *value > 1ULL << 40)
		return false;
	if (*end == 'k' || *end == 'K')
		*value <<= 10;
	else if (*end == 'M')
		*value <<= 20;
	else
		return !*end;
	return !end[1];
}

static bool set_number(int letter, const char *text, unsigned long long min,
		       unsigned long long max, __u32 *value)
{
	unsigned long long number;

	if (!read_number(text, &number) || number < min || number > max) {
		misused("--%s takes a number from %llu to %llu, not '%s'",
			option_name(letter), min, max, text);
		return false;
	}
	*value = number;
	return true;
}

/* The kernel takes 0 for "the default", which is not what 000 means. */
static bool set_mode(const char *text, __u32 *mode)
{
	char *end;
	unsigned long bits = strtoul(text, &end, 8);

	if (!isdigit((unsigned char)*text) || *end || !bits || bits > 0777) {
		misused("--mode takes octal permission bits such as 0660, not '%s'",
			text);
		return false;
	}
	*mode = bits;
	return true;
}

static bool read_seconds(const char *text, double *seconds)
{
	char *end;

	*seconds = strtod(text, &end);
	return isdigit((unsigned char)*text) && !*end && isfinite(*seconds) &&
	       *seconds <= INTERVAL_MAX;
}

static bool set_interval(const char *text, double *interval)
{
	double seconds;

	if (!read_seconds(text, &seconds) || seconds < INTERVAL_MIN) {
		misused("--interval takes seconds from %.1f to %.0f, not '%s'",
			INTERVAL_MIN, INTERVAL_MAX, text);
		return false;
	}
	*interval = seconds;
	return true;
}

static bool set_linger(const char *text, __s32 *linger_ms)
{
	double seconds;

	if (!strcmp(text, "-1")) {
		*linger_ms = -1;
		return true;
	}
	if (!read_seconds(text, &seconds)) {
		misused("--linger takes seconds from 0 to %.0f, or -1, not '%s'",
			INTERVAL_MAX, text);
		return false;
	}
	*linger_ms = seconds * 1000 + 0.5;
	return true;
}

static bool set_debug(const char *text, __u32 *flags)
{
	if (debug_flags(text, flags))
		return true;
	misused("--debug takes letters of GPTC, not '%s'", text);
	return false;
}

static bool set_option(int letter, const char *text, struct opts *opts)
{
	__u32 number;

	switch (letter) {
	case 'b':
		opts->has_block_size = true;
		return set_number(letter, text, 1, BLOCKPOOL_BLOCK_SIZE_MAX,
				  &opts->block_size);
	case 'n':
		opts->has_nr_blocks = true;
		return set_number(letter, text, 0, BLOCKPOOL_BLOCKS_MAX,
				  &opts->nr_blocks);
	case 'c':
		return set_number(letter, text, 0, BLOCKPOOL_BLOCKS_MAX,
				  &opts->client_max);
	case 'N':
		opts->has_node = true;
		return set_number(letter, text, 0, 1U << 16, &opts->node);
	case 'm':
		return set_mode(text, &opts->mode);
	case 'i':
		return set_interval(text, &opts->interval);
	case 'k':
		if (!set_number(letter, text, 1, 1U << 30, &number))
			return false;
		opts->count = number;
		return true;
	case 'd':
		return set_debug(text, &opts->debug);
	case 'I':
		opts->isolated = true;
		return true;
	case 'r':
		return set_number(letter, text, 0, BLOCKPOOL_BLOCKS_MAX - 1,
				  &opts->reserve);
	case 'f':
		opts->follow = true;
		return true;
	case 'D':
		return set_number(letter, text, 1, BLOCKPOOL_DEPTH_MAX,
				  &opts->depth);
	case 'l':
		return set_linger(text, &opts->linger_ms);
	case 'C':
		opts->no_create = true;
		return true;
	case 'w':
		opts->wait = true;
		return true;
	case 'P':
		opts->print = true;
		return true;
	case 's':
		opts->svg = text;
		return true;
	case 'S':
		opts->save = text;
		return true;
	case 'p':
		return set_number(letter, text, 1, 1U << 22, &opts->pid);
	case 'e':
		opts->event = text;
		return true;
	default:
		opts->json = true;
		return true;
	}
}

static enum parsed bad_option(int letter, char **argv)
{
	if (letter == ':')
		misused("option '%s' needs a value", argv[optind - 1]);
	else if (optopt && !strncmp(argv[optind - 1], "--", 2))
		misused("option '--%s' takes no value", option_name(optopt));
	else if (optopt)
		misused("unknown option '-%c'", optopt);
	else
		misused("unknown option '%s'", argv[optind - 1]);
	return PARSED_BAD;
}

enum parsed parse_options(int argc, char **argv, const char *taken,
			  struct opts *opts)
{
	int letter;

	opterr = 0;
	optind = 0;
	while ((letter = getopt_long(argc, argv, taken ? ":hVj" : "+:hVj",
				     long_options, NULL)) != -1) {
		if (letter == '?' || letter == ':')
			return bad_option(letter, argv);
		if (letter == 'h')
			return PARSED_HELP;
		if (letter == 'V')
			return PARSED_VERSION;
		if (letter != 'j' && (!taken || !strchr(taken, letter))) {
			misused("option '--%s' does not belong %s%s",
				option_name(letter), taken ? "to " :
				"before the command", taken ? argv[0] : "");
			return PARSED_BAD;
		}
		if (!set_option(letter, optarg, opts))
			return PARSED_BAD;
	}
	return PARSED_OK;
}

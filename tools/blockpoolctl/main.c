// SPDX-License-Identifier: GPL-2.0
/* blockpoolctl: load the module, make pools, see who holds what. */
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "options.h"
#include "say.h"

#define ARGS_MAX	2

struct command {
	const char *name;
	const char *synopsis;
	const char *about;
	const char *options;	/* OPT_* letters */
	const char *args[ARGS_MAX];	/* what they are called */
	int needed;		/* so many of them */
	int (*run)(const struct opts *opts);
};

static const struct command commands[] = {
	{ "load",
	  "[--block-size N] [--nr-blocks N] [--mode MODE] [MODULE.ko]",
	  "Load the module, which makes the pool \"default\" (none with\n"
	  "--nr-blocks 0); MODULE.ko is found by its name if it is not given.",
	  OPT_BLOCK_SIZE OPT_NR_BLOCKS OPT_MODE, { "MODULE.ko" }, 0, cmd_load },
	{ "unload", "",
	  "Unload the module, and with it every pool that nobody uses.",
	  "", { }, 0, cmd_unload },
	{ "create",
	  "NAME --block-size N --nr-blocks N [--mode MODE] [--client-max N]\n"
	  "                      [--node N] [--reserve N] [--isolated] [--debug LETTERS]",
	  "Create a pool that stays until it is removed. MODE is 0600 unless\n"
	  "given; --client-max limits the blocks that one client may hold;\n"
	  "--node names the NUMA node whose memory they shall have; --reserve\n"
	  "keeps so many free blocks for the kernel; --isolated lets clients\n"
	  "touch only what they hold; --debug turns on guard zones (G), poison\n"
	  "of free blocks (P), tracking (T), a check of all at each call (C).",
	  OPT_BLOCK_SIZE OPT_NR_BLOCKS OPT_MODE OPT_CLIENT_MAX OPT_NODE
	  OPT_RESERVE OPT_ISOLATED OPT_DEBUG, { "NAME" }, 1, cmd_create },
	{ "rm", "NAME",
	  "Take a pool's name away; the pool goes with its last user.",
	  "", { "NAME" }, 1, cmd_rm },
	{ "list", "",
	  "List the pools that you may read.",
	  "", { }, 0, cmd_list },
	{ "show", "POOL",
	  "Show a pool's figures and a map of its blocks.",
	  "", { "POOL" }, 1, cmd_show },
	{ "holders", "POOL",
	  "Say which processes are attached and what they hold.",
	  "", { "POOL" }, 1, cmd_holders },
	{ "watch", "POOL [--interval SECONDS] [--count N]",
	  "Show a pool again and again, with its rates; end it with Ctrl-C.",
	  OPT_INTERVAL OPT_COUNT, { "POOL" }, 1, cmd_watch },
	{ "check", "POOL",
	  "Look for damage in a debug pool now; the status is 3 if there is any.",
	  "", { "POOL" }, 1, cmd_check },
	{ "reports", "POOL [--follow]",
	  "Print what debug mode has found, and with --follow what it finds from\n"
	  "then on.",
	  OPT_FOLLOW, { "POOL" }, 1, cmd_reports },
	{ "repair", "POOL",
	  "Give the damaged blocks that are in quarantine back to the pool.",
	  "", { "POOL" }, 1, cmd_repair },
	{ "ports", "POOL",
	  "List the ports of a pool and what went through them.",
	  "", { "POOL" }, 1, cmd_ports },
	{ "feed", "POOL PORT [--wait]",
	  "Send standard input to a port, and an empty message at its end; --wait\n"
	  "waits for the port.",
	  OPT_WAIT, { "POOL", "PORT" }, 2, cmd_feed },
	{ "cat",
	  "POOL PORT [--count N] [--follow] [--no-create] [--depth N]\n"
	  "                      [--linger SECONDS] [--mode MODE]",
	  "Receive from a port and write the bytes to standard output, up to an\n"
	  "empty message or, with --follow, beyond; or --count messages. The\n"
	  "port is made if there is none, unless --no-create: --depth is the\n"
	  "messages it has room for, --linger how long it stays without a\n"
	  "receiver (0; -1: as long as the pool), --mode who may receive (r)\n"
	  "and send (w), 0600 unless given.",
	  OPT_COUNT OPT_FOLLOW OPT_NO_CREATE OPT_DEPTH OPT_LINGER OPT_MODE,
	  { "POOL", "PORT" }, 2, cmd_cat },
	{ "trace", "[POOL] [--pid N] [--event NAME]",
	  "Print the events of all pools, or of one, as they come; those of one\n"
	  "process with --pid, of one kind with --event; end it with Ctrl-C.",
	  OPT_PID OPT_EVENT, { "POOL" }, 0, cmd_trace },
	{ "top", "[POOL] [--interval SECONDS] [--count N]",
	  "Show who takes and frees most, by client and by place in the kernel.",
	  OPT_INTERVAL OPT_COUNT, { "POOL" }, 0, cmd_top },
	{ "recorder", "setup|arm|disarm|status [--print] [--interval SECONDS]",
	  "The black box: setup tells the boot loader to keep memory for it and\n"
	  "the system to arm it at each start (--print only shows what it would\n"
	  "write); arm starts it, with a snapshot of all pools every second or\n"
	  "--interval SECONDS; disarm stops it, status says how it is.",
	  OPT_PRINT OPT_INTERVAL, { "setup|arm|disarm|status" }, 1, cmd_recorder },
	{ "postmortem", "[FILE] [--svg FILE] [--save FILE]",
	  "Tell how the last boot ended, what ran last and who held which block:\n"
	  "from the black box, or FILE (trace.dat); --svg draws its last seconds,\n"
	  "--save keeps the record.",
	  OPT_SVG OPT_SAVE, { "FILE" }, 0, cmd_postmortem },
};

#define NR_COMMANDS	(sizeof(commands) / sizeof(commands[0]))

static int print_help(void)
{
	printf("Usage: blockpoolctl COMMAND [OPTION...] [ARGUMENT]\n\n"
	       "Pools of fixed-size blocks that the kernel lends and takes back.\n\n");
	for (size_t i = 0; i < NR_COMMANDS; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].synopsis);
	printf("\n"
	       "  --json     print JSON, one value a line (any command)\n"
	       "  --help     this text, or after a command, that command's\n"
	       "  --version  the version\n\n"
	       "N may end in k or M (1024, 1048576); MODE is octal, such as 0660.\n"
	       "Exit status: 0; 1 if it failed; 2 if the command line is wrong;\n"
	       "3 if check found damage.\n");
	return finish_output();
}

static int print_command_help(const struct command *command)
{
	printf("Usage: blockpoolctl %s%s%s [--json]\n\n%s\n", command->name,
	       *command->synopsis ? " " : "", command->synopsis,
	       command->about);
	return finish_output();
}

static int print_version(void)
{
	puts("blockpoolctl " VERSION);
	return finish_output();
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < NR_COMMANDS; i++)
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	return NULL;
}

static int take_args(const struct command *command, int argc, char **argv,
		     struct opts *opts)
{
	int known = 0;

	while (known < ARGS_MAX && command->args[known])
		known++;
	if (argc > known)
		return misused("%s: one argument too many: '%s'", command->name,
			       argv[argc - 1]);
	if (argc < command->needed)
		return misused("%s needs %s", command->name,
			       command->args[argc]);
	opts->arg = argc > 0 ? argv[0] : NULL;
	opts->port = argc > 1 ? argv[1] : NULL;
	return 0;
}

static int run_command(const struct command *command, int argc, char **argv,
		       struct opts *opts)
{
	int status;

	switch (parse_options(argc, argv, command->options, opts)) {
	case PARSED_BAD:
		return EXIT_MISUSED;
	case PARSED_HELP:
		return print_command_help(command);
	case PARSED_VERSION:
		return print_version();
	case PARSED_OK:
		break;
	}
	status = take_args(command, argc - optind, argv + optind, opts);
	if (!status)
		status = command->run(opts);
	return status ? status : finish_output();
}

int main(int argc, char **argv)
{
	struct opts opts = { .interval = 1 };
	const struct command *command;

	setlocale(LC_CTYPE, "");
	switch (parse_options(argc, argv, NULL, &opts)) {
	case PARSED_BAD:
		return EXIT_MISUSED;
	case PARSED_HELP:
		return print_help();
	case PARSED_VERSION:
		return print_version();
	case PARSED_OK:
		break;
	}
	if (optind == argc)
		return misused("a command is missing");
	command = find_command(argv[optind]);
	if (!command)
		return misused("unknown command '%s'", argv[optind]);
	return run_command(command, argc - optind, argv + optind, &opts);
}

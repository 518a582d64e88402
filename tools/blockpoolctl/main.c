// SPDX-License-Identifier: GPL-2.0
/* blockpoolctl: load the module, make pools, see who holds what. */
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "options.h"
#include "say.h"

struct command {
	const char *name;
	const char *synopsis;
	const char *about;
	const char *options;	/* OPT_* letters */
	const char *arg;	/* what its one argument is called, or NULL */
	bool needs_arg;
	int (*run)(const struct opts *opts);
};

static const struct command commands[] = {
	{ "load",
	  "[--block-size N] [--nr-blocks N] [--mode MODE] [MODULE.ko]",
	  "Load the module, which makes the pool \"default\" (none with\n"
	  "--nr-blocks 0); MODULE.ko is found by its name if it is not given.",
	  OPT_BLOCK_SIZE OPT_NR_BLOCKS OPT_MODE, "MODULE.ko", false, cmd_load },
	{ "unload", "",
	  "Unload the module, and with it every pool that nobody uses.",
	  "", NULL, false, cmd_unload },
	{ "create",
	  "NAME --block-size N --nr-blocks N [--mode MODE] [--client-max N]\n"
	  "                    [--node N] [--reserve N] [--isolated] [--debug LETTERS]",
	  "Create a pool that stays until it is removed. MODE is 0600 unless\n"
	  "given; --client-max limits the blocks that one client may hold;\n"
	  "--node names the NUMA node whose memory they shall have; --reserve\n"
	  "keeps so many free blocks for the kernel; --isolated lets clients\n"
	  "touch only what they hold; --debug turns on guard zones (G), poison\n"
	  "of free blocks (P), tracking (T), a check of all at each call (C).",
	  OPT_BLOCK_SIZE OPT_NR_BLOCKS OPT_MODE OPT_CLIENT_MAX OPT_NODE
	  OPT_RESERVE OPT_ISOLATED OPT_DEBUG, "NAME", true, cmd_create },
	{ "rm", "NAME",
	  "Take a pool's name away; the pool goes with its last user.",
	  "", "NAME", true, cmd_rm },
	{ "list", "",
	  "List the pools that you may read.",
	  "", NULL, false, cmd_list },
	{ "show", "POOL",
	  "Show a pool's figures and a map of its blocks.",
	  "", "POOL", true, cmd_show },
	{ "holders", "POOL",
	  "Say which processes are attached and what they hold.",
	  "", "POOL", true, cmd_holders },
	{ "watch", "POOL [--interval SECONDS] [--count N]",
	  "Show a pool again and again, with its rates; end it with Ctrl-C.",
	  OPT_INTERVAL OPT_COUNT, "POOL", true, cmd_watch },
	{ "check", "POOL",
	  "Look for damage in a debug pool now; the status is 3 if there is any.",
	  "", "POOL", true, cmd_check },
	{ "reports", "POOL [--follow]",
	  "Print what debug mode has found, and with --follow what it finds from\n"
	  "then on.",
	  OPT_FOLLOW, "POOL", true, cmd_reports },
	{ "repair", "POOL",
	  "Give the damaged blocks that are in quarantine back to the pool.",
	  "", "POOL", true, cmd_repair },
};

#define NR_COMMANDS	(sizeof(commands) / sizeof(commands[0]))

static int print_help(void)
{
	printf("Usage: blockpoolctl COMMAND [OPTION...] [ARGUMENT]\n\n"
	       "Pools of fixed-size blocks that the kernel lends and takes back.\n\n");
	for (size_t i = 0; i < NR_COMMANDS; i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].synopsis);
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
	if (argc - optind > (command->arg ? 1 : 0))
		return misused("%s: one argument too many: '%s'", command->name,
			       argv[argc - 1]);
	if (optind < argc)
		opts->arg = argv[optind];
	else if (command->needs_arg)
		return misused("%s needs %s", command->name, command->arg);
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

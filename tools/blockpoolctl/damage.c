// SPDX-License-Identifier: GPL-2.0
/* check, repair: damage looked for, and made good. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl.h"
#include "device.h"
#include "json.h"
#include "say.h"

static void print_checked(const char *name,
			  const struct blockpool_check_args *args, bool json)
{
	if (!json) {
		printf("checked %u blocks of %s: %u damaged\n", args->checked,
		       name, args->damaged);
		return;
	}
	json_object(NULL);
	json_string("name", name);
	json_number("checked", args->checked);
	json_number("damaged", args->damaged);
	json_end();
}

int cmd_check(const struct opts *opts)
{
	struct blockpool_check_args args = { .size = sizeof(args) };
	char name[BLOCKPOOL_NAME_SIZE];
	int fd, status;

	if (!name_set(name, opts->arg, "pool"))
		return EXIT_MISUSED;
	fd = pool_look(name);
	if (fd < 0)
		return EXIT_FAILED;
	if (ioctl(fd, BLOCKPOOL_IOC_CHECK, &args)) {
		status = pool_failed(name, "check");
	} else {
		print_checked(name, &args, opts->json);
		status = args.damaged ? EXIT_DAMAGED : 0;
	}
	close(fd);
	return status;
}

static void print_repaired(const char *name, __u32 repaired, bool json)
{
	if (!json) {
		printf("repaired %s: %u block%s out of quarantine\n", name,
		       repaired, repaired == 1 ? "" : "s");
		return;
	}
	json_object(NULL);
	json_string("name", name);
	json_number("repaired", repaired);
	json_end();
}

int cmd_repair(const struct opts *opts)
{
	struct blockpool_repair_args args = { .size = sizeof(args) };
	char name[BLOCKPOOL_NAME_SIZE];
	int fd, status = 0;

	if (!name_set(name, opts->arg, "pool"))
		return EXIT_MISUSED;
	fd = pool_attach(name, O_RDWR, "repair");
	if (fd < 0)
		return EXIT_FAILED;
	if (ioctl(fd, BLOCKPOOL_IOC_REPAIR, &args))
		status = pool_failed(name, "repair");
	else
		print_repaired(name, args.repaired, opts->json);
	close(fd);
	return status;
}

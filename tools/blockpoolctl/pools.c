// SPDX-License-Identifier: GPL-2.0
/* create, rm, list: pools by name. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl.h"
#include "device.h"
#include "flags.h"
#include "json.h"
#include "say.h"
#include "view.h"

static int create_failed(const struct blockpool_create_args *args)
{
	char size[BYTES_TEXT];

	switch (errno) {
	case EEXIST:
		return failed("a pool '%s' exists already", args->name);
	case ENOMEM:
		bytes_text(size, (__u64)args->block_size * args->nr_blocks);
		return failed("no memory for %s, or over RLIMIT_MEMLOCK or the cgroup's limit",
			      size);
	case EINVAL:
		if (args->flags & BLOCKPOOL_ON_NODE)
			return failed("there is no NUMA node %u", args->node);
		if (args->flags & BLOCKPOOL_GUARD)
			return failed("no room for guard zones around blocks of %u bytes",
				      args->block_size);
		break;
	case EOPNOTSUPP:
		return failed("this kernel cannot isolate clients");
	}
	return pool_failed(args->name, "create");
}

static int print_created(int fd, const char *name, bool json)
{
	struct blockpool_info info;
	char size[BYTES_TEXT];

	if (pool_info(fd, name, &info))
		return EXIT_FAILED;
	if (!json) {
		printf("created %s: %u blocks of %u bytes, %s\n", info.name,
		       info.nr_blocks, info.block_size,
		       bytes_text(size, info.map_size));
		return 0;
	}
	json_object(NULL);
	json_string("name", info.name);
	json_bool("created", true);
	json_number("block_size", info.block_size);
	json_number("nr_blocks", info.nr_blocks);
	json_number("stride", info.stride);
	json_number("map_size", info.map_size);
	json_number("client_max", info.client_max);
	json_octal("mode", info.mode);
	json_number("uid", info.uid);
	json_number("gid", info.gid);
	json_number("reserve", info.reserve);
	view_json_flags(info.flags);
	json_end();
	return 0;
}

int cmd_create(const struct opts *opts)
{
	struct blockpool_create_args args = {
		.size = sizeof(args),
		.flags = BLOCKPOOL_PERSIST |
			 (opts->has_node ? BLOCKPOOL_ON_NODE : 0) |
			 (opts->isolated ? BLOCKPOOL_ISOLATED : 0) |
			 opts->debug,
		.block_size = opts->block_size,
		.nr_blocks = opts->nr_blocks,
		.mode = opts->mode,
		.client_max = opts->client_max,
		.node = opts->node,
		.reserve = opts->reserve,
	};
	int fd, status;

	if (!opts->has_block_size || !opts->has_nr_blocks)
		return misused("create needs --block-size and --nr-blocks");
	if (!opts->nr_blocks)
		return misused("a pool has at least one block");
	if (opts->reserve >= opts->nr_blocks)
		return misused("--reserve must leave blocks for others");
	if (!name_set(args.name, opts->arg, "pool"))
		return EXIT_MISUSED;
	fd = device_open(O_RDWR);
	if (fd < 0)
		return EXIT_FAILED;
	if (ioctl(fd, BLOCKPOOL_IOC_CREATE, &args))
		status = create_failed(&args);
	else
		status = print_created(fd, args.name, opts->json);
	close(fd);
	return status;
}

/* 1: *pool is the next one, 0: there is none, -1: the error was told. */
static int next_pool(int fd, struct blockpool_list_args *pool)
{
	*pool = (struct blockpool_list_args){
		.size = sizeof(*pool),
		.cursor = pool->cursor,
	};
	if (!ioctl(fd, BLOCKPOOL_IOC_LIST, pool))
		return 1;
	if (errno == ENOENT)
		return 0;
	failed("cannot list the pools: %s", strerror(errno));
	return -1;
}

/* How many will still use the pool; a pool hidden from the caller counts none. */
static unsigned int clients_of(int fd, const char *name)
{
	struct blockpool_list_args pool = { };

	while (next_pool(fd, &pool) > 0)
		if (!strcmp(pool.name, name))
			return pool.nr_clients;
	return 0;
}

static void print_removed(const char *name, unsigned int clients, bool json)
{
	if (json) {
		json_object(NULL);
		json_string("name", name);
		json_bool("removed", true);
		json_number("nr_clients", clients);
		json_end();
	} else if (clients) {
		printf("removed %s; its memory goes with the last of %u client%s\n",
		       name, clients, clients == 1 ? "" : "s");
	} else {
		printf("removed %s\n", name);
	}
}

int cmd_rm(const struct opts *opts)
{
	struct blockpool_name_args args = { .size = sizeof(args) };
	unsigned int clients;
	int fd, status = 0;

	if (!name_set(args.name, opts->arg, "pool"))
		return EXIT_MISUSED;
	fd = device_open(O_RDONLY);
	if (fd < 0)
		return EXIT_FAILED;
	clients = clients_of(fd, args.name);
	if (ioctl(fd, BLOCKPOOL_IOC_UNLINK, &args))
		status = pool_failed(args.name, "remove");
	else
		print_removed(args.name, clients, opts->json);
	close(fd);
	return status;
}

static void print_pool(const struct blockpool_list_args *pool)
{
	char user[OWNER_TEXT], group[OWNER_TEXT], flags[FLAGS_TEXT];

	printf("%-20s %9u %9u %9u %9u %8u  %04o  %-5s  %s:%s\n", pool->name,
	       pool->block_size, pool->nr_blocks, pool->nr_free,
	       pool->nr_blocks - pool->nr_free, pool->nr_clients, pool->mode,
	       flags_text(flags, pool->flags), user_text(user, pool->uid),
	       group_text(group, pool->gid));
}

static void print_pool_json(const struct blockpool_list_args *pool)
{
	json_object(NULL);
	json_string("name", pool->name);
	json_number("block_size", pool->block_size);
	json_number("nr_blocks", pool->nr_blocks);
	json_number("nr_free", pool->nr_free);
	json_number("nr_held", pool->nr_blocks - pool->nr_free);
	json_number("nr_clients", pool->nr_clients);
	json_octal("mode", pool->mode);
	json_number("uid", pool->uid);
	json_number("gid", pool->gid);
	view_json_flags(pool->flags);
	json_end();
}

int cmd_list(const struct opts *opts)
{
	struct blockpool_list_args pool = { };
	int fd = device_open(O_RDONLY);
	int more;

	if (fd < 0)
		return EXIT_FAILED;
	if (opts->json)
		json_array(NULL);
	else
		printf("%-20s %9s %9s %9s %9s %8s  %-4s  %-5s  %s\n", "POOL",
		       "BLOCK", "BLOCKS", "FREE", "HELD", "CLIENTS", "MODE",
		       "FLAGS", "OWNER");
	while ((more = next_pool(fd, &pool)) > 0) {
		if (opts->json)
			print_pool_json(&pool);
		else
			print_pool(&pool);
	}
	if (opts->json)
		json_end();
	close(fd);
	return more ? EXIT_FAILED : 0;
}

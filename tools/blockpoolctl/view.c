// SPDX-License-Identifier: GPL-2.0
#include "view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl.h"
#include "device.h"
#include "port.h"
#include "say.h"

/* Owner words read in one call: few enough that a signal is soon heard. */
#define OWNERS_STEP	65536U

static int add_holder(struct view *view,
		      const struct blockpool_holder_args *holder, size_t *room)
{
	if (view->nr_holders == *room) {
		size_t more = *room ? *room * 2 : 16;
		void *grown = reallocarray(view->holders, more,
					   sizeof(*holder));

		if (!grown)
			return failed("no memory for a list of %zu clients", more);
		view->holders = grown;
		*room = more;
	}
	view->holders[view->nr_holders++] = *holder;
	return 0;
}

static int take_holders(struct view *view, int fd, const char *name)
{
	struct blockpool_holder_args holder = { .size = sizeof(holder) };
	size_t room = 0;

	while (!ioctl(fd, BLOCKPOOL_IOC_HOLDER, &holder)) {
		if (holder.cursor != view->info.client &&
		    add_holder(view, &holder, &room))
			return EXIT_FAILED;
		holder = (struct blockpool_holder_args){
			.size = sizeof(holder),
			.cursor = holder.cursor,
		};
	}
	return errno == ENOENT ? 0 : pool_failed(name, "read");
}

static int take_owners(struct view *view, int fd, const char *name)
{
	__u32 nr = view->info.nr_blocks;

	view->owners = malloc((size_t)nr * sizeof(*view->owners));
	if (!view->owners)
		return failed("no memory for a map of %u blocks", nr);
	for (__u32 first = 0; first < nr; first += OWNERS_STEP) {
		struct blockpool_owners_args args = {
			.size = sizeof(args),
			.first = first,
			.count = nr - first < OWNERS_STEP ? nr - first :
							    OWNERS_STEP,
			.owners = (unsigned long)(view->owners + first),
		};

		if (ioctl(fd, BLOCKPOOL_IOC_OWNERS, &args))
			return pool_failed(name, "read");
	}
	return 0;
}

/* After the owners, who may name them; one that is new then is of no use to us. */
static int take_ports(struct view *view, int fd, const char *name)
{
	struct blockpool_port_args port = { };
	int more;

	view->ports = malloc(BLOCKPOOL_PORTS_MAX * sizeof(*view->ports));
	if (!view->ports)
		return failed("no memory for a list of ports");
	while ((more = port_next(fd, name, &port)) > 0)
		if (view->nr_ports < BLOCKPOOL_PORTS_MAX)
			view->ports[view->nr_ports++] = port;
	return more ? EXIT_FAILED : 0;
}

int view_take(struct view *view, const char *name, bool with_owners)
{
	int fd = pool_look(name);
	int status = EXIT_FAILED;

	memset(view, 0, sizeof(*view));
	if (fd < 0)
		return EXIT_FAILED;
	if (pool_info(fd, name, &view->info) ||
	    pool_stats(fd, name, &view->stats))
		goto close;
	if (view->info.client)
		view->stats.nr_clients--;
	status = take_holders(view, fd, name);
	if (!status && with_owners)
		status = take_owners(view, fd, name);
	if (!status && with_owners)
		status = take_ports(view, fd, name);
close:
	close(fd);
	if (status)
		view_drop(view);
	return status;
}

void view_drop(struct view *view)
{
	free(view->holders);
	free(view->owners);
	free(view->ports);
	memset(view, 0, sizeof(*view));
}

// SPDX-License-Identifier: GPL-2.0
/* ports: one look at the ports of a pool. */
#include <stdio.h>
#include <unistd.h>

#include "ctl.h"
#include "device.h"
#include "json.h"
#include "port.h"
#include "say.h"

static void print_port(const struct blockpool_port_args *port)
{
	char user[OWNER_TEXT], group[OWNER_TEXT];

	printf("%-20s %6u %6u %6u %7u %9u %11llu %11llu %9llu  %04o  %s:%s\n",
	       port->name, port->depth, port->nr_messages, port->max_messages,
	       port->nr_senders, port->nr_receivers, port->sent,
	       port->received, port->refused, port->mode,
	       user_text(user, port->uid), group_text(group, port->gid));
}

static void print_port_json(const struct blockpool_port_args *port)
{
	json_object(NULL);
	json_string("name", port->name);
	json_number("number", port->cursor);
	json_number("depth", port->depth);
	json_number("nr_messages", port->nr_messages);
	json_number("nr_taken", port->nr_taken);
	json_number("max_messages", port->max_messages);
	json_number("nr_senders", port->nr_senders);
	json_number("nr_receivers", port->nr_receivers);
	json_number("sent", port->sent);
	json_number("received", port->received);
	json_number("refused", port->refused);
	json_signed("linger_ms", port->linger_ms);
	json_bool("again", port->flags & BLOCKPOOL_BIND_AGAIN);
	json_octal("mode", port->mode);
	json_number("uid", port->uid);
	json_number("gid", port->gid);
	json_end();
}

int cmd_ports(const struct opts *opts)
{
	struct blockpool_port_args port = { };
	char name[BLOCKPOOL_NAME_SIZE];
	int fd, more;

	if (!name_set(name, opts->arg, "pool"))
		return EXIT_MISUSED;
	fd = pool_look(name);
	if (fd < 0)
		return EXIT_FAILED;
	more = port_next(fd, name, &port);
	if (more >= 0 && opts->json)
		json_array(NULL);
	else if (more >= 0)
		printf("%-20s %6s %6s %6s %7s %9s %11s %11s %9s  %-4s  %s\n",
		       "PORT", "DEPTH", "NOW", "MOST", "SENDERS", "RECEIVERS",
		       "SENT", "RECEIVED", "REFUSED", "MODE", "OWNER");
	for (; more > 0; more = port_next(fd, name, &port)) {
		if (opts->json)
			print_port_json(&port);
		else
			print_port(&port);
	}
	if (opts->json && !more)
		json_end();
	close(fd);
	return more ? EXIT_FAILED : 0;
}

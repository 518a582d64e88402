// SPDX-License-Identifier: GPL-2.0
#include "port.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "device.h"

int port_next(int fd, const char *pool, struct blockpool_port_args *port)
{
	*port = (struct blockpool_port_args){
		.size = sizeof(*port),
		.cursor = port->cursor,
	};
	if (!ioctl(fd, BLOCKPOOL_IOC_PORT, port))
		return 1;
	if (errno == ENOENT)
		return 0;
	pool_failed(pool, "read");
	return -1;
}

const char *port_name(int fd, __u32 word, char name[BLOCKPOOL_NAME_SIZE])
{
	struct blockpool_port_args port = {
		.size = sizeof(port),
		.cursor = port_number(word) - 1,
	};

	if (!is_port(word) || ioctl(fd, BLOCKPOOL_IOC_PORT, &port) ||
	    port.cursor != port_number(word))
		return NULL;
	return strcpy(name, port.name);
}

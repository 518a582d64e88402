/* SPDX-License-Identifier: GPL-2.0 */
/* The ports of a pool, looked at. */
#ifndef BLOCKPOOLCTL_PORT_H
#define BLOCKPOOLCTL_PORT_H

#include <stdbool.h>
#include <linux/blockpool.h>

/* 1: *port is the one after it, 0: there is none, -1: the error was told. */
int port_next(int fd, const char *pool, struct blockpool_port_args *port);

/* The port that an owner word names; NULL if it names none, or one that has ended. */
const char *port_name(int fd, __u32 word, char name[BLOCKPOOL_NAME_SIZE]);

static inline bool is_port(__u32 word)
{
	return word & BLOCKPOOL_OWNER_PORT;
}

static inline __u32 port_number(__u32 word)
{
	return word & ~BLOCKPOOL_OWNER_PORT;
}

#endif

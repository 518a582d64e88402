// SPDX-License-Identifier: GPL-2.0
/* Ports of a pool. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <blockpool.h>

#include "handover.h"

static char pool_name[BLOCKPOOL_NAME_SIZE];
static const char *const port_names[LANES] = { "there", "back" };

/* Of a side. */
static struct blockpool *pool;
static struct blockpool_port *ports[LANES];

static struct blockpool_port *bind_port(unsigned int lane, uint32_t flags)
{
	struct blockpool_port_attr attr = {
		.name = port_names[lane],
		.flags = flags,
		.depth = DEPTH,
		.linger_ms = -1,
	};

	return blockpool_bind(pool, &attr);
}

/* The pool lives as long as it is open here, and the ports as long as the pool. */
static const char *open_ports(void)
{
	struct blockpool_attr attr = {
		.name = pool_name,
		.block_size = SIZE,
		.nr_blocks = 4096,
	};
	struct blockpool_port *port;
	unsigned int i;

	snprintf(pool_name, sizeof(pool_name), "handover-%d", getpid());
	pool = blockpool_create(&attr);
	if (!pool)
		return strerror(errno);
	for (i = 0; i < LANES; i++) {
		port = bind_port(i, BLOCKPOOL_BIND_RECV | BLOCKPOOL_BIND_CREATE);
		if (!port || blockpool_unbind(port))
			return strerror(errno);
	}
	return NULL;
}

static void ports_join(unsigned int side)
{
	unsigned int i;

	pool = blockpool_open(pool_name, O_RDWR);
	if (!pool)
		err(1, "pool %s", pool_name);
	for (i = 0; i < LANES; i++) {
		ports[i] = bind_port(i, i == side ? BLOCKPOOL_BIND_SEND : BLOCKPOOL_BIND_RECV);
		if (!ports[i])
			err(1, "port %s", port_names[i]);
	}
}

/* Takes blocks for n messages and writes these. */
static void prepare(struct blockpool_message *list, unsigned int n, uint64_t first)
{
	void *blocks[BATCH];
	unsigned int i;

	if (blockpool_alloc_bulk(pool, blocks, n) != (int)n)
		err(1, "no blocks");
	for (i = 0; i < n; i++) {
		message_fill(blocks[i], first + i);
		list[i] = (struct blockpool_message) {
			.index = blockpool_index(pool, blocks[i]),
			.length = SIZE,
		};
	}
}

/* Reads n messages and gives their blocks back. */
static void consume(const struct blockpool_message *list, unsigned int n, uint64_t first)
{
	void *blocks[BATCH];
	unsigned int i;

	for (i = 0; i < n; i++) {
		blocks[i] = blockpool_block(pool, list[i].index);
		if (!blocks[i] || list[i].offset || list[i].length != SIZE)
			errx(1, "a message that nobody sent");
		message_check(blocks[i], first + i);
	}
	if (blockpool_free_bulk(pool, blocks, n) != (int)n)
		err(1, "free");
}

static void ports_send(unsigned int lane, unsigned int n, uint64_t first)
{
	struct blockpool_message list[BATCH];

	prepare(list, n, first);
	if (blockpool_send(ports[lane], list, n, BLOCKPOOL_PORT_ALL, -1) != (int)n)
		err(1, "send");
}

static void ports_receive(unsigned int lane, unsigned int n, uint64_t first)
{
	struct blockpool_message list[BATCH];

	if (blockpool_recv(ports[lane], list, n, BLOCKPOOL_PORT_ALL, -1) != (int)n)
		err(1, "recv");
	consume(list, n, first);
}

static void ports_call(unsigned int lane, uint64_t number, uint64_t answer)
{
	struct blockpool_message message;

	prepare(&message, 1, number);
	if (blockpool_call(ports[lane], &message, 1, ports[!lane], &message, 1, -1) != 1)
		err(1, "call");
	consume(&message, 1, answer);
}

const struct way way_ports = {
	.name = "blockpool ports",
	.batches = true,
	.open = open_ports,
	.join = ports_join,
	.send = ports_send,
	.receive = ports_receive,
};

const struct way way_ports_call = {
	.name = "blockpool ports, CALL",
	.open = open_ports,
	.join = ports_join,
	.send = ports_send,
	.receive = ports_receive,
	.call = ports_call,
};

// SPDX-License-Identifier: GPL-2.0
/*
 * The producer: read a file straight into blocks, and send these to the kernel.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <blockpool.h>

#include "stream.h"

struct producer {
	struct blockpool *pool;
	struct blockpool_port *port;
	size_t block_size;
	int source;
	struct tally *tally;
	uint32_t sequence;	/* of the next block */
};

/* The pool is far smaller than the file: this is what paces the stream. */
static void *take(struct producer *p)
{
	void *block = blockpool_alloc(p->pool);

	if (!block && errno == EAGAIN) {
		atomic_fetch_add(&p->tally->stalls, 1);
		block = blockpool_alloc_wait(p->pool, -1);
	}
	if (!block)
		err(1, "no block to be had");
	return block;
}

/* Read one block's worth; less only at the end of the file. */
static size_t fill(struct producer *p, char *block)
{
	size_t length = 0;
	ssize_t n;

	while (length < p->block_size) {
		n = read(p->source, block + length, p->block_size - length);
		if (n < 0)
			err(1, "cannot read the file");
		if (!n)
			break;
		length += n;
	}
	return length;
}

static void send_all(struct producer *p, const struct blockpool_message *messages,
		     unsigned int n)
{
	int sent;

	for (; n; n -= sent, messages += sent) {
		sent = blockpool_send(p->port, messages, n, 0, -1);
		if (sent < 0)
			err(1, "cannot send");
	}
}

/* What it sent is not its own any more: to free it is refused. */
static void try_to_free(struct producer *p, uint32_t index)
{
	void *block = blockpool_block(p->pool, index);

	if (blockpool_free(p->pool, block) < 0 && errno == EPERM)
		atomic_store(&p->tally->let_go, 1);
}

/* Send one batch; false after the last, which ends in a message of no bytes. */
static int send_batch(struct producer *p)
{
	struct blockpool_message messages[BATCH];
	unsigned int n = 0;
	size_t length;

	do {
		void *block = take(p);

		length = fill(p, block);
		messages[n++] = (struct blockpool_message) {
			.index = blockpool_index(p->pool, block),
			.length = length,
			.cookie = p->sequence++,
		};
	} while (length && n < BATCH);
	send_all(p, messages, n);
	try_to_free(p, messages[0].index);
	return length != 0;
}

noreturn void producer(const char *pool, const char *path, struct tally *tally)
{
	const struct blockpool_port_attr attr = {
		.name = PORT_TO_KERNEL,
		.flags = BLOCKPOOL_BIND_SEND,
	};
	struct producer p = { .tally = tally };
	struct blockpool_info info = { .size = sizeof(info) };

	p.source = open(path, O_RDONLY | O_CLOEXEC);
	if (p.source < 0)
		err(1, "%s", path);
	p.pool = blockpool_open(pool, O_RDWR);
	if (!p.pool || blockpool_info(p.pool, &info) < 0)
		err(1, "pool %s", pool);
	p.block_size = info.block_size;
	p.port = blockpool_bind(p.pool, &attr);
	if (!p.port)
		err(1, "port %s", attr.name);
	while (send_batch(&p))
		;
	exit(blockpool_unbind(p.port) < 0 || blockpool_close(p.pool) < 0);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The consumer: receive blocks, look at each where it lies, compare its CRC-32C with the
 * kernel's, write it to its place in the copy, and give it back to the pool.
 *
 * It may be killed at any moment.  What it had not given back goes to the next consumer
 * (BLOCKPOOL_BIND_AGAIN), who writes it to the same place once more.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <blockpool.h>

#include "crc32c.h"
#include "stream.h"

struct consumer {
	struct blockpool *pool;
	struct blockpool_port *port;
	size_t block_size;
	int copy;
	struct tally *tally;
	uint32_t next;		/* that the next message must have, or be AGAIN */
};

static void check(struct consumer *c, const struct blockpool_message *m,
		  const void *block)
{
	uint32_t sequence = m->cookie;

	if (m->flags & BLOCKPOOL_MESSAGE_AGAIN)
		atomic_fetch_add(&c->tally->again, 1);
	else if (c->next && sequence != c->next)
		atomic_fetch_add(&c->tally->disordered, 1);
	c->next = sequence + 1;
	if (crc32c(block, m->length) != m->cookie >> 32)
		atomic_fetch_add(&c->tally->mismatches, 1);
}

static void copy(struct consumer *c, const struct blockpool_message *m,
		 const void *block)
{
	uint32_t sequence = m->cookie;

	if (pwrite(c->copy, block, m->length, (off_t)sequence * c->block_size) !=
	    (ssize_t)m->length)
		err(1, "cannot write the copy");
	if (atomic_exchange(&c->tally->written[sequence], 1))
		return;
	atomic_fetch_add(&c->tally->blocks, 1);
	atomic_fetch_add(&c->tally->bytes, m->length);
}

/* Returns whether there is more to come. */
static int consume(struct consumer *c, const struct blockpool_message *m)
{
	char *block = blockpool_block(c->pool, m->index);

	if (m->length) {
		check(c, m, block + m->offset);
		copy(c, m, block + m->offset);
	}
	if (blockpool_free(c->pool, block) < 0)
		err(1, "cannot free a block");
	return m->length != 0;
}

static int consume_batch(struct consumer *c)
{
	struct blockpool_message messages[BATCH];
	int n = blockpool_recv(c->port, messages, BATCH, 0, -1), more = 1;

	if (n < 0)
		err(1, "cannot receive");
	for (int i = 0; i < n; i++)
		more = consume(c, &messages[i]);
	return more;
}

noreturn void consumer(const char *pool, const char *path, struct tally *tally)
{
	const struct blockpool_port_attr attr = {
		.name = PORT_TO_CONSUMER,
		.flags = BLOCKPOOL_BIND_RECV | BLOCKPOOL_BIND_CREATE |
			 BLOCKPOOL_BIND_AGAIN,
		.depth = PORT_DEPTH,
		.linger_ms = TOO_LONG * 1000,
	};
	struct consumer c = { .tally = tally };
	struct blockpool_info info = { .size = sizeof(info) };

	c.copy = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (c.copy < 0)
		err(1, "%s", path);
	c.pool = blockpool_open(pool, O_RDWR);
	if (!c.pool || blockpool_info(c.pool, &info) < 0)
		err(1, "pool %s", pool);
	c.block_size = info.block_size;
	c.port = blockpool_bind(c.pool, &attr);
	if (!c.port)
		err(1, "port %s", attr.name);
	atomic_store(&tally->ready, 1);

	while (consume_batch(&c))
		;
	if (close(c.copy) < 0)
		err(1, "%s", path);
	exit(blockpool_unbind(c.port) < 0 || blockpool_close(c.pool) < 0);
}

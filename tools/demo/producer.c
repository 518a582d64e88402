// SPDX-License-Identifier: GPL-2.0
/*
 * The producer: read a file straight into blocks, have the kernel take the
 * CRC-32C of each where it lies, and tell the consumer which blocks they are.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <blockpool.h>
#include <blockpool_peer.h>

#include "stream.h"

struct producer {
	struct blockpool *pool;
	size_t block_size;
	int source;
	int peer;
	struct pipes pipes;
	struct tally *tally;
	uint32_t sequence;	/* of the next note */
	unsigned int away;	/* blocks that are at the consumer */
};

static int open_peer(const char *pool)
{
	struct blockpool_peer_open arg = { 0 };
	int fd = open("/dev/blockpool_peer", O_RDWR | O_CLOEXEC);
	size_t i;

	if (fd < 0)
		err(1, "/dev/blockpool_peer");
	for (i = 0; i < sizeof(arg.name) - 1 && pool[i]; i++)
		arg.name[i] = pool[i];
	if (ioctl(fd, BLOCKPOOL_PEER_OPEN, &arg) < 0)
		err(1, "the peer module cannot open pool %s", pool);
	return fd;
}

/* Wait for the consumer, and free what it has done with. */
static void take_back(struct producer *p)
{
	struct note notes[BATCH];
	void *blocks[BATCH];
	unsigned int i, n = read_notes(p->pipes.empty, notes);

	if (!n)
		errx(1, "the consumer went away");
	for (i = 0; i < n; i++)
		blocks[i] = blockpool_block(p->pool, notes[i].index);
	if (blockpool_free_bulk(p->pool, blocks, n) != (int)n)
		err(1, "cannot free blocks");
	p->away -= n;
}

/* The pool is far smaller than the file: this is what paces the stream. */
static void take(struct producer *p, void **blocks)
{
	while (blockpool_alloc_bulk(p->pool, blocks, BATCH) < 0) {
		if (errno != EAGAIN)
			err(1, "no blocks to be had");
		if (!p->away)
			errx(1, "somebody else holds all blocks");
		atomic_fetch_add(&p->tally->stalls, 1);
		take_back(p);
	}
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

/* The kernel reads the same bytes through its own address of the block. */
static uint32_t kernel_crc(struct producer *p, uint32_t index, uint32_t length)
{
	struct blockpool_peer_crc arg = { .index = index, .length = length };

	if (ioctl(p->peer, BLOCKPOOL_PEER_CRC, &arg) < 0)
		err(1, "the peer module took no CRC of block %u", index);
	return arg.crc;
}

/* Send one batch; false after the last. */
static int send_batch(struct producer *p)
{
	struct note notes[BATCH];
	void *blocks[BATCH];
	unsigned int n;

	take(p, blocks);
	for (n = 0; n < BATCH; n++) {
		struct note *note = &notes[n];

		note->length = fill(p, blocks[n]);
		if (!note->length)
			break;
		note->index = blockpool_index(p->pool, blocks[n]);
		note->crc = kernel_crc(p, note->index, note->length);
		note->sequence = p->sequence++;
	}
	write_notes(p->pipes.full, notes, n);
	p->away += n;
	if (n == BATCH)
		return 1;
	if (blockpool_free_bulk(p->pool, blocks + n, BATCH - n) < 0)
		err(1, "cannot free blocks");
	return 0;
}

noreturn void producer(const char *pool, const char *path, struct pipes pipes,
		       struct tally *tally)
{
	struct producer p = { .pipes = pipes, .tally = tally };
	struct blockpool_info info = { .size = sizeof(info) };

	p.source = open(path, O_RDONLY | O_CLOEXEC);
	if (p.source < 0)
		err(1, "%s", path);
	p.pool = blockpool_open(pool, O_RDWR);
	if (!p.pool || blockpool_info(p.pool, &info) < 0)
		err(1, "pool %s", pool);
	p.block_size = info.block_size;
	p.peer = open_peer(pool);

	while (send_batch(&p))
		;
	close(pipes.full);
	while (p.away)
		take_back(&p);
	exit(blockpool_close(p.pool) < 0);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The consumer: look at each block where it lies, through a read-only handle,
 * compare its CRC-32C with the kernel's, write it to the copy and hand it back.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <blockpool.h>

#include "crc32c.h"
#include "stream.h"

struct consumer {
	struct blockpool *pool;
	size_t block_size;
	int copy;
	struct tally *tally;
	uint32_t sequence;	/* that the next note must have */
};

/* The kernel must refuse it both a block of its own and a writable page. */
static int is_locked_out(struct blockpool *pool)
{
	size_t page = sysconf(_SC_PAGESIZE);
	void *start = blockpool_block(pool, 0);

	if (blockpool_alloc(pool) || errno != EACCES)
		return 0;
	return mprotect(start, page, PROT_READ | PROT_WRITE) < 0 &&
	       errno == EACCES;
}

/* It believes nothing that comes through the pipe. */
static void consume(struct consumer *c, const struct note *note)
{
	const void *block = blockpool_block(c->pool, note->index);

	if (!block || note->length > c->block_size)
		errx(1, "the producer sent nonsense");
	if (note->sequence != c->sequence++)
		atomic_fetch_add(&c->tally->disordered, 1);
	if (crc32c(block, note->length) != note->crc)
		atomic_fetch_add(&c->tally->mismatches, 1);
	if (write(c->copy, block, note->length) != (ssize_t)note->length)
		err(1, "cannot write the copy");
	atomic_fetch_add(&c->tally->blocks, 1);
	atomic_fetch_add(&c->tally->bytes, note->length);
}

noreturn void consumer(const char *pool, const char *path, struct pipes pipes,
		       struct tally *tally)
{
	struct consumer c = { .tally = tally };
	struct blockpool_info info = { .size = sizeof(info) };
	struct note notes[BATCH];
	unsigned int i, n;

	c.copy = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (c.copy < 0)
		err(1, "%s", path);
	c.pool = blockpool_open(pool, O_RDONLY);
	if (!c.pool || blockpool_info(c.pool, &info) < 0)
		err(1, "pool %s", pool);
	c.block_size = info.block_size;
	atomic_store(&tally->locked_out, is_locked_out(c.pool));

	while ((n = read_notes(pipes.full, notes))) {
		for (i = 0; i < n; i++)
			consume(&c, &notes[i]);
		write_notes(pipes.empty, notes, n);
	}
	if (close(c.copy) < 0)
		err(1, "%s", path);
	exit(blockpool_close(c.pool) < 0);
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the two ends of the stream agree on.
 */
#ifndef STREAM_H
#define STREAM_H

#include <stdatomic.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/types.h>

/*
 * Blocks that are handed over at once.  A batch of notes is far smaller than
 * PIPE_BUF, so a pipe never tears one; and all the notes that a pool of some
 * hundred blocks can have under way fit into a pipe, so that neither side can
 * be stuck in write() while the other is.
 */
#define BATCH	32

/* The longest that the stream may take before it is ended, in seconds. */
#define TOO_LONG	30

/* The only thing that crosses the pipe; the data stay where they are. */
struct note {
	uint32_t index;		/* of the block */
	uint32_t length;	/* bytes of it that count */
	uint32_t crc;		/* CRC-32C of them, as the kernel sees it */
	uint32_t sequence;	/* 0, 1, 2, ... */
};

/* Figures that both sides keep in memory shared with their parent. */
struct tally {
	atomic_uint_least64_t bytes;	/* written by the consumer */
	atomic_uint_least64_t blocks;
	atomic_uint_least64_t mismatches;	/* CRC: kernel's, consumer's */
	atomic_uint_least64_t disordered;	/* notes out of sequence */
	atomic_uint_least64_t stalls;	/* times no block was free */
	atomic_int locked_out;		/* the consumer cannot write */
};

struct pipes {
	int full;		/* notes of filled blocks, to the consumer */
	int empty;		/* the same notes back, to be freed */
};

noreturn void producer(const char *pool, const char *path, struct pipes pipes,
		       struct tally *tally);
noreturn void consumer(const char *pool, const char *path, struct pipes pipes,
		       struct tally *tally);

/* One read() of a pipe: how many notes came, 0 at the end. */
unsigned int read_notes(int fd, struct note *notes);
void write_notes(int fd, const struct note *notes, unsigned int n);

#endif /* STREAM_H */

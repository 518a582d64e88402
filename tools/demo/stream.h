/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the stream agree on.
 *
 *   producer -> port "sum" -> the kernel -> port "copy" -> consumer
 *
 * With each block goes its ownership.  A message's cookie has the number of its block in
 * the file, 0, 1, 2, ..., in the lower half, and the kernel puts the CRC-32C of the block
 * in the upper one.  A message of no bytes ends the stream.
 */
#ifndef STREAM_H
#define STREAM_H

#include <stdatomic.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/types.h>

#define PORT_TO_KERNEL		"sum"
#define PORT_TO_CONSUMER	"copy"
#define PORT_DEPTH		64

/* Blocks that are handed over at once, at most. */
#define BATCH	32

/* The longest that the stream may take before it is ended, in seconds. */
#define TOO_LONG	60

/* Figures that all keep in memory shared with their parent. */
struct tally {
	atomic_uint_least64_t bytes;	/* written by a consumer, each once */
	atomic_uint_least64_t blocks;	/* likewise */
	atomic_uint_least64_t mismatches;	/* CRC: kernel's, consumer's */
	atomic_uint_least64_t disordered;	/* messages that went back, but again */
	atomic_uint_least64_t again;	/* messages that another had before */
	atomic_uint_least64_t stalls;	/* times no block was free */
	atomic_int ready;		/* there is somebody to receive */
	atomic_int let_go;		/* the producer could not free what it sent */
	atomic_char written[];		/* a block each */
};

noreturn void producer(const char *pool, const char *path, struct tally *tally);
noreturn void consumer(const char *pool, const char *path, struct tally *tally);

#endif /* STREAM_H */

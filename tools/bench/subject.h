/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What each of subjects/ defines, all static and best inline:
 *
 *   void subject_open(unsigned int blocks, unsigned int block_size);
 *   void subject_thread(void);		in each thread, before its first take
 *   void *take(void);			NULL if there is none
 *   void give(void *block);
 *
 * and, if it has calls for many blocks at once, SUBJECT_BULK and
 *
 *   void take_bulk(void **blocks, unsigned int n);
 *   void give_bulk(void **blocks, unsigned int n);
 *
 * SUBJECT_PRIVATE: a block can only be given back by the thread that took it.
 * SUBJECT_CALLS: calls_of_take() and calls_of_give() count the system calls.
 */
#ifndef BENCH_SUBJECT_H
#define BENCH_SUBJECT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE	/* g++ does by itself */
#endif

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static inline __attribute__((noreturn)) void *die(const char *why)
{
	fprintf(stderr, "%s\n", why);
	exit(1);
}

/* Memory that is not there before it is touched. */
static inline void *get_memory(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? die("no memory") : memory;
}

#endif /* BENCH_SUBJECT_H */

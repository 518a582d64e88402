// SPDX-License-Identifier: GPL-2.0
/*
 * exit.c - counters of processes that end by _exit(), as each test of kselftest's
 * harness does
 *
 * Linked into the programs with --wrap=_exit. A child begins with counters of its
 * own, so that nothing is counted twice.
 */

#include <gcov.h>
#include <pthread.h>

void __real__exit(int status) __attribute__((__noreturn__));
void __wrap__exit(int status) __attribute__((__noreturn__));

void __wrap__exit(int status)
{
	__gcov_dump();
	__real__exit(status);
}

static void __attribute__((__constructor__)) begin(void)
{
	pthread_atfork(NULL, NULL, __gcov_reset);
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Allocations of the calling thread that fail: the nth from now on, alone or with all
 * small ones that follow.  Were pages among those, a page fault would be tried again
 * for ever.
 *
 * Needs a kernel with CONFIG_FAULT_INJECTION and FAILSLAB, FAIL_PAGE_ALLOC,
 * FAULT_INJECTION_DEBUG_FS.
 */
#ifndef SELFTESTS_FAIL_NTH_H
#define SELFTESTS_FAIL_NTH_H

#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pool.h"

#define FAIL_NTH_MAX	3000	/* no call has so many allocations */
#define FAIL_NTH_NEVER	1000000000	/* nor a thread in its life */

static int fail_nth_fd = -1;

static inline bool fail_possible(void)
{
	return !access("/proc/self/fail-nth", F_OK) &&
	       !access("/sys/kernel/debug/failslab", F_OK) &&
	       !access("/sys/kernel/debug/fail_page_alloc", F_OK);
}

static inline void fail_set(const char *pattern, const char *value)
{
	glob_t found;

	if (glob(pattern, 0, NULL, &found))
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		must(!file_write(found.gl_pathv[i], value));
	globfree(&found);
}

/* The kernel's report of a fault that was asked for is none. */
static inline void fail_set_up(void)
{
	fail_set("/sys/kernel/debug/fail*/verbose", "0");
	fail_set("/sys/kernel/debug/fail*/ignore-gfp-wait", "N");
	fail_set("/sys/kernel/debug/fail*/ignore-gfp-highmem", "N");
	fail_set("/sys/kernel/debug/fail*/min-order", "0");
	fail_set("/sys/kernel/debug/failslab/task-filter", "Y");
	fail_set("/sys/kernel/debug/failslab/times", "-1");
	fail_set("/sys/kernel/debug/failslab/probability", "100");
}

/* It may be met by this itself, where copies from user space fail too. */
static inline bool fail_write(int nth)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%d", nth);

	return pwrite(fail_nth_fd, text, length, 0) == length;
}

/*
 * @all: small ones behind it fail too; none does as long as it is to come.  The file
 * is kept open, as a user without privileges may not open it.
 */
static inline void fail_open(bool all)
{
	fail_nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	must(fail_nth_fd >= 0 && fail_write(FAIL_NTH_NEVER));
	must(!file_write("/proc/thread-self/make-it-fail", all ? "1" : "0"));
}

static inline void fail_arm(int nth)
{
	must(fail_write(nth));
}

/* True if a fault was injected; one that is met only by this is none. */
static inline bool fail_disarm(void)
{
	char text[16] = {};
	bool met = pread(fail_nth_fd, text, sizeof(text) - 1, 0) < 0;

	while (!fail_write(FAIL_NTH_NEVER))
		met = true;
	return !met && !atoi(text);
}

#endif /* SELFTESTS_FAIL_NTH_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Accesses that may be refused.  expect_faults() first; from then on load(), store()
 * and touch() return 0, or the signal that came of it, which must have named the
 * address.  Any other fault ends the process as ever.
 */
#ifndef SELFTESTS_TOUCH_H
#define SELFTESTS_TOUCH_H

#include <setjmp.h>
#include <signal.h>

#include "pool.h"

/* A thread is interrupted by its own faults only. */
static __thread sigjmp_buf refused;
static __thread volatile sig_atomic_t touching;
static __thread void *volatile refused_at;

static inline void on_fault(int number, siginfo_t *info, void *context)
{
	if (!touching) {
		signal(number, SIG_DFL);
		return;
	}
	refused_at = info->si_addr;
	siglongjmp(refused, number);
}

static inline void expect_faults(void)
{
	const struct sigaction action = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	must(!sigaction(SIGBUS, &action, NULL));
	must(!sigaction(SIGSEGV, &action, NULL));
}

static inline int load(const char *at)
{
	int number = sigsetjmp(refused, 0);

	touching = !number;
	if (!number)
		(void)*(const volatile char *)at;
	touching = 0;
	must(!number || refused_at == at);
	return number;
}

static inline int store(char *at, char byte)
{
	int number = sigsetjmp(refused, 0);

	touching = !number;
	if (!number)
		*(volatile char *)at = byte;
	touching = 0;
	must(!number || refused_at == at);
	return number;
}

/* Reading and writing are answered alike. */
static inline int touch(char *at)
{
	int number = load(at);

	must(store(at, 'x') == number);
	return number;
}

#endif /* SELFTESTS_TOUCH_H */

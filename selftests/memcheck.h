/* SPDX-License-Identifier: GPL-2.0 */
/* A program that runs itself again under Valgrind's memcheck, and reads the verdict. */
#ifndef SELFTESTS_MEMCHECK_H
#define SELFTESTS_MEMCHECK_H

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEMCHECK_FOUND	9	/* exit status if memcheck reported something */
#define MEMCHECK_NONE	127	/* there is no valgrind */

/* What the program shall do when it runs under memcheck; else NULL. */
static inline const char *memcheck_deed(void)
{
	return getenv("MEMCHECK_DEED");
}

static inline void memcheck_exec(const char *deed, int output)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n < 0 ? 0 : n] = '\0';
	setenv("MEMCHECK_DEED", deed, 1);
	dup2(output, STDERR_FILENO);
	/*
	 * It knows none of the device's calls and would say so, and where it goes
	 * on translating in a function that is called it mixes up the two.
	 */
	execlp("valgrind", "valgrind", "-q", "--sim-hints=lax-ioctls",
	       "--vex-guest-chase=no", "--error-exitcode=9", self, NULL);
	_exit(MEMCHECK_NONE);
}

/* The exit status of the deed, or MEMCHECK_...; text is all that was printed. */
static inline int memcheck_run(const char *deed, char *text, size_t size)
{
	int pipes[2], status = -1;
	size_t have = 0;
	ssize_t n;
	pid_t pid;

	if (pipe(pipes))
		return -1;
	pid = fork();
	if (!pid)
		memcheck_exec(deed, pipes[1]);
	close(pipes[1]);
	while ((n = read(pipes[0], text + have, size - 1 - have)) > 0)
		have += n;
	text[have] = '\0';
	close(pipes[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif /* SELFTESTS_MEMCHECK_H */

// SPDX-License-Identifier: GPL-2.0
/*
 * stream POOL FILE COPY - copy a file through a pool, from process to process
 *
 * A producer and a consumer run as children; what passes between them is the
 * numbers of blocks.  Progress goes to stderr; the figures go to stdout, one
 * "name value" a line.  Exit status 0 if all was copied and checked.
 */
#include <err.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stream.h"

#define BAR_CELLS	50

unsigned int read_notes(int fd, struct note *notes)
{
	ssize_t n = read(fd, notes, BATCH * sizeof(*notes));

	if (n < 0)
		err(1, "cannot read from the pipe");
	if (n % sizeof(*notes))
		errx(1, "half a note came through the pipe");
	return n / sizeof(*notes);
}

void write_notes(int fd, const struct note *notes, unsigned int n)
{
	size_t size = n * sizeof(*notes);

	if (size && write(fd, notes, size) != (ssize_t)size)
		err(1, "cannot write to the pipe");
}

/* Children neither outlive this process nor run for ever. */
static pid_t start(char *name)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		exit(1);
	alarm(TOO_LONG);
	prctl(PR_SET_NAME, name);
	program_invocation_short_name = name;
	return 0;
}

static void start_both(char **argv, struct tally *tally, pid_t *pids)
{
	int full[2], empty[2];

	if (pipe(full) < 0 || pipe(empty) < 0)
		err(1, "pipe");
	pids[0] = start("producer");
	if (!pids[0]) {
		close(full[0]);
		close(empty[1]);
		producer(argv[1], argv[2],
			 (struct pipes){ full[1], empty[0] }, tally);
	}
	pids[1] = start("consumer");
	if (!pids[1]) {
		close(full[1]);
		close(empty[0]);
		consumer(argv[1], argv[3],
			 (struct pipes){ full[0], empty[1] }, tally);
	}
	close(full[0]);
	close(full[1]);
	close(empty[0]);
	close(empty[1]);
}

/* A bar that only ever grows needs no terminal. */
static void show_progress(const struct tally *tally, uint64_t total)
{
	static unsigned int shown;
	const char *cell = strcmp(nl_langinfo(CODESET), "UTF-8") ? "#" : "█";

	for (; shown * total < tally->bytes * BAR_CELLS; shown++)
		fputs(cell, stderr);
}

/* Wait for both; when one fails the other is ended.  True if all went well. */
static int wait_for_both(pid_t *pids, struct tally *tally, uint64_t total)
{
	static const char * const names[] = { "producer", "consumer" };
	int left = 2, good = 1, status;

	while (left) {
		for (int i = 0; i < 2; i++) {
			if (!pids[i] || !waitpid(pids[i], &status, WNOHANG))
				continue;
			pids[i] = 0;
			left--;
			if (!status)
				continue;
			if (good && WIFSIGNALED(status))
				warnx("%s: %s", names[i],
				      strsignal(WTERMSIG(status)));
			good = 0;
			if (pids[!i])
				kill(pids[!i], SIGTERM);
		}
		show_progress(tally, total);
		usleep(20000);
	}
	return good;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void print_figures(const struct tally *tally, double seconds)
{
	printf("bytes %llu\n", (unsigned long long)tally->bytes);
	printf("blocks %llu\n", (unsigned long long)tally->blocks);
	printf("mismatches %llu\n", (unsigned long long)tally->mismatches);
	printf("disordered %llu\n", (unsigned long long)tally->disordered);
	printf("stalls %llu\n", (unsigned long long)tally->stalls);
	printf("locked_out %d\n", tally->locked_out);
	printf("seconds %.2f\n", seconds);
}

int main(int argc, char **argv)
{
	struct tally *tally;
	struct stat file;
	pid_t pids[2];
	double began;
	int good;

	if (argc != 4)
		errx(2, "usage: stream POOL FILE COPY");
	setlocale(LC_CTYPE, "");
	if (stat(argv[2], &file) < 0)
		err(1, "%s", argv[2]);
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tally == MAP_FAILED)
		err(1, "mmap");

	began = now();
	start_both(argv, tally, pids);
	good = wait_for_both(pids, tally, file.st_size);
	print_figures(tally, now() - began);
	return !(good && tally->bytes == (uint64_t)file.st_size &&
		 !tally->mismatches && !tally->disordered);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * stream POOL FILE COPY - copy a file through a pool, from process to process
 *
 * A producer and a consumer run as children, and between them the kernel takes the sum
 * of each block: see stream.h.  When half of the file is there the consumer is killed,
 * and another takes over its port.  Progress goes to stderr; the figures go to stdout,
 * one "name value" a line.  Exit status 0 if all was copied and checked.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <blockpool.h>
#include <blockpool_peer.h>

#include "stream.h"

#define BAR_CELLS	50

struct stream {
	const char *pool, *file, *copy;
	struct tally *tally;
	uint64_t total;		/* bytes of the file */
	int peer;
	pid_t producer, consumer;
	int killed;		/* how the first consumer ended; 0: not yet */
};

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

static void start_consumer(struct stream *s)
{
	atomic_store(&s->tally->ready, 0);
	s->consumer = start("consumer");
	if (!s->consumer)
		consumer(s->pool, s->copy, s->tally);
	while (!atomic_load(&s->tally->ready) &&
	       !waitpid(s->consumer, NULL, WNOHANG))
		usleep(1000);
}

/* The kernel receives, takes the sum, and sends on what it had. */
static void start_kernel(struct stream *s)
{
	struct blockpool_peer_open pool = { 0 };
	struct blockpool_peer_port port = {
		.name = PORT_TO_KERNEL,
		.to = PORT_TO_CONSUMER,
		.flags = BLOCKPOOL_BIND_RECV | BLOCKPOOL_BIND_CREATE,
		.depth = PORT_DEPTH,
		.handler = BLOCKPOOL_PEER_IN_PROCESS,
	};

	s->peer = open("/dev/blockpool_peer", O_RDWR | O_CLOEXEC);
	if (s->peer < 0)
		err(1, "/dev/blockpool_peer");
	snprintf(pool.name, sizeof(pool.name), "%s", s->pool);
	if (ioctl(s->peer, BLOCKPOOL_PEER_OPEN, &pool) < 0 ||
	    ioctl(s->peer, BLOCKPOOL_PEER_PORT_OPEN, &port) < 0)
		err(1, "the peer module cannot use pool %s", s->pool);
}

static void start_producer(struct stream *s)
{
	s->producer = start("producer");
	if (!s->producer)
		producer(s->pool, s->file, s->tally);
}

/* A bar that only ever grows needs no terminal. */
static void show_progress(const struct tally *tally, uint64_t total)
{
	static unsigned int shown;
	const char *cell = strcmp(nl_langinfo(CODESET), "UTF-8") ? "#" : "█";

	for (; shown * total < tally->bytes * BAR_CELLS; shown++)
		fputs(cell, stderr);
}

/* In mid-stream, wherever it just is. */
static void replace_consumer(struct stream *s)
{
	kill(s->consumer, SIGKILL);
	waitpid(s->consumer, &s->killed, 0);
	start_consumer(s);
}

/* Returns whether a child has ended well or goes on. */
static int is_well(const char *name, pid_t *pid)
{
	int status;

	if (!*pid || waitpid(*pid, &status, WNOHANG) != *pid)
		return 1;
	*pid = 0;
	if (WIFSIGNALED(status))
		warnx("%s: %s", name, strsignal(WTERMSIG(status)));
	return !status;
}

/* Until both have ended, or one badly: then the other is ended too. */
static int wait_for_both(struct stream *s)
{
	int good = 1;

	while (s->producer || s->consumer) {
		good &= is_well("producer", &s->producer);
		good &= is_well("consumer", &s->consumer);
		if (!good) {
			if (s->producer)
				kill(s->producer, SIGTERM);
			if (s->consumer)
				kill(s->consumer, SIGTERM);
		} else if (!s->killed && s->consumer &&
			   s->tally->bytes > s->total / 2) {
			replace_consumer(s);
		}
		show_progress(s->tally, s->total);
		usleep(2000);
	}
	return good;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void print_figures(const struct stream *s, double seconds)
{
	const struct tally *tally = s->tally;

	printf("bytes %llu\n", (unsigned long long)tally->bytes);
	printf("blocks %llu\n", (unsigned long long)tally->blocks);
	printf("mismatches %llu\n", (unsigned long long)tally->mismatches);
	printf("disordered %llu\n", (unsigned long long)tally->disordered);
	printf("again %llu\n", (unsigned long long)tally->again);
	printf("stalls %llu\n", (unsigned long long)tally->stalls);
	printf("let_go %d\n", tally->let_go);
	printf("killed %d\n", WIFSIGNALED(s->killed) ? WTERMSIG(s->killed) : 0);
	printf("seconds %.2f\n", seconds);
}

static void prepare(struct stream *s)
{
	struct stat file;

	if (stat(s->file, &file) < 0)
		err(1, "%s", s->file);
	s->total = file.st_size;
	/* No block is smaller than 64 bytes here. */
	s->tally = mmap(NULL, sizeof(*s->tally) + s->total / 64 + 1,
			PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			0);
	if (s->tally == MAP_FAILED)
		err(1, "mmap");
}

int main(int argc, char **argv)
{
	struct stream s = { 0 };
	double began;
	int good;

	if (argc != 4)
		errx(2, "usage: stream POOL FILE COPY");
	setlocale(LC_CTYPE, "");
	s.pool = argv[1];
	s.file = argv[2];
	s.copy = argv[3];
	prepare(&s);

	began = now();
	start_consumer(&s);
	start_kernel(&s);
	start_producer(&s);
	good = wait_for_both(&s);
	close(s.peer);
	print_figures(&s, now() - began);
	return !(good && s.tally->bytes == s.total && !s.tally->mismatches &&
		 !s.tally->disordered);
}

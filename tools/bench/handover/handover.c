// SPDX-License-Identifier: GPL-2.0
/*
 * handover - hand messages of 2 KiB to another process, by ports and by other ways
 *
 *   handover WORLD ROUNDS SLICE_MS CASE ...
 *
 * The sender writes all of a message, the receiver reads and checks all of it; each
 * has a processor of its own, if there are two, and sleeps when it has nothing to do.
 * Prints a JSON line for each case, nanoseconds a message or a round trip:
 *
 *   single     a stream of messages, one a call
 *   batch32    likewise, 32 a call
 *   roundtrip  a message and its answer
 *
 * and, for ways that never sleep, with a processor for each side only:
 *
 *   polled, polled32, polledtrip	the same
 *   untouched, untouched32		nobody writes or reads the messages
 *
 * A round does each way once in each case, and another way comes first each time.  A
 * way that cannot be had is told of as missing; one that goes wrong ends it all.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "handover.h"

#define ROUNDS_MAX	1000U
#define WARM		(4 * DEPTH)	/* messages that are not timed */
#define TIMEOUT		60U		/* seconds, for what takes less than one */
#define MISSING		3		/* exit status */

static const struct way *const ways[] = {
	&way_ports, &way_ports_call, &way_channel, &way_ring, &way_msg_ring, &way_pipe,
	&way_datagram, &way_seqpacket, &way_mq, &way_channel_polling, &way_index_ring,
};

static const struct handover_case {
	const char *name;
	unsigned int batch;
	bool answered, polled, untouched;
} cases[] = {
	{ "single", .batch = 1 },
	{ "batch32", .batch = BATCH },
	{ "roundtrip", .batch = 1, .answered = true },
	{ "polled", .batch = 1, .polled = true },
	{ "polled32", .batch = BATCH, .polled = true },
	{ "polledtrip", .batch = 1, .answered = true, .polled = true },
	{ "untouched", .batch = 1, .polled = true, .untouched = true },
	{ "untouched32", .batch = BATCH, .polled = true, .untouched = true },
};

#define WAYS	(sizeof(ways) / sizeof(ways[0]))
#define CASES	(sizeof(cases) / sizeof(cases[0]))

static struct {
	unsigned long count;	/* messages that last a slice; 0: not measured */
	double samples[ROUNDS_MAX];
} results[WAYS][CASES];

static bool wanted[CASES];

/* What the processes tell the first of them. */
static struct {
	double ns[2];		/* a message, as each side sees it */
	char missing[128];
} *told;

bool answered, untouched;
unsigned char messages[BATCH][SIZE] __attribute__((aligned(64)));

/* --- one side ------------------------------------------------------------- */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* The side's own of those processors that are there. */
static void stay_on_cpu(unsigned int side)
{
	cpu_set_t all, one;
	int cpu = -1;

	if (sched_getaffinity(0, sizeof(all), &all))
		err(1, "sched_getaffinity");
	side %= (unsigned int)CPU_COUNT(&all);
	do {
		cpu++;
	} while (!CPU_ISSET(cpu, &all) || side--);
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		err(1, "sched_setaffinity");
}

/* An answer has the number of its message, but for all of its bits. */
static void pass(const struct way *way, unsigned int batch, unsigned int side,
		 uint64_t from, uint64_t to)
{
	for (; from < to; from += batch) {
		if (!side)
			way->send(0, batch, from);
		else
			way->receive(0, batch, from);
		if (!answered)
			continue;
		if (side)
			way->send(1, 1, ~from);
		else
			way->receive(1, 1, ~from);
	}
}

/* Likewise: an answer and the next message go with one call. */
static void pass_by_calls(const struct way *way, unsigned int side, uint64_t from,
			  uint64_t to)
{
	if (side)
		way->receive(0, 1, from);
	for (; from < to - side; from++)
		way->call(side, side ? ~from : from, side ? from + 1 : ~from);
	if (side)
		way->send(1, 1, ~from);
}

static void pass_all(const struct way *way, unsigned int batch, unsigned int side,
		     uint64_t from, uint64_t to)
{
	if (way->call)
		pass_by_calls(way, side, from, to);
	else
		pass(way, batch, side, from, to);
}

static void be_side(const struct way *way, unsigned int batch, unsigned int side,
		    unsigned long count)
{
	uint64_t start;

	alarm(TIMEOUT);
	stay_on_cpu(side);
	if (way->join)
		way->join(side);
	pass_all(way, batch, side, 0, WARM);
	start = now_ns();
	pass_all(way, batch, side, WARM, WARM + count);
	told->ns[side] = (double)(now_ns() - start) / (double)count;
	if (way->leave)
		way->leave(side);
	exit(0);
}

/* --- both ----------------------------------------------------------------- */

static pid_t fork_or_die(void)
{
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	return pid;
}

/* A process that opens what the sides need, so that all of it goes with the process. */
static void be_parent(const struct way *way, unsigned int batch, unsigned long count)
{
	const char *why = way->open();
	unsigned int side;
	pid_t sides[2];
	int status;

	if (why) {
		snprintf(told->missing, sizeof(told->missing), "%s", why);
		exit(MISSING);
	}
	for (side = 0; side < 2; side++) {
		sides[side] = fork_or_die();
		if (!sides[side])
			be_side(way, batch, side, count);
	}
	while (wait(&status) > 0) {
		if (!status)
			continue;
		if (WIFSIGNALED(status))
			warnx("killed by signal %d", WTERMSIG(status));
		kill(sides[0], SIGKILL);
		kill(sides[1], SIGKILL);
		exit(1);
	}
	exit(0);
}

/* Who waits for the other has the time; 0: the way is missing. */
static double run(const struct way *way, const struct handover_case *c, unsigned long count)
{
	pid_t pid;
	int status;

	answered = c->answered;
	untouched = c->untouched;
	pid = fork_or_die();
	if (!pid)
		be_parent(way, c->batch, count);
	if (waitpid(pid, &status, 0) < 0)
		err(1, "waitpid");
	if (WIFEXITED(status) && WEXITSTATUS(status) == MISSING)
		return 0;
	if (status)
		errx(1, "%s, %s: failed", way->name, c->name);
	return told->ns[c->answered ? 0 : 1];
}

/* So many messages that they last as long as a slice, by doubling. */
static unsigned long calibrate(const struct way *way, const struct handover_case *c,
			       double slice_ns)
{
	unsigned long count = WARM;
	double ns;

	for (;;) {
		ns = run(way, c, count);
		if (!ns)
			return 0;
		if (ns * (double)count >= slice_ns)
			return count;
		count *= 2;
	}
}

static void print_missing(const char *world, const struct way *way)
{
	printf("{\"world\":\"%s\",\"subject\":\"%s\",\"missing\":\"%s\"}\n", world,
	       way->name, told->missing);
}

static void print(const char *world, unsigned int way, unsigned int c, unsigned int rounds)
{
	unsigned int i;

	printf("{\"world\":\"%s\",\"subject\":\"%s\",\"case\":\"%s\",", world,
	       ways[way]->name, cases[c].name);
	printf("\"threads\":2,\"blocks\":%u,\"block_size\":%u,\"unit\":\"ns\",\"samples\":[",
	       DEPTH, SIZE);
	for (i = 0; i < rounds; i++)
		printf("%s%.1f", i ? "," : "", results[way][c].samples[i]);
	printf("]}\n");
}

static bool is_for(const struct handover_case *c, const struct way *way)
{
	return c->polled == way->polls && (c->batch == 1 || way->batches) &&
	       (c->answered || !way->call);
}

static void prepare(const char *world, double slice_ns)
{
	unsigned int way, c;

	for (way = 0; way < WAYS; way++) {
		for (c = 0; c < CASES; c++) {
			if (!wanted[c] || !is_for(&cases[c], ways[way]))
				continue;
			results[way][c].count = calibrate(ways[way], &cases[c], slice_ns);
			if (!results[way][c].count)
				break;
		}
		if (*told->missing)
			print_missing(world, ways[way]);
		*told->missing = '\0';
	}
}

static void do_round(unsigned int round)
{
	unsigned int i, c, way;

	for (c = 0; c < CASES; c++) {
		for (i = 0; i < WAYS; i++) {
			way = (round + i) % WAYS;
			if (results[way][c].count)
				results[way][c].samples[round] =
					run(ways[way], &cases[c], results[way][c].count);
		}
	}
}

static void want(const char *name)
{
	unsigned int c = 0;

	while (strcmp(name, cases[c].name))
		if (++c == CASES)
			errx(2, "no case %s", name);
	wanted[c] = true;
}

int main(int argc, char **argv)
{
	unsigned int rounds, slice_ms, i, c;

	if (argc < 5)
		errx(2, "usage: handover WORLD ROUNDS SLICE_MS CASE ...");
	for (i = 4; argv[i]; i++)
		want(argv[i]);
	rounds = (unsigned int)atoi(argv[2]);
	slice_ms = (unsigned int)atoi(argv[3]);
	if (!rounds || rounds > ROUNDS_MAX || !slice_ms)
		errx(2, "rounds: 1 to %u, a slice: from 1", ROUNDS_MAX);
	setvbuf(stdout, NULL, _IOLBF, 0);	/* nothing that a fork would print again */
	told = shared_memory(sizeof(*told));
	prepare(argv[1], slice_ms * 1e6);
	for (i = 0; i < rounds; i++)
		do_round(i);
	for (i = 0; i < WAYS; i++)
		for (c = 0; c < CASES; c++)
			if (results[i][c].count)
				print(argv[1], i, c, rounds);
	return 0;
}

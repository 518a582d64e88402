// SPDX-License-Identifier: GPL-2.0
/*
 * What is done with every subject: the same loops, compiled together with it, so
 * that a subject that can be inlined is, and none pays for a call of ours.
 *
 *   PROGRAM CASE THREADS BLOCKS BLOCK_SIZE SLICES SLICE_US
 *	prints a line "CASE UNIT VALUE" or several: the median of the slices'
 *	nanoseconds a pair (or whatever UNIT says)
 *   PROGRAM CASE 1 BLOCKS BLOCK_SIZE exactly PAIRS
 *	runs so many pairs and prints nothing, for programs that count
 *
 * SUBJECT is a file with the functions of subject.h. Compiles as C and as C++.
 */
#include "subject.h"
#include SUBJECT

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#define BURST		32U	/* of the cases burst32 and bulk32 */
#define DEEP		1024U	/* deeper than most caches */
#define ORDERS		64U	/* orders in which a burst is given back */
#define SPARE		32U	/* free blocks in a pool that is nearly full */
#define GROUP		8U	/* blocks freed before as many are taken again */
#define RING		1024U	/* blocks on their way to another thread */
#define CHECKED		10000U	/* takes of the case "owners" */
#define NOT_FOR_IT	3	/* exit status: a case that the subject cannot have */

#ifndef SUBJECT_BULK
static void take_bulk(void **blocks, unsigned int n)
{
	(void)blocks;
	(void)n;
	exit(NOT_FOR_IT);
}

#define give_bulk	take_bulk
#endif

static struct {
	unsigned int threads, blocks, block_size, slices;
	unsigned long slice_ns;
	unsigned long exactly;
} options;

/* What a thread of a case has for itself. */
struct worker {
	pthread_t thread;
	void (*loop)(struct worker *worker, unsigned long pairs);
	void **hand;		/* blocks that it holds, n of them */
	unsigned int n, at;
	unsigned long pairs;	/* done, in all slices */
	double *slices;		/* nanoseconds a pair */
};

static unsigned char orders[ORDERS][BURST];
static int cpus[2], nr_cpus;
static unsigned int running;	/* threads that have slices to time */

static unsigned long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned long)now.tv_sec * 1000000000UL + (unsigned long)now.tv_nsec;
}

/* The compiler must believe that *p and all memory are looked at here. */
static inline void keep(void *p)
{
	__asm__ volatile("" : : "r"(p) : "memory");
}

static unsigned int random_below(unsigned int n)
{
	static unsigned long state = 88172645463325252UL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned int)(state % n);
}

static void shuffle(void **blocks, unsigned int n)
{
	for (; n > 1; n--) {
		unsigned int other = random_below(n);
		void *block = blocks[other];

		blocks[other] = blocks[n - 1];
		blocks[n - 1] = block;
	}
}

static void make_orders(void)
{
	void *order[BURST];
	unsigned int i, j;

	for (j = 0; j < BURST; j++)
		order[j] = (void *)(uintptr_t)j;
	for (i = 0; i < ORDERS; i++) {
		shuffle(order, BURST);
		for (j = 0; j < BURST; j++)
			orders[i][j] = (unsigned char)(uintptr_t)order[j];
	}
}

/* A subject that has none to give where there must be one is wrong. */
static void *must_take(void)
{
	void *block = take();

	return block ? block : die("no block where there must be one");
}

/* --- the loops ------------------------------------------------------------ */

static void loop_pair(struct worker *worker, unsigned long pairs)
{
	(void)worker;
	while (pairs--) {
		void *block = take();

		keep(block);
		give(block);
	}
}

static void loop_burst(struct worker *worker, unsigned long pairs)
{
	void *blocks[BURST];
	unsigned int i;

	for (; pairs >= BURST; pairs -= BURST) {
		const unsigned char *order = orders[worker->at++ % ORDERS];

		for (i = 0; i < BURST; i++)
			blocks[i] = take();
		keep(blocks);
		for (i = 0; i < BURST; i++)
			give(blocks[order[i]]);
	}
}

static void loop_bulk(struct worker *worker, unsigned long pairs)
{
	void *blocks[BURST];

	(void)worker;
	for (; pairs >= BURST; pairs -= BURST) {
		take_bulk(blocks, BURST);
		keep(blocks);
		give_bulk(blocks, BURST);
	}
}

static void loop_deep(struct worker *worker, unsigned long pairs)
{
	void *blocks[DEEP];
	unsigned int i;

	(void)worker;
	for (; pairs >= DEEP; pairs -= DEEP) {
		for (i = 0; i < DEEP; i++)
			blocks[i] = take();
		keep(blocks);
		for (i = 0; i < DEEP; i++)
			give(blocks[i]);
	}
}

/*
 * The hand was shuffled, so that to walk through it is to free at random. It is
 * a multiple of GROUP.
 */
static void loop_hand(struct worker *worker, unsigned long pairs)
{
	void **hand;
	unsigned int i;

	for (; pairs >= GROUP; pairs -= GROUP) {
		hand = worker->hand + worker->at;
		for (i = 0; i < GROUP; i++)
			give(hand[i]);
		for (i = 0; i < GROUP; i++)
			hand[i] = take();
		keep(hand);
		worker->at += GROUP;
		if (worker->at == worker->n)
			worker->at = 0;
	}
}

/* A ring from one thread to another, each of whom writes to one of its ends. */
static void *ring[RING];
static struct {
	unsigned long count;
	char pad[120];		/* another cache line, and not its neighbour */
} pushes, pops;

static void loop_cross(struct worker *worker, unsigned long pairs)
{
	static unsigned long pushed, popped;
	void *block;

	(void)worker;
	while (pairs--) {
		do {
			block = take();
		} while (!block);	/* all are on their way back */
		while (pushed == popped + RING)
			popped = __atomic_load_n(&pops.count, __ATOMIC_ACQUIRE);
		ring[pushed++ % RING] = block;
		__atomic_store_n(&pushes.count, pushed, __ATOMIC_RELEASE);
	}
}

static void *give_what_comes(void *arg)
{
	unsigned long popped = 0, pushed = 0;

	subject_thread();
	while (pushed != popped || __atomic_load_n(&running, __ATOMIC_ACQUIRE)) {
		pushed = __atomic_load_n(&pushes.count, __ATOMIC_ACQUIRE);
		while (popped != pushed) {
			give(ring[popped % RING]);
			__atomic_store_n(&pops.count, ++popped, __ATOMIC_RELEASE);
		}
	}
	return arg;
}

/* --- how a loop is timed -------------------------------------------------- */

static double timed(struct worker *worker, unsigned long pairs)
{
	unsigned long start = now_ns();

	worker->loop(worker, pairs);
	worker->pairs += pairs;
	return (double)(now_ns() - start);
}

/* So many pairs that they last as long as a slice, by doubling. */
static unsigned long calibrate(struct worker *worker)
{
	unsigned long pairs = DEEP;

	while (timed(worker, pairs) < (double)options.slice_ns)
		pairs *= 2;
	return pairs;
}

static void time_slices(struct worker *worker)
{
	unsigned long pairs;
	unsigned int i;

	if (options.exactly) {
		worker->loop(worker, options.exactly);
		return;
	}
	pairs = calibrate(worker);
	for (i = 0; i < options.slices; i++)
		worker->slices[i] = timed(worker, pairs) / (double)pairs;
}

/* Whoever has its slices goes on until all have: none is timed alone. */
static void *work(void *arg)
{
	struct worker *worker = (struct worker *)arg;

	subject_thread();
	time_slices(worker);
	__atomic_sub_fetch(&running, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&running, __ATOMIC_ACQUIRE))
		timed(worker, DEEP);
	return NULL;
}

static pthread_t start(void *(*function)(void *arg), void *arg, int cpu)
{
	pthread_attr_t attr;
	pthread_t thread;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_attr_init(&attr);
	if (pthread_attr_setaffinity_np(&attr, sizeof(set), &set) ||
	    pthread_create(&thread, &attr, function, arg))
		die("cannot start a thread");
	return thread;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print_median(const char *name, double *slices, unsigned int n)
{
	qsort(slices, n, sizeof(*slices), by_value);
	if (!options.exactly)
		printf("%s ns %.3f\n", name, slices[n / 2]);
}

/* Starts the workers, which have loops, and waits for them. */
static void run(const char *name, struct worker *workers, unsigned int threads)
{
	unsigned int i, n = threads * options.slices;
	double *slices = (double *)calloc(n + 1, sizeof(*slices));

	running = threads;
	for (i = 0; i < threads; i++) {
		workers[i].slices = slices + i * options.slices;
		workers[i].thread = start(work, &workers[i], cpus[i]);
	}
	for (i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	print_median(name, slices, n);
	free(slices);
}

/* --- the cases ------------------------------------------------------------ */

static const struct {
	const char *name;
	void (*loop)(struct worker *worker, unsigned long pairs);
} loops[] = {
	{ "pair", loop_pair },
	{ "burst32", loop_burst },
	{ "bulk32", loop_bulk },
	{ "deep", loop_deep },
};

static void case_loop(const char *name)
{
	struct worker workers[2] = {};
	unsigned int i, loop = 0;

	while (strcmp(name, loops[loop].name))
		if (++loop == sizeof(loops) / sizeof(*loops))
			die("no such case");
	for (i = 0; i < options.threads; i++)
		workers[i].loop = loops[loop].loop;
	run(name, workers, options.threads);
}

static void case_cross(const char *name)
{
	struct worker taker = {};
	pthread_t giver;

#ifdef SUBJECT_PRIVATE
	exit(NOT_FOR_IT);	/* a thread's blocks are its own */
#endif
	if (nr_cpus < 2)
		die("not as many CPUs");
	taker.loop = loop_cross;
	running = 1;
	giver = start(give_what_comes, NULL, cpus[1]);
	run(name, &taker, 1);
	pthread_join(giver, NULL);
#ifdef SUBJECT_CALLS
	printf("cross-take calls %.6f\n", (double)calls_of_take() / (double)taker.pairs);
	printf("cross-give calls %.6f\n", (double)calls_of_give() / (double)taker.pairs);
#endif
}

/*
 * A pool of which all but SPARE blocks are held: freed at random from all of
 * them ("random"), and then the same few again and again ("same"). Nothing is
 * given back at the end.
 */
static void *time_full_pool(void *arg)
{
	unsigned int i, n = options.blocks - SPARE;
	struct worker worker = {};

	worker.hand = (void **)calloc(n, sizeof(*worker.hand));
	worker.slices = (double *)calloc(options.slices, sizeof(*worker.slices));
	worker.loop = loop_hand;
	subject_thread();
	for (i = 0; i < n; i++)
		worker.hand[i] = must_take();
	shuffle(worker.hand, n);

	worker.n = n;
	time_slices(&worker);
	print_median("random", worker.slices, options.slices);
	worker.at = 0;
	worker.n = SPARE;
	time_slices(&worker);
	print_median("same", worker.slices, options.slices);
	return arg;
}

/* How many takes hand out a block that somebody holds, after random frees. */
static void *count_owners(void *arg)
{
	unsigned int i, j, at, n = options.blocks - SPARE, twice = 0;
	void **hand = (void **)calloc(n, sizeof(*hand));

	subject_thread();
	for (i = 0; i < n; i++)
		hand[i] = must_take();
	for (i = 0; i < CHECKED; i++) {
		at = random_below(n);
		give(hand[at]);
		hand[at] = NULL;
		hand[at] = must_take();
		for (j = 0; j < n; j++)
			if (j != at && hand[j] == hand[at])
				break;
		twice += j < n;
	}
	printf("owners twice %u\n", twice);
	free(hand);
	return arg;
}

static void run_case(const char *name)
{
	if (!strcmp(name, "cross"))
		case_cross(name);
	else if (!strcmp(name, "full"))
		pthread_join(start(time_full_pool, NULL, cpus[0]), NULL);
	else if (!strcmp(name, "owners"))
		pthread_join(start(count_owners, NULL, cpus[0]), NULL);
	else
		case_loop(name);
}

static void find_cpus(void)
{
	cpu_set_t set;
	int cpu;

	sched_getaffinity(0, sizeof(set), &set);
	for (cpu = 0; cpu < CPU_SETSIZE && nr_cpus < 2; cpu++)
		if (CPU_ISSET(cpu, &set))
			cpus[nr_cpus++] = cpu;
}

int main(int argc, char **argv)
{
	if (argc != 7)
		die("usage: CASE THREADS BLOCKS BLOCK_SIZE SLICES SLICE_US");
	options.threads = (unsigned int)atoi(argv[2]);
	options.blocks = (unsigned int)atoi(argv[3]);
	options.block_size = (unsigned int)atoi(argv[4]);
	options.slices = (unsigned int)atoi(argv[5]);
	options.slice_ns = strtoul(argv[6], NULL, 10) * 1000;
	if (!strcmp(argv[5], "exactly"))
		options.exactly = strtoul(argv[6], NULL, 10);
	find_cpus();
	if (options.threads < 1 || (int)options.threads > nr_cpus)
		die("not as many CPUs");
	make_orders();
	subject_open(options.blocks, options.block_size);
	run_case(argv[1]);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * user - the library and the device as they are, in a guest
 *
 *   user WORLD ROUNDS SLICE_US
 *
 * Prints a JSON line for each case: nanoseconds a block, taken and given back,
 * or, where the unit is "calls", how many ioctls a block took.  A round of each
 * case in turn, so that noise meets all.
 */
#include <err.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <blockpool.h>
#include <linux/blockpool.h>

#define BLOCKS		4096U
#define BLOCK_SIZE	2048U
#define BURST		32U
#define DEEP		1024U	/* more than a thread's cache holds */
#define CHUNK		256U	/* blocks between two looks at the clock */
#define TURNS		4U	/* of DEEP blocks that go from thread to thread */
#define ROUNDS_MAX	1000U

static struct blockpool *pool;
static void *hand[DEEP];
static uint64_t slice_ns;

/* --- ioctls, counted ------------------------------------------------------ */

static __thread unsigned long calls;

/* In place of the C library's. */
int ioctl(int fd, unsigned long request, ...)
{
	va_list list;
	void *args;

	va_start(list, request);
	args = va_arg(list, void *);
	va_end(list);
	calls++;
	return (int)syscall(SYS_ioctl, fd, request, args);
}

/* --- taking and giving back ----------------------------------------------- */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void *take(void)
{
	void *block = blockpool_alloc(pool);

	if (!block)
		err(1, "no block");
	return block;
}

static void give(void *block)
{
	if (blockpool_free(pool, block))
		err(1, "block %p refused", block);
}

static void take_all(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		hand[i] = take();
}

static void give_all(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		give(hand[i]);
}

/* --- the cases: all return nanoseconds a block ---------------------------- */

static void batch_round(unsigned int batch)
{
	take_all(batch);
	give_all(batch);
}

static void bulk_round(unsigned int batch)
{
	if (blockpool_alloc_bulk(pool, hand, batch) != (int)batch ||
	    blockpool_free_bulk(pool, hand, batch) != (int)batch)
		err(1, "bulk of %u", batch);
}

/* Past the library: an ioctl each way. */
static void ioctl_round(unsigned int batch)
{
	uint32_t indices[BURST];
	struct blockpool_alloc_args take_args = {
		.size = sizeof(take_args),
		.count = batch,
		.indices = (uintptr_t)indices,
	};
	struct blockpool_free_args give_args = {
		.size = sizeof(give_args),
		.count = batch,
		.indices = (uintptr_t)indices,
	};

	if (ioctl(blockpool_fd(pool), BLOCKPOOL_IOC_ALLOC, &take_args) ||
	    ioctl(blockpool_fd(pool), BLOCKPOOL_IOC_FREE, &give_args))
		err(1, "ioctl");
}

/* Rounds until the slice is over; the clock is looked at every CHUNK blocks. */
static double timed(void (*round)(unsigned int batch), unsigned int batch)
{
	uint64_t start = now_ns(), ns = 0, done = 0;
	unsigned int i;

	while (ns < slice_ns) {
		for (i = 0; i < CHUNK; i += batch)
			round(batch);
		done += i;
		ns = now_ns() - start;
	}
	return (double)ns / (double)done;
}

static double case_pair(void)
{
	return timed(batch_round, 1);
}

static double case_burst(void)
{
	return timed(batch_round, BURST);
}

static double case_bulk(void)
{
	return timed(bulk_round, BURST);
}

static double case_deep(void)
{
	return timed(batch_round, DEEP);
}

static double case_ioctl_pair(void)
{
	return timed(ioctl_round, 1);
}

static double case_ioctl_bulk(void)
{
	return timed(ioctl_round, BURST);
}

/*
 * One thread takes, the other gives back, by turns: hence nothing is waited for
 * that is timed.  What they need together is the cost.
 */
static struct {
	sem_t taken, given;
	uint64_t give_ns;
	unsigned long give_calls;
} cross;

static double cross_take_calls, cross_give_calls;

static void *cross_giver(void *arg)
{
	unsigned int i;
	uint64_t start;

	for (i = 0; i < TURNS; i++) {
		sem_wait(&cross.taken);
		start = now_ns();
		give_all(DEEP);
		cross.give_ns += now_ns() - start;
		sem_post(&cross.given);
	}
	cross.give_calls = calls;
	return arg;
}

static uint64_t cross_taker(void)
{
	uint64_t start, ns = 0;
	unsigned int i;

	for (i = 0; i < TURNS; i++) {
		start = now_ns();
		take_all(DEEP);
		ns += now_ns() - start;
		sem_post(&cross.taken);
		sem_wait(&cross.given);
	}
	return ns;
}

static double case_cross(void)
{
	pthread_t giver;
	double blocks = TURNS * DEEP;
	uint64_t ns;

	cross.give_ns = 0;
	calls = 0;
	if (pthread_create(&giver, NULL, cross_giver, NULL))
		errx(1, "no thread");
	ns = cross_taker();
	cross_take_calls = (double)calls / blocks;
	pthread_join(giver, NULL);
	cross_give_calls = (double)cross.give_calls / blocks;
	return (double)(ns + cross.give_ns) / blocks;
}

/* Counted in the case before. */
static double case_cross_take(void)
{
	return cross_take_calls;
}

static double case_cross_give(void)
{
	return cross_give_calls;
}

static const struct {
	const char *subject;
	const char *name;
	const char *unit;
	double (*run)(void);
	unsigned int threads;
} cases[] = {
	{ "libblockpool", "pair", "ns", case_pair, 1 },
	{ "libblockpool", "burst32", "ns", case_burst, 1 },
	{ "libblockpool", "bulk32", "ns", case_bulk, 1 },
	{ "libblockpool", "deep", "ns", case_deep, 1 },
	{ "libblockpool", "cross", "ns", case_cross, 2 },
	{ "libblockpool", "cross-take", "calls", case_cross_take, 2 },
	{ "libblockpool", "cross-give", "calls", case_cross_give, 2 },
	{ "ioctl", "pair", "ns", case_ioctl_pair, 1 },
	{ "ioctl", "bulk32", "ns", case_ioctl_bulk, 1 },
};

#define CASES	(sizeof(cases) / sizeof(cases[0]))

static double samples[CASES][ROUNDS_MAX];

/* --- is it right? --------------------------------------------------------- */

/* All blocks of the pool, each once: else one has another's number. */
static void verify(void)
{
	static void *all[BLOCKS];
	struct blockpool_stats stats;
	unsigned int i;

	for (i = 0; i < BLOCKS; i++) {
		all[i] = take();
		*(uint32_t *)all[i] = i;
	}
	if (blockpool_stats(pool, &stats) || stats.nr_held != BLOCKS)
		errx(1, "not all blocks are held");
	for (i = 0; i < BLOCKS; i++) {
		if (*(uint32_t *)all[i] != i)
			errx(1, "block %p was handed out twice", all[i]);
		give(all[i]);
	}
}

static void print(const char *world, unsigned int rounds)
{
	unsigned int i, j;

	for (i = 0; i < CASES; i++) {
		printf("{\"world\":\"%s\",\"subject\":\"%s\",\"case\":\"%s\",",
		       world, cases[i].subject, cases[i].name);
		printf("\"threads\":%u,\"blocks\":%u,\"block_size\":%u,",
		       cases[i].threads, BLOCKS, BLOCK_SIZE);
		printf("\"unit\":\"%s\",\"samples\":[", cases[i].unit);
		for (j = 0; j < rounds; j++)
			printf("%s%.5f", j ? "," : "", samples[i][j]);
		printf("]}\n");
	}
}

int main(int argc, char **argv)
{
	struct blockpool_attr attr = {
		.name = "bench-user",
		.block_size = BLOCK_SIZE,
		.nr_blocks = BLOCKS,
	};
	unsigned int i, j, rounds;

	if (argc != 4)
		errx(2, "usage: user WORLD ROUNDS SLICE_US");
	rounds = (unsigned int)atoi(argv[2]);
	slice_ns = (uint64_t)atoi(argv[3]) * 1000;
	if (!rounds || rounds > ROUNDS_MAX || !slice_ns)
		errx(2, "rounds: 1 to %u, a slice: from 1", ROUNDS_MAX);
	sem_init(&cross.taken, 0, 0);
	sem_init(&cross.given, 0, 0);
	pool = blockpool_create(&attr);
	if (!pool)
		err(1, "no pool");
	verify();
	for (j = 0; j < rounds; j++)
		for (i = 0; i < CASES; i++)
			samples[i][j] = cases[i].run();
	verify();
	if (blockpool_close(pool))
		err(1, "close");
	print(argv[1], rounds);
	return 0;
}

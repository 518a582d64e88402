// SPDX-License-Identifier: GPL-2.0
/*
 * isolated - what it costs that a client touches what it holds and nothing else
 *
 *   isolated ROUNDS SLICE_US
 *
 * Blocks are taken by ioctl, touched, and given back by ioctl, of a pool with
 * isolation and of one without, a round of each case in turn.  Prints a table:
 * medians of nanoseconds a block, and their ratio.
 */
#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include <linux/blockpool.h>

#define BLOCKS		256U
#define BATCH_MAX	32U
#define ROUNDS_MAX	1000U
#define PAGE		4096U
#define CASES		12U

struct pool {
	int fd;
	char *map;
};

struct measured {
	uint32_t block_size;
	uint32_t batch;
	uint32_t step;		/* a byte is written each so many; 0: none */
	double plain[ROUNDS_MAX];
	double isolated[ROUNDS_MAX];
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static struct pool new_pool(uint32_t block_size, uint32_t flags)
{
	struct blockpool_create_args args = {
		.size = sizeof(args),
		.flags = flags,
		.block_size = block_size,
		.nr_blocks = BLOCKS,
	};
	struct pool pool = { .fd = open("/dev/blockpool", O_RDWR) };

	snprintf(args.name, sizeof(args.name), "bench-%u-%u", block_size, flags);
	if (pool.fd < 0 || ioctl(pool.fd, BLOCKPOOL_IOC_CREATE, &args))
		err(1, "%s", args.name);
	pool.map = mmap(NULL, (size_t)BLOCKS * block_size,
			PROT_READ | PROT_WRITE, MAP_SHARED, pool.fd, 0);
	if (pool.map == MAP_FAILED)
		err(1, "mmap");
	return pool;
}

static void pair(const struct pool *pool, const struct measured *what)
{
	uint32_t indices[BATCH_MAX], i, at;
	struct blockpool_alloc_args take = {
		.size = sizeof(take),
		.count = what->batch,
		.indices = (uintptr_t)indices,
	};
	struct blockpool_free_args give = {
		.size = sizeof(give),
		.count = what->batch,
		.indices = (uintptr_t)indices,
	};

	if (ioctl(pool->fd, BLOCKPOOL_IOC_ALLOC, &take))
		err(1, "alloc");
	for (i = 0; what->step && i < what->batch; i++) {
		char *block = pool->map + (size_t)indices[i] * what->block_size;

		for (at = 0; at < what->block_size; at += what->step)
			*(volatile char *)(block + at) = 1;
	}
	if (ioctl(pool->fd, BLOCKPOOL_IOC_FREE, &give))
		err(1, "free");
}

static double timed(const struct pool *pool, const struct measured *what,
		    uint64_t slice_ns)
{
	uint64_t start = now_ns(), ns, done = 0;

	do {
		pair(pool, what);
		done += what->batch;
		ns = now_ns() - start;
	} while (ns < slice_ns);
	return (double)ns / (double)done;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *samples, unsigned int n)
{
	qsort(samples, n, sizeof(*samples), compare);
	return samples[n / 2];
}

static void print(struct measured *what, unsigned int rounds)
{
	double plain = median(what->plain, rounds);
	double isolated = median(what->isolated, rounds);
	const char *touched = !what->step ? "none" :
			      what->step == what->block_size ? "first" : "all";

	printf("| %u KiB | %u | %s | %.0f | %.0f | %.2f |\n",
	       what->block_size / 1024, what->batch, touched, plain, isolated,
	       isolated / plain);
}

/* Two sizes, two batches; nothing touched, the first page, all pages. */
static void set_case(struct measured *what, unsigned int i)
{
	what->block_size = i < CASES / 2 ? PAGE : 16 * PAGE;
	what->batch = i / 3 % 2 ? BATCH_MAX : 1;
	what->step = i % 3 == 0 ? 0 : i % 3 == 1 ? what->block_size : PAGE;
}

int main(int argc, char **argv)
{
	static struct measured cases[CASES];
	unsigned int rounds = argc == 3 ? (unsigned int)atoi(argv[1]) : 0;
	uint64_t slice_ns = argc == 3 ? strtoull(argv[2], NULL, 0) * 1000 : 0;
	struct pool pools[2][2];	/* by size, by isolation */

	if (!rounds || rounds > ROUNDS_MAX || !slice_ns)
		errx(2, "usage: isolated ROUNDS SLICE_US");
	for (unsigned int i = 0; i < 4; i++)
		pools[i / 2][i % 2] = new_pool(i / 2 ? 16 * PAGE : PAGE,
					       i % 2 ? BLOCKPOOL_ISOLATED : 0);
	for (unsigned int round = 0; round < rounds; round++) {
		for (unsigned int i = 0; i < CASES; i++) {
			struct pool *pool = pools[i >= CASES / 2];

			set_case(&cases[i], i);
			cases[i].plain[round] = timed(&pool[0], &cases[i],
						      slice_ns);
			cases[i].isolated[round] = timed(&pool[1], &cases[i],
							 slice_ns);
		}
	}
	puts("| block | a call | pages touched | plain | isolated | ratio |");
	puts("| --- | --- | --- | --- | --- | --- |");
	for (unsigned int i = 0; i < CASES; i++) {
		/* A block of one page has no more than the first. */
		if (i % 3 < 2 || cases[i].block_size != PAGE)
			print(&cases[i], rounds);
	}
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Isolated pools, against the clock: some threads or processes of one client never
 * cease to store into a block, wherever they have it mapped.  When the client has
 * freed it and another holds it, not one more of these stores lands there.
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "harness.h"
#include "pool.h"
#include "touch.h"

#define LOOKS		8	/* at what the other wrote, in each round */
#define STORERS		3
#define STORES		128	/* between two turns for others */

/* The pool has one block: whoever frees it, the other gets it. */
FIXTURE(race)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int fd, other;
	char *maps[STORERS], *theirs;
	pthread_t threads[STORERS];
	pid_t pids[STORERS];
};

FIXTURE_VARIANT(race)
{
	size_t size;		/* of the block */
	bool processes;		/* and not threads */
	bool wait;		/* for a store, before the block is freed */
	int rounds;
};

FIXTURE_VARIANT_ADD(race, page)
{
	.size = 4096,
	.wait = true,
	.rounds = 300,
};

FIXTURE_VARIANT_ADD(race, page_at_once)
{
	.size = 4096,
	.rounds = 300,
};

FIXTURE_VARIANT_ADD(race, pages)
{
	.size = 65536,
	.wait = true,
	.rounds = 50,
};

FIXTURE_VARIANT_ADD(race, pages_at_once)
{
	.size = 65536,
	.rounds = 50,
};

FIXTURE_VARIANT_ADD(race, page_processes)
{
	.size = 4096,
	.processes = true,
	.wait = true,
	.rounds = 300,
};

FIXTURE_VARIANT_ADD(race, pages_processes_at_once)
{
	.size = 65536,
	.processes = true,
	.rounds = 50,
};

static bool is_uml(void)
{
	static char text[4096];

	must(!file_read("/proc/cpuinfo", text, sizeof(text)));
	return strstr(text, "User Mode Linux");
}

FIXTURE_SETUP(race)
{
	const struct blockpool_create_args args = {
		.flags = BLOCKPOOL_ISOLATED,
		.block_size = variant->size,
		.nr_blocks = 1,
	};

	/* What is running keeps a page there until it enters the kernel next. */
	if (variant->processes && is_uml())
		SKIP(return, "User-Mode Linux tells other processes late");
	expect_faults();
	pool_name(self->name);
	self->fd = pool_open(O_RDWR);
	ASSERT_EQ(0, pool_create_args(self->fd, self->name, args));
	self->other = pool_join(self->name);
	self->theirs = pool_map(self->other);
	for (int i = 0; i < STORERS; i++)
		self->maps[i] = pool_map(self->fd);
}

FIXTURE_TEARDOWN(race)
{
	if (variant->processes && is_uml())
		return;
	pool_drain(self->fd);
	close(self->other);
	close(self->fd);
}

struct storer {
	char *map;
	size_t size;
};

/* For ever; what is refused is tried again when others had their turn. */
static void *store_on(void *arg)
{
	const struct storer *storer = arg;
	size_t at = 0;

	for (;;) {
		for (int i = 0; i < STORES; i++) {
			at = (at + 4096 - 64) % storer->size;
			if (store(storer->map + at, 's'))
				break;
		}
		sched_yield();
		pthread_testcancel();
	}
	return NULL;
}

static void start_storer(struct storer *storer, bool process, pthread_t *thread,
			 pid_t *pid, int fd)
{
	if (!process) {
		must(!pthread_create(thread, NULL, store_on, storer));
		return;
	}
	*pid = child_fork();
	if (!*pid) {
		storer->map = pool_map(fd);
		store_on(storer);
	}
}

static void end_storer(bool process, pthread_t thread, pid_t pid)
{
	if (process) {
		child_kill(pid);
		return;
	}
	must(!pthread_cancel(thread));
	must(!pthread_join(thread, NULL));
}

/* Until a storer has been there. */
static void await_store(const volatile char *block, size_t size)
{
	size_t at = 0;

	while (block[at] != 's') {
		at = (at + 64) % size;
		if (!at)
			sched_yield();
	}
}

static bool all_are(const volatile char *bytes, char byte, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != byte)
			return false;
	}
	return true;
}

/* The block is the other's, who alone can touch it. */
static bool undisturbed(int fd, char *block, size_t size)
{
	bool good = true;

	must(!pool_take(fd));
	memset(block, 'o', size);
	for (int i = 0; i < LOOKS && good; i++) {
		sched_yield();
		good = all_are(block, 'o', size);
	}
	must(!pool_give(fd, 0));
	return good;
}

TEST_F(race, no_store_lands_after_free)
{
	struct storer storers[STORERS];
	int round;

	for (int i = 0; i < STORERS; i++) {
		storers[i] = (struct storer) { self->maps[i], variant->size };
		start_storer(&storers[i], variant->processes, &self->threads[i],
			     &self->pids[i], self->fd);
	}
	for (round = 0; round < variant->rounds; round++) {
		must(!pool_take(self->fd));
		if (variant->wait)
			await_store(self->maps[0], variant->size);
		must(!pool_give(self->fd, 0));
		if (!undisturbed(self->other, self->theirs, variant->size))
			break;
	}
	for (int i = 0; i < STORERS; i++)
		end_storer(variant->processes, self->threads[i], self->pids[i]);
	EXPECT_EQ(variant->rounds, round);
}

TEST_HARNESS_MAIN

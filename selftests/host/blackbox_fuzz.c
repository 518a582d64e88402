// SPDX-License-Identifier: GPL-2.0
/*
 * The post-mortem of machines that never were: their lives are drawn by lot, written as
 * the kernel writes them, and then damaged.  It must not fall, and of no block may it
 * name a false holder without a warning.
 *
 *   BLACKBOX_FUZZ   so many lives; 150 unless given
 *   BLACKBOX_SEED   the first one's seed; 1
 */
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "past.h"
#include "random.h"
#include "../../tools/blockpoolctl/blackbox/story.h"

#define POOLS		2u
#define BLOCKS		96u
#define CLIENTS		6u
#define FIRST_CLIENT	4u
#define PORTS		3u
#define PORT		BLOCKPOOL_OWNER_PORT
#define BULK		12u
#define A_DAY		86400	/* the runner has limits of its own */
#define IDS		300u	/* of the events, from here on */

struct life {
	struct past past;
	struct random random;
	__u32 owner[POOLS][BLOCKS];
	__s32 thread[PAST_CPUS];	/* that runs */
	__u64 time;
	bool hurry;
	__u32 seq;
};

/* An event of whatever thread runs there. */
#define EMIT(life, cpu, time, ...)						\
	do {									\
		unsigned int where = cpu;					\
										\
		PUT(&(life)->past, where, time, (life)->thread[where],		\
		    __VA_ARGS__);						\
	} while (0)

static __u32 below(struct life *life, __u32 number)
{
	return random_below(&life->random, number);
}

static unsigned int any_cpu(struct life *life)
{
	return below(life, life->past.nr_cpus);
}

static __u64 now(struct life *life)
{
	bool soon = life->hurry || below(life, 20);

	return life->time += 1 + below(life, soon ? 3000 : 300000000);
}

static void switch_on(struct life *life, unsigned int cpu, __s32 thread)
{
	EMIT(life, cpu, now(life), "sched_switch", TEXT("one"), life->thread[cpu], 0,
	     TEXT("two"), thread);
	life->thread[cpu] = thread;
}

static __u32 any_client(struct life *life)
{
	__u32 client = below(life, CLIENTS + 1);

	return client ? FIRST_CLIENT + client - 1 : BLOCKPOOL_OWNER_KERNEL;
}

/* Up to so many blocks of an owner, from a random one on. */
static __u32 pick(struct life *life, unsigned int pool, __u32 owner, __u32 most,
		  __u32 *indices)
{
	__u32 nr = 0, first = below(life, BLOCKS);

	for (__u32 i = 0; i < BLOCKS && nr < most; i++)
		if (life->owner[pool][(first + i) % BLOCKS] == owner)
			indices[nr++] = (first + i) % BLOCKS;
	return nr;
}

static void set(struct life *life, unsigned int pool, const __u32 *indices,
		__u32 nr, __u32 owner)
{
	while (nr)
		life->owner[pool][indices[--nr]] = owner;
}

static void quarantine(struct life *life, unsigned int pool)
{
	bool repair = below(life, 2);
	__u32 index;

	if (!pick(life, pool, repair ? BLOCKPOOL_OWNER_QUARANTINE : 0, 1, &index))
		return;
	set(life, pool, &index, 1, repair ? 0 : BLOCKPOOL_OWNER_QUARANTINE);
	if (repair)
		EMIT(life, any_cpu(life), now(life), "repair", pool + 1, index);
	else
		EMIT(life, any_cpu(life), now(life), "quarantine", pool + 1,
		     index, 0);
}

static void run(struct life *life)
{
	switch_on(life, any_cpu(life), below(life, 9));
}

static void snapshot_runs(struct life *life, unsigned int pool, unsigned int cpu,
			  __u64 start)
{
	const __u32 *owner = life->owner[pool];
	__u32 runs[2 * BLOCKS], nr = 0;

	for (__u32 i = 0; i < BLOCKS; i++) {
		if (i && owner[i] == owner[i - 1]) {
			runs[2 * nr - 2]++;
			continue;
		}
		runs[2 * nr] = 1;
		runs[2 * nr++ + 1] = owner[i];
	}
	EMIT(life, cpu, life->time, "snapshot_runs", pool + 1, life->seq,
	     0, start, life->time, nr, TEXT(runs));
}

static __u32 count(struct life *life, unsigned int pool, __u32 owner)
{
	__u32 indices[BLOCKS];

	return pick(life, pool, owner, BLOCKS, indices);
}

static void snapshot(struct life *life, unsigned int pool, bool at_panic)
{
	unsigned int cpu = any_cpu(life);
	__u32 nr_free = count(life, pool, 0);
	__u64 start = now(life);

	life->seq++;
	EMIT(life, cpu, start, "snapshot_begin", pool + 1, life->seq,
	     TEXT(pool ? "second" : "first"), 2048, BLOCKS, 0, nr_free,
	     BLOCKS - nr_free, 0, at_panic);
	for (__u32 i = 0; i < CLIENTS; i++)
		EMIT(life, cpu, life->time, "snapshot_client", pool + 1,
		     life->seq, FIRST_CLIENT + i, 100 + i, TEXT("worker"),
		     count(life, pool, FIRST_CLIENT + i));
	life->time += below(life, 1000);
	snapshot_runs(life, pool, cpu, start);
	EMIT(life, cpu, life->time, "snapshot_end", pool + 1, life->seq);
}

/* Between an event and its owner words. */
static void meanwhile(struct life *life, unsigned int pool)
{
	life->hurry = true;
	if (!below(life, 20))
		snapshot(life, pool, false);
	life->hurry = false;
}

static void take_or_give(struct life *life, unsigned int pool, bool take)
{
	__u32 indices[BULK], owner = any_client(life);
	__u32 nr = pick(life, pool, take ? 0 : owner, 1 + below(life, BULK), indices);
	__u64 ip = take ? 0xffffffffc0001010 : 0;

	if (nr == 1)
		EMIT(life, any_cpu(life), now(life), take ? "take" : "free",
		     pool + 1, indices[0], owner, ip);
	else if (nr)
		EMIT(life, any_cpu(life), now(life), take ? "take_bulk" : "free_bulk",
		     pool + 1, owner, nr, ip, TEXT(indices));
	meanwhile(life, pool);
	set(life, pool, indices, nr, take ? owner : 0);
}

static void send_or_receive(struct life *life, unsigned int pool)
{
	__u32 indices[BULK], client = any_client(life), port = 1 + below(life, PORTS);
	bool send = below(life, 2);
	__u32 nr = pick(life, pool, send ? client : PORT | port,
			1 + below(life, 4), indices);

	if (!nr)
		return;
	EMIT(life, any_cpu(life), now(life), send ? "send" : "receive",
	     pool + 1, port, client, nr, TEXT(indices));
	meanwhile(life, pool);
	set(life, pool, indices, nr, send ? PORT | port : client);
}

static void live(struct life *life, __u64 seed, unsigned int first_id)
{
	unsigned int steps;

	*life = (struct life){ .time = 1000000000,
			       .random.state = seed * 0x9e3779b97f4a7c15u };
	past_begin(&life->past, 1 + below(life, PAST_CPUS));
	life->past.first_id = first_id;
	for (unsigned int i = 0; i < life->past.nr_cpus; i++)
		switch_on(life, i, 2);
	steps = below(life, 3000);
	snapshot(life, 0, false);
	EMIT(life, any_cpu(life), now(life), "pool_create", 2, TEXT("second"), 2048,
	     BLOCKS, 0);
	for (unsigned int i = 0; i < steps; i++) {
		unsigned int pool = below(life, POOLS), what = below(life, 100);

		if (what < 35)
			take_or_give(life, pool, true);
		else if (what < 65)
			take_or_give(life, pool, false);
		else if (what < 80)
			send_or_receive(life, pool);
		else if (what < 82)
			quarantine(life, pool);
		else if (what < 84)
			snapshot(life, pool, false);
		else
			run(life);
	}
	if (below(life, 2))
		for (unsigned int pool = 0; pool < POOLS; pool++)
			snapshot(life, pool, true);
}

/* --- what can happen to it ---------------------------------------------------- */

/* Its oldest pages were overwritten, of each CPU as many as it made. */
static void overwrite(struct life *life)
{
	for (unsigned int i = 0; i < life->past.nr_cpus; i++) {
		struct past_cpu *cpu = &life->past.cpus[i];
		size_t gone = below(life, cpu->nr_pages);

		cpu->nr_pages -= gone;
		memmove(cpu->pages, cpu->pages + gone * PAST_PAGE,
			cpu->nr_pages * PAST_PAGE);
	}
}

static size_t first_page(struct life *life, size_t size)
{
	size_t pages = 0;

	for (unsigned int i = 0; i < life->past.nr_cpus; i++)
		pages += life->past.cpus[i].nr_pages;
	return size - pages * PAST_PAGE;
}

/* Some bytes, anywhere from a place on; true if any has changed. */
static bool scribble(struct life *life, unsigned char *file, size_t from, size_t size)
{
	size_t at = from + below(life, size - from), length = 1 + below(life, 512);
	bool changed = false;

	for (; length && at < size; length--, at++) {
		unsigned char byte = below(life, 256);

		changed |= file[at] != byte;
		file[at] = byte;
	}
	return changed;
}

static void wipe_page(struct life *life, unsigned char *file, size_t from, size_t size)
{
	size_t pages = (size - from) / PAST_PAGE;

	memset(file + from + below(life, pages) * PAST_PAGE, below(life, 2) ? 0 : 0xff,
	       PAST_PAGE);
}

static void swap_pages(struct life *life, unsigned char *file, size_t from, size_t size)
{
	size_t pages = (size - from) / PAST_PAGE;
	unsigned char *one = file + from + below(life, pages) * PAST_PAGE;
	unsigned char *other = file + from + below(life, pages) * PAST_PAGE;
	unsigned char page[PAST_PAGE];

	memcpy(page, one, PAST_PAGE);
	memmove(one, other, PAST_PAGE);
	memcpy(other, page, PAST_PAGE);
}

static void another_kernel(struct life *life, unsigned char *file, size_t from,
			   size_t size)
{
	struct life other;
	size_t at = from;

	live(&other, random_next(&life->random), IDS + 1 + below(life, 100));
	for (unsigned int i = 0; i < other.past.nr_cpus; i++) {
		struct past_cpu *cpu = &other.past.cpus[i];

		for (size_t j = 0; j < cpu->nr_pages && at < size; j++, at += PAST_PAGE)
			memcpy(file + at, cpu->pages + j * PAST_PAGE, PAST_PAGE);
	}
	past_end(&other.past);
}

static size_t damage(struct life *life, unsigned char *file, size_t size)
{
	size_t from = first_page(life, size);

	switch (below(life, 7)) {
	case 0:
		return below(life, size);
	case 1:
		wipe_page(life, file, from, size);
		return size;
	case 2:
		swap_pages(life, file, from, size);
		return size;
	case 3:
		another_kernel(life, file, from, size);
		return size;
	case 4:
		scribble(life, file, 0, size);
		return size;
	default:
		scribble(life, file, from, size);
		return size;
	}
}

/* --- what is made of it ------------------------------------------------------- */

struct verdict {
	bool read;
	bool warned;
	unsigned int false_holders;	/* that are said to be sure */
	unsigned int sure;
};

static void judge_block(struct life *life, const struct story *story,
			const struct pool_past *pool, __u32 index,
			struct verdict *verdict)
{
	const struct block_past *block = block_at(pool, index);

	if (!block || !block_sure(&story->history, pool, block))
		return;
	verdict->sure++;
	verdict->false_holders += pool->number > POOLS || index >= BLOCKS ||
		block->owner != life->owner[pool->number - 1][index];
}

/* All ways to tell it are gone, for what they do with odd numbers. */
static void tell(struct story *story)
{
	FILE *out = fopen("/dev/null", "w"), *real = stdout;

	stdout = out;
	story_tell(story);
	story_json(story);
	stdout = real;
	story_draw(story, out);
	fclose(out);
}

static struct verdict judge(struct life *life, const unsigned char *file, size_t size)
{
	struct bytes bytes = { .at = file, .left = size };
	struct verdict verdict = { };
	struct story story;
	const char *why;

	if (story_open(&story, bytes, &why))
		return verdict;
	verdict.read = true;
	verdict.warned = story_doubtful(&story);
	for (unsigned int i = 0; i < story.history.nr_pools; i++) {
		const struct pool_past *pool = story.history.pools[i];

		for (__u32 j = 0; j < pool->nr_known && !pool->destroyed; j++)
			judge_block(life, &story, pool, j, &verdict);
	}
	tell(&story);
	story_close(&story);
	return verdict;
}

static __u64 setting(const char *name, __u64 value)
{
	const char *number = getenv(name);

	return number ? strtoull(number, NULL, 10) : value;
}

static __u64 first_seed(void)
{
	return setting("BLACKBOX_SEED", 1);
}

static __u64 last_seed(void)
{
	return first_seed() + setting("BLACKBOX_FUZZ", 150) - 1;
}

FIXTURE(lives) {
};

FIXTURE_SETUP(lives)
{
}

FIXTURE_TEARDOWN(lives)
{
}

TEST_F_TIMEOUT(lives, whole_ones_are_told_rightly, A_DAY)
{
	unsigned int sure = 0, all = 0;

	for (__u64 seed = first_seed(); seed <= last_seed(); seed++) {
		struct verdict verdict;
		struct life life;
		unsigned char *file;
		size_t size;

		live(&life, seed, IDS);
		if (seed % 2)
			overwrite(&life);
		file = past_file(&life.past, &size);
		verdict = judge(&life, file, size);
		EXPECT_TRUE(verdict.read && !verdict.warned)
			TH_LOG("seed %llu", seed);
		EXPECT_EQ(0, verdict.false_holders)
			TH_LOG("seed %llu", seed);
		sure += verdict.sure;
		all += POOLS * BLOCKS;
		free(file);
		past_end(&life.past);
	}
	TH_LOG("%u of %u blocks were sure", sure, all);
	EXPECT_GT(sure, all / 2);
}

TEST_F_TIMEOUT(lives, damaged_ones_are_never_told_wrongly, A_DAY)
{
	unsigned int read = 0, warned = 0;

	for (__u64 seed = first_seed(); seed <= last_seed(); seed++) {
		struct verdict verdict;
		struct life life;
		unsigned char *file, *copy;
		size_t size;

		live(&life, seed, IDS);
		if (seed % 2)
			overwrite(&life);
		file = past_file(&life.past, &size);
		size = damage(&life, file, size);
		copy = malloc(size);	/* its end is where a sanitizer sees it */
		memcpy(copy, file, size);
		verdict = judge(&life, copy, size);
		EXPECT_EQ(0, verdict.false_holders)
			TH_LOG("seed %llu", seed);
		read += verdict.read;
		warned += verdict.warned;
		free(copy);
		free(file);
		past_end(&life.past);
	}
	TH_LOG("%u were read, %u with a warning", read, warned);
	EXPECT_GT(warned, read / 3);
}

TEST_HARNESS_MAIN

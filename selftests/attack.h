/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the attacks share: how long they go on, and their random numbers.
 *
 * An attack is a kselftest program selftests/attack_NAME.  It counts what it does
 * (kills, calls) and knows how many make a short run.  From the environment:
 *
 *   ATTACK_SECONDS	go on for so long, however many that makes (make soak)
 *   ATTACK_PERCENT	or else: so much of the short run's count; 100 if not set.
 *			make check sets it where the kernel is emulated
 *   ATTACK_SEED	of all random numbers; if not set, a new one for each run
 *
 *	struct attack attack = attack_start("kills", 10000);
 *
 *	while (attack_goes_on(&attack))
 *		attack.done += kill_some(&attack);
 *	passed = attack_finish(&attack);
 *
 * In a program with several such loops define ATTACK_PARTS as their number before
 * this is included: each gets its part of the seconds.  Nothing else may depend on
 * the clock, so that a seed repeats a run as far as the scheduler lets it.
 */
#ifndef SELFTESTS_ATTACK_H
#define SELFTESTS_ATTACK_H

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <linux/types.h>

#include "host/random.h"
#include "pool.h"

#ifndef ATTACK_PARTS
#define ATTACK_PARTS	1
#endif
#define ATTACK_TELL	30	/* seconds from one line of progress to the next */

struct attack {
	const char *what;	/* is counted */
	__u64 done;		/* of these; the program adds to it */
	__u64 count;		/* that it shall do; 0: as many as it can */
	__u64 seed;
	time_t start;
	time_t seconds;		/* that it shall take; 0: as many as it needs */
	time_t told;		/* of its progress */
};

static inline __u64 attack_number(const char *name, __u64 otherwise)
{
	const char *text = getenv(name);
	char *end;
	__u64 number;

	if (!text || !*text)
		return otherwise;
	number = strtoull(text, &end, 0);
	if (*end) {
		fprintf(stderr, "%s=%s is no number\n", name, text);
		exit(1);
	}
	return number;
}

static inline time_t attack_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Another stream of random numbers for each who (splitmix64 of the seed). */
static inline struct random attack_random(const struct attack *attack, __u64 who)
{
	__u64 x = attack->seed + (who + 1) * 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	x ^= x >> 31;
	return (struct random) { x ? x : 1 };
}

static inline struct attack attack_start(const char *what, __u64 count)
{
	__u64 seconds = attack_number("ATTACK_SECONDS", 0);
	__u64 percent = attack_number("ATTACK_PERCENT", 100);
	struct timespec now;
	struct attack attack = { .what = what, .start = attack_now() };

	clock_gettime(CLOCK_REALTIME, &now);
	attack.seed = attack_number("ATTACK_SEED", now.tv_sec * 1000000000ULL +
						   now.tv_nsec);
	attack.told = attack.start;
	if (seconds)
		attack.seconds = (seconds + ATTACK_PARTS - 1) / ATTACK_PARTS;
	else
		attack.count = (count * percent + 99) / 100;
	printf("# ATTACK_SEED=%llu\n", attack.seed);
	fflush(stdout);
	return attack;
}

/* "make soak" shows lines of progress, and what was done, at once. */
static inline void attack_tell(struct attack *attack, time_t now)
{
	printf("# progress: %llu %s, %lld s\n", attack->done, attack->what,
	       (long long)(now - attack->start));
	fflush(stdout);
	attack->told = now;
}

static inline bool attack_goes_on(struct attack *attack)
{
	time_t now = attack_now();

	if (now - attack->told >= ATTACK_TELL)
		attack_tell(attack, now);
	if (attack->seconds)
		return now - attack->start < attack->seconds;
	return attack->done < attack->count;
}

/*
 * Whether a run that has not met all that it is for may go on beyond its count: to
 * ten times as much, so that what is rare does not fail by chance alone.
 */
static inline bool attack_may_exceed(const struct attack *attack)
{
	return attack->count && attack->done < 10 * attack->count;
}

/* Says what was done; true if it is what should be done, and something. */
static inline bool attack_finish(const struct attack *attack)
{
	printf("# done: %llu %s", attack->done, attack->what);
	if (attack->count)
		printf(" of %llu", attack->count);
	printf(" in %lld s, ATTACK_SEED=%llu\n",
	       (long long)(attack_now() - attack->start), attack->seed);
	fflush(stdout);
	return attack->done && attack->done >= attack->count;
}

/* A killer, before all victims: it need not wait until one of them goes to sleep. */
static inline void attack_be_urgent(void)
{
	const struct sched_param param = { .sched_priority = 1 };

	must(!sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param));
}

#endif /* SELFTESTS_ATTACK_H */

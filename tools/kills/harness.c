// SPDX-License-Identifier: GPL-2.0
/*
 * What killed users do to a pool: the same for each, compiled together with it.
 *
 *   PROGRAM NAME KILLS RUNS
 *	prints a row of the table, made of RUNS runs of KILLS kills, or fewer if
 *	the pool hung or had no block left; exit status 3 if it is not as whole as
 *	it was at first
 *
 * Workers, each a process, take bursts of 1 to 32 blocks, stamp them, check the
 * stamps and give the blocks back, for ever.  Again and again one of them is killed
 * in the middle of that, and another started.  At times they are all told to give
 * back what they have and to end; a block that cannot be had then is lost, and for
 * no other reason than that its holder was killed.
 *
 * SUBJECT is a file with the functions of tools/bench/subject.h; what
 * subject_open() makes is used by forked processes.  Compiles as C and as C++.
 */
#include "subject.h"
#include SUBJECT

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../selftests/host/random.h"

#define BLOCKS		4096U
#define BLOCK_SIZE	256U
#define WORKERS		2U
#define BURST		32U
#define RUNS_MAX	100U
#define LIFE_MIN_US	100U	/* of a worker, once it is seen to work */
#define LIFE_MAX_US	1500U
#define LOOK_EVERY	50U	/* kills from one count of blocks to the next */
#define HANG_MS		2000U	/* without any progress: it hangs */
#define BROKEN		3	/* exit status */

/* What a worker says of itself; the next one in its place goes on with it. */
struct note {
	uint64_t bursts;
	uint64_t duplicates;
};

struct result {
	uint64_t kills;
	uint64_t counted;	/* kills until the last count that means something */
	uint64_t lost;		/* blocks by then */
	uint64_t left;		/* blocks that can be had in the end */
	uint64_t duplicates;
	bool hung;
	bool crashed;
};

static struct shared {
	bool stop;
	uint64_t left;		/* at the last count */
	struct note notes[WORKERS + 1];		/* and of who counts */
	struct result results[RUNS_MAX];
} *shared;

static struct random dice = RANDOM_INIT;
static uint64_t born;		/* processes that stamp; no two stamp alike */

/* --- those who are killed -------------------------------------------------- */

struct hand {
	unsigned int nr;
	uint64_t stamp;		/* the next */
	uint64_t *blocks[2 * BLOCKS];
	uint64_t stamps[2 * BLOCKS];
};

static void take_some(struct hand *hand, unsigned int nr)
{
	uint64_t *block;

	while (hand->nr < nr) {
		block = (uint64_t *)take();
		if (!block)
			return;
		*block = hand->stamp;
		hand->blocks[hand->nr] = block;
		hand->stamps[hand->nr++] = hand->stamp++;
	}
}

static void give_all(struct hand *hand, struct note *note)
{
	while (hand->nr) {
		hand->nr--;
		note->duplicates += *hand->blocks[hand->nr] !=
				    hand->stamps[hand->nr];
		give(hand->blocks[hand->nr]);
	}
}

static void work(struct hand *hand, struct note *note)
{
	while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
		take_some(hand, 1 + random_below(&dice, BURST));
		give_all(hand, note);
		__atomic_store_n(&note->bursts, note->bursts + 1,
				 __ATOMIC_RELAXED);
	}
}

/* Two pointers to one block are seen by the second's stamp. */
static void count(struct hand *hand, struct note *note)
{
	take_some(hand, 2 * BLOCKS);
	shared->left = hand->nr;
	give_all(hand, note);
}

static pid_t start(void (*job)(struct hand *hand, struct note *note),
		   struct note *note)
{
	static struct hand hand;
	pid_t pid;

	born++;
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		die("fork failed");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	hand.stamp = born << 32;
	dice.state ^= hand.stamp;
	subject_thread();
	job(&hand, note);
	_exit(0);
}

/* --- the one who kills ----------------------------------------------------- */

static void nap(unsigned int us)
{
	struct timespec time = {};

	time.tv_nsec = us * 1000L;
	nanosleep(&time, NULL);
}

/* False if it did not end, and had to be killed; or died otherwise. */
static bool ends(pid_t pid, struct result *result)
{
	int status;

	for (unsigned int ms = 0; ms < HANG_MS; ms++) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			result->crashed |= WIFSIGNALED(status) || status;
			return !status;
		}
		nap(1000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	result->hung = true;
	return false;
}

static bool works_on(struct note *note, struct result *result)
{
	uint64_t before = __atomic_load_n(&note->bursts, __ATOMIC_RELAXED);

	for (unsigned int ms = 0; ms < 10 * HANG_MS; ms++) {
		if (__atomic_load_n(&note->bursts, __ATOMIC_RELAXED) != before)
			return true;
		nap(100);
	}
	result->hung = true;
	return false;
}

/* All of them, and it is no hang if one works and waits for the others. */
static bool all_work(struct result *result)
{
	for (unsigned int i = 0; i < WORKERS; i++)
		if (!works_on(&shared->notes[i], result))
			return false;
	return true;
}

static void kill_now(pid_t pid, struct result *result)
{
	int status;

	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid failed");
	result->crashed |= WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL;
}

static void start_workers(pid_t *pids)
{
	shared->stop = false;
	for (unsigned int i = 0; i < WORKERS; i++)
		pids[i] = start(work, &shared->notes[i]);
}

static bool stop_workers(pid_t *pids, struct result *result)
{
	bool well = true;

	shared->stop = true;
	for (unsigned int i = 0; i < WORKERS; i++)
		well &= ends(pids[i], result);
	return well;
}

static bool count_blocks(struct result *result)
{
	shared->left = 0;
	result->left = 0;
	if (!ends(start(count, &shared->notes[WORKERS]), result))
		return false;
	result->left = shared->left;
	return result->left;
}

/* Once half are gone, holders find few to take, and lose few. */
static bool look(struct result *result)
{
	bool some = count_blocks(result);

	if (result->lost < BLOCKS / 2 && !result->hung) {
		result->counted = result->kills;
		result->lost = result->left < BLOCKS ? BLOCKS - result->left : 0;
	}
	return some;
}

static bool kill_some(pid_t *pids, struct result *result)
{
	unsigned int i, victim;

	for (i = 0; i < LOOK_EVERY; i++) {
		if (!all_work(result))
			return false;
		nap(LIFE_MIN_US + random_below(&dice, LIFE_MAX_US - LIFE_MIN_US));
		victim = random_below(&dice, WORKERS);
		kill_now(pids[victim], result);
		result->kills++;
		pids[victim] = start(work, &shared->notes[victim]);
	}
	return all_work(result);
}

static void run(struct result *result, uint64_t kills)
{
	pid_t pids[WORKERS];
	bool well;

	subject_open(BLOCKS, BLOCK_SIZE);
	if (!count_blocks(result) || result->left != BLOCKS)
		die("not as many blocks as there should be");
	do {
		start_workers(pids);
		well = kill_some(pids, result);
		if (well)
			well = stop_workers(pids, result);
		else
			for (unsigned int i = 0; i < WORKERS; i++)
				kill_now(pids[i], result);
		well = look(result) && well;
	} while (well && result->kills < kills);
	for (unsigned int i = 0; i <= WORKERS; i++)
		result->duplicates += shared->notes[i].duplicates;
}

/* --- the row --------------------------------------------------------------- */

static void print_hangs(unsigned int runs)
{
	const struct result *result = shared->results;
	bool any = false;

	for (unsigned int i = 0; i < runs; i++) {
		if (!result[i].hung && !result[i].crashed)
			continue;
		printf("%s%llu%s", any ? ", " : "",
		       (unsigned long long)result[i].kills,
		       result[i].crashed ? " (crash)" : "");
		any = true;
	}
	printf(any ? " | " : "never | ");
}

static void print_losses(unsigned int runs)
{
	const struct result *result = shared->results, *worst = result;
	uint64_t lost = 0, kills = 0;

	for (unsigned int i = 0; i < runs; i++) {
		lost += result[i].lost;
		kills += result[i].counted;
		if (result[i].left < worst->left)
			worst = &result[i];
	}
	if (kills)
		printf("%.2g | ", (double)lost / (double)kills);
	else
		printf("- | ");
	printf("%llu after %llu | ", (unsigned long long)worst->left,
	       (unsigned long long)worst->kills);
}

/* True if nothing was wrong in any run. */
static bool print_row(const char *name, unsigned int runs)
{
	uint64_t duplicates = 0;
	bool whole = true;

	for (unsigned int i = 0; i < runs; i++) {
		duplicates += shared->results[i].duplicates;
		whole &= !shared->results[i].hung &&
			 !shared->results[i].crashed &&
			 shared->results[i].left == BLOCKS;
	}
	printf("| %s | ", name);
	print_hangs(runs);
	print_losses(runs);
	printf("%llu |\n", (unsigned long long)duplicates);
	return whole && !duplicates;
}

/* Before its victims, so that it does not wait until one of them goes to sleep. */
static void become_urgent(void)
{
	struct sched_param param = {};

	param.sched_priority = 1;
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param))
		fprintf(stderr, "without priority: kills come at worse instants\n");
}

int main(int argc, char **argv)
{
	unsigned int runs = argc > 3 ? (unsigned int)atoi(argv[3]) : 0;
	uint64_t kills = argc > 3 ? strtoull(argv[2], NULL, 10) : 0;
	int status;

	if (!kills || !runs || runs > RUNS_MAX)
		die("usage: PROGRAM NAME KILLS RUNS");
	shared = (struct shared *)get_memory(sizeof(*shared));
	for (unsigned int i = 0; i < runs; i++) {
		memset(shared->notes, 0, sizeof(shared->notes));
		dice.state += i;
		if (!fork()) {
			become_urgent();
			run(&shared->results[i], kills);
			exit(0);
		}
		if (wait(&status) < 0 || status)
			die("a run came to no end");
	}
	return print_row(argv[1], runs) ? 0 : BROKEN;
}

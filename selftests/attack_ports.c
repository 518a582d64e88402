// SPDX-License-Identifier: GPL-2.0
/*
 * attack_ports - no message is lost, or comes twice, with processes that are killed
 *
 * Processes send blocks to ports of one small pool, receive, answer, share and free
 * them, and are killed at instants that have nothing to do with what they are at:
 * some at random, or all receivers of one port at once, or those just born.  After each
 * strike the others are stopped, and every block must be somebody's: see
 * port_kills/accounts.c.  Others take the places of the dead, and so it goes on until
 * the scene ends: then all are killed, the killer takes over the ports, and each
 * message of all that time must have come as often as it should: see
 * port_kills/ledger.c.
 *
 * What a process had sent and received is known from memory that outlives it, into
 * which the kernel itself writes what came of each call.
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "port_kills/port_kills.h"

#define KILLS		10000	/* in the short run */
#define SCENE_KILLS	100
#define BLOCK_SIZE	64
#define NR_BLOCKS	128	/* fewer than deep ports would like to have */
#define CLIENT_MAX	12	/* in some scenes: fewer than HOLD */
#define DEPTH_MAX	24
#define LINGER_MS	3
#define DOOMED		6	/* processes in one strike */
#define STEPS		8	/* fewer than so many a victim is waited for to make */
#define BIDE_US		10000	/* and the longest that it is waited for */
#define PAUSE_US	400	/* most from a victim's last awaited step to its death */
#define PATIENCE	10	/* seconds, until what must happen has happened */

static const char *const places[PLACES] = {
	"outside of calls", "opening or mapping", "in a bind", "in an alloc",
	"in a send", "in a send that may wait", "in a receive",
	"in a receive that may wait", "in a free", "in a share", "in a call",
};

struct killer {
	struct attack attack;
	struct random random;
	struct scene *scene;
	int fd;
	pid_t pids[VICTIMS];
	__u64 scenes;
	__u64 born;
	__u64 met[PLACES];		/* victims, by where they were */
	__u64 holding;			/* of these, with messages in hand */
	__u64 epipes;
	__u64 refused;
	__u64 bad_ends;
	__u64 looks;
	__u64 bad_looks;
	__u64 untold;			/* senders that never heard of the end */
	__u64 unrest;			/* scenes that did not come to an end */
	struct ledger_sums sums;
};

static __u32 below(struct killer *killer, __u32 limit)
{
	return random_below(&killer->random, limit);
}

static void nap(long us)
{
	const struct timespec time = { us / 1000000, us % 1000000 * 1000 };

	nanosleep(&time, NULL);
}

/*
 * Life and death
 */

/* In a place of one who died; what that one had sent counts on. */
static void start_victim(struct killer *killer, int slot)
{
	struct note *note = &killer->scene->notes[slot];
	struct cursor sent = note->sent;

	memset(note, 0, sizeof(*note));
	note->sent = sent;
	note->first = sent.at;
	ledger_birth(slot);
	killer->born++;
	killer->pids[slot] = child_fork();
	if (killer->pids[slot])
		return;
	close(killer->fd);
	victim_live(killer->scene, slot,
		    attack_random(&killer->attack, killer->born));
	_exit(1);
}

static void start_missing(struct killer *killer)
{
	for (int slot = 0; slot < VICTIMS; slot++)
		if (!killer->pids[slot])
			start_victim(killer, slot);
}

static void bury(struct killer *killer, int slot, int status)
{
	const struct note *note = &killer->scene->notes[slot];

	if (status != 128 + SIGKILL) {
		ksft_print_msg("victim %d ended with %d\n", slot, status);
		killer->bad_ends++;
	}
	killer->pids[slot] = 0;
	ledger_fold(killer->scene, slot, true);
	killer->met[note->place]++;
	killer->holding += note->received.at > note->freed.at;
	killer->epipes += note->epipes;
	killer->refused += note->refused;
	killer->attack.done++;
}

/* Some die before their first step, most in the middle of a later one. */
static void bide(struct killer *killer, const volatile struct note *note)
{
	__u32 steps = below(killer, STEPS);

	for (int us = 0; note->steps < steps && us < BIDE_US; us += 100)
		nap(100);
	nap(below(killer, PAUSE_US));
}

static void kill_doomed(struct killer *killer, const bool *doomed)
{
	__u32 from = below(killer, VICTIMS);

	for (__u32 i = 0; i < VICTIMS; i++) {
		int slot = (from + i) % VICTIMS;

		if (!doomed[slot])
			continue;
		bide(killer, &killer->scene->notes[slot]);
		kill(killer->pids[slot], SIGKILL);
	}
	for (int slot = 0; slot < VICTIMS; slot++)
		if (doomed[slot])
			bury(killer, slot, child_reap(killer->pids[slot]));
}

static bool receives(const struct part *part)
{
	return part->role == RECEIVER || part->role == SERVER || part->role == OWNER;
}

static void doom(struct killer *killer, bool *doomed)
{
	enum port port;

	memset(doomed, 0, VICTIMS * sizeof(*doomed));
	switch (below(killer, 8)) {
	case 0:
		port = below(killer, PORTS);
		for (int slot = 0; slot < VICTIMS; slot++)
			doomed[slot] = parts[slot].port == port &&
				       receives(&parts[slot]);
		break;
	case 1:
		for (int slot = 0; slot < VICTIMS; slot++)
			doomed[slot] = !killer->scene->notes[slot].steps;
		break;
	default:
		for (int i = 1 + below(killer, DOOMED); i; i--)
			doomed[below(killer, VICTIMS)] = true;
	}
}

/*
 * What is looked at
 */

static bool eventually(bool (*happened)(const struct killer *killer, __u32 arg),
		       const struct killer *killer, __u32 arg)
{
	time_t end = attack_now() + PATIENCE;

	while (!happened(killer, arg)) {
		if (attack_now() > end)
			return false;
		nap(100);
	}
	return true;
}

/* Whoever sends to a port that ended has been told, and is done with it. */
static bool all_told(const struct killer *killer, __u32 port)
{
	const volatile struct note *note = killer->scene->notes;

	for (int slot = 0; slot < VICTIMS; slot++, note++)
		if (killer->pids[slot] && parts[slot].role == SENDER &&
		    parts[slot].port == GONE && note->port == port &&
		    note->sent.at + BATCH <= SEQS)
			return false;
	return true;
}

static void await_told(struct killer *killer)
{
	const struct scene *scene = killer->scene;

	for (int slot = 0; slot < VICTIMS; slot++) {
		__u32 port = scene->notes[slot].port;

		if (parts[slot].role == OWNER && !killer->pids[slot] && port &&
		    !scene->linger_ms)
			killer->untold += !eventually(all_told, killer, port);
	}
}

/* A stopped process is in no call. */
static void stop_all(struct killer *killer)
{
	int status;

	for (int slot = 0; slot < VICTIMS; slot++)
		if (killer->pids[slot])
			kill(killer->pids[slot], SIGSTOP);
	for (int slot = 0; slot < VICTIMS; slot++) {
		if (!killer->pids[slot])
			continue;
		must(waitpid(killer->pids[slot], &status, WUNTRACED) > 0);
		if (!WIFSTOPPED(status))
			bury(killer, slot, WTERMSIG(status));
		else
			ledger_fold(killer->scene, slot, false);
	}
}

static void go_on(struct killer *killer)
{
	for (int slot = 0; slot < VICTIMS; slot++)
		if (killer->pids[slot])
			kill(killer->pids[slot], SIGCONT);
}

static bool none_lingers(const struct killer *killer, __u32 unused)
{
	return !accounts_lingering(killer->fd);
}

/* No grace, but for a port that is on its way. */
static void look(struct killer *killer)
{
	killer->looks++;
	killer->bad_looks += !eventually(none_lingers, killer, 0);
	killer->bad_looks += !accounts_check(killer->scene, killer->fd,
					      killer->pids);
}

/* Who has been reaped has given back everything. */
static void strike(struct killer *killer)
{
	bool doomed[VICTIMS];

	doom(killer, doomed);
	kill_doomed(killer, doomed);
	await_told(killer);
	stop_all(killer);
	look(killer);
	go_on(killer);
	start_missing(killer);
}

/*
 * A scene
 */

/* Of each kind of pool some in the shortest run. */
static __u32 some_flags(struct killer *killer)
{
	switch (killer->scenes % 3) {
	case 0:
		return BLOCKPOOL_ISOLATED;
	case 1:
		return 0;
	default:
		return random_next(&killer->random) & BLOCKPOOL_DEBUG;
	}
}

static void begin_scene(struct killer *killer)
{
	struct scene *scene = killer->scene;
	struct blockpool_create_args args = {
		.block_size = BLOCK_SIZE,
		.nr_blocks = NR_BLOCKS,
		.client_max = below(killer, 2) ? CLIENT_MAX : 0,
	};

	memset(scene, 0, sizeof(*scene));
	ledger_begin();
	args.flags = some_flags(killer);
	scene->depth = 1 + below(killer, DEPTH_MAX);
	scene->linger_ms = killer->scenes % 2 ? LINGER_MS : 0;
	scene->drained = killer->scenes++ / 2 % 2;
	pool_name(scene->name);
	killer->fd = pool_open(O_RDWR);
	must(!pool_create_args(killer->fd, scene->name, args));
	start_missing(killer);
}

static bool is_busy(const struct killer *killer, int slot)
{
	const volatile struct note *note = &killer->scene->notes[slot];

	return !note->idle && (parts[slot].role == REQUESTER ||
			       (parts[slot].role == SENDER &&
				killer->scene->drained));
}

/* What they receive meanwhile is noted, so that they have room for more. */
static bool all_idle(const struct killer *killer, __u32 unused)
{
	bool busy = false;

	for (int slot = 0; slot < VICTIMS; slot++) {
		ledger_fold(killer->scene, slot, false);
		busy |= is_busy(killer, slot);
	}
	return !busy;
}

static void tell_busy(const struct killer *killer)
{
	for (int slot = 0; slot < VICTIMS; slot++)
		if (is_busy(killer, slot))
			ksft_print_msg("victim %d does not come to rest: %s\n", slot,
				       places[killer->scene->notes[slot].place]);
}

/* Nobody is stopped meanwhile: who sleeps and could go on must have been woken. */
static void rest(struct killer *killer)
{
	bool doomed[VICTIMS];

	doom(killer, doomed);
	kill_doomed(killer, doomed);
	start_missing(killer);
	killer->scene->rest = true;
	if (eventually(all_idle, killer, 0))
		return;
	tell_busy(killer);
	killer->unrest++;
}

/* All that is left in a port that outlived its receivers. */
static void take_over(struct killer *killer, enum port which)
{
	struct blockpool_message messages[BATCH];
	int port = port_bind(killer->fd, port_names[which], PORT_RECV), ret;

	must(port > 0);
	while ((ret = port_recv(killer->fd, port, messages, BATCH, 0, 0)) > 0)
		for (int i = 0; i < ret; i++) {
			ledger_taken_over(which, &messages[i]);
			must(!pool_give(killer->fd, messages[i].index));
		}
	must(ret == -EAGAIN);
}

static void end_scene(struct killer *killer)
{
	bool all[VICTIMS];

	rest(killer);
	memset(all, true, sizeof(all));
	kill_doomed(killer, all);
	look(killer);
	killer->bad_looks += !accounts_ports_left(killer->fd, PORTS - 1);
	for (enum port which = 0; which < PORTS; which++)
		if (which != GONE)
			take_over(killer, which);
	look(killer);
	ledger_judge(killer->scene, &killer->sums);
	killer->bad_looks += pool_stats(killer->fd).nr_held > 0;
	if (!pool_info(killer->fd).client_max)
		killer->bad_looks += !pool_is_whole(killer->fd);
	close(killer->fd);
	killer->bad_looks += pool_listed(killer->scene->name);
}

static bool failed(const struct killer *killer)
{
	return killer->bad_ends || killer->bad_looks || killer->untold ||
	       killer->unrest || killer->sums.lost || killer->sums.twice ||
	       killer->sums.wrong;
}

static bool met_everywhere(const struct killer *killer)
{
	for (int place = 0; place < PLACES; place++)
		if (!killer->met[place])
			return false;
	return killer->holding;
}

/* What must have happened for the rest to mean something. */
static bool was_played(const struct killer *killer)
{
	const struct ledger_sums *sums = &killer->sums;

	return sums->received && sums->again && sums->answered && sums->shared &&
	       killer->refused && killer->epipes &&
	       sums->doubtful < sums->sent / 100;
}

static bool goes_on(struct killer *killer)
{
	if (failed(killer))
		return false;
	return attack_goes_on(&killer->attack) ||
	       (attack_may_exceed(&killer->attack) &&
		!(met_everywhere(killer) && was_played(killer)));
}

static void play_scene(struct killer *killer)
{
	__u64 end = killer->attack.done + SCENE_KILLS - VICTIMS;

	begin_scene(killer);
	while (goes_on(killer) && killer->attack.done < end)
		strike(killer);
	end_scene(killer);
}

static void begin(struct killer *killer)
{
	attack_be_urgent();
	killer->attack = attack_start("kills", KILLS);
	killer->random = attack_random(&killer->attack, 0);
	killer->scene = mmap(NULL, sizeof(*killer->scene), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(killer->scene != MAP_FAILED);
}

/*
 * The judgement
 */

static void tell(const struct killer *killer)
{
	const struct ledger_sums *sums = &killer->sums;

	for (int place = 0; place < PLACES; place++)
		ksft_print_msg("killed %-26s %8llu\n", places[place],
			       killer->met[place]);
	ksft_print_msg("killed with messages in hand   %8llu\n", killer->holding);
	ksft_print_msg("%llu messages sent, %llu received, and %llu again\n",
		       sums->sent, sums->received, sums->again);
	ksft_print_msg("%llu answered, %llu shared, %llu in doubt\n",
		       sums->answered, sums->shared, sums->doubtful);
	ksft_print_msg("%llu calls refused, %llu told of a port's end\n",
		       killer->refused, killer->epipes);
}

static void judge(const struct killer *killer)
{
	const struct ledger_sums *sums = &killer->sums;

	tell(killer);
	ksft_test_result(attack_finish(&killer->attack), "all were killed\n");
	ksft_test_result(!killer->bad_ends, "nobody ended before\n");
	ksft_test_result(met_everywhere(killer) && was_played(killer),
			 "death met them in every call, with messages in hand\n");
	ksft_test_result(killer->looks && !killer->bad_looks,
			 "each of %llu times every block was somebody's\n",
			 killer->looks);
	ksft_test_result(!sums->lost, "no message was lost (%llu)\n", sums->lost);
	ksft_test_result(!sums->twice && !sums->wrong,
			 "none came twice, unless it said so, nor to others (%llu, %llu)\n",
			 sums->twice, sums->wrong);
	ksft_test_result(!killer->untold, "all senders were told of a port's end\n");
	ksft_test_result(!killer->unrest,
			 "who asked or waited, and lived, was served\n");
}

int main(void)
{
	static struct killer killer;

	ksft_print_header();
	ksft_set_plan(8);
	begin(&killer);
	while (goes_on(&killer))
		play_scene(&killer);
	judge(&killer);
	ksft_finished();
}

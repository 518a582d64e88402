// SPDX-License-Identifier: GPL-2.0
#include "live.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "blackbox/boot.h"
#include "blackbox/pages.h"
#include "device.h"
#include "say.h"

#define OURS		"blockpool-"	/* and our pid */
#define SYSTEM		"blockpool"
#define ROUNDS		20		/* until the names of pools are there */

struct pool_name {
	__u64 number;
	char name[EVENT_NAME];
};

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

/* Whatever ends us but SIGKILL, the instance goes: and those that were left go now. */
static void catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
	struct sigaction action = { .sa_handler = stop };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}

static void remove_left(void)
{
	char **names = tracefs_instances("^" OURS "[0-9]+$");

	for (unsigned int i = 0; names && names[i]; i++) {
		long pid = strtol(names[i] + strlen(OURS), NULL, 10);
		struct tracefs_instance *instance;

		if (!kill(pid, 0) || errno != ESRCH)
			continue;
		instance = tracefs_instance_alloc(NULL, names[i]);
		tracefs_instance_destroy(instance);
		tracefs_instance_free(instance);
	}
	tracefs_list_free(names);
}

static int open_readers(struct live *live)
{
	live->nr_cpus = sysconf(_SC_NPROCESSORS_CONF);
	live->readers = calloc(live->nr_cpus, sizeof(*live->readers));
	live->dat.cpus = calloc(live->nr_cpus, sizeof(*live->dat.cpus));
	if (!live->readers || !live->dat.cpus)
		return failed("no memory");
	live->dat.nr_cpus = live->nr_cpus;
	for (unsigned int i = 0; i < live->nr_cpus; i++) {
		live->readers[i] = tracefs_cpu_open(live->instance, i, true);
		if (!live->readers[i])
			return failed("cannot read the events of CPU %u", i);
	}
	if (events_open(&live->events, &live->dat, &live->notes))
		return failed("no memory");
	return 0;
}

static int open_instance(struct live *live)
{
	char name[BOOT_NAME];
	const char *why;

	if (head_read(&live->head, &why))
		return failed("cannot trace: %s", why);
	live->dat = live->head.dat;
	ksyms_read(&live->ksyms, live->dat.kallsyms);
	remove_left();
	snprintf(name, sizeof(name), OURS "%d", getpid());
	live->instance = tracefs_instance_create(name);
	if (!live->instance)
		return failed("cannot make an instance of tracefs: %s", strerror(errno));
	return open_readers(live);
}

bool live_round(struct live *live)
{
	for (unsigned int i = 0; i < live->nr_cpus; i++) {
		pages_free(&live->dat.cpus[i]);
		if (!pages_read(live->readers[i], live->dat.page_size,
				&live->dat.cpus[i]))
			return false;
	}
	events_rewind(&live->events);
	return !stopped;
}

static void add_pool(struct live *live, const struct event *event)
{
	struct pool_name *larger;

	larger = realloc(live->pools, (live->nr_pools + 1) * sizeof(*larger));
	if (!larger)
		return;
	live->pools = larger;
	larger[live->nr_pools].number = event->pool;
	memcpy(larger[live->nr_pools++].name, event->name, EVENT_NAME);
}

bool live_next(struct live *live, struct event *event)
{
	bool more = events_next(&live->events, event);

	if (more && (event->kind == EVENT_POOL_CREATE ||
		     event->kind == EVENT_SNAPSHOT_BEGIN))
		add_pool(live, event);
	for (unsigned int i = 0; !more && i < live->nr_cpus; i++)
		live->nr_lost += events_span(&live->events, i).nr_lost;
	return more;
}

/* Of two of a name, the younger one. */
static __u64 find_pool(const struct live *live, const char *name)
{
	__u64 number = 0;

	for (unsigned int i = 0; i < live->nr_pools; i++)
		if (!strcmp(live->pools[i].name, name) && live->pools[i].number > number)
			number = live->pools[i].number;
	return number;
}

const char *live_pool(const struct live *live, __u64 number)
{
	for (unsigned int i = live->nr_pools; i--;)
		if (live->pools[i].number == number)
			return live->pools[i].name;
	return "?";
}

/* The module takes a snapshot when it is told how often to: as often as it did. */
static void ask_for_snapshot(void)
{
	size_t size;
	char *before = read_whole(SNAPSHOTS_FILE, &size);
	FILE *out;

	for (int i = 0; i < 2; i++) {
		bool off = !before || !strtoul(before, NULL, 10);

		out = before && (!i || off) ? fopen(SNAPSHOTS_FILE, "we") : NULL;
		if (!out)
			break;
		fputs(off && !i ? "1000\n" : before, out);
		fclose(out);
		if (!i)
			live_wait(0.1);
	}
	free(before);
}

/* Events have numbers for pools: a snapshot has the names too. */
static void learn_pools(struct live *live)
{
	struct event event;

	if (tracefs_event_enable(live->instance, SYSTEM, "snapshot_begin"))
		return;
	ask_for_snapshot();
	for (int i = 0; i < ROUNDS && !live->nr_pools && live_round(live); i++) {
		while (live_next(live, &event))
			;
		if (!live->nr_pools)
			live_wait(0.05);
	}
	tracefs_event_disable(live->instance, SYSTEM, "snapshot_begin");
}

static int filter_pool(struct live *live, const char *pool)
{
	char name[BLOCKPOOL_NAME_SIZE], filter[32];
	__u64 number;

	if (!name_set(name, pool, "pool"))
		return EXIT_MISUSED;
	number = find_pool(live, name);
	if (!number)
		return failed("no pool '%s'", name);
	snprintf(filter, sizeof(filter), "pool==%llu", number);
	if (tracefs_instance_file_write(live->instance, "events/" SYSTEM "/filter",
					filter) < 0)
		return failed("cannot filter by pool: %s", strerror(errno));
	return 0;
}

static int filter_pid(struct live *live, __u32 pid)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", pid);
	if (tracefs_instance_file_write(live->instance, "set_event_pid", number) < 0)
		return failed("cannot filter by process: %s", strerror(errno));
	return 0;
}

/* All of the system but snapshots, which are for the black box; or the one named. */
static int enable(struct live *live, const char *event)
{
	static const char *const snapshots[] = { "snapshot_begin", "snapshot_client",
		"snapshot_port", "snapshot_runs", "snapshot_end" };

	/* One is enabled after the other: let all begin at once. */
	tracefs_trace_off(live->instance);
	if (tracefs_event_enable(live->instance, SYSTEM, event))
		return event ? failed("there is no event '%s'", event) :
			       failed("cannot enable the events: %s", strerror(errno));
	for (size_t i = 0; !event && i < sizeof(snapshots) / sizeof(snapshots[0]); i++)
		tracefs_event_disable(live->instance, SYSTEM, snapshots[i]);
	if (tracefs_trace_on(live->instance))
		return failed("cannot turn tracing on: %s", strerror(errno));
	return 0;
}

int live_open(struct live *live, const struct opts *opts)
{
	int status;

	*live = (struct live){ };
	catch_signals();
	status = open_instance(live);
	if (status)
		return status;
	learn_pools(live);
	if (opts->arg)
		status = filter_pool(live, opts->arg);
	if (!status && opts->pid)
		status = filter_pid(live, opts->pid);
	return status ? status : enable(live, opts->event);
}

void live_close(struct live *live)
{
	for (unsigned int i = 0; i < live->nr_cpus; i++) {
		if (live->readers && live->readers[i])
			tracefs_cpu_close(live->readers[i]);
		if (live->dat.cpus)
			pages_free(&live->dat.cpus[i]);
	}
	events_close(&live->events);
	ksyms_free(&live->ksyms);
	free(live->readers);
	free(live->dat.cpus);
	free(live->pools);
	if (live->instance) {
		tracefs_instance_destroy(live->instance);
		tracefs_instance_free(live->instance);
	}
	head_free(&live->head);
}

bool live_wait(double seconds)
{
	struct timespec span = { .tv_sec = seconds };

	span.tv_nsec = (seconds - span.tv_sec) * 1e9;
	return !stopped && !nanosleep(&span, NULL) && !stopped;
}

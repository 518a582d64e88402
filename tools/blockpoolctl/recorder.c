// SPDX-License-Identifier: GPL-2.0
/* recorder: arm the black box, disarm it, say how it is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blackbox/boot.h"
#include "blackbox/gather.h"
#include "blackbox/head.h"
#include "ctl.h"
#include "json.h"
#include "recorder.h"
#include "say.h"

#define NO_BUFFER	"this kernel was not started with a buffer that outlives it, "	\
			"as 6.12 and later can be: see blockpoolctl recorder setup"
#define MARK_ARMED	"blockpool: armed\n"
#define MARK_DISARMED	"blockpool: disarmed\n"
/* The same for all CPUs, and readable in a panic. */
#define CLOCK		"mono"

static const struct {
	const char *system;
	const char *event;	/* NULL: all */
} recorded[] = {
	{ "blockpool", NULL },
	{ "sched", "sched_switch" },
	{ "sched", "sched_wakeup" },
	{ "sched", "sched_process_exit" },
	{ "irq", "irq_handler_entry" },
	{ "irq", "irq_handler_exit" },
	{ "irq", "softirq_entry" },
	{ "irq", "softirq_exit" },
};

#define NR_RECORDED	(sizeof(recorded) / sizeof(recorded[0]))

static struct tracefs_instance *open_instance(char name[BOOT_NAME])
{
	struct tracefs_instance *instance = boot_instance(name);

	if (!instance)
		failed("%s", NO_BUFFER);
	return instance;
}

static int set_snapshots(unsigned long ms)
{
	FILE *out = fopen(SNAPSHOTS_FILE, "we");

	if (!out)
		return -1;
	fprintf(out, "%lu\n", ms);
	return fclose(out);
}

static int enable_events(struct tracefs_instance *instance, bool enable)
{
	for (size_t i = 0; i < NR_RECORDED; i++) {
		int result = enable ?
			     tracefs_event_enable(instance, recorded[i].system,
						  recorded[i].event) :
			     tracefs_event_disable(instance, recorded[i].system,
						   recorded[i].event);

		if (result && enable)
			return failed("cannot enable %s:%s: %s", recorded[i].system,
				      recorded[i].event ? recorded[i].event : "*",
				      strerror(errno));
	}
	return 0;
}

/* One that the kernel turned on by itself, without our events, is not armed. */
static bool is_armed(struct tracefs_instance *instance)
{
	return tracefs_trace_is_on(instance) == 1 &&
	       tracefs_event_is_enabled(instance, "sched", "sched_switch") ==
	       TRACEFS_ALL_ENABLED;
}

/* What describes the events goes where the next boot finds it. */
static int save_head(void)
{
	char path[PATH_TEXT];
	struct head head;
	const char *why;
	int status = 0;

	recorder_path(RECORDER_HEAD, path);
	if (head_read(&head, &why))
		status = failed("cannot describe the events: %s", why);
	else if (dat_save(&head.dat, path))
		status = failed("cannot write %s: %s", path, strerror(errno));
	head_free(&head);
	return status;
}

/* The last boot's is saved before the first new event takes its place. */
static int save_last_boot(struct tracefs_instance *instance)
{
	char path[PATH_TEXT];
	const char *why;

	recorder_path(RECORDER_LAST, path);
	if (!buffer_is_empty(instance) && gather(instance, path, &why))
		return failed("cannot save the last boot's record to %s: %s", path, why);
	return 0;
}

static int start(struct tracefs_instance *instance, const struct opts *opts)
{
	if (tracefs_instance_file_write(instance, "trace_clock", CLOCK) < 0)
		return failed("cannot set the clock of the buffer: %s", strerror(errno));
	if (enable_events(instance, true))
		return EXIT_FAILED;
	if (tracefs_trace_on(instance))
		return failed("cannot turn tracing on: %s", strerror(errno));
	tracefs_instance_file_write(instance, "trace_marker", MARK_ARMED);
	if (set_snapshots(opts->interval * 1000))
		return failed("cannot write %s: %s", SNAPSHOTS_FILE, strerror(errno));
	return 0;
}

static int say_state(const struct opts *opts, const char *name, bool armed)
{
	if (opts->json) {
		json_object(NULL);
		json_string("instance", name);
		json_bool("armed", armed);
		json_end();
	} else {
		printf("%s: %s\n", name, armed ? "armed" : "disarmed");
	}
	return 0;
}

/* One that is armed goes on: a module that came later gets its names. */
static int arm(const struct opts *opts)
{
	char name[BOOT_NAME];
	struct tracefs_instance *instance = open_instance(name);
	bool armed;
	int status = 0;

	if (!instance)
		return EXIT_FAILED;
	armed = is_armed(instance);
	if (!armed)
		status = save_last_boot(instance);
	if (!status)
		status = save_head();
	if (!status && !armed)
		status = start(instance, opts);
	tracefs_instance_free(instance);
	return status ? status : say_state(opts, name, true);
}

static int disarm(const struct opts *opts)
{
	char name[BOOT_NAME];
	struct tracefs_instance *instance = open_instance(name);

	if (!instance)
		return EXIT_FAILED;
	if (tracefs_trace_is_on(instance) == 1) {
		tracefs_instance_file_write(instance, "trace_marker", MARK_DISARMED);
		tracefs_trace_off(instance);
	}
	set_snapshots(0);	/* the module may be gone */
	enable_events(instance, false);
	tracefs_instance_free(instance);
	return say_state(opts, name, false);
}

/* --- status ------------------------------------------------------------------ */

struct state {
	bool armed;
	long long kb;		/* of all CPUs */
	double seconds;		/* that it holds, by the CPU that holds least; 0: not known */
	unsigned long long events;
	unsigned long long overwritten;
	unsigned long long dropped;
	unsigned long snapshots;	/* from one to the next, in ms */
};

static double number_after(const char *stats, const char *key)
{
	const char *at = stats ? strstr(stats, key) : NULL;

	return at ? strtod(at + strlen(key), NULL) : 0;
}

/* A buffer that has begun to overwrite holds what it spans; else, what its rate says. */
static double seconds_held(const char *stats, double size)
{
	double span = number_after(stats, "now ts: ") -
		      number_after(stats, "oldest event ts: ");
	double bytes = number_after(stats, "\nbytes: ");

	if (span <= 0 || bytes <= 0)
		return 0;
	return number_after(stats, "\noverrun: ") > 0 ? span : span * size / bytes;
}

static void look_at_cpu(struct tracefs_instance *instance, long cpu, double size,
			struct state *state)
{
	char name[BOOT_NAME], *stats;
	double seconds;

	snprintf(name, sizeof(name), "per_cpu/cpu%ld/stats", cpu);
	stats = tracefs_instance_file_read(instance, name, NULL);
	state->events += number_after(stats, "entries: ");
	state->overwritten += number_after(stats, "\noverrun: ");
	state->dropped += number_after(stats, "\ndropped events: ") +
			  number_after(stats, "\ncommit overrun: ");
	seconds = seconds_held(stats, size);
	if (seconds && (!state->seconds || seconds < state->seconds))
		state->seconds = seconds;
	free(stats);
}

static void look(struct tracefs_instance *instance, struct state *state)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	long long kb = 0;
	FILE *in = fopen(SNAPSHOTS_FILE, "re");

	*state = (struct state){ .armed = is_armed(instance) };
	tracefs_instance_file_read_number(instance, "buffer_total_size_kb", &state->kb);
	tracefs_instance_file_read_number(instance, "buffer_size_kb", &kb);
	for (long i = 0; i < cpus; i++)
		look_at_cpu(instance, i, kb * 1024.0, state);
	if (in && fscanf(in, "%lu", &state->snapshots) != 1)
		state->snapshots = 0;
	if (in)
		fclose(in);
}

static void print_state(const char *name, const struct state *state)
{
	char path[PATH_TEXT], size[BYTES_TEXT];

	printf("%s: %s, %s of memory that outlives the boot\n", name,
	       state->armed ? "armed" : "not armed", bytes_text(size, state->kb * 1024));
	printf("events: %llu, overwritten by newer ones: %llu, dropped: %llu\n", state->events,
	       state->overwritten, state->dropped);
	if (state->armed && state->seconds)
		printf("holds at the present rate: %.1f s\n", state->seconds);
	if (state->armed && state->snapshots)
		printf("snapshots: every %lu ms\n", state->snapshots);
	else if (state->armed)
		puts("WARNING: no snapshots: set " SNAPSHOTS_FILE ", or arm again");
	if (!access(recorder_path(RECORDER_LAST, path), F_OK))
		printf("an earlier boot's record: %s\n", path);
}

static void print_state_json(const char *name, const struct state *state)
{
	char path[PATH_TEXT];

	json_object(NULL);
	json_string("instance", name);
	json_bool("armed", state->armed);
	json_number("size", state->kb * 1024);
	json_number("events", state->events);
	json_number("overwritten", state->overwritten);
	json_number("dropped", state->dropped);
	json_real("seconds", state->seconds);
	json_number("snapshot_ms", state->snapshots);
	if (access(recorder_path(RECORDER_LAST, path), F_OK))
		json_null("last");
	else
		json_string("last", path);
	json_end();
}

static int status(const struct opts *opts)
{
	char name[BOOT_NAME];
	struct tracefs_instance *instance = open_instance(name);
	struct state state;

	if (!instance)
		return EXIT_FAILED;
	look(instance, &state);
	tracefs_instance_free(instance);
	if (opts->json)
		print_state_json(name, &state);
	else
		print_state(name, &state);
	return 0;
}

int cmd_recorder(const struct opts *opts)
{
	static const struct {
		const char *name;
		int (*run)(const struct opts *opts);
	} all[] = {
		{ "setup", recorder_setup },
		{ "arm", arm },
		{ "disarm", disarm },
		{ "status", status },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(opts->arg, all[i].name))
			return all[i].run(opts);
	return misused("recorder takes setup, arm, disarm or status, not '%s'", opts->arg);
}

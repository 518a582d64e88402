// SPDX-License-Identifier: GPL-2.0
/*
 * count - a plugin for QEMU's emulator that writes down every instruction
 * which the guest executes between two marks (module/mark.h)
 *
 *   qemu-system-x86_64 -plugin count.so,out=FILE ...
 *
 * FILE gets lines:
 *
 *   armed			a subject begins
 *   take ADDRESS ...	(or "give") what was executed, in order
 *   take same		as in the take before
 *   text ADDRESS INSTRUCTION	disassembled, before the first line that has it
 *
 * Only what is translated after the mark ARM is watched, so that a guest boots at
 * full speed: there, all translations are dropped.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "module/mark.h"
#include "plugin.h"

#define EXPORT	__attribute__((visibility("default")))

EXPORT int qemu_plugin_version = 1;

#define TRACE_MAX	100000U	/* instructions in one take or give */

/* One that was translated: they are few once the guest is up, and stay. */
struct instruction {
	uint64_t address;
	int mark;		/* or 0 */
	bool shown;
	char *text;
};

static FILE *out;
static qemu_plugin_id_t plugin;
static bool armed;

/* The mark comes with interrupts off, on one CPU at a time. */
static unsigned int tracing_cpu;
static int tracing;		/* the mark that began it, or 0 */
static struct instruction *trace[TRACE_MAX];
static unsigned int length;

/* The last trace that began with each mark. */
static struct {
	struct instruction *trace[TRACE_MAX];
	unsigned int length;
} last[BENCH_MARK_END];

static int mark_of(const struct qemu_plugin_insn *insn)
{
	const unsigned char *code = qemu_plugin_insn_data(insn);
	uint32_t value;

	if (qemu_plugin_insn_size(insn) != 7 || memcmp(code, "\x0f\x1f\x80", 3))
		return 0;
	memcpy(&value, code + 3, sizeof(value));
	value -= BENCH_MARK_BASE;
	return value <= BENCH_MARK_END ? (int)value : 0;
}

/* True if it is as the last of its kind; it is the last from now on. */
static bool seen_before(void)
{
	size_t bytes = length * sizeof(trace[0]);

	if (length == last[tracing].length &&
	    !memcmp(trace, last[tracing].trace, bytes))
		return true;
	memcpy(last[tracing].trace, trace, bytes);
	last[tracing].length = length;
	return false;
}

static void write_texts(void)
{
	unsigned int i;

	for (i = 0; i < length; i++) {
		if (!trace[i]->shown)
			fprintf(out, "text %016lx %s\n", trace[i]->address,
				trace[i]->text);
		trace[i]->shown = true;
	}
}

static void write_trace(void)
{
	const char *kind = tracing == BENCH_MARK_TAKE ? "take" : "give";
	unsigned int i;

	if (seen_before()) {
		fprintf(out, "%s same\n", kind);
		return;
	}
	write_texts();
	fputs(kind, out);
	for (i = 0; i < length; i++)
		fprintf(out, " %016lx", trace[i]->address);
	fputc('\n', out);
}

static void install(qemu_plugin_id_t id);

static void arm(bool on)
{
	armed = on;
	qemu_plugin_reset(plugin, install);
}

static void executed_mark(unsigned int cpu, int mark)
{
	switch (mark) {
	case BENCH_MARK_ARM:
		fputs("armed\n", out);
		arm(true);
		return;
	case BENCH_MARK_DISARM:
		fflush(out);
		arm(false);
		return;
	case BENCH_MARK_END:
		if (tracing)
			write_trace();
		tracing = 0;
		return;
	default:
		tracing = mark;
		tracing_cpu = cpu;
		length = 0;
	}
}

static void executed(unsigned int cpu, void *data)
{
	struct instruction *instruction = data;

	if (instruction->mark) {
		if (armed || instruction->mark == BENCH_MARK_ARM)
			executed_mark(cpu, instruction->mark);
	} else if (tracing && cpu == tracing_cpu) {
		if (length == TRACE_MAX)
			abort();
		trace[length++] = instruction;
	}
}

static void watch(struct qemu_plugin_insn *insn, int mark)
{
	struct instruction *instruction = calloc(1, sizeof(*instruction));

	if (!instruction)
		abort();
	instruction->address = qemu_plugin_insn_vaddr(insn);
	instruction->mark = mark;
	instruction->text = qemu_plugin_insn_disas(insn);
	qemu_plugin_register_vcpu_insn_exec_cb(insn, executed, 0, instruction);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t i, n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		int mark = mark_of(insn);

		if (armed || mark)
			watch(insn, mark);
	}
}

static void install(qemu_plugin_id_t id)
{
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc,
			       char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4))
		return -1;
	out = fopen(argv[0] + 4, "w");
	if (!out)
		return -1;
	plugin = id;
	install(id);
	return 0;
}

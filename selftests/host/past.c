// SPDX-License-Identifier: GPL-2.0
#include "past.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/record.h"
#include "../../tools/blockpoolctl/blackbox/dat.h"

#define HEAD		16u	/* of a page */
#define COMMON		8u	/* of an event */
#define FIELDS_MAX	12

#define POOL_AT_ONCE	\
	"u32 pool,u32 sum,u32 seq,name name,u64 block_size,u32 nr_blocks,u32 flags"

/* What the fields are like: a kind, and a name. */
static const struct {
	const char *system;
	const char *name;
	const char *fields;
} events[] = {
	{ "ftrace", "print", "u64 ip,text buf" },
	{ "sched", "sched_switch",
	  "comm prev_comm,s32 prev_pid,s64 prev_state,comm next_comm,s32 next_pid" },
	{ "sched", "sched_wakeup", "comm comm,s32 pid,s32 prio,s32 target_cpu" },
	{ "sched", "sched_process_exit", "comm comm,s32 pid,s32 prio" },
	{ "irq", "irq_handler_entry", "s32 irq,string name" },
	{ "irq", "irq_handler_exit", "s32 irq,s32 ret" },
	{ "irq", "softirq_entry", "u32 vec" },
	{ "irq", "softirq_exit", "u32 vec" },
	{ "blockpool", "pool_create",
	  "u32 pool,u32 sum,name name,u64 block_size,u32 nr_blocks,u32 flags" },
	{ "blockpool", "pool_unlink", "u32 pool,u32 sum" },
	{ "blockpool", "pool_destroy", "u32 pool,u32 sum" },
	{ "blockpool", "client_open", "u32 pool,u32 sum,u32 client,s32 pid,comm comm" },
	{ "blockpool", "client_close", "u32 pool,u32 sum,u32 client" },
	{ "blockpool", "client_reclaim", "u32 pool,u32 sum,u32 client,u32 count" },
	{ "blockpool", "take", "u32 pool,u32 sum,u32 index,u32 owner,u64 ip" },
	{ "blockpool", "free", "u32 pool,u32 sum,u32 index,u32 owner,u64 ip" },
	{ "blockpool", "take_bulk", "u32 pool,u32 sum,u32 owner,u32 count,u64 ip,words indices" },
	{ "blockpool", "free_bulk", "u32 pool,u32 sum,u32 owner,u32 count,u64 ip,words indices" },
	{ "blockpool", "refill", "u32 pool,u32 sum,u32 count" },
	{ "blockpool", "flush", "u32 pool,u32 sum,u32 count" },
	{ "blockpool", "drain", "u32 pool,u32 sum,u32 count" },
	{ "blockpool", "wait_begin", "u32 pool,u32 sum,u32 client,u32 count" },
	{ "blockpool", "wait_end", "u32 pool,u32 sum,u32 client,s32 result" },
	{ "blockpool", "refused",
	  "u32 pool,u32 sum,u32 index,u32 reason,u32 caller,u32 owner" },
	{ "blockpool", "corrupt",
	  "u32 pool,u32 sum,u32 index,u32 what,s64 offset,u32 owner" },
	{ "blockpool", "quarantine", "u32 pool,u32 sum,u32 index,u32 from" },
	{ "blockpool", "repair", "u32 pool,u32 sum,u32 index" },
	{ "blockpool", "port_open", "u32 pool,u32 sum,u32 port,name name" },
	{ "blockpool", "port_close", "u32 pool,u32 sum,u32 port" },
	{ "blockpool", "send", "u32 pool,u32 sum,u32 port,u32 owner,u32 count,words indices" },
	{ "blockpool", "send_undone",
	  "u32 pool,u32 sum,u32 port,u32 owner,u32 count,words indices" },
	{ "blockpool", "receive", "u32 pool,u32 sum,u32 port,u32 owner,u32 count,words indices" },
	{ "blockpool", "requeue", "u32 pool,u32 sum,u32 port,u32 owner,u32 count,words indices" },
	{ "blockpool", "drop", "u32 pool,u32 sum,u32 port,u32 owner,u32 count,words indices" },
	{ "blockpool", "share", "u32 pool,u32 sum,u32 port,u32 owner,u32 index,u32 holders" },
	{ "blockpool", "receive_shared", "u32 pool,u32 sum,u32 port,u32 owner,u32 index" },
	{ "blockpool", "unshare", "u32 pool,u32 sum,u32 client,u32 index,u32 holders" },
	{ "blockpool", "snapshot_begin",
	  POOL_AT_ONCE ",u32 nr_free,u32 nr_held,u32 nr_in_flight,u32 at_panic" },
	{ "blockpool", "snapshot_client",
	  "u32 pool,u32 sum,u32 seq,u32 client,s32 pid,comm comm,u32 held" },
	{ "blockpool", "snapshot_port",
	  "u32 pool,u32 sum,u32 seq,u32 port,name name,u32 depth,u32 nr" },
	{ "blockpool", "snapshot_runs",
	  "u32 pool,u32 sum,u32 seq,u32 first,u64 start,u64 now,u32 nr,pairs runs" },
	{ "blockpool", "snapshot_end", "u32 pool,u32 sum,u32 seq" },
};

#define NR_EVENTS	(sizeof(events) / sizeof(events[0]))

static const struct kind {
	const char *name;
	const char *type;	/* as the kernel writes it, %s for the name */
	unsigned int size;
	unsigned int align;
	int is_signed;
} kinds[] = {
	{ "u8", "u8 %s", 1, 1, 0 },
	{ "u32", "u32 %s", 4, 4, 0 },
	{ "s32", "int %s", 4, 4, 1 },
	{ "u64", "u64 %s", 8, 8, 0 },
	{ "s64", "long %s", 8, 8, 1 },
	{ "comm", "char %s[16]", 16, 1, 0 },
	{ "name", "char %s[32]", 32, 1, 0 },
	{ "string", "__data_loc char[] %s", 4, 4, 0 },
	{ "words", "__data_loc u32[] %s", 4, 4, 0 },
	{ "pairs", "__data_loc u32[] %s", 4, 4, 0 },
	{ "text", "char %s[]", 0, 1, 0 },
};

struct field {
	const struct kind *kind;
	char name[32];
	unsigned int offset;
};

static unsigned int fields_of(unsigned int event, struct field *fields,
			      unsigned int *end)
{
	const char *at = events[event].fields;
	unsigned int nr = 0, offset = COMMON;
	char kind[16];

	for (; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
		struct field *field = &fields[nr++];

		if (sscanf(at, "%15s %31[^,]", kind, field->name) != 2)
			abort();
		field->kind = kinds;
		while (strcmp(field->kind->name, kind))
			field->kind++;
		offset = (offset + field->kind->align - 1) & -field->kind->align;
		field->offset = offset;
		offset += field->kind->size;
	}
	*end = offset;
	return nr;
}

static void write_format(FILE *out, const struct past *past, unsigned int event)
{
	struct field fields[FIELDS_MAX];
	unsigned int end, nr = fields_of(event, fields, &end);
	char type[64];

	fprintf(out, "name: %s\nID: %u\nformat:\n", events[event].name,
		past->first_id + event);
	fputs("\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
	      "\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
	      "\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"
	      "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n", out);
	for (unsigned int i = 0; i < nr; i++) {
		const struct kind *kind = fields[i].kind;

		snprintf(type, sizeof(type), kind->type, fields[i].name);
		fprintf(out, "\tfield:%s;\toffset:%u;\tsize:%u;\tsigned:%d;\n",
			type, fields[i].offset, kind->size, kind->is_signed);
	}
	fputs("\nprint fmt: \"reason=%s\", ", out);
	fputs("__print_symbolic(REC->reason, { 0, \"no_block\" }, { 2, \"not_held\" })\n", out);
}

static void store(unsigned char *at, __u64 value, unsigned int size)
{
	memcpy(at, &value, size);
}

/* Of no fixed length: behind the others, whatever field it belongs to. */
static size_t put_dynamic(unsigned char *record, const struct field *field,
			  size_t end, __u64 value, __u64 before)
{
	const void *from = (const void *)(unsigned long)value;
	size_t size = before * 4;

	if (!strcmp(field->kind->name, "pairs"))
		size *= 2;
	else if (strcmp(field->kind->name, "words"))
		size = strlen(from) + 1;
	memcpy(record + end, from, size);
	if (field->kind->size)
		store(record + field->offset, size << 16 | end, 4);
	return end + size;
}

static size_t encode(const struct past *past, unsigned int event, int thread,
		     const __u64 *values, unsigned char *record)
{
	struct field fields[FIELDS_MAX];
	unsigned int end, nr = fields_of(event, fields, &end);
	const struct field *sum = NULL;
	size_t size = end;
	__u64 count = 0;

	memset(record, 0, PAST_PAGE);
	store(record, past->first_id + event, 2);
	store(record + 4, thread, 4);
	for (unsigned int i = 0; i < nr; i++) {
		const struct field *field = &fields[i];
		const char *kind = field->kind->name;
		__u64 value;

		if (!strcmp(field->name, "sum")) {
			sum = field;
			continue;
		}
		value = *values++;
		if (!strcmp(field->name, "count") || !strcmp(field->name, "nr"))
			count = value;
		if (!strcmp(kind, "comm") || !strcmp(kind, "name"))
			snprintf((char *)record + field->offset, field->kind->size, "%s",
				 (const char *)(unsigned long)value);
		else if (!field->kind->size || strstr(field->kind->type, "__data_loc"))
			size = put_dynamic(record, field, size, value, count);
		else
			store(record + field->offset, value, field->kind->size);
	}
	if (sum)
		store(record + sum->offset, bp_record_sum(record, sum->offset, size), 4);
	return (size + 3) & -4;
}

static unsigned char *last_page(struct past_cpu *cpu)
{
	return cpu->pages + (cpu->nr_pages - 1) * PAST_PAGE;
}

static void new_page(struct past_cpu *cpu, __u64 time)
{
	cpu->pages = realloc(cpu->pages, ++cpu->nr_pages * PAST_PAGE);
	if (!cpu->pages)
		abort();
	memset(last_page(cpu), 0, PAST_PAGE);
	store(last_page(cpu), time, 8);
	cpu->used = HEAD;
	cpu->time = time;
}

static void append(struct past_cpu *cpu, const void *bytes, size_t size)
{
	memcpy(last_page(cpu) + cpu->used, bytes, size);
	cpu->used += size;
	store(last_page(cpu) + 8, cpu->used - HEAD, 8);
}

static void append_word(struct past_cpu *cpu, __u32 word)
{
	append(cpu, &word, sizeof(word));
}

void past_put(struct past *past, unsigned int number, __u64 time, int thread,
	      const char *name, const __u64 *fields)
{
	struct past_cpu *cpu = &past->cpus[number];
	unsigned char record[2 * PAST_PAGE];
	unsigned int event = 0;
	size_t size;
	__u64 delta;

	while (strcmp(events[event].name, name))
		if (++event == NR_EVENTS)
			abort();
	size = encode(past, event, thread, fields, record);
	if (!cpu->nr_pages || cpu->used + size + 16 > PAST_PAGE)
		new_page(cpu, time);
	delta = time - cpu->time;
	cpu->time = time;
	if (delta >> 27) {
		append_word(cpu, (delta & ((1 << 27) - 1)) << 5 | 30);
		append_word(cpu, delta >> 27);
		delta = 0;
	}
	append_word(cpu, delta << 5 | (size / 4 <= 28 ? size / 4 : 0));
	if (size / 4 > 28)
		append_word(cpu, size + 4);
	append(cpu, record, size);
}

void past_begin(struct past *past, unsigned int nr_cpus)
{
	*past = (struct past){
		.nr_cpus = nr_cpus,
		.first_id = 300,
		.kallsyms = "ffffffff81000000 T _text\n"
			    "ffffffffc0001000 t peer_take\t[blockpool_peer]\n",
	};
}

void past_end(struct past *past)
{
	for (unsigned int i = 0; i < past->nr_cpus; i++)
		free(past->cpus[i].pages);
}

static struct bytes text(const char *text)
{
	return (struct bytes){ .at = (const void *)text, .left = strlen(text) };
}

unsigned char *past_file(const struct past *past, size_t *size)
{
	struct bytes cpus[PAST_CPUS];
	struct dat dat = {
		.page_size = PAST_PAGE,
		.header_page = text("\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"),
		.header_event = text("# compressed entry header\n"),
		.kallsyms = text(past->kallsyms),
		.says = text("boot_id=made-up cpus=2"),
		.cpus = cpus,
		.nr_cpus = past->nr_cpus,
	};
	char *formats[NR_EVENTS], *file;
	size_t length;
	FILE *out;

	for (unsigned int i = 0; i < NR_EVENTS; i++) {
		out = open_memstream(&formats[i], &length);
		write_format(out, past, i);
		fclose(out);
		if (!dat_add_format(&dat, events[i].system, text(formats[i])))
			abort();
	}
	for (unsigned int i = 0; i < past->nr_cpus; i++)
		cpus[i] = (struct bytes){
			.at = past->cpus[i].pages,
			.left = past->cpus[i].nr_pages * PAST_PAGE,
		};
	out = open_memstream(&file, size);
	if (dat_write(out, &dat))
		abort();
	fclose(out);
	for (unsigned int i = 0; i < NR_EVENTS; i++)
		free(formats[i]);
	free(dat.formats);
	return (unsigned char *)file;
}

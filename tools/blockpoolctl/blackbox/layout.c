// SPDX-License-Identifier: GPL-2.0
#include "layout.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <traceevent/event-parse.h>

#include "../../../common/record.h"

#define IDS		(1u << 16)	/* common_type has 16 bits */
#define FIELDS_MAX	12u		/* of ours in one event */
#define FORMAT_MAX	(64u << 10)
#define RECORD_ALIGN	8u		/* a record may be so much longer, for padding */
#define COMMON_SIZE	8u

enum take { NUMBER, TEXT, WORDS };

/* Where in struct event a field goes. */
struct slot {
	const char *field;
	enum take take;
	__u16 offset;
	__u16 size;
};

#define SLOT(field, take, member)						\
	{									\
		field, take, offsetof(struct event, member),			\
		sizeof(((const struct event *)NULL)->member)			\
	}
#define NAMED(member)	SLOT(#member, NUMBER, member)

static const struct slot slots[] = {
	NAMED(pool), NAMED(index), NAMED(owner), NAMED(from), NAMED(caller),
	NAMED(client), NAMED(port), NAMED(count), NAMED(holders), NAMED(seq),
	NAMED(first), NAMED(nr), NAMED(start), NAMED(now), NAMED(at_panic),
	NAMED(held), NAMED(depth), NAMED(block_size), NAMED(nr_blocks),
	NAMED(flags), NAMED(nr_free), NAMED(nr_held), NAMED(nr_in_flight),
	NAMED(ip), NAMED(reason), NAMED(what), NAMED(offset), NAMED(irq),
	NAMED(vec), NAMED(result), NAMED(pid), NAMED(prev_pid),
	NAMED(next_pid), NAMED(prev_state),
	SLOT("name", TEXT, name), SLOT("buf", TEXT, name),
	SLOT("comm", TEXT, comm), SLOT("next_comm", TEXT, comm),
	SLOT("prev_comm", TEXT, prev_comm),
	SLOT("indices", WORDS, words), SLOT("runs", WORDS, words),
};

#define NR_SLOTS	(sizeof(slots) / sizeof(slots[0]))

/* What they are called, and the fields without which they are of no use. */
static const struct {
	const char *system;
	const char *name;
	const char *fields;
} kinds[NR_EVENT_KINDS] = {
	[EVENT_SWITCH] = { "sched", "sched_switch",
		"prev_comm prev_pid prev_state next_comm next_pid" },
	[EVENT_WAKEUP] = { "sched", "sched_wakeup", "comm pid" },
	[EVENT_EXIT] = { "sched", "sched_process_exit", "comm pid" },
	[EVENT_IRQ_IN] = { "irq", "irq_handler_entry", "irq name" },
	[EVENT_IRQ_OUT] = { "irq", "irq_handler_exit", "irq" },
	[EVENT_SOFTIRQ_IN] = { "irq", "softirq_entry", "vec" },
	[EVENT_SOFTIRQ_OUT] = { "irq", "softirq_exit", "vec" },
	[EVENT_MARK] = { "ftrace", "print", "buf" },
	[EVENT_POOL_CREATE] = { "blockpool", "pool_create",
		"pool name block_size nr_blocks flags" },
	[EVENT_POOL_UNLINK] = { "blockpool", "pool_unlink", "pool" },
	[EVENT_POOL_DESTROY] = { "blockpool", "pool_destroy", "pool" },
	[EVENT_CLIENT_OPEN] = { "blockpool", "client_open", "pool client pid comm" },
	[EVENT_CLIENT_CLOSE] = { "blockpool", "client_close", "pool client" },
	[EVENT_CLIENT_RECLAIM] = { "blockpool", "client_reclaim", "pool client count" },
	[EVENT_TAKE] = { "blockpool", "take", "pool index owner ip" },
	[EVENT_FREE] = { "blockpool", "free", "pool index owner ip" },
	[EVENT_TAKE_BULK] = { "blockpool", "take_bulk", "pool owner count ip indices" },
	[EVENT_FREE_BULK] = { "blockpool", "free_bulk", "pool owner count ip indices" },
	[EVENT_REFILL] = { "blockpool", "refill", "pool count" },
	[EVENT_FLUSH] = { "blockpool", "flush", "pool count" },
	[EVENT_DRAIN] = { "blockpool", "drain", "pool count" },
	[EVENT_WAIT_BEGIN] = { "blockpool", "wait_begin", "pool client count" },
	[EVENT_WAIT_END] = { "blockpool", "wait_end", "pool client result" },
	[EVENT_REFUSED] = { "blockpool", "refused", "pool index reason caller owner" },
	[EVENT_CORRUPT] = { "blockpool", "corrupt", "pool index what offset owner" },
	[EVENT_QUARANTINE] = { "blockpool", "quarantine", "pool index from" },
	[EVENT_REPAIR] = { "blockpool", "repair", "pool index" },
	[EVENT_PORT_OPEN] = { "blockpool", "port_open", "pool port name" },
	[EVENT_PORT_CLOSE] = { "blockpool", "port_close", "pool port" },
	[EVENT_SEND] = { "blockpool", "send", "pool port owner count indices" },
	[EVENT_SEND_UNDONE] = { "blockpool", "send_undone", "pool port owner count indices" },
	[EVENT_RECEIVE] = { "blockpool", "receive", "pool port owner count indices" },
	[EVENT_REQUEUE] = { "blockpool", "requeue", "pool port owner count indices" },
	[EVENT_DROP] = { "blockpool", "drop", "pool port count indices" },
	[EVENT_SHARE] = { "blockpool", "share", "pool port owner index holders" },
	[EVENT_RECEIVE_SHARED] = { "blockpool", "receive_shared", "pool port owner index" },
	[EVENT_UNSHARE] = { "blockpool", "unshare", "pool client index holders" },
	[EVENT_SNAPSHOT_BEGIN] = { "blockpool", "snapshot_begin",
		"pool seq name block_size nr_blocks flags nr_free nr_held nr_in_flight at_panic" },
	[EVENT_SNAPSHOT_CLIENT] = { "blockpool", "snapshot_client",
		"pool seq client pid comm held" },
	[EVENT_SNAPSHOT_PORT] = { "blockpool", "snapshot_port", "pool seq port name depth" },
	[EVENT_SNAPSHOT_RUNS] = { "blockpool", "snapshot_runs",
		"pool seq start now first nr runs" },
	[EVENT_SNAPSHOT_END] = { "blockpool", "snapshot_end", "pool seq" },
};

struct place {
	const struct slot *slot;
	unsigned int offset;
	unsigned int size;	/* 0: up to the end of the record */
	bool is_signed;
	bool dynamic;		/* at offset it says where and how long */
};

struct shape {
	bool known;		/* kernel described it */
	bool ours;
	bool open_end;		/* it ends in text of any length */
	enum event_kind kind;
	unsigned int fixed;	/* bytes up to the end of the last fixed field */
	unsigned int sum;	/* of it all, where that is; 0: there is none */
	unsigned int nr_places;
	struct place places[FIELDS_MAX];
	char *symbols[EVENT_SYMBOLS];
};

struct layout {
	struct shape *shapes;
	__u16 shape_of[IDS];	/* 0: none */
	unsigned int nr_shapes;
};

const char *event_name(enum event_kind kind)
{
	return kinds[kind].name;
}

static const struct slot *find_slot(const char *field, size_t length)
{
	for (size_t i = 0; i < NR_SLOTS; i++)
		if (!strncmp(slots[i].field, field, length) &&
		    !slots[i].field[length])
			return &slots[i];
	return NULL;
}

static bool place_fits(const struct place *place, unsigned long flags)
{
	switch (place->slot->take) {
	case NUMBER:
		return !place->dynamic && !(flags & TEP_FIELD_IS_ARRAY) &&
		       (place->size == 1 || place->size == 2 ||
			place->size == 4 || place->size == 8);
	case TEXT:
		return !place->dynamic || place->size == 4;
	default:
		return place->dynamic && place->size == 4;
	}
}

/* A field of the kernel's description, which may be a damaged one. */
static bool add_place(struct shape *shape, struct tep_event *event,
		      const struct slot *slot)
{
	struct tep_format_field *field = tep_find_field(event, slot->field);
	struct place *place = &shape->places[shape->nr_places];

	if (!field || field->offset < 0 || field->size < 0 ||
	    shape->nr_places == FIELDS_MAX)
		return false;
	*place = (struct place){
		.slot = slot,
		.offset = field->offset,
		.size = field->size,
		.is_signed = field->flags & TEP_FIELD_IS_SIGNED,
		.dynamic = field->flags & TEP_FIELD_IS_DYNAMIC,
	};
	if (!place_fits(place, field->flags))
		return false;
	if (!place->size)
		shape->open_end = true;
	shape->nr_places++;
	return true;
}

static bool add_places(struct shape *shape, struct tep_event *event)
{
	const char *field = kinds[shape->kind].fields;

	while (*field) {
		size_t length = strcspn(field, " ");
		const struct slot *slot = find_slot(field, length);

		if (!slot || !add_place(shape, event, slot))
			return false;
		field += length;
		field += strspn(field, " ");
	}
	return true;
}

/* All fields, ours or not: as long as that an event must be. */
static void measure(struct shape *shape, struct tep_event *event)
{
	struct tep_format_field *field;

	shape->fixed = COMMON_SIZE;
	for (field = event->format.fields; field; field = field->next) {
		__u64 end = (__u64)(__u32)field->offset + (__u32)field->size;

		if (!field->size || field->flags & TEP_FIELD_IS_DYNAMIC)
			shape->open_end = true;
		if (end > FORMAT_MAX)
			end = FORMAT_MAX;
		if (end > shape->fixed)
			shape->fixed = end;
	}
}

/* The module's own have a sum.  True if it is as it should be, or need not be there. */
static bool find_sum(struct shape *shape, struct tep_event *event)
{
	struct tep_format_field *field;

	if (strcmp(event->system, "blockpool"))
		return true;
	field = tep_find_field(event, "sum");
	if (!field || field->size != 4 || field->offset < (int)COMMON_SIZE ||
	    field->offset + 4u > shape->fixed ||	/* which has a bound */
	    field->offset % 4 || shape->fixed % 4)
		return false;
	shape->sum = field->offset;
	return true;
}

/* "{ 2, "not held" }" in the part that says how to print it. */
static void read_symbols(struct shape *shape, const char *print)
{
	const char *at = strstr(print, "__print_symbolic(");
	unsigned int value;
	char word[48];
	int length;

	while (at && (at = strchr(at, '{'))) {
		if (sscanf(at, "{ %u , \"%47[^\"]\" }%n", &value, word, &length) != 2)
			return;
		if (value < EVENT_SYMBOLS && !shape->symbols[value])
			shape->symbols[value] = strdup(word);
		at++;
	}
}

static int kind_of(const char *system, const char *name)
{
	for (int i = 0; i < NR_EVENT_KINDS; i++)
		if (!strcmp(kinds[i].system, system) && !strcmp(kinds[i].name, name))
			return i;
	return -1;
}

/* That its own header is where ours is does not go without saying. */
static bool common_is_usual(struct tep_event *event)
{
	struct tep_format_field *type, *pid;

	type = tep_find_common_field(event, "common_type");
	pid = tep_find_common_field(event, "common_pid");
	return type && type->offset == 0 && type->size == 2 &&
	       pid && pid->offset == 4 && pid->size == 4;
}

static void add_shape(struct layout *layout, struct tep_event *event,
		      const char *print, struct notes *notes)
{
	struct shape *shape = &layout->shapes[layout->nr_shapes + 1];
	int kind = kind_of(event->system, event->name);

	if (event->id <= 0 || event->id >= (int)IDS ||
	    layout->shape_of[event->id] || !common_is_usual(event)) {
		note(notes, NOTE_FORMAT, "of %s:%s", event->system, event->name);
		return;
	}
	*shape = (struct shape){ .known = true, .kind = kind };
	measure(shape, event);
	if (kind >= 0) {
		shape->ours = add_places(shape, event) && find_sum(shape, event);
		if (!shape->ours)
			note(notes, NOTE_FORMAT, "of %s:%s", event->system,
			     event->name);
		read_symbols(shape, print);
	}
	layout->shape_of[event->id] = ++layout->nr_shapes;
}

/*
 * What says how to print an event is a small program, whose reader is far more than we
 * need and trusts it: libtraceevent gets the fields only.
 */
static void read_format(struct layout *layout, struct tep_handle *tep,
			const struct dat_format *format, struct notes *notes)
{
	static const char no_print[] = "\nprint fmt: \"\"\n";
	struct tep_event *event = NULL;
	size_t size = format->text.left;
	char *text, *print;

	if (size > FORMAT_MAX || memchr(format->text.at, '\0', size)) {
		note(notes, NOTE_FORMAT, "of an event of %s", format->system);
		return;
	}
	text = calloc(1, size + sizeof(no_print));
	if (!text)
		return;
	memcpy(text, format->text.at, size);
	print = strstr(text, "\nprint fmt:");
	print = strdup(print ? print : "");
	strcpy(print && *print ? strstr(text, "\nprint fmt:") : text + size, no_print);
	if (tep_parse_format(tep, &event, text, strlen(text), format->system) || !event)
		note(notes, NOTE_FORMAT, "of an event of %s", format->system);
	else if (print)
		add_shape(layout, event, print, notes);
	free(print);
	free(text);
}

struct layout *layout_read(const struct dat *dat, struct notes *notes)
{
	struct layout *layout = calloc(1, sizeof(*layout));
	struct tep_handle *tep = tep_alloc();

	if (layout)
		layout->shapes = calloc(dat->nr_formats + 1,
					sizeof(*layout->shapes));
	if (!layout || !layout->shapes || !tep) {
		layout_free(layout);
		tep_free(tep);
		return NULL;
	}
	tep_set_loglevel(TEP_LOG_NONE);
	for (unsigned int i = 0; i < dat->nr_formats; i++)
		read_format(layout, tep, &dat->formats[i], notes);
	tep_free(tep);
	return layout;
}

void layout_free(struct layout *layout)
{
	if (!layout)
		return;
	for (unsigned int i = 1; layout->shapes && i <= layout->nr_shapes; i++)
		for (unsigned int j = 0; j < EVENT_SYMBOLS; j++)
			free(layout->shapes[i].symbols[j]);
	free(layout->shapes);
	free(layout);
}

static struct bytes at(struct bytes record, __u64 offset, __u64 size)
{
	bytes_take(&record, offset);
	return bytes_take(&record, size);
}

static void fill_number(const struct place *place, struct bytes value,
			void *member)
{
	unsigned int unused = 64 - 8 * place->size;
	__u64 number = bytes_number(&value, place->size);

	if (place->is_signed && unused)
		number = (__s64)(number << unused) >> unused;
	memcpy(member, &number, sizeof(number));
}

static void fill_text(const struct place *place, struct bytes text, char *member)
{
	size_t room = place->slot->size - 1;
	size_t length = text.left < room ? text.left : room;

	memcpy(member, text.at, length);
	member[length] = '\0';
}

/* Of a field without a fixed length: where it is, and that it is behind the others. */
static bool find_dynamic(const struct shape *shape, const struct place *place,
			 struct bytes record, struct bytes *value)
{
	__u32 where = bytes_number(value, 4);

	if (value->bad || (where & 0xffff) < shape->fixed)
		return false;
	*value = at(record, where & 0xffff, where >> 16);
	return !value->bad && (place->slot->take != WORDS || !(value->left % 4));
}

static bool fill_place(const struct shape *shape, const struct place *place,
		       struct bytes record, struct event *event)
{
	char *member = (char *)event + place->slot->offset;
	__u64 size = place->size;
	struct bytes value;

	if (!size && place->offset <= record.left)
		size = record.left - place->offset;
	value = at(record, place->offset, size);
	if (value.bad)
		return false;
	if (place->dynamic && !find_dynamic(shape, place, record, &value))
		return false;
	if (place->slot->take == NUMBER)
		fill_number(place, value, member);
	else if (place->slot->take == TEXT)
		fill_text(place, value, member);
	else
		event->words = value;
	return true;
}

/* What the words take up is what there is of them, but for padding. */
static bool size_fits(const struct shape *shape, struct bytes record)
{
	return record.left >= shape->fixed &&
	       (shape->open_end ||
		record.left - shape->fixed < RECORD_ALIGN);
}

/* What is behind the fixed fields are words, and the record may be longer than they. */
static bool sum_is_right(const struct shape *shape, struct bytes record,
			 const struct bytes *words)
{
	struct bytes sum = at(record, shape->sum, 4);
	size_t size = shape->fixed + words->left;

	return !shape->sum ||
	       (size <= record.left && bytes_number(&sum, 4) ==
		bp_record_sum(record.at, shape->sum, size));
}

enum fit layout_fill(const struct layout *layout, struct bytes record,
		     struct event *event)
{
	struct bytes head = record;
	__u16 id = bytes_number(&head, 2);
	const struct shape *shape = &layout->shapes[layout->shape_of[id]];

	*event = (struct event){ .kind = shape->kind };
	if (!shape->known || head.bad)
		return head.bad ? FIT_BAD : FIT_UNKNOWN;
	bytes_take(&head, 2);
	event->thread = (__s32)bytes_number(&head, 4);
	if (head.bad || !size_fits(shape, record))
		return FIT_BAD;
	if (!shape->ours)
		return FIT_OTHER;
	for (unsigned int i = 0; i < shape->nr_places; i++)
		if (!fill_place(shape, &shape->places[i], record, event))
			return FIT_BAD;
	return sum_is_right(shape, record, &event->words) ? FIT : FIT_DAMAGED;
}

const char *layout_symbol(const struct layout *layout, enum event_kind kind,
			  __u64 value)
{
	for (unsigned int i = 1; i <= layout->nr_shapes; i++)
		if (layout->shapes[i].ours && layout->shapes[i].kind == kind)
			return value < EVENT_SYMBOLS ?
			       layout->shapes[i].symbols[value] : NULL;
	return NULL;
}

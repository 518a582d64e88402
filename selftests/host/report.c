// SPDX-License-Identifier: GPL-2.0
/* What blockpoolctl prints of a report, and that nothing in one can break it. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness.h"
#include "random.h"
#include "../../tools/blockpoolctl/moment.h"
#include "../../tools/blockpoolctl/report.h"
#include "../../tools/blockpoolctl/resolve.h"

static char *text;
static size_t length;
static const struct term plain, colourful = { .colour = true };

/* One file has names: the room is tested apart from those who read files. */
bool resolve(const char *path, __u64 address, struct symbol *symbol)
{
	if (strcmp(path, "/bin/a+b"))
		return false;
	*symbol = (struct symbol){ .function = "put", .offset = address & 0xf,
				   .source = "/src/put\t.c", .line = 42 };
	return true;
}

/* In two parts of one buffer: "2026-11-22 03:11:52.123" becomes TIME. */
static void mask_times(char *from)
{
	static const char form[] = "0000-00-00 00:00:00.000";
	char *to = from;

	while (*from) {
		size_t i = 0;

		while (form[i] && (form[i] == '0' ? isdigit(from[i]) != 0 :
						    from[i] == form[i]))
			i++;
		if (form[i]) {
			*to++ = *from++;
		} else {
			to = stpcpy(to, "TIME");
			from += i;
		}
	}
	*to = '\0';
}

/* Who knows the word of a port here knows its name. */
static const char *port_of(const struct blockpool_report *report)
{
	return report->owner == (BLOCKPOOL_OWNER_PORT | 7) ? "box" : NULL;
}

static void print(const struct blockpool_report *report,
		  const struct term *term)
{
	FILE *out = open_memstream(&text, &length);

	report_print(out, "frames", report, port_of(report), term);
	fclose(out);
}

static void print_json(const struct blockpool_report *report)
{
	stdout = open_memstream(&text, &length);
	report_json("frames", report, port_of(report));
	fclose(stdout);
}

/* A block of 100 bytes, five bytes behind it overwritten. */
static struct blockpool_report overrun(void)
{
	struct blockpool_report report = {
		.seq = 3, .kind = BLOCKPOOL_REPORT_OVERRUN,
		.found = BLOCKPOOL_FOUND_FREE, .index = 17, .owner = 5,
		.offset = 104, .nr_damaged = 5, .fill = 0xbb,
		.dump_size = 20, .dump_offset = 100,
		.by = { .client = 5, .pid = 812, .tid = 813, .cpu = 1,
			.comm = "router",
			.stack = "/bin/a+b+0x12a7\n/lib/c.so+0x99\n" },
		.alloc = { .client = BLOCKPOOL_OWNER_KERNEL, .cpu = 2,
			   .comm = "swapper/0",
			   .stack = "take+0x1/0x20 [peer]\n/bin/a+b+0x12a7\n" },
	};

	memset(report.dump, 0xbb, sizeof(report.dump));
	memcpy(report.dump + 4, "Over", 5);
	return report;
}

TEST(text_in_full)
{
	struct blockpool_report report = overrun();

	print(&report, &plain);
	mask_times(text);
	ASSERT_STREQ("frames: report 3: overrun, block 17\n"
		     "  found by a free; client 5 held it\n"
		     "  5 bytes are not bb, the first at offset 104\n"
		     "         96              bb bb bb bb*4f*76*65*72*00 bb bb bb      ....Over....\n"
		     "        112  bb bb bb bb bb bb bb bb                          ........\n"
		     "  found by client 5, router (pid 812, tid 813), CPU 1, TIME\n"
		     "    put+0x7 at /src/put?.c:42 (/bin/a+b+0x12a7)\n"
		     "    /lib/c.so+0x99\n"
		     "  taken by the kernel, in swapper/0 (pid 0, tid 0), CPU 2, TIME\n"
		     "    take+0x1/0x20 [peer]\n"
		     "    /bin/a+b+0x12a7\n", text);
	free(text);
}

TEST(before_the_block)
{
	struct blockpool_report report = {
		.seq = 1, .kind = BLOCKPOOL_REPORT_UNDERRUN,
		.found = BLOCKPOOL_FOUND_SWEEP, .index = 0,
		.offset = -1, .nr_damaged = 1, .fill = 0xbb, .dump_size = 2,
		.dump_offset = -2, .dump = { 0xbb, 'x' },
	};

	print(&report, &plain);
	ASSERT_STREQ("frames: report 1: underrun, block 0\n"
		     "  found by the sweep\n"
		     "  1 byte is not bb, the first at offset -1\n"
		     "        -16                                            bb*78                .x\n",
		     text);
	free(text);
}

TEST(without_a_block_or_damage)
{
	struct blockpool_report report = {
		.seq = 2, .kind = BLOCKPOOL_REPORT_NOT_A_BLOCK,
		.found = BLOCKPOOL_FOUND_FREE, .index = BLOCKPOOL_NO_INDEX,
		.by = { .client = 4, .comm = "x" },
	};

	print(&report, &plain);
	mask_times(text);
	ASSERT_STREQ("frames: report 2: free of what is not a block\n"
		     "  found by a free\n"
		     "  done by client 4, x (pid 0, tid 0), CPU 0, TIME\n",
		     text);
	free(text);
}

TEST(stale_access)
{
	struct blockpool_report report = {
		.seq = 9, .kind = BLOCKPOOL_REPORT_STALE,
		.found = BLOCKPOOL_FOUND_FAULT, .index = 1, .offset = 4096,
		.owner = BLOCKPOOL_OWNER_QUARANTINE,
	};

	print(&report, &plain);
	ASSERT_STREQ("frames: report 9: access by one who does not hold it, block 1\n"
		     "  found by a page fault; it was in quarantine\n"
		     "  touched at offset 4096\n", text);
	free(text);
}

TEST(sent_to_a_port)
{
	struct blockpool_report report = {
		.seq = 5, .kind = BLOCKPOOL_REPORT_OVERRUN,
		.found = BLOCKPOOL_FOUND_SEND, .index = 1,
		.owner = BLOCKPOOL_OWNER_PORT | 7,
	};

	print(&report, &plain);
	ASSERT_NE(NULL, strstr(text, "found by a send; it was in port 'box'\n"));
	free(text);
	print_json(&report);
	ASSERT_NE(NULL, strstr(text, "\"port_name\":\"box\""));
	free(text);
}

/* Nobody wants to see a whole guard zone that is in order. */
TEST(dump_ends_after_the_damage)
{
	struct blockpool_report report = {
		.kind = BLOCKPOOL_REPORT_OVERRUN,
		.dump_size = BLOCKPOOL_DUMP_SIZE, .dump[20] = 1,
	};

	print(&report, &plain);
	ASSERT_NE(NULL, strstr(text, "\n         32  00 00"));
	ASSERT_EQ(NULL, strstr(text, "\n         48 "));
	free(text);
}

TEST(colours_mark_what_changed)
{
	struct blockpool_report report = overrun();

	print(&report, &colourful);
	ASSERT_NE(NULL, strstr(text, " bb \033[1;31m4f\033[0m \033[1;31m76\033[0m "));
	ASSERT_NE(NULL, strstr(text, " ....\033[1;31mO\033[0m"));
	ASSERT_EQ(NULL, strchr(text, '*'));
	free(text);
}

/* A member a line; "time" hangs on when the machine was started. */
static void split_members(const char *json, char *to)
{
	while (*json) {
		if (!strncmp(json, "\"time\":", 7))
			json = strchr(json, ',') + 1;
		*to++ = *json;
		if (*json++ == ',')
			*to++ = '\n';
	}
	*to = '\0';
}

TEST(json_in_full)
{
	struct blockpool_report report = overrun();
	char lines[4096];

	print_json(&report);
	split_members(text, lines);
	ASSERT_STREQ("{\"name\":\"frames\",\n"
		     "\"seq\":3,\n"
		     "\"kind\":\"overrun\",\n"
		     "\"found\":\"free\",\n"
		     "\"index\":17,\n"
		     "\"state\":\"client\",\n"
		     "\"client\":5,\n"
		     "\"offset\":104,\n"
		     "\"nr_damaged\":5,\n"
		     "\"dump\":\"bbbbbbbb4f76657200bbbbbbbbbbbbbbbbbbbbbb\",\n"
		     "\"dump_offset\":100,\n"
		     "\"fill\":187,\n"
		     "\"by\":{\"state\":\"client\",\n"
		     "\"client\":5,\n"
		     "\"pid\":812,\n"
		     "\"tid\":813,\n"
		     "\"comm\":\"router\",\n"
		     "\"cpu\":1,\n"
		     "\"time_ns\":0,\n"
		     "\"stack\":[{\"text\":\"/bin/a+b+0x12a7\",\n"
		     "\"path\":\"/bin/a+b\",\n"
		     "\"address\":4775,\n"
		     "\"function\":\"put\",\n"
		     "\"offset\":7,\n"
		     "\"source\":\"/src/put\\u0009.c\",\n"
		     "\"line\":42},\n"
		     "{\"text\":\"/lib/c.so+0x99\",\n"
		     "\"path\":\"/lib/c.so\",\n"
		     "\"address\":153}]},\n"
		     "\"alloc\":{\"state\":\"kernel\",\n"
		     "\"pid\":0,\n"
		     "\"tid\":0,\n"
		     "\"comm\":\"swapper/0\",\n"
		     "\"cpu\":2,\n"
		     "\"time_ns\":0,\n"
		     "\"stack\":[{\"text\":\"take+0x1/0x20 [peer]\"},\n"
		     "{\"text\":\"/bin/a+b+0x12a7\"}]},\n"
		     "\"free\":null}\n", lines);
	free(text);
}

TEST(json_of_what_a_later_kernel_says)
{
	struct blockpool_report report = { .seq = 1, .kind = 99, .found = 99,
					   .index = BLOCKPOOL_NO_INDEX };

	print_json(&report);
	ASSERT_NE(NULL, strstr(text, "\"kind\":null,\"found\":null,\"index\":null,"));
	free(text);
}

/* Text that fills its field has no NUL, and the last line no newline. */
TEST(fields_that_are_full)
{
	struct blockpool_report report = { .kind = BLOCKPOOL_REPORT_OVERRUN };
	struct blockpool_track *by = &report.by;

	by->client = 3;
	memset(by->comm, 'c', sizeof(by->comm));
	memset(by->stack, 's', sizeof(by->stack));
	memset(&report.alloc, 'x', sizeof(report.alloc));
	print(&report, &plain);
	ASSERT_NE(NULL, strstr(text, ", cccccccccccccccc (pid 0"));
	ASSERT_NE(NULL, strstr(text, "sss\n"));
	ASSERT_EQ(NULL, strstr(text, "sssx"));
	free(text);
}

/* Only these are a file and an address. */
TEST(frames_that_name_no_file)
{
	static const char *const frames[] = {
		"bin/x+0x1", "/bin/x", "/bin/x+1", "/bin/x+0x", "/bin/x+0x1g",
		"/bin/x+0x1 ", "+0x1", "/bin/x+0x 1",
	};
	struct blockpool_report report = { .by.client = 3 };

	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		strcpy(report.by.stack, frames[i]);
		print_json(&report);
		ASSERT_EQ(NULL, strstr(text, "\"path\"")) TH_LOG("%s", frames[i]);
		free(text);
	}
}

TEST(moments)
{
	struct timespec now;
	char before[MOMENT_TEXT], after[MOMENT_TEXT], seen[MOMENT_TEXT];
	time_t seconds = time(NULL);

	strftime(before, sizeof(before), "%F %T", localtime(&seconds));
	clock_gettime(CLOCK_MONOTONIC, &now);
	moment_text(seen, now.tv_sec * 1000000000ULL + now.tv_nsec);
	ASSERT_LE(seconds - 1, moment_seconds(now.tv_sec * 1000000000ULL));
	seconds = time(NULL) + 1;
	strftime(after, sizeof(after), "%F %T", localtime(&seconds));
	ASSERT_LE(0, strcmp(seen, before)) TH_LOG("%s < %s", seen, before);
	ASSERT_GE(0, strcmp(seen, after)) TH_LOG("%s > %s", seen, after);
}

/* Printable signs and newlines, and the two escapes of a colour. */
static bool is_clean(const char *at, bool colour)
{
	for (; *at; at++) {
		if (colour && !strncmp(at, "\033[1;31m", 7))
			at += 6;
		else if (colour && !strncmp(at, "\033[0m", 4))
			at += 3;
		else if (*at != '\n' && (*at < ' ' || *at > '~'))
			return false;
	}
	return true;
}

/* A line is indented but for the first, whatever a process calls itself. */
static bool is_indented(const char *at)
{
	while ((at = strchr(at, '\n')) && *++at)
		if (strncmp(at, "  ", 2))
			return false;
	return true;
}

/* One value on one line: strings end, brackets match, no control character. */
static bool is_json(const char *at)
{
	char open[16];
	int depth = 0;
	bool string = false;

	for (; *at && *at != '\n'; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return false;
		if (string && *at == '\\') {
			at++;
		} else if (string) {
			string = *at != '"';
		} else if (*at == '"') {
			string = true;
		} else if (*at == '{' || *at == '[') {
			open[depth++] = *at;
		} else if (*at == '}' || *at == ']') {
			if (!depth || open[--depth] != (*at == '}' ? '{' : '['))
				return false;
		}
	}
	return !string && !depth && !strcmp(at, "\n");
}

static void fill_text(struct random *random, char *at, size_t size)
{
	static const char signs[] = "/bin/a+b+0x12\n\n\n\0\"\\{}[], \033\t\177\377\303\251";
	bool any = random_below(random, 4);

	while (size--) {
		uint32_t sign = random_below(random, any ? sizeof(signs) : 256);

		*at++ = any ? signs[sign] : (char)sign;
	}
}

static void fill_track(struct random *random, struct blockpool_track *track)
{
	track->client = random_below(random, 5);
	fill_text(random, track->comm, sizeof(track->comm));
	fill_text(random, track->stack, sizeof(track->stack));
}

/* Noise, and in most of it numbers that mean something. */
static void fill_report(struct random *random, struct blockpool_report *report)
{
	fill_text(random, (char *)report, sizeof(*report));
	if (!random_below(random, 4))
		return;
	report->kind = random_below(random, 10);
	report->found = random_below(random, 8);
	report->owner = random_below(random, 4);
	report->dump_size = random_below(random, BLOCKPOOL_DUMP_SIZE + 2);
	report->dump_offset = (__s64)random_below(random, 8192) - 4096;
	fill_track(random, &report->by);
	fill_track(random, &report->alloc);
	fill_track(random, &report->free);
}

TEST(random_reports)
{
	struct random random = RANDOM_INIT;
	struct blockpool_report report;

	for (int i = 0; i < 3000; i++) {
		fill_report(&random, &report);
		print(&report, &plain);
		ASSERT_TRUE(is_clean(text, false) && is_indented(text))
			TH_LOG("report %d: %s", i, text);
		free(text);
		print(&report, &colourful);
		ASSERT_TRUE(is_clean(text, true)) TH_LOG("report %d", i);
		free(text);
		print_json(&report);
		ASSERT_TRUE(is_json(text)) TH_LOG("report %d: %s", i, text);
		free(text);
	}
}

TEST_HARNESS_MAIN

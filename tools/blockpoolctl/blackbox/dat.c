// SPDX-License-Identifier: GPL-2.0
#include "dat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMATS_MAX	100000u		/* a kernel has 3000 */

bool dat_add_format(struct dat *dat, const char *system, struct bytes text)
{
	struct dat_format *format;

	if (!(dat->nr_formats & (dat->nr_formats - 1))) {
		size_t room = dat->nr_formats ? 2 * dat->nr_formats : 1;
		void *formats = realloc(dat->formats, room * sizeof(*format));

		if (!formats)
			return false;
		dat->formats = formats;
	}
	format = &dat->formats[dat->nr_formats++];
	snprintf(format->system, sizeof(format->system), "%s", system);
	format->text = text;
	return true;
}

static bool read_formats(struct dat *dat, struct bytes *file,
			 const char *system)
{
	__u32 nr = bytes_number(file, 4);

	for (__u32 i = 0; i < nr && !file->bad; i++) {
		struct bytes text = bytes_take(file, bytes_number(file, 8));

		if (text.bad || dat->nr_formats == FORMATS_MAX ||
		    !dat_add_format(dat, system, text))
			return false;
	}
	return !file->bad;
}

static bool read_systems(struct dat *dat, struct bytes *file)
{
	__u32 nr = bytes_number(file, 4);

	for (__u32 i = 0; i < nr && !file->bad; i++) {
		const char *system = bytes_string(file);

		if (!system || !read_formats(dat, file, system))
			return false;
	}
	return !file->bad;
}

/* Without what describes the events, pages are but numbers. */
static bool read_head(struct dat *dat, struct bytes *file)
{
	if (!bytes_are(file, "header_page", sizeof("header_page")))
		return false;
	dat->header_page = bytes_take(file, bytes_number(file, 8));
	if (!bytes_are(file, "header_event", sizeof("header_event")))
		return false;
	dat->header_event = bytes_take(file, bytes_number(file, 8));
	if (!read_formats(dat, file, "ftrace") || !read_systems(dat, file))
		return false;
	dat->kallsyms = bytes_take(file, bytes_number(file, 4));
	bytes_take(file, bytes_number(file, 4));	/* printk_formats */
	bytes_take(file, bytes_number(file, 8));	/* saved_cmdlines */
	return !file->bad;
}

static bool read_options(struct dat *dat, struct bytes *file)
{
	while (!file->bad) {
		__u16 id = bytes_number(file, 2);
		struct bytes value;

		if (id == DAT_DONE)
			return !file->bad;
		value = bytes_take(file, bytes_number(file, 4));
		if (id == DAT_SAYS)
			dat->says = value;
		else if (id == DAT_CLOCK)
			dat->clock = value;
	}
	return false;
}

/* What is cut off is missing at the end; what lies outside is missing. */
static struct bytes cpu_pages(struct bytes whole, __u64 offset, __u64 size,
			      unsigned int cpu, struct notes *notes)
{
	if (offset > whole.left || size > whole.left - offset)
		note(notes, NOTE_CUT, "CPU %u should have %llu bytes at %llu, and the file is %zu",
		     cpu, size, offset, whole.left);
	if (offset > whole.left)
		return (struct bytes){ .at = whole.at };
	bytes_take(&whole, offset);
	return bytes_take(&whole, size < whole.left ? size : whole.left);
}

static int read_cpus(struct dat *dat, struct bytes *file, struct bytes whole,
		     struct notes *notes)
{
	unsigned int nr = dat->nr_cpus;

	if (nr > DAT_CPUS_MAX || nr * 16ull > file->left) {
		note(notes, NOTE_CUT, "it says that there were %u CPUs", nr);
		dat->nr_cpus = 0;
		return 0;
	}
	dat->cpus = calloc(nr + 1, sizeof(*dat->cpus));
	if (!dat->cpus)
		return -1;
	for (unsigned int i = 0; i < nr; i++) {
		__u64 offset = bytes_number(file, 8);
		__u64 size = bytes_number(file, 8);

		dat->cpus[i] = cpu_pages(whole, offset, size, i, notes);
	}
	return 0;
}

static int read_rest(struct dat *dat, struct bytes *file, struct bytes whole,
		     struct notes *notes, const char **why)
{
	if (!file->left)
		return 0;
	dat->nr_cpus = bytes_number(file, 4);
	if (bytes_are(file, DAT_OPTIONS, DAT_SECTION) && !read_options(dat, file))
		note(notes, NOTE_CUT, "its options have no end");
	*why = "no memory";
	if (bytes_are(file, DAT_PAGES, DAT_SECTION))
		return read_cpus(dat, file, whole, notes);
	note(notes, NOTE_CUT, "there is no section of pages");
	dat->nr_cpus = 0;
	return 0;
}

int dat_open(struct dat *dat, struct bytes file, struct notes *notes,
	     const char **why)
{
	struct bytes whole = file;
	const char *version;
	__u8 high_first, long_size;

	*dat = (struct dat){ };
	*why = "it is no file of trace-cmd's (trace.dat)";
	if (!bytes_are(&file, DAT_MAGIC, DAT_MAGIC_SIZE))
		return -1;
	version = bytes_string(&file);
	*why = "it is of another version than 6: trace-cmd convert --file-version 6 makes it one";
	if (!version || strcmp(version, DAT_VERSION))
		return -1;
	high_first = bytes_number(&file, 1);
	long_size = bytes_number(&file, 1);
	dat->page_size = bytes_number(&file, 4);
	*why = "it is of another kind of machine";
	if (high_first || long_size != 8 || dat->page_size < 4096 ||
	    dat->page_size > 1 << 20 || dat->page_size & (dat->page_size - 1))
		return -1;
	*why = "its description of the events is damaged or cut short";
	if (!read_head(dat, &file)) {
		dat_close(dat);
		return -1;
	}
	if (!read_rest(dat, &file, whole, notes, why))
		return 0;
	dat_close(dat);
	return -1;
}

void dat_close(struct dat *dat)
{
	free(dat->formats);
	free(dat->cpus);
	dat->formats = NULL;
	dat->cpus = NULL;
}

bool dat_says(const struct dat *dat, const char *key, char *value, size_t size)
{
	size_t length = strlen(key);
	struct bytes says = dat->says;

	while (says.left > length) {
		const void *space = memchr(says.at, ' ', says.left);
		size_t word = space ? (size_t)((const unsigned char *)space - says.at) :
			      says.left;

		if (word > length && !memcmp(says.at, key, length) &&
		    says.at[length] == '=') {
			snprintf(value, size, "%.*s", (int)(word - length - 1),
				 (const char *)says.at + length + 1);
			return true;
		}
		bytes_take(&says, word < says.left ? word + 1 : word);
	}
	return false;
}

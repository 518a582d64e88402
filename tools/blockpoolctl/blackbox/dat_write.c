// SPDX-License-Identifier: GPL-2.0
#include "dat.h"

#define FTRACE	"ftrace"	/* its events have a section of their own */

static void put_number(FILE *out, __u64 value, size_t size)
{
	fwrite(&value, 1, size, out);	/* little endian: see dat.h */
}

static void put_bytes(FILE *out, struct bytes bytes, size_t number_size)
{
	put_number(out, bytes.left, number_size);
	if (bytes.left)
		fwrite(bytes.at, 1, bytes.left, out);
}

static unsigned int count_system(const struct dat *dat, const char *system)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < dat->nr_formats; i++)
		nr += !strcmp(dat->formats[i].system, system);
	return nr;
}

static void put_system(FILE *out, const struct dat *dat, const char *system)
{
	put_number(out, count_system(dat, system), 4);
	for (unsigned int i = 0; i < dat->nr_formats; i++)
		if (!strcmp(dat->formats[i].system, system))
			put_bytes(out, dat->formats[i].text, 8);
}

/* True if no format before this one is of the same system. */
static bool is_new_system(const struct dat *dat, unsigned int number)
{
	const char *system = dat->formats[number].system;

	if (!strcmp(system, FTRACE))
		return false;
	while (number--)
		if (!strcmp(dat->formats[number].system, system))
			return false;
	return true;
}

static void put_systems(FILE *out, const struct dat *dat)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < dat->nr_formats; i++)
		nr += is_new_system(dat, i);
	put_number(out, nr, 4);
	for (unsigned int i = 0; i < dat->nr_formats; i++) {
		if (!is_new_system(dat, i))
			continue;
		fwrite(dat->formats[i].system, 1,
		       strlen(dat->formats[i].system) + 1, out);
		put_system(out, dat, dat->formats[i].system);
	}
}

static void put_option(FILE *out, __u16 id, struct bytes value)
{
	if (!value.left)
		return;
	put_number(out, id, 2);
	put_bytes(out, value, 4);
}

static void put_head(FILE *out, const struct dat *dat)
{
	static const struct bytes none;

	fwrite(DAT_MAGIC DAT_VERSION, 1, DAT_MAGIC_SIZE + sizeof(DAT_VERSION), out);
	put_number(out, 0, 1);
	put_number(out, 8, 1);
	put_number(out, dat->page_size, 4);
	fwrite("header_page", 1, sizeof("header_page"), out);
	put_bytes(out, dat->header_page, 8);
	fwrite("header_event", 1, sizeof("header_event"), out);
	put_bytes(out, dat->header_event, 8);
	put_system(out, dat, FTRACE);
	put_systems(out, dat);
	put_bytes(out, dat->kallsyms, 4);
	put_bytes(out, none, 4);	/* printk_formats */
	put_bytes(out, none, 8);	/* saved_cmdlines */
	put_number(out, dat->nr_cpus, 4);
	fwrite(DAT_OPTIONS, 1, DAT_SECTION, out);
	put_option(out, DAT_SAYS, dat->says);
	put_option(out, DAT_CLOCK, dat->clock);
	put_number(out, DAT_DONE, 2);
	fwrite(DAT_PAGES, 1, DAT_SECTION, out);
}

static __u64 up_to_page(const struct dat *dat, __u64 offset)
{
	return (offset + dat->page_size - 1) & -(__u64)dat->page_size;
}

/* The pages begin at a page of the file, as trace-cmd wants them. */
int dat_write(FILE *out, const struct dat *dat)
{
	__u64 offset;

	put_head(out, dat);
	offset = up_to_page(dat, ftell(out) + 16ull * dat->nr_cpus);
	for (unsigned int i = 0; i < dat->nr_cpus; i++) {
		put_number(out, offset, 8);
		put_number(out, dat->cpus[i].left, 8);
		offset = up_to_page(dat, offset + dat->cpus[i].left);
	}
	for (unsigned int i = 0; i < dat->nr_cpus; i++) {
		while (ftell(out) % dat->page_size)
			if (putc(0, out) == EOF)
				return -1;
		if (dat->cpus[i].left)
			fwrite(dat->cpus[i].at, 1, dat->cpus[i].left, out);
	}
	return fflush(out) || ferror(out) ? -1 : 0;
}

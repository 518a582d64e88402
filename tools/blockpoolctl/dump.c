// SPDX-License-Identifier: GPL-2.0
#include "dump.h"

#include <ctype.h>
#include <stdbool.h>

#define ROW	16

size_t dump_size(const struct blockpool_report *report)
{
	return report->dump_size < BLOCKPOOL_DUMP_SIZE ? report->dump_size :
							 BLOCKPOOL_DUMP_SIZE;
}

static bool changed(const struct blockpool_report *report, size_t i)
{
	return report->dump[i] != report->fill;
}

/* Without colours a star stands before each byte that changed. */
static void put_byte(FILE *out, const struct blockpool_report *report,
		     size_t i, const struct term *term)
{
	if (!changed(report, i))
		fprintf(out, " %02x", report->dump[i]);
	else if (term->colour)
		fprintf(out, " \033[1;31m%02x\033[0m", report->dump[i]);
	else
		fprintf(out, "*%02x", report->dump[i]);
}

static void put_sign(FILE *out, const struct blockpool_report *report,
		     size_t i, const struct term *term)
{
	int sign = report->dump[i] < 0x80 && isprint(report->dump[i]) ?
		   report->dump[i] : '.';

	if (changed(report, i) && term->colour)
		fprintf(out, "\033[1;31m%c\033[0m", sign);
	else
		fputc(sign, out);
}

static void put_row(FILE *out, const struct blockpool_report *report,
		    long long first, const struct term *term)
{
	long long skip = first - report->dump_offset;
	long long size = dump_size(report);

	fprintf(out, "  %9lld ", first);
	for (long long i = skip; i < skip + ROW; i++)
		if (i < 0 || i >= size)
			fputs("   ", out);
		else
			put_byte(out, report, i, term);
	fputs("  ", out);
	for (long long i = skip; i < skip + ROW && i < size; i++)
		if (i < 0)
			fputc(' ', out);
		else
			put_sign(out, report, i, term);
	fputc('\n', out);
}

/* As far as is of interest: a row beyond the last byte that changed. */
static size_t dump_end(const struct blockpool_report *report)
{
	size_t size = dump_size(report), end = size;

	while (end && !changed(report, end - 1))
		end--;
	return end + ROW < size ? end + ROW : size;
}

/* Rows begin at multiples of 16 from the block's beginning, before it too. */
void dump_print(FILE *out, const struct blockpool_report *report,
		const struct term *term)
{
	size_t end = dump_end(report);
	size_t before = report->dump_offset & (ROW - 1);

	for (size_t at = 0; end && at < before + end; at += ROW)
		put_row(out, report, report->dump_offset - before + at, term);
}

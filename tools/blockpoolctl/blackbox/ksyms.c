// SPDX-License-Identifier: GPL-2.0
#include "ksyms.h"

#include <stdio.h>
#include <stdlib.h>

#define FUNCTION_MAX	(256u << 10)	/* what is farther off is no part of it */

/* "ffffffffc0484000 t blockpool_alloc	[blockpool]" */
static bool read_line(char *line, struct ksym *ksym)
{
	char *end, *module;

	ksym->address = strtoull(line, &end, 16);
	if (end == line || *end != ' ' || !end[1] || end[2] != ' ')
		return false;
	ksym->name = end + 3;
	module = end + 3 + strcspn(end + 3, "\t ");
	ksym->module = *module ? module + 1 + strspn(module + 1, "\t [") : "";
	*module = '\0';
	if (*ksym->module)
		((char *)ksym->module)[strcspn(ksym->module, "]")] = '\0';
	return ksym->address && *ksym->name;
}

static int by_address(const void *a, const void *b)
{
	__u64 first = ((const struct ksym *)a)->address;
	__u64 second = ((const struct ksym *)b)->address;

	return first < second ? -1 : first > second;
}

void ksyms_read(struct ksyms *ksyms, struct bytes text)
{
	size_t lines = 1;
	char *line, *rest;

	*ksyms = (struct ksyms){ .text = calloc(1, text.left + 1) };
	if (!ksyms->text)
		return;
	memcpy(ksyms->text, text.at, text.left);
	for (const char *c = ksyms->text; *c; c++)
		lines += *c == '\n';
	ksyms->all = calloc(lines, sizeof(*ksyms->all));
	rest = ksyms->all ? ksyms->text : NULL;
	while ((line = strsep(&rest, "\n")))
		if (read_line(line, &ksyms->all[ksyms->nr]))
			ksyms->nr++;
	if (ksyms->nr)
		qsort(ksyms->all, ksyms->nr, sizeof(*ksyms->all), by_address);
}

void ksyms_free(struct ksyms *ksyms)
{
	free(ksyms->all);
	free(ksyms->text);
	*ksyms = (struct ksyms){ };
}

/* The last one that is not above the address. */
static const struct ksym *ksym_find(const struct ksyms *ksyms, __u64 address)
{
	size_t low = 0, high = ksyms->nr;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (ksyms->all[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || address - ksyms->all[low - 1].address > FUNCTION_MAX)
		return NULL;
	return &ksyms->all[low - 1];
}

const char *ksym_text(const struct ksyms *ksyms, __u64 address,
		      char text[KSYM_TEXT])
{
	const struct ksym *ksym = ksym_find(ksyms, address);

	if (ksym && *ksym->module)
		snprintf(text, KSYM_TEXT, "%.100s+0x%llx [%.40s]", ksym->name,
			 address - ksym->address, ksym->module);
	else if (ksym)
		snprintf(text, KSYM_TEXT, "%.100s+0x%llx", ksym->name,
			 address - ksym->address);
	else
		snprintf(text, KSYM_TEXT, "0x%llx", address);
	return text;
}

__u64 ksym_address(const struct ksyms *ksyms, const char *name)
{
	for (size_t i = 0; i < ksyms->nr; i++)
		if (!strcmp(ksyms->all[i].name, name))
			return ksyms->all[i].address;
	return 0;
}

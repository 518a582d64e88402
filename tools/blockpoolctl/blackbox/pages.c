// SPDX-License-Identifier: GPL-2.0
#include "pages.h"

#include <stdio.h>
#include <stdlib.h>

static bool copy_pages(struct tracefs_cpu *reader, size_t page_size, FILE *out)
{
	void *page = calloc(1, page_size);
	bool good = page;

	while (good && tracefs_cpu_read(reader, page, true) > 0)
		good = fwrite(page, 1, page_size, out) == page_size;
	free(page);
	return good;
}

bool pages_read(struct tracefs_cpu *reader, size_t page_size, struct bytes *pages)
{
	char *all = NULL;
	size_t size = 0;
	FILE *out;
	bool good;

	*pages = (struct bytes){ };
	if (!reader || (size_t)tracefs_cpu_read_size(reader) != page_size)
		return false;
	out = open_memstream(&all, &size);
	good = out && copy_pages(reader, page_size, out);
	if (out && fclose(out))
		good = false;
	pages->at = (unsigned char *)all;
	pages->left = size;
	return good;
}

void pages_free(struct bytes *pages)
{
	free((void *)pages->at);
	*pages = (struct bytes){ };
}

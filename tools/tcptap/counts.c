// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>

#include "counts.h"

static bool read_one(const char *name, unsigned long *value)
{
	char path[128];
	FILE *file;
	bool ok;

	snprintf(path, sizeof(path), "/sys/module/blockpool_tap/parameters/%s", name);
	file = fopen(path, "re");
	if (!file)
		return false;
	ok = fscanf(file, "%lu", value) == 1;
	fclose(file);
	return ok;
}

bool counts_read(struct counts *counts)
{
	*counts = (struct counts){ 0 };
	return read_one("captured", &counts->captured) &&
	       read_one("dropped_closed", &counts->closed) &&
	       read_one("dropped_dry", &counts->dry) &&
	       read_one("dropped_full", &counts->full);
}

struct counts counts_since(const struct counts *now, const struct counts *then)
{
	struct counts since = *now;

	if (now->captured < then->captured)
		return since;
	since.captured -= then->captured;
	since.closed -= then->closed;
	since.dry -= then->dry;
	since.full -= then->full;
	return since;
}

// SPDX-License-Identifier: GPL-2.0
#include "gather.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot.h"
#include "head.h"
#include "pages.h"

#define DOUBT_NO_HEAD	"no-description"
#define DOUBT_OTHER	"other-boot"
#define DOUBT_UNPROVED	"unproved"

struct pages {
	struct tracefs_instance *instance;
	struct bytes *cpus;
	unsigned int nr_cpus;
};

bool buffer_is_empty(struct tracefs_instance *instance)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	bool empty = true;

	for (long i = 0; i < cpus && empty; i++) {
		char name[BOOT_NAME], *stats;

		snprintf(name, sizeof(name), "per_cpu/cpu%ld/stats", i);
		stats = tracefs_instance_file_read(instance, name, NULL);
		empty = !stats || !strncmp(stats, "entries: 0\n", 11);
		free(stats);
	}
	return empty;
}

static bool read_cpu(struct pages *pages, unsigned int cpu, size_t page_size)
{
	struct tracefs_cpu *reader = tracefs_cpu_open(pages->instance, cpu, true);
	bool good = pages_read(reader, page_size, &pages->cpus[cpu]);

	if (reader)
		tracefs_cpu_close(reader);
	return good;
}

static bool read_pages(struct pages *pages, size_t page_size)
{
	bool good = true;

	pages->cpus = calloc(pages->nr_cpus + 1, sizeof(*pages->cpus));
	if (!pages->cpus)
		return false;
	for (unsigned int i = 0; i < pages->nr_cpus; i++)
		good &= read_cpu(pages, i, page_size);
	return good;
}

static void free_pages(struct pages *pages)
{
	for (unsigned int i = 0; pages->cpus && i < pages->nr_cpus; i++)
		pages_free(&pages->cpus[i]);
	free(pages->cpus);
}

/* Only one boot had its kernel there, if the kernel's place is a random one. */
static const char *doubt(const struct dat *dat, struct tracefs_instance *instance)
{
	__u64 now = kernel_text(), then;
	char text[32];

	if (!now || !dat_says(dat, "text", text, sizeof(text)) ||
	    !boot_text(instance, now, &then))
		return DOUBT_UNPROVED;
	return then == strtoull(text, NULL, 16) ? NULL : DOUBT_OTHER;
}

/* A death is not forgotten because the boot after it ended well. */
static void keep_one_before(const char *path)
{
	char before[PATH_TEXT];

	recorder_path(RECORDER_BEFORE, before);
	if (!access(path, F_OK) && (!unlink(before) || errno == ENOENT))
		link(path, before);
}

static int save(struct dat *dat, struct pages *pages, const char *doubt,
		const char *path, const char **why)
{
	struct bytes *cpus = dat->cpus;
	char *says = NULL;
	int result;

	if (doubt && asprintf(&says, "%.*s doubt=%s", (int)dat->says.left,
			      (const char *)dat->says.at, doubt) >= 0)
		dat->says = (struct bytes){ .at = (unsigned char *)says,
					    .left = strlen(says) };
	dat->cpus = pages->cpus;
	dat->nr_cpus = pages->nr_cpus;
	keep_one_before(path);
	result = dat_save(dat, path);
	dat->cpus = cpus;
	free(says);
	if (result)
		*why = strerror(errno);
	return result;
}

static int gather_with(struct dat *dat, struct pages *pages, const char *doubt,
		       const char *path, const char **why)
{
	int result = -1;

	*why = "the pages cannot be read";
	if (read_pages(pages, dat->page_size))
		result = save(dat, pages, doubt, path, why);
	free_pages(pages);
	return result;
}

/* Without the description of that boot, this one's may do: not for certain. */
static int gather_without_head(struct pages *pages, const char *path, const char **why)
{
	struct head head;
	int result = head_read(&head, why);

	if (!result)
		result = gather_with(&head.dat, pages, DOUBT_NO_HEAD, path, why);
	head_free(&head);
	return result;
}

int gather(struct tracefs_instance *instance, const char *path, const char **why)
{
	struct pages pages = {
		.instance = instance,
		.nr_cpus = sysconf(_SC_NPROCESSORS_CONF),
	};
	char head_path[PATH_TEXT], *file;
	struct notes notes = { };
	struct bytes bytes = { };
	struct dat dat;
	int result;

	file = read_whole(recorder_path(RECORDER_HEAD, head_path), &bytes.left);
	bytes.at = (unsigned char *)file;
	if (!file || dat_open(&dat, bytes, &notes, why)) {
		free(file);
		return gather_without_head(&pages, path, why);
	}
	result = gather_with(&dat, &pages, doubt(&dat, instance), path, why);
	dat_close(&dat);
	free(file);
	return result;
}

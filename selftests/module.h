/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For tests that unload the module and load it again.  BLOCKPOOL_KO in the environment
 * names its file, where nothing else uses it.
 */
#ifndef SELFTESTS_MODULE_H
#define SELFTESTS_MODULE_H

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pool.h"

#define MODULE_PARAMETERS	"/sys/module/blockpool/parameters"

/* As it was loaded: "name=value name=value ...". */
static inline void module_parameters(char *text, size_t size)
{
	DIR *dir = opendir(MODULE_PARAMETERS);
	char path[sizeof(MODULE_PARAMETERS) + 258], value[64];
	struct dirent *entry;

	must(dir);
	*text = 0;
	while ((entry = readdir(dir))) {
		size_t length = strlen(text);

		snprintf(path, sizeof(path), MODULE_PARAMETERS "/%s", entry->d_name);
		if (*entry->d_name == '.' || file_read(path, value, sizeof(value)))
			continue;
		value[strcspn(value, "\n")] = 0;
		if (*value)
			must(snprintf(text + length, size - length, "%s=%s ",
				      entry->d_name, value) < (int)(size - length));
	}
	closedir(dir);
}

/* 0 or -errno, as the next. */
static inline int module_load(int file, const char *parameters)
{
	return syscall(SYS_finit_module, file, parameters, 0) ? -errno : 0;
}

static inline int module_unload(void)
{
	return syscall(SYS_delete_module, "blockpool", O_NONBLOCK) ? -errno : 0;
}

#endif /* SELFTESTS_MODULE_H */

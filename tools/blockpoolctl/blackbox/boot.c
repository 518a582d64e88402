// SPDX-License-Identifier: GPL-2.0
#include "boot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY	"trace_instance="
#define DELTA	"text delta:"

const char *recorder_path(const char *file, char path[PATH_TEXT])
{
	const char *folder = getenv(RECORDER_ENV);

	snprintf(path, PATH_TEXT, "%s/%s", folder && *folder ? folder : RECORDER_DIR,
		 file);
	return path;
}

/* Files below /proc and /sys do not say how long they are. */
char *read_whole(const char *path, size_t *size)
{
	FILE *in = fopen(path, "re");
	char *text = NULL, block[65536];
	FILE *out = in ? open_memstream(&text, size) : NULL;
	bool bad = !out;
	size_t got;

	while (!bad && (got = fread(block, 1, sizeof(block), in)))
		bad = fwrite(block, 1, got, out) != got;
	bad = bad || ferror(in);
	if (in)
		fclose(in);
	if (out && fclose(out))
		bad = true;
	if (!bad)
		return text;
	free(text);
	return NULL;
}

/* "NAME^flags@memory": without memory of its own it does not outlive anything. */
static bool take_name(const char *word, char name[BOOT_NAME])
{
	size_t length = strcspn(word, "^@,\n");

	if (strncmp(word, KEY, strlen(KEY)) || !strchr(word, '@'))
		return false;
	word += strlen(KEY);
	length -= strlen(KEY);
	if (!length || length >= BOOT_NAME || memchr(word, '/', length))
		return false;
	memcpy(name, word, length);
	name[length] = '\0';
	return true;
}

struct tracefs_instance *boot_instance(char name[BOOT_NAME])
{
	size_t size;
	char *line = read_whole("/proc/cmdline", &size), *rest = line, *word;
	bool found = false;

	while (!found && (word = strsep(&rest, " ")))
		found = take_name(word, name);
	free(line);
	if (!found || !tracefs_instance_exists(name))
		return NULL;
	return tracefs_instance_alloc(NULL, name);
}

void boot_id(char *text, size_t size)
{
	size_t length;
	char *id = read_whole("/proc/sys/kernel/random/boot_id", &length);

	snprintf(text, size, "%s", id ? id : "");
	text[strcspn(text, "\n")] = '\0';
	free(id);
}

/* "text delta:\t-402653184" in 6.12; "ffffffff84000000\t[kernel]" later. */
bool boot_text(struct tracefs_instance *instance, __u64 now, __u64 *then)
{
	char *text = tracefs_instance_file_read(instance, "last_boot_info", NULL);
	const char *delta = text ? strstr(text, DELTA) : NULL;
	bool found = true;

	if (delta)
		*then = now - strtoll(delta + strlen(DELTA), NULL, 10);
	else if (text && strstr(text, "\t[kernel]"))
		*then = strtoull(text, NULL, 16);
	else
		found = false;
	free(text);
	return found;
}

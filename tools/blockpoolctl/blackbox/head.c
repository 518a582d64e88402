// SPDX-License-Identifier: GPL-2.0
#include "head.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "boot.h"

#define WRITE_SIZE	(1u << 20)	/* the folder may be a far one */

static const char *const systems[] = { "ftrace", "sched", "irq", "blockpool" };

#define NR_SYSTEMS	(sizeof(systems) / sizeof(systems[0]))

/* The head owns the text from now on; none is an empty one. */
static struct bytes keep(struct head *head, char *text, size_t size)
{
	char **larger = realloc(head->texts, (head->nr_texts + 1) * sizeof(*larger));

	if (!larger || !text) {
		head->texts = larger ? larger : head->texts;
		free(text);
		return (struct bytes){ .bad = true };
	}
	head->texts = larger;
	head->texts[head->nr_texts++] = text;
	return (struct bytes){ .at = (unsigned char *)text, .left = size };
}

static struct bytes keep_file(struct head *head, const char *path)
{
	size_t size = 0;
	char *text = read_whole(path, &size);

	return keep(head, text, size);
}

static struct bytes tracing_file(struct head *head, const char *name)
{
	char path[PATH_TEXT];

	snprintf(path, sizeof(path), "%s/%s", tracefs_tracing_dir(), name);
	return keep_file(head, path);
}

static bool add_system(struct head *head, const char *system)
{
	char **events = tracefs_system_events(NULL, system);
	bool any = false;

	for (unsigned int i = 0; events && events[i]; i++) {
		char name[BOOT_NAME * 4];
		struct bytes text;

		snprintf(name, sizeof(name), "events/%s/%s/format", system, events[i]);
		text = tracing_file(head, name);
		if (!text.bad)
			any |= dat_add_format(&head->dat, system, text);
	}
	tracefs_list_free(events);
	return any;
}

/* Functions of modules, which are what calls us, and where the kernel begins. */
static bool is_wanted(const char *line)
{
	const char *kind = strchr(line, ' ');

	if (!kind || !kind[1] || kind[2] != ' ')
		return false;
	if (!strncmp(kind + 3, "_text", 5) && (kind[8] == '\n' || !kind[8]))
		return true;
	return strchr("tTwW", kind[1]) && strchr(kind, '[') &&
	       !strstr(kind, "[bpf]") && !strstr(kind, "[__builtin");
}

static struct bytes read_kallsyms(struct head *head)
{
	FILE *in = fopen("/proc/kallsyms", "re");
	char *text = NULL, line[1024];
	size_t size = 0;
	FILE *out = in ? open_memstream(&text, &size) : NULL;

	while (out && fgets(line, sizeof(line), in))
		if (is_wanted(line))
			fputs(line, out);
	if (in)
		fclose(in);
	if (out)
		fclose(out);
	return keep(head, text, size);
}

__u64 kernel_text(void)
{
	FILE *in = fopen("/proc/kallsyms", "re");
	unsigned long long address, found = 0;
	char line[1024], name[8];

	while (in && !found && fgets(line, sizeof(line), in))
		if (sscanf(line, "%llx %*c %7s", &address, name) == 2 &&
		    !strcmp(name, "_text"))
			found = address;
	if (in)
		fclose(in);
	return found;
}

static void say(struct head *head)
{
	struct utsname name;
	char id[BOOT_NAME], *text;

	boot_id(id, sizeof(id));
	uname(&name);
	if (asprintf(&text, "blockpoolctl " VERSION " boot_id=%s kernel=%s text=%llx cpus=%ld",
		     id, name.release, kernel_text(), sysconf(_SC_NPROCESSORS_CONF)) < 0)
		return;
	head->dat.says = keep(head, text, strlen(text));
}

int head_read(struct head *head, const char **why)
{
	*head = (struct head){ .dat.page_size = sysconf(_SC_PAGESIZE) };
	*why = "tracefs is not there, or not for you";
	if (!tracefs_tracing_dir())
		return -1;
	head->dat.header_page = tracing_file(head, "events/header_page");
	head->dat.header_event = tracing_file(head, "events/header_event");
	if (head->dat.header_page.bad || head->dat.header_event.bad)
		return -1;
	*why = "the kernel has no events of blockpool: load the module first";
	for (size_t i = 0; i < NR_SYSTEMS; i++)
		if (!add_system(head, systems[i]) && i == NR_SYSTEMS - 1)
			return -1;
	head->dat.kallsyms = read_kallsyms(head);
	say(head);
	return 0;
}

void head_free(struct head *head)
{
	while (head->nr_texts)
		free(head->texts[--head->nr_texts]);
	free(head->texts);
	dat_close(&head->dat);
}

/* All folders on the way, for root alone: what lies there names what ran. */
static void make_folders(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
}

static int write_file(const struct dat *dat, const char *path)
{
	FILE *out = fopen(path, "we");
	int result;

	if (!out)
		return -1;
	fchmod(fileno(out), 0600);
	setvbuf(out, NULL, _IOFBF, WRITE_SIZE);
	result = dat_write(out, dat);
	if (!result)
		result = fsync(fileno(out)) && errno != EINVAL ? -1 : 0;
	return fclose(out) ? -1 : result;
}

int dat_save(const struct dat *dat, const char *path)
{
	char new[PATH_TEXT + 8];
	int error;

	if ((size_t)snprintf(new, sizeof(new), "%s.new", path) >= sizeof(new)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	make_folders(new);
	if (!write_file(dat, new) && !rename(new, path))
		return 0;
	error = errno;
	unlink(new);
	errno = error;
	return -1;
}

// SPDX-License-Identifier: GPL-2.0
/* postmortem: how the machine ended, who ran, and who held what. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blackbox/boot.h"
#include "blackbox/gather.h"
#include "blackbox/head.h"
#include "blackbox/story.h"
#include "ctl.h"
#include "say.h"

static int draw(struct story *story, const char *path)
{
	FILE *out = fopen(path, "we");

	if (!out)
		return failed("cannot write %s: %s", path, strerror(errno));
	story_draw(story, out);
	if (fflush(out) || ferror(out) || fclose(out))
		return failed("cannot write %s: %s", path, strerror(errno));
	return 0;
}

static int use(struct story *story, const struct opts *opts)
{
	int status = 0;

	if (opts->save && dat_save(&story->dat, opts->save))
		status = failed("cannot write %s: %s", opts->save, strerror(errno));
	if (!status && opts->svg)
		status = draw(story, opts->svg);
	if (status)
		return status;
	if (opts->json)
		story_json(story);
	else
		story_tell(story);
	return 0;
}

static int tell_file(const char *path, const struct opts *opts)
{
	struct story story;
	struct bytes bytes = { };
	const char *why;
	struct stat info;
	char *file = read_whole(path, &bytes.left);
	int status;

	if (!file)
		return failed("cannot read %s: %s", path, strerror(errno));
	bytes.at = (unsigned char *)file;
	if (story_open(&story, bytes, &why)) {
		free(file);
		return failed("%s: %s", path, why);
	}
	story.saved = stat(path, &info) ? 0 : info.st_mtime;
	status = use(&story, opts);
	story_close(&story);
	free(file);
	return status;
}

/*
 * The pages of the last boot are there until the recorder is armed, which saves them
 * where they are looked for next.  1: they were there, 0: not, -1: the error was told.
 */
static int gather_last_boot(const char *path)
{
	char name[BOOT_NAME];
	struct tracefs_instance *instance = boot_instance(name);
	const char *why;
	int result;

	if (!instance)
		return 0;
	result = tracefs_trace_is_on(instance) != 1 && !buffer_is_empty(instance);
	if (result && gather(instance, path, &why)) {
		failed("cannot save the last boot's record to %s: %s", path, why);
		result = -1;
	}
	tracefs_instance_free(instance);
	return result;
}

static int tell_last_boot(const struct opts *opts)
{
	char path[PATH_TEXT], name[BOOT_NAME];
	struct tracefs_instance *instance;

	recorder_path(RECORDER_LAST, path);
	if (gather_last_boot(path) < 0)
		return EXIT_FAILED;
	if (!access(path, F_OK))
		return tell_file(path, opts);
	instance = boot_instance(name);
	tracefs_instance_free(instance);
	if (instance)
		return failed("no boot before this one left a record: nothing was armed");
	return failed("no buffer here outlives a boot: see blockpoolctl recorder setup");
}

int cmd_postmortem(const struct opts *opts)
{
	return opts->arg ? tell_file(opts->arg, opts) : tell_last_boot(opts);
}

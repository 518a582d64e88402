// SPDX-License-Identifier: GPL-2.0
/* load, unload: the module itself, through libkmod. */
#include <errno.h>
#include <libkmod.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "json.h"
#include "say.h"

static void say_nothing(void *data, int priority, const char *file, int line,
			const char *fn, const char *format, va_list args)
{
	(void)data;
	(void)priority;
	(void)file;
	(void)line;
	(void)fn;
	(void)format;
	(void)args;
}

/* libkmod has its own opinion of what to print; here one line is enough. */
static struct kmod_ctx *new_context(void)
{
	struct kmod_ctx *ctx = kmod_new(NULL, NULL);

	if (ctx)
		kmod_set_log_fn(ctx, say_nothing, NULL);
	else
		failed("cannot use libkmod");
	return ctx;
}

static void module_parameters(const struct opts *opts, char *text, size_t size)
{
	size_t used = 0;

	*text = '\0';
	if (opts->has_block_size)
		used += snprintf(text + used, size - used, "block_size=%u ",
				 opts->block_size);
	if (opts->has_nr_blocks)
		used += snprintf(text + used, size - used, "nr_blocks=%u ",
				 opts->nr_blocks);
	if (opts->mode)
		snprintf(text + used, size - used, "default_mode=0%o ",
			 opts->mode);
}

static int find_module(struct kmod_ctx *ctx, const char *path,
		       struct kmod_module **module)
{
	struct kmod_list *found = NULL;
	int err;

	if (path) {
		err = kmod_module_new_from_path(ctx, path, module);
		if (err)
			return failed("cannot load %s: %s", path, strerror(-err));
		if (!strcmp(kmod_module_get_name(*module), MODULE))
			return 0;
		kmod_module_unref(*module);
		return misused("%s is not the module %s", path, MODULE);
	}
	err = kmod_module_new_from_lookup(ctx, MODULE, &found);
	if (err || !found) {
		kmod_module_unref_list(found);
		return failed("module %s is not installed for this kernel; give the path of %s.ko",
			      MODULE, MODULE);
	}
	*module = kmod_module_get_module(found);
	kmod_module_unref_list(found);
	return 0;
}

static int load_failed(struct kmod_module *module, int err)
{
	const char *path = kmod_module_get_path(module);

	switch (err) {
	case EEXIST:
		return failed("the module is loaded already");
	case EPERM:
		return failed("no permission to load the module");
	case ENOEXEC:
		return failed("%s is no module for this kernel", path);
	case EINVAL:
		return failed("the kernel refuses these module parameters");
	case ENOMEM:
		return failed("no memory for a default pool of this size");
	default:
		return failed("cannot load %s: %s", path ? path : MODULE,
			      strerror(err));
	}
}

static int probe(struct kmod_module *module, const char *parameters)
{
	return kmod_module_probe_insert_module(module, KMOD_PROBE_FAIL_ON_LOADED,
					       parameters, NULL, NULL, NULL);
}

/* A module given by path goes in as it is; an installed one the modprobe way. */
static int load(struct kmod_module *module, const struct opts *opts)
{
	char parameters[96];
	int err;

	module_parameters(opts, parameters, sizeof(parameters));
	if (opts->arg)
		err = kmod_module_insert_module(module, 0, parameters);
	else
		err = probe(module, parameters);
	if (err)
		return load_failed(module, abs(err));
	if (opts->json) {
		json_object(NULL);
		json_string("module", MODULE);
		json_bool("loaded", true);
		json_string("path", kmod_module_get_path(module));
		json_end();
	} else {
		printf("loaded %s\n", kmod_module_get_path(module));
	}
	return 0;
}

int cmd_load(const struct opts *opts)
{
	struct kmod_ctx *ctx = new_context();
	struct kmod_module *module = NULL;
	int status;

	if (!ctx)
		return EXIT_FAILED;
	status = find_module(ctx, opts->arg, &module);
	if (!status) {
		status = load(module, opts);
		kmod_module_unref(module);
	}
	kmod_unref(ctx);
	return status;
}

/* Modules that use ours have a name; processes are only counted. */
static int in_use(struct kmod_module *module)
{
	struct kmod_list *users = kmod_module_get_holders(module), *user;
	char names[256] = "";
	size_t used = 0;

	kmod_list_foreach(user, users) {
		struct kmod_module *other = kmod_module_get_module(user);

		if (used < sizeof(names))
			used += snprintf(names + used, sizeof(names) - used,
					 " %s", kmod_module_get_name(other));
		kmod_module_unref(other);
	}
	kmod_module_unref_list(users);
	if (*names)
		return failed("the module is in use by:%s", names);
	return failed("the module is in use: a process has %s open or a pool mapped",
		      DEVICE);
}

static int unload(struct kmod_module *module, const struct opts *opts)
{
	int err;

	if (kmod_module_get_initstate(module) < 0)
		return failed("the module is not loaded");
	err = -kmod_module_remove_module(module, 0);
	if (err == EWOULDBLOCK || err == EBUSY)
		return in_use(module);
	if (err == EPERM)
		return failed("no permission to unload the module");
	if (err)
		return failed("cannot unload the module: %s", strerror(err));
	if (opts->json) {
		json_object(NULL);
		json_string("module", MODULE);
		json_bool("loaded", false);
		json_end();
	} else {
		printf("unloaded %s\n", MODULE);
	}
	return 0;
}

int cmd_unload(const struct opts *opts)
{
	struct kmod_ctx *ctx = new_context();
	struct kmod_module *module = NULL;
	int status;

	if (!ctx)
		return EXIT_FAILED;
	if (kmod_module_new_from_name(ctx, MODULE, &module)) {
		status = failed("cannot use libkmod");
	} else {
		status = unload(module, opts);
		kmod_module_unref(module);
	}
	kmod_unref(ctx);
	return status;
}

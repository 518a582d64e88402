// SPDX-License-Identifier: GPL-2.0
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl.h"
#include "say.h"

int device_open(int oflags)
{
	int fd = open(DEVICE, oflags | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		failed("%s: module not loaded (no %s)", MODULE, DEVICE);
	else if (errno == EACCES || errno == EPERM)
		failed("no permission to open %s", DEVICE);
	else
		failed("cannot open %s: %s", DEVICE, strerror(errno));
	return -1;
}

bool name_set(char name[BLOCKPOOL_NAME_SIZE], const char *from, const char *of)
{
	size_t len = strlen(from);

	if (!len || len >= BLOCKPOOL_NAME_SIZE) {
		misused("a %s's name has 1 to %d characters", of,
			BLOCKPOOL_NAME_SIZE - 1);
		return false;
	}
	for (const char *c = from; *c; c++) {
		if (*c >= ' ' && *c <= '~' && *c != '/')
			continue;
		misused("a %s's name is printable ASCII without '/', not '%s'",
			of, from);
		return false;
	}
	if (!strcmp(from, ".") || !strcmp(from, "..")) {
		misused("'%s' cannot be a %s's name", from, of);
		return false;
	}
	memset(name, 0, BLOCKPOOL_NAME_SIZE);
	memcpy(name, from, len);
	return true;
}

int pool_failed(const char *name, const char *doing)
{
	switch (errno) {
	case ENOENT:
		return failed("no pool '%s'", name);
	case EACCES:
	case EPERM:
		return failed("no permission to %s pool '%s'", doing, name);
	case EOPNOTSUPP:
		return failed("pool '%s' has no debug mode", name);
	default:
		return failed("cannot %s pool '%s': %s", doing, name,
			      strerror(errno));
	}
}

int pool_attach(const char *name, int oflags, const char *doing)
{
	struct blockpool_name_args args = { .size = sizeof(args) };
	int fd = device_open(oflags);

	if (fd < 0)
		return -1;
	memcpy(args.name, name, strlen(name));
	if (!ioctl(fd, BLOCKPOOL_IOC_ATTACH, &args))
		return fd;
	pool_failed(name, doing);
	close(fd);
	return -1;
}

/*
 * The pool "default" can be looked at without being attached, and then the look
 * leaves no trace at all.
 */
int pool_look(const char *name)
{
	if (!strcmp(name, DEFAULT_POOL))
		return device_open(O_RDONLY);
	return pool_attach(name, O_RDONLY, "read");
}

int pool_info(int fd, const char *name, struct blockpool_info *info)
{
	*info = (struct blockpool_info){ .size = sizeof(*info) };
	if (!ioctl(fd, BLOCKPOOL_IOC_INFO, info))
		return 0;
	pool_failed(name, "read");
	return -1;
}

int pool_stats(int fd, const char *name, struct blockpool_stats *stats)
{
	*stats = (struct blockpool_stats){ .size = sizeof(*stats) };
	if (!ioctl(fd, BLOCKPOOL_IOC_STATS, stats))
		return 0;
	pool_failed(name, "read");
	return -1;
}

// SPDX-License-Identifier: GPL-2.0
#include "say.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"

/*
 * A process chooses its own command name, and a user types what he likes:
 * neither may steer the terminal or break a line.
 */
char *printable(char *text)
{
	for (char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return text;
}

static void complain(const char *fmt, va_list args, const char *tail)
{
	char line[512];

	vsnprintf(line, sizeof(line), fmt, args);
	fprintf(stderr, "blockpoolctl: %s%s\n", printable(line), tail);
}

int failed(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	complain(fmt, args, "");
	va_end(args);
	return EXIT_FAILED;
}

int misused(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	complain(fmt, args, " (see blockpoolctl --help)");
	va_end(args);
	return EXIT_MISUSED;
}

int finish_output(void)
{
	if (fflush(stdout) || ferror(stdout))
		return failed("cannot write the output: %s", strerror(errno));
	return 0;
}

const char *bytes_text(char buf[BYTES_TEXT], unsigned long long bytes)
{
	static const char unit[] = "KMGT";
	double size = bytes / 1024.0;
	int i = 0;

	for (; size >= 1024 && i < 3; i++)
		size /= 1024;
	snprintf(buf, BYTES_TEXT, "%.*f %ciB", size < 10 ? 1 : 0, size, unit[i]);
	return buf;
}

const char *user_text(char buf[OWNER_TEXT], uid_t uid)
{
	const struct passwd *user = getpwuid(uid);

	if (user)
		snprintf(buf, OWNER_TEXT, "%s", user->pw_name);
	else
		snprintf(buf, OWNER_TEXT, "%u", uid);
	return buf;
}

const char *group_text(char buf[OWNER_TEXT], gid_t gid)
{
	const struct group *group = getgrgid(gid);

	if (group)
		snprintf(buf, OWNER_TEXT, "%s", group->gr_name);
	else
		snprintf(buf, OWNER_TEXT, "%u", gid);
	return buf;
}

// SPDX-License-Identifier: GPL-2.0
#include "moment.h"

#include <stdio.h>
#include <time.h>

#define SECOND	1000000000ULL

static __u64 now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

static __u64 realtime(__u64 time_ns)
{
	return time_ns + now(CLOCK_REALTIME) - now(CLOCK_MONOTONIC);
}

double moment_seconds(__u64 time_ns)
{
	return realtime(time_ns) / (double)SECOND;
}

const char *moment_text(char buf[MOMENT_TEXT], __u64 time_ns)
{
	__u64 ns = realtime(time_ns);
	time_t seconds = ns / SECOND;
	struct tm tm;
	size_t len;

	localtime_r(&seconds, &tm);
	len = strftime(buf, MOMENT_TEXT, "%F %T", &tm);
	snprintf(buf + len, MOMENT_TEXT - len, ".%03u",
		 (unsigned int)(ns % SECOND / 1000000));
	return buf;
}

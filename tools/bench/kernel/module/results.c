// SPDX-License-Identifier: GPL-2.0
/* The text that is read from the device.  The device's lock protects it. */
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/kernel.h>

#include "bench.h"

static char text[256 << 10];
static size_t length;

void bench_results_reset(void)
{
	length = 0;
}

int bench_results_add(const char *format, ...)
{
	size_t room = sizeof(text) - length;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text + length, room, format, args);
	va_end(args);
	if (n >= room)
		return -ENOSPC;
	length += n;
	return 0;
}

ssize_t bench_results_read(char __user *to, size_t count, loff_t *pos)
{
	return simple_read_from_buffer(to, count, pos, text, length);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Debug mode for tests; see debug.h.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "debug.h"

int debug_new(const char *name, __u32 flags, __u32 block_size, __u32 nr_blocks)
{
	struct blockpool_create_args args = {
		.flags = flags,
		.block_size = block_size,
		.nr_blocks = nr_blocks,
	};
	int fd = pool_open(O_RDWR);

	must(fd >= 0);
	must(!pool_create_args(fd, name, args));
	return fd;
}

int debug_alloc(int fd, __u32 *indices, __u32 count, const __u64 *frames,
		__u32 nr_frames)
{
	struct blockpool_alloc_args args = {
		.size = sizeof(args),
		.count = count,
		.indices = (uintptr_t)indices,
		.frames = (uintptr_t)frames,
		.nr_frames = nr_frames,
	};

	return pool_ioctl(fd, BLOCKPOOL_IOC_ALLOC, &args);
}

int debug_free(int fd, const __u32 *indices, __u32 count, const __u64 *frames,
	       __u32 nr_frames)
{
	struct blockpool_free_args args = {
		.size = sizeof(args),
		.count = count,
		.indices = (uintptr_t)indices,
		.frames = (uintptr_t)frames,
		.nr_frames = nr_frames,
	};

	return pool_ioctl(fd, BLOCKPOOL_IOC_FREE, &args);
}

int debug_modules(int fd, const char *text)
{
	struct blockpool_modules_args args = {
		.size = sizeof(args),
		.length = strlen(text),
		.text = (uintptr_t)text,
	};

	return pool_ioctl(fd, BLOCKPOOL_IOC_MODULES, &args);
}

int debug_check(int fd, __u32 *damaged)
{
	struct blockpool_check_args args = { .size = sizeof(args) };
	int ret = pool_ioctl(fd, BLOCKPOOL_IOC_CHECK, &args);

	must(ret || args.checked == pool_info(fd).nr_blocks);
	*damaged = args.damaged;
	return ret;
}

int debug_repair(int fd, __u32 *repaired)
{
	struct blockpool_repair_args args = { .size = sizeof(args) };
	int ret = pool_ioctl(fd, BLOCKPOOL_IOC_REPAIR, &args);

	*repaired = args.repaired;
	return ret;
}

int debug_next(int fd, __u64 *cursor, struct blockpool_report *report)
{
	struct blockpool_report_args args = {
		.size = sizeof(args),
		.report_size = sizeof(*report),
		.cursor = *cursor,
		.report = (uintptr_t)report,
	};
	int ret;

	memset(report, POOL_POISON, sizeof(*report));
	ret = pool_ioctl(fd, BLOCKPOOL_IOC_REPORT, &args);
	if (!ret)
		*cursor = args.cursor;
	must(ret || report->seq == *cursor);
	return ret;
}

struct blockpool_report debug_only(int fd, __u64 *cursor)
{
	struct blockpool_report report, other;
	int ret = debug_next(fd, cursor, &report);

	if (ret)
		pool_fatal("no report: %s", strerror(-ret));
	if (!debug_next(fd, cursor, &other))
		pool_fatal("another report, of kind %u", other.kind);
	return report;
}

/* A record is "number,more;text\n" and maybe lines with more. */
char *debug_log_of(const char *prefix)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char *text = calloc(1, 1), record[8192], *begin;
	size_t length = 0, more;
	ssize_t size;

	must(log >= 0);
	while ((size = read(log, record, sizeof(record) - 1)) > 0 ||
	       errno == EPIPE) {
		record[size > 0 ? size : 0] = 0;
		begin = strstr(record, prefix);
		if (!begin)
			continue;
		begin += strlen(prefix);
		more = strcspn(begin, "\n") + 1;
		text = realloc(text, length + more + 1);
		memcpy(text + length, begin, more);
		length += more;
		text[length] = 0;
	}
	close(log);
	return text;
}

char *debug_log(const char *pool, __u64 seq)
{
	char prefix[128];

	snprintf(prefix, sizeof(prefix), "blockpool: %s: report %llu: ", pool,
		 seq);
	return debug_log_of(prefix);
}

bool debug_kernel_stacks(void)
{
	char text[4096];

	return !file_read("/proc/self/stack", text, sizeof(text)) && *text;
}

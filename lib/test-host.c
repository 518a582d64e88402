// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/*
 * What of the library can be seen without the module: bad arguments, the
 * missing device, and the arithmetic from an address to an index.  Prints
 * "ok NAME" or "not ok NAME" lines; lib/test-install numbers them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "blockpool.h"
#include "../common/stride.h"

#define NAME31	"0123456789012345678901234567890"
#define NAME32	NAME31 "1"

static const struct blockpool_attr good = {
	.name = NAME31, .block_size = 64, .nr_blocks = 1,
};

static bool failed;

static void report(bool passed, const char *name, const char *directive)
{
	printf("%s %s%s\n", passed ? "ok" : "not ok", name, directive);
	failed |= !passed;
}

static unsigned int nr_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (dir && readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static bool null_with(const void *pool, int error)
{
	return !pool && errno == error;
}

static bool minus_with(int ret, int error)
{
	return ret == -1 && errno == error;
}

static bool create_refuses(struct blockpool_attr attr)
{
	errno = 0;
	return null_with(blockpool_create(&attr), EINVAL);
}

static bool open_refuses(const char *name, int oflags)
{
	errno = 0;
	return null_with(blockpool_open(name, oflags), EINVAL);
}

static void test_arguments(void)
{
	struct blockpool_attr attr = good;
	bool ok;

	errno = 0;
	ok = null_with(blockpool_create(NULL), EINVAL);
	attr.name = NULL;
	ok &= create_refuses(attr);
	attr.name = "";
	ok &= create_refuses(attr);
	report(ok, "create without a name is EINVAL", "");

	attr.name = NAME32;
	report(create_refuses(attr), "create with a name too long is EINVAL", "");

	attr = good;
	attr.block_size = (size_t)(1ULL << 32);
	ok = create_refuses(attr);
	attr.block_size = (size_t)((1ULL << 32) + 64);
	ok &= create_refuses(attr);
	report(ok, "create with a block_size above 32 bits is EINVAL", "");

	ok = open_refuses("", O_RDWR) && open_refuses(NAME32, O_RDWR);
	report(ok, "open with a bad name is EINVAL", "");

	ok = open_refuses("x", O_WRONLY) && open_refuses("x", O_ACCMODE) &&
	     open_refuses("x", O_RDWR | O_NONBLOCK) &&
	     open_refuses("x", O_RDWR | O_CREAT) && open_refuses("x", -1);
	report(ok, "open with another flag than its own is EINVAL", "");

	ok = minus_with(blockpool_unlink(NULL), EINVAL);
	errno = 0;
	ok &= minus_with(blockpool_unlink(""), EINVAL);
	errno = 0;
	ok &= minus_with(blockpool_unlink(NAME32), EINVAL);
	report(ok, "unlink with a bad name is EINVAL", "");
}

static void test_no_device(void)
{
	bool here = access("/dev/blockpool", F_OK) == 0;
	const char *directive = here ? " # SKIP there is a device" : "";
	unsigned int before = nr_fds();
	bool ok;

	errno = 0;
	ok = null_with(blockpool_create(&good), ENODEV);
	report(here || ok, "create without the module is ENODEV", directive);

	errno = 0;
	ok = null_with(blockpool_open(NULL, O_RDWR), ENODEV);
	errno = 0;
	ok &= null_with(blockpool_open(NAME31, O_RDONLY | O_CLOEXEC), ENODEV);
	report(here || ok, "open without the module is ENODEV", directive);

	errno = 0;
	ok = minus_with(blockpool_unlink(NAME31), ENODEV);
	report(here || ok, "unlink without the module is ENODEV", directive);

	report(here || nr_fds() == before, "a call that failed leaves no fd",
	       directive);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

/* Offsets from far below the first block to far behind the last. */
static bool quotient_is_exact(uint32_t bytes, uint64_t *state)
{
	struct bp_stride stride = bp_stride_init(bytes);
	uint64_t most = (UINT64_MAX - bytes) / bytes;
	int64_t i;

	for (i = -100; i < 400; i++) {
		uint64_t q = next_random(state) % (most + 1);
		uint64_t offset = q * bytes + (uint64_t)i;
		uint64_t got = bp_stride_quotient(&stride, offset);

		if (offset % bytes ? got <= most : got != offset / bytes)
			return false;
		offset = next_random(state) >> (i & 63);
		got = bp_stride_quotient(&stride, offset);
		if (offset % bytes ? got <= most : got != offset / bytes)
			return false;
	}
	for (i = 0; i < 3 * (int64_t)bytes; i += bytes > 9999 ? 61 : 1)
		if (bp_stride_quotient(&stride, (uint64_t)i) <= most &&
		    i % bytes)
			return false;
	return true;
}

static void test_stride(void)
{
	uint64_t state = 88172645463325252ULL;
	uint32_t bytes;
	bool ok = true;

	for (bytes = 2; bytes < 300; bytes++)
		ok &= quotient_is_exact(bytes, &state);
	for (bytes = 64; bytes <= 1 << 16; bytes += 64)
		ok &= quotient_is_exact(bytes, &state);
	for (bytes = 4096; bytes && bytes <= 8U << 20; bytes *= 2)
		ok &= quotient_is_exact(bytes, &state) &&
		      quotient_is_exact(bytes + 4096, &state);
	ok &= quotient_is_exact(UINT32_MAX, &state);
	report(ok, "an offset divides exactly or into no index", "");
}

int main(void)
{
	test_arguments();
	test_no_device();
	test_stride();
	return failed;
}

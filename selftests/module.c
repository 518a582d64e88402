// SPDX-License-Identifier: GPL-2.0
/*
 * Loading the module: with parameters, with bad ones, and with each allocation on the
 * way failed in turn, after which nothing of it is there.
 *
 * Run when nothing else uses the module: see BLOCKPOOL_KO.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "harness.h"
#include "fail_nth.h"
#include "module.h"

#define DEBUG_PARAMETER	MODULE_PARAMETERS "/debug"

FIXTURE(module)
{
	int file;
	char parameters[256];
};

FIXTURE_SETUP(module)
{
	const char *path = getenv("BLOCKPOOL_KO");

	if (!path)
		SKIP(return, "BLOCKPOOL_KO is not set");
	self->file = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->file);
	module_parameters(self->parameters, sizeof(self->parameters));
	ASSERT_EQ(0, module_unload());
}

FIXTURE_TEARDOWN(module)
{
	if (!*self->parameters)
		return;
	EXPECT_EQ(0, module_load(self->file, self->parameters));
	close(self->file);
}

/* The device's name is there only a moment after the module. */
static int open_soon(void)
{
	const struct timespec nap = { .tv_nsec = 1000000 };
	int fd;

	for (int i = 0; i < 1000; i++) {
		fd = pool_open(O_RDWR);
		if (fd != -ENOENT)
			break;
		nanosleep(&nap, NULL);
	}
	must(fd >= 0);
	return fd;
}

static bool is_there(void)
{
	return !access(POOL_DEVICE, F_OK) || !access(MODULE_PARAMETERS, F_OK) ||
	       !access("/sys/kernel/debug/blockpool", F_OK);
}

static __u32 debug_flags_of(int fd)
{
	return pool_info(fd).flags & BLOCKPOOL_DEBUG;
}

/* The flags of the default pool, and of all that are made, as far as they can. */
TEST_F(module, debug)
{
	struct blockpool_create_args large = {
		.block_size = BLOCKPOOL_BLOCK_SIZE_MAX, .nr_blocks = 1,
	};
	char text[16];
	int fd;

	ASSERT_EQ(0, module_load(self->file, "nr_blocks=16 debug=TG"));
	ASSERT_EQ(0, file_read(DEBUG_PARAMETER, text, sizeof(text)));
	EXPECT_STREQ("GT\n", text);
	fd = open_soon();
	EXPECT_EQ(BLOCKPOOL_GUARD | BLOCKPOOL_TRACK, debug_flags_of(fd));
	close(fd);
	fd = pool_open(O_RDWR);
	ASSERT_EQ(0, pool_create(fd, "module", 64, 16));
	EXPECT_EQ(BLOCKPOOL_GUARD | BLOCKPOOL_TRACK, debug_flags_of(fd));
	close(fd);
	fd = pool_open(O_RDWR);
	ASSERT_EQ(0, pool_create_args(fd, "module", large));
	EXPECT_EQ(BLOCKPOOL_TRACK, debug_flags_of(fd));
	close(fd);
	EXPECT_EQ(0, module_unload());
}

TEST_F(module, no_default_pool)
{
	int fd;

	ASSERT_EQ(0, module_load(self->file, "nr_blocks=0"));
	fd = open_soon();
	EXPECT_EQ(-ENOENT, pool_take(fd));
	close(fd);
	EXPECT_EQ(0, module_unload());
}

TEST_F(module, bad_parameters)
{
	static const char *const bad[] = {
		"debug=GX", "block_size=0", "default_mode=01000",
		"nr_blocks=4294967295",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, module_load(self->file, bad[i]))
			TH_LOG("%s", bad[i]);
		EXPECT_FALSE(is_there());
	}
}

/* The module's bytes: to read them from the file takes memory as well. */
struct image {
	void *bytes;
	size_t size;
};

static struct image image_of(int file)
{
	struct image image;
	struct stat status;

	must(!fstat(file, &status));
	image.size = status.st_size;
	image.bytes = mmap(NULL, image.size, PROT_READ, MAP_PRIVATE | MAP_POPULATE,
			   file, 0);
	must(image.bytes != MAP_FAILED);
	return image;
}

/* The last: misc_register() says so if it has no memory for a number. */
static bool is_for_memory(int error)
{
	return error == -ENOMEM || error == -EFAULT || error == -EBUSY;
}

/* Returns whether a fault was injected; the module may do without what it lacks. */
static bool fail_load(const struct image *image, int nth, int *failed)
{
	bool injected;
	int ret;

	fail_arm(nth);
	ret = syscall(SYS_init_module, image->bytes, image->size,
		      "nr_blocks=16 debug=GPT") ? -errno : 0;
	injected = fail_disarm();
	if (!ret) {
		must(!module_unload());
		return injected;
	}
	if (!is_for_memory(ret))
		pool_fatal("allocation %d: %s", nth, strerror(-ret));
	must(injected && !is_there());
	++*failed;
	return true;
}

TEST_F_TIMEOUT(module, faults, 300)
{
	struct image image = image_of(self->file);
	int nth, all, faults = 0, failed = 0;

	if (!fail_possible())
		SKIP(return, "this kernel injects no faults");
	if (!access("/sys/kernel/tracing/events", F_OK))
		SKIP(return, "its trace events warn where a module's find no memory");
	fail_set_up();
	for (all = 0; all < 2; all++) {
		fail_open(all);
		for (nth = 1; fail_load(&image, nth, &failed); nth++)
			must(nth < FAIL_NTH_MAX);
		faults += nth - 1;
	}
	ksft_print_msg("%d allocations failed, and the load for %d of them\n",
		       faults, failed);
	EXPECT_LT(0, failed);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/*
 * The library on a model of the device: by what names it tells of the files that a
 * call stack goes through, where these come and go, are too many, or are none.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "harness.h"
#include "library.h"
#include "zlib_stream.h"

#define LINE_UNKNOWN	0xffffu
#define LONG_PATH	3800	/* eight fit into the text, with the program's */
#define NR_LONG		9

#define noinline	__attribute__((noinline))

/* Frame 0 is here, and 1 in who called back. */
static noinline void *called_back(void *pool, unsigned int items,
				  unsigned int size)
{
	void *block = blockpool_alloc(pool);

	blockpool_free(pool, (char *)block + 1);	/* is no block */
	return NULL;
}

static void free_nothing(void *pool, void *address)
{
}

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void run(const char *format, ...)
{
	char command[4 * PATH_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	if (system(command))
		abort();
}

/* From the copy in that file; returns its frame. */
static __u64 call_through(const char *path, struct blockpool *pool)
{
	struct zlib stream = {
		.zalloc = called_back, .zfree = free_nothing, .opaque = pool,
	};
	void *library = dlopen(path, RTLD_NOW);
	int (*init)(struct zlib *z, const char *version, int size);

	if (!library)
		abort();
	init = dlsym(library, "inflateInit_");
	init(&stream, "1", sizeof(stream));
	dlclose(library);
	return model.alloc.frames[1];
}

FIXTURE(modules)
{
	char folder[32];
	char zlib[PATH_MAX];
	struct blockpool *pool;
};

FIXTURE_SETUP(modules)
{
	void *library = dlopen("libz.so.1", RTLD_NOW);
	Dl_info info;

	ASSERT_NE(NULL, library);
	ASSERT_NE(0, dladdr(dlsym(library, "inflateInit_"), &info));
	strcpy(self->zlib, info.dli_fname);
	dlclose(library);
	strcpy(self->folder, "/tmp/modules.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->folder));
	model_init_flags(64, 64, BLOCKPOOL_TRACK);
	self->pool = blockpool_open(NULL, O_RDWR);
	ASSERT_NE(NULL, self->pool);
}

FIXTURE_TEARDOWN(modules)
{
	EXPECT_EQ(0, blockpool_close(self->pool));
	run("rm -r %s", self->folder);
}

/* Whether the frame is in that file, by the text that the model was told. */
static bool is_in(__u64 frame, const char *path)
{
	const char *line = model.modules;

	for (__u64 skip = frame >> 48; skip && *line; skip--)
		line = strchr(line, '\n') + 1;
	return !strncmp(line, path, strlen(path)) && line[strlen(path)] == '\n';
}

/* One path begins as the other; and the dynamic linker uses a place again. */
TEST_F(modules, another_in_the_same_place)
{
	char path[2][64];

	for (int i = 0; i < 2; i++) {
		snprintf(path[i], sizeof(path[i]), "%s/%s", self->folder,
			 i ? "z" : "zz");
		run("cp %s %s", self->zlib, path[i]);
	}
	for (int i = 0; i < 4; i++)
		EXPECT_TRUE(is_in(call_through(path[i % 2], self->pool),
				  path[i % 2]));
	EXPECT_EQ(2u, model.nr_modules);
}

/* In folders of folders; the path's number tells it from others. */
static void make_long(struct _test_data_modules *self, int n, char *path)
{
	size_t length = sprintf(path, "%s/%d", self->folder, n);

	while (length < LONG_PATH)
		length += sprintf(path + length, "/%0200d", n);
	run("mkdir -p %s && cp %s %s/z", path, self->zlib, path);
	strcpy(path + length, "/z");
}

/* What no longer fits has no name; but what was told is true still. */
TEST_F(modules, text_is_full)
{
	char path[NR_LONG][PATH_MAX], text[6 * PATH_MAX] = "";
	int file = memfd_create("stderr", 0), before = dup(STDERR_FILENO);
	__u64 frame;

	blockpool_close(self->pool);
	setenv("BLOCKPOOL_DEBUG", "1", 1);
	self->pool = blockpool_open(NULL, O_RDWR);
	ASSERT_NE(NULL, self->pool);
	for (int i = 0; i < NR_LONG; i++)
		make_long(self, i, path[i]);
	dup2(file, STDERR_FILENO);
	for (int i = 0; i < NR_LONG - 1; i++) {
		frame = call_through(path[i], self->pool);
		EXPECT_TRUE(is_in(frame, path[i]));
	}
	EXPECT_EQ(LINE_UNKNOWN,
		  call_through(path[NR_LONG - 1], self->pool) >> 48);
	EXPECT_TRUE(is_in(call_through(path[0], self->pool), path[0]));
	dup2(before, STDERR_FILENO);

	/* The report on stderr is whole, however long. */
	ASSERT_LT(0, pread(file, text, sizeof(text) - 1, 0));
	EXPECT_NE(NULL, strstr(text, path[0]));
	EXPECT_NE(NULL, strstr(text, path[1]));
}

/* To the dynamic linker the program has no name: the kernel is to be asked. */
TEST_F(modules, no_file_to_be_had)
{
	struct rlimit limit, none;
	char path[PATH_MAX];

	ASSERT_NE(NULL, realpath("/proc/self/exe", path));
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	none = limit;
	none.rlim_cur = 0;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	ASSERT_NE(NULL, blockpool_alloc(self->pool));
	EXPECT_EQ(LINE_UNKNOWN, model.alloc.frames[0] >> 48);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	ASSERT_NE(NULL, blockpool_alloc(self->pool));
	EXPECT_TRUE(is_in(model.alloc.frames[0], path));
}

#ifdef __x86_64__
/* Made by the program itself: sub $8,%rsp; call *%rsi; add $8,%rsp; ret */
static const unsigned char code[] = {
	0x48, 0x83, 0xec, 0x08, 0xff, 0xd6, 0x48, 0x83, 0xc4, 0x08, 0xc3,
};

TEST_F(modules, code_in_no_file)
{
	void *(*call)(struct blockpool *pool,
		      void *(*function)(struct blockpool *pool));
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, page);
	memcpy(page, code, sizeof(code));
	call = page;
	ASSERT_NE(NULL, call(self->pool, blockpool_alloc));
	EXPECT_EQ(1u, model.alloc.nr);
	EXPECT_EQ(LINE_UNKNOWN, model.alloc.frames[0] >> 48);
}
#endif

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/*
 * How blockpoolctl reads files that strangers name: which it opens, what the child
 * that reads them may do, and what becomes of a child that fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "../../tools/blockpoolctl/resolve.h"

/*
 * In place of what reads ELF files: the address says how the child behaves, and its
 * answer what it may do.
 */
enum { ANSWER, RIGHTS, FILES, CRASH, HANG, GREED, NO_END };

struct symbols {
	int fd;
};

static void *volatile memory;	/* or a compiler does without */

struct symbols *symbols_open(int fd)
{
	static struct symbols symbols;

	symbols.fd = fd;
	return &symbols;
}

static void count_files(struct symbol *symbol)
{
	for (int fd = 0; fd < 1024; fd++)
		symbol->offset += fcntl(fd, F_GETFD) >= 0;
	symbol->line = open("/dev/tty", O_RDWR) >= 0;
}

static void tell_rights(struct symbol *symbol)
{
	symbol->line = getuid();
	symbol->offset = getgroups(0, NULL) + prctl(PR_GET_DUMPABLE);
	sprintf(symbol->source, "%d %d %d", geteuid(), getgid(),
		setuid(0) ? errno : 0);
}

void symbols_find(const struct symbols *symbols, __u64 address,
		  struct symbol *symbol)
{
	memset(symbol, 0, sizeof(*symbol));
	strcpy(symbol->function, "f");
	switch (address) {
	case RIGHTS:
		tell_rights(symbol);
		break;
	case FILES:
		count_files(symbol);
		break;
	case CRASH:
		abort();
	case HANG:
		for (;;)
			pause();
	case GREED:
		while (symbol->offset < 1024 && (memory = malloc(1 << 20)))
			symbol->offset++;
		break;
	case NO_END:
		memset(symbol, 'x', sizeof(*symbol));
		break;
	}
}

static char folder[32];

/* A name in a folder of our own. */
static const char *file(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void make(const char *name, off_t size)
{
	int fd = open(file(name), O_CREAT | O_WRONLY, 0600);

	if (fd < 0 || ftruncate(fd, size))
		abort();
	close(fd);
}

FIXTURE(files) {
	struct symbol symbol;
};

FIXTURE_SETUP(files)
{
	strcpy(folder, "/tmp/resolve.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(folder));
	make("good", 1);
	make("other", 1);
}

FIXTURE_TEARDOWN(files)
{
	char line[64];

	resolve_end();
	ASSERT_EQ(-1, waitpid(-1, NULL, WNOHANG));	/* no child is left */
	snprintf(line, sizeof(line), "rm -r %s", folder);
	ASSERT_EQ(0, system(line));
}

TEST_F(files, answers)
{
	ASSERT_TRUE(resolve(file("good"), ANSWER, &self->symbol));
	ASSERT_STREQ("f", self->symbol.function);
	ASSERT_TRUE(resolve(file("good"), ANSWER, &self->symbol));
	ASSERT_TRUE(resolve(file("other"), ANSWER, &self->symbol));
}

/* None of these is ever opened: to open a FIFO alone would block. */
TEST_F(files, opens_regular_files_only)
{
	ASSERT_EQ(0, mkfifo(file("fifo"), 0600));
	ASSERT_EQ(0, symlink("loop", file("loop")));
	ASSERT_EQ(0, symlink("/dev/zero", file("device")));
	make("huge", (1LL << 30) + 1);
	ASSERT_FALSE(resolve(file("fifo"), ANSWER, &self->symbol));
	ASSERT_FALSE(resolve(file("loop"), ANSWER, &self->symbol));
	ASSERT_FALSE(resolve(file("device"), ANSWER, &self->symbol));
	ASSERT_FALSE(resolve(file("huge"), ANSWER, &self->symbol));
	ASSERT_FALSE(resolve(file("none"), ANSWER, &self->symbol));
	ASSERT_FALSE(resolve(folder, ANSWER, &self->symbol));
	ASSERT_FALSE(resolve("/dev/null", ANSWER, &self->symbol));
	ASSERT_TRUE(resolve(file("good"), ANSWER, &self->symbol));
}

TEST_F(files, opens_nothing_that_is_made_as_it_is_read)
{
	ASSERT_FALSE(resolve("/proc/self/maps", ANSWER, &self->symbol));
	ASSERT_FALSE(resolve("/proc/kallsyms", ANSWER, &self->symbol));
	ASSERT_FALSE(resolve("/sys/kernel/mm/transparent_hugepage/enabled",
			     ANSWER, &self->symbol));
}

TEST_F(files, follows_links_to_files)
{
	ASSERT_EQ(0, symlink("good", file("link")));
	ASSERT_TRUE(resolve(file("link"), ANSWER, &self->symbol));
	ASSERT_TRUE(resolve("/proc/self/exe", ANSWER, &self->symbol));
}

TEST_F(files, child_has_no_rights)
{
	static const gid_t groups[] = { 1, 2 };

	if (geteuid())
		SKIP(return, "not root");
	ASSERT_EQ(0, setgroups(2, groups));
	ASSERT_TRUE(resolve(file("good"), RIGHTS, &self->symbol));
	ASSERT_EQ(65534, self->symbol.line);
	ASSERT_EQ(0, self->symbol.offset);
	ASSERT_STREQ("65534 65534 1", self->symbol.source);
}

/* 0, 1, 2, the socket and the file; and no terminal. */
TEST_F(files, child_has_no_other_files)
{
	int other = open("/dev/null", O_RDONLY);

	ASSERT_LE(0, other);
	ASSERT_TRUE(resolve(file("other"), ANSWER, &self->symbol));
	ASSERT_TRUE(resolve(file("good"), FILES, &self->symbol));
	ASSERT_EQ(5, self->symbol.offset);
	ASSERT_EQ(0, self->symbol.line);
	close(other);
}

TEST_F(files, child_may_have_closed_files)
{
	int saved[3];

	for (int fd = 0; fd < 3; fd++)
		saved[fd] = fcntl(fd, F_DUPFD, 100);
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	bool answered = resolve(file("good"), FILES, &self->symbol);

	for (int fd = 0; fd < 3; fd++)
		dup2(saved[fd], fd);
	ASSERT_TRUE(answered);
	ASSERT_EQ(5, self->symbol.offset);
}

TEST_F(files, child_has_bounded_memory)
{
	ASSERT_TRUE(resolve(file("good"), GREED, &self->symbol));
	ASSERT_LT(100, self->symbol.offset);
	ASSERT_GT(300, self->symbol.offset);
}

TEST_F(files, child_that_crashes)
{
	ASSERT_FALSE(resolve(file("good"), CRASH, &self->symbol));
	ASSERT_FALSE(resolve(file("good"), ANSWER, &self->symbol));
	ASSERT_TRUE(resolve(file("other"), ANSWER, &self->symbol));
	resolve_end();
	ASSERT_TRUE(resolve(file("good"), ANSWER, &self->symbol));
}

/* Each is waited for once, and three are enough: nobody waits for a fourth. */
TEST_F(files, children_that_hang)
{
	time_t start = time(NULL);

	ASSERT_FALSE(resolve(file("good"), HANG, &self->symbol));
	ASSERT_FALSE(resolve(file("good"), ANSWER, &self->symbol));
	ASSERT_FALSE(resolve(file("other"), HANG, &self->symbol));
	make("last", 1);
	ASSERT_TRUE(resolve(file("last"), ANSWER, &self->symbol));
	ASSERT_FALSE(resolve("/proc/self/exe", HANG, &self->symbol));
	ASSERT_FALSE(resolve(file("last"), ANSWER, &self->symbol));
	ASSERT_GT(25, time(NULL) - start);
	resolve_end();
	ASSERT_TRUE(resolve(file("last"), ANSWER, &self->symbol));
}

TEST_F(files, answer_without_end)
{
	ASSERT_TRUE(resolve(file("good"), NO_END, &self->symbol));
	ASSERT_EQ(SYMBOL_TEXT - 1, strlen(self->symbol.function));
	ASSERT_EQ(SYMBOL_TEXT - 1, strlen(self->symbol.source));
}

/* More files than children. */
TEST_F(files, many_files)
{
	char name[8];

	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "%d", i % 13);
		make(name, 1);
		ASSERT_TRUE(resolve(file(name), ANSWER, &self->symbol));
	}
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/* What blockpoolctl finds out about an address, in this very program. */
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "../../tools/blockpoolctl/symbols.h"

static __u32 line;

/* Leaves where its caller goes on, as in the file. */
__attribute__((noinline)) static __u64 return_address(void)
{
	return (__u64)__builtin_return_address(0) - _r_debug.r_map->l_addr;
}

__attribute__((noinline)) __u64 here(void)
{
	__u64 address = return_address(); line = __LINE__;

	__asm__ volatile("" : "+r"(address));
	return address;
}

/* Its other name, which is not for others and not to be found. */
__attribute__((used, alias("here"))) static __u64 hidden(void);

/* A copy of this program, changed by a command with its name behind it. */
static int changed(const char *command)
{
	char name[] = "/tmp/symbols.XXXXXX", line[256];
	int fd = mkstemp(name);

	snprintf(line, sizeof(line), "cat /proc/%d/exe >%s && %s %s", getpid(),
		 name, command, name);
	if (fd < 0 || system(line))
		abort();
	close(fd);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	unlink(name);
	return fd;
}

static struct symbol find(int fd, __u64 address)
{
	/* Never freed, and therefore not to be called a leak. */
	static const struct symbols *symbols;
	struct symbol symbol;

	symbols = symbols_open(fd);
	if (!symbols)
		abort();
	symbols_find(symbols, address, &symbol);
	return symbol;
}

TEST(function_and_line)
{
	__u64 address = here();
	struct symbol symbol = find(changed(":"), address);

	ASSERT_STREQ("here", symbol.function);
	ASSERT_EQ(address - ((__u64)here - _r_debug.r_map->l_addr),
		  symbol.offset);
	ASSERT_STREQ("symbols.c", basename(symbol.source));
	ASSERT_EQ(line, symbol.line);
}

/* The call is that function's although the address is behind it. */
TEST(end_of_a_function)
{
	__u64 start = (__u64)here - _r_debug.r_map->l_addr;
	int fd = changed(":");
	struct symbol symbol = find(fd, start + 1);

	ASSERT_STREQ("here", symbol.function);
	ASSERT_EQ(1, symbol.offset);
	symbol = find(fd, start);
	ASSERT_STRNE("here", symbol.function);
}

TEST(without_debug_information)
{
	__u64 address = here();
	struct symbol symbol = find(changed("strip -g"), address);

	ASSERT_STREQ("here", symbol.function);
	ASSERT_STREQ("", symbol.source);
	ASSERT_EQ(0, symbol.line);
}

TEST(stripped)
{
	__u64 address = here();
	struct symbol symbol = find(changed("strip"), address);

	ASSERT_STREQ("", symbol.function);
	ASSERT_EQ(0, symbol.offset);
	ASSERT_STREQ("", symbol.source);
}

TEST(compressed_debug_information)
{
	__u64 address = here();
	struct symbol symbol = find(changed("objcopy --compress-debug-sections"),
				    address);

	ASSERT_EQ(line, symbol.line);
}

TEST(address_outside)
{
	struct symbol symbol = find(changed(":"), 1);

	ASSERT_STREQ("", symbol.function);
	symbol = find(changed(":"), 0);
	ASSERT_STREQ("", symbol.function);
	ASSERT_STREQ("", symbol.source);
}

TEST(no_elf_file)
{
	ASSERT_EQ(NULL, symbols_open(changed("echo rubbish | tee")));
	ASSERT_EQ(NULL, symbols_open(changed("truncate -s 0")));
	ASSERT_EQ(NULL, symbols_open(-1));
}

TEST_HARNESS_MAIN

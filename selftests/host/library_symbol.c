// SPDX-License-Identifier: GPL-2.0
/*
 * How the library finds a function's name in a file: in this program, and in files
 * that are something else, or broken anywhere.
 */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"
#include "symbol.h"

#define NAME	"a_function_to_be_found"

#define elf_header	ElfW(Ehdr)
#define elf_section	ElfW(Shdr)
#define elf_symbol	ElfW(Sym)

__attribute__((noinline, used)) int a_function_to_be_found(int n)
{
	return n * 3;
}

static u64 address_of_it(void)
{
	return (uintptr_t)a_function_to_be_found - _r_debug.r_map->l_addr;
}

/* Where a file of these bytes can be opened; one at a time. */
static const char *path_of(const void *bytes, size_t size)
{
	static char path[64];
	static int fd = -1;

	close(fd);
	fd = memfd_create("symbol", MFD_CLOEXEC);
	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

static bool found(const char *path)
{
	char name[64] = "";
	u64 start = 0;
	bool is = bp_symbol_name(path, address_of_it() + 1, name, sizeof(name),
				 &start);

	/* A file may be broken in its names too, but none is longer. */
	if (is && strlen(name) >= sizeof(name))
		abort();
	return is && !strcmp(name, NAME) && start == address_of_it();
}

FIXTURE(symbol)
{
	char *bytes;
	size_t size;
};

/* A copy of this program. */
FIXTURE_SETUP(symbol)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	self->size = lseek(fd, 0, SEEK_END);
	self->bytes = mmap(NULL, self->size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, self->bytes);
	close(fd);
}

FIXTURE_TEARDOWN(symbol)
{
	munmap(self->bytes, self->size);
}

static elf_section *sections(struct _test_data_symbol *self)
{
	return (void *)(self->bytes + ((elf_header *)self->bytes)->e_shoff);
}

static elf_section *symbols(struct _test_data_symbol *self)
{
	elf_section *section = sections(self);

	while (section->sh_type != SHT_SYMTAB)
		section++;
	return section;
}

TEST_F(symbol, found)
{
	EXPECT_TRUE(found("/proc/self/exe"));
	EXPECT_TRUE(found(path_of(self->bytes, self->size)));
}

TEST_F(symbol, name_cut_short)
{
	char name[5];
	u64 start;

	EXPECT_TRUE(bp_symbol_name("/proc/self/exe", address_of_it(), name,
				   sizeof(name), &start));
	EXPECT_STREQ("a_fu", name);
}

TEST_F(symbol, no_such_file)
{
	EXPECT_FALSE(found("/no/such/file"));
	EXPECT_FALSE(found("/"));
	EXPECT_FALSE(found(path_of("", 0)));
	EXPECT_FALSE(found(path_of("short", 5)));
	self->bytes[0]++;
	EXPECT_FALSE(found(path_of(self->bytes, self->size)));
}

TEST_F(symbol, cut_anywhere)
{
	size_t size = (char *)sections(self) - self->bytes;

	for (; size > 64; size -= size / 20)
		EXPECT_FALSE(found(path_of(self->bytes, size)));
}

/* Each word of what leads to the symbol in turn: nothing goes beyond the file. */
static void break_words(struct __test_metadata *_metadata,
			struct _test_data_symbol *self, void *at, size_t size)
{
	static const u32 bad[] = { 0, 1, 0x7fffffff, 0xffffffff };
	u32 *words = at, was;

	for (size_t i = 0; i < size / sizeof(*words); i++) {
		was = words[i];
		for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
			words[i] = bad[k];
			found(path_of(self->bytes, self->size));
		}
		words[i] = was;
	}
	EXPECT_TRUE(found(path_of(self->bytes, self->size)));
}

TEST_F(symbol, broken_header)
{
	break_words(_metadata, self, self->bytes, sizeof(elf_header));
}

TEST_F(symbol, broken_sections)
{
	elf_section *table = symbols(self);

	break_words(_metadata, self, table, sizeof(*table));
	break_words(_metadata, self, sections(self) + table->sh_link,
		    sizeof(*table));
}

TEST_F(symbol, broken_symbol)
{
	elf_symbol *symbol = (void *)(self->bytes + symbols(self)->sh_offset);

	while (symbol->st_value != address_of_it())
		symbol++;
	break_words(_metadata, self, symbol, sizeof(*symbol));
}

/* Names for the linker are not the program's own. */
TEST_F(symbol, stripped)
{
	symbols(self)->sh_type = SHT_PROGBITS;
	EXPECT_FALSE(found(path_of(self->bytes, self->size)));
}

TEST_HARNESS_MAIN

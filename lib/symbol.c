// SPDX-License-Identifier: LGPL-2.1-only OR MIT
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbol.h"

/* Of this machine's word size. */
#define elf_header	ElfW(Ehdr)
#define elf_section	ElfW(Shdr)
#define elf_symbol	ElfW(Sym)

#define SYMBOL_TYPE(symbol)	((symbol)->st_info & 0xf)

/* A file that is mapped, and may hold anything: no offset in it is believed. */
struct file {
	const unsigned char *bytes;
	size_t size;
};

/* Part of the file; NULL if it goes beyond its end, or lies where none may be read. */
static const void *part(const struct file *file, u64 offset, u64 size,
			size_t align)
{
	if (offset > file->size || size > file->size - offset || offset % align)
		return NULL;
	return file->bytes + offset;
}

static const elf_section *section(const struct file *file, u32 index)
{
	const elf_header *head = (const void *)file->bytes;

	if (index >= head->e_shnum)
		return NULL;
	return part(file, head->e_shoff + (u64)index * sizeof(elf_section),
		    sizeof(elf_section), __alignof__(elf_section));
}

static const elf_section *section_of_type(const struct file *file, u32 type)
{
	const elf_section *found;
	u32 i;

	for (i = 0; (found = section(file, i)); i++) {
		if (found->sh_type == type)
			return found;
	}
	return NULL;
}

static const elf_symbol *symbol_at(const struct file *file,
				   const elf_section *table, u64 address)
{
	const elf_symbol *symbol = part(file, table->sh_offset, table->sh_size,
					__alignof__(elf_symbol));
	size_t left = table->sh_size / sizeof(*symbol);

	for (; symbol && left; symbol++, left--) {
		if (SYMBOL_TYPE(symbol) == STT_FUNC && symbol->st_shndx &&
		    address - symbol->st_value < symbol->st_size)
			return symbol;
	}
	return NULL;
}

static bool copy_name(const struct file *file, const elf_section *table,
		      const elf_symbol *symbol, char *name, size_t size)
{
	const elf_section *strings = section(file, table->sh_link);
	const char *from;
	size_t length;

	if (!strings || symbol->st_name >= strings->sh_size)
		return false;
	length = strings->sh_size - symbol->st_name;
	from = part(file, strings->sh_offset + symbol->st_name, length, 1);
	if (!from)
		return false;
	length = strnlen(from, length < size ? length : size - 1);
	memcpy(name, from, length);
	name[length] = '\0';
	return true;
}

static bool find(const struct file *file, u64 address, char *name, size_t size,
		 u64 *start)
{
	const elf_section *table;
	const elf_symbol *symbol;

	if (file->size < sizeof(elf_header) ||
	    memcmp(file->bytes, ELFMAG, SELFMAG))
		return false;
	table = section_of_type(file, SHT_SYMTAB);
	if (!table)
		table = section_of_type(file, SHT_DYNSYM);
	symbol = table ? symbol_at(file, table, address) : NULL;
	if (!symbol)
		return false;
	*start = symbol->st_value;
	return copy_name(file, table, symbol, name, size);
}

bool bp_symbol_name(const char *path, u64 address, char *name, size_t size,
		    u64 *start)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct file file = { .bytes = MAP_FAILED };
	struct stat status;
	bool found = false;

	if (fd < 0)
		return false;
	if (!fstat(fd, &status)) {
		file.size = (size_t)status.st_size;
		file.bytes = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, fd,
				  0);
	}
	close(fd);
	if (file.bytes != MAP_FAILED) {
		found = find(&file, address, name, size, start);
		munmap((void *)file.bytes, file.size);
	}
	return found;
}

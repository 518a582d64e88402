// SPDX-License-Identifier: GPL-2.0
#include "symbols.h"

#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEBUG_FILE	"/usr/lib/debug/.build-id/%02x/"
#define BUILD_ID_MAX	64

struct symbols {
	Elf *elf;
	Elf *debug_elf;		/* separate, or NULL */
	Dwarf *dwarf;		/* of either, or NULL */
};

static Elf *open_elf(int fd)
{
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (elf && elf_kind(elf) == ELF_K_ELF)
		return elf;
	elf_end(elf);
	return NULL;
}

/* Of the file's text only the digits of an id come into this name. */
static int open_debug_file(Elf *elf)
{
	char name[sizeof(DEBUG_FILE) + 2 * BUILD_ID_MAX + sizeof(".debug")];
	const unsigned char *id;
	const void *note;
	ssize_t size = dwelf_elf_gnu_build_id(elf, &note);
	int len;

	if (size < 2 || size > BUILD_ID_MAX)
		return -1;
	id = note;
	len = sprintf(name, DEBUG_FILE, id[0]);
	for (ssize_t i = 1; i < size; i++)
		len += sprintf(name + len, "%02x", id[i]);
	strcpy(name + len, ".debug");
	return open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

/* A Dwarf of a file without any debug information is NULL. */
static void add_debug_file(struct symbols *symbols)
{
	int fd = open_debug_file(symbols->elf);

	if (fd < 0)
		return;
	symbols->debug_elf = open_elf(fd);
	if (symbols->debug_elf)
		symbols->dwarf = dwarf_begin_elf(symbols->debug_elf,
						 DWARF_C_READ, NULL);
}

struct symbols *symbols_open(int fd)
{
	struct symbols *symbols = calloc(1, sizeof(*symbols));

	if (!symbols)
		return NULL;
	symbols->elf = open_elf(fd);
	if (!symbols->elf) {
		free(symbols);
		return NULL;
	}
	symbols->dwarf = dwarf_begin_elf(symbols->elf, DWARF_C_READ, NULL);
	if (!symbols->dwarf)
		add_debug_file(symbols);
	return symbols;
}

static bool is_function_at(const GElf_Sym *sym, __u64 address)
{
	int type = GELF_ST_TYPE(sym->st_info);

	return (type == STT_FUNC || type == STT_GNU_IFUNC) &&
	       sym->st_shndx != SHN_UNDEF && address >= sym->st_value &&
	       address - sym->st_value < sym->st_size;
}

/* A local name is taken if there is no global one; versions are left out. */
static bool find_in_table(Elf *elf, Elf_Scn *section, const GElf_Shdr *header,
			  __u64 address, struct symbol *symbol)
{
	Elf_Data *data = elf_getdata(section, NULL);
	const char *name;
	GElf_Sym sym;
	bool found = false;

	for (int i = 0; gelf_getsym(data, i, &sym); i++) {
		bool local = GELF_ST_BIND(sym.st_info) == STB_LOCAL;

		if (!is_function_at(&sym, address) || (found && local))
			continue;
		name = elf_strptr(elf, header->sh_link, sym.st_name);
		if (!name || !*name)
			continue;
		snprintf(symbol->function, SYMBOL_TEXT, "%.*s",
			 (int)strcspn(name, "@"), name);
		symbol->offset = address - sym.st_value;
		found = true;
		if (!local)
			break;
	}
	return found;
}

static bool find_function(Elf *elf, GElf_Word type, __u64 address,
			  struct symbol *symbol)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while (elf && (section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &header) && header.sh_type == type &&
		    find_in_table(elf, section, &header, address, symbol))
			return true;
	return false;
}

/* Unit by unit: the table of address ranges is missing in what clang makes. */
static void find_line(Dwarf *dwarf, __u64 address, struct symbol *symbol)
{
	Dwarf_CU *unit = NULL;
	Dwarf_Die die;
	Dwarf_Line *line;
	const char *source;
	int number;

	while (dwarf && !dwarf_get_units(dwarf, unit, &unit, NULL, NULL, &die,
					 NULL)) {
		if (dwarf_haspc(&die, address) != 1)
			continue;
		line = dwarf_getsrc_die(&die, address);
		source = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
		if (!source || dwarf_lineno(line, &number) || number <= 0)
			continue;
		snprintf(symbol->source, SYMBOL_TEXT, "%s", source);
		symbol->line = number;
		return;
	}
}

/*
 * The call is before the address to which it returns, and that may be another
 * line's, or the next function's if this one never returns.
 */
void symbols_find(const struct symbols *symbols, __u64 address,
		  struct symbol *symbol)
{
	__u64 call = address - 1;

	*symbol = (struct symbol){ };
	if (find_function(symbols->elf, SHT_SYMTAB, call, symbol) ||
	    find_function(symbols->debug_elf, SHT_SYMTAB, call, symbol) ||
	    find_function(symbols->elf, SHT_DYNSYM, call, symbol))
		symbol->offset++;
	find_line(symbols->dwarf, call, symbol);
}

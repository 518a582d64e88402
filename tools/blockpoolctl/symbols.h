/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What lies at an address in an ELF file, by its symbols and debug information
 * or those of the separate debug file that its build id names.  To be used on
 * files that nobody vouches for, and so only in a process that may fall.
 */
#ifndef BLOCKPOOLCTL_SYMBOLS_H
#define BLOCKPOOLCTL_SYMBOLS_H

#include <linux/types.h>

#define SYMBOL_TEXT	256

/* Cut off where they are too long; empty or 0 where nothing is known. */
struct symbol {
	char function[SYMBOL_TEXT];
	__u64 offset;			/* of the address, in the function */
	char source[SYMBOL_TEXT];
	__u32 line;
};

struct symbols;

/* Of a regular file; NULL if it is no ELF file.  There is no end to them. */
struct symbols *symbols_open(int fd);

/* Of the call that returns to this address. */
void symbols_find(const struct symbols *symbols, __u64 address,
		  struct symbol *symbol);

#endif

/* SPDX-License-Identifier: LGPL-2.1-only OR MIT */
#ifndef BLOCKPOOL_SYMBOL_H
#define BLOCKPOOL_SYMBOL_H

#include "internal.h"

/*
 * The name of the function of an ELF file in which an address lies, static ones
 * included if the file was not stripped, and where it begins.  False: not known.
 * Takes no lock and no memory but the file's mapping.
 */
bool bp_symbol_name(const char *path, u64 address, char *name, size_t size,
		    u64 *start) bp_hidden;

#endif /* BLOCKPOOL_SYMBOL_H */

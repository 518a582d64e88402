// SPDX-License-Identifier: GPL-2.0
#include "flags.h"

#include <string.h>

static const struct {
	char letter;
	__u32 flag;
} known[] = {
	{ 'G', BLOCKPOOL_GUARD },
	{ 'P', BLOCKPOOL_POISON },
	{ 'T', BLOCKPOOL_TRACK },
	{ 'C', BLOCKPOOL_CONSISTENCY },
};

#define NR_KNOWN	(sizeof(known) / sizeof(known[0]))

const char *debug_letters(char buf[DEBUG_LETTERS], __u32 flags)
{
	char *end = buf;

	for (unsigned int i = 0; i < NR_KNOWN; i++)
		if (flags & known[i].flag)
			*end++ = known[i].letter;
	*end = '\0';
	return buf;
}

const char *flags_text(char buf[FLAGS_TEXT], __u32 flags)
{
	debug_letters(buf, flags);
	if (flags & BLOCKPOOL_ISOLATED)
		strcat(buf, "I");
	return *buf ? buf : "-";
}

static __u32 flag_of(char letter)
{
	for (unsigned int i = 0; i < NR_KNOWN; i++)
		if (known[i].letter == letter)
			return known[i].flag;
	return 0;
}

bool debug_flags(const char *letters, __u32 *flags)
{
	*flags = 0;
	for (; *letters; letters++) {
		if (!flag_of(*letters))
			return false;
		*flags |= flag_of(*letters);
	}
	return *flags;
}

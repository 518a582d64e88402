/* SPDX-License-Identifier: GPL-2.0 */
/* What the numbers in a report mean; the texts are those of the kernel's log. */
#ifndef BLOCKPOOLCTL_WORDS_H
#define BLOCKPOOLCTL_WORDS_H

#include <linux/types.h>

struct words {
	const char *name;	/* for programs; NULL if the number is unknown */
	const char *text;	/* for people */
};

struct words kind_words(__u32 kind);
struct words found_words(__u32 found);

#endif

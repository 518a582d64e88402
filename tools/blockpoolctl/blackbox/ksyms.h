/* SPDX-License-Identifier: GPL-2.0 */
/* Names for the addresses of one boot of a kernel, from its /proc/kallsyms. */
#ifndef BLACKBOX_KSYMS_H
#define BLACKBOX_KSYMS_H

#include <linux/types.h>

#include "bytes.h"

struct ksym {
	__u64 address;
	const char *name;
	const char *module;	/* "" for the kernel proper */
};

struct ksyms {
	char *text;		/* theirs, cut into words */
	struct ksym *all;	/* by their addresses */
	size_t nr;
};

/* Lines that are none are left out; without memory there are no names. */
void ksyms_read(struct ksyms *ksyms, struct bytes text);
void ksyms_free(struct ksyms *ksyms);

#define KSYM_TEXT	160

/* "function+0x12 [module]", or the address in hexadecimal. */
const char *ksym_text(const struct ksyms *ksyms, __u64 address,
		      char text[KSYM_TEXT]);

/* Of a symbol; 0 if there is none. */
__u64 ksym_address(const struct ksyms *ksyms, const char *name);

#endif

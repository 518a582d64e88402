/* SPDX-License-Identifier: GPL-2.0 */
/* What describes the events of the kernel that runs now. */
#ifndef BLACKBOX_HEAD_H
#define BLACKBOX_HEAD_H

#include "dat.h"

struct head {
	struct dat dat;		/* without CPUs */
	char **texts;		/* that it points into */
	unsigned int nr_texts;
};

/* 0, or -1 with *why.  "says" has the boot, and where the kernel lies. */
int head_read(struct head *head, const char **why);
void head_free(struct head *head);

/* The address of a symbol of the kernel that runs now; 0: not to be had. */
__u64 kernel_text(void);

/* Write a file whole, or leave the old one as it was.  0 or -1 with errno. */
int dat_save(const struct dat *dat, const char *path);

#endif

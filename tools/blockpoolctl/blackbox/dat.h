/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file as trace-cmd makes it, in version 6 of its form: what describes the events of
 * a kernel, the head, and behind it the pages of the ring buffer, CPU by CPU.  It is of
 * a 64-bit machine that puts the low byte first, as those are that the module is made
 * for.
 */
#ifndef BLACKBOX_DAT_H
#define BLACKBOX_DAT_H

#include <linux/types.h>
#include <stdio.h>

#include "bytes.h"
#include "notes.h"

#define DAT_MAGIC	"\x17\x08\x44tracing"
#define DAT_MAGIC_SIZE	10
#define DAT_VERSION	"6"

/* Sections and options that we read or write. */
#define DAT_OPTIONS	"options  "
#define DAT_PAGES	"flyrecord"
#define DAT_SECTION	10		/* with the NUL */
#define DAT_DONE	0
#define DAT_CPUSTAT	2
#define DAT_CLOCK	4
#define DAT_SAYS	9		/* trace-cmd's version; ours says more */

#define DAT_CPUS_MAX	4096u

struct dat_format {
	char system[32];
	struct bytes text;
};

struct dat {
	__u32 page_size;
	struct bytes header_page;
	struct bytes header_event;
	struct dat_format *formats;
	unsigned int nr_formats;
	struct bytes kallsyms;
	struct bytes says;		/* "KEY=VALUE ..." of recorder arm, if it is there */
	struct bytes clock;
	struct bytes *cpus;		/* pages; all of it belongs to the file */
	unsigned int nr_cpus;
};

/*
 * Take a file apart; the bytes must stay.  0, or -1 if there is nothing to be had from
 * it, which *why says.  A file that ends after its head has no CPUs.
 */
int dat_open(struct dat *dat, struct bytes file, struct notes *notes,
	     const char **why);
void dat_close(struct dat *dat);

/* Add a description; false: no memory.  The text must stay. */
bool dat_add_format(struct dat *dat, const char *system, struct bytes text);

/* Write a file that dat_open() takes; those of a system stand together.  0 or -1. */
int dat_write(FILE *out, const struct dat *dat);

/* The value of KEY in what the head says, copied; false if there is none. */
bool dat_says(const struct dat *dat, const char *key, char *value, size_t size);

#endif

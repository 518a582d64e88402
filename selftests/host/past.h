/* SPDX-License-Identifier: GPL-2.0 */
/* A ring buffer made up: pages and files as the kernel and trace-cmd write them. */
#ifndef HOST_PAST_H
#define HOST_PAST_H

#include <linux/types.h>
#include <stddef.h>

#define PAST_CPUS	4u
#define PAST_PAGE	4096u

struct past_cpu {
	unsigned char *pages;
	size_t nr_pages;
	size_t used;		/* of the last page */
	__u64 time;		/* of its last event */
};

struct past {
	unsigned int nr_cpus;
	struct past_cpu cpus[PAST_CPUS];
	unsigned int first_id;	/* another kernel has other numbers */
	const char *kallsyms;
};

void past_begin(struct past *past, unsigned int nr_cpus);
void past_end(struct past *past);

/*
 * An event of a thread, its fields in the order of the kernel's description: numbers,
 * or pointers to a string or to the words that the number before it counts.
 */
void past_put(struct past *past, unsigned int cpu, __u64 time, int thread,
	      const char *name, const __u64 *fields);
#define PUT(past, cpu, time, thread, name, ...) \
	past_put(past, cpu, time, thread, name, (const __u64[]){ __VA_ARGS__ })
#define TEXT(text)	((__u64)(unsigned long)(text))

/* The file, which the caller frees. */
unsigned char *past_file(const struct past *past, size_t *size);

#endif

// SPDX-License-Identifier: GPL-2.0
/* Who is measured, in the order in which it is reported. */
#include <linux/kernel.h>
#include <linux/string.h>

#include "bench.h"

const struct bench_subject * const bench_subjects[BENCH_SUBJECTS + 1] = {
	&bench_blockpool,
	&bench_array,
	&bench_cas_stack,
	&bench_spin_stack,
	&bench_kmem_cache,
	&bench_mempool,
	&bench_mempool_reserve,
	&bench_objpool,
	&bench_sbitmap,
	&bench_genalloc,
};

const struct bench_subject *bench_subject_find(const char *name)
{
	const struct bench_subject * const *subject;

	for (subject = bench_subjects; *subject; subject++)
		if (!strcmp((*subject)->name, name))
			break;
	return *subject;
}

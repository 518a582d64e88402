/* SPDX-License-Identifier: LGPL-2.1-only OR MIT */
#ifndef BLOCKPOOL_WIPED_H
#define BLOCKPOOL_WIPED_H

#include <stddef.h>
#include <sys/mman.h>

/* Memory for itself that is all zeros, and is so again in a child; or NULL. */
static inline void *bp_map_wiped(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	if (!madvise(memory, size, MADV_WIPEONFORK))
		return memory;
	munmap(memory, size);
	return NULL;
}

#endif /* BLOCKPOOL_WIPED_H */

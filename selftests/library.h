/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of the library share: calls that cannot fail, the errno of those
 * that can, and the checks of a pool's whole state.
 */
#ifndef SELFTESTS_LIBRARY_H
#define SELFTESTS_LIBRARY_H

#include <string.h>

#include "blockpool.h"
#include "pool.h"

/* The errno that a call fails with, 0 if it succeeds. */
#define null_errno(call)	({ errno = 0; (call) ? 0 : errno; })
#define minus_errno(call)	({ errno = 0; (call) == -1 ? errno : 0; })
#define index_errno(call) \
	({ errno = 0; (call) == BLOCKPOOL_NO_INDEX ? errno : 0; })

static inline struct blockpool *lib_create(const char *name, size_t block_size,
					   uint32_t nr_blocks)
{
	struct blockpool_attr attr = {
		.name = name, .block_size = block_size, .nr_blocks = nr_blocks,
	};
	struct blockpool *pool = blockpool_create(&attr);

	must(pool);
	return pool;
}

static inline struct blockpool *lib_open(const char *name)
{
	struct blockpool *pool = blockpool_open(name, O_RDWR);

	must(pool);
	return pool;
}

static inline struct blockpool_stats lib_stats(struct blockpool *pool)
{
	struct blockpool_stats stats;

	memset(&stats, POOL_POISON, sizeof(stats));
	must(!blockpool_stats(pool, &stats));
	return stats;
}

/* To the kernel what the calling thread keeps is held: it goes back first. */
#define lib_check(pool, held) do {				\
	must(!blockpool_flush(pool));				\
	pool_check(blockpool_fd(pool), held);			\
} while (0)

#define lib_drain(pool) do {					\
	must(!blockpool_flush(pool));				\
	pool_drain(blockpool_fd(pool));				\
} while (0)

#endif /* SELFTESTS_LIBRARY_H */

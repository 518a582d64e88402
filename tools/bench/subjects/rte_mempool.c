// SPDX-License-Identifier: GPL-2.0
/* DPDK's rte_mempool with CACHE objects a thread, or what fits a small pool. */
#define SUBJECT_BULK

#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_mempool.h>
#include "dpdk.h"

static struct rte_mempool *pool;

static void subject_open(unsigned int blocks, unsigned int block_size)
{
	unsigned int most = blocks * 2 / 3;	/* its own limit */

	dpdk_init(blocks, block_size);
	pool = rte_mempool_create("bench", blocks, block_size,
				  most > CACHE ? CACHE : most, 0, NULL, NULL,
				  NULL, NULL, SOCKET_ID_ANY, 0);
	if (!pool)
		die("rte_mempool_create failed");
}

static void subject_thread(void)
{
	dpdk_thread();
}

static inline void *take(void)
{
	void *block;

	return rte_mempool_get(pool, &block) ? NULL : block;
}

static inline void give(void *block)
{
	rte_mempool_put(pool, block);
}

static inline void take_bulk(void **blocks, unsigned int n)
{
	if (rte_mempool_get_bulk(pool, blocks, n))
		die("rte_mempool_get_bulk failed");
}

static inline void give_bulk(void **blocks, unsigned int n)
{
	rte_mempool_put_bulk(pool, blocks, n);
}

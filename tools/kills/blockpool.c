// SPDX-License-Identifier: GPL-2.0
/* libblockpool on the real device: each process opens the pool by its name. */
#include <fcntl.h>
#include <unistd.h>

#include "../../lib/blockpool.h"

static struct blockpool *pool;
static char name[BLOCKPOOL_NAME_SIZE];

static void subject_open(unsigned int blocks, unsigned int block_size)
{
	struct blockpool_attr attr = {
		.name = name, .block_size = block_size, .nr_blocks = blocks,
	};

	snprintf(name, sizeof(name), "kills-%d", getpid());
	pool = blockpool_create(&attr);
	if (!pool)
		die("blockpool_create failed");
}

static void subject_thread(void)
{
	pool = blockpool_open(name, O_RDWR);
	if (!pool)
		die("blockpool_open failed");
}

static inline void *take(void)
{
	return blockpool_alloc(pool);
}

static inline void give(void *block)
{
	if (blockpool_free(pool, block))
		die("blockpool_free refused a block");
}

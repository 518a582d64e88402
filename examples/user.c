// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/* cc user.c $(pkg-config --cflags --libs libblockpool) */
#include <blockpool.h>
#include <err.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	struct blockpool_attr attr = {
		.name = "example", .block_size = 4096, .nr_blocks = 256,
	};
	struct blockpool_stats stats;
	struct blockpool *pool = blockpool_create(&attr);
	char *block = pool ? blockpool_alloc(pool) : NULL;

	if (!block)
		err(1, "pool %s", attr.name);
	strcpy(block, "the same bytes in every process and in the kernel");
	printf("block %u: %s\n", blockpool_index(pool, block), block);
	if (blockpool_free(pool, block))
		err(1, "block %p", block);
	/* The thread keeps some free blocks for later. Give them back too. */
	if (blockpool_flush(pool) || blockpool_stats(pool, &stats))
		err(1, "pool %s", attr.name);
	printf("%llu of %llu free\n", stats.nr_free, stats.nr_blocks);
	return blockpool_close(pool);
}

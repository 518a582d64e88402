// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/module.h>
#include "blockpool.h"

static int __init example_init(void)
{
	struct blockpool *pool = blockpool_get("default");
	void *block;

	if (IS_ERR(pool))
		return PTR_ERR(pool);
	block = blockpool_alloc(pool, GFP_KERNEL);	/* waits if none is free */
	if (block) {
		pr_info("example: block %u\n", blockpool_index(pool, block));
		blockpool_free(pool, block);
	}
	blockpool_put(pool);
	return block ? 0 : -EINTR;
}

static void __exit example_exit(void)
{
}

module_init(example_init);
module_exit(example_exit);
MODULE_DESCRIPTION("Takes a block and gives it back");
MODULE_LICENSE("GPL");

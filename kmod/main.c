// SPDX-License-Identifier: GPL-2.0
/* The module, its parameters and the pool "default". */
#include <linux/cpuhotplug.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>

#include "debugfs.h"
#include "device.h"
#include "pool.h"
#include "queue.h"
#include "recorder.h"

struct workqueue_struct *bp_queue;

static unsigned int block_size = 2048;
module_param(block_size, uint, 0444);
MODULE_PARM_DESC(block_size, "bytes a block of the pool \"default\" (2048)");

static unsigned int nr_blocks = 4096;
module_param(nr_blocks, uint, 0444);
MODULE_PARM_DESC(nr_blocks, "blocks of the pool \"default\"; 0: no such pool (4096)");

static unsigned int default_mode = 0666;
module_param(default_mode, uint, 0444);
MODULE_PARM_DESC(default_mode, "permission bits of the pool \"default\" (0666)");

static int __init bp_default_create(void)
{
	const struct blockpool_attr attr = {
		.name = BP_DEFAULT_NAME,
		.block_size = block_size,
		.nr_blocks = nr_blocks,
		.flags = BLOCKPOOL_PERSIST,
		.mode = default_mode,
	};
	struct blockpool *pool;

	if (!nr_blocks)
		return 0;
	if (default_mode & ~0777)
		return -EINVAL;
	pool = bp_pool_create(&attr, GLOBAL_ROOT_UID, GLOBAL_ROOT_GID, false);
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	bp_pool_put(pool);	/* its name keeps it */
	return 0;
}

static int bp_cpuhp_state;

static int bp_cpu_dead(unsigned int cpu)
{
	bp_pool_cpu_dead(cpu);
	return 0;
}

static int __init bp_init(void)
{
	int ret;

	bp_queue = alloc_workqueue("blockpool", WQ_UNBOUND | WQ_FREEZABLE, 0);
	if (!bp_queue)
		return -ENOMEM;
	ret = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "blockpool:dead",
					NULL, bp_cpu_dead);
	if (ret < 0)
		goto err_queue;
	bp_cpuhp_state = ret;
	ret = bp_default_create();
	if (ret)
		goto err_cpuhp;
	ret = bp_device_register();
	if (ret)
		goto err_default;
	bp_debugfs_init();
	bp_recorder_init();
	return 0;

err_default:
	bp_pool_unlink_all();
err_cpuhp:
	cpuhp_remove_state_nocalls(bp_cpuhp_state);
err_queue:
	destroy_workqueue(bp_queue);
	return ret;
}

static void __exit bp_exit(void)
{
	bp_recorder_exit();
	bp_device_unregister();
	bp_debugfs_exit();
	bp_pool_unlink_all();
	cpuhp_remove_state_nocalls(bp_cpuhp_state);
	destroy_workqueue(bp_queue);
}

module_init(bp_init);
module_exit(bp_exit);

MODULE_DESCRIPTION("Pools of fixed-size blocks for kernel and user space");
MODULE_AUTHOR("The blockpool authors");
MODULE_LICENSE("GPL");

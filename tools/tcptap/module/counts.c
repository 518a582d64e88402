// SPDX-License-Identifier: GPL-2.0
/* What can be read as parameters of the module, and not be set. */
#include <linux/moduleparam.h>
#include <linux/sysfs.h>

#include "counts.h"
#include "link.h"

DEFINE_PER_CPU(unsigned long [TAP_FATES], tap_counts);

static int tap_refuse_set(const char *value, const struct kernel_param *kp)
{
	return -EPERM;
}

static int tap_counts_get(char *buffer, const struct kernel_param *kp)
{
	enum tap_fate fate = (uintptr_t)kp->arg;
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu(tap_counts, cpu)[fate];
	return sysfs_emit(buffer, "%lu\n", sum);
}

static const struct kernel_param_ops tap_counts_ops = {
	.set = tap_refuse_set,
	.get = tap_counts_get,
};

#define TAP_COUNT(name, fate) \
	module_param_cb(name, &tap_counts_ops, (void *)(fate), 0444)

TAP_COUNT(captured, TAP_CAPTURED);
MODULE_PARM_DESC(captured, "segments sent to the port");
TAP_COUNT(dropped_closed, TAP_CLOSED);
MODULE_PARM_DESC(dropped_closed, "segments dropped: there was no port");
TAP_COUNT(dropped_dry, TAP_DRY);
MODULE_PARM_DESC(dropped_dry, "segments dropped: no block was free");
TAP_COUNT(dropped_full, TAP_FULL);
MODULE_PARM_DESC(dropped_full, "segments dropped: the port was full");

static int tap_connected_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%c\n", tap_link_is_made() ? 'Y' : 'N');
}

static const struct kernel_param_ops tap_connected_ops = {
	.set = tap_refuse_set,
	.get = tap_connected_get,
};

module_param_cb(connected, &tap_connected_ops, NULL, 0444);
MODULE_PARM_DESC(connected, "whether there is a port to send to");

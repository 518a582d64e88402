// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/blockpool_bench, for root: write a command, read the results.
 *
 *   run             measure all subjects; JSON lines
 *   mark SUBJECT    takes and gives between the marks of mark.h; no results
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "bench.h"

static DEFINE_MUTEX(bench_lock);	/* one command at a time; its results */

static int bench_command(char *command)
{
	const struct bench_subject *subject;

	if (!strcmp(command, "run"))
		return bench_run();
	if (strncmp(command, "mark ", 5))
		return -EINVAL;
	subject = bench_subject_find(command + 5);
	return subject ? bench_mark_run(subject) : -ENOENT;
}

static ssize_t bench_write(struct file *file, const char __user *from,
			   size_t count, loff_t *pos)
{
	char command[64];
	int ret;

	if (count >= sizeof(command))
		return -EINVAL;
	if (copy_from_user(command, from, count))
		return -EFAULT;
	command[count] = '\0';
	if (mutex_lock_interruptible(&bench_lock))
		return -EINTR;
	bench_results_reset();
	ret = bench_command(strim(command));
	mutex_unlock(&bench_lock);
	return ret ?: count;
}

static ssize_t bench_read(struct file *file, char __user *to, size_t count,
			  loff_t *pos)
{
	ssize_t ret;

	if (mutex_lock_interruptible(&bench_lock))
		return -EINTR;
	ret = bench_results_read(to, count, pos);
	mutex_unlock(&bench_lock);
	return ret;
}

static const struct file_operations bench_fops = {
	.owner	= THIS_MODULE,
	.read	= bench_read,
	.write	= bench_write,
};

static struct miscdevice bench_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "blockpool_bench",
	.fops	= &bench_fops,
	.mode	= 0600,
};

static int __init bench_init(void)
{
	bench_cases_init();
	return misc_register(&bench_device);
}

static void __exit bench_exit(void)
{
	misc_deregister(&bench_device);
}

module_init(bench_init);
module_exit(bench_exit);

MODULE_DESCRIPTION("blockpool and the kernel's own pools, by one measure");
MODULE_LICENSE("GPL");

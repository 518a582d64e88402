/* SPDX-License-Identifier: GPL-2.0 */
/* The calls on /dev/blockpool. */
#ifndef BLOCKPOOL_IOCTL_H
#define BLOCKPOOL_IOCTL_H

struct file;

long bp_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

#endif /* BLOCKPOOL_IOCTL_H */

/* SPDX-License-Identifier: GPL-2.0 */
/* The calls on /dev/blockpool. */
#ifndef BLOCKPOOL_IOCTL_H
#define BLOCKPOOL_IOCTL_H

#include <linux/ktime.h>

#include "track.h"

struct bp_client;
struct file;

/* A client that calls, and the stack that it says it has. */
struct bp_stated {
	struct bp_caller caller;
	u64 frames[BLOCKPOOL_FRAMES_MAX];
};

int bp_stated_init(struct bp_stated *stated, struct bp_client *client,
		   u32 nr_frames, const void __user *frames);
int bp_until(const struct file *file, bool wait, s32 timeout_ms,
	     ktime_t *until);
bool bp_terminated(const char *name);
struct bp_client *bp_writing_client(struct file *file);

/* Of ports, in ioctl_port.c. */
int bp_ioctl_bind(struct file *file, void *arg, void __user *uarg);
int bp_ioctl_unbind(struct file *file, void *arg, void __user *uarg);
int bp_ioctl_send(struct file *file, void *arg, void __user *uarg);
int bp_ioctl_recv(struct file *file, void *arg, void __user *uarg);
int bp_ioctl_share(struct file *file, void *arg, void __user *uarg);
int bp_ioctl_port(struct file *file, void *arg, void __user *uarg);
int bp_ioctl_call(struct file *file, void *arg, void __user *uarg);

long bp_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

#endif /* BLOCKPOOL_IOCTL_H */

/* SPDX-License-Identifier: GPL-2.0 */
/* /dev/blockpool and its calls; every failure is told once, here. */
#ifndef BLOCKPOOLCTL_DEVICE_H
#define BLOCKPOOLCTL_DEVICE_H

#include <stdbool.h>
#include <linux/blockpool.h>

/* All return a file or 0, or -1 after the error was told. */
int device_open(int oflags);
bool name_set(char name[BLOCKPOOL_NAME_SIZE], const char *from,
	      const char *of);

/* A file that looks at a pool, read only. */
int pool_look(const char *name);
/* One that is attached to it, whatever its name. */
int pool_attach(const char *name, int oflags, const char *doing);
int pool_info(int fd, const char *name, struct blockpool_info *info);
int pool_stats(int fd, const char *name, struct blockpool_stats *stats);

/* Tell that a call on the pool failed, by errno; returns EXIT_FAILED. */
int pool_failed(const char *name, const char *doing);

#endif

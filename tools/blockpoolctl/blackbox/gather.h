/* SPDX-License-Identifier: GPL-2.0 */
/* The last boot's pages, out of the kernel into a file. */
#ifndef BLACKBOX_GATHER_H
#define BLACKBOX_GATHER_H

#include <stdbool.h>
#include <tracefs/tracefs.h>

/* True if no event is in the buffer. */
bool buffer_is_empty(struct tracefs_instance *instance);

/*
 * Take all pages, which the kernel has no more then, put what describes them before them
 * and save that.  0, or -1 with *why.
 */
int gather(struct tracefs_instance *instance, const char *path, const char **why);

#endif

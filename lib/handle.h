/* SPDX-License-Identifier: LGPL-2.1-only OR MIT */
/* Handles that are not for a program's own use: they have no magazines. */
#ifndef BLOCKPOOL_HANDLE_H
#define BLOCKPOOL_HANDLE_H

#include "internal.h"

/* As blockpool_open(). */
struct blockpool *bp_handle_open(const char *name, int oflags) bp_hidden;

/*
 * On an open file that came from elsewhere and can be read and written to.  If it
 * succeeds the handle closes it.
 */
struct blockpool *bp_handle_adopt(int fd) bp_hidden;

/* blockpool_close(), and errno stays. */
void bp_handle_drop(struct blockpool *pool) bp_hidden;

#endif /* BLOCKPOOL_HANDLE_H */

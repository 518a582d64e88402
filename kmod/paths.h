/* SPDX-License-Identifier: GPL-2.0 */
/* Paths: the files that the frames of clients' call stacks lie in. */
#ifndef BLOCKPOOL_PATHS_H
#define BLOCKPOOL_PATHS_H

#include <linux/types.h>
#include <linux/xarray.h>

#define BP_PATHS_GONE	64u	/* clients that are gone whose paths are kept */
#define BP_PATH_TEXT	128u	/* bytes of a path that are shown: its end */
#define BP_FRAME_TEXT	256u	/* bytes of any frame, with the final NUL */

struct bp_paths {
	struct xarray texts;		/* struct bp_text by client; RCU */

	/* Protected by the lock of texts. */
	u32 gone[BP_PATHS_GONE];	/* clients, the oldest at next */
	u32 next;
};

void bp_paths_init(struct bp_paths *paths);
void bp_paths_destroy(struct bp_paths *paths);
int bp_paths_write(struct bp_paths *paths, u32 client, const void __user *from,
		   u32 length);
void bp_paths_leave(struct bp_paths *paths, u32 client);
size_t bp_paths_read(struct bp_paths *paths, u32 client, u32 line, char *to,
		     size_t size);

#endif /* BLOCKPOOL_PATHS_H */

// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/*
 * What programs call that were linked with an older shared library: no part of the
 * static one.
 */
#include <stddef.h>
#include <string.h>

#include "blockpool.h"

struct blockpool *bp_create_1_0(const struct blockpool_attr *attr);

/* To these attr ended before reserve, to the first of them before node. */
struct blockpool *bp_create_1_0(const struct blockpool_attr *attr)
{
	struct blockpool_attr now = { 0 };

	if (!attr)
		return blockpool_create(NULL);
	memcpy(&now, attr, offsetof(struct blockpool_attr, node));
	if (now.flags & BLOCKPOOL_ON_NODE)
		now.node = attr->node;
	return blockpool_create(&now);
}

__asm__(".symver bp_create_1_0, blockpool_create@LIBBLOCKPOOL_1.0");

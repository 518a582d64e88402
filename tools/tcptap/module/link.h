/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The way to the port.  The port is its receiver's, who comes and goes: it is looked
 * for a few times a second, and let go soon after it has ended, with its pool.
 */
#ifndef TAP_LINK_H
#define TAP_LINK_H

#include <linux/types.h>

#include "blockpool.h"

struct tap_link {
	struct blockpool *pool;
	struct blockpool_port *port;
};

void tap_link_start(void);

/* Nobody may be using the link any more. */
void tap_link_stop(void);

/* NULL if there is no port now.  It stays until rcu_read_unlock(). */
const struct tap_link *tap_link(void);

bool tap_link_is_made(void);

#endif /* TAP_LINK_H */

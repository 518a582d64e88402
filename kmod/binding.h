/* SPDX-License-Identifier: GPL-2.0 */
/* The ports that a client uses, and what it has of them that may go back there. */
#ifndef BLOCKPOOL_BINDING_H
#define BLOCKPOOL_BINDING_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "port.h"

struct bp_client;

struct bp_bindings {
	/* By number; written under the ports' lock, as is how many. */
	struct xarray by_port;
	u32 nr;
	wait_queue_head_t news;	/* messages came, to any of them */

	struct mutex lock;	/* of what was taken; see struct blockpool */
	/* The following fields are protected by it. */
	struct xarray taken;	/* by index: messages of BLOCKPOOL_BIND_AGAIN ports */
	struct list_head order;	/* the same, in the order of their coming */
};

void bp_bindings_init(struct bp_bindings *bindings);
void bp_bindings_destroy(struct bp_client *client);

struct bp_port *bp_bind(struct bp_client *client,
			const struct blockpool_port_attr *attr);
int bp_bind_reply(struct bp_client *client, u32 number, bool *bound);
int bp_unbind(struct bp_client *client, u32 number);

struct bp_port *bp_bound_port(struct bp_client *client, u32 number, u32 right);
__poll_t bp_bindings_poll(struct bp_client *client);

int bp_taken_note(struct bp_client *client, struct bp_port *port,
		  const struct bp_message *messages, u32 n);
void bp_taken_undo(struct bp_client *client, const struct bp_message *messages,
		   u32 n);
void bp_taken_drop(struct bp_client *client, const u32 *indices, u32 n);
void bp_taken_lift(struct bp_client *client, const struct bp_message *messages,
		   u32 n, struct list_head *lifted);
void bp_taken_drop_lifted(struct list_head *lifted);
void bp_taken_restore(struct bp_client *client, struct list_head *lifted);

#endif /* BLOCKPOOL_BINDING_H */

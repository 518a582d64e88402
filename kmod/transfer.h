/* SPDX-License-Identifier: GPL-2.0 */
/* What a client sends to a port and receives from one. */
#ifndef BLOCKPOOL_TRANSFER_H
#define BLOCKPOOL_TRANSFER_H

#include <linux/ktime.h>

#include "port.h"

struct bp_caller;
struct bp_client;

/* A batch of messages on its way between a client and a port. */
struct bp_transfer {
	struct bp_client *client;
	struct bp_port *port;
	struct bp_message *messages;
	u32 n;			/* of them, wanted */
	u32 need;		/* at least: 1, or all of them */
	ktime_t until;		/* or BP_NO_WAIT */
	const struct bp_caller *caller;
};

int bp_send_check(const struct bp_transfer *transfer);
int bp_send(struct bp_transfer *transfer);
int bp_share(const struct bp_transfer *transfer, struct bp_port **ports, u32 n);

int bp_recv(struct bp_transfer *transfer);
void bp_recv_commit(struct bp_transfer *transfer, u32 n);
void bp_recv_abort(struct bp_transfer *transfer, u32 n);

#endif /* BLOCKPOOL_TRANSFER_H */

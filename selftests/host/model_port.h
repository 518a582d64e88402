/* SPDX-License-Identifier: GPL-2.0 */
/* The ports of the model: its one client sends to itself. */
#ifndef HOST_MODEL_PORT_H
#define HOST_MODEL_PORT_H

#include <linux/blockpool.h>

#define MODEL_PORTS	4U
/* Of each port, whatever was asked for: as many shares as there can be. */
#define MODEL_DEPTH	BLOCKPOOL_PORTS_MAX
#define MODEL_LENGTH	64U	/* of a message at most, however large a block is */
#define MODEL_PID	7

/* None yet. */
void model_ports_init(__u32 *owners, __u32 nr_blocks);

/* The port of this name ends. */
void model_port_end(const char *name);

/* An ioctl about ports: 0 or an errno, ENOTTY for another one. */
int model_port_ioctl(unsigned long request, void *arg);

/* The client gives a share of a block back; how many it has left. */
__u32 model_share_end(__u32 index);

#endif /* HOST_MODEL_PORT_H */

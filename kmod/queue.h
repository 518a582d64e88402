/* SPDX-License-Identifier: GPL-2.0 */
/* Where the module does in process context what nobody waits for; see main.c. */
#ifndef BLOCKPOOL_QUEUE_H
#define BLOCKPOOL_QUEUE_H

struct workqueue_struct;

extern struct workqueue_struct *bp_queue;

#endif /* BLOCKPOOL_QUEUE_H */

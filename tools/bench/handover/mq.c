// SPDX-License-Identifier: GPL-2.0
/* A POSIX message queue. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "handover.h"

#define ANYBODYS_DEPTH	10	/* what a process without privileges may have */

static mqd_t queues[LANES];

static mqd_t open_queue(unsigned int lane, long depth)
{
	struct mq_attr attr = { .mq_maxmsg = depth, .mq_msgsize = SIZE };
	char name[64];
	mqd_t queue;

	snprintf(name, sizeof(name), "/blockpool-handover-%d-%u", getpid(), lane);
	queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	if (queue != (mqd_t)-1)
		mq_unlink(name);
	return queue;
}

static const char *open_queues(void)
{
	unsigned int i;

	for (i = 0; i < LANES; i++) {
		queues[i] = open_queue(i, DEPTH);
		if (queues[i] == (mqd_t)-1)
			queues[i] = open_queue(i, ANYBODYS_DEPTH);
		if (queues[i] == (mqd_t)-1)
			return strerror(errno);
	}
	return NULL;
}

static void queue_send(unsigned int lane, unsigned int n, uint64_t first)
{
	messages_fill(n, first);
	if (mq_send(queues[lane], (char *)messages[0], SIZE, 0))
		err(1, "mq_send");
}

static void queue_receive(unsigned int lane, unsigned int n, uint64_t first)
{
	if (mq_receive(queues[lane], (char *)messages[0], SIZE, NULL) != SIZE)
		err(1, "mq_receive");
	messages_check(n, first);
}

const struct way way_mq = {
	.name = "POSIX mq",
	.open = open_queues,
	.send = queue_send,
	.receive = queue_receive,
};

// SPDX-License-Identifier: GPL-2.0
/*
 * A channel of a pool: its blocks go back and forth.  The receiver sends a block back as
 * soon as it has read it, or with the answer.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <blockpool.h>

#include "handover.h"

static char pool_name[BLOCKPOOL_NAME_SIZE];
static int sockets[2];

/* Of a side: its end, and the blocks that it has. */
static struct blockpool_channel *channel;
static struct blockpool_message kept[DEPTH];
static unsigned int nr_kept;
static bool begun;

/* The pool lives as long as it is open here. */
static const char *open_channel(void)
{
	struct blockpool_attr attr = {
		.name = pool_name,
		.block_size = SIZE,
		.nr_blocks = 4096,
	};

	snprintf(pool_name, sizeof(pool_name), "channel-%d", getpid());
	if (!blockpool_create(&attr) || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets))
		return strerror(errno);
	return NULL;
}

static void channel_join(unsigned int side)
{
	close(sockets[!side]);
	channel = side ? blockpool_channel_accept(sockets[1]) :
			 blockpool_channel_open(pool_name, sockets[0], DEPTH);
	if (!channel)
		err(1, "channel");
}

static void channel_join_polling(unsigned int side)
{
	channel_join(side);
	blockpool_channel_spin(channel, -1);
}

static void receive_all(struct blockpool_message *list, unsigned int n)
{
	int got;

	for (; n; n -= (unsigned int)got, list += got) {
		got = blockpool_channel_recv(channel, list, n, -1);
		if (got < 0)
			err(1, "recv");
	}
}

/* Blocks to write to, of those that are kept if there are any. */
static void take_empty(struct blockpool_message *list, unsigned int n)
{
	if (nr_kept)
		*list = kept[--nr_kept];
	else
		receive_all(list, n);
}

static void send_all(struct blockpool_message *list, unsigned int n)
{
	if (blockpool_channel_send(channel, list, n) != (int)n)
		err(1, "send");
}

static void channel_send(unsigned int lane, unsigned int n, uint64_t first)
{
	struct blockpool_message list[BATCH];
	unsigned int i;

	(void)lane;
	take_empty(list, n);
	for (i = 0; i < n; i++) {
		message_fill(blockpool_channel_block(channel, list[i].index), first + i);
		list[i].length = SIZE;
		list[i].cookie = first + i;
	}
	send_all(list, n);
}

static void channel_receive(unsigned int lane, unsigned int n, uint64_t first)
{
	struct blockpool_message list[BATCH];
	unsigned int i;

	if (lane && !begun) {	/* the blocks that it begins with, but for the one sent */
		receive_all(kept, DEPTH - 1);
		nr_kept = DEPTH - 1;
		begun = true;
	}
	receive_all(list, n);
	for (i = 0; i < n; i++) {
		if (list[i].length != SIZE || list[i].cookie != first + i)
			errx(1, "a message that nobody sent");
		message_check(blockpool_channel_block(channel, list[i].index), first + i);
		list[i].length = 0;
	}
	if (!answered) {
		send_all(list, n);
		return;
	}
	memcpy(&kept[nr_kept], list, n * sizeof(*list));
	nr_kept += n;
}

static void channel_leave(unsigned int side)
{
	(void)side;
	blockpool_channel_close(channel);
}

const struct way way_channel = {
	.name = "blockpool channel",
	.batches = true,
	.open = open_channel,
	.join = channel_join,
	.send = channel_send,
	.receive = channel_receive,
	.leave = channel_leave,
};

const struct way way_channel_polling = {
	.name = "blockpool channel, busy polling",
	.batches = true,
	.polls = true,
	.open = open_channel,
	.join = channel_join_polling,
	.send = channel_send,
	.receive = channel_receive,
	.leave = channel_leave,
};

// SPDX-License-Identifier: GPL-2.0
/* AF_UNIX sockets that keep messages apart; a batch is sendmmsg() and recvmmsg(). */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "handover.h"

static int ends[LANES][2];
static struct iovec parts[BATCH];
static struct mmsghdr headers[BATCH];

/* Each message counts with what the kernel needs for it, which is not said. */
static void make_room(int fd)
{
	int bytes = DEPTH * 4 * SIZE;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

static const char *open_sockets(int type)
{
	unsigned int i;

	for (i = 0; i < LANES; i++) {
		if (socketpair(AF_UNIX, type, 0, ends[i]))
			return strerror(errno);
		make_room(ends[i][0]);
	}
	for (i = 0; i < BATCH; i++) {
		parts[i].iov_base = messages[i];
		parts[i].iov_len = SIZE;
		headers[i].msg_hdr.msg_iov = &parts[i];
		headers[i].msg_hdr.msg_iovlen = 1;
	}
	return NULL;
}

static const char *open_datagram(void)
{
	return open_sockets(SOCK_DGRAM);
}

static const char *open_seqpacket(void)
{
	return open_sockets(SOCK_SEQPACKET);
}

static void send_batch(int fd, unsigned int n)
{
	unsigned int done = 0;
	int sent;

	while (done < n) {
		sent = sendmmsg(fd, headers + done, n - done, 0);
		if (sent <= 0)
			err(1, "sendmmsg");
		done += (unsigned int)sent;
	}
}

static void receive_batch(int fd, unsigned int n)
{
	unsigned int i;

	if (recvmmsg(fd, headers, n, 0, NULL) != (int)n)
		err(1, "recvmmsg");
	for (i = 0; i < n; i++)
		if (headers[i].msg_len != SIZE)
			errx(1, "a message of %u bytes", headers[i].msg_len);
}

static void socket_send(unsigned int lane, unsigned int n, uint64_t first)
{
	messages_fill(n, first);
	if (n > 1)
		send_batch(ends[lane][0], n);
	else if (send(ends[lane][0], messages[0], SIZE, 0) != SIZE)
		err(1, "send");
}

static void socket_receive(unsigned int lane, unsigned int n, uint64_t first)
{
	if (n > 1)
		receive_batch(ends[lane][1], n);
	else if (recv(ends[lane][1], messages[0], SIZE, 0) != SIZE)
		err(1, "recv");
	messages_check(n, first);
}

const struct way way_datagram = {
	.name = "AF_UNIX datagram",
	.batches = true,
	.open = open_datagram,
	.send = socket_send,
	.receive = socket_receive,
};

const struct way way_seqpacket = {
	.name = "AF_UNIX seqpacket",
	.batches = true,
	.open = open_seqpacket,
	.send = socket_send,
	.receive = socket_receive,
};

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Channels for test programs, on the device and on its model: both ends of one, what
 * they say to each other, and what a peer that knows no library may send.
 *
 * Each end numbers what it sends, and stamps what it says, so that whoever receives
 * sees that nothing is missing, nothing comes twice and nothing is another's.
 */
#ifndef SELFTESTS_CHANNEL_H
#define SELFTESTS_CHANNEL_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "blockpool.h"
#include "host/random.h"

#define CHANNEL_MAGIC	0x42504348U
#define CHANNEL_SEALS	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define CHANNEL_LANES	256U		/* bytes before the slots */
#define CHANNEL_SLOT	16U		/* bytes of one */
#define CHANNEL_BATCH	48U		/* messages at a time at most */

/* What opens a channel: so is its message, and its memory. */
struct channel_hello {
	uint32_t magic;
	uint32_t version;
	uint32_t nr_blocks;
	uint32_t reserved;
};

static inline size_t channel_bytes(uint32_t nr_blocks)
{
	size_t slots = 8;

	while (slots < nr_blocks)
		slots *= 2;
	return CHANNEL_LANES + 2 * slots * CHANNEL_SLOT;
}

static inline int channel_memory(size_t bytes, unsigned int flags, int seals)
{
	int fd = memfd_create("not the library's", MFD_ALLOW_SEALING | MFD_CLOEXEC | flags);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes) || fcntl(fd, F_ADD_SEALS, seals))
		abort();
	return fd;
}

static inline void channel_say(int socket, const void *bytes, size_t size,
			       const int *fds, size_t nr_fds)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(8 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)bytes, size };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nr_fds) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
		memcpy(CMSG_DATA(&control.head), fds, nr_fds * sizeof(int));
	}
	if (sendmsg(socket, &message, 0) != (ssize_t)size)
		abort();
}

/* Where the last channel that was opened or accepted here has its memory. */
static inline uint64_t *channel_lanes(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start = 0;
	char line[512];

	while (maps && !start && fgets(line, sizeof(line), maps)) {
		if (strstr(line, "/memfd:blockpool channel"))
			start = strtoul(line, NULL, 16);
	}
	if (!start || fclose(maps))
		abort();
	return (uint64_t *)start;
}

/* Both ends of a channel in this process. */
struct channel_pair {
	struct blockpool_channel *ends[2];
};

static inline void channel_sockets(int *sockets, int type)
{
	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, sockets))
		abort();
}

/* NULL twice, with errno, if it cannot be opened. */
static inline struct channel_pair channel_open_pair(const char *name, uint32_t nr_blocks,
						    int type)
{
	struct channel_pair pair = { { NULL, NULL } };
	int sockets[2];

	channel_sockets(sockets, type);
	pair.ends[0] = blockpool_channel_open(name, sockets[0], nr_blocks);
	if (pair.ends[0]) {
		pair.ends[1] = blockpool_channel_accept(sockets[1]);
		if (!pair.ends[1])
			abort();
		return pair;
	}
	close(sockets[0]);
	close(sockets[1]);
	return pair;
}

/* One that talks. */
struct channel_talker {
	struct blockpool_channel *channel;
	struct random random;
	int timeout_ms;
	uint32_t block_size;
	uint64_t sent, received;	/* numbers of the last ones */
	uint32_t nr_kept, keep;		/* blocks that it has, and likes to have */
	uint32_t *kept;
};

static inline void channel_fill(struct channel_talker *talker, uint32_t index,
				struct blockpool_message *message)
{
	uint32_t length = random_below(&talker->random, 3) ?
			  random_below(&talker->random, 200) : 0;
	char *block = blockpool_channel_block(talker->channel, index);

	*message = (struct blockpool_message) {
		.index = index, .length = length, .cookie = ++talker->sent,
		.offset = random_below(&talker->random, talker->block_size - length + 1),
	};
	memset(block + message->offset, (char)message->cookie, length);
}

/* It is the next, whole; the first of all are the opener's own, which say nothing. */
static inline bool channel_is_next(struct channel_talker *talker,
				   const struct blockpool_message *message)
{
	const char *block = blockpool_channel_block(talker->channel, message->index);

	if (message->cookie || message->length) {
		if (message->cookie != ++talker->received)
			return false;
	}
	for (uint32_t i = 0; i < message->length; i++) {
		if (block[message->offset + i] != (char)message->cookie)
			return false;
	}
	return true;
}

/* Send what is too much, or all. */
static inline bool channel_answer(struct channel_talker *talker, uint32_t keep)
{
	struct blockpool_message messages[CHANNEL_BATCH];
	uint32_t i, n;

	while (talker->nr_kept > keep) {
		n = 1 + random_below(&talker->random, CHANNEL_BATCH);
		if (n > talker->nr_kept - keep)
			n = talker->nr_kept - keep;
		for (i = 0; i < n; i++)
			channel_fill(talker, talker->kept[--talker->nr_kept], &messages[i]);
		if (blockpool_channel_send(talker->channel, messages, n) != (int)n)
			return false;
	}
	return true;
}

/* Receive some and answer; 0, or the errno that came instead, EBADMSG if it was wrong. */
static inline int channel_talk(struct channel_talker *talker)
{
	struct blockpool_message messages[CHANNEL_BATCH];
	uint32_t n = 1 + random_below(&talker->random, CHANNEL_BATCH);
	int i, got = blockpool_channel_recv(talker->channel, messages, n,
					       talker->timeout_ms);

	if (got < 0)
		return errno;
	for (i = 0; i < got; i++) {
		if (!channel_is_next(talker, &messages[i]))
			return EBADMSG;
		talker->kept[talker->nr_kept++] = messages[i].index;
	}
	return channel_answer(talker, random_below(&talker->random, talker->keep + 1)) ?
	       0 : errno;
}

/* It keeps a quarter at most: if both did with more, both might wait for ever. */
static inline struct channel_talker channel_talker(struct blockpool_channel *channel,
						   uint32_t nr_blocks, uint64_t seed)
{
	struct blockpool_info info;
	struct channel_talker talker = {
		.channel = channel,
		.random = { seed * 2 + 1 },
		.timeout_ms = -1,
		.keep = nr_blocks / 4,
		.kept = calloc(nr_blocks, sizeof(*talker.kept)),
	};

	if (!talker.kept || blockpool_channel_info(channel, &info))
		abort();
	talker.block_size = info.block_size;
	return talker;
}

#endif /* SELFTESTS_CHANNEL_H */

// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/*
 * The life of a channel: who opens it makes all of it and sends it through a socket,
 * in one message, and who accepts it looks at each part before it believes in it.
 *
 * That message is all that goes through the socket but for the bell.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "channel.h"
#include "handle.h"
#include "kernel.h"

#define MAGIC		0x42504348U
#define VERSION		1U
#define NR_FDS		2		/* the channel's file, and the lanes */
#define PIECE		1024U		/* words on the stack: 4 KiB */
#define SEALS		(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* What goes with the descriptors. */
struct hello {
	u32 magic;
	u32 version;
	u32 nr_blocks;
	u32 reserved;
};

/* Bits that hold numbers up to this. */
static u32 bits_of(u32 most)
{
	return most ? 32 - (u32)__builtin_clz(most) : 0;
}

/* A power of two, and so many that lanes do not share cache lines. */
static u64 slots_for(u32 nr_blocks)
{
	u64 nr = CHANNEL_APART / sizeof(struct bp_slot);

	while (nr < nr_blocks)
		nr *= 2;
	return nr;
}

static size_t size_for(u32 nr_blocks)
{
	return sizeof(struct bp_sleepers) +
	       2 * slots_for(nr_blocks) * sizeof(struct bp_slot);
}

static bool is_stream(int socket)
{
	int domain = 0, type = 0;
	socklen_t size = sizeof(int);

	if (getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size) ||
	    getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size))
		return false;
	if (domain == AF_UNIX && (type == SOCK_STREAM || type == SOCK_SEQPACKET))
		return true;
	errno = EINVAL;
	return false;
}

/*
 * Not for isolated pools: there nobody shall reach what another uses, and here both
 * ends can.  Nor for what does not fit into a place: 512 GiB of the largest blocks.
 */
static bool is_suited(const struct blockpool *pool)
{
	u32 width = bits_of(pool->block_size);

	if (!(pool->flags & BLOCKPOOL_ISOLATED) &&
	    bits_of(pool->nr_blocks - 1) + 2 * width < 64)
		return true;
	errno = EOPNOTSUPP;
	return false;
}

static int map_lanes(struct blockpool_channel *channel, int fd)
{
	void *shared = mmap(NULL, channel->size, PROT_READ | PROT_WRITE,
			    MAP_SHARED, fd, 0);

	if (shared == MAP_FAILED)
		return -1;
	channel->shared = shared;
	return madvise(shared, channel->size, MADV_DONTFORK);
}

static struct bp_lane lane_of(const struct blockpool_channel *channel,
			      u64 nr_slots, u32 which)
{
	struct bp_sleepers *sleepers = channel->shared;

	return (struct bp_lane) {
		.slots = (struct bp_slot *)(sleepers + 1) + which * nr_slots,
		.nr_slots = nr_slots,
		.sleeper = &sleepers->lanes[which],
	};
}

/* An end, with its handle and its half of the lanes.  @side is the lane that it sends in. */
static struct blockpool_channel *channel_new(struct blockpool *pool, int lanes,
					     u32 nr_blocks, u32 side)
{
	struct blockpool_channel *channel =
		aligned_alloc(CHANNEL_APART, sizeof(*channel));

	if (!channel)
		return NULL;
	*channel = (struct blockpool_channel) {
		.pool = pool,
		.size = size_for(nr_blocks),
		.width = bits_of(pool->block_size),
	};
	if (map_lanes(channel, lanes)) {
		if (channel->shared)
			munmap(channel->shared, channel->size);
		free(channel);
		return NULL;
	}
	channel->out = lane_of(channel, slots_for(nr_blocks), side);
	channel->in = lane_of(channel, slots_for(nr_blocks), !side);
	return channel;
}

static void channel_free(struct blockpool_channel *channel)
{
	if (!inherited(channel->pool))
		munmap(channel->shared, channel->size);
	free(channel);
}

/*
 * Opening
 */

/* All of one size from the beginning, so that no access to it can ever fail. */
static int lanes_new(u32 nr_blocks)
{
	int fd = memfd_create("blockpool channel", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (!ftruncate(fd, (off_t)size_for(nr_blocks)) &&
	    !fcntl(fd, F_ADD_SEALS, SEALS))
		return fd;
	close(fd);
	return -1;
}

static int take_blocks(struct blockpool *pool, u32 nr_blocks)
{
	u32 indices[PIECE], done, n, i;

	for (done = 0; done < nr_blocks; done += n) {
		n = nr_blocks - done < PIECE ? nr_blocks - done : PIECE;
		if (!bp_kernel_take(pool, indices, n, 0, bp_caller()))
			return -1;
		for (i = 0; i < n; i++)
			pool->states[indices[i]] = STATE_SENT;
	}
	return 0;
}

/*
 * As if the peer had sent them back, and in the order of their addresses: what a
 * processor fetches in advance is then the next block, and not one that the peer is
 * writing to, which made messages of 2 KiB a third slower.
 */
static void fill_lane(struct blockpool_channel *channel)
{
	const struct blockpool *pool = channel->pool;
	u64 index, at = 0;

	for (index = 0; index < pool->nr_blocks; index++) {
		if (pool->states[index] != STATE_SENT)
			continue;
		bp_slot(&channel->in, at)->place =
			index << 2 * channel->width | bp_lap(&channel->in, at);
		at++;
	}
}

static int send_hello(int socket, const struct hello *hello, const int *fds)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(NR_FDS * sizeof(int))];
	} control = { 0 };
	struct iovec bytes = { (void *)hello, sizeof(*hello) };
	struct msghdr message = {
		.msg_iov = &bytes, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};

	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(NR_FDS * sizeof(int));
	memcpy(CMSG_DATA(&control.head), fds, NR_FDS * sizeof(int));
	return sendmsg(socket, &message, MSG_NOSIGNAL) == sizeof(*hello) ? 0 : -1;
}

static struct blockpool_channel *open_on(struct blockpool *pool, int lanes,
					 int socket, u32 nr_blocks)
{
	const struct hello hello = {
		.magic = MAGIC, .version = VERSION, .nr_blocks = nr_blocks,
	};
	const int fds[NR_FDS] = { pool->fd, lanes };
	struct blockpool_channel *channel = channel_new(pool, lanes, nr_blocks, 0);

	if (!channel)
		return NULL;
	channel->socket = socket;
	fill_lane(channel);
	if (!send_hello(socket, &hello, fds))
		return channel;
	channel_free(channel);
	return NULL;
}

struct blockpool_channel *blockpool_channel_open(const char *name, int socket,
						 uint32_t nr_blocks)
{
	struct blockpool_channel *channel = NULL;
	struct blockpool *pool;
	int lanes;

	if (!is_stream(socket))
		return NULL;
	pool = bp_handle_open(name, O_RDWR);
	if (!pool)
		return NULL;
	if (!nr_blocks || nr_blocks > pool->nr_blocks) {
		errno = EINVAL;
	} else if (is_suited(pool) && !take_blocks(pool, nr_blocks)) {
		lanes = lanes_new(nr_blocks);
		if (lanes >= 0) {
			channel = open_on(pool, lanes, socket, nr_blocks);
			close(lanes);
		}
	}
	if (!channel)
		bp_handle_drop(pool);
	return channel;
}

/*
 * Accepting
 */

static void close_all(const int *fds, u32 nr)
{
	while (nr--)
		close(fds[nr]);
}

/* The descriptors that came, up to @max; those that are too many are closed. */
static u32 take_fds(struct msghdr *message, int *fds, u32 max)
{
	struct cmsghdr *part;
	u32 nr = 0, i, n;
	int fd;

	for (part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		n = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(fd));
			if (nr < max)
				fds[nr] = fd;
			else
				close(fd);
			nr++;
		}
	}
	return nr;
}

/* Whole, and with as many descriptors as it must have. */
static int recv_hello(int socket, struct hello *hello, int *fds)
{
	union {
		struct cmsghdr head;
		char space[256];	/* others' words may come with it */
	} control;
	struct iovec bytes = { hello, sizeof(*hello) };
	struct msghdr message = {
		.msg_iov = &bytes, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	ssize_t got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	u32 nr;

	if (got < 0)
		return -1;
	nr = take_fds(&message, fds, NR_FDS);
	if (nr == NR_FDS && got == sizeof(*hello) &&
	    !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return 0;
	close_all(fds, nr < NR_FDS ? nr : NR_FDS);
	return fail(got ? EPROTO : EPIPE);
}

static int check_hello(const struct hello *hello)
{
	if (hello->magic != MAGIC)
		return fail(EPROTO);
	if (hello->version != VERSION)
		return fail(EPROTONOSUPPORT);
	if (!hello->nr_blocks || hello->nr_blocks > BLOCKPOOL_BLOCKS_MAX ||
	    hello->reserved)
		return fail(EPROTO);
	return 0;
}

/*
 * Ordinary shared memory of that size that cannot shrink: of a file of huge pages a
 * hole may not be filled again, and to touch it would be SIGBUS.
 */
static int check_lanes(int fd, u32 nr_blocks)
{
	struct statfs fs;
	struct stat file;

	if (fstat(fd, &file) || fstatfs(fd, &fs) || !S_ISREG(file.st_mode) ||
	    fs.f_type != TMPFS_MAGIC || file.st_size < 0 ||
	    (size_t)file.st_size != size_for(nr_blocks) ||
	    (fcntl(fd, F_GET_SEALS) & SEALS) != SEALS)
		return fail(EPROTO);
	return 0;
}

/*
 * The pool's device, as far as can be said of a descriptor: only who may make nodes
 * can have another device that would answer.
 */
static int check_device(int fd)
{
	struct blockpool_info info = { .size = sizeof(info) };
	struct stat file;

	if (fstat(fd, &file) || !S_ISCHR(file.st_mode) ||
	    (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDWR ||
	    ioctl(fd, BLOCKPOOL_IOC_INFO, &info) || !info.client)
		return fail(EPROTO);
	return 0;
}

/* Which blocks the channel's client holds: the kernel says so, and how many. */
static int find_blocks(struct blockpool *pool, u32 nr_blocks)
{
	struct blockpool_owners_args args = { .size = sizeof(args) };
	struct blockpool_info info;
	u32 owners[PIECE], i;

	if (blockpool_info(pool, &info))
		return -1;
	args.owners = (uintptr_t)owners;
	for (; args.first < pool->nr_blocks; args.first += args.count) {
		args.count = pool->nr_blocks - args.first;
		if (args.count > PIECE)
			args.count = PIECE;
		if (ioctl(pool->fd, BLOCKPOOL_IOC_OWNERS, &args))
			return -1;
		for (i = 0; i < args.count; i++) {
			if (owners[i] != info.client)
				continue;
			if (!nr_blocks--)
				return fail(EPROTO);
			pool->states[args.first + i] = STATE_SENT;
		}
	}
	return nr_blocks ? fail(EPROTO) : 0;
}

/* Takes the first of @fds over, if it succeeds. */
static struct blockpool_channel *accept_on(const int *fds, u32 nr_blocks)
{
	struct blockpool_channel *channel = NULL;
	struct blockpool *pool;

	if (check_device(fds[0]) || check_lanes(fds[1], nr_blocks))
		return NULL;
	pool = bp_handle_adopt(fds[0]);
	if (!pool)
		return NULL;
	if (is_suited(pool) && !find_blocks(pool, nr_blocks))
		channel = channel_new(pool, fds[1], nr_blocks, 1);
	if (channel) {
		channel->out.at = nr_blocks;	/* those that it began with */
		return channel;
	}
	pool->fd = -1;
	bp_handle_drop(pool);
	return NULL;
}

struct blockpool_channel *blockpool_channel_accept(int socket)
{
	struct blockpool_channel *channel = NULL;
	struct hello hello;
	int fds[NR_FDS];

	if (!is_stream(socket) || recv_hello(socket, &hello, fds))
		return NULL;
	if (!check_hello(&hello))
		channel = accept_on(fds, hello.nr_blocks);
	if (!channel) {
		close_all(fds, NR_FDS);
		return NULL;
	}
	close(fds[1]);
	channel->socket = socket;
	return channel;
}

/*
 * The peer hears of it even if a child has a copy of the socket.  A child's copy of
 * the channel ends without a word.
 */
int blockpool_channel_close(struct blockpool_channel *channel)
{
	struct blockpool *pool = channel->pool;

	if (!inherited(pool))
		shutdown(channel->socket, SHUT_RDWR);
	close(channel->socket);
	channel_free(channel);
	return blockpool_close(pool);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * io_uring's poll, once and for good, on the client's file, which has as many wait
 * queues as io_uring can wait on, and on a port's own.  The ring is used by its system
 * calls: what a library would add is not in question.
 */
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#undef BLOCK_SIZE	/* of <linux/fs.h> */
#include "ports.h"

#define ENTRIES		8U	/* fewer are under way at a time */
#define ONCE		1	/* user_data of polls, and of their ends */
#define FOR_GOOD	2
#define END		3

struct ring {
	int fd;
	struct io_uring_params params;
	char *rings;
	struct io_uring_sqe *entries;
};

static __u32 *word_of(const struct ring *ring, __u32 offset)
{
	return (__u32 *)(ring->rings + offset);
}

/* False if this kernel has none. */
static bool ring_open(struct ring *ring)
{
	const struct io_sqring_offsets *sq = &ring->params.sq_off;
	const struct io_cqring_offsets *cq = &ring->params.cq_off;
	size_t submitted, completed;

	memset(ring, 0, sizeof(*ring));
	ring->fd = syscall(SYS_io_uring_setup, ENTRIES, &ring->params);
	if (ring->fd < 0)
		return false;
	must(ring->params.features & IORING_FEAT_SINGLE_MMAP);
	submitted = sq->array + ENTRIES * sizeof(__u32);
	completed = cq->cqes + ring->params.cq_entries * sizeof(struct io_uring_cqe);
	ring->rings = mmap(NULL, submitted > completed ? submitted : completed,
			   PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			   ring->fd, IORING_OFF_SQ_RING);
	ring->entries = mmap(NULL, ENTRIES * sizeof(*ring->entries),
			     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			     ring->fd, IORING_OFF_SQES);
	must(ring->rings != MAP_FAILED && ring->entries != MAP_FAILED);
	return true;
}

static void submit(struct ring *ring, const struct io_uring_sqe *entry)
{
	__u32 *tail = word_of(ring, ring->params.sq_off.tail);
	__u32 slot = *tail % ENTRIES;

	ring->entries[slot] = *entry;
	word_of(ring, ring->params.sq_off.array)[slot] = slot;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	must(syscall(SYS_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0) == 1);
}

/* What has completed next; waits for it, or is false if nothing has. */
static bool completed(struct ring *ring, bool wait, struct io_uring_cqe *to)
{
	__u32 *head = word_of(ring, ring->params.cq_off.head);
	const __u32 *tail = word_of(ring, ring->params.cq_off.tail);
	const struct io_uring_cqe *entries =
		(void *)(ring->rings + ring->params.cq_off.cqes);

	must(syscall(SYS_io_uring_enter, ring->fd, 0, wait, IORING_ENTER_GETEVENTS,
		     NULL, 0) >= 0);
	if (*head == __atomic_load_n(tail, __ATOMIC_ACQUIRE)) {
		must(!wait);
		return false;
	}
	*to = entries[*head % ring->params.cq_entries];
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return true;
}

static void poll_add(struct ring *ring, int fd, __u32 events, __u64 how)
{
	const struct io_uring_sqe entry = {
		.opcode = IORING_OP_POLL_ADD,
		.fd = fd,
		.len = how == FOR_GOOD ? IORING_POLL_ADD_MULTI : 0,
		.poll32_events = events,
		.user_data = how,
	};

	submit(ring, &entry);
}

/* Events of the poll that was awaited; it goes on if it is for good. */
static int heard(struct ring *ring, __u64 how)
{
	struct io_uring_cqe entry;

	must(completed(ring, true, &entry));
	must(entry.user_data == how && entry.res > 0);
	must(!(entry.flags & IORING_CQE_F_MORE) == (how == ONCE));
	return entry.res;
}

static bool silent(struct ring *ring)
{
	struct io_uring_cqe entry;

	return !completed(ring, false, &entry);
}

/* Until then it has the file open. */
static void poll_end(struct ring *ring, __u64 how)
{
	const struct io_uring_sqe remove = {
		.opcode = IORING_OP_POLL_REMOVE, .addr = how, .user_data = END,
	};
	struct io_uring_cqe entry;

	submit(ring, &remove);
	for (int i = 0; i < 2; i++) {
		must(completed(ring, true, &entry));
		must(entry.res == (entry.user_data == END ? 0 : -ECANCELED));
	}
}

static void send_one(struct _test_data_ports *self)
{
	must(port_send_one(self->tx, self->out, pool_take(self->tx), 1) == 1);
}

static void recv_one(struct _test_data_ports *self)
{
	struct blockpool_message message;

	must(port_recv(self->rx, self->in, &message, 1, 0, 0) == 1);
	give(self->rx, &message, 1);
}

static void send_until_full(struct _test_data_ports *self)
{
	while (look(self->tx, self->out).nr_messages < DEPTH)
		send_one(self);
}

/* Nothing but messages is heard of, and of them once. */
static void expect_messages_once(struct _test_data_ports *self, struct ring *ring,
				 int fd)
{
	poll_add(ring, fd, POLLIN, ONCE);
	must(silent(ring));
	send_one(self);
	must(heard(ring, ONCE) == POLLIN);
	send_one(self);
	must(silent(ring));
	poll_add(ring, fd, POLLIN, ONCE);	/* of what is there */
	must(heard(ring, ONCE) == POLLIN);
	recv_one(self);
	recv_one(self);
	poll_add(ring, fd, POLLIN, ONCE);
	must(silent(ring));
	poll_end(ring, ONCE);
}

static void expect_messages_for_good(struct _test_data_ports *self, struct ring *ring,
				     int fd)
{
	poll_add(ring, fd, POLLIN, FOR_GOOD);
	must(silent(ring));
	for (int i = 0; i < 3; i++) {
		send_one(self);
		must(heard(ring, FOR_GOOD) == POLLIN);
		must(silent(ring));
	}
	for (int i = 0; i < 3; i++)
		recv_one(self);
	must(silent(ring));
	send_one(self);
	must(heard(ring, FOR_GOOD) == POLLIN);
	recv_one(self);
	poll_end(ring, FOR_GOOD);
}

TEST_F(ports, messages_of_the_client)
{
	struct ring ring;

	if (!ring_open(&ring))
		SKIP(return, "no io_uring here");
	expect_messages_once(self, &ring, self->rx);
	expect_messages_for_good(self, &ring, self->rx);
	close(ring.fd);
}

TEST_F(ports, messages_of_the_port)
{
	int port = bind_fd(self->rx, "inbox", PORT_RECV);
	struct ring ring;

	if (!ring_open(&ring))
		SKIP(return, "no io_uring here");
	expect_messages_once(self, &ring, port);
	expect_messages_for_good(self, &ring, port);
	close(ring.fd);
	close(port);
}

TEST_F(ports, room_once)
{
	int port = bind_fd(self->tx, "inbox", PORT_SEND);
	struct ring ring;

	if (!ring_open(&ring))
		SKIP(return, "no io_uring here");
	poll_add(&ring, port, POLLOUT, ONCE);
	EXPECT_EQ(POLLOUT, heard(&ring, ONCE));
	send_until_full(self);
	poll_add(&ring, port, POLLOUT, ONCE);
	EXPECT_TRUE(silent(&ring));
	recv_one(self);
	EXPECT_EQ(POLLOUT, heard(&ring, ONCE));
	recv_one(self);
	EXPECT_TRUE(silent(&ring));
	close(ring.fd);
	close(port);
}

TEST_F(ports, room_for_good)
{
	int port = bind_fd(self->tx, "inbox", PORT_SEND);
	struct ring ring;

	if (!ring_open(&ring))
		SKIP(return, "no io_uring here");
	send_until_full(self);
	poll_add(&ring, port, POLLOUT, FOR_GOOD);
	EXPECT_TRUE(silent(&ring));
	for (int i = 0; i < 3; i++) {
		recv_one(self);
		EXPECT_EQ(POLLOUT, heard(&ring, FOR_GOOD));
		send_until_full(self);
		EXPECT_TRUE(silent(&ring));
	}
	poll_end(&ring, FOR_GOOD);
	close(ring.fd);
	close(port);
}

/* Whatever was asked for. */
TEST_F(ports, the_end)
{
	int port = bind_fd(self->tx, "inbox", PORT_SEND);
	struct ring ring;

	if (!ring_open(&ring))
		SKIP(return, "no io_uring here");
	send_until_full(self);
	poll_add(&ring, port, POLLOUT, ONCE);
	EXPECT_TRUE(silent(&ring));
	ASSERT_EQ(0, port_unbind(self->rx, self->in));
	EXPECT_EQ(POLLHUP, heard(&ring, ONCE));
	poll_add(&ring, port, POLLIN, ONCE);
	EXPECT_EQ(POLLHUP, heard(&ring, ONCE));
	close(ring.fd);
	close(port);
}

/* The file of the client is woken for both: messages come, and blocks come free. */
TEST_F(ports, both_queues_of_the_client)
{
	struct ring ring;
	__u32 *all;

	if (!ring_open(&ring))
		SKIP(return, "no io_uring here");
	all = pool_take_all(self->tx);
	poll_add(&ring, self->rx, POLLIN | POLLOUT, FOR_GOOD);
	EXPECT_TRUE(silent(&ring));
	ASSERT_EQ(1, port_send_one(self->tx, self->out, all[0], 1));
	EXPECT_EQ(POLLIN, heard(&ring, FOR_GOOD));
	ASSERT_EQ(0, pool_give(self->tx, all[1]));
	EXPECT_TRUE(heard(&ring, FOR_GOOD) & POLLOUT);
	poll_end(&ring, FOR_GOOD);
	close(ring.fd);
	free(all);
}

TEST_HARNESS_MAIN

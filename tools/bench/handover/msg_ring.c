// SPDX-License-Identifier: GPL-2.0
/*
 * Messages in shared memory; io_uring's MSG_RING tells the other side's ring which.
 * After half of the slots the receiver tells likewise that they are free again.
 */
#if __has_include("liburing.h")

#include <errno.h>
#include <liburing.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "handover.h"

#define HALF	(DEPTH / 2)
#define FREED	(1ULL << 32)	/* user_data: not a slot, but so many are free */
#define FAILED	(1ULL << 33)	/* ... what came of a request of our own */

static struct io_uring_params params[2];	/* of a ring for each side */
static int fds[2];
static unsigned char (*slots[LANES])[SIZE];

/* Of this side. */
static struct io_uring own;
static int other;
static uint64_t sent, received;		/* by this side, of its two lanes */
static uint64_t arrived, room = DEPTH;

static const char *open_msg_rings(void)
{
	struct io_uring_probe *probe = io_uring_get_probe();
	bool known = probe && io_uring_opcode_supported(probe, IORING_OP_MSG_RING);
	unsigned int i;

	if (probe)
		io_uring_free_probe(probe);
	if (!known)
		return "this kernel has none";
	for (i = 0; i < 2; i++) {
		slots[i] = shared_memory(DEPTH * SIZE);
		fds[i] = (int)syscall(SYS_io_uring_setup, 2 * DEPTH, &params[i]);
		if (fds[i] < 0)
			return strerror(errno);
	}
	return NULL;
}

/* Mapped here, for User-Mode Linux loses count of pages of a ring over fork(). */
static void msg_ring_join(unsigned int side)
{
	unsigned int i;

	if (io_uring_queue_mmap(fds[side], &params[side], &own))
		errx(1, "a ring that cannot be mapped");
	for (i = 0; i < params[side].sq_entries; i++)
		own.sq.array[i] = i;
	other = fds[!side];
}

static void post(unsigned int n, uint64_t data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&own);

	if (!sqe)
		errx(1, "no room for a request");
	io_uring_prep_msg_ring(sqe, other, n, data, 0);
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
	io_uring_sqe_set_data64(sqe, FAILED);
}

static void submit(unsigned int wait)
{
	int error = io_uring_submit_and_wait(&own, wait);

	if (error < 0)
		errx(1, "io_uring_submit_and_wait: %s", strerror(-error));
}

static void look_at(const struct io_uring_cqe *cqe)
{
	if (cqe->user_data == FAILED)
		errx(1, "MSG_RING: %s", strerror(-cqe->res));
	if (cqe->user_data == FREED)
		room += (uint64_t)cqe->res;
	else if (cqe->user_data == arrived % DEPTH)
		arrived++;
	else
		errx(1, "slot %llu out of turn", (unsigned long long)cqe->user_data);
}

/* Until a counter of look_at() is what it should be. */
static void wait_for(const uint64_t *counter, uint64_t target)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n;

	for (;;) {
		n = 0;
		io_uring_for_each_cqe(&own, head, cqe) {
			look_at(cqe);
			n++;
		}
		io_uring_cq_advance(&own, n);
		if (*counter >= target)
			return;
		submit(1);
	}
}

/* With the answer to wait for, one call does both: see wait_for(). */
static void msg_ring_send(unsigned int lane, unsigned int n, uint64_t first)
{
	unsigned int i;

	wait_for(&room, n);
	for (i = 0; i < n; i++) {
		message_fill(slots[lane][sent % DEPTH], first + i);
		post(0, sent++ % DEPTH);
	}
	room -= n;
	if (!answered)
		submit(0);
}

static void msg_ring_receive(unsigned int lane, unsigned int n, uint64_t first)
{
	unsigned int i;

	wait_for(&arrived, received + n);
	for (i = 0; i < n; i++)
		message_check(slots[lane][received++ % DEPTH], first + i);
	if (received % HALF)
		return;
	post(HALF, FREED);
	submit(0);
}

static void msg_ring_leave(unsigned int side)
{
	(void)side;
	submit(0);
}

const struct way way_msg_ring = {
	.name = "io_uring msg_ring",
	.batches = true,
	.open = open_msg_rings,
	.join = msg_ring_join,
	.send = msg_ring_send,
	.receive = msg_ring_receive,
	.leave = msg_ring_leave,
};

#else

#include "handover.h"

static const char *no_library(void)
{
	return "built without liburing";
}

const struct way way_msg_ring = {
	.name = "io_uring msg_ring",
	.open = no_library,
};

#endif

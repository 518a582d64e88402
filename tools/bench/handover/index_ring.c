// SPDX-License-Identifier: GPL-2.0
/*
 * The least that hands blocks over: indices in shared memory, a ring each way, and
 * blocks that all can touch.  It looks at nothing, sleeps never, and loses what a
 * process has that dies.
 *
 * Of a ring each side changes one number, in a cache line of its own, and asks for the
 * other's only when what it knew of it does not do.
 */
#include "../../../common/relax.h"
#include "handover.h"

#define APART	128

struct ring {
	uint32_t sent;
	char pad[APART - sizeof(uint32_t)];
	uint32_t received;
	char more_pad[APART - sizeof(uint32_t)];
	uint32_t indices[DEPTH];
};

static struct {
	struct ring rings[LANES];
	unsigned char blocks[DEPTH][SIZE];
} *shared;

/* Of a side, for the ring where it sends, and that where it receives. */
static struct {
	struct ring *ring;
	uint32_t at, other;
} out, in;
static uint32_t kept[DEPTH];
static unsigned int nr_kept;

static const char *open_index_ring(void)
{
	unsigned int i;

	shared = shared_memory(sizeof(*shared));
	for (i = 0; i < DEPTH; i++)
		shared->rings[1].indices[i] = i;
	shared->rings[1].sent = DEPTH;
	return NULL;
}

static void index_ring_join(unsigned int side)
{
	out.ring = &shared->rings[side];
	in.ring = &shared->rings[!side];
	out.at = out.ring->sent;
}

static void put(const uint32_t *indices, unsigned int n)
{
	unsigned int i;

	while (out.at + n - out.other > DEPTH) {
		out.other = __atomic_load_n(&out.ring->received, __ATOMIC_ACQUIRE);
		bp_relax();
	}
	for (i = 0; i < n; i++)
		out.ring->indices[(out.at + i) % DEPTH] = indices[i];
	out.at += n;
	__atomic_store_n(&out.ring->sent, out.at, __ATOMIC_RELEASE);
}

static void get(uint32_t *indices, unsigned int n)
{
	unsigned int i;

	while (in.other - in.at < n) {
		in.other = __atomic_load_n(&in.ring->sent, __ATOMIC_ACQUIRE);
		if (in.other - in.at < n)
			bp_relax();
	}
	for (i = 0; i < n; i++)
		indices[i] = in.ring->indices[(in.at + i) % DEPTH];
	in.at += n;
	__atomic_store_n(&in.ring->received, in.at, __ATOMIC_RELEASE);
}

static void index_ring_send(unsigned int lane, unsigned int n, uint64_t first)
{
	uint32_t indices[BATCH];
	unsigned int i;

	(void)lane;
	if (nr_kept)
		indices[0] = kept[--nr_kept];
	else
		get(indices, n);
	for (i = 0; i < n; i++)
		message_fill(shared->blocks[indices[i]], first + i);
	put(indices, n);
}

static void index_ring_receive(unsigned int lane, unsigned int n, uint64_t first)
{
	uint32_t indices[BATCH];
	unsigned int i;

	/* Nothing tells the answer from the blocks that it begins with. */
	while (lane && in.at < DEPTH) {
		get(kept + nr_kept, 1);
		nr_kept++;
	}
	get(indices, n);
	for (i = 0; i < n; i++)
		message_check(shared->blocks[indices[i]], first + i);
	if (answered)
		kept[nr_kept++] = indices[0];
	else
		put(indices, n);
}

const struct way way_index_ring = {
	.name = "bare index ring, busy polling",
	.batches = true,
	.polls = true,
	.open = open_index_ring,
	.join = index_ring_join,
	.send = index_ring_send,
	.receive = index_ring_receive,
};

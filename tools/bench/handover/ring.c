// SPDX-License-Identifier: GPL-2.0
/*
 * A ring of messages in shared memory, from one sender to one receiver, and
 * eventfds to sleep on: whoever finds nothing to do says so and is woken, and
 * nobody enters the kernel as long as there is something to do.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "handover.h"

/* A number that only one side changes, and that the other can wait for. */
struct counter {
	uint64_t value;
	char pad[120];		/* another cache line, and not its neighbour */
	uint64_t wanted;	/* wake the other when it is so much; or 0 */
	char more_pad[112];
	int fd;
};

static struct ring {
	struct counter sent, received;
	unsigned char slots[DEPTH][SIZE];
} *rings;

static const char *open_rings(void)
{
	unsigned int i;

	rings = shared_memory(LANES * sizeof(*rings));
	for (i = 0; i < LANES; i++) {
		rings[i].sent.fd = eventfd(0, 0);
		rings[i].received.fd = eventfd(0, 0);
		if (rings[i].sent.fd < 0 || rings[i].received.fd < 0)
			return strerror(errno);
	}
	return NULL;
}

/* In this order on both sides, or both could miss what the other has just said. */
static void add(struct counter *counter, unsigned int n)
{
	uint64_t wanted, value = counter->value + n;

	__atomic_store_n(&counter->value, value, __ATOMIC_SEQ_CST);
	wanted = __atomic_load_n(&counter->wanted, __ATOMIC_SEQ_CST);
	if (wanted && wanted <= value &&
	    __atomic_compare_exchange_n(&counter->wanted, &wanted, 0, false,
					__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) &&
	    eventfd_write(counter->fd, 1))
		err(1, "eventfd_write");
}

static bool reached(struct counter *counter, uint64_t target)
{
	return __atomic_load_n(&counter->value, __ATOMIC_SEQ_CST) >= target;
}

static void wait_for(struct counter *counter, uint64_t target)
{
	eventfd_t ignored;

	while (!reached(counter, target)) {
		__atomic_store_n(&counter->wanted, target, __ATOMIC_SEQ_CST);
		if (reached(counter, target))
			break;
		if (eventfd_read(counter->fd, &ignored))
			err(1, "eventfd_read");
	}
	__atomic_store_n(&counter->wanted, 0, __ATOMIC_SEQ_CST);
}

/* Without room the sender sleeps until half of it is there, not for each slot. */
static void ring_send(unsigned int lane, unsigned int n, uint64_t first)
{
	struct ring *ring = &rings[lane];
	uint64_t at = ring->sent.value;
	unsigned int i;

	if (at + n > DEPTH && !reached(&ring->received, at + n - DEPTH))
		wait_for(&ring->received, at + n - DEPTH / 2);
	for (i = 0; i < n; i++)
		message_fill(ring->slots[(at + i) % DEPTH], first + i);
	add(&ring->sent, n);
}

static void ring_receive(unsigned int lane, unsigned int n, uint64_t first)
{
	struct ring *ring = &rings[lane];
	uint64_t at = ring->received.value;
	unsigned int i;

	wait_for(&ring->sent, at + n);
	for (i = 0; i < n; i++)
		message_check(ring->slots[(at + i) % DEPTH], first + i);
	add(&ring->received, n);
}

const struct way way_ring = {
	.name = "shared memory ring, eventfd",
	.batches = true,
	.open = open_rings,
	.send = ring_send,
	.receive = ring_receive,
};

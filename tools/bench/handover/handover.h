/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ways to hand messages from one process to another, all measured alike.
 *
 * There are two sides, 0 and 1, a process each, and two lanes between them: who
 * has the lane's number sends there, the other receives.  Lane 1 is for answers.
 */
#ifndef HANDOVER_H
#define HANDOVER_H

#include <err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define SIZE	2048U	/* bytes of a message */
#define DEPTH	128U	/* messages that fit into a lane, where that can be said */
#define BATCH	32U	/* most that are sent by one call */
#define LANES	2U

/**
 * struct way - one that is measured
 * @name: in tables
 * @batches: one call can hand over many messages
 * @polls: nobody ever sleeps, so it is measured in cases of its own
 * @open: makes both lanes, before the sides are forked; NULL or why it cannot
 * @join: called in each side before all else; optional
 * @send: fill n messages with the numbers from first on and send them; may sleep
 * @receive: receive n messages, n as they were sent, and check them; may sleep
 * @call: fill and send a message with one number, and receive and check one with
 *	another from the other lane, by one call; optional: a way that has it is
 *	measured in round trips only
 * @leave: called in each side after all else; optional
 *
 * All but open end the process if anything goes wrong.
 */
struct way {
	const char *name;
	bool batches;
	bool polls;
	const char *(*open)(void);
	void (*join)(unsigned int side);
	void (*send)(unsigned int lane, unsigned int n, uint64_t first);
	void (*receive)(unsigned int lane, unsigned int n, uint64_t first);
	void (*call)(unsigned int lane, uint64_t number, uint64_t answer);
	void (*leave)(unsigned int side);
};

extern const struct way way_ports, way_ports_call, way_pipe, way_datagram, way_seqpacket,
	way_mq, way_ring, way_msg_ring, way_channel, way_channel_polling, way_index_ring;

/* Each message is answered: who has sent one will wait next. */
extern bool answered;

/* The messages' bytes are left alone. */
extern bool untouched;

/* Any word of any message is another number. */
static inline uint64_t message_word(uint64_t number, unsigned int i)
{
	return number * 0x9e3779b97f4a7c15ULL + i;
}

static inline void message_fill(void *message, uint64_t number)
{
	uint64_t *words = message;
	unsigned int i;

	if (untouched)
		return;
	for (i = 0; i < SIZE / sizeof(*words); i++)
		words[i] = message_word(number, i);
}

static inline void message_check(const void *message, uint64_t number)
{
	const uint64_t *words = message;
	uint64_t wrong = 0;
	unsigned int i;

	if (untouched)
		return;
	for (i = 0; i < SIZE / sizeof(*words); i++)
		wrong |= words[i] ^ message_word(number, i);
	if (wrong)
		errx(1, "message %llu is not what was sent", (unsigned long long)number);
}

/* For a way that copies: its messages, in each side. */
extern unsigned char messages[BATCH][SIZE];

static inline void messages_fill(unsigned int n, uint64_t first)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		message_fill(messages[i], first + i);
}

static inline void messages_check(unsigned int n, uint64_t first)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		message_check(messages[i], first + i);
}

/* For a way that does not: memory that both sides have. */
static inline void *shared_memory(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		err(1, "no memory");
	return memory;
}

#endif /* HANDOVER_H */

// SPDX-License-Identifier: GPL-2.0
/*
 * The library under a signal handler that comes at any instruction of it, by the
 * processor's own single steps, and uses the handle itself.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>

#include "harness.h"
#include "library.h"

#define NR_BLOCKS	1024
#define CACHE_MAX	256
#define TRAP_FLAG	0x100ul

#ifndef __x86_64__
int main(void)
{
	ksft_print_header();
	ksft_exit_skip("single steps are known for x86-64 only\n");
}
#else

FIXTURE(signals)
{
	struct blockpool *pool;
	void *blocks[NR_BLOCKS];
};

FIXTURE_SETUP(signals)
{
	model_init(64, NR_BLOCKS);
	self->pool = blockpool_open(NULL, O_RDWR);
	ASSERT_NE(NULL, self->pool);
}

FIXTURE_TEARDOWN(signals)
{
	EXPECT_EQ(0, blockpool_close(self->pool));
}

/* What a handler does it with, and what came of it. */
static struct {
	struct blockpool *pool;
	struct blockpool_port *port;	/* the handler's own */
	void *block;		/* left by the handler before */
	long steps;
	long errors;
	sigjmp_buf jump;
} step;

/*
 * Between any two instructions: take two, give back one and the one from last
 * time, one as a bulk.  Not inside of the model, which is not made for it.
 */
static void handle_step(int signal)
{
	void *blocks[2];
	int error = errno;

	(void)signal;
	step.steps++;
	if (model_inside)
		return;
	step.errors += !take(step.pool, blocks, 1) ||
		       blockpool_alloc_bulk(step.pool, blocks + 1, 1) != 1 ||
		       blockpool_free_bulk(step.pool, blocks, 1) != 1 ||
		       (step.block && blockpool_free(step.pool, step.block));
	step.block = blocks[1];
	errno = error;
}

/* While it is on, SIGTRAP comes after each instruction. */
static inline void set_trap(bool on)
{
	unsigned long flags = __builtin_ia32_readeflags_u64();

	if (on)
		flags |= TRAP_FLAG;
	else
		flags &= ~TRAP_FLAG;
	__builtin_ia32_writeeflags_u64(flags);
}

/* Every path: hits, refills, flushes, too many, straight to the kernel. */
static long every_path(struct blockpool *pool, void **blocks)
{
	long errors = 0;
	int i;

	for (i = 0; i < 2; i++) {
		errors += !take(pool, blocks, 6);
		errors += !give(pool, blocks, 6);
		errors += blockpool_alloc_bulk(pool, blocks, 2) != 2;
		errors += blockpool_free_bulk(pool, blocks, 2) != 2;
		errors += blockpool_alloc_bulk(pool, blocks, 6) != 6;
		errors += blockpool_free_bulk(pool, blocks, 6) != 6;
		model.status->wanted = 1;
	}
	return errors;
}

/*
 * Afterwards each block is free once: all can be taken, no two are the same, and
 * then there is none.
 */
TEST_F(signals, a_handler_may_come_at_any_instruction)
{
	struct sigaction action = { .sa_handler = handle_step };
	bool seen[NR_BLOCKS] = { false };
	uint32_t index;
	long errors;
	int i;

	model.status->cache_max = 8;	/* a magazine of 4: steps are slow */
	ASSERT_TRUE(take(self->pool, self->blocks, 1));	/* makes it */
	ASSERT_TRUE(give(self->pool, self->blocks, 1));
	step.pool = self->pool;
	ASSERT_EQ(0, sigaction(SIGTRAP, &action, NULL));
	set_trap(true);
	errors = every_path(self->pool, self->blocks);
	set_trap(false);
	EXPECT_EQ(0, errors);
	EXPECT_EQ(0, step.errors);
	EXPECT_LT(5000, step.steps);
	TH_LOG("%ld instructions interrupted", step.steps);

	ASSERT_EQ(0, blockpool_free(self->pool, step.block));
	ASSERT_EQ(0, blockpool_flush(self->pool));
	EXPECT_EQ(0u, model_held());
	ASSERT_TRUE(take(self->pool, self->blocks, NR_BLOCKS));
	for (i = 0; i < NR_BLOCKS; i++) {
		index = blockpool_index(self->pool, self->blocks[i]);
		ASSERT_LT(index, NR_BLOCKS);
		ASSERT_FALSE(seen[index]);
		seen[index] = true;
	}
	EXPECT_ERRNO(EAGAIN, !blockpool_alloc(self->pool));
}

/*
 * Of a pool that tracks its blocks also while a call stack is taken.  What is found
 * on the way is known before, for it is noted with all signals blocked.
 */
TEST(a_handler_may_come_at_any_instruction_of_a_stack)
{
	struct sigaction action = { .sa_handler = handle_step };
	struct blockpool *pool;
	void *block;
	int ret = -1;

	model_init_flags(64, NR_BLOCKS, BLOCKPOOL_TRACK);
	pool = blockpool_open(NULL, O_RDWR);
	ASSERT_NE(NULL, pool);
	step.pool = pool;
	ASSERT_EQ(0, sigaction(SIGTRAP, &action, NULL));
	ASSERT_EQ(0, raise(SIGTRAP));
	set_trap(true);
	block = blockpool_alloc(pool);
	if (block)
		ret = blockpool_free(pool, block);
	set_trap(false);
	EXPECT_EQ(0, ret);
	EXPECT_EQ(0, step.errors);
	EXPECT_LT(5000, step.steps);
	TH_LOG("%ld instructions interrupted", step.steps);
	EXPECT_EQ(0, blockpool_free(pool, step.block));
	EXPECT_EQ(0u, model_held());
	EXPECT_EQ(0, blockpool_close(pool));
}

static struct blockpool_port *bind_port(struct blockpool *pool, const char *name)
{
	struct blockpool_port_attr attr = {
		.name = name,
		.flags = BLOCKPOOL_BIND_SEND | BLOCKPOOL_BIND_RECV |
			 BLOCKPOOL_BIND_CREATE,
	};

	return blockpool_bind(pool, &attr);
}

/* A block goes round: out of the pool, through a port and back. */
static bool send_round(struct blockpool *pool, struct blockpool_port *port)
{
	void *block = blockpool_alloc(pool);
	struct blockpool_message message = { .cookie = (uintptr_t)block };

	message.index = blockpool_index(pool, block);
	return blockpool_send(port, &message, 1, 0, 0) == 1 &&
	       blockpool_free(pool, block) == -1 &&
	       blockpool_recv(port, &message, 1, 0, 0) == 1 &&
	       blockpool_block(pool, message.index) == block &&
	       !blockpool_free(pool, block);
}

static void handle_step_of_port(int signal)
{
	int error = errno;

	(void)signal;
	step.steps++;
	if (!model_inside)
		step.errors += !send_round(step.pool, step.port);
	errno = error;
}

TEST_F(signals, a_handler_may_send_and_receive)
{
	struct sigaction action = { .sa_handler = handle_step_of_port };
	struct blockpool_port *port = bind_port(self->pool, "main");
	int errors = 0, i;

	step.pool = self->pool;
	step.port = bind_port(self->pool, "handler");
	ASSERT_TRUE(send_round(self->pool, step.port));
	ASSERT_EQ(0, sigaction(SIGTRAP, &action, NULL));
	set_trap(true);
	for (i = 0; i < 3; i++)
		errors += !send_round(self->pool, port);
	set_trap(false);
	EXPECT_EQ(0, errors);
	EXPECT_EQ(0, step.errors);
	EXPECT_LT(1000, step.steps);
	TH_LOG("%ld instructions interrupted", step.steps);
	ASSERT_EQ(0, blockpool_flush(self->pool));
	EXPECT_EQ(0u, model_held());
	EXPECT_EQ(0, blockpool_unbind(step.port));
	EXPECT_EQ(0, blockpool_unbind(port));
}

/* Leaves a call for good at the instruction whose number is in step.steps. */
static void jump_off(int signal)
{
	(void)signal;
	if (!step.steps--)
		siglongjmp(step.jump, 1);
}

/*
 * That is nothing to do to a library.  It costs the thread its magazine at
 * worst, with what is in it, and lends no block twice.
 */
TEST_F(signals, a_handler_that_jumps_off_costs_speed_only)
{
	struct sigaction action = {
		.sa_handler = jump_off, .sa_flags = SA_NODEFER,
	};
	bool seen[NR_BLOCKS];
	uint32_t index;
	void *block;
	long at;
	int i;

	ASSERT_EQ(0, sigaction(SIGTRAP, &action, NULL));
	for (at = 3; at < 60; at++) {
		struct blockpool *pool = blockpool_open(NULL, O_RDWR);

		ASSERT_NE(NULL, pool);
		model.status->cache_max = CACHE_MAX;
		ASSERT_TRUE(take(pool, self->blocks, 9));
		step.steps = at;
		if (!sigsetjmp(step.jump, 1)) {
			set_trap(true);
			block = blockpool_alloc(pool);
			if (block)
				blockpool_free(pool, block);
			set_trap(false);
		}
		memset(seen, 0, sizeof(seen));
		while ((block = blockpool_alloc(pool))) {
			index = blockpool_index(pool, block);
			ASSERT_FALSE(seen[index]);
			seen[index] = true;
		}
		ASSERT_EQ(EAGAIN, errno);
		for (i = 0; i < 9; i++) {
			index = blockpool_index(pool, self->blocks[i]);
			ASSERT_FALSE(seen[index]);
		}
		ASSERT_EQ(0, blockpool_close(pool));
		model_init(64, NR_BLOCKS);
	}
}

TEST_HARNESS_MAIN

#endif

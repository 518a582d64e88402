// SPDX-License-Identifier: GPL-2.0
/*
 * The library on a model of the device, as Valgrind's memcheck sees it: the program
 * runs itself again under it, to do something that is wrong, or nothing such.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "harness.h"
#include "blockpool.h"
#include "model.h"
#include "model_port.h"
#include "../memcheck.h"

#define BLOCK_SIZE	1500
#define NR_BLOCKS	64
#define TEXT_SIZE	16384

#define noinline	__attribute__((noinline))

/* Keeps a call from being the last thing that a function does. */
static inline void stay_here(void)
{
	asm volatile("" : : : "memory");
}

static noinline char *take_here(struct blockpool *pool)
{
	char *block = blockpool_alloc(pool);

	stay_here();
	return block;
}

static noinline int give_here(struct blockpool *pool, char *block)
{
	int ret = blockpool_free(pool, block);

	stay_here();
	return ret;
}

static noinline void touch_here(char *byte)
{
	*byte = 1;
	stay_here();
}

static noinline int send_here(struct blockpool_port *port, __u32 index)
{
	struct blockpool_message message = { .index = index };
	int n = blockpool_send(port, &message, 1, 0, 0);

	stay_here();
	return n;
}

static noinline char *recv_here(struct blockpool *pool,
				struct blockpool_port *port)
{
	struct blockpool_message message;
	int n = blockpool_recv(port, &message, 1, 0, 0);

	stay_here();
	return n == 1 ? blockpool_block(pool, message.index) : NULL;
}

static struct blockpool_port *bind_here(struct blockpool *pool)
{
	struct blockpool_port_attr attr = {
		.name = "port",
		.flags = BLOCKPOOL_BIND_SEND | BLOCKPOOL_BIND_RECV |
			 BLOCKPOOL_BIND_CREATE,
	};

	return blockpool_bind(pool, &attr);
}

/* Sent and come back, refused, and shared among two that are one. */
static int good_port(struct blockpool *pool)
{
	struct blockpool_port *ports[2] = { bind_here(pool), bind_here(pool) };
	struct blockpool_message message = { 0 };
	char *block = take_here(pool);

	message.index = blockpool_index(pool, block);
	message.length = MODEL_LENGTH + 1;
	if (blockpool_send(ports[0], &message, 1, 0, 0) != -1)
		return 1;
	touch_here(block);
	if (send_here(ports[0], message.index) != 1 ||
	    recv_here(pool, ports[0]) != block)
		return 2;
	touch_here(block);
	message.length = 0;
	if (blockpool_share(ports, 2, &message) ||
	    recv_here(pool, ports[0]) != block ||
	    recv_here(pool, ports[1]) != block || give_here(pool, block))
		return 3;
	return block[0] != 1 || give_here(pool, block) ||
	       blockpool_unbind(ports[0]) || blockpool_unbind(ports[1]);
}

/* Everything that may be done, and has a reason to be mistaken for a mistake. */
static int good(struct blockpool *pool)
{
	char *blocks[3], *block = take_here(pool);
	pid_t pid;
	int i;

	for (i = 0; i < BLOCK_SIZE; i++)
		touch_here(block + i);
	if (blockpool_alloc_bulk(pool, (void **)blocks, 3) != 3 ||
	    blocks[2][0] || give_here(pool, block))
		return 1;
	touch_here(blockpool_block(pool, blockpool_index(pool, block)));
	touch_here(blockpool_block(pool, blockpool_index(pool, blocks[0])));
	touch_here(blockpool_block(pool, NR_BLOCKS - 1));
	model_lend(NR_BLOCKS - 2);	/* by another of the process */
	if (give_here(pool, blockpool_block(pool, NR_BLOCKS - 2)))
		return 2;
	block = blockpool_alloc_wait(pool, 0);
	touch_here(block);
	pid = fork();
	if (!pid)
		_exit(blockpool_close(pool));
	waitpid(pid, &i, 0);
	return i || blockpool_free_bulk(pool, (void **)blocks, 3) != 3 ||
	       give_here(pool, block);
}

static int deed(const char *name, struct blockpool *pool)
{
	char *block;

	if (!strcmp(name, "good"))
		return good(pool) || good_port(pool);
	block = take_here(pool);
	if (!strcmp(name, "behind"))
		touch_here(block + BLOCK_SIZE);
	if (!strcmp(name, "before"))
		touch_here(block - 1);
	if (!strcmp(name, "late")) {
		give_here(pool, block);
		touch_here(block + 7);
	}
	if (!strcmp(name, "sent")) {
		send_here(bind_here(pool), blockpool_index(pool, block));
		touch_here(block + 7);
	}
	return 0;
}

static __attribute__((constructor)) void begin(void)
{
	const char *name = memcheck_deed();
	struct blockpool *pool;

	if (!name)
		return;
	model_init_flags(BLOCK_SIZE, NR_BLOCKS, BLOCKPOOL_GUARD);
	pool = blockpool_open(NULL, O_RDWR);
	_exit(!pool || deed(name, pool) || blockpool_close(pool));
}

FIXTURE(memcheck)
{
	char text[TEXT_SIZE];
};

FIXTURE_SETUP(memcheck)
{
}

FIXTURE_TEARDOWN(memcheck)
{
}

/* All the words, in this order. */
static bool says(const char *text, const char *const words[])
{
	for (; text && *words; words++)
		text = strstr(text, *words);
	return text;
}

#define EXPECT_SAYS(...) do {						\
	static const char *const words[] = { __VA_ARGS__, NULL };	\
									\
	EXPECT_TRUE(says(self->text, words)) TH_LOG("%s", self->text);	\
} while (0)

TEST_F(memcheck, nothing_is_wrong)
{
	EXPECT_EQ(0, memcheck_run("good", self->text, TEXT_SIZE));
	EXPECT_STREQ("", self->text);
}

TEST_F(memcheck, use_after_free)
{
	EXPECT_EQ(MEMCHECK_FOUND, memcheck_run("late", self->text, TEXT_SIZE));
	EXPECT_SAYS("Invalid write of size 1", "touch_here",
		    "7 bytes inside a block of size 1,500 free'd", "give_here",
		    "Block was alloc'd at", "take_here");
}

TEST_F(memcheck, use_after_send)
{
	EXPECT_EQ(MEMCHECK_FOUND, memcheck_run("sent", self->text, TEXT_SIZE));
	EXPECT_SAYS("Invalid write of size 1", "touch_here",
		    "7 bytes inside a block of size 1,500 free'd", "send_here",
		    "Block was alloc'd at", "take_here");
}

TEST_F(memcheck, use_behind_and_before)
{
	EXPECT_EQ(MEMCHECK_FOUND, memcheck_run("behind", self->text, TEXT_SIZE));
	EXPECT_SAYS("Invalid write of size 1", "touch_here",
		    "0 bytes after a block of size 1,500 client-defined",
		    "take_here");
	EXPECT_EQ(MEMCHECK_FOUND, memcheck_run("before", self->text, TEXT_SIZE));
	EXPECT_SAYS("Invalid write of size 1", "touch_here",
		    "1 bytes before a block of size 1,500 client-defined",
		    "take_here");
}

TEST_HARNESS_MAIN

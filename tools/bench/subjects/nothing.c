// SPDX-License-Identifier: GPL-2.0
/* The harness itself: what it costs to take and give the same block. */
static char block;

static void subject_open(unsigned int blocks, unsigned int block_size)
{
	(void)blocks;
	(void)block_size;
}

static void subject_thread(void)
{
}

static inline void *take(void)
{
	return &block;
}

static inline void give(void *given)
{
	(void)given;
}

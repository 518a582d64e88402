// SPDX-License-Identifier: GPL-2.0
/* The C library's malloc(), or that of whatever is linked before it. */
static unsigned int size;

static void subject_open(unsigned int blocks, unsigned int block_size)
{
	(void)blocks;
	size = block_size;
}

static void subject_thread(void)
{
}

static inline void *take(void)
{
	return malloc(size);
}

static inline void give(void *block)
{
	free(block);
}

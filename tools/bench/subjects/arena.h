/* SPDX-License-Identifier: GPL-2.0 */
/* Blocks by number, for subjects that know no more than numbers. */
#ifndef BENCH_ARENA_H
#define BENCH_ARENA_H

static struct {
	char *base;
	unsigned int shift;	/* log2 of the block size: a division would be dear */
} arena;

static inline void arena_open(unsigned int blocks, unsigned int block_size)
{
	arena.base = (char *)get_memory((size_t)blocks * block_size);
	arena.shift = (unsigned int)__builtin_ctz(block_size);
}

static inline void *arena_block(unsigned int index)
{
	return arena.base + ((size_t)index << arena.shift);
}

static inline unsigned int arena_index(const void *block)
{
	size_t offset = (size_t)((const char *)block - arena.base);

	return (unsigned int)(offset >> arena.shift);
}

#endif /* BENCH_ARENA_H */

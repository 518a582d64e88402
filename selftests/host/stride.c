// SPDX-License-Identifier: GPL-2.0
/*
 * From an address to an index as kmod/store.h does it, for each stride that there
 * is: with the word of the page that the address lies in, and no look at where
 * the pool's chunks are.  Words of other pools have other secrets, and what is no
 * pool's page has any word.
 */
#include "harness.h"
#include "random.h"
#include "../../common/stride.h"
#include "../../kmod/geometry.h"

#define BLOCK_SIZE_MAX	(4u << 20)
#define NR_BLOCKS_MAX	(1u << 24)
#define PAGE		4096u
#define DIRECT_MAP	0xffff888000000000u
#define DIRECT_PAGES	(1ull << 34)	/* 64 TiB */

struct pool {
	struct bp_geometry geo;
	struct bp_stride stride;
	u64 secret;
};

static u64 random64(struct random *random)
{
	return (u64)random_next(random) << 32 | random_next(random);
}

/* Where in the direct map a chunk may lie. */
static u64 random_base(struct random *random)
{
	return DIRECT_MAP + random64(random) % DIRECT_PAGES * PAGE;
}

static struct pool pool_of(u32 block_size, u32 nr, u32 chunk,
			   struct random *random)
{
	struct pool pool;

	bp_geometry_init(&pool.geo, block_size, nr, PAGE, chunk, 0);
	pool.stride = bp_stride_init(pool.geo.stride);
	pool.secret = random64(random);
	return pool;
}

/* What is kept in each page of a chunk that lies at an address. */
static u64 word_of(const struct pool *pool, u32 chunk, u64 base)
{
	u64 origin = base - (u64)chunk * pool->geo.chunk_size;

	return bp_stride_word(&pool->stride, origin, pool->secret);
}

static u64 index_of(const struct pool *pool, u64 address, u64 word)
{
	return bp_stride_index(&pool->stride, address, word, pool->secret);
}

/*
 * The addresses in a chunk and around that count as blocks are its blocks', and
 * stride.h divides the offset to the same.
 */
static bool chunk_is_right(const struct pool *pool, u32 chunk, u64 base)
{
	u32 bytes = bp_geometry_chunk_bytes(&pool->geo, chunk);
	u64 origin = base - (u64)chunk * pool->geo.chunk_size;
	u64 first = (u64)chunk << pool->geo.chunk_shift;
	u64 word = word_of(pool, chunk, base), index;
	u32 stride = pool->geo.stride, at = 0, byte;

	for (byte = 0; byte < bytes; byte++) {
		index = index_of(pool, base + byte, word);
		if (at ? index < NR_BLOCKS_MAX : index != first + byte / stride)
			return false;
		if (at < 2 && index != bp_stride_quotient(&pool->stride, base +
							  byte - origin))
			return false;
		at = at + 1 == stride ? 0 : at + 1;
	}
	for (byte = 1; byte < stride; byte++)
		if (index_of(pool, base - byte, word) < NR_BLOCKS_MAX ||
		    index_of(pool, base + pool->geo.chunk_size + byte,
			     word) < NR_BLOCKS_MAX)
			return false;
	return true;
}

/* The first address behind the pool's last block has no index of the pool. */
static bool end_is_right(const struct pool *pool, u64 base)
{
	u32 last = pool->geo.nr_chunks - 1;
	u64 bytes = (u64)pool->geo.nr_blocks * pool->geo.stride -
		    (u64)last * pool->geo.chunk_size;

	return index_of(pool, base + bytes, word_of(pool, last, base)) ==
	       pool->geo.nr_blocks;
}

FIXTURE(stride)
{
	struct random random;
};

FIXTURE_VARIANT(stride)
{
	u32 chunk;
};

FIXTURE_VARIANT_ADD(stride, easy) { BP_CHUNK_EASY };
FIXTURE_VARIANT_ADD(stride, huge) { BP_CHUNK_HUGE };

FIXTURE_SETUP(stride)
{
	self->random = (struct random)RANDOM_INIT;
}

FIXTURE_TEARDOWN(stride)
{
}

/* Each stride once: the next block size has the next one. */
#define for_each_stride(stride) \
	for ((stride) = BP_ALIGN; (stride) <= BLOCK_SIZE_MAX; \
	     (stride) = bp_stride_round((stride) + 1, BP_ALIGN))

TEST_F(stride, each_byte_of_two_chunks_and_around)
{
	u32 stride, chunk, nr_strides = 0;
	struct pool pool;

	for_each_stride(stride) {
		pool = pool_of(stride, NR_BLOCKS_MAX - 1, variant->chunk,
			       &self->random);
		ASSERT_EQ(stride, pool.geo.stride);
		chunk = pool.geo.nr_chunks - 1;
		ASSERT_TRUE(chunk_is_right(&pool, nr_strides % 2 ? 0 : chunk / 2,
					   random_base(&self->random)));
		ASSERT_TRUE(chunk_is_right(&pool, chunk,
					   random_base(&self->random)));
		ASSERT_TRUE(end_is_right(&pool, random_base(&self->random)));
		nr_strides++;
	}
	/* 7 below 512; then 8 for each of the 13 powers of two, and the last. */
	ASSERT_EQ(7u + 8 * 13 + 1, nr_strides);
}

/* Of all strides, this one's among them; a block's address is the hardest. */
TEST_F(stride, other_pools_blocks_are_not_ours)
{
	u32 ours, theirs, chunk, i;
	struct pool pool, other;
	u64 base, word, offset;

	for_each_stride(ours) {
		pool = pool_of(ours, NR_BLOCKS_MAX, variant->chunk,
			       &self->random);
		for_each_stride(theirs) {
			other = pool_of(theirs, NR_BLOCKS_MAX, variant->chunk,
					&self->random);
			base = random_base(&self->random);
			chunk = random_below(&self->random, other.geo.nr_chunks);
			word = word_of(&other, chunk, base);
			for (i = 0; i < 64; i++) {
				offset = random_below(&self->random,
						      other.geo.chunk_size);
				if (i % 2)
					offset -= offset % theirs;
				ASSERT_GE(index_of(&pool, base + offset, word),
					  NR_BLOCKS_MAX);
			}
		}
	}
}

/* Pages of others keep nothing there, or flags, or a pointer. */
TEST_F(stride, other_pages_are_not_ours)
{
	struct pool pool;
	u32 stride, i;
	u64 address;

	for_each_stride(stride) {
		pool = pool_of(stride, NR_BLOCKS_MAX, variant->chunk,
			       &self->random);
		for (i = 0; i < 4096; i++) {
			address = random_base(&self->random) + 64 * (i % 64);
			ASSERT_GE(index_of(&pool, address, 0), NR_BLOCKS_MAX);
			ASSERT_GE(index_of(&pool, address, i), NR_BLOCKS_MAX);
			ASSERT_GE(index_of(&pool, address,
					   random_base(&self->random)),
				  NR_BLOCKS_MAX);
		}
	}
}

TEST_HARNESS_MAIN

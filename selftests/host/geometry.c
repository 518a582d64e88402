// SPDX-License-Identifier: GPL-2.0
/* Where blocks lie: every rule that kmod/geometry.h states, over a wide sweep. */
#include "harness.h"
#include "random.h"
#include "../../kmod/geometry.h"

#define BLOCK_SIZE_MAX	(4u << 20)
#define NR_BLOCKS_MAX	(1u << 24)

static u32 max3(u32 a, u32 b, u32 c)
{
	u32 ab = a > b ? a : b;

	return ab > c ? ab : c;
}

static bool is_power_of_two(u32 n)
{
	return n && !(n & (n - 1));
}

TEST(stride_of_every_size)
{
	u32 size, stride, last = 0;

	for (size = 1; size <= BLOCK_SIZE_MAX; size++) {
		stride = bp_stride_round(size, BP_ALIGN);
		ASSERT_EQ(0u, stride % BP_ALIGN);
		ASSERT_GE(stride, size);
		ASSERT_GE(stride, last);
		if (size < 512)
			ASSERT_LT(stride - size, BP_ALIGN);
		if (size >= 512)
			ASSERT_LT(8 * (stride - size), size);
		last = stride;
	}
	ASSERT_EQ(BLOCK_SIZE_MAX, last);
}

TEST(stride_wastes_nothing_on_round_sizes)
{
	u32 size;

	for (size = 64; size <= BLOCK_SIZE_MAX; size *= 2)
		ASSERT_EQ(size, bp_stride_round(size, BP_ALIGN));
	ASSERT_EQ(1536u, bp_stride_round(1500, BP_ALIGN));
	ASSERT_EQ(9216u, bp_stride_round(9000, BP_ALIGN));
}

/* What a chunk is, for a pool of any length. */
static void check_chunk(struct __test_metadata *_metadata,
			const struct bp_geometry *geo, u32 page_size, u32 chunk)
{
	u32 limit = max3(15 * page_size, geo->stride, chunk);

	ASSERT_EQ(0u, geo->chunk_size % page_size);
	ASSERT_EQ((u64)geo->stride << geo->chunk_shift, geo->chunk_size);
	ASSERT_TRUE(is_power_of_two(geo->chunk_size / geo->stride));
	ASSERT_LE(geo->chunk_size, limit);
	if (geo->nr_chunks > 1)
		ASSERT_GT(geo->chunk_size, chunk / 2);
}

/* The chunks hold all blocks, and none of them is idle. */
static void check_pool(struct __test_metadata *_metadata,
		       const struct bp_geometry *geo, u32 page_size)
{
	u64 per_chunk = 1ull << geo->chunk_shift;
	u64 bytes = (u64)geo->nr_blocks * geo->stride;
	u32 last = geo->nr_chunks - 1;
	u64 before = (u64)last * geo->chunk_size;
	u32 rest = bp_geometry_chunk_bytes(geo, last);

	ASSERT_GE(geo->nr_chunks * per_chunk, geo->nr_blocks);
	ASSERT_LT(last * per_chunk, geo->nr_blocks);
	ASSERT_EQ(0u, geo->map_size % page_size);
	ASSERT_GE(geo->map_size, bytes);
	ASSERT_LT(geo->map_size - bytes, page_size);
	ASSERT_EQ(geo->map_size, before + rest);
	ASSERT_TRUE(rest && rest <= geo->chunk_size && rest % page_size == 0);
	if (last)
		ASSERT_EQ(geo->chunk_size, bp_geometry_chunk_bytes(geo, 0));
}

/* A block lies in one chunk, and at index * stride when these are in a row. */
static void check_block(struct __test_metadata *_metadata,
			const struct bp_geometry *geo, u32 index)
{
	u32 chunk = index >> geo->chunk_shift;
	u32 offset = (index & ((1u << geo->chunk_shift) - 1)) * geo->stride;

	ASSERT_LT(chunk, geo->nr_chunks);
	ASSERT_LE(offset + geo->stride, bp_geometry_chunk_bytes(geo, chunk));
	ASSERT_EQ((u64)index * geo->stride,
		  (u64)chunk * geo->chunk_size + offset);
}

/* Guard zones on both sides, and whole pages where they are or shall be. */
static void check_stride(struct __test_metadata *_metadata,
			 const struct bp_geometry *geo, u32 block_size,
			 u32 page_size, u32 with)
{
	u32 unit = BP_ALIGN, behind = geo->stride - geo->front - block_size;

	if (with & BP_PAGED || (with & BP_GUARDED && block_size % page_size == 0))
		unit = page_size;
	ASSERT_EQ(0u, geo->stride % unit);
	ASSERT_EQ(with & BP_GUARDED ? unit : 0, geo->front);
	ASSERT_GE(geo->stride, geo->front + block_size);
	ASSERT_GE(behind, geo->front);
	ASSERT_EQ(bp_stride_round(2 * geo->front + block_size, unit),
		  geo->stride);
}

static void check_with(struct __test_metadata *_metadata, u32 block_size,
		       u32 nr_blocks, u32 page_size, u32 chunk, u32 with)
{
	struct bp_geometry geo;

	bp_geometry_init(&geo, block_size, nr_blocks, page_size, chunk, with);
	ASSERT_EQ(nr_blocks, geo.nr_blocks);
	check_stride(_metadata, &geo, block_size, page_size, with);
	check_chunk(_metadata, &geo, page_size, chunk);
	check_pool(_metadata, &geo, page_size);
	check_block(_metadata, &geo, 0);
	check_block(_metadata, &geo, nr_blocks / 2);
	check_block(_metadata, &geo, nr_blocks - 1);
}

static void check(struct __test_metadata *_metadata, u32 block_size,
		  u32 nr_blocks, u32 page_size, u32 chunk)
{
	for (u32 with = 0; with <= (BP_GUARDED | BP_PAGED); with++)
		check_with(_metadata, block_size, nr_blocks, page_size, chunk,
			   with);
}

FIXTURE(pages)
{
	int none;
};

FIXTURE_VARIANT(pages)
{
	u32 size;
	u32 chunk;
};

FIXTURE_VARIANT_ADD(pages, 4k_easy) { 4096, BP_CHUNK_EASY };
FIXTURE_VARIANT_ADD(pages, 16k_easy) { 16384, BP_CHUNK_EASY };
FIXTURE_VARIANT_ADD(pages, 64k_easy) { 65536, BP_CHUNK_EASY };
FIXTURE_VARIANT_ADD(pages, 4k_huge) { 4096, BP_CHUNK_HUGE };
FIXTURE_VARIANT_ADD(pages, 16k_huge) { 16384, BP_CHUNK_HUGE };
FIXTURE_VARIANT_ADD(pages, 64k_huge) { 65536, BP_CHUNK_HUGE };

FIXTURE_SETUP(pages)
{
}

FIXTURE_TEARDOWN(pages)
{
}

TEST_F(pages, around_powers_of_two)
{
	static const u32 lengths[] = {
		1, 2, 3, 5, 8, 63, 64, 65, 4095, 4096, 4097, 100000,
		NR_BLOCKS_MAX - 1, NR_BLOCKS_MAX,
	};
	u32 power, size, i;

	for (power = 1; power <= BLOCK_SIZE_MAX; power *= 2) {
		for (size = power - power / 8; size <= power + power / 8;
		     size += 1 + power / 512) {
			if (size > BLOCK_SIZE_MAX)
				break;
			for (i = 0; i < ARRAY_SIZE(lengths); i++)
				check(_metadata, size, lengths[i],
				      variant->size, variant->chunk);
		}
	}
}

TEST_F(pages, random_pools)
{
	struct random random = RANDOM_INIT;
	u32 i, size, nr;

	for (i = 0; i < 100000; i++) {
		size = 1 + random_below(&random, 1u << random_below(&random, 23));
		nr = 1 + random_below(&random, 1u << random_below(&random, 25));
		check(_metadata, size, nr, variant->size, variant->chunk);
	}
}

TEST_F(pages, largest_pool_does_not_overflow)
{
	struct bp_geometry geo;

	bp_geometry_init(&geo, BLOCK_SIZE_MAX, NR_BLOCKS_MAX, variant->size,
			 variant->chunk, 0);
	ASSERT_EQ(1ull << 46, geo.map_size);
	ASSERT_EQ(NR_BLOCKS_MAX, geo.nr_chunks);
	check_block(_metadata, &geo, NR_BLOCKS_MAX - 1);
}

TEST_F(pages, smallest_pool_is_one_page)
{
	struct bp_geometry geo;

	bp_geometry_init(&geo, 1, 1, variant->size, variant->chunk, 0);
	ASSERT_EQ(variant->size, geo.map_size);
	ASSERT_EQ(1u, geo.nr_chunks);
	ASSERT_EQ(variant->size, bp_geometry_chunk_bytes(&geo, 0));
}

TEST_HARNESS_MAIN

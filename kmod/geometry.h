/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How N blocks of one size lie in memory.  Plain C.
 *
 * Block i lies at byte front + i * stride of the pool.  The pool is cut into chunks,
 * each contiguous in physical memory, and a block never crosses a chunk.  For
 * both to hold, a chunk is whole pages and whole strides; since a stride is an
 * odd number below 16 times a power of two, that takes 15 pages at most, or one
 * stride.  Blocks a chunk are then a power of two: finding a block is a shift, a
 * mask and a multiplication.
 *
 * With guard zones a stride begins with front bytes of one and ends with the other,
 * which has as many or more: what rounding adds is behind the block and guarded too.
 */
#ifndef BLOCKPOOL_GEOMETRY_H
#define BLOCKPOOL_GEOMETRY_H

#include "../common/plain.h"

#define BP_ALIGN	64u		/* no two blocks share a cache line */

/* Bytes in a row: a page table's worth, and what any kernel can find. */
#define BP_CHUNK_HUGE	(2u << 20)
#define BP_CHUNK_EASY	(32u << 10)

/* What a pool's blocks shall have. */
#define BP_GUARDED	1u		/* guard zones */
#define BP_PAGED	2u		/* pages of their own */

struct bp_geometry {
	u32 nr_blocks;
	u32 front;		/* bytes of a stride before the block */
	u32 stride;		/* bytes from block to block */
	u32 chunk_size;		/* bytes, of every chunk but the last */
	u32 chunk_shift;	/* log2 of the blocks in a chunk */
	u32 nr_chunks;
	u64 map_size;		/* bytes in all, whole pages */
};

/* Round up to @align, then to steps of 1/8 of the power of two below. */
static inline u32 bp_stride_round(u32 bytes, u32 align)
{
	while (align * 16 <= bytes)
		align *= 2;
	return (bytes + align - 1) & ~(align - 1);
}

/* How a block lies in its stride: whole pages stay whole pages. */
static inline void bp_geometry_stride(struct bp_geometry *geo, u32 block_size,
				      u32 page_size, u32 with)
{
	u32 align = BP_ALIGN;

	if (with & BP_PAGED ||
	    (with & BP_GUARDED && !(block_size & (page_size - 1))))
		align = page_size;
	geo->front = with & BP_GUARDED ? align : 0;
	geo->stride = bp_stride_round(block_size + 2 * geo->front, align);
}

/*
 * Sizes are checked by the caller: 1 byte to 4 MiB, 1 to 2^24 blocks.  Chunks are
 * as large as they can be within @chunk bytes, and as small as they can be if
 * that is not enough for one.  @with says what blocks shall have.
 */
static inline void bp_geometry_init(struct bp_geometry *geo, u32 block_size,
				    u32 nr_blocks, u32 page_size, u32 chunk,
				    u32 with)
{
	u32 stride, lowest_bit, shift = 0;

	bp_geometry_stride(geo, block_size, page_size, with);
	stride = geo->stride;
	lowest_bit = stride & -stride;
	while ((lowest_bit << shift) < page_size)
		shift++;
	while ((stride << shift) <= chunk / 2 &&
	       (1u << shift) < nr_blocks)
		shift++;

	geo->nr_blocks = nr_blocks;
	geo->chunk_shift = shift;
	geo->chunk_size = stride << shift;
	geo->nr_chunks = ((nr_blocks - 1) >> shift) + 1;
	geo->map_size = ((u64)nr_blocks * stride + page_size - 1) &
			~(u64)(page_size - 1);
}

/* Bytes in a chunk: only the last may be shorter. */
static inline u32 bp_geometry_chunk_bytes(const struct bp_geometry *geo,
					  u32 chunk)
{
	u64 left = geo->map_size - (u64)chunk * geo->chunk_size;

	return left < geo->chunk_size ? (u32)left : geo->chunk_size;
}

#endif /* BLOCKPOOL_GEOMETRY_H */

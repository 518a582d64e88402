// SPDX-License-Identifier: GPL-2.0
/* Looks at blocks in place: contents, addresses, indices. */

#include <linux/cache.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "compat.h"
#include "peer.h"

static void *peer_block(struct peer *peer, u32 index, u32 length)
{
	if (length > peer->block_bytes)
		return NULL;
	return blockpool_block(peer->pool, index);
}

long peer_crc(struct peer *peer, struct blockpool_peer_crc __user *user)
{
	struct blockpool_peer_crc crc;
	void *block;

	if (copy_from_user(&crc, user, sizeof(crc)))
		return -EFAULT;
	block = peer_block(peer, crc.index, crc.length);
	if (!block || crc.__reserved)
		return -EBADR;
	return put_user(peer_crc32c(block, crc.length), &user->crc);
}

static u8 *peer_data(struct peer *peer, struct blockpool_peer_data *data,
		     struct blockpool_peer_data __user *user)
{
	u8 *block;

	if (copy_from_user(data, user, sizeof(*data)))
		return ERR_PTR(-EFAULT);
	block = peer_block(peer, data->index, data->length);
	if (!block || data->__reserved)
		return ERR_PTR(-EBADR);
	return block;
}

long peer_fill(struct peer *peer, struct blockpool_peer_data __user *user)
{
	struct blockpool_peer_data data;
	u8 *block = peer_data(peer, &data, user);
	u32 i;

	if (IS_ERR(block))
		return PTR_ERR(block);
	if (xa_load(&peer->held, data.index) != block)
		return -EPERM;
	for (i = 0; i < data.length; i++)
		block[i] = blockpool_peer_byte(data.seed, i);
	return 0;
}

long peer_check(struct peer *peer, struct blockpool_peer_data __user *user)
{
	struct blockpool_peer_data data;
	u8 *block = peer_data(peer, &data, user);
	u32 i;

	if (IS_ERR(block))
		return PTR_ERR(block);
	for (i = 0; i < data.length; i++)
		if (block[i] != blockpool_peer_byte(data.seed, i))
			return -EILSEQ;
	return 0;
}

long peer_where(struct peer *peer, struct blockpool_peer_where __user *user)
{
	struct blockpool_peer_where where;
	void *block;
	u64 physical;

	if (copy_from_user(&where, user, sizeof(where)))
		return -EFAULT;
	block = blockpool_block(peer->pool, where.index);
	if (!block || where.__reserved)
		return -EBADR;
	if (!virt_addr_valid(block))
		return -EADDRNOTAVAIL;
	physical = virt_to_phys(block);
	return put_user(physical, &user->physical);
}

static bool peer_no_index(struct peer *peer, const char *block, size_t at)
{
	return !at || at >= peer->block_bytes ||
	       blockpool_index(peer->pool, block + at) == BLOCKPOOL_NO_INDEX;
}

static void peer_walk_block(struct peer *peer, u32 index,
			    struct blockpool_peer_walk *walk)
{
	const char *block = blockpool_block(peer->pool, index);

	if (!IS_ALIGNED((unsigned long)block, SMP_CACHE_BYTES))
		walk->misaligned++;
	if (blockpool_index(peer->pool, block) != index)
		walk->wrong_index++;
	if (!peer_no_index(peer, block, 1) ||
	    !peer_no_index(peer, block, SMP_CACHE_BYTES) ||
	    !peer_no_index(peer, block, peer->block_bytes / 2) ||
	    !peer_no_index(peer, block, peer->block_bytes - 1))
		walk->wrong_inside++;
}

long peer_walk(struct peer *peer, struct blockpool_peer_walk __user *user)
{
	struct blockpool_peer_walk walk = {
		.nr_blocks = peer->nr_blocks,
		.block_size = peer->block_bytes,
	};
	static const u32 beyond[] = {
		BLOCKPOOL_BLOCKS_MAX, 1U << 31, U32_MAX - 1, U32_MAX
	};
	u32 i;

	for (i = 0; i < peer->nr_blocks; i++) {
		peer_walk_block(peer, i, &walk);
		if (!(i % 1024))
			cond_resched();
	}
	for (i = 0; i < ARRAY_SIZE(beyond); i++)
		if (blockpool_block(peer->pool, beyond[i]))
			walk.wrong_beyond++;
	for (i = 0; i < 4096; i++)
		if (blockpool_block(peer->pool, peer->nr_blocks + i))
			walk.wrong_beyond++;
	return copy_to_user(user, &walk, sizeof(walk)) ? -EFAULT : 0;
}

// SPDX-License-Identifier: GPL-2.0
/* Shares: blocks that several hold at once, to read. */
#include <linux/bits.h>
#include <linux/bug.h>
#include <linux/errno.h>
#include <uapi/linux/blockpool.h>

#include "charge.h"
#include "share.h"

/*
 * Keys.  A client's are above all of the blocks' own, since no client has the id 0; a
 * 32-bit kernel has no keys for both.
 */
#define BP_INDEX_BITS	24

static_assert(BLOCKPOOL_BLOCKS_MAX == 1u << BP_INDEX_BITS);

static unsigned long bp_share_key(u32 client, u32 index)
{
	return (unsigned long)((u64)client << BP_INDEX_BITS | index);
}

/* What a block's entry says: all shares, those in flight included, and the kernel's. */
#define BP_KERNEL_SHARE	BIT(20)	/* one of the kernel's: there are fewer ports */
#define BP_ALL_SHARES	(BP_KERNEL_SHARE - 1)

/* What a client's entry says: its shares, and those that are about to be its. */
#define BP_SHARE_DUE	BIT(20)
#define BP_SHARES_HELD	(BP_SHARE_DUE - 1)

void bp_shares_init(struct bp_shares *shares)
{
	xa_init_flags(&shares->table, XA_FLAGS_LOCK_IRQ | XA_FLAGS_ACCOUNT);
}

void bp_shares_destroy(struct bp_shares *shares)
{
	xa_destroy(&shares->table);
}

static unsigned long bp_share_read(struct bp_shares *shares, unsigned long key)
{
	void *entry = xa_load(&shares->table, key);

	return xa_is_value(entry) ? xa_to_value(entry) : 0;
}

/**
 * bp_share_begin() - a block is about to be shared
 * @shares: the pool's
 * @index: the block, held by the caller
 * @n: how many shares, all in flight
 *
 * Context: Process context; may sleep.
 * Return: 0, -ENOMEM, or -EOPNOTSUPP on a 32-bit kernel.
 */
int bp_share_begin(struct bp_shares *shares, u32 index, u32 n)
{
	if (!IS_ENABLED(CONFIG_64BIT))
		return -EOPNOTSUPP;
	return xa_is_err(xa_store_irq(&shares->table, bp_share_key(0, index),
				      xa_mk_value(n), BP_GFP_CHARGED)) ?
	       -ENOMEM : 0;
}

/* Adds to an entry that takes no memory any more; 0 or -ENOMEM. */
static int bp_share_add(struct bp_shares *shares, unsigned long key,
			unsigned long value)
{
	void *entry;

	xa_lock_irq(&shares->table);
	value += bp_share_read(shares, key);
	entry = __xa_store(&shares->table, key, xa_mk_value(value), 0);
	xa_unlock_irq(&shares->table);
	return xa_err(entry);
}

/*
 * One in flight is about to be a client's: bp_share_received() or bp_share_return() must
 * follow.  0 or -ENOMEM; may sleep.
 */
int bp_share_receive(struct bp_shares *shares, u32 client, u32 index)
{
	unsigned long key = bp_share_key(client, index);
	int ret;

	/* What is reserved may go again with a share that ends just then. */
	do {
		ret = xa_reserve_irq(&shares->table, key, BP_GFP_CHARGED);
	} while (!ret && bp_share_add(shares, key, BP_SHARE_DUE));
	return ret ? -ENOMEM : 0;
}

/* Takes from an entry; returns what was there before. */
static unsigned long bp_share_take(struct bp_shares *shares, unsigned long key,
				   unsigned long value)
{
	unsigned long was = bp_share_read(shares, key);

	lockdep_assert_held(&shares->table.xa_lock);
	if (was == value)
		__xa_erase(&shares->table, key);
	else if (was)
		__xa_store(&shares->table, key, xa_mk_value(was - value), 0);
	return was;
}

/* It is the client's: an entry that is there and stays, so this takes no memory. */
void bp_share_received(struct bp_shares *shares, u32 client, u32 index)
{
	unsigned long key = bp_share_key(client, index), flags, value;

	xa_lock_irqsave(&shares->table, flags);
	value = bp_share_read(shares, key) - BP_SHARE_DUE + 1;
	__xa_store(&shares->table, key, xa_mk_value(value), 0);
	xa_unlock_irqrestore(&shares->table, flags);
}

/* The client could not be told. */
void bp_share_return(struct bp_shares *shares, u32 client, u32 index)
{
	unsigned long flags;

	xa_lock_irqsave(&shares->table, flags);
	bp_share_take(shares, bp_share_key(client, index), BP_SHARE_DUE);
	xa_unlock_irqrestore(&shares->table, flags);
}

/* One in flight is the kernel's now.  Context: Any but NMI. */
void bp_share_receive_kernel(struct bp_shares *shares, u32 index)
{
	unsigned long key = bp_share_key(0, index), flags;

	xa_lock_irqsave(&shares->table, flags);
	__xa_store(&shares->table, key,
		   xa_mk_value(bp_share_read(shares, key) + BP_KERNEL_SHARE), 0);
	xa_unlock_irqrestore(&shares->table, flags);
}

/* Whether a client has a share of a block. */
bool bp_share_held(struct bp_shares *shares, u32 client, u32 index)
{
	return bp_share_read(shares, bp_share_key(client, index)) &
	       BP_SHARES_HELD;
}

/* Ends one; returns how many are left.  With none, the block is the caller's to free. */
static u32 bp_share_left(struct bp_shares *shares, u32 index,
			 unsigned long value)
{
	unsigned long was = bp_share_take(shares, bp_share_key(0, index), value);

	return (was - value) & BP_ALL_SHARES;
}

/*
 * A client lets go of a share, if it has one: it is in flight then, until
 * bp_share_end_flight(), so that what the client could reach can be taken away before
 * the block is anybody else's.
 */
bool bp_share_release(struct bp_shares *shares, u32 client, u32 index)
{
	unsigned long key = bp_share_key(client, index), flags;
	bool held;

	xa_lock_irqsave(&shares->table, flags);
	held = bp_share_held(shares, client, index);
	if (held)
		bp_share_take(shares, key, 1);
	xa_unlock_irqrestore(&shares->table, flags);
	return held;
}

/*
 * One of the kernel's; returns how many are left, or -ENOENT if it has none.
 * Context: Any but NMI.
 */
int bp_share_end_kernel(struct bp_shares *shares, u32 index)
{
	unsigned long flags;
	int left = -ENOENT;

	xa_lock_irqsave(&shares->table, flags);
	if (bp_share_read(shares, bp_share_key(0, index)) > BP_ALL_SHARES)
		left = bp_share_left(shares, index, BP_KERNEL_SHARE + 1);
	xa_unlock_irqrestore(&shares->table, flags);
	return left;
}

/* One that nobody has or will have, likewise.  Context: Any but NMI. */
u32 bp_share_end_flight(struct bp_shares *shares, u32 index)
{
	unsigned long flags;
	u32 left;

	xa_lock_irqsave(&shares->table, flags);
	left = bp_share_left(shares, index, 1);
	xa_unlock_irqrestore(&shares->table, flags);
	return left;
}

/* The first block of which a client has a share, if there is any. */
bool bp_share_next(struct bp_shares *shares, u32 client, u32 *index)
{
	unsigned long at = bp_share_key(client, 0);

	if (!xa_find(&shares->table, &at,
		     bp_share_key(client, BLOCKPOOL_BLOCKS_MAX - 1), XA_PRESENT))
		return false;
	*index = at - bp_share_key(client, 0);
	return true;
}

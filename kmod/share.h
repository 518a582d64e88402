/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shares: blocks that several hold at once, to read, and who holds how many shares of
 * each.  The owner word of such a block is BLOCKPOOL_OWNER_SHARED.
 *
 * A share is in flight, in a message or between two holders, or a client's, or the
 * kernel's.  The last that ends takes the block with it.  One that is about to be a
 * client's, who may yet not get it, is in flight and has its place in the client's entry.
 */
#ifndef BLOCKPOOL_SHARE_H
#define BLOCKPOOL_SHARE_H

#include <linux/types.h>
#include <linux/xarray.h>

/*
 * One table: of a block, all its shares and how many of these are the kernel's; of a
 * client and a block, how many are its.  The lock is the array's, taken with interrupts
 * off.
 */
struct bp_shares {
	struct xarray table;
};

void bp_shares_init(struct bp_shares *shares);
void bp_shares_destroy(struct bp_shares *shares);

int bp_share_begin(struct bp_shares *shares, u32 index, u32 n);
int bp_share_receive(struct bp_shares *shares, u32 client, u32 index);
void bp_share_received(struct bp_shares *shares, u32 client, u32 index);
void bp_share_return(struct bp_shares *shares, u32 client, u32 index);
void bp_share_receive_kernel(struct bp_shares *shares, u32 index);
bool bp_share_held(struct bp_shares *shares, u32 client, u32 index);

bool bp_share_release(struct bp_shares *shares, u32 client, u32 index);
int bp_share_end_kernel(struct bp_shares *shares, u32 index);
u32 bp_share_end_flight(struct bp_shares *shares, u32 index);
bool bp_share_next(struct bp_shares *shares, u32 client, u32 *index);

#endif /* BLOCKPOOL_SHARE_H */

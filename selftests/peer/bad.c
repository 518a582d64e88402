// SPDX-License-Identifier: GPL-2.0
/* Hands blockpool addresses that are no block of the pool. */

#include <linux/err.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "peer.h"

struct peer_wrong {
	struct blockpool *pool;
	void *address;
	bool stack;
	bool free;
	u32 found;
};

static char peer_static[64] __aligned(64);

static void peer_wrong_run(void *arg)
{
	char local[64] __aligned(8) = "";
	struct peer_wrong *wrong = arg;

	if (wrong->stack)
		wrong->address = local;
	wrong->found = blockpool_index(wrong->pool, wrong->address);
	if (wrong->free)
		blockpool_free(wrong->pool, wrong->address);
}

/* An address that nothing has to be allocated for; the stack's comes later. */
static void *peer_wrong_address(struct peer *peer, u32 kind, char *block)
{
	switch (kind) {
	case BLOCKPOOL_PEER_USER:
		return (void *)PAGE_SIZE;
	case BLOCKPOOL_PEER_ERROR:
		return ERR_PTR(-ENOMEM);
	case BLOCKPOOL_PEER_STATIC:
		return peer_static;
	case BLOCKPOOL_PEER_TEXT:
		return (void *)(unsigned long)peer_wrong_run;
	case BLOCKPOOL_PEER_BEFORE:
		return block - 1;
	case BLOCKPOOL_PEER_INSIDE:
		return block + 1;
	case BLOCKPOOL_PEER_HALF:
		return block + peer->block_bytes / 2;
	case BLOCKPOOL_PEER_BEHIND:
		return block + peer->block_bytes;
	default:
		return NULL;
	}
}

static int peer_wrong_call(struct peer_wrong *wrong, u32 kind, u32 context)
{
	void *memory = NULL;
	int ret;

	if (kind == BLOCKPOOL_PEER_KMALLOC)
		memory = kmalloc(PAGE_SIZE / 2, GFP_KERNEL);
	else if (kind == BLOCKPOOL_PEER_VMALLOC)
		memory = vmalloc(PAGE_SIZE);
	else if (kind == BLOCKPOOL_PEER_PAGE || kind == BLOCKPOOL_PEER_FREED)
		memory = (void *)__get_free_page(GFP_KERNEL);
	else
		return peer_call(context, peer_wrong_run, wrong);

	if (!memory)
		return -ENOMEM;
	wrong->address = memory;
	if (kind == BLOCKPOOL_PEER_FREED) {
		free_page((unsigned long)memory);
		return peer_call(context, peer_wrong_run, wrong);
	}
	ret = peer_call(context, peer_wrong_run, wrong);
	if (kind == BLOCKPOOL_PEER_PAGE)
		free_page((unsigned long)memory);
	else
		kvfree(memory);
	return ret;
}

long peer_bad(struct peer *peer, struct blockpool_peer_bad __user *user)
{
	struct peer_wrong wrong = { .pool = peer->pool };
	struct blockpool_peer_bad bad;
	char *block;
	int ret;

	if (copy_from_user(&bad, user, sizeof(bad)))
		return -EFAULT;
	block = blockpool_block(peer->pool, bad.index);
	if (bad.kind >= BLOCKPOOL_PEER_KINDS || !block || bad.free > 1 ||
	    bad.context >= BLOCKPOOL_PEER_CONTEXTS || bad.__reserved)
		return -EBADR;

	wrong.stack = bad.kind == BLOCKPOOL_PEER_STACK;
	wrong.free = bad.free;
	wrong.address = peer_wrong_address(peer, bad.kind, block);
	ret = peer_wrong_call(&wrong, bad.kind, bad.context);
	return ret ?: put_user(wrong.found, &user->found);
}

static void peer_offer_block(struct peer *peer, void *block,
			     struct blockpool_peer_offer *offer)
{
	offer->offered++;
	offer->between += peer_between(peer->pool, block);
	offer->found += blockpool_index(peer->pool, block) !=
			BLOCKPOOL_NO_INDEX;
	if (offer->free)
		blockpool_free(peer->pool, block);
}

long peer_offer(struct peer *peer, struct blockpool_peer_offer __user *user)
{
	struct blockpool_peer_offer offer;
	struct blockpool *other;
	u32 i;

	if (copy_from_user(&offer, user, sizeof(offer)))
		return -EFAULT;
	if (!memchr(offer.name, 0, sizeof(offer.name)) || offer.free > 1)
		return -EBADR;
	memset_startat(&offer, 0, offered);
	other = blockpool_get(offer.name);
	if (IS_ERR(other))
		return PTR_ERR(other);
	for (i = 0; i < blockpool_nr_blocks(other); i++)
		peer_offer_block(peer, blockpool_block(other, i), &offer);
	blockpool_put(other);
	return copy_to_user(user, &offer, sizeof(offer)) ? -EFAULT : 0;
}

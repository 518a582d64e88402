// SPDX-License-Identifier: GPL-2.0
/* /dev/blockpool_peer: an open file, its pool and its ioctls. */

#include <linux/compat.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "peer.h"

static void peer_let_go(struct peer *peer)
{
	peer_churn_end(peer);
	peer_port_close(peer);
	peer_free_held(peer);
	if (peer->pool)
		blockpool_put(peer->pool);
	peer->pool = NULL;
}

static long peer_take_pool(struct peer *peer, struct blockpool *pool)
{
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	/* blockpool answers with an error, never with NULL. */
	if (!pool)
		return -EPROTO;
	peer_let_go(peer);
	peer->pool = pool;
	peer->nr_blocks = blockpool_nr_blocks(pool);
	peer->block_bytes = blockpool_block_size(pool);
	return 0;
}

static long peer_open_pool(struct peer *peer,
			   struct blockpool_peer_open __user *user)
{
	struct blockpool_peer_open open;

	if (copy_from_user(&open, user, sizeof(open)))
		return -EFAULT;
	if (!memchr(open.name, 0, sizeof(open.name)))
		return -EBADR;
	return peer_take_pool(peer, blockpool_get(open.name));
}

static long peer_create_pool(struct peer *peer,
			     struct blockpool_peer_create __user *user)
{
	struct blockpool_peer_create create;
	struct blockpool_attr attr;

	if (copy_from_user(&create, user, sizeof(create)))
		return -EFAULT;
	if (!memchr(create.name, 0, sizeof(create.name)) ||
	    create.block_size > SIZE_MAX || create.mode > U16_MAX ||
	    create.null_name > 1)
		return -EBADR;

	attr = (struct blockpool_attr) {
		.name = create.null_name ? NULL : create.name,
		.block_size = create.block_size,
		.nr_blocks = create.nr_blocks,
		.flags = create.flags,
		.mode = create.mode,
		.client_max = create.client_max,
		.node = create.node,
	};
	return peer_take_pool(peer, blockpool_create(&attr));
}

static long peer_port_ioctl(struct peer *peer, unsigned int cmd,
			    void __user *user)
{
	switch (cmd) {
	case BLOCKPOOL_PEER_PORT_OPEN:
		return peer_port_open(peer, user);
	case BLOCKPOOL_PEER_PORT_CLOSE:
		peer_port_close(peer);
		return 0;
	case BLOCKPOOL_PEER_PORT_SEND:
		return peer_port_send(peer, user);
	case BLOCKPOOL_PEER_PORT_RECV:
		return peer_port_recv(peer, user);
	case BLOCKPOOL_PEER_PORT_HANDLED:
		return peer_port_handled(peer, user);
	default:
		return -ENOTTY;
	}
}

static long peer_pool_ioctl(struct peer *peer, unsigned int cmd,
			    void __user *user)
{
	if (!peer->pool)
		return -ENXIO;

	switch (cmd) {
	case BLOCKPOOL_PEER_CLOSE:
		peer_let_go(peer);
		return 0;
	case BLOCKPOOL_PEER_CRC:
		return peer_crc(peer, user);
	case BLOCKPOOL_PEER_OP:
		return peer_op(peer, user);
	case BLOCKPOOL_PEER_BAD:
		return peer_bad(peer, user);
	case BLOCKPOOL_PEER_OFFER:
		return peer_offer(peer, user);
	case BLOCKPOOL_PEER_FILL:
		return peer_fill(peer, user);
	case BLOCKPOOL_PEER_CHECK:
		return peer_check(peer, user);
	case BLOCKPOOL_PEER_WHERE:
		return peer_where(peer, user);
	case BLOCKPOOL_PEER_WALK:
		return peer_walk(peer, user);
	case BLOCKPOOL_PEER_CRIME:
		return peer_crime(peer, user);
	case BLOCKPOOL_PEER_FALSIFY:
		return peer_falsify(peer, user);
	case BLOCKPOOL_PEER_DUEL:
		return peer_duel(peer, user);
	case BLOCKPOOL_PEER_DIE:
		return peer_die(peer, user);
	case BLOCKPOOL_PEER_TRUTH:
		return peer_truth(peer, user);
	case BLOCKPOOL_PEER_CHURN_RUN:
		return peer_churn_run(peer, user);
	case BLOCKPOOL_PEER_CHURN_START:
		return peer_churn_start(peer, user);
	case BLOCKPOOL_PEER_CHURN_STOP:
		return peer_churn_stop(peer, user);
	default:
		return peer_port_ioctl(peer, cmd, user);
	}
}

static long peer_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct peer *peer = file->private_data;
	void __user *user = (void __user *)arg;
	long ret;

	if (mutex_lock_interruptible(&peer->lock))
		return -EINTR;
	if (cmd == BLOCKPOOL_PEER_OPEN)
		ret = peer_open_pool(peer, user);
	else if (cmd == BLOCKPOOL_PEER_CREATE)
		ret = peer_create_pool(peer, user);
	else
		ret = peer_pool_ioctl(peer, cmd, user);
	mutex_unlock(&peer->lock);
	return ret;
}

static int peer_open(struct inode *inode, struct file *file)
{
	struct peer *peer = kzalloc(sizeof(*peer), GFP_KERNEL);

	if (!peer)
		return -ENOMEM;
	mutex_init(&peer->lock);
	xa_init(&peer->held);
	file->private_data = peer;
	return nonseekable_open(inode, file);
}

static int peer_release(struct inode *inode, struct file *file)
{
	struct peer *peer = file->private_data;

	peer_let_go(peer);
	mutex_destroy(&peer->lock);
	kfree(peer);
	return 0;
}

static const struct file_operations peer_fops = {
	.owner		= THIS_MODULE,
	.open		= peer_open,
	.release	= peer_release,
	.unlocked_ioctl	= peer_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static struct miscdevice peer_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "blockpool_peer",
	.fops	= &peer_fops,
	.mode	= 0600,
};

static int __init peer_init(void)
{
	int ret = peer_nmi_init();

	if (ret)
		return ret;
	ret = misc_register(&peer_device);
	if (ret)
		peer_nmi_exit();
	return ret;
}

static void __exit peer_exit(void)
{
	misc_deregister(&peer_device);
	peer_nmi_exit();
}

module_init(peer_init);
module_exit(peer_exit);

MODULE_DESCRIPTION("A second user of blockpool, for its tests");
MODULE_LICENSE("GPL");

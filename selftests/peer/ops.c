// SPDX-License-Identifier: GPL-2.0
/* Takes and frees blocks as told, and remembers which it holds. */

#include <linux/overflow.h>
#include <linux/slab.h>

#include "peer.h"

struct peer_job {
	struct blockpool *pool;
	u32 op;
	u32 count;
	gfp_t gfp;
	int result;
	u32 *indices;
	void **blocks;
};

static int peer_job_alloc(struct peer_job *job)
{
	u32 n;

	for (n = 0; n < job->count; n++) {
		job->blocks[n] = blockpool_alloc(job->pool, job->gfp);
		if (!job->blocks[n])
			break;
	}
	return n;
}

static void peer_job_run(void *arg)
{
	struct peer_job *job = arg;
	u32 n;

	switch (job->op) {
	case BLOCKPOOL_PEER_ALLOC:
		job->result = peer_job_alloc(job);
		break;
	case BLOCKPOOL_PEER_ALLOC_BULK:
		job->result = blockpool_alloc_bulk(job->pool, job->gfp,
						   job->blocks, job->count);
		break;
	case BLOCKPOOL_PEER_FREE:
		for (n = 0; n < job->count; n++)
			blockpool_free(job->pool, job->blocks[n]);
		break;
	case BLOCKPOOL_PEER_FREE_BULK:
		blockpool_free_bulk(job->pool, job->blocks, job->count);
		break;
	}
}

static bool peer_job_takes(const struct peer_job *job)
{
	return job->op == BLOCKPOOL_PEER_ALLOC ||
	       job->op == BLOCKPOOL_PEER_ALLOC_BULK;
}

static u32 peer_job_taken(const struct peer_job *job)
{
	if (job->op == BLOCKPOOL_PEER_ALLOC)
		return job->result;
	return job->result ? 0 : job->count;
}

/* What was taken is kept, or else none of it. */
static int peer_keep(struct peer *peer, struct peer_job *job)
{
	u32 n, taken = peer_job_taken(job);
	int ret;

	for (n = 0; n < taken; n++) {
		job->indices[n] = blockpool_index(job->pool, job->blocks[n]);
		ret = xa_err(xa_store(&peer->held, job->indices[n],
				      job->blocks[n], GFP_KERNEL));
		if (ret)
			goto free;
	}
	return 0;

free:
	while (n--)
		xa_erase(&peer->held, job->indices[n]);
	for (n = 0; n < taken; n++)
		blockpool_free(job->pool, job->blocks[n]);
	return ret;
}

static int peer_find(struct peer *peer, struct peer_job *job)
{
	u32 n;

	for (n = 0; n < job->count; n++) {
		job->blocks[n] = blockpool_block(job->pool, job->indices[n]);
		if (!job->blocks[n])
			return -EBADR;
	}
	for (n = 0; n < job->count; n++)
		xa_erase(&peer->held, job->indices[n]);
	return 0;
}

static int peer_do_take(struct peer *peer, struct peer_job *job, u32 context,
			u32 __user *indices)
{
	int ret;

	ret = peer_call(context, peer_job_run, job);
	if (!ret)
		ret = peer_keep(peer, job);
	if (!ret && copy_to_user(indices, job->indices,
				 array_size(peer_job_taken(job), sizeof(u32))))
		ret = -EFAULT;
	return ret;
}

static int peer_do_free(struct peer *peer, struct peer_job *job, u32 context,
			const u32 __user *indices)
{
	int ret;

	if (copy_from_user(job->indices, indices,
			   array_size(job->count, sizeof(u32))))
		return -EFAULT;
	ret = peer_find(peer, job);
	if (!ret)
		ret = peer_call(context, peer_job_run, job);
	return ret;
}

static bool peer_op_valid(const struct blockpool_peer_op *op)
{
	if (op->op > BLOCKPOOL_PEER_FREE_BULK || op->__reserved ||
	    op->context >= BLOCKPOOL_PEER_CONTEXTS ||
	    (op->flags & ~BLOCKPOOL_PEER_SLEEP) ||
	    op->count > BLOCKPOOL_PEER_COUNT_MAX)
		return false;
	return !(op->flags & BLOCKPOOL_PEER_SLEEP) ||
	       op->context == BLOCKPOOL_PEER_PROCESS;
}

long peer_op(struct peer *peer, struct blockpool_peer_op __user *user)
{
	struct peer_job job = { .pool = peer->pool };
	struct blockpool_peer_op op;
	u32 __user *indices;
	long ret = -ENOMEM;

	if (copy_from_user(&op, user, sizeof(op)))
		return -EFAULT;
	if (!peer_op_valid(&op))
		return -EBADR;
	indices = u64_to_user_ptr(op.indices);
	job.op = op.op;
	job.count = op.count;
	job.gfp = op.flags & BLOCKPOOL_PEER_SLEEP ? GFP_KERNEL : GFP_ATOMIC;
	job.indices = kmalloc_array(op.count, sizeof(*job.indices), GFP_KERNEL);
	job.blocks = kcalloc(op.count, sizeof(*job.blocks), GFP_KERNEL);
	if (!job.indices || !job.blocks)
		goto out;
	if (peer_job_takes(&job))
		ret = peer_do_take(peer, &job, op.context, indices);
	else
		ret = peer_do_free(peer, &job, op.context, indices);
	if (!ret)
		ret = put_user(job.result, &user->result);
out:
	kfree(job.blocks);
	kfree(job.indices);
	return ret;
}

void peer_free_held(struct peer *peer)
{
	unsigned long index;
	void *block;

	xa_for_each(&peer->held, index, block)
		blockpool_free(peer->pool, block);
	xa_destroy(&peer->held);
}

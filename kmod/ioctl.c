// SPDX-License-Identifier: GPL-2.0
/*
 * The calls on /dev/blockpool: one function each, which checks what user space
 * hands in, so that nothing below has to.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>

#include "charge.h"
#include "client.h"
#include "file.h"
#include "ioctl.h"
#include "owner.h"
#include "pool.h"
#include "stats.h"
#include "whole.h"

#define BP_FEW	64u	/* indices that fit on the stack */
#define BP_REPORT_SIZE_MAX	(64u << 10)	/* bytes of one from the future */

struct bp_batch {
	u32 *indices;
	u32 few[BP_FEW];
};

static int bp_batch_init(struct bp_batch *batch, u32 n)
{
	batch->indices = batch->few;
	if (n > BP_FEW)
		batch->indices = kvmalloc_array(n, sizeof(*batch->indices),
						BP_GFP_CHARGED);
	return batch->indices ? 0 : -ENOMEM;
}

static void bp_batch_destroy(struct bp_batch *batch)
{
	if (batch->indices != batch->few)
		kvfree(batch->indices);
}

#define BP_RESERVED_USED(args)	\
	memchr_inv((args)->__reserved, 0, sizeof((args)->__reserved))

bool bp_terminated(const char *name)
{
	return strnlen(name, BLOCKPOOL_NAME_SIZE) < BLOCKPOOL_NAME_SIZE;
}

static int bp_create_check(const struct file *file,
			   const struct blockpool_create_args *args)
{
	if (!bp_terminated(args->name) || (args->flags & ~BP_POOL_FLAGS) ||
	    (args->mode & ~0777))
		return -EINVAL;
	if ((file->f_mode & (FMODE_READ | FMODE_WRITE)) !=
	    (FMODE_READ | FMODE_WRITE))
		return -EACCES;
	/* Others would be attached to it without asking. */
	if (!strcmp(args->name, BP_DEFAULT_NAME) && !capable(CAP_SYS_ADMIN))
		return -EACCES;
	return 0;
}

static int bp_ioctl_create(struct file *file, void *arg, void __user *uarg)
{
	const struct blockpool_create_args *args = arg;
	const struct blockpool_attr attr = {
		.name = args->name,
		.block_size = args->block_size,
		.nr_blocks = args->nr_blocks,
		.flags = args->flags,
		.mode = args->mode,
		.client_max = args->client_max,
		.node = args->node,
		.reserve = args->reserve,
	};
	struct bp_client *client;
	struct blockpool *pool;
	int ret;

	ret = bp_create_check(file, args);
	if (ret)
		return ret;
	if (bp_file_attached(file))
		return -EBUSY;
	pool = bp_pool_create(&attr, current_euid(), current_egid(), true);
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	client = bp_file_attach(file, bp_pool_hold(pool));
	if (IS_ERR(client))
		bp_pool_unlink(pool);
	bp_pool_put(pool);
	return PTR_ERR_OR_ZERO(client);
}

static struct blockpool *bp_find_named(const struct blockpool_name_args *args)
{
	if (args->flags || !bp_terminated(args->name))
		return ERR_PTR(-EINVAL);
	return bp_pool_find(args->name) ?: ERR_PTR(-ENOENT);
}

static int bp_ioctl_attach(struct file *file, void *arg, void __user *uarg)
{
	struct blockpool *pool = bp_find_named(arg);

	if (IS_ERR(pool))
		return PTR_ERR(pool);
	if (!bp_file_permits(file, pool)) {
		bp_pool_put(pool);
		return -EACCES;
	}
	return PTR_ERR_OR_ZERO(bp_file_attach(file, pool));
}

static int bp_ioctl_unlink(struct file *file, void *arg, void __user *uarg)
{
	struct blockpool *pool = bp_find_named(arg);
	int ret = -EACCES;

	if (IS_ERR(pool))
		return PTR_ERR(pool);
	if (uid_eq(current_euid(), pool->uid) || capable(CAP_FOWNER))
		ret = bp_pool_unlink(pool) ? 0 : -ENOENT;
	bp_pool_put(pool);
	return ret;
}

static u32 bp_pool_flags(const struct blockpool *pool)
{
	return pool->flags | (READ_ONCE(pool->id) ? 0 : BLOCKPOOL_UNLINKED);
}

static int bp_ioctl_info(struct file *file, void *arg, void __user *uarg)
{
	struct bp_client *client = bp_file_attached(file);
	struct blockpool_info *info = arg;
	struct blockpool *pool;

	if (info->__reserved)
		return -EINVAL;
	pool = bp_file_look(file);
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	info->flags = bp_pool_flags(pool);
	info->block_size = pool->block_size;
	info->nr_blocks = bp_pool_nr_blocks(pool);
	info->stride = pool->store.geo.stride;
	info->client = client ? client->id : 0;
	info->client_max = pool->client_max;
	info->mode = pool->mode;
	info->uid = from_kuid_munged(current_user_ns(), pool->uid);
	info->gid = from_kgid_munged(current_user_ns(), pool->gid);
	info->map_size = pool->store.geo.map_size;
	info->status_offset = pool->store.geo.map_size;
	info->chunk_size = pool->store.geo.chunk_size;
	info->node = pool->flags & BLOCKPOOL_ON_NODE ? pool->node : 0;
	info->block_offset = pool->store.geo.front;
	info->reserve = pool->reserve;
	memcpy(info->name, pool->name, sizeof(info->name));
	bp_pool_put(pool);
	return 0;
}

/* How long a call may sleep; 0 or -EINVAL. */
int bp_until(const struct file *file, bool wait, s32 timeout_ms, ktime_t *until)
{
	*until = BP_NO_WAIT;
	if (!wait)
		return timeout_ms ? -EINVAL : 0;
	if (timeout_ms < -1)
		return -EINVAL;
	if (file->f_flags & O_NONBLOCK)
		return 0;
	*until = timeout_ms == -1 ? KTIME_MAX :
				    ktime_add_ms(ktime_get(), timeout_ms);
	return 0;
}

static int bp_alloc_until(const struct file *file,
			  const struct blockpool_alloc_args *args,
			  ktime_t *until)
{
	if (args->flags & ~BLOCKPOOL_ALLOC_WAIT ||
	    (args->flags && args->extra))
		return -EINVAL;
	return bp_until(file, args->flags & BLOCKPOOL_ALLOC_WAIT,
			args->timeout_ms, until);
}

/* The client of a file that was opened to write, too. */
struct bp_client *bp_writing_client(struct file *file)
{
	return file->f_mode & FMODE_WRITE ? bp_file_client(file) :
					    ERR_PTR(-EACCES);
}

int bp_stated_init(struct bp_stated *stated, struct bp_client *client,
		   u32 nr_frames, const void __user *frames)
{
	u32 n = min(nr_frames, BLOCKPOOL_FRAMES_MAX);

	if (!(client->pool->flags & BLOCKPOOL_TRACK))
		n = 0;
	stated->caller.client = client->id;
	stated->caller.nr_frames = n;
	stated->caller.frames = stated->frames;
	if (n && copy_from_user(stated->frames, frames, n * sizeof(u64)))
		return -EFAULT;
	return 0;
}

/* They could not be told to the caller. */
static void bp_alloc_undo(struct bp_client *client, const u32 *indices, u32 n,
			  const struct bp_caller *caller)
{
	u32 i, done;

	for (i = 0; i < n; i++) {
		done = 0;
		bp_client_free(client, &indices[i], 1, &done, caller);
	}
}

/* Returns 0 and how many, or an error. */
static int bp_alloc_batch(struct bp_client *client, u32 *indices,
			  const struct blockpool_alloc_args *args,
			  ktime_t until, u32 *n, const struct bp_caller *caller)
{
	int ret = bp_client_alloc(client, indices, args->count, until, caller);

	*n = args->count;
	if (!ret && args->extra)
		*n += bp_client_alloc_extra(client, indices + *n, args->extra,
					    caller);
	return ret;
}

static int bp_alloc_to_user(struct bp_client *client,
			    const struct blockpool_alloc_args *args,
			    ktime_t until,
			    struct blockpool_alloc_args __user *uargs)
{
	u32 __user *to = u64_to_user_ptr(args->indices);
	struct bp_stated stated;
	struct bp_batch batch;
	int ret;
	u32 n;

	ret = bp_stated_init(&stated, client, args->nr_frames,
			     u64_to_user_ptr(args->frames)) ?:
	      bp_batch_init(&batch, args->count + args->extra);
	if (ret)
		return ret;
	ret = bp_alloc_batch(client, batch.indices, args, until, &n,
			     &stated.caller);
	if (!ret && (copy_to_user(to, batch.indices, n * sizeof(u32)) ||
		     (n != args->count && put_user(n, &uargs->count)))) {
		bp_alloc_undo(client, batch.indices, n, &stated.caller);
		ret = -EFAULT;
	}
	bp_batch_destroy(&batch);
	return ret;
}

static int bp_ioctl_alloc(struct file *file, void *arg, void __user *uarg)
{
	const struct blockpool_alloc_args *args = arg;
	struct bp_client *client;
	ktime_t until;
	int ret;

	if (!args->count || args->count > BLOCKPOOL_BATCH_MAX ||
	    args->extra > BLOCKPOOL_BATCH_MAX - args->count)
		return -EINVAL;
	ret = bp_alloc_until(file, args, &until);
	if (ret)
		return ret;
	client = bp_writing_client(file);
	if (IS_ERR(client))
		return PTR_ERR(client);
	ret = bp_client_admit(client);
	if (ret)
		return ret;
	return bp_alloc_to_user(client, args, until, uarg);
}

static int bp_free_from_user(struct bp_client *client,
			     const struct blockpool_free_args *args,
			     u32 __user *udone)
{
	const u32 __user *from = u64_to_user_ptr(args->indices);
	struct bp_stated stated;
	struct bp_batch batch;
	u32 done = 0;
	int ret;

	ret = bp_stated_init(&stated, client, args->nr_frames,
			     u64_to_user_ptr(args->frames)) ?:
	      bp_batch_init(&batch, args->count);
	if (ret)
		return ret;
	if (copy_from_user(batch.indices, from, args->count * sizeof(u32)))
		ret = -EFAULT;
	else
		ret = bp_client_free(client, batch.indices, args->count, &done,
				     &stated.caller);
	bp_batch_destroy(&batch);
	if (done && put_user(done, udone))
		ret = -EFAULT;
	return ret;
}

static int bp_ioctl_free(struct file *file, void *arg, void __user *uarg)
{
	const struct blockpool_free_args *args = arg;
	struct blockpool_free_args __user *uargs = uarg;
	struct bp_client *client;

	/* Find out before anything is freed whether it can be reported. */
	if (put_user(0, &uargs->done))
		return -EFAULT;
	if (args->flags || !args->count || args->count > BLOCKPOOL_BATCH_MAX ||
	    args->__reserved)
		return -EINVAL;
	client = bp_writing_client(file);
	if (IS_ERR(client))
		return PTR_ERR(client);
	return bp_free_from_user(client, args, &uargs->done);
}

static int bp_ioctl_stats(struct file *file, void *arg, void __user *uarg)
{
	struct blockpool_stats *stats = arg;
	struct blockpool *pool;

	if (stats->flags)
		return -EINVAL;
	pool = bp_file_look(file);
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	bp_stats_read(pool, stats);
	bp_pool_put(pool);
	return 0;
}

/* The next pool that the caller may read; others do not exist for it. */
static struct blockpool *bp_next_permitted(u32 *cursor)
{
	struct blockpool *pool;

	while ((pool = bp_pool_next(cursor))) {
		if (bp_pool_permits(pool, MAY_READ))
			return pool;
		bp_pool_put(pool);
	}
	return NULL;
}

static int bp_ioctl_list(struct file *file, void *arg, void __user *uarg)
{
	struct blockpool_list_args *args = arg;
	struct blockpool_stats stats;
	struct blockpool *pool;

	if (BP_RESERVED_USED(args))
		return -EINVAL;
	pool = bp_next_permitted(&args->cursor);
	if (!pool)
		return -ENOENT;
	bp_stats_read(pool, &stats);
	args->flags = bp_pool_flags(pool);
	args->block_size = pool->block_size;
	args->nr_blocks = bp_pool_nr_blocks(pool);
	args->nr_free = stats.nr_free;
	args->nr_clients = stats.nr_clients;
	args->mode = pool->mode;
	args->uid = from_kuid_munged(current_user_ns(), pool->uid);
	args->gid = from_kgid_munged(current_user_ns(), pool->gid);
	memcpy(args->name, pool->name, sizeof(args->name));
	bp_pool_put(pool);
	return 0;
}

static int bp_holder_next(struct blockpool *pool,
			  struct blockpool_holder_args *args)
{
	struct bp_client *client;

	xa_lock(&pool->clients);
	client = bp_client_next(pool, &args->cursor);
	if (client) {
		args->held = bp_client_held(client);
		args->limit = pool->client_max;
		args->pid = pid_vnr(client->pid);
		args->uid = from_kuid_munged(current_user_ns(), client->uid);
		memcpy(args->comm, client->comm, sizeof(args->comm));
	}
	xa_unlock(&pool->clients);
	return client ? 0 : -ENOENT;
}

static int bp_ioctl_holder(struct file *file, void *arg, void __user *uarg)
{
	struct blockpool_holder_args *args = arg;
	struct blockpool *pool;
	int ret;

	BUILD_BUG_ON(sizeof(args->comm) != TASK_COMM_LEN);
	if (BP_RESERVED_USED(args))
		return -EINVAL;
	pool = bp_file_look(file);
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	ret = bp_holder_next(pool, args);
	bp_pool_put(pool);
	return ret;
}

static int bp_owners_to_user(const struct blockpool *pool, u32 first, u32 count,
			     u32 __user *to)
{
	u32 some[BP_FEW], done, n, i;

	for (done = 0; done < count; done += n) {
		n = min(count - done, BP_FEW);
		for (i = 0; i < n; i++)
			some[i] = bp_owner_read(&pool->owners[first + done + i]);
		if (copy_to_user(to + done, some, n * sizeof(u32)))
			return -EFAULT;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static int bp_ioctl_owners(struct file *file, void *arg, void __user *uarg)
{
	const struct blockpool_owners_args *args = arg;
	struct blockpool *pool;
	int ret = -EINVAL;

	if (args->flags || !args->count)
		return -EINVAL;
	pool = bp_file_look(file);
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	if (args->first < bp_pool_nr_blocks(pool) &&
	    args->count <= bp_pool_nr_blocks(pool) - args->first)
		ret = bp_owners_to_user(pool, args->first, args->count,
					u64_to_user_ptr(args->owners));
	bp_pool_put(pool);
	return ret;
}

static int bp_ioctl_modules(struct file *file, void *arg, void __user *uarg)
{
	const struct blockpool_modules_args *args = arg;
	struct bp_client *client;

	if (!args->length || args->length > BLOCKPOOL_MODULES_SIZE)
		return -EINVAL;
	client = bp_writing_client(file);
	if (IS_ERR(client))
		return PTR_ERR(client);
	if (!(client->pool->flags & BLOCKPOOL_TRACK))
		return -EOPNOTSUPP;
	return bp_paths_write(&client->pool->debug->reports.paths, client->id,
			      u64_to_user_ptr(args->text), args->length);
}

/* The pool that a file is about, in debug mode; with a reference. */
static struct blockpool *bp_look_debug(struct file *file)
{
	struct blockpool *pool = bp_file_look(file);

	if (IS_ERR(pool) || pool->debug)
		return pool;
	bp_pool_put(pool);
	return ERR_PTR(-EOPNOTSUPP);
}

static int bp_ioctl_check(struct file *file, void *arg, void __user *uarg)
{
	struct bp_client *client = bp_file_attached(file);
	const struct bp_caller caller = { .client = client ? client->id : 0 };
	struct blockpool_check_args *args = arg;
	struct blockpool *pool;
	int ret;

	if (args->flags)
		return -EINVAL;
	pool = bp_look_debug(file);
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	args->checked = bp_pool_nr_blocks(pool);
	ret = bp_whole_check(pool->debug, &caller, &args->damaged);
	bp_pool_put(pool);
	return ret;
}

static int bp_ioctl_repair(struct file *file, void *arg, void __user *uarg)
{
	struct blockpool_repair_args *args = arg;
	struct blockpool *pool;
	int ret = -EACCES;

	if (args->flags || args->__reserved)
		return -EINVAL;
	if (!(file->f_mode & FMODE_WRITE))
		return -EACCES;
	pool = bp_look_debug(file);
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	if (uid_eq(current_euid(), pool->uid) || capable(CAP_FOWNER))
		ret = bp_whole_repair(pool->debug, &args->repaired);
	bp_pool_put(pool);
	return ret;
}

/* As much as is known of what the caller has room for. */
static int bp_report_to_user(void __user *to, u32 size,
			     const struct blockpool_report *report)
{
	return copy_to_user(to, report, sizeof(*report)) ||
	       clear_user(to + sizeof(*report), size - sizeof(*report)) ?
	       -EFAULT : 0;
}

static int bp_report_next(struct blockpool *pool,
			  struct blockpool_report_args *args)
{
	struct blockpool_report *report = kvzalloc(sizeof(*report),
						   BP_GFP_CHARGED);
	int ret = -ENOENT;

	if (!report)
		return -ENOMEM;
	if (bp_reports_next(&pool->debug->reports, args->cursor, report)) {
		ret = bp_report_to_user(u64_to_user_ptr(args->report),
					args->report_size, report);
		args->cursor = report->seq;
	}
	kvfree(report);
	return ret;
}

static int bp_ioctl_report(struct file *file, void *arg, void __user *uarg)
{
	struct bp_client *client = bp_file_attached(file);
	struct blockpool_report_args *args = arg;
	struct blockpool *pool;
	int ret;

	if (args->report_size < sizeof(struct blockpool_report))
		return -EINVAL;
	if (args->report_size > BP_REPORT_SIZE_MAX)
		return -E2BIG;
	pool = bp_look_debug(file);
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	ret = bp_report_next(pool, args);
	if (!ret && client)
		bp_client_told(client, args->cursor);
	bp_pool_put(pool);
	return ret;
}

union bp_ioctl_args {
	struct blockpool_create_args create;
	struct blockpool_name_args name;
	struct blockpool_info info;
	struct blockpool_alloc_args alloc;
	struct blockpool_free_args free;
	struct blockpool_stats stats;
	struct blockpool_list_args list;
	struct blockpool_holder_args holder;
	struct blockpool_owners_args owners;
	struct blockpool_modules_args modules;
	struct blockpool_check_args check;
	struct blockpool_repair_args repair;
	struct blockpool_report_args report;
	struct blockpool_bind_args bind;
	struct blockpool_unbind_args unbind;
	struct blockpool_send_args send;
	struct blockpool_recv_args recv;
	struct blockpool_share_args share;
	struct blockpool_port_args port;
	struct blockpool_call_args call;
};

struct bp_ioctl_op {
	u32 size;
	bool answers;	/* the structure goes back on success */
	int (*call)(struct file *file, void *arg, void __user *uarg);
};

#define BP_OP(_cmd, _member, _answers, _call)				\
	[_IOC_NR(BLOCKPOOL_IOC_##_cmd)] = {				\
		.size = sizeof_field(union bp_ioctl_args, _member),	\
		.answers = _answers,					\
		.call = _call,						\
	}

static const struct bp_ioctl_op bp_ioctl_ops[] = {
	BP_OP(CREATE, create, false, bp_ioctl_create),
	BP_OP(ATTACH, name, false, bp_ioctl_attach),
	BP_OP(UNLINK, name, false, bp_ioctl_unlink),
	BP_OP(INFO, info, true, bp_ioctl_info),
	BP_OP(ALLOC, alloc, false, bp_ioctl_alloc),
	BP_OP(FREE, free, false, bp_ioctl_free),
	BP_OP(STATS, stats, true, bp_ioctl_stats),
	BP_OP(LIST, list, true, bp_ioctl_list),
	BP_OP(HOLDER, holder, true, bp_ioctl_holder),
	BP_OP(OWNERS, owners, false, bp_ioctl_owners),
	BP_OP(MODULES, modules, false, bp_ioctl_modules),
	BP_OP(CHECK, check, true, bp_ioctl_check),
	BP_OP(REPAIR, repair, true, bp_ioctl_repair),
	BP_OP(REPORT, report, true, bp_ioctl_report),
	BP_OP(BIND, bind, false, bp_ioctl_bind),
	BP_OP(UNBIND, unbind, false, bp_ioctl_unbind),
	BP_OP(SEND, send, false, bp_ioctl_send),
	BP_OP(RECV, recv, false, bp_ioctl_recv),
	BP_OP(SHARE, share, false, bp_ioctl_share),
	BP_OP(PORT, port, true, bp_ioctl_port),
	BP_OP(CALL, call, false, bp_ioctl_call),
};

long bp_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *uarg = (void __user *)arg;
	unsigned int nr = _IOC_NR(cmd);
	const struct bp_ioctl_op *op;
	union bp_ioctl_args args;
	u32 size;
	int ret;

	if (nr >= ARRAY_SIZE(bp_ioctl_ops) ||
	    cmd != _IO(BLOCKPOOL_IOC_MAGIC, nr))
		return -ENOTTY;
	op = &bp_ioctl_ops[array_index_nospec(nr, ARRAY_SIZE(bp_ioctl_ops))];
	if (get_user(size, (u32 __user *)uarg))
		return -EFAULT;
	if (size < op->size)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	ret = copy_struct_from_user(&args, op->size, uarg, size);
	if (ret)
		return ret;
	ret = op->call(file, &args, uarg);
	if (!ret && op->answers && copy_to_user(uarg, &args, op->size))
		ret = -EFAULT;
	return ret;
}

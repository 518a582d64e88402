// SPDX-License-Identifier: GPL-2.0
/*
 * A client of a pool where nobody else writes to its blocks and nobody else has
 * its file: each answer to its calls is foretold, down to the errno.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

/* The first word of a block that is held, and its last byte. */
static __u32 stamp_of(const struct fuzz_model *model, __u32 index)
{
	return model->info.client << 16 | index | 1U << 31;
}

static char *block_of(const struct fuzz_model *model, __u32 index)
{
	return model->map + (size_t)index * model->info.stride +
	       model->info.block_offset;
}

static bool holds(const struct fuzz_model *model, __u32 index)
{
	for (__u32 i = 0; i < model->nr_held; i++)
		if (model->held[i] == index)
			return true;
	return false;
}

/* More than one user has seen the pool: what is free is all zeros. */
static void take(struct fuzz_model *model, __u32 index)
{
	char *block = block_of(model, index);
	__u32 stamp = stamp_of(model, index);

	must(index < model->info.nr_blocks && !holds(model, index));
	for (__u32 i = 0; i < model->info.block_size; i++)
		must(!block[i]);
	memcpy(block, &stamp, sizeof(stamp));
	block[model->info.block_size - 1] = index;
	model->held[model->nr_held++] = index;
}

/* Returns an index that is not held any more, as far as the model goes. */
static __u32 drop(struct fuzz_model *model, __u32 at)
{
	__u32 index = model->held[at], stamp = stamp_of(model, index);
	const char *block = block_of(model, index);

	must(!memcmp(block, &stamp, sizeof(stamp)));
	must(block[model->info.block_size - 1] == (char)index);
	model->held[at] = model->held[--model->nr_held];
	return index;
}

static int count_error(const struct fuzz_model *model, __u32 n)
{
	if (!n || n > model->info.nr_blocks)
		return -EINVAL;
	if (n > model->info.client_max - model->nr_held)
		return -EDQUOT;
	return 0;
}

/* Others may have taken all that is free: EAGAIN and ETIMEDOUT are right too. */
static void alloc(struct fuzz *fuzz)
{
	struct fuzz_model *model = &fuzz->model;
	__u32 n = fuzz_below(fuzz, model->info.client_max + 4), indices[512];
	bool wait = fuzz_once(fuzz, 4);
	int ret, foretold = count_error(model, n);

	if (fuzz_once(fuzz, 32))
		n = model->info.nr_blocks + 1, foretold = -EINVAL;
	if (wait)
		ret = pool_alloc_wait(model->fd, indices, n, fuzz_below(fuzz, 3));
	else
		ret = pool_alloc(model->fd, indices, n);
	must(foretold ? ret == foretold :
			!ret || ret == (wait ? -ETIMEDOUT : -EAGAIN));
	for (__u32 i = 0; !ret && i < n; i++)
		take(model, indices[i]);
}

static void alloc_extra(struct fuzz *fuzz)
{
	struct fuzz_model *model = &fuzz->model;
	__u32 n = 1 + fuzz_below(fuzz, 8), indices[512];
	struct blockpool_alloc_args args = {
		.size = sizeof(args),
		.count = n,
		.extra = fuzz_below(fuzz, 64),
		.indices = (uintptr_t)indices,
	};
	__u32 most = n + args.extra;
	int ret = pool_ioctl(model->fd, BLOCKPOOL_IOC_ALLOC, &args);
	int foretold = count_error(model, n);

	must(foretold ? ret == foretold : !ret || ret == -EAGAIN);
	must(ret ? args.count == n : args.count >= n && args.count <= most);
	for (__u32 i = 0; !ret && i < args.count; i++)
		take(model, indices[i]);
	must(model->nr_held <= model->info.client_max);
}

/* An index that is refused, and with what. */
static int bad_index(struct fuzz *fuzz, __u32 *index)
{
	struct fuzz_model *model = &fuzz->model;

	if (fuzz_once(fuzz, 2)) {
		*index = model->info.nr_blocks + fuzz_number(fuzz) / 2;
		return -EINVAL;
	}
	do {
		*index = fuzz_below(fuzz, model->info.nr_blocks);
	} while (holds(model, *index));
	return -EPERM;
}

/* Some of what is held, and behind them perhaps one that is not. */
static void give(struct fuzz *fuzz)
{
	struct fuzz_model *model = &fuzz->model;
	__u32 n = fuzz_below(fuzz, model->nr_held + 1), indices[512] = {}, done;
	int ret, foretold = n ? 0 : -EINVAL, more = 0;

	for (__u32 i = 0; i < n; i++)
		indices[i] = drop(model, fuzz_below(fuzz, model->nr_held));
	if (fuzz_once(fuzz, 2)) {
		indices[n + 1] = indices[0];	/* not looked at any more */
		foretold = bad_index(fuzz, &indices[n]);
		more = 2;
	}
	ret = pool_free(model->fd, indices, n + more, &done);
	must(ret == foretold && done == n);
}

/* The answer could not be told, so nothing is done. */
static void fault(struct fuzz *fuzz)
{
	struct fuzz_model *model = &fuzz->model;
	struct blockpool_alloc_args alloc = {
		.size = sizeof(alloc), .count = 1, .indices = 8,
	};
	struct blockpool_free_args give = {
		.size = sizeof(give), .count = 1, .indices = 8,
	};
	int ret = pool_ioctl(model->fd, BLOCKPOOL_IOC_ALLOC, &alloc);

	if (model->nr_held == model->info.client_max)
		must(ret == -EDQUOT);
	else
		must(ret == -EFAULT || ret == -EAGAIN);
	must(pool_ioctl(model->fd, BLOCKPOOL_IOC_FREE, &give) == -EFAULT);
	must(!give.done);
}

/* What the kernel says of this client. */
static void look(struct fuzz *fuzz)
{
	struct fuzz_model *model = &fuzz->model;
	struct blockpool_holder_args holder = {
		.size = sizeof(holder), .cursor = model->info.client - 1,
	};
	struct blockpool_info info = pool_info(model->fd);
	__u32 owners[512], held = 0;

	must(!memcmp(&info, &model->info, sizeof(info)));
	must(!pool_ioctl(model->fd, BLOCKPOOL_IOC_HOLDER, &holder));
	must(holder.cursor == info.client && holder.held == model->nr_held);
	must(holder.pid == getpid() && holder.limit == info.client_max);
	must(!pool_owners(model->fd, 0, info.nr_blocks, owners));
	for (__u32 i = 0; i < info.nr_blocks; i++)
		held += owners[i] == info.client;
	must(held == model->nr_held);
	for (__u32 i = 0; i < model->nr_held; i++)
		must(owners[model->held[i]] == info.client);
}

static void model_open(struct fuzz *fuzz)
{
	struct fuzz_model *model = &fuzz->model;

	model->nr_held = 0;
	model->fd = pool_join(fuzz->model_name);
	model->map = pool_map(model->fd);
	model->info = pool_info(model->fd);
	must(model->info.nr_blocks < 512);
}

/* Leaves what it holds to the kernel. */
void fuzz_model_end(struct fuzz *fuzz)
{
	struct fuzz_model *model = &fuzz->model;

	while (model->nr_held)
		drop(model, 0);
	munmap(model->map, model->info.map_size);
	close(model->fd);
}

void fuzz_model_init(struct fuzz *fuzz)
{
	model_open(fuzz);
}

void fuzz_model(struct fuzz *fuzz)
{
	fuzz_count(&fuzz->shared->calls);
	fuzz_count(&fuzz->shared->model);
	switch (fuzz_below(fuzz, 64)) {
	case 0:
		fuzz_model_end(fuzz);
		model_open(fuzz);
		break;
	case 1 ... 3:
		look(fuzz);
		break;
	case 4 ... 7:
		fault(fuzz);
		break;
	case 8 ... 30:
		alloc(fuzz);
		break;
	case 31 ... 35:
		alloc_extra(fuzz);
		break;
	default:
		give(fuzz);
	}
}

// SPDX-License-Identifier: GPL-2.0
/*
 * A client of a pool where nobody else writes to its blocks and nobody else has
 * its file: each answer to its calls is foretold, down to the errno.
 */
#include <poll.h>
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

static bool shares(const struct fuzz_model *model, __u32 index)
{
	for (__u32 i = 0; i < model->nr_shares; i++)
		if (model->shares[i] == index)
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

/* Wherever it is, its content is there. */
static void check_stamp(const struct fuzz_model *model, __u32 index)
{
	__u32 stamp = stamp_of(model, index);
	const char *block = block_of(model, index);

	must(!memcmp(block, &stamp, sizeof(stamp)));
	must(block[model->info.block_size - 1] == (char)index);
}

/* Returns an index that is not held any more, as far as the model goes. */
static __u32 drop(struct fuzz_model *model, __u32 at)
{
	__u32 index = model->held[at];

	check_stamp(model, index);
	model->held[at] = model->held[--model->nr_held];
	return index;
}

/* All that the client's limit is for. */
static __u32 counted(const struct fuzz_model *model)
{
	return model->nr_held + model->nr_shares;
}

static __u32 left(const struct fuzz_model *model)
{
	return model->info.client_max - counted(model);
}

static int count_error(const struct fuzz_model *model, __u32 n)
{
	if (!n || n > model->info.nr_blocks)
		return -EINVAL;
	if (n > left(model))
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
	must(counted(model) <= model->info.client_max);
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
	} while (holds(model, *index) || shares(model, *index));
	return -EPERM;
}

/* Some of what is held, and behind them perhaps one that is not. */
static void give(struct fuzz *fuzz)
{
	struct fuzz_model *model = &fuzz->model;
	__u32 n = fuzz_below(fuzz, model->nr_held + 1), indices[512] = {}, done;
	int ret, foretold = n ? 0 : -EINVAL, more = 0;

	for (__u32 i = 0; i < n; i++) {
		indices[i] = drop(model, fuzz_below(fuzz, model->nr_held));
		model->taken[indices[i]] = false;
	}
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

	if (!left(model))
		must(ret == -EDQUOT);
	else
		must(ret == -EFAULT || ret == -EAGAIN);
	must(pool_ioctl(model->fd, BLOCKPOOL_IOC_FREE, &give) == -EFAULT);
	must(!give.done);
}

/*
 * Its port
 */

static bool at_least_once(const struct fuzz_model *model)
{
	return model->port.flags & BLOCKPOOL_BIND_AGAIN;
}

static __u32 nr_taken(const struct fuzz_model *model)
{
	__u32 n = 0;

	for (__u32 i = 0; at_least_once(model) && i < model->nr_held; i++)
		n += model->taken[model->held[i]];
	return n;
}

static __u32 room(const struct fuzz_model *model)
{
	return model->port.depth - model->nr_queued - nr_taken(model);
}

static void queue(struct fuzz_model *model, const struct blockpool_message *message,
		  __u32 flags)
{
	struct blockpool_message *queued = &model->queued[model->nr_queued++];

	*queued = *message;
	queued->pid = getpid();
	queued->flags = flags;
	model->taken[message->index] = false;
}

static struct blockpool_message write_message(struct fuzz *fuzz, __u32 index)
{
	struct fuzz_model *model = &fuzz->model;
	__u32 offset = fuzz_below(fuzz, model->info.block_size + 1);

	return (struct blockpool_message) {
		.index = index,
		.offset = offset,
		.length = fuzz_below(fuzz, model->info.block_size - offset + 1),
		.reply = fuzz_once(fuzz, 4) ? model->port.port : 0,
		.cookie = model->cookie++,
		.pid = fuzz_below(fuzz, 2),	/* not looked at */
		.flags = fuzz_below(fuzz, 4),
	};
}

/* One of them is not to be sent, and so none is; says why. */
static int spoil(struct fuzz *fuzz, struct blockpool_message *messages, __u32 n)
{
	struct blockpool_message *message = &messages[fuzz_below(fuzz, n)];

	switch (fuzz_below(fuzz, 4)) {
	case 0:
		message->length = fuzz->model.info.block_size - message->offset + 1;
		return -EINVAL;
	case 1:
		message->reply = fuzz->model.port.port + 1000;
		return -EPERM;
	default:
		return bad_index(fuzz, &message->index);
	}
}

/* Some flags, and what the call says when there is nothing to be done. */
static int move_flags(struct fuzz *fuzz, __u32 *flags, __s32 *timeout_ms)
{
	*flags = fuzz_once(fuzz, 3) ? BLOCKPOOL_PORT_ALL : 0;
	if (!fuzz_once(fuzz, 8))
		return -EAGAIN;
	*flags |= BLOCKPOOL_PORT_WAIT;
	*timeout_ms = fuzz_below(fuzz, 3);
	return -ETIMEDOUT;
}

/* Fills SEND's arguments, but for a port; says what it returns, and has done. */
static int foretell_send(struct fuzz *fuzz, struct blockpool_send_args *args,
			 struct blockpool_message *messages, __u32 *done)
{
	struct fuzz_model *model = &fuzz->model;
	__u32 n = 0, most = fuzz_below(fuzz, FUZZ_DEPTH + 4);
	__u32 space = room(model);
	int foretold = move_flags(fuzz, &args->flags, &args->timeout_ms);
	bool all = args->flags & BLOCKPOOL_PORT_ALL;

	for (; n < most && model->nr_held; n++) {
		__u32 index = drop(model, fuzz_below(fuzz, model->nr_held));

		messages[n] = write_message(fuzz, index);
	}
	args->size = sizeof(*args);
	args->port = model->port.port;
	args->messages = (uintptr_t)messages;
	args->count = n;
	*done = 0;
	if (!n || (all && n > model->port.depth))
		return -EINVAL;
	if (!space || (all && n > space))
		return foretold;
	*done = n < space ? n : space;
	return 0;
}

/* What was not sent is held. */
static void settle_sent(struct fuzz_model *model,
			const struct blockpool_message *messages, __u32 n,
			__u32 done)
{
	for (__u32 i = 0; i < n; i++) {
		if (i < done)
			queue(model, &messages[i], 0);
		else
			model->held[model->nr_held++] = messages[i].index;
	}
}

static void send(struct fuzz *fuzz)
{
	struct fuzz_model *model = &fuzz->model;
	struct blockpool_message messages[FUZZ_DEPTH + 4];
	struct blockpool_send_args args = {};
	__u32 done;
	int foretold = foretell_send(fuzz, &args, messages, &done), ret;

	ret = pool_ioctl(model->fd, BLOCKPOOL_IOC_SEND, &args);
	must(ret == foretold && args.done == done);
	settle_sent(model, messages, args.count, done);
}

/* Bad ones among good ones, or one twice. */
static void send_spoilt(struct fuzz *fuzz)
{
	struct fuzz_model *model = &fuzz->model;
	struct blockpool_message messages[8];
	struct blockpool_send_args args = {
		.size = sizeof(args),
		.port = model->port.port,
		.messages = (uintptr_t)messages,
	};
	int foretold, ret;

	while (args.count < 8 && args.count < model->nr_held) {
		messages[args.count] =
			write_message(fuzz, model->held[args.count]);
		args.count++;
	}
	if (args.count < 2)
		return;
	if (fuzz_once(fuzz, 4) && room(model) >= 2) {
		messages[1].index = messages[0].index;
		ret = pool_ioctl(model->fd, BLOCKPOOL_IOC_SEND, &args);
		must((ret == -EPERM || ret == -EINVAL) && !args.done);
		return;
	}
	foretold = spoil(fuzz, messages, args.count);
	ret = pool_ioctl(model->fd, BLOCKPOOL_IOC_SEND, &args);
	must(ret == foretold && !args.done);
}

/* As it was sent, and all that was sent before has come. */
static void check_received(struct fuzz_model *model,
			   const struct blockpool_message *messages, __u32 n)
{
	must(!memcmp(messages, model->queued, n * sizeof(*messages)));
	for (__u32 i = 0; i < n; i++) {
		check_stamp(model, messages[i].index);
		if (messages[i].flags & BLOCKPOOL_MESSAGE_SHARED) {
			model->shares[model->nr_shares++] = messages[i].index;
		} else {
			model->held[model->nr_held++] = messages[i].index;
			model->taken[messages[i].index] = true;
		}
	}
	model->nr_queued -= n;
	memmove(model->queued, model->queued + n,
		model->nr_queued * sizeof(*messages));
}

/* Fills RECV's arguments; says what it returns if there is nothing. */
static int foretell_recv(struct fuzz *fuzz, struct blockpool_recv_args *args,
			 struct blockpool_message *messages)
{
	struct fuzz_model *model = &fuzz->model;

	args->size = sizeof(*args);
	args->port = model->port.port;
	args->count = 1 + fuzz_below(fuzz, model->port.depth);
	args->messages = (uintptr_t)messages;
	return move_flags(fuzz, &args->flags, &args->timeout_ms);
}

static void settle_received(struct fuzz_model *model,
			    const struct blockpool_recv_args *args,
			    const struct blockpool_message *messages, int foretold,
			    int ret)
{
	__u32 least = args->flags & BLOCKPOOL_PORT_ALL ? args->count : 1;
	__u32 n = args->count;

	if (n > model->nr_queued)
		n = model->nr_queued;
	if (n > left(model))
		n = left(model);
	must(args->done == (ret ? 0 : n));
	if (!ret)
		check_received(model, messages, n);
	else
		must((ret == foretold && least > model->nr_queued) ||
		     (ret == -EDQUOT && least > left(model)));
}

static void receive(struct fuzz *fuzz)
{
	struct fuzz_model *model = &fuzz->model;
	struct blockpool_message messages[FUZZ_DEPTH];
	struct blockpool_recv_args args = {};
	int foretold = foretell_recv(fuzz, &args, messages), ret;

	ret = pool_ioctl(model->fd, BLOCKPOOL_IOC_RECV, &args);
	settle_received(model, &args, messages, foretold, ret);
}

/* The second half is what RECV would do if the first has done all, and nothing if not. */
static void send_and_receive(struct fuzz *fuzz)
{
	struct fuzz_model *model = &fuzz->model;
	struct blockpool_message messages[FUZZ_DEPTH + 4], answers[FUZZ_DEPTH];
	struct blockpool_call_args args = { .size = sizeof(args) };
	int ret, sent, received;
	__u32 done;

	sent = foretell_send(fuzz, &args.send, messages, &done);
	received = foretell_recv(fuzz, &args.recv, answers);
	ret = pool_ioctl(model->fd, BLOCKPOOL_IOC_CALL, &args);
	must(args.send.done == done);
	settle_sent(model, messages, args.send.count, done);
	if (sent || done < args.send.count)
		must(ret == sent && !args.recv.done);
	else
		settle_received(model, &args.recv, answers, received, ret);
}

/* To nobody else, so that all holders are known. */
static void share(struct fuzz *fuzz)
{
	struct fuzz_model *model = &fuzz->model;
	struct blockpool_share_args args = {
		.size = sizeof(args),
		.nr_ports = 1,
		.ports = (uintptr_t)&model->port.port,
	};
	__u32 index = BLOCKPOOL_NO_INDEX;
	int foretold = 0, ret;

	if (!model->nr_held || model->nr_shares + model->nr_queued >= FUZZ_DEPTH)
		return;
	if (fuzz_once(fuzz, 8)) {
		foretold = bad_index(fuzz, &index);
	} else if (model->nr_shares && fuzz_once(fuzz, 4)) {
		index = model->shares[0];
		foretold = -EPERM;
	} else {
		index = model->held[0];
		foretold = room(model) ? 0 : -EAGAIN;
	}
	args.message = write_message(fuzz, index);
	ret = pool_ioctl(model->fd, BLOCKPOOL_IOC_SHARE, &args);
	must(ret == foretold);
	if (!ret) {
		drop(model, 0);
		queue(model, &args.message, BLOCKPOOL_MESSAGE_SHARED);
	}
}

/* As a block is freed, and not a second time; it does not come again. */
static void end_share(struct fuzz *fuzz)
{
	struct fuzz_model *model = &fuzz->model;
	__u32 at, index;

	if (!model->nr_shares)
		return;
	at = fuzz_below(fuzz, model->nr_shares);
	index = model->shares[at];
	check_stamp(model, index);
	model->shares[at] = model->shares[--model->nr_shares];
	must(!pool_give(model->fd, index));
	must(pool_give(model->fd, index) == -EPERM);
}

/* Nothing moves, and what is there stays in its order. */
static void port_fault(struct fuzz *fuzz)
{
	struct fuzz_model *model = &fuzz->model;
	struct blockpool_recv_args args = {
		.size = sizeof(args),
		.port = model->port.port,
		.count = 1,
		.messages = 8,
	};

	must(pool_ioctl(model->fd, BLOCKPOOL_IOC_SEND, &args) == -EFAULT);
	must(!args.done);
	if (!model->nr_queued || !left(model))
		return;
	must(pool_ioctl(model->fd, BLOCKPOOL_IOC_RECV, &args) == -EFAULT);
	must(!args.done);
}

static void move(struct fuzz *fuzz)
{
	switch (fuzz_below(fuzz, 32)) {
	case 0 ... 1:
		port_fault(fuzz);
		break;
	case 2 ... 5:
		send_spoilt(fuzz);
		break;
	case 6 ... 8:
		share(fuzz);
		break;
	case 9 ... 11:
		end_share(fuzz);
		break;
	case 12 ... 18:
		send(fuzz);
		break;
	case 19 ... 23:
		send_and_receive(fuzz);
		break;
	default:
		receive(fuzz);
	}
}

/* What the kernel says of the port. */
static void look_at_port(const struct fuzz_model *model, const __u32 *owners)
{
	struct blockpool_port_args port = {
		.size = sizeof(port), .cursor = model->port.port - 1,
	};
	struct pollfd poll_fd = { .fd = model->fd, .events = POLLIN };
	__u32 queued = 0;

	must(!pool_ioctl(model->fd, BLOCKPOOL_IOC_PORT, &port));
	must(port.cursor == model->port.port && !strcmp(port.name, model->port.name));
	must(port.depth == model->port.depth && port.nr_messages == model->nr_queued);
	must(port.nr_taken == nr_taken(model));
	must(port.nr_senders == 1 && port.nr_receivers == 1);
	must(poll(&poll_fd, 1, 0) == (model->nr_queued > 0));
	for (__u32 i = 0; i < model->info.nr_blocks; i++)
		queued += owners[i] == (BLOCKPOOL_OWNER_PORT | port.cursor);
	for (__u32 i = 0; i < model->nr_queued; i++)
		queued += owners[model->queued[i].index] == BLOCKPOOL_OWNER_SHARED;
	must(queued == model->nr_queued);
}

static void port_open(struct fuzz *fuzz)
{
	struct fuzz_model *model = &fuzz->model;

	model->nr_queued = 0;
	model->nr_shares = 0;
	memset(model->taken, 0, sizeof(model->taken));
	model->port = (struct blockpool_bind_args) {
		.size = sizeof(model->port),
		.flags = BLOCKPOOL_BIND_SEND | BLOCKPOOL_BIND_RECV |
			 BLOCKPOOL_BIND_CREATE |
			 (fuzz_once(fuzz, 2) ? BLOCKPOOL_BIND_AGAIN : 0),
		.depth = 1 + fuzz_below(fuzz, FUZZ_DEPTH),
	};
	snprintf(model->port.name, sizeof(model->port.name), "model-%d", getpid());
	must(!pool_ioctl(model->fd, BLOCKPOOL_IOC_BIND, &model->port));
	must(model->port.port);
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
	for (__u32 i = 0; i < model->nr_shares; i++)
		must(owners[model->shares[i]] == BLOCKPOOL_OWNER_SHARED);
	look_at_port(model, owners);
}

static void model_open(struct fuzz *fuzz)
{
	struct fuzz_model *model = &fuzz->model;

	model->nr_held = 0;
	model->fd = pool_join(fuzz->model_name);
	model->map = pool_map(model->fd);
	model->info = pool_info(model->fd);
	must(model->info.nr_blocks < 512);
	port_open(fuzz);
}

/* Leaves what it holds, and what is in its port, to the kernel. */
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
	case 36 ... 49:
		move(fuzz);
		break;
	default:
		give(fuzz);
	}
}

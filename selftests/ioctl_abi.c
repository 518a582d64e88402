// SPDX-License-Identifier: GPL-2.0
/*
 * The contract of every ioctl's structure: too small, exact, larger with zeros
 * behind, larger with something behind, reserved fields, unknown flags, bad
 * pointers.  What is refused must leave every pool and every output as it was.
 */
#include <sys/ioctl.h>

#include "harness.h"
#include "port.h"

#define NR_BLOCKS	64
#define TAIL		64	/* bytes behind a structure */
#define DONE		0x5a5a5a5a	/* poison */

/* Room for the largest structure and a tail. */
union args {
	__u32 size;
	struct blockpool_create_args create;
	struct blockpool_name_args name;
	struct blockpool_info info;
	struct blockpool_alloc_args alloc;
	struct blockpool_free_args free;
	struct blockpool_stats stats;
	struct blockpool_list_args list;
	struct blockpool_holder_args holder;
	struct blockpool_owners_args owners;
	struct blockpool_bind_args bind;
	struct blockpool_unbind_args unbind;
	struct blockpool_send_args send;
	struct blockpool_recv_args recv;
	struct blockpool_share_args share;
	struct blockpool_port_args port;
	struct blockpool_call_args call;
	__u8 bytes[512];
};

/* What a call gets to work on; all of it is made anew for each call. */
struct scene {
	char name[BLOCKPOOL_NAME_SIZE];		/* the pool */
	char victim[BLOCKPOOL_NAME_SIZE];	/* a persistent one, to unlink */
	char unused[BLOCKPOOL_NAME_SIZE];	/* no pool's name */
	int watch;		/* attached to the pool, not for the call */
	int fd;			/* for the call */
	__u32 index;		/* held by the watcher or, for FREE, by fd */
	__u32 port;		/* that both use; in it there is ... */
	__u32 queued;		/* ... this block */
	union {
		__u32 words[NR_BLOCKS];	/* indices, owners or a port's number */
		struct blockpool_message messages[2];
	};
};

/* Everything that a refused call might have changed. */
struct state {
	struct blockpool_stats stats;
	__u32 owners[NR_BLOCKS];
	unsigned int pools;
	bool has_victim, has_unused;
	unsigned int nr_ports;
	struct blockpool_port_args port;	/* the first */
};

struct field {
	size_t offset, size;
};

#define FIELD(type, member)	{ offsetof(struct type, member), \
				  sizeof(((struct type *)0)->member) }

FIXTURE(abi)
{
	struct scene scene;
};

FIXTURE_VARIANT(abi)
{
	unsigned long request;
	size_t size;
	bool attached;		/* the call wants an attached fd */
	bool ports;		/* and one that uses a port with a message */
	bool writes_back;	/* the structure itself is an output */
	struct field flags;	/* where unknown flags can be set */
	__u32 unknown;		/* all that are */
	struct field reserved;
	struct field words;	/* where the address of an array is */
};

FIXTURE_VARIANT_ADD(abi, create)
{
	.request = BLOCKPOOL_IOC_CREATE,
	.size = sizeof(struct blockpool_create_args),
	.flags = FIELD(blockpool_create_args, flags),
	.unknown = ~(BLOCKPOOL_PERSIST | BLOCKPOOL_ON_NODE | BLOCKPOOL_ISOLATED |
		     BLOCKPOOL_DEBUG),
};

FIXTURE_VARIANT_ADD(abi, attach)
{
	.request = BLOCKPOOL_IOC_ATTACH,
	.size = sizeof(struct blockpool_name_args),
	.flags = FIELD(blockpool_name_args, flags),
	.unknown = ~0U,
};

FIXTURE_VARIANT_ADD(abi, unlink)
{
	.request = BLOCKPOOL_IOC_UNLINK,
	.size = sizeof(struct blockpool_name_args),
	.flags = FIELD(blockpool_name_args, flags),
	.unknown = ~0U,
};

FIXTURE_VARIANT_ADD(abi, info)
{
	.request = BLOCKPOOL_IOC_INFO,
	.size = sizeof(struct blockpool_info),
	.attached = true,
	.writes_back = true,
	.reserved = FIELD(blockpool_info, __reserved),
};

FIXTURE_VARIANT_ADD(abi, alloc)
{
	.request = BLOCKPOOL_IOC_ALLOC,
	.size = sizeof(struct blockpool_alloc_args),
	.attached = true,
	.flags = FIELD(blockpool_alloc_args, flags),
	.unknown = ~BLOCKPOOL_ALLOC_WAIT,
	.words = FIELD(blockpool_alloc_args, indices),
};

FIXTURE_VARIANT_ADD(abi, free)
{
	.request = BLOCKPOOL_IOC_FREE,
	.size = sizeof(struct blockpool_free_args),
	.attached = true,
	.writes_back = true,
	.flags = FIELD(blockpool_free_args, flags),
	.unknown = ~0U,
	.words = FIELD(blockpool_free_args, indices),
};

FIXTURE_VARIANT_ADD(abi, stats)
{
	.request = BLOCKPOOL_IOC_STATS,
	.size = sizeof(struct blockpool_stats),
	.attached = true,
	.writes_back = true,
	.flags = FIELD(blockpool_stats, flags),
	.unknown = ~0U,
};

FIXTURE_VARIANT_ADD(abi, list)
{
	.request = BLOCKPOOL_IOC_LIST,
	.size = sizeof(struct blockpool_list_args),
	.writes_back = true,
	.reserved = FIELD(blockpool_list_args, __reserved),
};

FIXTURE_VARIANT_ADD(abi, holder)
{
	.request = BLOCKPOOL_IOC_HOLDER,
	.size = sizeof(struct blockpool_holder_args),
	.attached = true,
	.writes_back = true,
	.reserved = FIELD(blockpool_holder_args, __reserved),
};

FIXTURE_VARIANT_ADD(abi, owners)
{
	.request = BLOCKPOOL_IOC_OWNERS,
	.size = sizeof(struct blockpool_owners_args),
	.attached = true,
	.flags = FIELD(blockpool_owners_args, flags),
	.unknown = ~0U,
	.words = FIELD(blockpool_owners_args, owners),
};

FIXTURE_VARIANT_ADD(abi, bind)
{
	.request = BLOCKPOOL_IOC_BIND,
	.size = sizeof(struct blockpool_bind_args),
	.attached = true,
	.ports = true,
	.writes_back = true,
	.flags = FIELD(blockpool_bind_args, flags),
	.unknown = ~(BLOCKPOOL_BIND_SEND | BLOCKPOOL_BIND_RECV |
		     BLOCKPOOL_BIND_CREATE | BLOCKPOOL_BIND_FD |
		     BLOCKPOOL_BIND_AGAIN),
	.reserved = FIELD(blockpool_bind_args, __reserved),
};

FIXTURE_VARIANT_ADD(abi, unbind)
{
	.request = BLOCKPOOL_IOC_UNBIND,
	.size = sizeof(struct blockpool_unbind_args),
	.attached = true,
	.ports = true,
};

FIXTURE_VARIANT_ADD(abi, send)
{
	.request = BLOCKPOOL_IOC_SEND,
	.size = sizeof(struct blockpool_send_args),
	.attached = true,
	.ports = true,
	.writes_back = true,
	.flags = FIELD(blockpool_send_args, flags),
	.unknown = ~(BLOCKPOOL_PORT_WAIT | BLOCKPOOL_PORT_ALL),
	.reserved = FIELD(blockpool_send_args, __reserved),
	.words = FIELD(blockpool_send_args, messages),
};

FIXTURE_VARIANT_ADD(abi, recv)
{
	.request = BLOCKPOOL_IOC_RECV,
	.size = sizeof(struct blockpool_recv_args),
	.attached = true,
	.ports = true,
	.writes_back = true,
	.flags = FIELD(blockpool_recv_args, flags),
	.unknown = ~(BLOCKPOOL_PORT_WAIT | BLOCKPOOL_PORT_ALL),
	.reserved = FIELD(blockpool_recv_args, __reserved),
	.words = FIELD(blockpool_recv_args, messages),
};

FIXTURE_VARIANT_ADD(abi, share)
{
	.request = BLOCKPOOL_IOC_SHARE,
	.size = sizeof(struct blockpool_share_args),
	.attached = true,
	.ports = true,
	.flags = FIELD(blockpool_share_args, flags),
	.unknown = ~0U,
	.reserved = FIELD(blockpool_share_args, __reserved),
	.words = FIELD(blockpool_share_args, ports),
};

FIXTURE_VARIANT_ADD(abi, port)
{
	.request = BLOCKPOOL_IOC_PORT,
	.size = sizeof(struct blockpool_port_args),
	.attached = true,
	.ports = true,
	.writes_back = true,
	.reserved = FIELD(blockpool_port_args, __reserved),
};

FIXTURE_VARIANT_ADD(abi, call)
{
	.request = BLOCKPOOL_IOC_CALL,
	.size = sizeof(struct blockpool_call_args),
	.attached = true,
	.ports = true,
	.writes_back = true,
	.flags = FIELD(blockpool_call_args, send.flags),
	.unknown = ~(BLOCKPOOL_PORT_WAIT | BLOCKPOOL_PORT_ALL),
	.reserved = FIELD(blockpool_call_args, __reserved),
	.words = FIELD(blockpool_call_args, send.messages),
};

/* Only what the call does to it shall end it. */
static void scene_set_port(struct scene *scene)
{
	scene->port = port_bind(scene->watch, "inbox", PORT_MAKE);
	must(port_bind(scene->fd, "inbox", PORT_SEND | PORT_RECV) ==
	     (int)scene->port);
	scene->queued = pool_take(scene->fd);
	must(port_send_one(scene->fd, scene->port, scene->queued, 7) == 1);
}

/* A pool with one block held by each of the two clients, and a victim. */
static void scene_set(struct scene *scene, bool attached)
{
	struct blockpool_create_args args = {
		.flags = BLOCKPOOL_PERSIST,
		.block_size = 64,
		.nr_blocks = 1,
	};
	int fd = pool_open(O_RDWR);

	pool_name(scene->name);
	pool_name(scene->victim);
	pool_name(scene->unused);
	must(!pool_create_args(fd, scene->victim, args));
	close(fd);
	scene->watch = pool_new(scene->name, 64, NR_BLOCKS);
	scene->fd = attached ? pool_join(scene->name) : pool_open(O_RDWR);
	must(pool_take(scene->watch) >= 0);
	if (attached)
		scene->index = pool_take(scene->fd);
}

static void scene_clear(struct scene *scene)
{
	close(scene->fd);
	close(scene->watch);
	if (pool_listed(scene->victim))
		must(!pool_unlink(scene->victim));
}

FIXTURE_SETUP(abi)
{
	scene_set(&self->scene, variant->attached);
	if (variant->ports)
		scene_set_port(&self->scene);
}

FIXTURE_TEARDOWN(abi)
{
	scene_clear(&self->scene);
}

static struct state state_now(const struct scene *scene)
{
	struct state state;

	memset(&state, 0, sizeof(state));
	state.stats = pool_stats(scene->watch);
	must(!pool_owners(scene->watch, 0, NR_BLOCKS, state.owners));
	state.pools = pool_count();
	state.has_victim = pool_listed(scene->victim);
	state.has_unused = pool_listed(scene->unused);
	while (!port_look(scene->watch, state.port.cursor, &state.port))
		state.nr_ports++;
	if (state.nr_ports)
		must(!port_look(scene->watch, 0, &state.port));
	return state;
}

static void set_name(char *to, const char *name)
{
	memcpy(to, name, BLOCKPOOL_NAME_SIZE);
}

/* As fill(), for calls about ports; what comes is put behind what goes. */
static void fill_port(union args *args, unsigned long request,
		      struct scene *scene)
{
	const struct blockpool_message message = { .index = scene->index };

	switch (request) {
	case BLOCKPOOL_IOC_BIND:
		args->bind = port_args("made", PORT_MAKE);
		break;
	case BLOCKPOOL_IOC_UNBIND:
		args->unbind.port = scene->port;
		break;
	case BLOCKPOOL_IOC_SEND:
		scene->messages[0] = message;
		args->send = PORT_ARGS(blockpool_send_args, scene->port,
				       scene->messages, 1, 0, 0);
		break;
	case BLOCKPOOL_IOC_RECV:
		args->recv = PORT_ARGS(blockpool_recv_args, scene->port,
				       scene->messages, 1, 0, 0);
		break;
	case BLOCKPOOL_IOC_SHARE:
		scene->words[0] = scene->port;
		args->share.nr_ports = 1;
		args->share.ports = (uintptr_t)scene->words;
		args->share.message = message;
		break;
	case BLOCKPOOL_IOC_CALL:
		scene->messages[0] = message;
		args->call = port_call_halves(scene->port, &scene->messages[0], 1,
					      scene->port, &scene->messages[1], 1,
					      0);
		break;
	}
}

/* Arguments with which the call succeeds; outputs are poisoned. */
static void fill(union args *args, unsigned long request, size_t size,
		 struct scene *scene)
{
	uintptr_t words = (uintptr_t)scene->words;

	memset(args, 0, sizeof(*args));
	memset(scene->words, POOL_POISON, sizeof(scene->words));
	switch (request) {
	case BLOCKPOOL_IOC_CREATE:
		args->create.block_size = 100;
		args->create.nr_blocks = 3;
		set_name(args->create.name, scene->unused);
		break;
	case BLOCKPOOL_IOC_ATTACH:
		set_name(args->name.name, scene->name);
		break;
	case BLOCKPOOL_IOC_UNLINK:
		set_name(args->name.name, scene->victim);
		break;
	case BLOCKPOOL_IOC_ALLOC:
		args->alloc.count = 3;
		args->alloc.indices = words;
		break;
	case BLOCKPOOL_IOC_FREE:
		args->free.count = 1;
		args->free.done = DONE;
		args->free.indices = words;
		scene->words[0] = scene->index;
		break;
	case BLOCKPOOL_IOC_OWNERS:
		args->owners.count = NR_BLOCKS;
		args->owners.owners = words;
		break;
	default:
		fill_port(args, request, scene);
	}
	args->size = size;
}

/* Those who tell how many they moved do so even when they are refused: it is none. */
static void forget_done(union args *args, unsigned long request)
{
	switch (request) {
	case BLOCKPOOL_IOC_FREE:
		args->free.done = 0;
		break;
	case BLOCKPOOL_IOC_SEND:
	case BLOCKPOOL_IOC_RECV:
		args->send.done = 0;
		break;
	case BLOCKPOOL_IOC_CALL:
		args->call.send.done = 0;
		args->call.recv.done = 0;
		break;
	}
}

/*
 * ALLOC may find out only after taking blocks that it cannot name them; that it
 * took and gave them back may be counted.
 */
static void forget_round_trip(struct blockpool_stats *stats,
			      const struct blockpool_stats *before)
{
	must(stats->allocs - before->allocs == stats->frees - before->frees);
	stats->allocs = before->allocs;
	stats->frees = before->frees;
	stats->min_free = before->min_free;
}

/* The call must fail so, and change nothing that anybody can see. */
static void refuse(struct scene *scene, unsigned long request, void *address,
		   union args *args, int first, int second)
{
	struct state before = state_now(scene), after;
	__u32 words[NR_BLOCKS];
	union args saved = *args;
	int ret;

	memcpy(words, scene->words, sizeof(words));
	ret = pool_ioctl(scene->fd, request, address);
	if (ret != first && ret != second)
		pool_fatal("ioctl %lx, size %u: expected %d or %d, seen %d",
			   request, args->size, first, second, ret);
	after = state_now(scene);
	if (request == BLOCKPOOL_IOC_ALLOC && ret == -EFAULT)
		forget_round_trip(&after.stats, &before.stats);
	must(!memcmp(&before, &after, sizeof(before)));
	forget_done(&saved, request);
	forget_done(args, request);
	must(!memcmp(&saved, args, sizeof(saved)));
	must(!memcmp(words, scene->words, sizeof(words)));
}

#define REFUSE(args, error) \
	refuse(&self->scene, variant->request, args, args, error, error)

TEST_F(abi, too_small)
{
	union args args;

	for (__u32 size = 0; size < variant->size; size++) {
		fill(&args, variant->request, size, &self->scene);
		REFUSE(&args, -EINVAL);
	}
}

TEST_F(abi, something_behind)
{
	union args args;

	for (size_t i = 0; i < TAIL; i++) {
		fill(&args, variant->request, variant->size + TAIL,
		     &self->scene);
		args.bytes[variant->size + i] = 1;
		REFUSE(&args, -E2BIG);
	}
	fill(&args, variant->request, variant->size + 1, &self->scene);
	args.bytes[variant->size] = 0x80;
	REFUSE(&args, -E2BIG);
}

/* All of it would have to be zero, and most of it is not even memory. */
TEST_F(abi, huge)
{
	static const __u32 sizes[] = {
		1U << 24, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff,
	};
	union args args;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		fill(&args, variant->request, sizes[i], &self->scene);
		refuse(&self->scene, variant->request, &args, &args, -E2BIG,
		       -EFAULT);
	}
}

/* Likewise, of those about ports. */
static void expect_port_done(struct scene *scene, unsigned long request,
			     const union args *args, const struct state *before,
			     const struct state *after)
{
	__u32 client = pool_info(scene->fd).client;
	int more = after->port.nr_messages - before->port.nr_messages;

	switch (request) {
	case BLOCKPOOL_IOC_BIND:
		must(args->bind.port > scene->port);
		must(after->nr_ports == before->nr_ports + 1);
		break;
	case BLOCKPOOL_IOC_UNBIND:
		must(after->port.nr_senders == before->port.nr_senders - 1);
		must(after->port.nr_receivers == before->port.nr_receivers - 1);
		break;
	case BLOCKPOOL_IOC_SEND:
		must(args->send.done == 1 && more == 1);
		must(after->owners[scene->index] ==
		     (BLOCKPOOL_OWNER_PORT | scene->port));
		break;
	case BLOCKPOOL_IOC_RECV:
		must(args->recv.done == 1 && more == -1);
		must(scene->messages[0].cookie == 7);
		must(after->owners[scene->queued] == client);
		break;
	case BLOCKPOOL_IOC_SHARE:
		must(more == 1);
		must(after->owners[scene->index] == BLOCKPOOL_OWNER_SHARED);
		break;
	case BLOCKPOOL_IOC_PORT:
		must(args->port.cursor == scene->port);
		must(!strcmp(args->port.name, "inbox"));
		must(args->port.nr_messages == 1);
		break;
	case BLOCKPOOL_IOC_CALL:
		must(args->call.send.done == 1 && args->call.recv.done == 1);
		must(!more && scene->messages[1].cookie == 7);
		must(after->owners[scene->index] ==
		     (BLOCKPOOL_OWNER_PORT | scene->port));
		must(after->owners[scene->queued] == client);
		break;
	}
}

/* What a successful call did, seen from outside. */
static void expect_done(struct scene *scene, unsigned long request,
			const union args *args, const struct state *before)
{
	struct state after = state_now(scene);

	switch (request) {
	case BLOCKPOOL_IOC_CREATE:
		must(after.has_unused && after.pools == before->pools + 1);
		must(pool_info(scene->fd).nr_blocks == 3);
		break;
	case BLOCKPOOL_IOC_ATTACH:
		must(after.stats.nr_clients == before->stats.nr_clients + 1);
		must(!strcmp(pool_info(scene->fd).name, scene->name));
		break;
	case BLOCKPOOL_IOC_UNLINK:
		must(!after.has_victim && after.pools == before->pools - 1);
		break;
	case BLOCKPOOL_IOC_ALLOC:
		must(after.stats.nr_held == before->stats.nr_held + 3);
		for (int i = 0; i < 3; i++)
			must(after.owners[scene->words[i]] ==
			     pool_info(scene->fd).client);
		break;
	case BLOCKPOOL_IOC_FREE:
		must(args->free.done == 1);
		must(after.stats.nr_held == before->stats.nr_held - 1);
		must(!after.owners[scene->index]);
		break;
	case BLOCKPOOL_IOC_INFO:
		must(args->info.block_size == 64);
		must(args->info.nr_blocks == NR_BLOCKS);
		must(!strcmp(args->info.name, scene->name));
		break;
	case BLOCKPOOL_IOC_STATS:
		must(args->stats.nr_held == 2 && args->stats.nr_clients == 2);
		must(args->stats.nr_blocks == NR_BLOCKS);
		break;
	case BLOCKPOOL_IOC_LIST:
		must(args->list.cursor && args->list.name[0]);
		break;
	case BLOCKPOOL_IOC_HOLDER:
		must(args->holder.cursor && args->holder.held == 1);
		break;
	case BLOCKPOOL_IOC_OWNERS:
		must(!memcmp(scene->words, after.owners, sizeof(after.owners)));
		break;
	default:
		expect_port_done(scene, request, args, before, &after);
	}
}

static void accept(struct scene *scene, unsigned long request, size_t size,
		   size_t tail)
{
	struct state before = state_now(scene);
	union args args;

	fill(&args, request, size + tail, scene);
	if (!tail)	/* then it is nobody's business */
		memset(args.bytes + size, 0xff, TAIL);
	must(!pool_ioctl(scene->fd, request, &args));
	for (size_t i = size; i < size + TAIL; i++)
		must(args.bytes[i] == (tail ? 0 : 0xff));
	expect_done(scene, request, &args, &before);
}

TEST_F(abi, exact)
{
	accept(&self->scene, variant->request, variant->size, 0);
}

TEST_F(abi, zeros_behind)
{
	accept(&self->scene, variant->request, variant->size, TAIL);
}

TEST_F(abi, one_zero_behind)
{
	accept(&self->scene, variant->request, variant->size, 1);
}

TEST_F(abi, reserved)
{
	union args args;

	for (size_t i = 0; i < variant->reserved.size; i++) {
		fill(&args, variant->request, variant->size, &self->scene);
		args.bytes[variant->reserved.offset + i] = 1;
		REFUSE(&args, -EINVAL);
	}
}

TEST_F(abi, unknown_flags)
{
	union args args;
	__u32 *flags = (__u32 *)(args.bytes + variant->flags.offset);

	for (__u32 flag = 1; flag; flag <<= 1) {
		if (!(variant->unknown & flag))
			continue;
		fill(&args, variant->request, variant->size, &self->scene);
		*flags |= flag;
		REFUSE(&args, -EINVAL);
	}
}

/*
 * Pointers
 */
static char *two_pages(int prot_of_second)
{
	size_t page = getpagesize();
	/* A third behind them, or the next mapping might fill the hole. */
	char *map = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(map != MAP_FAILED);
	if (prot_of_second < 0)
		must(!munmap(map + page, page));
	else
		must(!mprotect(map + page, page, prot_of_second));
	return map + page;
}

TEST_F(abi, bad_pointer)
{
	void *const addresses[] = {
		NULL, (void *)1, (void *)-1, (void *)-4096,
		(void *)0xffff888000000000, (void *)0x8000000000000000,
		two_pages(-1), two_pages(PROT_NONE),
	};
	union args args;

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		fill(&args, variant->request, variant->size, &self->scene);
		refuse(&self->scene, variant->request, addresses[i], &args,
		       -EFAULT, -EFAULT);
	}
}

/* The size can be read, the rest cannot. */
TEST_F(abi, structure_runs_into_a_hole)
{
	char *hole = two_pages(-1);
	union args args;

	fill(&args, variant->request, variant->size, &self->scene);
	for (size_t i = 1; i < variant->size; i += 3) {
		memcpy(hole - i, &args, i);
		refuse(&self->scene, variant->request, hole - i, &args,
		       -EFAULT, -EFAULT);
	}
}

TEST_F(abi, structure_before_a_hole)
{
	char *hole = two_pages(-1);
	struct state before = state_now(&self->scene);
	union args args;

	fill(&args, variant->request, variant->size, &self->scene);
	memcpy(hole - variant->size, &args, variant->size);
	must(!pool_ioctl(self->scene.fd, variant->request,
			 hole - variant->size));
	memcpy(&args, hole - variant->size, variant->size);
	expect_done(&self->scene, variant->request, &args, &before);
}

/* What could not be reported must not be done. */
TEST_F(abi, structure_that_cannot_be_written)
{
	char *page = two_pages(PROT_READ | PROT_WRITE);
	int ret;

	fill((union args *)page, variant->request, variant->size, &self->scene);
	ASSERT_EQ(0, mprotect(page, getpagesize(), PROT_READ));
	ret = pool_ioctl(self->scene.fd, variant->request, page);
	ASSERT_EQ(variant->writes_back ? -EFAULT : 0, ret);
	pool_check(self->scene.watch,
		   1 + variant->attached + variant->ports +
		   3 * (variant->request == BLOCKPOOL_IOC_ALLOC));
}

/*
 * Arrays
 */
static void set_words(union args *args, struct field field, const void *address)
{
	__u64 value = (uintptr_t)address;

	memcpy(args->bytes + field.offset, &value, sizeof(value));
}

TEST_F(abi, bad_array)
{
	const void *const addresses[] = {
		NULL, (void *)1, (void *)-1, (void *)-4,
		(void *)0xffff888000000000, (void *)0x8000000000000000,
		two_pages(-1), two_pages(PROT_NONE),
	};
	union args args;

	if (!variant->words.size)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		fill(&args, variant->request, variant->size, &self->scene);
		set_words(&args, variant->words, addresses[i]);
		REFUSE(&args, -EFAULT);
	}
}

/* As many as there are in an array that is cut short. */
static void set_count(union args *args, unsigned long request, __u32 count)
{
	switch (request) {
	case BLOCKPOOL_IOC_ALLOC:
		args->alloc.count = count;
		break;
	case BLOCKPOOL_IOC_FREE:
		args->free.count = count;
		break;
	case BLOCKPOOL_IOC_OWNERS:
		args->owners.count = count;
		break;
	case BLOCKPOOL_IOC_SHARE:
		args->share.nr_ports = count;
		break;
	}
}

/* Partly good is bad: all or nothing.  A message is longer than all three words. */
TEST_F(abi, array_runs_into_a_hole)
{
	char *hole = two_pages(-1);
	__u32 words[3];
	union args args;

	if (!variant->words.size)
		return;
	ASSERT_EQ(0, pool_alloc(self->scene.fd, words, 3));
	if (variant->request == BLOCKPOOL_IOC_SHARE) {
		words[0] = self->scene.port;
		words[1] = words[0];
	}
	for (int i = 1; i < 3; i++) {
		fill(&args, variant->request, variant->size, &self->scene);
		memcpy(hole - 4 * i, words, 4 * i);
		set_count(&args, variant->request, 3);
		set_words(&args, variant->words, hole - 4 * i);
		REFUSE(&args, -EFAULT);
	}
}

TEST_F(abi, array_that_cannot_be_written)
{
	char *page = two_pages(PROT_READ);
	union args args;

	if (variant->request != BLOCKPOOL_IOC_ALLOC &&
	    variant->request != BLOCKPOOL_IOC_OWNERS &&
	    variant->request != BLOCKPOOL_IOC_RECV)
		return;
	fill(&args, variant->request, variant->size, &self->scene);
	set_words(&args, variant->words, page);
	REFUSE(&args, -EFAULT);
}

/*
 * The rest
 */
TEST(unknown_ioctls)
{
	char name[BLOCKPOOL_NAME_SIZE], args[256] = {};
	int fd;

	pool_name(name);
	fd = pool_new(name, 64, 1);
	for (unsigned int nr = _IOC_NR(BLOCKPOOL_IOC_CALL) + 1; nr < 256; nr++) {
		ASSERT_EQ(-ENOTTY,
			  pool_ioctl(fd, _IO(BLOCKPOOL_IOC_MAGIC, nr), args));
	}
	ASSERT_EQ(-ENOTTY, pool_ioctl(fd, _IO(BLOCKPOOL_IOC_MAGIC + 1,
					      _IOC_NR(BLOCKPOOL_IOC_STATS)),
				      args));
	/* The size is in the structure and not in the number. */
	ASSERT_EQ(-ENOTTY,
		  pool_ioctl(fd, _IOWR(BLOCKPOOL_IOC_MAGIC,
				       _IOC_NR(BLOCKPOOL_IOC_STATS),
				       struct blockpool_stats), args));
	pool_drain(fd);
	close(fd);
}

TEST(owners_range)
{
	static const struct {
		__u32 first, count;
		int result;
	} cases[] = {
		{ 0, 0, -EINVAL },
		{ 0, NR_BLOCKS, 0 },
		{ 0, NR_BLOCKS + 1, -EINVAL },
		{ NR_BLOCKS - 1, 1, 0 },
		{ NR_BLOCKS - 1, 2, -EINVAL },
		{ NR_BLOCKS, 1, -EINVAL },
		{ NR_BLOCKS, 0, -EINVAL },
		{ 1, 0xffffffff, -EINVAL },
		{ 0xffffffff, 1, -EINVAL },
		{ 0xffffffff, 2, -EINVAL },
		{ 0x80000000, 0x80000000, -EINVAL },
	};
	char name[BLOCKPOOL_NAME_SIZE];
	__u32 owners[NR_BLOCKS];
	int fd, index;

	pool_name(name);
	fd = pool_new(name, 64, NR_BLOCKS);
	index = pool_take(fd);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct blockpool_owners_args args = {
			.size = sizeof(args),
			.first = cases[i].first,
			.count = cases[i].count,
			.owners = (uintptr_t)owners,
		};

		ASSERT_EQ(cases[i].result,
			  pool_ioctl(fd, BLOCKPOOL_IOC_OWNERS, &args));
	}
	ASSERT_EQ(0, pool_owners(fd, index, 1, owners));
	ASSERT_EQ(pool_info(fd).client, owners[0]);
	for (__u32 i = 0; i < NR_BLOCKS; i++) {
		ASSERT_EQ(0, pool_owners(fd, i, 1, owners));
		ASSERT_EQ(i == index ? pool_info(fd).client : 0, owners[0]);
	}
	close(fd);
}

/* Both lists begin at 0, go up, and end; a gap does not end them early. */
TEST(cursors)
{
	struct blockpool_holder_args holder = { .size = sizeof(holder) };
	struct blockpool_list_args entry = {};
	char name[BLOCKPOOL_NAME_SIZE];
	unsigned int count = 0, found = 0;
	__u32 last = 0;
	int fds[6];

	pool_name(name);
	fds[0] = pool_new(name, 64, NR_BLOCKS);
	for (int i = 1; i < 6; i++)
		fds[i] = pool_join(name);
	close(fds[2]);
	while (!pool_ioctl(fds[0], BLOCKPOOL_IOC_HOLDER, &holder)) {
		ASSERT_GT(holder.cursor, last);
		last = holder.cursor;
		ASSERT_EQ(getpid(), holder.pid);
		ASSERT_EQ(0, holder.uid);
		ASSERT_EQ(0, holder.limit);
		ASSERT_STREQ("ioctl_abi", holder.comm);
		count++;
	}
	ASSERT_EQ(5, count);
	holder.cursor = 0xffffffff;
	ASSERT_EQ(-ENOENT, pool_ioctl(fds[0], BLOCKPOOL_IOC_HOLDER, &holder));

	while (!pool_next(&entry))
		found += !strcmp(entry.name, name);
	ASSERT_EQ(1, found);
	ASSERT_EQ(-ENOENT, pool_next(&entry));
	entry.cursor = 0xffffffff;
	ASSERT_EQ(-ENOENT, pool_next(&entry));
}

TEST(list_says_what_info_says)
{
	struct blockpool_list_args entry = {};
	char name[BLOCKPOOL_NAME_SIZE];
	struct blockpool_info info;
	int fd;

	pool_name(name);
	fd = pool_new(name, 1500, NR_BLOCKS);
	ASSERT_LE(0, pool_take(fd));
	info = pool_info(fd);
	do {
		ASSERT_EQ(0, pool_next(&entry));
	} while (strcmp(entry.name, name));
	EXPECT_EQ(info.flags, entry.flags);
	EXPECT_EQ(1500, entry.block_size);
	EXPECT_EQ(1500, info.block_size);
	EXPECT_EQ(NR_BLOCKS, entry.nr_blocks);
	EXPECT_EQ(NR_BLOCKS - 1, entry.nr_free);
	EXPECT_EQ(1, entry.nr_clients);
	EXPECT_EQ(0600, entry.mode);
	EXPECT_EQ(0600, info.mode);
	EXPECT_EQ(0, entry.uid);
	EXPECT_EQ(0, entry.gid);
	EXPECT_EQ(0, info.uid);
	EXPECT_EQ(0, info.gid);
	for (size_t i = 0; i < ARRAY_SIZE(entry.__reserved); i++) {
		EXPECT_EQ(0, entry.__reserved[i]);
	}
	EXPECT_EQ(0, info.__reserved);
	close(fd);
}

TEST(attached_once)
{
	char name[BLOCKPOOL_NAME_SIZE], other[BLOCKPOOL_NAME_SIZE];
	int fd;

	pool_name(name);
	pool_name(other);
	fd = pool_new(name, 64, 1);
	ASSERT_EQ(-EBUSY, pool_attach(fd, name));
	ASSERT_EQ(-EBUSY, pool_create(fd, other, 64, 1));
	ASSERT_FALSE(pool_listed(other));
	ASSERT_EQ(1, pool_stats(fd).nr_clients);
	close(fd);
	ASSERT_FALSE(pool_listed(name));
}

/* A new client may look at the pool "default"; taking attaches it. */
TEST(default_pool)
{
	struct blockpool_info info = { .size = sizeof(info) };
	int fd = pool_open(O_RDWR), look = pool_open(O_RDWR);
	__u64 clients;
	int index;

	if (!pool_listed("default")) {
		ASSERT_EQ(-ENOENT, pool_take(fd));
		ASSERT_EQ(-ENOENT, pool_give(fd, 0));
		ASSERT_EQ(-ENOENT, pool_ioctl(fd, BLOCKPOOL_IOC_INFO, &info));
		ASSERT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED,
					   fd, 0));
		ASSERT_EQ(ENOENT, errno);
		return;
	}
	clients = pool_stats(look).nr_clients;
	ASSERT_EQ(0, pool_info(fd).client);
	ASSERT_EQ(BLOCKPOOL_PERSIST, pool_info(fd).flags);
	ASSERT_STREQ("default", pool_info(fd).name);
	ASSERT_EQ(clients, pool_stats(look).nr_clients);
	index = pool_take(fd);
	ASSERT_LE(0, index);
	ASSERT_NE(0, pool_info(fd).client);
	ASSERT_EQ(clients + 1, pool_stats(look).nr_clients);
	ASSERT_EQ(-EBUSY, pool_attach(fd, "default"));
	ASSERT_EQ(-EPERM, pool_give(look, index));
	ASSERT_EQ(clients + 2, pool_stats(look).nr_clients);
	close(fd);
	ASSERT_EQ(clients + 1, pool_stats(look).nr_clients);
	close(look);

	fd = pool_open(O_RDWR);
	ASSERT_NE(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0));
	ASSERT_NE(0, pool_info(fd).client);
	close(fd);
}

/*
 * A 32-bit program's ioctl, made from a 64-bit one.
 */
#ifdef __x86_64__
#define NR_IOCTL_32	54

static int ioctl_32(int fd, __u32 request, void *args)
{
	long ret = NR_IOCTL_32;

	asm volatile("int $0x80" : "+a" (ret)
		     : "b" (fd), "c" (request), "d" (args)
		     : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

TEST(from_a_32_bit_program)
{
	struct {
		struct blockpool_alloc_args alloc;
		struct blockpool_stats stats;
		__u32 indices[2];
	} *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	char name[BLOCKPOOL_NAME_SIZE];
	int fd, ret;

	ASSERT_NE(MAP_FAILED, low);
	pool_name(name);
	fd = pool_new(name, 64, NR_BLOCKS);
	low->stats.size = sizeof(low->stats);
	ret = ioctl_32(fd, BLOCKPOOL_IOC_STATS, &low->stats);
	if (ret == -ENOSYS || ret == -ENOTSOCK)	/* User-Mode Linux: 64-bit call 54 */
		SKIP(return, "no 32-bit system calls");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(NR_BLOCKS, low->stats.nr_free);
	low->alloc.size = sizeof(low->alloc);
	low->alloc.count = 2;
	low->alloc.indices = (uintptr_t)low->indices;
	ASSERT_EQ(0, ioctl_32(fd, BLOCKPOOL_IOC_ALLOC, &low->alloc));
	pool_check(fd, 2);
	ASSERT_EQ(0, pool_free(fd, low->indices, 2, NULL));
	close(fd);
}
#endif

TEST_HARNESS_MAIN

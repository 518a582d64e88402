// SPDX-License-Identifier: GPL-2.0
/*
 * What one user left in a block, a client of another user does not see.
 *
 * Root is a user too: the test itself never attaches a pool before the two
 * whose secrets matter have.
 */
#include <signal.h>

#include "harness.h"
#include "peer/user.h"

#define NR_BLOCKS	202	/* does not fill the last page */
#define BLOCK_SIZE	1500	/* the stride is longer, and so is the mapping */
#define SECRET		0x5ec2e7a5U
#define RACES		40
#define RACE_TAKES	300
#define CHURN_CPUS	4

static const struct blockpool_create_args shared = {
	.block_size = BLOCK_SIZE,
	.mode = 0666,
};

/* Two processes: user A, who has secrets, and user B, who looks for them. */
FIXTURE(secret)
{
	mode_t node;
	char name[BLOCKPOOL_NAME_SIZE];
	struct step a, b;	/* posted by A, by B */
};

FIXTURE_SETUP(secret)
{
	self->node = device_share();
	pool_name(self->name);
	step_init(&self->a);
	step_init(&self->b);
}

FIXTURE_TEARDOWN(secret)
{
	if (pool_listed(self->name))
		pool_unlink(self->name);
	device_restore(self->node);
}

static void spill(char *at, size_t bytes)
{
	__u32 *words = (__u32 *)at;

	for (size_t i = 0; i < bytes / sizeof(*words); i++)
		words[i] = SECRET;
}

static bool clean(const char *at, size_t bytes)
{
	const __u32 *words = (const __u32 *)at;

	for (size_t i = 0; i < bytes / sizeof(*words); i++) {
		if (words[i] == SECRET)
			return false;
	}
	return true;
}

/* What can be seen of a block: all of its stride, and the last page's rest. */
static size_t visible(const struct blockpool_info *info, __u32 index)
{
	if (index < info->nr_blocks - 1)
		return info->stride;
	return info->map_size - (size_t)index * info->stride;
}

/* A's client, which holds all blocks, with the secret in every byte there is. */
static __u32 *fill_all(int fd)
{
	struct blockpool_info info = pool_info(fd);
	char *map = pool_map(fd);
	__u32 *indices = pool_take_all(fd);

	spill(map, info.map_size);
	must(!munmap(map, info.map_size));
	return indices;
}

/* What B can see of the free blocks, used or not. */
static void see_nothing_free(int fd)
{
	struct blockpool_info info = pool_info(fd);
	__u32 owners[NR_BLOCKS];
	char *map = mmap(NULL, info.map_size, PROT_READ, MAP_SHARED, fd, 0);

	must(map != MAP_FAILED);
	must(!pool_owners(fd, 0, NR_BLOCKS, owners));
	for (__u32 i = 0; i < NR_BLOCKS; i++)
		must(owners[i] || clean(map + (size_t)i * info.stride,
					visible(&info, i)));
	must(!munmap(map, info.map_size));
}

/* And what it gets when it takes all that there is. */
static void see_nothing_taken(int fd, __u32 expected)
{
	struct blockpool_info info = pool_info(fd);
	char *map = pool_map(fd);
	__u32 count = 0;
	int index;

	while ((index = pool_take(fd)) >= 0) {
		must(clean(map + (size_t)index * info.stride,
			   visible(&info, index)));
		count++;
	}
	must(count == expected);
	must(!munmap(map, info.map_size));
}

static pid_t child_as(uid_t uid)
{
	pid_t pid = child_fork();

	if (!pid)
		become(uid, uid);
	return pid;
}

static int create_of(const char *name, __u32 flags, __u32 nr_blocks)
{
	struct blockpool_create_args args = shared;
	int fd = pool_open(O_RDWR);

	args.flags = flags;
	args.nr_blocks = nr_blocks;
	must(!pool_create_args(fd, name, args));
	return fd;
}

static int create_shared(const char *name, __u32 flags)
{
	return create_of(name, flags, NR_BLOCKS);
}

/* A has put a secret in all blocks and freed them; it stays until B is done. */
static pid_t fills_and_frees(const char *name, struct step *freed,
			     struct step *b_done)
{
	pid_t a = child_as(USER_A);
	int fd;

	if (!a) {
		fd = create_shared(name, 0);
		must(!pool_free(fd, fill_all(fd), NR_BLOCKS, NULL));
		step_post(freed);
		step_await(b_done);
		_exit(0);
	}
	step_await(freed);
	return a;
}

TEST_F(secret, freed_before_the_other_comes)
{
	pid_t a, b;
	int fd;

	a = fills_and_frees(self->name, &self->a, &self->b);
	b = child_as(USER_B);
	if (!b) {
		fd = pool_join(self->name);
		see_nothing_free(fd);
		see_nothing_taken(fd, NR_BLOCKS);
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(b));
	step_post(&self->b);
	ASSERT_EQ(0, child_reap(a));
}

/* B takes the blocks first, and looks at them then. */
TEST_F(secret, taken_before_they_are_mapped)
{
	pid_t a, b;
	char *map;
	int fd;

	a = fills_and_frees(self->name, &self->a, &self->b);
	b = child_as(USER_B);
	if (!b) {
		fd = pool_join(self->name);
		free(pool_take_all(fd));
		map = pool_map(fd);
		must(clean(map, pool_info(fd).map_size));
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(b));
	step_post(&self->b);
	ASSERT_EQ(0, child_reap(a));
}

/* It is enough to be able to read. */
TEST_F(secret, freed_before_a_reader_comes)
{
	pid_t a, b;
	int fd;

	a = fills_and_frees(self->name, &self->a, &self->b);
	b = child_as(USER_B);
	if (!b) {
		fd = pool_open(O_RDONLY);
		must(!pool_attach(fd, self->name));
		see_nothing_free(fd);
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(b));
	step_post(&self->b);
	ASSERT_EQ(0, child_reap(a));
}

/* The pool outlives A; B is then its only client, but not its first. */
TEST_F(secret, left_in_a_persistent_pool)
{
	pid_t a, b;
	int fd;

	a = child_as(USER_A);
	if (!a) {
		fd = create_shared(self->name, BLOCKPOOL_PERSIST);
		must(!pool_free(fd, fill_all(fd), NR_BLOCKS / 2, NULL));
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(a));
	b = child_as(USER_B);
	if (!b) {
		fd = pool_join(self->name);
		see_nothing_free(fd);
		see_nothing_taken(fd, NR_BLOCKS);
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(b));
}

/* Half is free when B comes; the other half comes back in some other way. */
enum back {
	BACK_FREED,
	BACK_CLOSED,
	BACK_KILLED,
};

FIXTURE(back)
{
	mode_t node;
	char name[BLOCKPOOL_NAME_SIZE];
	struct step a, b;
};

FIXTURE_VARIANT(back)
{
	enum back back;
};

FIXTURE_VARIANT_ADD(back, freed)
{
	.back = BACK_FREED,
};

FIXTURE_VARIANT_ADD(back, closed)
{
	.back = BACK_CLOSED,
};

FIXTURE_VARIANT_ADD(back, killed)
{
	.back = BACK_KILLED,
};

FIXTURE_SETUP(back)
{
	self->node = device_share();
	pool_name(self->name);
	step_init(&self->a);
	step_init(&self->b);
}

FIXTURE_TEARDOWN(back)
{
	device_restore(self->node);
}

static void give_back(int fd, const __u32 *indices, enum back back)
{
	switch (back) {
	case BACK_FREED:
		must(!pool_free(fd, indices, NR_BLOCKS / 2, NULL));
		break;
	case BACK_CLOSED:
		close(fd);
		break;
	case BACK_KILLED:
		kill(getpid(), SIGKILL);
		break;
	}
}

TEST_F(back, while_the_other_looks_on)
{
	__u32 *indices;
	pid_t a, b;
	int fd;

	a = child_as(USER_A);
	if (!a) {
		fd = create_shared(self->name, 0);
		indices = fill_all(fd);
		must(!pool_free(fd, indices, NR_BLOCKS / 2, NULL));
		step_post(&self->a);
		step_await(&self->b);
		give_back(fd, indices + NR_BLOCKS / 2, variant->back);
		step_post(&self->a);
		for (;;)
			pause();
	}
	step_await(&self->a);
	b = child_as(USER_B);
	if (!b) {
		fd = pool_join(self->name);
		see_nothing_free(fd);
		see_nothing_taken(fd, NR_BLOCKS / 2);
		pool_give_all(fd);
		step_post(&self->b);
		pool_await_held(fd, 0);
		see_nothing_free(fd);
		see_nothing_taken(fd, NR_BLOCKS);
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(b));
	ASSERT_EQ(128 + SIGKILL, child_kill(a));
}

/* Straight from A's hand into B's, who waits for it. */
TEST_F(back, to_one_who_waits)
{
	__u32 indices[NR_BLOCKS];
	struct blockpool_info info;
	pid_t a, b;
	char *map;
	int fd;

	a = child_as(USER_A);
	if (!a) {
		fd = create_shared(self->name, 0);
		fill_all(fd);
		step_post(&self->a);
		step_await(&self->b);
		pool_await_waiting(fd, 1);
		for (int i = 0; i < NR_BLOCKS; i++)
			indices[i] = i;
		if (variant->back == BACK_FREED)
			must(!pool_free(fd, indices, NR_BLOCKS, NULL));
		else
			give_back(fd, NULL, variant->back);
		step_await(&self->b);
		_exit(0);
	}
	step_await(&self->a);
	b = child_as(USER_B);
	if (!b) {
		fd = pool_join(self->name);
		info = pool_info(fd);
		map = pool_map(fd);
		step_post(&self->b);
		must(!pool_alloc_wait(fd, indices, NR_BLOCKS, -1));
		must(clean(map, info.map_size));
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(b));
	step_post(&self->b);
	ASSERT_EQ(variant->back == BACK_KILLED ? 128 + SIGKILL : 0,
		  child_reap(a));
}

/*
 * A spills and frees without a pause while B gets in; whatever B takes from then
 * on must be clean.
 */
static void hammer(int fd)
{
	struct blockpool_info info = pool_info(fd);
	char *map = pool_map(fd);
	__u32 indices[8];

	for (;;) {
		if (pool_alloc(fd, indices, 8))
			continue;
		for (int i = 0; i < 8; i++)
			spill(map + (size_t)indices[i] * info.stride,
			      BLOCK_SIZE);
		must(!pool_free(fd, indices, 8, NULL));
	}
}

static void look(int fd)
{
	struct blockpool_info info = pool_info(fd);
	char *map = pool_map(fd);
	__u32 indices[8];

	for (int i = 0; i < RACE_TAKES; i++) {
		if (pool_alloc(fd, indices, 8))
			continue;
		for (int j = 0; j < 8; j++) {
			must(clean(map + (size_t)indices[j] * info.stride,
				   BLOCK_SIZE));
		}
		must(!pool_free(fd, indices, 8, NULL));
	}
}

TEST_F(secret, spilled_while_the_other_gets_in)
{
	pid_t a, b;
	int fd;

	for (int i = 0; i < RACES; i++) {
		pool_name(self->name);
		a = child_as(USER_A);
		if (!a) {
			fd = create_shared(self->name, 0);
			fill_all(fd);
			pool_give_all(fd);
			step_post(&self->a);
			hammer(fd);
		}
		step_await(&self->a);
		b = child_as(USER_B);
		if (!b) {
			look(pool_join(self->name));
			_exit(0);
		}
		ASSERT_EQ(0, child_reap(b));
		ASSERT_EQ(128 + SIGKILL, child_kill(a));
	}
}

/*
 * The kernel's secrets, which lie in magazines when B comes, or are put there, or
 * would be, afterwards.
 */
FIXTURE(kernel)
{
	mode_t node;
	char name[BLOCKPOOL_NAME_SIZE];
	struct step a, b;
	int peer;
};

FIXTURE_VARIANT(kernel)
{
	__u32 context;
	bool bulk;
};

FIXTURE_VARIANT_ADD(kernel, process)
{
	.context = BLOCKPOOL_PEER_PROCESS,
};

FIXTURE_VARIANT_ADD(kernel, process_bulk)
{
	.context = BLOCKPOOL_PEER_PROCESS, .bulk = true,
};

FIXTURE_VARIANT_ADD(kernel, hardirq)
{
	.context = BLOCKPOOL_PEER_HARDIRQ,
};

FIXTURE_VARIANT_ADD(kernel, nmi)
{
	.context = BLOCKPOOL_PEER_NMI,
};

FIXTURE_VARIANT_ADD(kernel, nmi_bulk)
{
	.context = BLOCKPOOL_PEER_NMI, .bulk = true,
};

/* A has mapped the pool, and holds nothing. */
FIXTURE_SETUP(kernel)
{
	int peer = peer_open(), fd;

	must(!peer_get(peer, "default"));
	if (variant->context >= peer_contexts(peer))
		SKIP(return, "this machine has no NMIs to send");
	self->node = device_share();
	pool_name(self->name);
	step_init(&self->a);
	step_init(&self->b);
	if (!child_as(USER_A)) {
		fd = create_shared(self->name, 0);
		pool_map(fd);
		step_post(&self->a);
		step_await(&self->b);
		_exit(0);
	}
	step_await(&self->a);
	must(!peer_get(peer, self->name));
	self->peer = peer;
}

FIXTURE_TEARDOWN(kernel)
{
	step_post(&self->b);
	device_restore(self->node);
}

static void kernel_takes(int peer, __u32 *indices, __u32 n)
{
	must(!peer_alloc_bulk(peer, BLOCKPOOL_PEER_PROCESS, indices, n));
	for (__u32 i = 0; i < n; i++)
		must(!peer_data(peer, BLOCKPOOL_PEER_FILL, indices[i],
				BLOCK_SIZE, indices[i] + 1));
}

static void kernel_gives(int peer, __u32 context, bool bulk, __u32 *indices,
			 __u32 n)
{
	if (bulk)
		must(!peer_free_bulk(peer, context, indices, n));
	else
		must(!peer_free(peer, context, indices, n));
}

/* Nothing but zeros, in what B may have: what the kernel has is not looked at. */
static void see_zeros(int fd)
{
	struct blockpool_info info = pool_info(fd);
	__u32 *owners = calloc(info.nr_blocks, sizeof(*owners));
	char *map = pool_map(fd), *block;
	size_t i, k;

	must(!pool_owners(fd, 0, info.nr_blocks, owners));
	for (i = 0; i < info.nr_blocks; i++) {
		block = map + i * info.stride;
		for (k = 0; !owners[i] && k < visible(&info, i); k++)
			must(!block[k]);
	}
	must(!munmap(map, info.map_size));
	free(owners);
}

TEST_F(kernel, in_magazines_when_the_other_comes)
{
	__u32 indices[NR_BLOCKS];
	int peer = self->peer, fd;
	pid_t b;

	/* All have been the kernel's; some are in each CPU's magazine. */
	kernel_takes(peer, indices, NR_BLOCKS);
	for (int i = 0; i < NR_BLOCKS; i += NR_BLOCKS / 2) {
		cpu_pin(i ? cpu_count() - 1 : 0);
		kernel_gives(peer, variant->context, variant->bulk, indices + i,
			     NR_BLOCKS / 2);
		peer_give(peer, BLOCKPOOL_PEER_PROCESS,
			  peer_take(peer, BLOCKPOOL_PEER_PROCESS));
	}
	fd = pool_join(self->name);
	ASSERT_LT(0, pool_stats(fd).nr_cached);
	close(fd);
	b = child_as(USER_B);
	if (!b) {
		fd = pool_join(self->name);
		see_zeros(fd);
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(b));
}

/* Part of them comes back while B looks on. */
TEST_F(kernel, given_back_while_the_other_looks_on)
{
	__u32 indices[NR_BLOCKS], n = NR_BLOCKS / 2;
	struct step come, gone;
	int peer = self->peer, fd;
	pid_t b;

	step_init(&come);
	step_init(&gone);
	cpu_pin(0);
	kernel_takes(peer, indices, NR_BLOCKS);
	kernel_gives(peer, variant->context, variant->bulk, indices, n);
	b = child_as(USER_B);
	if (!b) {
		fd = pool_join(self->name);
		see_zeros(fd);
		for (int i = 0; i < 2; i++) {
			step_post(&come);
			step_await(&gone);
			see_zeros(fd);
		}
		_exit(0);
	}
	for (int i = 0; i < 2; i++) {
		step_await(&come);
		if (i) {
			/* Once more, by magazines that were opened since. */
			kernel_takes(peer, indices, NR_BLOCKS);
			kernel_gives(peer, variant->context, variant->bulk,
				     indices, n);
		}
		kernel_gives(peer, variant->context, variant->bulk, indices + n,
			     NR_BLOCKS - n);
		step_post(&gone);
	}
	ASSERT_EQ(0, child_reap(b));
}

/* The kernel stamps and frees on all CPUs while B gets in. */
static int churn_on(const char *name, __u32 context, int cpu)
{
	static __u32 seed = SECRET;
	struct blockpool_peer_churn churn = {
		.context = context,
		.interval_us = 200,
		.depth = 32,
		.batch = 4,
		.length = 64,
		.seed = seed++,
	};
	int peer = peer_join(name);

	cpu_pin(cpu);
	must(!pool_ioctl(peer, BLOCKPOOL_PEER_CHURN_START, &churn));
	cpu_unpin();
	return peer;
}

static void look_for_stamps(int fd)
{
	struct blockpool_info info = pool_info(fd);
	char *map = pool_map(fd);
	__u32 indices[8];

	for (int i = 0; i < RACE_TAKES; i++) {
		if (pool_alloc(fd, indices, 8))
			continue;
		for (int k = 0; k < 8 * 64; k++)
			must(!map[(size_t)indices[k / 64] * info.stride +
				  k % 64]);
		must(!pool_free(fd, indices, 8, NULL));
	}
}

/* On the first CPUs, in each context that a timer can have. */
static int churn_all(const char *name, int *fds)
{
	int peer = peer_join(name), n = 0;
	__u32 contexts = peer_contexts(peer), context;

	close(peer);
	for (int cpu = 0; cpu < CHURN_CPUS && cpu < cpu_count(); cpu++)
		for (context = BLOCKPOOL_PEER_SOFTIRQ; context < contexts;
		     context++)
			fds[n++] = churn_on(name, context, cpu);
	return n;
}

/* B has inherited the files, so to close them would not do. */
static void churn_stop(int *fds, int n)
{
	struct blockpool_peer_churn churn;

	for (int i = 0; i < n; i++) {
		must(!pool_ioctl(fds[i], BLOCKPOOL_PEER_CHURN_STOP, &churn));
		must(churn.taken && churn.taken == churn.freed);
		must(!churn.corrupted);
		close(fds[i]);
	}
}

/* Of so many blocks that the wiping takes its time. */
TEST_F(secret, spilled_by_the_kernel_while_the_other_gets_in)
{
	int fds[CHURN_CPUS * BLOCKPOOL_PEER_CONTEXTS], n, fd;
	pid_t a, b;

	for (int i = 0; i < RACES / 4; i++) {
		pool_name(self->name);
		a = child_as(USER_A);
		if (!a) {
			fd = create_of(self->name, 0, 10 * NR_BLOCKS);
			fill_all(fd);
			pool_give_all(fd);
			step_post(&self->a);
			for (;;)
				pause();
		}
		step_await(&self->a);
		n = churn_all(self->name, fds);
		b = child_as(USER_B);
		if (!b) {
			fd = pool_join(self->name);
			look_for_stamps(fd);
			step_post(&self->b);
			step_await(&self->a);
			/* Also what went into a magazine meanwhile. */
			see_zeros(fd);
			_exit(0);
		}
		step_await(&self->b);
		churn_stop(fds, n);
		step_post(&self->a);
		ASSERT_EQ(0, child_reap(b));
		ASSERT_EQ(128 + SIGKILL, child_kill(a));
	}
}

TEST_HARNESS_MAIN

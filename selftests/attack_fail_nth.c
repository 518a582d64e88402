// SPDX-License-Identifier: GPL-2.0
/*
 * attack_fail_nth - every allocation of every call, failed in turn
 *
 * A call is made again and again, and each time the kernel fails another of the
 * allocations on its way (/proc/self/fail-nth: the 1st, the 2nd, ...), until the call
 * comes through without one that fails; then the same again, and those that follow
 * fail too, because some are tried in two ways.  A call that fails must say ENOMEM, and
 * leave everything as it was: pools, statistics, owner words, mappings, open files,
 * what the user is charged.  A call may also do without what it did not get.
 *
 * What is leaked without a trace here is for kmemleak to see.
 */
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attack.h"
#include "debug.h"
#include "fail_nth.h"
#include "kselftest.h"
#include "peer/blockpool_peer.h"
#include "pool.h"

#define PEER_DEVICE	"/dev/blockpool_peer"
#define NR_BLOCKS	5000	/* of the pool that calls are made on */
#define BATCH		2000	/* indices that do not fit on a kernel stack */
#define CHARGE_MAX	(16UL << 20)
#define DEBUG_POOL	"fail-nth-debug"
#define POLLED		600	/* files: more than poll() has room for at first */

/* Everything that a call may touch. */
struct state {
	char name[BLOCKPOOL_NAME_SIZE], made[BLOCKPOOL_NAME_SIZE];
	int fd;			/* a client of the pool "name", with BATCH blocks */
	int debug;		/* one of a pool in debug mode that has a report */
	int fresh;		/* a file that is not attached */
	int peer;		/* a file of the peer, -1 without one */
	int epoll;
	char *map;		/* of all blocks */
	size_t size;
	char *mapped;		/* by the call, or NULL */
	size_t mapped_size;
	__u32 held[BATCH], more[BATCH];
	struct blockpool_report report;
};

/* Of the state, what must be equal afterwards. */
struct picture {
	unsigned int pools;
	unsigned int files, mappings;
	__u64 free, held, clients;
	__u32 client;		/* that the fresh file is attached as */
	__u32 owners[NR_BLOCKS];
};

/*
 * The state
 */

static unsigned int lines_of(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned int lines = 0;
	int c;

	must(file);
	while ((c = getc(file)) != EOF)
		lines += c == '\n';
	fclose(file);
	return lines;
}

/* The lowest number that is free: none was used up. */
static unsigned int files_now(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void take_picture(const struct state *state, struct picture *picture)
{
	struct blockpool_info info = { .size = sizeof(info) };
	struct blockpool_stats stats = pool_stats(state->fd);

	memset(picture, 0, sizeof(*picture));
	picture->pools = pool_count();
	picture->files = files_now();
	picture->mappings = lines_of("/proc/self/maps");
	picture->free = stats.nr_free;
	picture->held = stats.nr_held;
	picture->clients = stats.nr_clients;
	if (!pool_ioctl(state->fresh, BLOCKPOOL_IOC_INFO, &info))
		picture->client = info.client;
	must(!pool_owners(state->fd, 0, NR_BLOCKS, picture->owners));
}

/* For one call. */
static void make_state(struct state *state, const char *name, int peer)
{
	memset(state, 0, sizeof(*state));
	strcpy(state->name, name);
	snprintf(state->made, sizeof(state->made), "%.20s-made", name);
	state->fd = pool_join(name);
	state->debug = pool_join(DEBUG_POOL);
	must(!pool_alloc(state->fd, state->held, BATCH));
	state->fresh = pool_open(O_RDWR);
	state->epoll = epoll_create1(EPOLL_CLOEXEC);
	state->map = pool_map(state->fd);
	state->size = pool_info(state->fd).map_size;
	state->peer = peer;
	memset(state->more, 0, sizeof(state->more));
}

static void end_state(struct state *state)
{
	must(!state->mapped || !munmap(state->mapped, state->mapped_size));
	munmap(state->map, state->size);
	close(state->fd);
	close(state->debug);
	close(state->fresh);
	close(state->epoll);
	pool_unlink(state->made);
}

/*
 * The calls: 0 or -errno
 */

static int do_open(struct state *state)
{
	int fd = pool_open(O_RDWR);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int create(struct state *state, __u32 flags, __u32 block_size,
		  __u32 nr_blocks)
{
	const struct blockpool_create_args args = {
		.flags = flags,
		.block_size = block_size,
		.nr_blocks = nr_blocks,
	};

	return pool_create_args(state->fresh, state->made, args);
}

/* Of a size of which no huge chunks are made, which could fail and be none. */
static int do_create(struct state *state)
{
	return create(state, 0, 1500, 100);
}

static int do_create_many(struct state *state)
{
	return create(state, 0, 1, 30000);
}

static int do_create_large(struct state *state)
{
	return create(state, BLOCKPOOL_PERSIST, 2048, 2500);
}

static int do_create_debug(struct state *state)
{
	return create(state, BLOCKPOOL_DEBUG, 500, 1000);
}

/* What is known of each is more than one allocation may have. */
static int do_create_tracked(struct state *state)
{
	return create(state, BLOCKPOOL_TRACK, 64, 15000);
}

static int do_create_isolated(struct state *state)
{
	return create(state, BLOCKPOOL_ISOLATED, 4096, 100);
}

static int do_attach(struct state *state)
{
	return pool_attach(state->fresh, state->name);
}

static int do_alloc(struct state *state)
{
	return pool_alloc(state->fd, state->more, BATCH);
}

static int do_alloc_wait(struct state *state)
{
	return pool_alloc_wait(state->fd, state->more, BATCH, 1000);
}

static int do_alloc_default(struct state *state)
{
	return pool_alloc(state->fresh, state->more, 1);
}

static int do_free(struct state *state)
{
	return pool_free(state->fd, state->held, BATCH, NULL);
}

static int do_unlink(struct state *state)
{
	struct blockpool_name_args args = { .size = sizeof(args) };

	strcpy(args.name, "no such pool");
	return pool_ioctl(state->fresh, BLOCKPOOL_IOC_UNLINK, &args) == -ENOENT ?
	       0 : -errno;
}

static int do_look(struct state *state)
{
	struct blockpool_list_args list = { .size = sizeof(list) };
	struct blockpool_holder_args holder = { .size = sizeof(holder) };
	struct blockpool_info info = { .size = sizeof(info) };
	struct blockpool_stats stats = { .size = sizeof(stats) };

	return pool_ioctl(state->fd, BLOCKPOOL_IOC_LIST, &list) ?:
	       pool_ioctl(state->fd, BLOCKPOOL_IOC_HOLDER, &holder) ?:
	       pool_ioctl(state->fd, BLOCKPOOL_IOC_INFO, &info) ?:
	       pool_ioctl(state->fd, BLOCKPOOL_IOC_STATS, &stats);
}

static int do_owners(struct state *state)
{
	static __u32 owners[NR_BLOCKS];

	return pool_owners(state->fd, 0, NR_BLOCKS, owners);
}

static int do_modules(struct state *state)
{
	return debug_modules(state->debug, "/bin/true\n");
}

static int do_report(struct state *state)
{
	__u64 cursor = 0;

	return debug_next(state->debug, &cursor, &state->report);
}

/* munmap() takes memory too. */
static int map_at(struct state *state, int fd, size_t bytes, int prot,
		  off_t offset)
{
	char *map = mmap(NULL, bytes, prot, MAP_SHARED, fd, offset);

	if (map == MAP_FAILED)
		return -errno;
	state->mapped = map;
	state->mapped_size = bytes;
	return 0;
}

static int do_mmap(struct state *state)
{
	return map_at(state, state->fd, state->size, PROT_READ | PROT_WRITE, 0);
}

static int do_mmap_status(struct state *state)
{
	return map_at(state, state->fd, getpagesize(), PROT_READ, state->size);
}

static int do_mmap_default(struct state *state)
{
	return map_at(state, state->fresh, getpagesize(), PROT_READ, 0);
}

/* The pages come again by faults, which the kernel repeats. */
static int do_fault(struct state *state)
{
	must(!madvise(state->map, state->size, MADV_DONTNEED));
	for (size_t at = 0; at < state->size; at += getpagesize())
		state->map[at]++;
	return 0;
}

static int do_poll(struct state *state)
{
	static struct pollfd fds[POLLED];

	for (int i = 0; i < POLLED; i++)
		fds[i] = (struct pollfd) { state->fd, POLLIN, 0 };
	return poll(fds, POLLED, 0) < 0 ? -errno : 0;
}

static int do_epoll(struct state *state)
{
	struct epoll_event event = { .events = EPOLLOUT };

	return epoll_ctl(state->epoll, EPOLL_CTL_ADD, state->fd, &event) ?
	       -errno : 0;
}

/* A name in /proc for which there is no memory is not there. */
static int do_fdinfo(struct state *state)
{
	char path[64], text[512];
	int ret;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", state->fd);
	ret = file_read(path, text, sizeof(text));
	return ret == -ENOENT ? -ENOMEM : ret;
}

/* The peer's own memory fails too; then it says ENOMEM as well. */
static int peer_op(struct state *state, __u32 op, __u32 flags, __u32 *indices)
{
	struct blockpool_peer_op args = {
		.op = op,
		.context = BLOCKPOOL_PEER_PROCESS,
		.flags = flags,
		.count = BATCH,
		.indices = (uintptr_t)indices,
	};
	int ret = pool_ioctl(state->peer, BLOCKPOOL_PEER_OP, &args);

	return ret ? ret : args.result < 0 ? args.result : 0;
}

static int do_peer_get(struct state *state)
{
	struct blockpool_peer_open args = {};

	strcpy(args.name, state->name);
	return pool_ioctl(state->peer, BLOCKPOOL_PEER_OPEN, &args) ?:
	       pool_ioctl(state->peer, BLOCKPOOL_PEER_CLOSE, NULL);
}

static int do_peer_create(struct state *state)
{
	struct blockpool_peer_create args = {
		.block_size = 2048, .nr_blocks = 100,
	};

	strcpy(args.name, state->made);
	return pool_ioctl(state->peer, BLOCKPOOL_PEER_CREATE, &args) ?:
	       pool_ioctl(state->peer, BLOCKPOOL_PEER_CLOSE, NULL);
}

static int peer_take_and_give(struct state *state, __u32 flags)
{
	struct blockpool_peer_open args = {};
	int ret;

	strcpy(args.name, state->name);
	ret = pool_ioctl(state->peer, BLOCKPOOL_PEER_OPEN, &args);
	if (ret)
		return ret;
	ret = peer_op(state, BLOCKPOOL_PEER_ALLOC_BULK, flags, state->more);
	if (!ret)
		ret = peer_op(state, BLOCKPOOL_PEER_FREE_BULK, 0, state->more);
	/* What it could not give back goes now. */
	must(!pool_ioctl(state->peer, BLOCKPOOL_PEER_CLOSE, NULL));
	return ret;
}

static int do_peer_use(struct state *state)
{
	return peer_take_and_give(state, 0);
}

static int do_peer_sleep(struct state *state)
{
	return peer_take_and_give(state, BLOCKPOOL_PEER_SLEEP);
}

struct call {
	const char *name;
	int (*act)(struct state *state);
	bool peer;		/* by way of the peer */
	bool charged;		/* to RLIMIT_MEMLOCK */
	bool attaches;		/* the fresh file, whatever comes of it */
	bool none;		/* may be one that allocates nothing */
};

static const struct call calls[] = {
	{ "open", .act = do_open },
	{ "create", .act = do_create, .charged = true },
	{ "create many blocks", .act = do_create_many, .charged = true },
	{ "create large", .act = do_create_large, .charged = true },
	{ "create with debug", .act = do_create_debug, .charged = true },
	{ "create with tracks", .act = do_create_tracked, .charged = true },
	{ "create isolated", .act = do_create_isolated, .charged = true },
	{ "attach", .act = do_attach },
	{ "alloc", .act = do_alloc },
	{ "alloc and wait", .act = do_alloc_wait },
	{ "alloc of default", .act = do_alloc_default, .attaches = true },
	{ "free", .act = do_free },
	{ "unlink", .act = do_unlink, .none = true },
	{ "look", .act = do_look, .none = true },
	{ "owners", .act = do_owners, .none = true },
	{ "modules", .act = do_modules },
	{ "report", .act = do_report },
	{ "mmap", .act = do_mmap },
	{ "mmap of the status", .act = do_mmap_status },
	{ "mmap of default", .act = do_mmap_default, .attaches = true },
	{ "fault", .act = do_fault, .none = true },
	{ "poll", .act = do_poll },
	{ "epoll", .act = do_epoll },
	{ "fdinfo", .act = do_fdinfo },
	{ "peer: get", .act = do_peer_get, .peer = true, .none = true },
	{ "peer: create", .act = do_peer_create, .peer = true },
	{ "peer: take and give", .act = do_peer_use, .peer = true },
	{ "peer: take, ready to sleep", .act = do_peer_sleep, .peer = true },
};

#define NR_CALLS	(sizeof(calls) / sizeof(*calls))

/*
 * The sweep over one call
 */

static void tell(const char *when, const struct picture *picture)
{
	fprintf(stderr, "# %s: pools %u, files %u, mappings %u, ", when,
		picture->pools, picture->files, picture->mappings);
	fprintf(stderr, "free %llu, held %llu, clients %llu, client %u\n",
		picture->free, picture->held, picture->clients, picture->client);
}

static void expect_equal(const struct call *call, int nth,
			 const struct picture *before,
			 const struct picture *after)
{
	if (!memcmp(before, after, sizeof(*before)))
		return;
	tell("before", before);
	tell("after", after);
	pool_fatal("%s: allocation %d failed, and something changed",
		   call->name, nth);
}

/* Returns whether a fault was injected, and counts it if the call failed. */
static bool fail_one(const struct call *call, const char *name, int peer,
		     int nth, int *failed)
{
	static struct picture before, after;
	struct state state;
	bool injected;
	int ret;

	make_state(&state, name, peer);
	take_picture(&state, &before);
	fail_arm(nth);
	ret = call->act(&state);
	injected = fail_disarm();
	if (ret && (!injected || (ret != -ENOMEM && ret != -EFAULT)))
		pool_fatal("%s, %d: %s%s", call->name, nth, strerror(-ret),
			   injected ? "" : ", and no allocation failed");
	if (ret) {
		take_picture(&state, &after);
		if (call->attaches)
			after.client = before.client;
		expect_equal(call, nth, &before, &after);
		++*failed;
	}
	end_state(&state);
	return injected;
}

static void limit_charge(rlim_t bytes)
{
	const struct rlimit rlimit = { bytes, CHARGE_MAX };

	must(!setrlimit(RLIMIT_MEMLOCK, &rlimit));
}

static bool fits(const struct call *call, const char *name, rlim_t bytes)
{
	struct state state;
	int ret;

	limit_charge(bytes);
	make_state(&state, name, -1);
	ret = call->act(&state);
	must(!ret || ret == -ENOMEM);
	end_state(&state);
	return !ret;
}

/* Just what the call takes: with a page that is still charged it would fail. */
static void tighten_charge(const struct call *call, const char *name)
{
	rlim_t page = getpagesize(), low = 0, high = CHARGE_MAX / page, middle;

	while (low + 1 < high) {
		middle = (low + high) / 2;
		if (fits(call, name, middle * page))
			high = middle;
		else
			low = middle;
	}
	limit_charge(high * page);
}

/* In a child, as an unprivileged user. */
static void __attribute__((noreturn)) sweep(const struct call *call,
					    const char *name, bool all,
					    int result)
{
	int peer = call->peer ? open(PEER_DEVICE, O_RDWR | O_CLOEXEC) : -1;
	int counts[2] = {}, nth;

	fail_open(all);
	limit_charge(CHARGE_MAX);
	become(USER_A, USER_A);
	if (call->charged)
		tighten_charge(call, name);
	for (nth = 1; fail_one(call, name, peer, nth, &counts[1]); nth++)
		must(nth < FAIL_NTH_MAX);
	counts[0] = nth - 1;
	must(write(result, counts, sizeof(counts)) == sizeof(counts));
	_exit(0);
}

static bool sweep_call(const struct call *call, const char *name, bool all,
		       struct attack *attack)
{
	int fds[2], counts[2] = {};
	bool good;
	pid_t pid;

	must(!pipe2(fds, O_CLOEXEC));
	pid = child_fork();
	if (!pid)
		sweep(call, name, all, fds[1]);
	good = !child_reap(pid) &&
	       read(fds[0], counts, sizeof(counts)) == sizeof(counts);
	close(fds[0]);
	close(fds[1]);
	ksft_print_msg("%s: %d allocations%s failed, and the call for %d of them\n",
		       call->name, counts[0], all ? " and all behind" : "",
		       counts[1]);
	attack->done += counts[0];
	return good && (counts[1] || call->none);
}

/*
 * The run
 */

static void test_call(const struct call *call, const char *name,
		      struct attack *attack)
{
	int fd = pool_join(name);
	bool good;

	if (call->peer && access(PEER_DEVICE, F_OK)) {
		ksft_test_result_skip("%s: no %s\n", call->name, PEER_DEVICE);
		return;
	}
	good = sweep_call(call, name, false, attack) &&
	       sweep_call(call, name, true, attack);
	pool_await_clients(fd, 2);
	pool_check(fd, 0);
	ksft_test_result(good, "%s\n", call->name);
	close(fd);
}

static int make_pool(const char *name, __u32 flags, __u32 block_size)
{
	const struct blockpool_create_args args = {
		.flags = flags,
		.block_size = block_size, .nr_blocks = NR_BLOCKS, .mode = 0666,
	};
	int fd = pool_open(O_RDWR);

	must(!pool_create_args(fd, name, args));
	return fd;
}

int main(void)
{
	char name[BLOCKPOOL_NAME_SIZE];
	struct attack attack;
	mode_t mode;
	int fd, debug;

	ksft_print_header();
	if (!fail_possible())
		ksft_exit_skip("this kernel injects no faults\n");
	ksft_set_plan(NR_CALLS + 1);
	attack = attack_start("faults", 1);
	fail_set_up();
	mode = device_share();
	pool_name(name);
	fd = make_pool(name, 0, 1000);
	debug = make_pool(DEBUG_POOL, BLOCKPOOL_TRACK, 64);
	must(pool_give(debug, NR_BLOCKS) == -EINVAL);
	for (size_t i = 0; i < NR_CALLS; i++)
		test_call(&calls[i], name, &attack);
	ksft_test_result(attack_finish(&attack), "there were faults\n");
	close(debug);
	close(fd);
	device_restore(mode);
	ksft_finished();
}

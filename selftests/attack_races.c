// SPDX-License-Identifier: GPL-2.0
/*
 * attack_races - a pool's life against itself
 *
 * Eight processes open, create, attach, map, poll, unlink and close, all on a few
 * names, and take each other's files to use them at the same time.  Meanwhile the
 * module is unloaded and loaded again, if BLOCKPOOL_KO names it: it goes whenever
 * nobody has the device open for an instant, so from time to time all hold on to
 * nothing for long.  Each answer must be one that the interface names, and
 * afterwards nothing may be left.
 */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"
#include "kselftest.h"
#include "module.h"
#include "pool.h"

#define ROUNDS		100000	/* of one process each, in the short run */
#define WORKERS		8
#define NAMES		4
#define FDS		4	/* files that a process has at most */
#define BLOCK_SIZE	1000
#define NR_BLOCKS	16
#define PHASE_MS	100	/* from many files to few, and back */
#define DUEL_EACH	8	/* times that one might be: they are dear */
#define SPINS		1000000
#define UNLOADS		5	/* at least, for the test to mean something */

struct shared {
	bool stop;
	bool thin;		/* nobody keeps a file */
	__u64 rounds;
	__u64 absent;		/* times that there was no device */
	__u64 met;		/* another's file, used at the same time */
	__u64 unloads;
	__u64 duels;
	__u64 unfair;		/* of these, not won by exactly one */
	int arrived[WORKERS];	/* at a point of a duel */
	pid_t pids[WORKERS];
	int fds[WORKERS][FDS];	/* of each process, -1 for none */
};

struct run {
	struct attack attack;
	struct shared *shared;
	char prefix[16];
	char parameters[256];
	const char *module;	/* NULL: stays loaded */
	pid_t pids[WORKERS + 1];
	unsigned int pools;	/* before */
	int bad_ends;
};

struct worker {
	struct random random;
	struct shared *shared;
	const char *prefix;
	int self;
	int *fds;
	char *map;		/* of some pool, or NULL */
};

static __u32 below(struct worker *worker, __u32 limit)
{
	return random_below(&worker->random, limit);
}

static bool flag(const bool *which)
{
	return __atomic_load_n(which, __ATOMIC_RELAXED);
}

static void count(__u64 *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static void any_name(struct worker *worker, char *name)
{
	snprintf(name, BLOCKPOOL_NAME_SIZE, "%s-%u", worker->prefix,
		 below(worker, NAMES));
}

/* What a call may answer here: 0, or one of those that are named, up to a 0. */
static void expect(const char *what, int ret, const int *errors)
{
	if (ret >= 0)
		return;
	for (; *errors; errors++)
		if (ret == -*errors)
			return;
	pool_fatal("%s: %s", what, strerror(-ret));
}

#define EXPECT(ret, ...) \
	expect(#ret, ret, (const int[]) { __VA_ARGS__, 0 })

/*
 * One process
 */

static int *any_fd(struct worker *worker)
{
	return &worker->fds[below(worker, FDS)];
}

static void put_fd(int *to, int fd)
{
	if (*to >= 0)
		close(*to);
	*to = fd;
}

/* The module may be gone, or on its way. */
static void do_open(struct worker *worker)
{
	int fd = pool_open(O_RDWR);

	EXPECT(fd, ENOENT, ENXIO, ENODEV);
	if (fd < 0)
		count(&worker->shared->absent);
	else
		put_fd(any_fd(worker), fd);
}

static void do_create(struct worker *worker, int fd)
{
	struct blockpool_create_args args = {
		.block_size = BLOCK_SIZE,
		.nr_blocks = NR_BLOCKS,
		.flags = below(worker, 4) ? 0 : BLOCKPOOL_PERSIST,
	};
	char name[BLOCKPOOL_NAME_SIZE];

	any_name(worker, name);
	EXPECT(pool_create_args(fd, name, args), EEXIST, EBUSY, EBADF);
}

static void do_attach(struct worker *worker, int fd)
{
	char name[BLOCKPOOL_NAME_SIZE];

	any_name(worker, name);
	EXPECT(pool_attach(fd, name), ENOENT, EBUSY, EBADF);
}

static void do_unlink(struct worker *worker)
{
	char name[BLOCKPOOL_NAME_SIZE];

	any_name(worker, name);
	EXPECT(pool_unlink(name), ENOENT, ENXIO, ENODEV);
}

/* "default", for a file without a pool, is there as long as the module is. */
static void do_take(struct worker *worker, int fd)
{
	__u32 indices[4], n = 1 + below(worker, 4);
	int ret = pool_alloc(fd, indices, n);

	EXPECT(ret, EAGAIN, ENOENT, EBADF);
	if (!ret && below(worker, 2))
		EXPECT(pool_free(fd, indices, n, NULL), EBADF, EPERM, EINVAL);
}

/* All on a few ports of each pool, which end with their receivers. */
static void do_port(struct worker *worker, int fd)
{
	struct blockpool_bind_args bind = {
		.size = sizeof(bind),
		.flags = BLOCKPOOL_BIND_SEND | BLOCKPOOL_BIND_RECV |
			 BLOCKPOOL_BIND_CREATE,
		.linger_ms = below(worker, 3),
		.name = { 'a' + below(worker, NAMES) },
	};
	struct blockpool_message message = { .length = BLOCK_SIZE };
	struct blockpool_send_args args = {
		.size = sizeof(args),
		.count = 1,
		.messages = (uintptr_t)&message,
	};
	struct blockpool_unbind_args unbind = { .size = sizeof(unbind) };
	int ret;

	EXPECT(pool_ioctl(fd, BLOCKPOOL_IOC_BIND, &bind), ENOENT, EBADF);
	args.port = bind.port;
	unbind.port = bind.port;
	ret = pool_take(fd);
	EXPECT(ret, EAGAIN, ENOENT, EBADF);
	message.index = ret;
	EXPECT(pool_ioctl(fd, BLOCKPOOL_IOC_SEND, &args), EAGAIN, EINVAL, ENOENT,
	       EPERM, EPIPE, EBADF);
	if (below(worker, 2))
		EXPECT(pool_ioctl(fd, BLOCKPOOL_IOC_RECV, &args), EAGAIN, ENOENT,
		       EBADF);
	if (below(worker, 2))
		EXPECT(pool_ioctl(fd, BLOCKPOOL_IOC_UNBIND, &unbind), ENOENT, EBADF);
}

static void undo_map(struct worker *worker)
{
	if (worker->map)
		munmap(worker->map, getpagesize());
	worker->map = NULL;
}

/* A mapping keeps the pool when its file is closed. */
static void do_map(struct worker *worker, int fd)
{
	size_t page = getpagesize();
	char *map = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 below(worker, 4) * page);

	EXPECT(map == MAP_FAILED ? -errno : 0, EBADF, EINVAL, ENOENT);
	if (map == MAP_FAILED)
		return;
	memset(map, worker->self, page);
	undo_map(worker);
	worker->map = map;
}

static void do_poll(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

	EXPECT(poll(&poll_fd, 1, 0), EINTR);
}

static void do_look(int fd)
{
	struct blockpool_info info = { .size = sizeof(info) };
	struct blockpool_stats stats = { .size = sizeof(stats) };
	struct blockpool_list_args list = { .size = sizeof(list) };
	struct blockpool_holder_args holder = { .size = sizeof(holder) };
	struct blockpool_port_args port = { .size = sizeof(port) };

	EXPECT(pool_ioctl(fd, BLOCKPOOL_IOC_INFO, &info), EBADF, ENOENT);
	EXPECT(pool_ioctl(fd, BLOCKPOOL_IOC_STATS, &stats), EBADF, ENOENT);
	while (!pool_ioctl(fd, BLOCKPOOL_IOC_LIST, &list))
		;
	while (!pool_ioctl(fd, BLOCKPOOL_IOC_HOLDER, &holder))
		;
	while (!pool_ioctl(fd, BLOCKPOOL_IOC_PORT, &port))
		;
}

/* By now the number may be another file's, which does not know the call. */
static bool is_device(int fd)
{
	__u32 too_small = 0;

	return pool_ioctl(fd, BLOCKPOOL_IOC_LIST, &too_small) == -EINVAL;
}

/* Another's file: what it does to it and what we do meet in the kernel. */
static void do_meet(struct worker *worker)
{
	__u32 other = below(worker, WORKERS);
	int theirs = worker->shared->fds[other][below(worker, FDS)];
	int pidfd = syscall(SYS_pidfd_open, worker->shared->pids[other], 0);
	int fd = syscall(SYS_pidfd_getfd, pidfd, theirs, 0);

	if (pidfd >= 0)
		close(pidfd);
	if (fd >= 0 && is_device(fd)) {
		count(&worker->shared->met);
		put_fd(any_fd(worker), fd);
	} else if (fd >= 0) {
		close(fd);
	}
}

/* Who comes first stays on its CPU, to go on in the same instant as the other. */
static void meet(int *arrived, int all)
{
	__atomic_fetch_add(arrived, 1, __ATOMIC_ACQ_REL);
	for (int i = 1; __atomic_load_n(arrived, __ATOMIC_ACQUIRE) < all; i++)
		if (i % SPINS == 0)
			sched_yield();
}

/* Both come here at the same time and have left before one goes on. */
static int strike(struct worker *worker, int fd, const char *name)
{
	int *arrived = &worker->shared->arrived[worker->self], ret;

	meet(arrived, 2);
	ret = pool_create(fd, name, BLOCK_SIZE, NR_BLOCKS);
	meet(arrived, 4);
	EXPECT(ret, EBUSY, EEXIST);
	return ret;
}

/* Of two that create a pool, by one file or by one name, exactly one succeeds. */
static void do_duel(struct worker *worker)
{
	char name[BLOCKPOOL_NAME_SIZE], other[BLOCKPOOL_NAME_SIZE];
	int fd = pool_open(O_RDWR), ret;
	bool one_file = below(worker, 2);
	pid_t pid;

	EXPECT(fd, ENOENT, ENXIO, ENODEV);
	if (fd < 0)
		return;
	snprintf(name, sizeof(name), "%s-duel-%d", worker->prefix, worker->self);
	snprintf(other, sizeof(other), "%s-%s-%d", worker->prefix,
		 one_file ? "other" : "duel", worker->self);
	worker->shared->arrived[worker->self] = 0;
	pid = child_fork();
	if (!pid) {
		ret = strike(worker, one_file ? fd : pool_open(O_RDWR), other);
		_exit(ret ? 1 : 0);
	}
	ret = strike(worker, fd, name);
	count(&worker->shared->duels);
	if (!ret == !child_reap(pid))
		count(&worker->shared->unfair);
	close(fd);
}

static void act(struct worker *worker)
{
	int *fd = any_fd(worker);

	switch (below(worker, 17)) {
	case 0 ... 3:
		do_open(worker);
		break;
	case 4:
	case 5:
		do_create(worker, *fd);
		break;
	case 6:
	case 7:
		do_attach(worker, *fd);
		break;
	case 8:
		do_unlink(worker);
		break;
	case 9:
		do_take(worker, *fd);
		break;
	case 10:
		do_map(worker, *fd);
		break;
	case 11:
		do_poll(*fd);
		break;
	case 12:
		do_look(*fd);
		break;
	case 13:
		do_meet(worker);
		break;
	case 14:
		if (!below(worker, DUEL_EACH))
			do_duel(worker);
		break;
	case 15:
		do_port(worker, *fd);
		break;
	default:
		put_fd(fd, -1);
	}
}

static void let_go(struct worker *worker)
{
	undo_map(worker);
	for (int i = 0; i < FDS; i++)
		put_fd(&worker->fds[i], -1);
}

static void __attribute__((noreturn)) work(const struct run *run, int self)
{
	struct worker worker = {
		.random = attack_random(&run->attack, self),
		.shared = run->shared,
		.prefix = run->prefix,
		.self = self,
		.fds = run->shared->fds[self],
	};

	while (!flag(&run->shared->stop)) {
		act(&worker);
		count(&run->shared->rounds);
		if (!flag(&run->shared->thin))
			continue;
		let_go(&worker);
		usleep(below(&worker, 1000));
	}
	let_go(&worker);
	_exit(0);
}

/*
 * The module
 */

/* The device's name is there only a moment after the module. */
static void __attribute__((noreturn)) reload(const struct run *run)
{
	struct random random = attack_random(&run->attack, WORKERS);
	int module = open(run->module, O_RDONLY | O_CLOEXEC), ret;

	must(module >= 0);
	while (!flag(&run->shared->stop)) {
		usleep(random_below(&random, 2000));
		ret = module_unload();
		EXPECT(ret, EAGAIN, EBUSY);
		if (ret)
			continue;
		count(&run->shared->unloads);
		usleep(random_below(&random, 2000));
		ret = module_load(module, run->parameters);
		if (ret)
			pool_fatal("loading %s: %s", run->module, strerror(-ret));
	}
	_exit(0);
}

/*
 * The run
 */

/* In a child, which keeps no file of the device. */
static unsigned int pools_now(void)
{
	pid_t pid = child_fork();

	if (!pid)
		_exit(pool_count());
	return child_reap(pid);
}

static void start(struct run *run)
{
	snprintf(run->prefix, sizeof(run->prefix), "race-%d", getpid());
	run->pools = pools_now();
	run->module = getenv("BLOCKPOOL_KO");
	module_parameters(run->parameters, sizeof(run->parameters));
	run->shared = mmap(NULL, sizeof(*run->shared), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(run->shared != MAP_FAILED);
	memset(run->shared->fds, -1, sizeof(run->shared->fds));
	for (int i = 0; i < WORKERS; i++) {
		run->pids[i] = child_fork();
		if (!run->pids[i])
			work(run, i);
		run->shared->pids[i] = run->pids[i];
	}
	if (!run->module)
		return;
	run->pids[WORKERS] = child_fork();
	if (!run->pids[WORKERS])
		reload(run);
}

static bool goes_on(struct run *run)
{
	return attack_goes_on(&run->attack) ||
	       (run->module &&
		__atomic_load_n(&run->shared->unloads, __ATOMIC_RELAXED) < UNLOADS);
}

static void go_on(struct run *run)
{
	while (goes_on(run) && !child_ended()) {
		usleep(PHASE_MS * 1000);
		__atomic_store_n(&run->shared->thin, !flag(&run->shared->thin),
				 __ATOMIC_RELAXED);
		run->attack.done = __atomic_load_n(&run->shared->rounds,
						   __ATOMIC_RELAXED);
	}
}

static void stop(struct run *run)
{
	int status;

	__atomic_store_n(&run->shared->stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i <= WORKERS; i++) {
		status = run->pids[i] ? child_reap(run->pids[i]) : 0;
		if (!status)
			continue;
		ksft_print_msg("process %d ended with %d\n", i, status);
		run->bad_ends++;
	}
	run->attack.done = run->shared->rounds;
}

/* Of each name that is left: its pool is whole, and goes with its name. */
static void check_left(const char *prefix)
{
	struct blockpool_list_args entry = {};
	int fd;

	while (!pool_next(&entry)) {
		if (strncmp(entry.name, prefix, strlen(prefix)))
			continue;
		must(entry.flags & BLOCKPOOL_PERSIST);
		fd = pool_join(entry.name);
		pool_await_held(fd, 0);	/* ports may linger */
		pool_drain(fd);
		must(!pool_unlink(entry.name));
		close(fd);
	}
	if (!pool_listed("default"))
		return;
	fd = pool_join("default");
	pool_await_clients(fd, 1);
	pool_await_held(fd, 0);
	pool_drain(fd);
	close(fd);
}

static bool whole(const struct run *run)
{
	pid_t pid = child_fork();

	if (!pid) {
		check_left(run->prefix);
		_exit(0);
	}
	return !child_reap(pid);
}

static void judge(struct run *run)
{
	const struct shared *shared = run->shared;

	ksft_print_msg("%llu duels, met at another's file %llu times, found no device %llu times\n",
		       shared->duels, shared->met, shared->absent);
	ksft_test_result(attack_finish(&run->attack) && shared->met &&
			 !run->bad_ends,
			 "every answer was one that the interface names\n");
	ksft_test_result(shared->duels && !shared->unfair,
			 "of two that did the same exactly one succeeded\n");
	if (run->module)
		ksft_test_result(shared->unloads >= UNLOADS && shared->absent,
				 "the module went and came back %llu times\n",
				 shared->unloads);
	else
		ksft_test_result_skip("BLOCKPOOL_KO is not set: the module stayed\n");
	ksft_test_result(whole(run), "every block is free\n");
	ksft_test_result(pools_now() == run->pools, "no pool is left\n");
}

int main(void)
{
	static struct run run;

	ksft_print_header();
	ksft_set_plan(5);
	run.attack = attack_start("rounds", ROUNDS);
	start(&run);
	go_on(&run);
	stop(&run);
	judge(&run);
	ksft_finished();
}

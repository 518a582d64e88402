// SPDX-License-Identifier: GPL-2.0
/*
 * attack_fuzz - whatever is called, with whatever arguments, nothing breaks
 *
 * Processes of several users make random calls that know the interface: files of
 * the device are opened, shared, handed over, mapped and closed in all ways, and
 * every call of it gets arguments that are right, at their bounds, or hostile.  Each
 * answer must be one that the interface names; and each process has, between these,
 * a client of its own whose answers are known beforehand.  See fuzz/.
 *
 * When all have ended, nothing of it may be left.  That the kernel reported nothing
 * is for the guest runner to see.  What is random comes of ATTACK_SEED: see attack.h.
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "kselftest.h"
#include "port.h"

#define WORKERS		8
#define CALLS		1000000
#define BURST		64	/* steps between two looks at the time */
#define WARM		5000	/* calls before the memory is looked at first */
#define LEFT_KB		65536	/* that may be gone: caches of the kernel */
#define MODEL_BLOCKS	256
#define MODEL_BYTES	1000
#define MODEL_MAX	40	/* of one client: all together want more than there is */
#define PATIENCE	30	/* seconds */
#define STALLS		"/proc/sys/vm/unprivileged_userfaultfd"

struct worker {
	pid_t pid;
	uid_t uid;
};

struct run {
	struct attack attack;
	struct fuzz_shared *shared;
	char prefix[16];		/* of the names of all pools that come */
	char model_name[BLOCKPOOL_NAME_SIZE];
	int model;			/* a client of that pool */
	int mail[WORKERS][2];		/* one between each two neighbours */
	struct worker workers[WORKERS];
	mode_t mode;
	char stalls[16];
	__u64 bad_looks;
	__u64 bad_ends;
};

/*
 * The processes
 */

static const uid_t uids[WORKERS] = {
	0, USER_A, USER_B, USER_A, 0, USER_A, USER_B, USER_B,
};

static void on_alarm(int signo)
{
}

/* A signal shall end a call, not start it again. */
static void handle_signals(void)
{
	const struct sigaction wake = { .sa_handler = on_alarm };

	must(!sigaction(SIGALRM, &wake, NULL));
	must(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
}

static void step(struct fuzz *fuzz)
{
	switch (fuzz_below(fuzz, 1000)) {
	case 0:
		fuzz_fork(fuzz);
		break;
	case 1 ... 200:
		fuzz_model(fuzz);
		break;
	case 201 ... 400:
		fuzz_call(fuzz);
		break;
	default:
		fuzz_ioctl(fuzz);
	}
}

static void __attribute__((noreturn)) work(struct run *run, int slot)
{
	static struct fuzz fuzz;
	int next = (slot + 1) % WORKERS;

	fuzz.random = attack_random(&run->attack, slot);
	fuzz.shared = run->shared;
	fuzz.prefix = run->prefix;
	fuzz.model_name = run->model_name;
	fuzz.mail[0] = run->mail[slot][0];
	fuzz.mail[1] = run->mail[next][1];
	if (uids[slot])
		become(uids[slot], uids[slot]);
	handle_signals();
	fuzz_memory_init(&fuzz);
	fuzz_calls_init(&fuzz);
	fuzz_model_init(&fuzz);
	while (!__atomic_load_n(&run->shared->stop, __ATOMIC_RELAXED))
		for (int i = 0; i < BURST; i++)
			step(&fuzz);
	fuzz_model_end(&fuzz);
	_exit(0);
}

/*
 * What must be as it was: the charge of a user, the memory, the pools.
 */

static bool creates_within(const char *name, rlim_t limit)
{
	int fd = pool_open(O_RDWR), ret;
	struct rlimit rlimit;

	must(!getrlimit(RLIMIT_MEMLOCK, &rlimit));
	rlimit.rlim_cur = limit;
	must(!setrlimit(RLIMIT_MEMLOCK, &rlimit));
	ret = pool_create(fd, name, 4096, 4);
	must(!ret || ret == -ENOMEM);
	close(fd);
	return !ret;
}

/* The least RLIMIT_MEMLOCK in pages with which a user can make a small pool. */
static int charge_of(const struct run *run, uid_t uid)
{
	char name[BLOCKPOOL_NAME_SIZE];
	rlim_t page = getpagesize();
	pid_t pid = child_fork();
	int pages = 1;

	if (pid)
		return child_reap(pid);
	snprintf(name, sizeof(name), "%s-charge", run->prefix);
	become(uid, uid);
	while (!creates_within(name, pages * page))
		must(pages++ < 100);
	_exit(pages);
}

/* In kilobytes, when the kernel has thrown away what it only caches. */
static long long memory_now(void)
{
	must(!file_write("/proc/sys/vm/drop_caches", "3"));
	usleep(200000);		/* for what RCU is to free */
	return file_value("/proc/meminfo", "MemAvailable:");
}

struct before {
	unsigned int pools;
	int charges[2];
	long long memory;
};

static struct before look_before(const struct run *run)
{
	return (struct before) {
		.pools = pool_count(),
		.charges = { charge_of(run, USER_A), charge_of(run, USER_B) },
	};
}

/* What stays in a port that has no receiver waits for one. */
static void empty_ports(int fd)
{
	struct blockpool_port_args port;
	struct blockpool_message message;
	int ret;

	for (__u32 after = 0; !port_look(fd, after, &port); after = port.cursor) {
		ret = port_bind(fd, port.name, PORT_RECV);
		if (ret == -ENOENT)
			continue;	/* it has ended meanwhile */
		must(ret == (int)port.cursor);
		while ((ret = port_recv(fd, port.cursor, &message, 1, 0, 0)) > 0)
			must(!pool_give(fd, message.index));
		must(ret == -EAGAIN);
	}
}

/* They end some milliseconds after their last receivers. */
static void await_no_ports(int fd)
{
	struct blockpool_port_args port;

	for (int tries = 0; !port_look(fd, 0, &port); tries++) {
		must(tries < 1000);
		usleep(1000);
	}
}

/* Of a pool that is left because it is persistent; damage in it is no fault. */
static void check_left(const char *name)
{
	struct blockpool_repair_args repair = { .size = sizeof(repair) };
	int fd = pool_join(name), ret;
	struct blockpool_info info = pool_info(fd);

	pool_await_clients(fd, 1);
	ret = pool_ioctl(fd, BLOCKPOOL_IOC_REPAIR, &repair);
	must(!ret || ret == -EOPNOTSUPP || ret == -ENOTTY);
	empty_ports(fd);
	pool_check(fd, 0);
	if (!info.client_max && !info.reserve)
		pool_drain(fd);
	close(fd);
	must(!pool_unlink(name));
}

/* The checks end a process that finds something wrong. */
static bool passes(void (*check)(const char *name), const char *name)
{
	pid_t pid = child_fork();

	if (!pid) {
		check(name);
		_exit(0);
	}
	return !child_reap(pid);
}

static bool pools_left_are_whole(const struct run *run)
{
	struct blockpool_list_args entry = {};
	bool whole = true;

	while (!pool_next(&entry)) {
		if (!(entry.flags & BLOCKPOOL_PERSIST) ||
		    !strcmp(entry.name, "default"))
			continue;
		whole &= passes(check_left, entry.name);
	}
	return whole;
}

static void check_model(const char *name)
{
	int fd = pool_join(name);

	pool_await_clients(fd, 2);	/* and the one that made it */
	pool_check(fd, 0);
	close(fd);
}

static void check_default(const char *name)
{
	int fd = pool_join(name);

	pool_await_clients(fd, 1);
	await_no_ports(fd);
	pool_check(fd, 0);
	pool_drain(fd);
	close(fd);
}

/*
 * The run
 */

/* Of two users who have seen it, so that all that is free is wiped from now on. */
static void make_model(struct run *run)
{
	struct blockpool_create_args args = {
		.block_size = MODEL_BYTES, .nr_blocks = MODEL_BLOCKS,
		.mode = 0666, .client_max = MODEL_MAX,
	};
	pid_t pid;

	pool_name(run->model_name);
	run->model = pool_open(O_RDWR);
	must(!pool_create_args(run->model, run->model_name, args));
	for (uid_t uid = USER_A; uid <= USER_B; uid++) {
		pid = child_fork();
		if (!pid) {
			become(uid, uid);
			pool_map(pool_join(run->model_name));
			_exit(0);
		}
		must(!child_reap(pid));
	}
}

static void prepare(struct run *run)
{
	run->shared = mmap(NULL, sizeof(*run->shared), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(run->shared != MAP_FAILED);
	snprintf(run->prefix, sizeof(run->prefix), "fuzz-%d", getpid());
	run->mode = device_share();
	if (!file_read(STALLS, run->stalls, sizeof(run->stalls)))
		must(!file_write(STALLS, "1"));
}

static void undo(struct run *run)
{
	if (*run->stalls)
		must(!file_write(STALLS, run->stalls));
	device_restore(run->mode);
}

static void start(struct run *run)
{
	run->shared->stop = false;
	for (int slot = 0; slot < WORKERS; slot++)
		must(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0,
				 run->mail[slot]));
	for (int slot = 0; slot < WORKERS; slot++) {
		run->workers[slot].pid = child_fork();
		if (!run->workers[slot].pid)
			work(run, slot);
	}
	for (int slot = 0; slot < WORKERS; slot++) {
		close(run->mail[slot][0]);
		close(run->mail[slot][1]);
	}
}

/* What must hold at any time. */
static void look(struct run *run)
{
	struct blockpool_stats stats = pool_stats(run->model);

	run->bad_looks += stats.nr_blocks != MODEL_BLOCKS ||
		stats.nr_free + stats.nr_held != stats.nr_blocks ||
		stats.allocs != stats.frees + stats.reclaimed + stats.nr_held;
}

static void look_on(struct run *run)
{
	usleep(20000);
	look(run);
	run->attack.done = __atomic_load_n(&run->shared->calls,
					   __ATOMIC_RELAXED);
}

static void stop(struct run *run)
{
	__atomic_store_n(&run->shared->stop, true, __ATOMIC_RELAXED);
	for (int slot = 0; slot < WORKERS; slot++) {
		int status = child_reap(run->workers[slot].pid);

		if (!status)
			continue;
		ksft_print_msg("process %d of user %u ended with %d\n", slot,
			       uids[slot], status);
		run->bad_ends++;
	}
	run->attack.done = run->shared->calls;
}

/* As short as can be: what the kernel does not do a second time is done then. */
static void warm_up(struct run *run)
{
	start(run);
	while (run->attack.done < WARM && !child_ended())
		look_on(run);
	stop(run);
	pools_left_are_whole(run);
}

static void go(struct run *run)
{
	start(run);
	while (attack_goes_on(&run->attack) && !child_ended())
		look_on(run);
	stop(run);
}

static void tell(const struct run *run)
{
	const struct fuzz_shared *shared = run->shared;

	ksft_print_msg("%llu calls of the model, %llu faults, %llu calls lay still%s\n",
		       shared->model, shared->faults, shared->stalled,
		       *run->stalls ? "" : " (no userfaultfd here)");
}

/* Descriptors in messages that nobody received are closed by the kernel, some time. */
static bool none_left(unsigned int before)
{
	for (int i = 0; i < PATIENCE * 100; i++) {
		if (pool_count() == before)
			return true;
		usleep(10000);
	}
	return false;
}

static void judge(struct run *run, const struct before *before)
{
	bool enough = attack_finish(&run->attack), both, whole;
	long long lost;

	tell(run);
	both = fuzz_report(run->shared);
	ksft_test_result(!run->bad_ends, "every answer was one that the interface names\n");
	ksft_test_result(!run->bad_looks, "the statistics always added up\n");
	ksft_test_result(enough && both && run->shared->model &&
			 !*run->stalls == !run->shared->stalled,
			 "all calls were made, and answered both ways\n");
	whole = passes(check_model, run->model_name);
	if (pool_listed("default"))
		whole &= passes(check_default, "default");
	whole &= pools_left_are_whole(run);
	ksft_test_result(whole, "every block of every pool that is left is free\n");
	ksft_test_result(none_left(before->pools), "no pool is left\n");
	ksft_test_result(charge_of(run, USER_A) == before->charges[0] &&
			 charge_of(run, USER_B) == before->charges[1],
			 "no user is charged for anything\n");
	lost = before->memory - memory_now();
	ksft_print_msg("%lld kB of memory less than before\n", lost);
	ksft_test_result(lost < LEFT_KB, "no memory is lost\n");
}

int main(void)
{
	static struct run run;
	struct before before;

	ksft_print_header();
	ksft_set_plan(7);
	run.attack = attack_start("calls", CALLS);
	prepare(&run);
	make_model(&run);
	before = look_before(&run);
	warm_up(&run);
	before.memory = memory_now();
	go(&run);
	judge(&run, &before);
	undo(&run);
	ksft_finished();
}

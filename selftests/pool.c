// SPDX-License-Identifier: GPL-2.0
/*
 * What the tests share; see pool.h.
 */
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pool.h"

#define AWAIT_SECONDS	20
#define KSFT_SKIP	4

/*
 * The harness ends with 0 if each of its tests is skipped; so look for what
 * all of them need before it starts.
 */
static void __attribute__((constructor)) skip_unless_device(void)
{
	const char *why = NULL;

	if (access(POOL_DEVICE, F_OK))
		why = "no " POOL_DEVICE ": the module is not loaded";
	else if (geteuid())
		why = "not root";
	if (!why)
		return;
	printf("TAP version 13\n1..0 # SKIP %s\n", why);
	fflush(stdout);
	_exit(KSFT_SKIP);
}

void pool_fatal_at(const char *file, int line, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "# %s:%d: ", file, line);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

void pool_name(char *name)
{
	static unsigned int count;

	snprintf(name, BLOCKPOOL_NAME_SIZE, "test-%d-%u", getpid(), count++);
}

/*
 * The calls
 */

int pool_open(int oflags)
{
	int fd = open(POOL_DEVICE, oflags | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int pool_ioctl(int fd, unsigned long request, void *args)
{
	int ret = ioctl(fd, request, args);

	if (ret > 0)
		pool_fatal("ioctl %lx returned %d", request, ret);
	return ret ? -errno : 0;
}

/* A name too long is not terminated, which is for the kernel to notice. */
static void copy_name(char *to, const char *name)
{
	memcpy(to, name, strnlen(name, BLOCKPOOL_NAME_SIZE));
}

int pool_create_args(int fd, const char *name,
		     struct blockpool_create_args args)
{
	args.size = sizeof(args);
	copy_name(args.name, name);
	return pool_ioctl(fd, BLOCKPOOL_IOC_CREATE, &args);
}

int pool_create(int fd, const char *name, __u32 block_size, __u32 nr_blocks)
{
	struct blockpool_create_args args = {
		.block_size = block_size,
		.nr_blocks = nr_blocks,
	};

	return pool_create_args(fd, name, args);
}

int pool_attach(int fd, const char *name)
{
	struct blockpool_name_args args = { .size = sizeof(args) };

	copy_name(args.name, name);
	return pool_ioctl(fd, BLOCKPOOL_IOC_ATTACH, &args);
}

int pool_unlink(const char *name)
{
	struct blockpool_name_args args = { .size = sizeof(args) };
	int fd = pool_open(O_RDWR);
	int ret;

	if (fd < 0)
		return fd;
	copy_name(args.name, name);
	ret = pool_ioctl(fd, BLOCKPOOL_IOC_UNLINK, &args);
	close(fd);
	return ret;
}

/* What fails must leave the output as it was. */
static int alloc(int fd, __u32 flags, __u32 *indices, __u32 count,
		 int timeout_ms)
{
	struct blockpool_alloc_args args = {
		.size = sizeof(args),
		.flags = flags,
		.count = count,
		.timeout_ms = timeout_ms,
		.indices = (uintptr_t)indices,
	};
	__u8 *bytes = (__u8 *)indices;
	int ret;

	memset(indices, POOL_POISON, count * sizeof(*indices));
	ret = pool_ioctl(fd, BLOCKPOOL_IOC_ALLOC, &args);
	for (size_t i = 0; ret && i < count * sizeof(*indices); i++) {
		if (bytes[i] != POOL_POISON)
			pool_fatal("failed with %d, and wrote indices", ret);
	}
	return ret;
}

int pool_alloc(int fd, __u32 *indices, __u32 count)
{
	return alloc(fd, 0, indices, count, 0);
}

int pool_alloc_wait(int fd, __u32 *indices, __u32 count, int timeout_ms)
{
	return alloc(fd, BLOCKPOOL_ALLOC_WAIT, indices, count, timeout_ms);
}

int pool_free(int fd, const __u32 *indices, __u32 count, __u32 *done)
{
	struct blockpool_free_args args = {
		.size = sizeof(args),
		.count = count,
		.indices = (uintptr_t)indices,
	};
	int ret;

	memset(&args.done, POOL_POISON, sizeof(args.done));
	ret = pool_ioctl(fd, BLOCKPOOL_IOC_FREE, &args);
	if (!ret && args.done != count)
		pool_fatal("freed %u of %u without an error", args.done, count);
	if (done)
		*done = args.done;
	return ret;
}

int pool_take(int fd)
{
	__u32 index;
	int ret = pool_alloc(fd, &index, 1);

	return ret ? ret : (int)index;
}

int pool_take_wait(int fd, int timeout_ms)
{
	__u32 index;
	int ret = pool_alloc_wait(fd, &index, 1, timeout_ms);

	return ret ? ret : (int)index;
}

int pool_give(int fd, __u32 index)
{
	__u32 done;
	int ret = pool_free(fd, &index, 1, &done);

	if ((ret == -EINVAL || ret == -EPERM) && done)
		pool_fatal("freeing %u failed, and freed %u", index, done);
	return ret;
}

int pool_next(struct blockpool_list_args *entry)
{
	static int fd = -1;

	if (fd < 0)
		fd = pool_open(O_RDONLY);
	if (fd < 0)
		return fd;
	entry->size = sizeof(*entry);
	return pool_ioctl(fd, BLOCKPOOL_IOC_LIST, entry);
}

int pool_owners(int fd, __u32 first, __u32 count, __u32 *owners)
{
	struct blockpool_owners_args args = {
		.size = sizeof(args),
		.first = first,
		.count = count,
		.owners = (uintptr_t)owners,
	};

	memset(owners, POOL_POISON, count * sizeof(*owners));
	return pool_ioctl(fd, BLOCKPOOL_IOC_OWNERS, &args);
}

/*
 * The calls that cannot fail
 */

int pool_new(const char *name, __u32 block_size, __u32 nr_blocks)
{
	int fd = pool_open(O_RDWR);
	int ret = fd < 0 ? fd : pool_create(fd, name, block_size, nr_blocks);

	if (ret < 0)
		pool_fatal("cannot create %s: %s", name, strerror(-ret));
	return fd;
}

int pool_join(const char *name)
{
	int fd = pool_open(O_RDWR);
	int ret = fd < 0 ? fd : pool_attach(fd, name);

	if (ret < 0)
		pool_fatal("cannot attach %s: %s", name, strerror(-ret));
	return fd;
}

/* A query's structure, poisoned but for what the kernel reads. */
struct query {
	__u32 size;
	__u32 second;
};

static void query(int fd, unsigned long request, void *args, size_t size)
{
	struct query *query = args;
	int ret;

	memset(args, POOL_POISON, size);
	query->size = size;
	query->second = 0;
	if (request == BLOCKPOOL_IOC_INFO)
		((struct blockpool_info *)args)->__reserved = 0;
	ret = pool_ioctl(fd, request, args);
	if (ret)
		pool_fatal("ioctl %lx: %s", request, strerror(-ret));
}

struct blockpool_info pool_info(int fd)
{
	struct blockpool_info info;

	query(fd, BLOCKPOOL_IOC_INFO, &info, sizeof(info));
	return info;
}

struct blockpool_stats pool_stats(int fd)
{
	struct blockpool_stats stats;

	query(fd, BLOCKPOOL_IOC_STATS, &stats, sizeof(stats));
	return stats;
}

char *pool_map(int fd)
{
	size_t size = pool_info(fd).map_size;
	char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		pool_fatal("cannot map %zu bytes: %s", size, strerror(errno));
	return map;
}

bool pool_listed(const char *name)
{
	struct blockpool_list_args entry = {};

	while (!pool_next(&entry)) {
		if (!strcmp(entry.name, name))
			return true;
	}
	return false;
}

unsigned int pool_count(void)
{
	struct blockpool_list_args entry = {};
	unsigned int count = 0;

	while (!pool_next(&entry))
		count++;
	return count;
}

__u32 *pool_take_all(int fd)
{
	__u32 count = pool_info(fd).nr_blocks;
	__u32 *indices = malloc(count * sizeof(*indices));
	__u32 batch;
	int ret;

	for (__u32 i = 0; i < count; i += batch) {
		batch = count - i;
		if (batch > BLOCKPOOL_BATCH_MAX)
			batch = BLOCKPOOL_BATCH_MAX;
		ret = pool_alloc(fd, indices + i, batch);
		if (ret)
			pool_fatal("%u of %u taken, then %s", i, count,
				   strerror(-ret));
	}
	return indices;
}

void pool_give_all(int fd)
{
	struct blockpool_info info = pool_info(fd);
	__u32 *owners = malloc(info.nr_blocks * sizeof(*owners));

	must(!pool_owners(fd, 0, info.nr_blocks, owners));
	for (__u32 i = 0; i < info.nr_blocks; i++)
		must(owners[i] != info.client || !pool_give(fd, i));
	free(owners);
}

/*
 * The whole state
 */

struct at {
	const char *file;
	int line;
	int fd;
};

#define at_fatal(at, ...)	pool_fatal_at((at)->file, (at)->line, __VA_ARGS__)

static void expect_equal(const struct at *at, const char *what, __u64 expected,
			 __u64 seen)
{
	if (expected != seen)
		at_fatal(at, "%s: expected %llu, seen %llu", what, expected,
			 seen);
}

static void check_stats(const struct at *at, const struct blockpool_stats *stats,
			__u64 held)
{
	expect_equal(at, "nr_held", held, stats->nr_held);
	expect_equal(at, "nr_free + nr_held", stats->nr_blocks,
		     stats->nr_free + stats->nr_held);
	expect_equal(at, "frees + reclaimed + nr_held", stats->allocs,
		     stats->frees + stats->reclaimed + stats->nr_held);
	if (stats->min_free > stats->nr_free)
		at_fatal(at, "min_free %llu, but only %llu are free",
			 stats->min_free, stats->nr_free);
	if (stats->nr_kernel > stats->nr_held)
		at_fatal(at, "nr_kernel %llu of %llu held", stats->nr_kernel,
			 stats->nr_held);
}

static __u64 count_words(const __u32 *words, __u64 nr, __u32 word)
{
	__u64 count = 0;

	for (__u64 i = 0; i < nr; i++)
		count += words[i] == word;
	return count;
}

/* Each client's count must be what the owner table says. */
static void check_holders(const struct at *at,
			  const struct blockpool_stats *stats,
			  const __u32 *owners)
{
	struct blockpool_holder_args holder = { .size = sizeof(holder) };
	__u64 clients = 0, held = 0;

	while (!pool_ioctl(at->fd, BLOCKPOOL_IOC_HOLDER, &holder)) {
		expect_equal(at, "a holder's blocks",
			     count_words(owners, stats->nr_blocks,
					 holder.cursor),
			     holder.held);
		held += holder.held;
		clients++;
	}
	expect_equal(at, "number of holders", stats->nr_clients, clients);
	expect_equal(at, "holders' blocks", stats->nr_held - stats->nr_kernel -
		     stats->nr_in_flight, held);
}

/* No port has a block too many, or too few. */
static void check_ports(const struct at *at, const struct blockpool_stats *stats,
			const __u32 *owners)
{
	struct blockpool_port_args port = { .size = sizeof(port) };
	__u64 shared = count_words(owners, stats->nr_blocks,
				   BLOCKPOOL_OWNER_SHARED);
	__u64 in_flight = shared, blocks;

	while (!pool_ioctl(at->fd, BLOCKPOOL_IOC_PORT, &port)) {
		blocks = count_words(owners, stats->nr_blocks,
				     BLOCKPOOL_OWNER_PORT | port.cursor);
		if (!shared || blocks > port.nr_messages)
			expect_equal(at, "a port's blocks", blocks,
				     port.nr_messages);
		in_flight += blocks;
	}
	expect_equal(at, "blocks in flight", stats->nr_in_flight, in_flight);
}

void pool_check_at(const char *file, int line, int fd, __u64 held)
{
	struct at at = { file, line, fd };
	struct blockpool_stats stats = pool_stats(fd);
	__u32 *owners = malloc(stats.nr_blocks * sizeof(*owners));

	check_stats(&at, &stats, held);
	expect_equal(&at, "nr_blocks", pool_info(fd).nr_blocks, stats.nr_blocks);
	if (pool_owners(fd, 0, stats.nr_blocks, owners))
		at_fatal(&at, "cannot read the owner table");
	expect_equal(&at, "free in the owner table", stats.nr_free,
		     count_words(owners, stats.nr_blocks,
				 BLOCKPOOL_OWNER_FREE));
	expect_equal(&at, "the kernel's in the owner table", stats.nr_kernel,
		     count_words(owners, stats.nr_blocks,
				 BLOCKPOOL_OWNER_KERNEL));
	check_holders(&at, &stats, owners);
	check_ports(&at, &stats, owners);
	free(owners);
}

static void expect_each_once(const struct at *at, const __u32 *indices,
			     __u32 count)
{
	bool *seen = calloc(count, sizeof(*seen));

	for (__u32 i = 0; i < count; i++) {
		if (indices[i] >= count)
			at_fatal(at, "got block %u of %u", indices[i], count);
		if (seen[indices[i]])
			at_fatal(at, "got block %u twice", indices[i]);
		seen[indices[i]] = true;
	}
	free(seen);
}

void pool_drain_at(const char *file, int line, int fd)
{
	struct at at = { file, line, fd };
	__u32 count = pool_info(fd).nr_blocks;
	__u32 batch;
	__u32 *indices;

	pool_check_at(file, line, fd, 0);
	indices = pool_take_all(fd);
	expect_each_once(&at, indices, count);
	if (pool_take(fd) != -EAGAIN)
		at_fatal(&at, "got a block of an empty pool");
	pool_check_at(file, line, fd, count);
	for (__u32 i = 0; i < count; i += batch) {
		batch = count - i;
		if (batch > BLOCKPOOL_BATCH_MAX)
			batch = BLOCKPOOL_BATCH_MAX;
		if (pool_free(fd, indices + i, batch, NULL))
			at_fatal(&at, "cannot give back from %u on", i);
	}
	pool_check_at(file, line, fd, 0);
	free(indices);
}

static void await(int fd, size_t field, __u64 value, const char *what)
{
	const struct timespec nap = { .tv_nsec = 1000000 };
	struct blockpool_stats stats;
	time_t end = time(NULL) + AWAIT_SECONDS;
	__u64 seen;

	do {
		stats = pool_stats(fd);
		memcpy(&seen, (char *)&stats + field, sizeof(seen));
		if (seen == value)
			return;
		nanosleep(&nap, NULL);
	} while (time(NULL) < end);
	pool_fatal("%s is %llu and does not become %llu", what, seen, value);
}

void pool_await_waiting(int fd, __u64 waiting)
{
	await(fd, offsetof(struct blockpool_stats, nr_waiting), waiting,
	      "nr_waiting");
}

void pool_await_held(int fd, __u64 held)
{
	await(fd, offsetof(struct blockpool_stats, nr_held), held, "nr_held");
}

void pool_await_clients(int fd, __u64 clients)
{
	await(fd, offsetof(struct blockpool_stats, nr_clients), clients,
	      "nr_clients");
}

/*
 * Children
 */

static void die_with_parent(void)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		pool_fatal("prctl: %s", strerror(errno));
}

pid_t child_fork(void)
{
	pid_t parent = getpid(), pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		pool_fatal("fork: %s", strerror(errno));
	if (!pid) {
		die_with_parent();
		if (getppid() != parent)
			_exit(1);
	}
	return pid;
}

int child_reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) != pid) {
		if (errno != EINTR)
			pool_fatal("waitpid: %s", strerror(errno));
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

int child_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	return child_reap(pid);
}

bool child_ended(void)
{
	siginfo_t info = {};

	return !waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) &&
	       info.si_pid;
}

bool pool_is_whole(int fd)
{
	pid_t pid = child_fork();

	if (!pid) {
		pool_check(fd, 0);
		pool_drain(fd);
		_exit(0);
	}
	return !child_reap(pid);
}

/* A change of credentials makes the kernel forget the death signal. */
void become(uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) || setresgid(gid, gid, gid) ||
	    setresuid(uid, uid, uid))
		pool_fatal("cannot become %u:%u: %s", uid, gid,
			   strerror(errno));
	die_with_parent();
}

void step_init(struct step *step)
{
	if (pipe2(step->fds, O_CLOEXEC))
		pool_fatal("pipe: %s", strerror(errno));
}

void step_post(struct step *step)
{
	if (write(step->fds[1], "", 1) != 1)
		pool_fatal("step: %s", strerror(errno));
}

/* The other side may be dead; its parent sees that, so do not wait for ever. */
void step_await(struct step *step)
{
	struct pollfd poll_fd = { .fd = step->fds[0], .events = POLLIN };
	char byte;

	if (poll(&poll_fd, 1, AWAIT_SECONDS * 1000) != 1 ||
	    read(step->fds[0], &byte, 1) != 1)
		pool_fatal("the other process did not come so far");
}

/* An inherited descriptor would keep another client alive: close them all. */
static void __attribute__((noreturn)) wait_for_blocks(const char *name,
						      __u32 count,
						      int timeout_ms, int fd)
{
	__u32 *indices = malloc(count * sizeof(*indices));
	int ret;

	close_range(3, fd - 1, 0);
	close_range(fd + 1, ~0U, 0);
	ret = pool_alloc_wait(pool_join(name), indices, count, timeout_ms);
	if (write(fd, &ret, sizeof(ret)) != sizeof(ret))
		pool_fatal("waiter: %s", strerror(errno));
	for (;;)
		pause();
}

struct waiter waiter_start(const char *name, __u32 count, int timeout_ms)
{
	int watch = pool_join(name);
	__u64 waiting = pool_stats(watch).nr_waiting;
	struct waiter waiter;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		pool_fatal("pipe: %s", strerror(errno));
	waiter.pid = child_fork();
	if (!waiter.pid)
		wait_for_blocks(name, count, timeout_ms, fds[1]);
	close(fds[1]);
	waiter.fd = fds[0];
	pool_await_waiting(watch, waiting + 1);
	close(watch);
	return waiter;
}

int waiter_result(struct waiter *waiter)
{
	struct pollfd poll_fd = { .fd = waiter->fd, .events = POLLIN };
	int ret;

	if (poll(&poll_fd, 1, AWAIT_SECONDS * 1000) != 1 ||
	    read(waiter->fd, &ret, sizeof(ret)) != sizeof(ret))
		pool_fatal("a waiter did not return from ALLOC");
	return ret;
}

void waiter_end(struct waiter *waiter)
{
	child_kill(waiter->pid);
	close(waiter->fd);
}

/*
 * The system
 */

int cpu_count(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN);
}

void cpu_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		pool_fatal("cannot run on CPU %d: %s", cpu, strerror(errno));
}

/* Those that are not there are left out by the kernel. */
void cpu_unpin(void)
{
	cpu_set_t set;

	memset(&set, 0xff, sizeof(set));
	if (sched_setaffinity(0, sizeof(set), &set))
		pool_fatal("sched_setaffinity: %s", strerror(errno));
}

mode_t device_share(void)
{
	struct stat st;

	if (stat(POOL_DEVICE, &st) || chmod(POOL_DEVICE, 0666))
		pool_fatal(POOL_DEVICE ": %s", strerror(errno));
	return st.st_mode & 07777;
}

void device_restore(mode_t mode)
{
	if (chmod(POOL_DEVICE, mode))
		pool_fatal(POOL_DEVICE ": %s", strerror(errno));
}

long long file_value(const char *path, const char *key)
{
	FILE *file = fopen(path, "re");
	long long value = -1;
	char line[256];
	size_t length = strlen(key);

	if (!file)
		pool_fatal("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, key, length) &&
		    strspn(line + length, ": \t")) {
			value = strtoll(line + length +
					strspn(line + length, ": \t"), NULL, 0);
			break;
		}
	}
	fclose(file);
	return value;
}

int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text));
	ret = ret < 0 ? -errno : 0;
	close(fd);
	return ret;
}

int file_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t ret;

	if (fd < 0)
		return -errno;
	while ((ret = read(fd, text + length, size - 1 - length)) > 0)
		length += ret;
	ret = ret < 0 ? -errno : 0;
	text[length] = 0;
	close(fd);
	return ret;
}

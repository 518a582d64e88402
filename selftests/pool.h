/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests share: a function for each ioctl, clients in child processes,
 * and the checks of a pool's whole state.
 *
 * A call that a test may want to see fail returns -errno, so that a test reads
 * ASSERT_EQ(-EPERM, pool_give(fd, index)).  Whatever else goes wrong ends the
 * process with abort(), in a test or in a child of one, and so fails the test.
 */
#ifndef SELFTESTS_POOL_H
#define SELFTESTS_POOL_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <linux/blockpool.h>

#define POOL_DEVICE	"/dev/blockpool"
#define POOL_POISON	0xa5		/* in outputs before a call */

/* Unprivileged users need no entry in passwd. */
#define USER_A		4242
#define USER_B		4243

#define pool_fatal(...)	pool_fatal_at(__FILE__, __LINE__, __VA_ARGS__)
void pool_fatal_at(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4), noreturn));

/* For child processes, where the harness's ASSERTs do not belong. */
#define must(cond) \
	do { \
		if (!(cond)) \
			pool_fatal("not true: %s (errno %d)", #cond, errno); \
	} while (0)

/* A name that no other test has; name has BLOCKPOOL_NAME_SIZE bytes. */
void pool_name(char *name);

/* The calls.  All return -errno on failure; sizes and poison are filled in. */
int pool_open(int oflags);
int pool_ioctl(int fd, unsigned long request, void *args);
int pool_create(int fd, const char *name, __u32 block_size, __u32 nr_blocks);
int pool_create_args(int fd, const char *name,
		     struct blockpool_create_args args);
int pool_attach(int fd, const char *name);
int pool_unlink(const char *name);
int pool_alloc(int fd, __u32 *indices, __u32 count);
int pool_alloc_wait(int fd, __u32 *indices, __u32 count, int timeout_ms);
int pool_free(int fd, const __u32 *indices, __u32 count, __u32 *done);
int pool_take(int fd);				/* an index */
int pool_take_wait(int fd, int timeout_ms);	/* an index */
int pool_give(int fd, __u32 index);
int pool_next(struct blockpool_list_args *entry);
int pool_owners(int fd, __u32 first, __u32 count, __u32 *owners);

/* The same, for what cannot fail. */
int pool_new(const char *name, __u32 block_size, __u32 nr_blocks);
int pool_join(const char *name);
struct blockpool_info pool_info(int fd);
struct blockpool_stats pool_stats(int fd);
__u32 *pool_take_all(int fd);			/* to be given to free() */
void pool_give_all(int fd);			/* that the client holds */
char *pool_map(int fd);
bool pool_listed(const char *name);
unsigned int pool_count(void);

/*
 * Compare everything that can be read out of a pool: statistics, owner table
 * and holders must agree, and held blocks be held.  The pool must be at rest.
 */
#define pool_check(fd, held)	pool_check_at(__FILE__, __LINE__, fd, held)
void pool_check_at(const char *file, int line, int fd, __u64 held);

/*
 * Of a pool with no block held: take every block, see each index exactly once,
 * and give all back.
 */
#define pool_drain(fd)		pool_drain_at(__FILE__, __LINE__, fd)
void pool_drain_at(const char *file, int line, int fd);

/* Both of them in a child, for those who go on after a failure. */
bool pool_is_whole(int fd);

/* Wait, for some seconds at most, until the pool's statistics say so. */
void pool_await_waiting(int fd, __u64 waiting);
void pool_await_held(int fd, __u64 held);
void pool_await_clients(int fd, __u64 clients);

/* A child that goes when its parent goes; its exit status, or 128 + signal. */
pid_t child_fork(void);
int child_reap(pid_t pid);
int child_kill(pid_t pid);
bool child_ended(void);			/* whether one waits to be reaped */

/* For good; also forgets the supplementary groups. */
void become(uid_t uid, gid_t gid);

/* Two processes in step: post() lets the other side's await() return. */
struct step {
	int fds[2];
};

void step_init(struct step *step);
void step_post(struct step *step);
void step_await(struct step *step);

/*
 * A child, with a client of its own, that is asleep in ALLOC when
 * waiter_start() returns, and keeps what it gets until waiter_end().
 */
struct waiter {
	pid_t pid;
	int fd;
};

struct waiter waiter_start(const char *name, __u32 count, int timeout_ms);
int waiter_result(struct waiter *waiter);	/* of ALLOC: 0 or -errno */
void waiter_end(struct waiter *waiter);

/* Keep the calling thread on a CPU, or let it run on any again. */
int cpu_count(void);
void cpu_pin(int cpu);
void cpu_unpin(void);

/* Let everybody open the device node, and undo it. */
mode_t device_share(void);
void device_restore(mode_t mode);

/* The number behind "key" in a file of "key value" lines, -1 if not there. */
long long file_value(const char *path, const char *key);

/* Write or read a small file whole, as in sysfs; -errno. */
int file_write(const char *path, const char *text);
int file_read(const char *path, char *text, size_t size);

#endif /* SELFTESTS_POOL_H */

// SPDX-License-Identifier: GPL-2.0
/*
 * What else can be done with a file of the device and with a mapping of it.  What
 * these calls answer is the kernel's matter; here they only get in the way.
 */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

#define PAGE	4096UL
#define CHILD_STEPS	16

/*
 * Files
 */

static void replace(int *slot, int fd)
{
	if (*slot >= 0)
		close(*slot);
	*slot = fd;
}

static void do_open(struct fuzz *fuzz)
{
	static const int ways[] = {
		O_RDWR, O_RDWR, O_RDWR, O_RDWR, O_RDONLY, O_WRONLY,
		O_RDWR | O_NONBLOCK, O_PATH, O_ACCMODE, O_RDWR | O_TRUNC,
		O_RDWR | O_DIRECT, O_RDONLY | O_DIRECTORY,
	};

	replace(fuzz_fd(fuzz), open(POOL_DEVICE, FUZZ_PICK(fuzz, ways)));
}

static void do_close(struct fuzz *fuzz)
{
	replace(fuzz_fd(fuzz), -1);
}

static void do_dup(struct fuzz *fuzz)
{
	int *to = fuzz_fd(fuzz), *from = fuzz_fd(fuzz);

	if (to != from)
		replace(to, dup(*from));
}

static void do_poll(struct fuzz *fuzz)
{
	struct pollfd fds[FUZZ_FDS];

	for (int i = 0; i < FUZZ_FDS; i++)
		fds[i] = (struct pollfd) { *fuzz_fd(fuzz), POLLIN | POLLOUT |
					   POLLPRI, 0 };
	poll(fds, 1 + fuzz_below(fuzz, FUZZ_FDS), 0);
}

static void do_epoll(struct fuzz *fuzz)
{
	static const int ops[] = { EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_DEL,
				   EPOLL_CTL_MOD };
	struct epoll_event event = {
		.events = EPOLLOUT | (fuzz_once(fuzz, 2) ? EPOLLET : 0) |
			  (fuzz_once(fuzz, 2) ? EPOLLIN : 0),
	};

	epoll_ctl(fuzz->epoll, FUZZ_PICK(fuzz, ops), *fuzz_fd(fuzz), &event);
	epoll_wait(fuzz->epoll, &event, 1, 0);
}

/* Most of these are none of the device's. */
static void do_file(struct fuzz *fuzz)
{
	int fd = *fuzz_fd(fuzz);
	char bytes[64] = {};

	switch (fuzz_below(fuzz, 10)) {
	case 0:
		must(read(fd, bytes, sizeof(bytes)) < 0);
		break;
	case 1:
		must(write(fd, bytes, sizeof(bytes)) < 0);
		break;
	case 2:
		must(pread(fd, bytes, sizeof(bytes), fuzz_number(fuzz)) < 0);
		break;
	case 3:
		lseek(fd, fuzz_number(fuzz), fuzz_below(fuzz, 5));
		break;
	case 4:
		must(ftruncate(fd, 0) < 0);
		break;
	case 5:
		fcntl(fd, F_SETFL, random_next(&fuzz->random) &
		      (O_NONBLOCK | O_ASYNC | O_APPEND));
		break;
	case 6:
		flock(fd, LOCK_NB | (fuzz_once(fuzz, 2) ? LOCK_EX : LOCK_UN));
		break;
	case 7:
		fsync(fd);
		break;
	case 8:
		must(fallocate(fd, fuzz_below(fuzz, 4), 0, PAGE) < 0);
		break;
	default:
		must(sendfile(fuzz->pipe[1], fd, NULL, PAGE) < 0);
	}
}

static void do_fdinfo(struct fuzz *fuzz)
{
	char path[64], text[512];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", *fuzz_fd(fuzz));
	file_read(path, text, sizeof(text));
	if (fuzz_once(fuzz, 8))
		file_read("/sys/kernel/debug/blockpool/stats", text, sizeof(text));
}

/* From process to process. */
union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static void do_send(struct fuzz *fuzz)
{
	union control control = { .header = {
		CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec byte = { "", 1 };
	struct msghdr message = {
		.msg_iov = &byte, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};

	memcpy(CMSG_DATA(&control.header), fuzz_fd(fuzz), sizeof(int));
	sendmsg(fuzz->mail[0], &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void do_receive(struct fuzz *fuzz)
{
	union control control;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(fuzz->mail[1], &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0 ||
	    message.msg_controllen < CMSG_LEN(sizeof(int)))
		return;
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	replace(fuzz_fd(fuzz), fd);
}

/*
 * Mappings, each in a window of its own, where nothing else ever is.
 */

static void vacate(char *at, size_t bytes)
{
	must(mmap(at, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED |
		  MAP_NORESERVE, -1, 0) == at);
}

/* A piece of a window, mostly near its beginning. */
static char *piece(struct fuzz *fuzz, size_t *bytes)
{
	char *window = FUZZ_PICK(fuzz, fuzz->windows);
	__u32 all = FUZZ_WINDOW / PAGE;
	__u32 near = fuzz_once(fuzz, 4) ? all : 16;
	__u32 first = fuzz_below(fuzz, near);

	*bytes = (1 + fuzz_below(fuzz, near - first)) * PAGE;
	return window + first * PAGE;
}

/* Of the pool that the file has: its blocks, its status, or beyond. */
static off_t offset_in(struct fuzz *fuzz, int fd, size_t *bytes)
{
	struct blockpool_info info = { .size = sizeof(info) };

	if (ioctl(fd, BLOCKPOOL_IOC_INFO, &info) || fuzz_once(fuzz, 16))
		return fuzz_number(fuzz) * (fuzz_once(fuzz, 4) ? 1 : PAGE);
	if (fuzz_once(fuzz, 8)) {
		*bytes = PAGE;
		return info.status_offset;
	}
	if (*bytes > info.map_size && !fuzz_once(fuzz, 4))
		*bytes = info.map_size;
	return fuzz_once(fuzz, 2) ? 0 :
		fuzz_below(fuzz, info.map_size / PAGE + 2) * PAGE;
}

static void do_mmap(struct fuzz *fuzz)
{
	static const int flags[] = {
		MAP_SHARED, MAP_SHARED, MAP_SHARED, MAP_SHARED, MAP_PRIVATE,
		MAP_SHARED_VALIDATE | MAP_SYNC, MAP_SHARED | MAP_POPULATE,
		MAP_SHARED | MAP_LOCKED, MAP_SHARED | MAP_HUGETLB,
	};
	static const int prots[] = {
		PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ,
		PROT_WRITE, PROT_NONE, PROT_READ | PROT_EXEC, PROT_READ | PROT_GROWSDOWN,
	};
	int fd = *fuzz_fd(fuzz);
	size_t bytes;
	char *at = piece(fuzz, &bytes);
	off_t offset = offset_in(fuzz, fd, &bytes);

	if (mmap(at, bytes, FUZZ_PICK(fuzz, prots), FUZZ_PICK(fuzz, flags) |
		 MAP_FIXED, fd, offset) == MAP_FAILED)
		vacate(at, bytes);	/* what was there may be gone */
}

/* Of any length, where the kernel likes. */
static void do_mmap_anywhere(struct fuzz *fuzz)
{
	size_t bytes = (size_t)fuzz_number(fuzz) << fuzz_below(fuzz, 32);
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			*fuzz_fd(fuzz), fuzz_number(fuzz) * PAGE);

	if (at != MAP_FAILED)
		must(!munmap(at, bytes));
}

static void do_munmap(struct fuzz *fuzz)
{
	size_t bytes;
	char *at = piece(fuzz, &bytes);

	munmap(at, bytes);
	vacate(at, bytes);
}

static void do_mremap(struct fuzz *fuzz)
{
	size_t from_bytes, to_bytes;
	char *from = piece(fuzz, &from_bytes), *to = piece(fuzz, &to_bytes);
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;

	if (fuzz_once(fuzz, 4)) {
		from_bytes = to_bytes;
		flags |= MREMAP_DONTUNMAP;
	}
	if (from + from_bytes > to && to + to_bytes > from)
		return;
	if (mremap(from, from_bytes, to_bytes, flags, to) == MAP_FAILED)
		vacate(to, to_bytes);	/* as with mmap() */
	if (!(flags & MREMAP_DONTUNMAP))
		vacate(from, from_bytes);
}

static void do_advise(struct fuzz *fuzz)
{
	static const int advice[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_WILLNEED, MADV_DONTNEED,
		MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_DONTFORK, MADV_DOFORK,
		MADV_MERGEABLE, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_DODUMP,
		MADV_COLD, MADV_PAGEOUT, MADV_WIPEONFORK, 22 /* POPULATE_READ */,
		23 /* POPULATE_WRITE */, 25 /* COLLAPSE */,
	};
	size_t bytes;
	char *at = piece(fuzz, &bytes);

	madvise(at, bytes, FUZZ_PICK(fuzz, advice));
}

static void do_protect(struct fuzz *fuzz)
{
	size_t bytes;
	char *at = piece(fuzz, &bytes);
	unsigned char there[FUZZ_WINDOW / PAGE];

	switch (fuzz_below(fuzz, 8)) {
	case 0:
		mlock(at, bytes);
		break;
	case 1:
		munlock(at, bytes);
		break;
	case 2:
		msync(at, bytes, MS_SYNC);
		break;
	case 3:
		mincore(at, bytes, there);
		break;
	default:
		mprotect(at, bytes, random_next(&fuzz->random) &
			 (PROT_READ | PROT_WRITE | PROT_EXEC));
	}
}

static void do_touch(struct fuzz *fuzz)
{
	size_t bytes;
	char *at = piece(fuzz, &bytes);

	for (size_t i = 0; i < bytes && i < 16 * PAGE; i += PAGE)
		if (!fuzz_touch(fuzz, at + i, fuzz_once(fuzz, 2) ? "x" : NULL, 1))
			break;
}

/* A page in a pipe stays in use, whatever becomes of its mapping. */
static void do_splice(struct fuzz *fuzz)
{
	size_t bytes;
	struct iovec iov = { .iov_base = piece(fuzz, &bytes) };
	char sink[PAGE];

	iov.iov_len = bytes;
	vmsplice(fuzz->pipe[1], &iov, 1, SPLICE_F_NONBLOCK);
	if (fuzz_once(fuzz, 2))
		while (read(fuzz->pipe[0], sink, sizeof(sink)) > 0)
			;
}

struct doing {
	__u32 weight;
	void (*act)(struct fuzz *fuzz);
};

static const struct doing doings[] = {
	{ 6, do_open }, { 4, do_close }, { 2, do_dup }, { 3, do_poll },
	{ 3, do_epoll }, { 4, do_file }, { 1, do_fdinfo }, { 2, do_send },
	{ 4, do_receive }, { 8, do_mmap }, { 2, do_mmap_anywhere },
	{ 3, do_munmap }, { 2, do_mremap }, { 4, do_advise }, { 3, do_protect },
	{ 4, do_touch }, { 2, do_splice },
};

void fuzz_call(struct fuzz *fuzz)
{
	const struct doing *doing = doings;
	__u32 sum = 0, at;

	for (size_t i = 0; i < sizeof(doings) / sizeof(*doings); i++)
		sum += doings[i].weight;
	for (at = fuzz_below(fuzz, sum); at >= doing->weight; doing++)
		at -= doing->weight;
	fuzz_count(&fuzz->shared->calls);
	doing->act(fuzz);
}

/*
 * Processes
 */

static void __attribute__((noreturn)) child(struct fuzz *fuzz, bool exec)
{
	static char * const argv[] = { "true", NULL };

	fuzz_memory_forked(fuzz);
	for (int i = 0; i < CHILD_STEPS; i++)
		fuzz_once(fuzz, 2) ? fuzz_ioctl(fuzz) : fuzz_call(fuzz);
	if (exec)
		execv("/bin/true", argv);
	_exit(0);
}

/* A child that uses its parent's files, and may be killed at it. */
void fuzz_fork(struct fuzz *fuzz)
{
	bool exec = fuzz_once(fuzz, 4), killed = fuzz_once(fuzz, 4);
	pid_t pid = child_fork();

	if (!pid)
		child(fuzz, exec);
	random_next(&fuzz->random);
	if (killed)
		kill(pid, SIGKILL);
	must(child_reap(pid) == (killed ? 128 + SIGKILL : 0) || killed);
}

void fuzz_calls_init(struct fuzz *fuzz)
{
	for (int i = 0; i < FUZZ_FDS; i++)
		fuzz->fds[i] = -1;
	for (int i = 0; i < FUZZ_MAPS; i++) {
		fuzz->windows[i] = mmap(NULL, FUZZ_WINDOW, PROT_NONE, MAP_PRIVATE |
					MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		must(fuzz->windows[i] != MAP_FAILED);
	}
	fuzz->epoll = epoll_create1(EPOLL_CLOEXEC);
	must(fuzz->epoll >= 0 && !pipe2(fuzz->pipe, O_CLOEXEC | O_NONBLOCK));
}

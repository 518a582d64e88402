// SPDX-License-Identifier: GPL-2.0
/*
 * Arguments in all kinds of memory: whole, cut off, read-only, nowhere, in the
 * kernel's part of the addresses, in a pool's blocks, unmapped meanwhile by
 * another thread, and such that the kernel's copy lies still in the middle until
 * another thread has closed, freed or unlinked what the call works on.
 */
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fuzz.h"

#define FLICKERS	8	/* times that a page comes and goes in a call */

/* Of whoever does something meanwhile. */
struct fuzz_thread {
	struct fuzz *fuzz;
	struct random random;
	sem_t flicker;		/* posted at a call with memory that flickers */
	struct fuzz_area *area;
};

/*
 * Touching a mapping
 */

static sigjmp_buf touch_failed;
static volatile sig_atomic_t touching;

static void on_fault(int signo)
{
	if (!touching)
		signal(signo, SIG_DFL);	/* our own mistake: once more, and die */
	else
		siglongjmp(touch_failed, 1);
}

/* Write bytes there, or read them if there are none to write; false: a fault. */
bool fuzz_touch(struct fuzz *fuzz, char *at, const void *bytes, size_t size)
{
	if (sigsetjmp(touch_failed, 1)) {
		touching = 0;
		fuzz_count(&fuzz->shared->faults);
		return false;
	}
	touching = 1;
	if (bytes)
		memcpy(at, bytes, size);
	else
		for (size_t i = 0; i < size; i++)
			(void)*(volatile char *)(at + i);
	touching = 0;
	return true;
}

/*
 * What others do meanwhile
 */

static void *view(const struct fuzz_area *area, void *at, int prot)
{
	return mmap(at, FUZZ_AREA, prot, MAP_SHARED | (at ? MAP_FIXED : 0),
		    area->memfd, 0);
}

static void flicker_once(struct fuzz_thread *thread)
{
	struct fuzz_area *area = thread->area;

	switch (random_below(&thread->random, 4)) {
	case 0:
		mprotect(area->flicker, FUZZ_AREA, PROT_NONE);
		break;
	case 1:
		mprotect(area->flicker, FUZZ_AREA, PROT_READ);
		break;
	case 2:
		/* Not munmap(): another mapping might get the place. */
		mmap(area->flicker, FUZZ_AREA, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		break;
	default:
		madvise(area->flicker, FUZZ_AREA, MADV_DONTNEED);
	}
	view(area, area->flicker, PROT_READ | PROT_WRITE);
}

static void *flicker(void *arg)
{
	struct fuzz_thread *thread = arg;

	for (;;) {
		while (sem_wait(&thread->flicker))
			;
		for (int i = 0; i < FLICKERS; i++)
			flicker_once(thread);
	}
	return NULL;
}

/* Free whatever the client has of the first blocks. */
static void free_some(int fd)
{
	for (__u32 index = 0; index < 16; index++) {
		struct blockpool_free_args args = {
			.size = sizeof(args),
			.count = 1,
			.indices = (uintptr_t)&index,
		};

		ioctl(fd, BLOCKPOOL_IOC_FREE, &args);
	}
}

static void unbind_some(int fd)
{
	struct blockpool_unbind_args args = { .size = sizeof(args) };

	for (args.port = 1; args.port < 8; args.port++)
		ioctl(fd, BLOCKPOOL_IOC_UNBIND, &args);
}

static void unmap_windows(struct fuzz *fuzz)
{
	for (int i = 0; i < FUZZ_MAPS; i++)
		mmap(fuzz->windows[i], FUZZ_WINDOW, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
}

/* To the file whose call lies still; that is its process's only other thread. */
static void interfere(struct fuzz_thread *thread)
{
	struct fuzz *fuzz = thread->fuzz;
	int *fd = &fuzz->fds[fuzz->in_call];

	switch (random_below(&thread->random, 7)) {
	case 0:
	case 1:
		close(*fd);
		*fd = -1;
		break;
	case 2:
		free_some(*fd);
		break;
	case 3:
		unmap_windows(fuzz);
		break;
	case 4:
		fuzz_unlink(fuzz);
		break;
	case 5:
		unbind_some(*fd);
		break;
	}
}

/* Whole, as zeros, or not at all: then the kernel's copy fails. */
static void resolve(struct fuzz_thread *thread, int uffd, char *at)
{
	struct fuzz_memory *memory = &thread->fuzz->memory;
	size_t page = getpagesize();
	struct uffdio_zeropage zero = { .range = { (uintptr_t)at, page } };
	struct uffdio_copy copy = { .dst = (uintptr_t)at, .len = page };
	struct fuzz_area *area = &memory->areas[0];

	if (at < area->stall || at >= area->stall + FUZZ_AREA)
		area = &memory->areas[1];
	copy.src = (uintptr_t)(area->good + (at - area->stall));
	switch (random_below(&thread->random, 8)) {
	case 0:
		mmap(area->stall, FUZZ_AREA, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		break;
	case 1:
		ioctl(uffd, UFFDIO_ZEROPAGE, &zero);
		break;
	default:
		ioctl(uffd, UFFDIO_COPY, &copy);
	}
	ioctl(uffd, UFFDIO_WAKE, &zero.range);
}

static void *stall(void *arg)
{
	struct fuzz_thread *thread = arg;
	int uffd = thread->fuzz->memory.stalls;
	size_t page = getpagesize();
	struct uffd_msg msg;

	for (;;) {
		if (read(uffd, &msg, sizeof(msg)) != sizeof(msg) ||
		    msg.event != UFFD_EVENT_PAGEFAULT)
			continue;
		fuzz_count(&thread->fuzz->shared->stalled);
		interfere(thread);
		resolve(thread, uffd, (char *)(msg.arg.pagefault.address &
					       -(__u64)page));
	}
	return NULL;
}

/* -1 where the kernel has none, or not for us. */
static int stalls_open(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (uffd >= 0 && ioctl(uffd, UFFDIO_API, &api)) {
		close(uffd);
		uffd = -1;
	}
	return uffd;
}

/* Fresh pages that are not there yet. */
static void stall_arm(struct fuzz *fuzz, struct fuzz_area *area)
{
	struct uffdio_register reg = {
		.range = { (uintptr_t)area->stall, FUZZ_AREA },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	area->armed = true;
	if (fuzz->memory.stalls < 0)
		return;
	must(mmap(area->stall, FUZZ_AREA, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == area->stall);
	must(!ioctl(fuzz->memory.stalls, UFFDIO_REGISTER, &reg));
}

/*
 * Places
 */

/* With nothing behind it. */
static char *room(void)
{
	char *at = mmap(NULL, FUZZ_AREA + getpagesize(), PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(at != MAP_FAILED);
	return at;
}

static void area_init(struct fuzz_area *area)
{
	area->memfd = memfd_create("fuzz", MFD_CLOEXEC);
	must(area->memfd >= 0 && !ftruncate(area->memfd, FUZZ_AREA));
	area->good = view(area, room(), PROT_READ | PROT_WRITE);
	area->readonly = view(area, room(), PROT_READ);
	area->flicker = view(area, room(), PROT_READ | PROT_WRITE);
	area->stall = room();
	must(area->good != MAP_FAILED && area->readonly != MAP_FAILED &&
	     area->flicker != MAP_FAILED);
}

static struct fuzz_thread *thread_start(struct fuzz *fuzz, void *(*main)(void *))
{
	struct fuzz_thread *thread = calloc(1, sizeof(*thread));
	pthread_t id;

	must(thread);
	thread->fuzz = fuzz;
	thread->random.state = random_next(&fuzz->random) + 1;
	must(!sem_init(&thread->flicker, 0, 0));
	must(!pthread_create(&id, NULL, main, thread));
	return thread;
}

void fuzz_memory_init(struct fuzz *fuzz)
{
	struct fuzz_memory *memory = &fuzz->memory;
	const struct sigaction action = { .sa_handler = on_fault };

	must(!sigaction(SIGSEGV, &action, NULL));
	must(!sigaction(SIGBUS, &action, NULL));
	memory->stalls = stalls_open();
	for (int i = 0; i < 2; i++) {
		area_init(&memory->areas[i]);
		stall_arm(fuzz, &memory->areas[i]);
	}
	memory->thread = thread_start(fuzz, flicker);
	if (memory->stalls >= 0)
		thread_start(fuzz, stall);
}

/* None of these is ever memory of a process. */
static void *nowhere(struct fuzz *fuzz)
{
	static const unsigned long addresses[] = {
		0, 1, 8, 4092,
		0x7ffffffff000, 0x800000000000, 0xffff800000000000,
		0xffff888000000000, 0xffffea0000000000, 0xffffffff81000000,
		0xffffffffff600000, -4096UL, -64UL, -4UL, -1UL,
	};

	return (void *)FUZZ_PICK(fuzz, addresses);
}

/* In a mapping, or what was one. */
static void *in_blocks(struct fuzz *fuzz, const void *bytes, size_t size)
{
	char *window = FUZZ_PICK(fuzz, fuzz->windows);
	size_t page = getpagesize(), pages = fuzz_below(fuzz, 4);
	char *at = window + pages * page + fuzz_below(fuzz, page);

	fuzz_touch(fuzz, at, bytes, size);
	return at;
}

static void *flickering(struct fuzz *fuzz, int area)
{
	struct fuzz_thread *thread = fuzz->memory.thread;

	thread->area = &fuzz->memory.areas[area];
	sem_post(&thread->flicker);
	return thread->area->flicker;
}

/*
 * Where the bytes are, or should be, or can be written to; the kernel may write
 * as many there, and into the rest of the area, but nothing else is near.
 */
void *fuzz_place(struct fuzz *fuzz, int at, const void *bytes, size_t size)
{
	struct fuzz_area *area = &fuzz->memory.areas[at];
	size_t cut;

	must(size <= FUZZ_AREA);
	memcpy(area->good, bytes, size);
	switch (fuzz_below(fuzz, 40)) {
	case 0:
		return area->readonly;
	case 1:
		cut = fuzz_below(fuzz, size + 1);
		memmove(area->good + FUZZ_AREA - cut, area->good, cut);
		return area->good + FUZZ_AREA - cut;
	case 2:
		return nowhere(fuzz);
	case 3:
	case 4:
		return in_blocks(fuzz, bytes, size);
	case 5:
		return flickering(fuzz, at);
	case 6:
		if (fuzz->memory.stalls < 0 || fuzz->in_call < 0)
			return area->good + 1;
		area->armed = false;
		return area->stall;
	default:
		return area->good;
	}
}

/* After the call: what lay still is not there again. */
void fuzz_settle(struct fuzz *fuzz)
{
	for (int i = 0; i < 2; i++)
		if (!fuzz->memory.areas[i].armed)
			stall_arm(fuzz, &fuzz->memory.areas[i]);
}

/* In a child, which has no threads. */
void fuzz_memory_forked(struct fuzz *fuzz)
{
	fuzz->memory.stalls = -1;
}

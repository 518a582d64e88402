// SPDX-License-Identifier: GPL-2.0
/*
 * While RECV tells its caller what has come, it lies still, for as long as a test
 * likes: the memory for it is not there yet.  Whatever others do to the block meanwhile,
 * it has its right owner then and at the end.
 */
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "ports.h"

/* A thread in RECV. */
struct stall {
	int uffd;
	char *page;		/* where the message shall be */
	int fd;
	__u32 port;
	int ret;
	pthread_t thread;
};

static void *receive(void *arg)
{
	struct stall *stall = arg;

	stall->ret = port_recv(stall->fd, stall->port, (void *)stall->page, 1, 0,
			       LONG_MS);
	return NULL;
}

/* False if this kernel cannot do it. */
static bool stall_open(struct stall *stall)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	stall->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (stall->uffd < 0)
		return false;
	must(!ioctl(stall->uffd, UFFDIO_API, &api));
	stall->page = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(stall->page != MAP_FAILED);
	range.range.start = (uintptr_t)stall->page;
	range.range.len = getpagesize();
	must(!ioctl(stall->uffd, UFFDIO_REGISTER, &range));
	return true;
}

/* Until it lies still. */
static void stall_begin(struct stall *stall, int fd, __u32 port)
{
	struct uffd_msg event;

	stall->fd = fd;
	stall->port = port;
	must(!pthread_create(&stall->thread, NULL, receive, stall));
	must(read(stall->uffd, &event, sizeof(event)) == sizeof(event));
	must(event.event == UFFD_EVENT_PAGEFAULT);
	must((char *)(uintptr_t)event.arg.pagefault.address == stall->page);
}

/* It goes on, with memory or without; what RECV says. */
static int stall_end(struct stall *stall, bool memory)
{
	struct uffdio_zeropage page = {
		.range = { (uintptr_t)stall->page, getpagesize() },
	};

	if (memory) {
		must(!ioctl(stall->uffd, UFFDIO_ZEROPAGE, &page));
	} else {
		must(!munmap(stall->page, getpagesize()));
		must(!ioctl(stall->uffd, UFFDIO_WAKE, &page.range));
	}
	must(!pthread_join(stall->thread, NULL));
	close(stall->uffd);
	return stall->ret;
}

/* A block that goes to the port and to another client, which has it; its index. */
static __u32 share(struct _test_data_ports *self, int third)
{
	__u32 ports[2] = { self->out, make(third, "third", 0, 4, 0) };
	struct blockpool_message message = {
		.index = pool_take(self->tx), .cookie = 5,
	};

	must(port_bind(self->tx, "third", PORT_SEND) == (int)ports[1]);
	must(!port_share(self->tx, ports, 2, &message));
	must(port_recv(third, ports[1], &message, 1, 0, 0) == 1);
	return message.index;
}

/* No more than the block's one share in flight is left. */
static void expect_last_share(struct _test_data_ports *self, int third, __u32 index)
{
	must(pool_give(self->rx, index) == -EPERM);
	must(pool_give(self->tx, index) == -EPERM);
	must(!pool_give(third, index));
	must(pool_give(third, index) == -EPERM);
	must(owner(self->tx, index) == BLOCKPOOL_OWNER_SHARED);
}

/* It is the client's, which ends it: the block is free, once. */
static void expect_own_share(struct _test_data_ports *self, __u32 index)
{
	must(owner(self->tx, index) == BLOCKPOOL_OWNER_SHARED);
	must(!pool_give(self->rx, index));
	must(owner(self->tx, index) == BLOCKPOOL_OWNER_FREE);
	must(pool_give(self->rx, index) == -EPERM);
	pool_check(self->tx, 0);
}

/* It is being told of its share when the other client ends the other one. */
static bool stall_share(struct _test_data_ports *self, struct stall *stall, int *third,
			__u32 *index)
{
	if (!stall_open(stall))
		return false;
	*third = pool_join(self->name);
	*index = share(self, *third);
	stall_begin(stall, self->rx, self->in);
	expect_last_share(self, *third, *index);
	return true;
}

TEST_F(ports, a_share_told_late)
{
	struct stall stall;
	__u32 index;
	int third;

	if (!stall_share(self, &stall, &third, &index))
		SKIP(return, "no userfaultfd here");
	EXPECT_EQ(1, stall_end(&stall, true));
	EXPECT_EQ(5, ((struct blockpool_message *)stall.page)->cookie);
	expect_own_share(self, index);
	close(third);
}

TEST_F(ports, a_share_told_to_nobody)
{
	struct stall stall;
	__u32 index;
	int third;

	if (!stall_share(self, &stall, &third, &index))
		SKIP(return, "no userfaultfd here");
	EXPECT_EQ(-EFAULT, stall_end(&stall, false));
	EXPECT_EQ(1, look(self->rx, self->in).nr_messages);
	EXPECT_EQ(-EPERM, pool_give(self->rx, index));
	EXPECT_EQ(1, port_recv(self->rx, self->in, self->messages, 1, 0, 0));
	expect_own_share(self, index);
	close(third);
}

/* A share of the same block that the client has already is another one. */
TEST_F(ports, another_share_meanwhile)
{
	__u32 ports[2] = { self->out, 0 };
	struct blockpool_message message = {};
	struct stall stall;

	if (!stall_open(&stall))
		SKIP(return, "no userfaultfd here");
	ports[1] = make(self->rx, "second", 0, 4, 0);
	message.index = pool_take(self->tx);
	must(port_bind(self->tx, "second", PORT_SEND) == (int)ports[1]);
	must(!port_share(self->tx, ports, 2, &message));
	must(port_recv(self->rx, ports[1], &message, 1, 0, 0) == 1);
	stall_begin(&stall, self->rx, self->in);
	EXPECT_EQ(0, pool_give(self->rx, message.index));
	EXPECT_EQ(-EPERM, pool_give(self->rx, message.index));
	EXPECT_EQ(BLOCKPOOL_OWNER_SHARED, owner(self->tx, message.index));
	EXPECT_EQ(1, stall_end(&stall, true));
	expect_own_share(self, message.index);
}

TEST_F(ports, a_block_told_late)
{
	struct stall stall;
	__u32 index;

	if (!stall_open(&stall))
		SKIP(return, "no userfaultfd here");
	index = pool_take(self->tx);
	must(port_send_one(self->tx, self->out, index, 1) == 1);
	stall_begin(&stall, self->rx, self->in);
	EXPECT_EQ(-EPERM, pool_give(self->rx, index));
	EXPECT_EQ(-EPERM, pool_give(self->tx, index));
	EXPECT_EQ(BLOCKPOOL_OWNER_PORT | self->in, owner(self->tx, index));
	EXPECT_EQ(-EAGAIN, port_recv(self->rx, self->in, self->messages, 1, 0, 0));
	EXPECT_EQ(1, stall_end(&stall, true));
	EXPECT_EQ(pool_info(self->rx).client, owner(self->tx, index));
}

/* Nobody receives from it any more, and what comes back to it goes to the pool. */
TEST_F(ports, the_port_ends_meanwhile)
{
	struct stall stall;
	__u32 index;
	int third;

	if (!stall_open(&stall))
		SKIP(return, "no userfaultfd here");
	third = pool_join(self->name);
	index = share(self, third);
	stall_begin(&stall, self->rx, self->in);
	ASSERT_EQ(0, port_unbind(self->rx, self->in));
	expect_last_share(self, third, index);
	EXPECT_EQ(-EFAULT, stall_end(&stall, false));
	EXPECT_EQ(BLOCKPOOL_OWNER_FREE, owner(self->tx, index));
	EXPECT_EQ(-EPERM, pool_give(self->rx, index));
	pool_check(self->tx, 0);
	close(third);
}

/* A receiver dies while it is told: it has received nothing. */
TEST_F(ports, killed_meanwhile)
{
	int third, pipe_ends[2];
	struct stall stall;
	__u32 index;
	char byte;
	pid_t pid;

	if (!stall_open(&stall))
		SKIP(return, "no userfaultfd here");
	close(stall.uffd);	/* the child makes its own */
	third = pool_join(self->name);
	index = share(self, third);
	must(!pipe(pipe_ends));
	pid = child_fork();
	if (!pid) {
		must(stall_open(&stall));
		stall_begin(&stall, self->rx, self->in);
		must(write(pipe_ends[1], "", 1) == 1);
		pause();
	}
	ASSERT_EQ(1, read(pipe_ends[0], &byte, 1));
	EXPECT_EQ(128 + SIGKILL, child_kill(pid));
	expect_last_share(self, third, index);
	EXPECT_EQ(1, look(self->rx, self->in).nr_messages);
	EXPECT_EQ(1, port_recv(self->rx, self->in, self->messages, 1, 0, 0));
	expect_own_share(self, index);
	close(third);
}

TEST_HARNESS_MAIN

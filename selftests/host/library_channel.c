// SPDX-License-Identifier: GPL-2.0
/*
 * Channels on a model of the device, both ends in one process: what an end believes
 * and what it refuses, in the set-up and later, and when it sleeps and is woken.
 */
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#include "harness.h"
#include "library.h"
#include "../channel.h"

#define BLOCK_SIZE	1500
#define WIDTH		11	/* bits that hold it */
#define NR_BLOCKS	64
#define NR		20	/* of a channel: lanes of 32 slots */
#define LANE_WORDS	(32 * CHANNEL_SLOT / sizeof(uint64_t))
#define SHORT_MS	30
#define TALKS		300

#define CHANNEL		FIXTURE_DATA(channel)
#define HELLO		FIXTURE_DATA(hello)

#define recv_one(end, message, timeout_ms) \
	blockpool_channel_recv(end, message, 1, timeout_ms)

FIXTURE(channel)
{
	struct channel_pair pair;
	struct blockpool_channel *opener, *acceptor;
	struct blockpool_message messages[NR_BLOCKS];
};

FIXTURE_SETUP(channel)
{
	model_init(BLOCK_SIZE, NR_BLOCKS);
	self->pair = channel_open_pair("pool", NR, SOCK_STREAM);
	ASSERT_NE(NULL, self->pair.ends[0]);
	self->opener = self->pair.ends[0];
	self->acceptor = self->pair.ends[1];
	memset(self->messages, 0xa5, sizeof(self->messages));
}

FIXTURE_TEARDOWN(channel)
{
	if (self->opener)
		EXPECT_EQ(0, blockpool_channel_close(self->opener));
	if (self->acceptor)
		EXPECT_EQ(0, blockpool_channel_close(self->acceptor));
}

TEST_F(channel, begins_with_all_blocks)
{
	struct blockpool_info info;
	int i;

	EXPECT_EQ(0, strcmp("pool", model.attached));
	EXPECT_EQ(O_RDWR, model.open_flags & O_ACCMODE);
	EXPECT_EQ(NR, model_held());
	EXPECT_ERRNO(EAGAIN, recv_one(self->acceptor, self->messages, 0) == -1);
	errno = 77;
	ASSERT_EQ(NR, blockpool_channel_recv(self->opener, self->messages, NR_BLOCKS, 0));
	for (i = 0; i < NR; i++) {
		EXPECT_EQ(0, self->messages[i].length);
		EXPECT_EQ(0, self->messages[i].offset);
		EXPECT_EQ(0, self->messages[i].cookie);
		EXPECT_EQ(0, self->messages[i].reply);
		EXPECT_TRUE(!i || self->messages[i].index > self->messages[i - 1].index);
	}
	EXPECT_EQ(NR, blockpool_channel_send(self->opener, self->messages, NR));
	EXPECT_EQ(NR, blockpool_channel_recv(self->acceptor, self->messages, NR_BLOCKS, -1));
	EXPECT_EQ(77, errno);
	EXPECT_EQ(0, blockpool_channel_info(self->acceptor, &info));
	EXPECT_EQ(BLOCK_SIZE, info.block_size);
}

/* The words of a message, and bytes, which are the same at both ends. */
TEST_F(channel, message)
{
	struct blockpool_message *message = self->messages, sent;
	char *block;

	ASSERT_EQ(1, recv_one(self->opener, message, 0));
	message->offset = 3;
	message->length = BLOCK_SIZE - 3;
	message->cookie = 0xfedcba9876543210;
	message->pid = 5;
	message->flags = 6;
	sent = *message;
	block = blockpool_channel_block(self->opener, sent.index);
	memset(block + 3, 0x5a, BLOCK_SIZE - 3);
	ASSERT_EQ(1, blockpool_channel_send(self->opener, message, 1));
	ASSERT_EQ(1, recv_one(self->acceptor, message, 0));
	EXPECT_EQ(sent.index, message->index);
	EXPECT_EQ(3, message->offset);
	EXPECT_EQ(BLOCK_SIZE - 3, message->length);
	EXPECT_EQ(sent.cookie, message->cookie);
	EXPECT_EQ(0, message->pid);
	EXPECT_EQ(0, message->flags);
	block = blockpool_channel_block(self->acceptor, sent.index);
	EXPECT_EQ(0x5a, block[3]);
	EXPECT_EQ(0x5a, block[BLOCK_SIZE - 1]);
	EXPECT_ERRNO(EINVAL, !blockpool_channel_block(self->acceptor, NR_BLOCKS));
}

/* Nothing of it is sent, or what comes before it. */
TEST_F(channel, send_refuses)
{
	struct blockpool_channel *end = self->opener;
	struct blockpool_message *messages = self->messages, good;

	ASSERT_EQ(3, blockpool_channel_recv(end, messages, 3, 0));
	good = *messages;
	EXPECT_ERRNO(EINVAL, blockpool_channel_send(end, messages, 0) == -1);
	EXPECT_ERRNO(EINVAL, blockpool_channel_send(end, messages,
						    BLOCKPOOL_MESSAGES_MAX + 1) == -1);
	messages->index = NR_BLOCKS;
	EXPECT_ERRNO(EINVAL, blockpool_channel_send(end, messages, 1) == -1);
	messages->index = good.index + 3;	/* the acceptor's, as it were */
	EXPECT_ERRNO(EPERM, blockpool_channel_send(end, messages, 1) == -1);
	*messages = good;
	messages->offset = 1;
	messages->length = BLOCK_SIZE;
	EXPECT_ERRNO(EINVAL, blockpool_channel_send(end, messages, 1) == -1);
	messages->offset = 2;
	messages->length = -1;
	EXPECT_ERRNO(EINVAL, blockpool_channel_send(end, messages, 1) == -1);
	*messages = good;
	messages->reply = 1;
	EXPECT_ERRNO(EINVAL, blockpool_channel_send(end, messages, 1) == -1);
	EXPECT_ERRNO(EAGAIN, recv_one(self->acceptor, messages + 3, 0) == -1);

	*messages = good;
	messages[2] = messages[1];
	EXPECT_ERRNO(EPERM, blockpool_channel_send(end, messages, 3) == 2);
	EXPECT_EQ(2, blockpool_channel_recv(self->acceptor, messages, 9, 0));
	EXPECT_ERRNO(EPERM, blockpool_channel_send(end, messages, 1) == -1);
}

TEST_F(channel, receive_refuses)
{
	struct blockpool_message *messages = self->messages;

	EXPECT_ERRNO(EINVAL, blockpool_channel_recv(self->opener, messages, 0, 0) == -1);
	EXPECT_ERRNO(EINVAL, recv_one(self->opener, messages, -2) == -1);
	EXPECT_ERRNO(EINVAL, blockpool_channel_recv(self->opener, messages,
						    BLOCKPOOL_MESSAGES_MAX + 1, 0) == -1);
	EXPECT_ERRNO(EINVAL, blockpool_channel_spin(self->opener, -2) == -1);
}

static void ignore(int number)
{
}

TEST_F(channel, waits)
{
	struct itimerval timer = { .it_value.tv_usec = 1000 * SHORT_MS };
	struct sigaction action = { .sa_handler = ignore };

	EXPECT_ERRNO(ETIMEDOUT, recv_one(self->acceptor, self->messages, SHORT_MS) == -1);
	EXPECT_EQ(0, blockpool_channel_spin(self->acceptor, 1000));
	EXPECT_ERRNO(ETIMEDOUT, recv_one(self->acceptor, self->messages, SHORT_MS) == -1);
	EXPECT_EQ(0, blockpool_channel_spin(self->acceptor, -1));
	EXPECT_ERRNO(ETIMEDOUT, recv_one(self->acceptor, self->messages, SHORT_MS) == -1);
	EXPECT_EQ(0, blockpool_channel_spin(self->acceptor, 0));
	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &timer, NULL));
	EXPECT_ERRNO(EINTR, recv_one(self->acceptor, self->messages, -1) == -1);
}

static int poll_in(struct blockpool_channel *channel)
{
	struct pollfd fd = { .fd = blockpool_channel_fd(channel), .events = POLLIN };

	return poll(&fd, 1, 0);
}

/* It rings once for who is armed, never for others, and old rings are forgotten. */
TEST_F(channel, armed)
{
	struct blockpool_message *messages = self->messages;

	ASSERT_EQ(1, blockpool_channel_arm(self->opener));
	ASSERT_EQ(3, blockpool_channel_recv(self->opener, messages, 3, 0));
	ASSERT_EQ(0, poll_in(self->acceptor));
	ASSERT_EQ(0, blockpool_channel_arm(self->acceptor));
	ASSERT_EQ(0, poll_in(self->acceptor));
	ASSERT_EQ(1, blockpool_channel_send(self->opener, messages, 1));
	ASSERT_EQ(1, poll_in(self->acceptor));
	ASSERT_EQ(1, blockpool_channel_send(self->opener, messages + 1, 1));
	ASSERT_EQ(1, blockpool_channel_arm(self->acceptor));
	ASSERT_EQ(0, poll_in(self->acceptor));
	ASSERT_EQ(2, blockpool_channel_recv(self->acceptor, messages, 3, 0));
	ASSERT_EQ(1, blockpool_channel_send(self->opener, messages + 2, 1));
	ASSERT_EQ(0, poll_in(self->acceptor));
	ASSERT_EQ(1, recv_one(self->acceptor, messages, 0));

	ASSERT_EQ(0, blockpool_channel_arm(self->acceptor));
	ASSERT_EQ(0, blockpool_channel_close(self->opener));
	self->opener = NULL;
	ASSERT_EQ(1, poll_in(self->acceptor));
	ASSERT_EQ(1, blockpool_channel_arm(self->acceptor));
	EXPECT_ERRNO(EPIPE, recv_one(self->acceptor, messages, -1) == -1);
}

/* Who never sleeps is not looked after, until it says that it will again. */
TEST_F(channel, armed_after_polling)
{
	struct blockpool_message *messages = self->messages;

	ASSERT_EQ(0, blockpool_channel_spin(self->acceptor, -1));
	ASSERT_EQ(2, blockpool_channel_recv(self->opener, messages, 2, 0));
	ASSERT_EQ(1, blockpool_channel_send(self->opener, messages, 1));
	ASSERT_EQ(1, recv_one(self->acceptor, messages, -1));
	ASSERT_EQ(0, blockpool_channel_arm(self->acceptor));
	ASSERT_EQ(1, blockpool_channel_send(self->opener, messages + 1, 1));
	ASSERT_EQ(1, poll_in(self->acceptor));
}

/* Whatever it does while it waits, it hears of the other's end after the last message. */
static void last_words(struct __test_metadata *_metadata, CHANNEL *self,
		       int spin_us, int timeout_ms)
{
	struct blockpool_message *messages = self->messages;
	int ret;

	ASSERT_EQ(0, blockpool_channel_spin(self->acceptor, spin_us));
	ASSERT_EQ(2, blockpool_channel_recv(self->opener, messages, 2, 0));
	ASSERT_EQ(2, blockpool_channel_send(self->opener, messages, 2));
	ASSERT_EQ(0, blockpool_channel_close(self->opener));
	self->opener = NULL;
	ASSERT_EQ(1, recv_one(self->acceptor, messages, timeout_ms));
	ASSERT_EQ(1, recv_one(self->acceptor, messages, timeout_ms));
	do {
		ret = recv_one(self->acceptor, messages, timeout_ms);
	} while (ret == -1 && errno == EAGAIN);
	EXPECT_ERRNO(EPIPE, recv_one(self->acceptor, messages, timeout_ms) == -1);
	EXPECT_ERRNO(EPIPE, blockpool_channel_send(self->acceptor, messages, 1) == -1);
}

TEST_F(channel, last_words_to_a_sleeper)
{
	last_words(_metadata, self, 0, -1);
}

TEST_F(channel, last_words_to_one_who_spins)
{
	last_words(_metadata, self, -1, -1);
}

TEST_F(channel, last_words_to_one_who_asks)
{
	last_words(_metadata, self, 0, 0);
}

/* The other's process is gone, and it had said that it sleeps. */
TEST_F(channel, nobody_hears_the_bell)
{
	struct blockpool_message *messages = self->messages;

	ASSERT_EQ(2, blockpool_channel_recv(self->opener, messages, 2, 0));
	ASSERT_EQ(0, blockpool_channel_arm(self->acceptor));
	ASSERT_EQ(0, shutdown(blockpool_channel_fd(self->acceptor), SHUT_RDWR));
	ASSERT_EQ(1, blockpool_channel_send(self->opener, messages, 1));
	EXPECT_ERRNO(EPIPE, blockpool_channel_send(self->opener, messages + 1, 1) == -1);
}

/*
 * Threads
 */

struct talking {
	struct channel_talker talker;
	int spin_us;
	int error;
};

static void *talk(void *arg)
{
	struct talking *talking = arg;
	int i;

	blockpool_channel_spin(talking->talker.channel, talking->spin_us);
	for (i = 0; i < TALKS && !talking->error; i++)
		talking->error = channel_talk(&talking->talker);
	if (!talking->error && !channel_answer(&talking->talker, 0))
		talking->error = errno;
	shutdown(blockpool_channel_fd(talking->talker.channel), SHUT_WR);
	return NULL;
}

static void talk_both(struct __test_metadata *_metadata, struct channel_pair pair,
		      unsigned int nr_blocks, int spin_us)
{
	struct talking talking[2];
	pthread_t threads[2];
	int i;

	for (i = 0; i < 2; i++) {
		talking[i] = (struct talking) {
			.talker = channel_talker(pair.ends[i], nr_blocks, i + spin_us),
			.spin_us = spin_us,
		};
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, talk, &talking[i]));
	}
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
		EXPECT_TRUE(!talking[i].error || talking[i].error == EPIPE);
		EXPECT_LT(TALKS / 2, talking[i].talker.received);
		free(talking[i].talker.kept);
	}
}

TEST_F(channel, sleepers_talk)
{
	talk_both(_metadata, self->pair, NR, 0);
}

TEST_F(channel, spinners_talk)
{
	talk_both(_metadata, self->pair, NR, 10);
}

TEST_F(channel, pollers_talk)
{
	talk_both(_metadata, self->pair, NR, -1);
}

/* Of lanes that are as full as can be, and of a single block. */
TEST(all_sizes)
{
	static const unsigned int sizes[] = { 1, 2, 7, 8, 9, 63, 64 };
	struct channel_pair pair;
	unsigned int i;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		model_init(BLOCK_SIZE, NR_BLOCKS);
		pair = channel_open_pair(NULL, sizes[i],
					 i % 2 ? SOCK_STREAM : SOCK_SEQPACKET);
		ASSERT_NE(NULL, pair.ends[0]);
		EXPECT_EQ(sizes[i], model_held());
		talk_both(_metadata, pair, sizes[i], 0);
		ASSERT_EQ(0, blockpool_channel_close(pair.ends[0]));
		ASSERT_EQ(0, blockpool_channel_close(pair.ends[1]));
	}
}

struct receiver {
	struct blockpool_channel *channel;
	unsigned int got;
};

static void *receive_all(void *arg)
{
	struct receiver *receiver = arg;
	struct blockpool_message messages[NR];
	int got;

	while ((got = blockpool_channel_recv(receiver->channel, messages, NR, -1)) > 0)
		receiver->got += got;
	return NULL;
}

/* One thread of an end sleeps in recv while another sends: the bell is the first's. */
TEST_F(channel, one_sends_and_one_receives)
{
	struct receiver receiver = { .channel = self->opener };
	struct blockpool_message messages[NR];
	pthread_t thread;
	int i;

	ASSERT_EQ(NR, blockpool_channel_recv(self->opener, self->messages, NR, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, receive_all, &receiver));
	for (i = 0; i < NR; i++) {
		ASSERT_EQ(1, blockpool_channel_send(self->opener, &self->messages[i], 1));
		ASSERT_EQ(1, recv_one(self->acceptor, messages, -1));
		ASSERT_EQ(1, blockpool_channel_send(self->acceptor, messages, 1));
	}
	ASSERT_EQ(0, blockpool_channel_close(self->acceptor));
	self->acceptor = NULL;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(NR, receiver.got);
}

/*
 * A peer that lies
 */

static uint64_t place_of(uint64_t lap, uint64_t index, uint64_t offset, uint64_t length)
{
	return lap << 63 | index << 2 * WIDTH | offset << WIDTH | length;
}

TEST_F(channel, what_cannot_be)
{
	uint64_t *lanes = channel_lanes() + CHANNEL_LANES / sizeof(*lanes);
	uint64_t *place = lanes + LANE_WORDS;	/* of what the opener receives first */
	struct blockpool_message *messages = self->messages;
	uint64_t index, other;

	ASSERT_EQ(2, blockpool_channel_recv(self->opener, messages, 2, 0));
	index = messages[0].index;
	other = index ? index - 1 : index + NR;
	place += 2 * CHANNEL_SLOT / sizeof(*place);
	*place = place_of(1, NR_BLOCKS, 0, 0);
	EXPECT_ERRNO(EPROTO, recv_one(self->opener, messages, 0) == -1);
	*place = ~0ULL;
	EXPECT_ERRNO(EPROTO, recv_one(self->opener, messages, -1) == -1);
	*place = place_of(1, other, 0, 0);
	EXPECT_ERRNO(EPROTO, recv_one(self->opener, messages, 0) == -1);
	*place = place_of(1, index, 0, 0);
	EXPECT_ERRNO(EPROTO, recv_one(self->opener, messages, 0) == -1);
	*place = place_of(1, index + 2, BLOCK_SIZE + 1, 0);
	EXPECT_ERRNO(EPROTO, recv_one(self->opener, messages, 0) == -1);
	*place = place_of(1, index + 2, 1, BLOCK_SIZE);
	EXPECT_ERRNO(EPROTO, recv_one(self->opener, messages, 0) == -1);
	EXPECT_EQ(1, blockpool_channel_arm(self->opener));
	*place = place_of(0, index + 2, 0, 0);
	EXPECT_ERRNO(EAGAIN, recv_one(self->opener, messages, 0) == -1);
	*place = place_of(1, index + 2, BLOCK_SIZE, 0);
	EXPECT_EQ(1, recv_one(self->opener, messages, 0));
	/* What is right goes before what is wrong. */
	place[3 * CHANNEL_SLOT / sizeof(*place)] = place_of(1, index, 0, 0);
	EXPECT_EQ(2, blockpool_channel_recv(self->opener, messages, NR, 0));
	EXPECT_ERRNO(EPROTO, blockpool_channel_recv(self->opener, messages, NR, 0) == -1);
}

/* Who rings for ever is heard, but nobody waits for him to stop. */
TEST_F(channel, rings_for_nothing)
{
	int bell = blockpool_channel_fd(self->opener);
	char rings[4096] = "";

	while (send(bell, rings, sizeof(rings), MSG_DONTWAIT) > 0)
		;
	EXPECT_ERRNO(ETIMEDOUT, recv_one(self->acceptor, self->messages, SHORT_MS) == -1);
	while (send(bell, rings, sizeof(rings), MSG_DONTWAIT) > 0)
		;
	ASSERT_EQ(1, recv_one(self->opener, self->messages, 0));
	ASSERT_LE(0, blockpool_channel_arm(self->acceptor));
	ASSERT_EQ(1, blockpool_channel_send(self->opener, self->messages, 1));
	ASSERT_EQ(1, recv_one(self->acceptor, self->messages, -1));
}

/*
 * Set-up
 */

static unsigned int nr_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (dir && readdir(dir))
		n++;
	closedir(dir);
	return n;
}

FIXTURE(hello)
{
	struct channel_hello hello;
	int sockets[2];
	int fds[4];
	unsigned int nr_fds;
};

/* All is as it must be: a device, and memory. */
FIXTURE_SETUP(hello)
{
	__u32 indices[NR];
	struct blockpool_alloc_args args = {
		.size = sizeof(args), .count = NR, .indices = (uintptr_t)indices,
	};

	model_init(BLOCK_SIZE, NR_BLOCKS);
	self->hello = (struct channel_hello){ CHANNEL_MAGIC, 1, NR, 0 };
	channel_sockets(self->sockets, SOCK_SEQPACKET);
	self->fds[0] = __wrap_open("/dev/blockpool", O_RDWR);
	self->fds[1] = channel_memory(channel_bytes(NR), 0, CHANNEL_SEALS);
	ASSERT_EQ(0, __wrap_ioctl(self->fds[0], BLOCKPOOL_IOC_ALLOC, &args));
	self->nr_fds = nr_fds();
}

FIXTURE_TEARDOWN(hello)
{
	EXPECT_EQ(self->nr_fds, nr_fds());
	close(self->sockets[0]);
	close(self->sockets[1]);
	close(self->fds[0]);
	close(self->fds[1]);
}

/* The errno of accept; what is accepted is closed. */
static int accept_bytes(HELLO *self, size_t size, size_t nr_fds)
{
	char bytes[64] = "";
	struct blockpool_channel *channel;

	memcpy(bytes, &self->hello, sizeof(self->hello));
	channel_say(self->sockets[0], bytes, size, self->fds, nr_fds);
	channel = blockpool_channel_accept(self->sockets[1]);
	if (!channel)
		return errno;
	blockpool_channel_close(channel);
	self->nr_fds--;		/* the socket was the channel's */
	self->sockets[1] = -1;
	return 0;
}

static int accept_hello(HELLO *self)
{
	return accept_bytes(self, sizeof(self->hello), 2);
}

TEST_F(hello, accepted)
{
	EXPECT_EQ(0, accept_hello(self));
}

TEST_F(hello, words)
{
	self->hello.magic++;
	EXPECT_EQ(EPROTO, accept_hello(self));
	self->hello.magic--;
	self->hello.version++;
	EXPECT_EQ(EPROTONOSUPPORT, accept_hello(self));
	self->hello.version--;
	self->hello.reserved++;
	EXPECT_EQ(EPROTO, accept_hello(self));
	self->hello.reserved--;
	self->hello.nr_blocks = 0;
	EXPECT_EQ(EPROTO, accept_hello(self));
	self->hello.nr_blocks = BLOCKPOOL_BLOCKS_MAX + 1;
	EXPECT_EQ(EPROTO, accept_hello(self));
	self->hello.nr_blocks = -1;
	EXPECT_EQ(EPROTO, accept_hello(self));
	self->hello.nr_blocks = NR - 1;		/* the same memory would do */
	EXPECT_EQ(EPROTO, accept_hello(self));
	self->hello.nr_blocks = NR + 1;
	EXPECT_EQ(EPROTO, accept_hello(self));
}

TEST_F(hello, length)
{
	EXPECT_EQ(EPROTO, accept_bytes(self, sizeof(self->hello) - 1, 2));
	EXPECT_EQ(EPROTO, accept_bytes(self, sizeof(self->hello) + 1, 2));
}

TEST_F(hello, end_of_file)
{
	shutdown(self->sockets[0], SHUT_WR);
	EXPECT_ERRNO(EPIPE, !blockpool_channel_accept(self->sockets[1]));
}

TEST_F(hello, waits_as_the_socket)
{
	fcntl(self->sockets[1], F_SETFL, O_NONBLOCK);
	EXPECT_ERRNO(EAGAIN, !blockpool_channel_accept(self->sockets[1]));
	EXPECT_EQ(0, accept_hello(self));
}

/* Also those that are too many are closed. */
TEST_F(hello, descriptors)
{
	EXPECT_EQ(EPROTO, accept_bytes(self, sizeof(self->hello), 0));
	EXPECT_EQ(EPROTO, accept_bytes(self, sizeof(self->hello), 1));
	self->fds[2] = self->fds[0];
	self->fds[3] = self->fds[1];
	EXPECT_EQ(EPROTO, accept_bytes(self, sizeof(self->hello), 3));
	EXPECT_EQ(EPROTO, accept_bytes(self, sizeof(self->hello), 4));
}

static int accept_fds(HELLO *self, int device, int memory)
{
	const int fds[2] = { self->fds[0], self->fds[1] };
	int error;

	self->fds[0] = device;
	self->fds[1] = memory;
	error = accept_hello(self);
	memcpy(self->fds, fds, sizeof(fds));
	return error;
}

static int accept_memory(HELLO *self, size_t bytes, unsigned int flags,
			 int seals)
{
	int fd = channel_memory(bytes, flags, seals), error;

	error = accept_fds(self, self->fds[0], fd);
	close(fd);
	return error;
}

TEST_F(hello, memory)
{
	const size_t bytes = channel_bytes(NR);

	EXPECT_EQ(EPROTO, accept_memory(self, bytes - 1, 0, CHANNEL_SEALS));
	EXPECT_EQ(EPROTO, accept_memory(self, bytes + 1, 0, CHANNEL_SEALS));
	EXPECT_EQ(EPROTO, accept_memory(self, 0, 0, CHANNEL_SEALS));
	EXPECT_EQ(EPROTO, accept_memory(self, bytes, 0, F_SEAL_SHRINK | F_SEAL_GROW));
	EXPECT_EQ(EPROTO, accept_memory(self, bytes, 0, F_SEAL_GROW | F_SEAL_SEAL));
	EXPECT_EQ(EPERM, accept_memory(self, bytes, 0, CHANNEL_SEALS | F_SEAL_WRITE));
	EXPECT_EQ(EPROTO, accept_fds(self, self->fds[1], self->fds[1]));
	EXPECT_EQ(EPROTO, accept_fds(self, self->fds[0], self->fds[0]));
	EXPECT_EQ(EPROTO, accept_fds(self, self->fds[0], self->sockets[0]));
	EXPECT_EQ(0, accept_memory(self, bytes, 0, CHANNEL_SEALS));
}

/* A hole in huge pages might not be filled again. */
TEST_F(hello, huge_pages)
{
	const unsigned int huge = 2U << 20;
	int fd = memfd_create("huge", MFD_ALLOW_SEALING | MFD_HUGETLB);

	if (fd < 0 || ftruncate(fd, huge)) {
		close(fd);
		self->nr_fds = nr_fds();
		SKIP(return, "no huge pages");
	}
	ASSERT_EQ(0, fcntl(fd, F_ADD_SEALS, CHANNEL_SEALS));
	self->hello.nr_blocks = 1 << 15;
	EXPECT_EQ(EPROTO, accept_fds(self, self->fds[0], fd));
	close(fd);
}

/* What is refused is not taken from the pool, and leaves nothing open. */
TEST(open_refuses)
{
	int sockets[2], pipes[2], datagrams[2], error;
	unsigned int before, i;

	model_init(BLOCK_SIZE, NR_BLOCKS);
	channel_sockets(sockets, SOCK_STREAM);
	channel_sockets(datagrams, SOCK_DGRAM);
	ASSERT_EQ(0, pipe(pipes));
	before = nr_fds();
	EXPECT_ERRNO(EINVAL, !blockpool_channel_open(NULL, sockets[0], 0));
	EXPECT_ERRNO(EINVAL, !blockpool_channel_open(NULL, sockets[0], NR_BLOCKS + 1));
	EXPECT_ERRNO(EINVAL, !blockpool_channel_open("", sockets[0], NR));
	EXPECT_ERRNO(EINVAL, !blockpool_channel_open(NULL, datagrams[0], NR));
	EXPECT_ERRNO(EINVAL, !blockpool_channel_accept(datagrams[0]));
	EXPECT_ERRNO(ENOTSOCK, !blockpool_channel_open(NULL, pipes[0], NR));
	EXPECT_ERRNO(ENOTSOCK, !blockpool_channel_accept(pipes[0]));
	EXPECT_ERRNO(EBADF, !blockpool_channel_accept(-1));
	model.open_error = ENOENT;
	EXPECT_ERRNO(ENODEV, !blockpool_channel_open(NULL, sockets[0], NR));
	model.open_error = 0;
	model.fail_request = BLOCKPOOL_IOC_ALLOC;
	model.fail_error = EDQUOT;
	EXPECT_ERRNO(EDQUOT, !blockpool_channel_open(NULL, sockets[0], NR));
	model.fail_error = 0;
	model.flags = BLOCKPOOL_ISOLATED;
	EXPECT_ERRNO(EOPNOTSUPP, !blockpool_channel_open(NULL, sockets[0], NR));
	model.flags = 0;
	EXPECT_EQ(before, nr_fds());
	EXPECT_EQ(0, model_held());
	for (i = 1; i < 5; i++) {
		model_init(BLOCK_SIZE, NR_BLOCKS);
		model.fail_mmap = i;
		error = blockpool_channel_open(NULL, sockets[0], NR) ? 0 : errno;
		EXPECT_EQ(ENOMEM, error);
		EXPECT_EQ(before, nr_fds());
	}
	close(sockets[1]);
	EXPECT_ERRNO(EPIPE, !blockpool_channel_open(NULL, sockets[0], NR));
	EXPECT_EQ(before - 1, nr_fds());
}

TEST_F(hello, no_memory)
{
	unsigned int i;

	for (i = 1; i < 5; i++) {
		model.fail_mmap = i;
		EXPECT_EQ(ENOMEM, accept_hello(self));
	}
	model.fail_mmap = 0;
	model.fail_request = BLOCKPOOL_IOC_OWNERS;
	model.fail_error = EINTR;
	EXPECT_EQ(EINTR, accept_hello(self));
	model.fail_error = 0;
	EXPECT_EQ(0, accept_hello(self));
}

/* More blocks than are taken at a time, or looked up. */
TEST(many)
{
	const unsigned int nr = 2500, all = 3000;
	struct blockpool_message *messages = calloc(all, sizeof(*messages));
	struct channel_pair pair;
	unsigned int got;
	int i, side;

	model_init(64, all);
	pair = channel_open_pair(NULL, nr, SOCK_STREAM);
	ASSERT_NE(NULL, pair.ends[0]);
	EXPECT_EQ(nr, model_held());
	for (side = 0; side < 2; side++) {
		for (got = 0; got < nr; got += i) {
			i = blockpool_channel_recv(pair.ends[side], messages + got,
						   BLOCKPOOL_MESSAGES_MAX, 0);
			ASSERT_LT(0, i);
			ASSERT_EQ(i, blockpool_channel_send(pair.ends[side],
							    messages + got, i));
		}
		EXPECT_EQ(nr, got);
	}
	ASSERT_EQ(0, blockpool_channel_close(pair.ends[0]));
	ASSERT_EQ(0, blockpool_channel_close(pair.ends[1]));
	free(messages);
}

/* Words that the socket adds to a message are not the peer's. */
TEST_F(hello, credentials)
{
	const int on = 1;

	ASSERT_EQ(0, setsockopt(self->sockets[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	EXPECT_EQ(0, accept_hello(self));
}

#ifdef __SANITIZE_ADDRESS__
/* To who watches, a block that this end has not is none to be touched. */
TEST(watched)
{
	struct blockpool_message message;
	struct channel_pair pair;
	char *block;

	unsetenv("BLOCKPOOL_DEBUG");
	model_init(BLOCK_SIZE, NR_BLOCKS);
	pair = channel_open_pair(NULL, NR, SOCK_STREAM);
	ASSERT_NE(NULL, pair.ends[0]);
	ASSERT_EQ(1, recv_one(pair.ends[0], &message, 0));
	block = blockpool_channel_block(pair.ends[0], message.index);
	EXPECT_EQ(0, __asan_address_is_poisoned(block));
	ASSERT_EQ(1, blockpool_channel_send(pair.ends[0], &message, 1));
	EXPECT_EQ(1, __asan_address_is_poisoned(block));
	ASSERT_EQ(1, recv_one(pair.ends[1], &message, 0));
	block = blockpool_channel_block(pair.ends[1], message.index);
	EXPECT_EQ(0, __asan_address_is_poisoned(block));
	ASSERT_EQ(0, blockpool_channel_close(pair.ends[0]));
	ASSERT_EQ(0, blockpool_channel_close(pair.ends[1]));
	keep_magazines();
}
#endif

/* A pool with more bytes than fit into a place. */
TEST(too_large)
{
	int sockets[2];

	model_init(BLOCKPOOL_BLOCK_SIZE_MAX, (1 << 17) + 1);
	channel_sockets(sockets, SOCK_STREAM);
	EXPECT_TRUE(!blockpool_channel_open(NULL, sockets[0], NR));
	EXPECT_TRUE(errno == EOPNOTSUPP);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/*
 * Events: each operation makes those that it should, once and with the right fields;
 * and from events and snapshots together the holder of each block can be told.
 */
#include <fnmatch.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "harness.h"
#include "peer/user.h"
#include "port.h"
#include "rebuild.h"

#define TRACING		"/sys/kernel/tracing"
#define PARAMETER	"/sys/module/blockpool/parameters/recorder_ms"
#define BUFFER_KB	"8192"		/* of a CPU */
#define AWAIT_MS	60000

#define NR_BLOCKS	1024U
#define PROCESS		BLOCKPOOL_PEER_PROCESS

/* Before any test: the harness would call it a success if all of them were skipped. */
static void __attribute__((constructor)) skip_unless_traced(void)
{
	if (!access(TRACING "/events/blockpool", F_OK))
		return;
	printf("TAP version 13\n1..0 # SKIP this kernel has no events\n");
	fflush(stdout);
	_exit(PEER_KSFT_SKIP);
}

/*
 * A ring buffer of our own
 */

struct ring {
	char dir[64];
	char ends[64];		/* another, of ends of snapshots: soon read */
};

static char *ring_file(const struct ring *ring, const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", ring->dir, name);
	return path;
}

static int ring_set(const struct ring *ring, const char *name, const char *text)
{
	return file_write(ring_file(ring, name), text);
}

static long number_in(const char *path)
{
	char text[64];

	must(!file_read(path, text, sizeof(text)));
	return strtol(text, NULL, 0);
}

/*
 * Nobody here wants the names of threads, for which the kernel would switch on events
 * of the scheduler with ours: where it does that it sets a breakpoint for a moment, and
 * QEMU before 8.1 may go on to see it on a CPU that comes by just then.
 */
static void no_names(void)
{
	must(!file_write(TRACING "/options/record-cmd", "0"));
}

static void ring_init(struct ring *ring)
{
	no_names();
	snprintf(ring->dir, sizeof(ring->dir), TRACING "/instances/test-%d",
		 getpid());
	must(!mkdir(ring->dir, 0700));
	must(!ring_set(ring, "trace_clock", "mono"));
	must(!ring_set(ring, "buffer_size_kb", BUFFER_KB));
	must(!ring_set(ring, "events/blockpool/enable", "1"));
	snprintf(ring->ends, sizeof(ring->ends), TRACING "/instances/ends-%d",
		 getpid());
	must(!mkdir(ring->ends, 0700));
}

static void clear(const char *path)
{
	FILE *file = fopen(path, "we");

	must(file && !fclose(file));
}

static void ring_clear(const struct ring *ring)
{
	clear(ring_file(ring, "trace"));
}

static bool ring_lost(const struct ring *ring)
{
	char name[64];

	for (int cpu = 0; cpu < cpu_count(); cpu++) {
		snprintf(name, sizeof(name), "per_cpu/cpu%d/stats", cpu);
		if (file_value(ring_file(ring, name), "overrun:") ||
		    file_value(ring_file(ring, name), "dropped events:") > 0)
			return true;
	}
	return false;
}

static struct events ring_read(const struct ring *ring)
{
	must(!ring_lost(ring));
	return events_read(ring_file(ring, "trace"));
}

static void ring_destroy(struct ring *ring)
{
	must(!ring_set(ring, "events/blockpool/enable", "0"));
	must(!rmdir(ring->dir));
	must(!rmdir(ring->ends));
}

/*
 * What is expected of them
 */

struct log {
	struct events events;
	__u32 pool;
	size_t at;
};

/* Made behind the back of who takes and frees. */
static bool event_is_beside(const struct event *event)
{
	return event_is(event, "refill") || event_is(event, "flush") ||
	       event_is(event, "drain") || !strncmp(event->name, "snapshot_", 9);
}

static const struct event *log_get(struct log *log)
{
	const struct event *event;

	while (log->at < log->events.nr) {
		event = &log->events.list[log->at++];
		if (!event_is_beside(event) &&
		    event_u64(event, "pool") == log->pool)
			return event;
	}
	return NULL;
}

/* Whether the next event of the pool is that: a pattern as of file names. */
static bool __attribute__((format(printf, 2, 3)))
log_next(struct log *log, const char *format, ...)
{
	const struct event *event = log_get(log);
	char want[512], seen[2048] = "nothing";
	va_list args;

	va_start(args, format);
	vsnprintf(want, sizeof(want), format, args);
	va_end(args);
	if (event)
		snprintf(seen, sizeof(seen), "%s: %s", event->name, event->fields);
	if (event && !fnmatch(want, seen, 0))
		return true;
	fprintf(stderr, "# not \"%s\" but \"%s\"\n", want, seen);
	return false;
}

/* Whether there is no other; what comes later goes into a new one. */
static bool log_end(struct log *log)
{
	const struct event *event = log_get(log);

	if (event)
		fprintf(stderr, "# also \"%s: %s\"\n", event->name, event->fields);
	events_free(&log->events);
	return !event;
}

FIXTURE(events)
{
	struct ring ring;
	char name[BLOCKPOOL_NAME_SIZE];
	int fd;
	__u32 client;
	struct log log;
};

/* The number of the pool that was created last under a name. */
static __u32 number_of(const struct events *events, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = events->nr; i-- > 0;) {
		const struct event *event = &events->list[i];
		const char *text;

		if (!event_is(event, "pool_create"))
			continue;
		text = event_text(event, "name");
		if (!strncmp(text, name, length) && text[length] == ' ')
			return event_u64(event, "pool");
	}
	pool_fatal("no event of the making of %s", name);
}

static void log_start(struct _test_data_events *self)
{
	self->log.events = ring_read(&self->ring);
	self->log.at = 0;
	ring_clear(&self->ring);
}

/* A pool; its making is told. */
static void events_pool(struct __test_metadata *_metadata,
			struct _test_data_events *self,
			struct blockpool_create_args args)
{
	pool_name(self->name);
	self->fd = pool_open(O_RDWR);
	must(self->fd >= 0);
	must(!pool_create_args(self->fd, self->name, args));
	self->client = pool_info(self->fd).client;
	log_start(self);
	self->log.pool = number_of(&self->log.events, self->name);
	EXPECT_TRUE(log_next(&self->log,
			     "pool_create: pool=%u name=%s block_size=%llu nr_blocks=%u flags=*",
			     self->log.pool, self->name,
			     (unsigned long long)args.block_size,
			     args.nr_blocks));
	EXPECT_TRUE(log_next(&self->log, "client_open: pool=%u client=%u pid=%d comm=trace",
			     self->log.pool, self->client, getpid()));
	EXPECT_TRUE(log_end(&self->log));
}

FIXTURE_SETUP(events)
{
	const struct blockpool_create_args args = {
		.block_size = 256,
		.nr_blocks = NR_BLOCKS,
	};

	ring_init(&self->ring);
	events_pool(_metadata, self, args);
}

FIXTURE_TEARDOWN(events)
{
	close(self->fd);
	file_write(PARAMETER, "0");
	ring_destroy(&self->ring);
}

/* In tests: the next event is of the pool, and what follows is as said. */
#define SAYS(name, format, ...)						\
	EXPECT_TRUE(log_next(&self->log, name ": pool=%u " format,	\
			     self->log.pool, ##__VA_ARGS__))

TEST_F(events, life)
{
	int other = pool_join(self->name);
	__u32 client = pool_info(other).client;

	must(pool_take(other) >= 0);
	close(other);
	ASSERT_EQ(0, pool_unlink(self->name));
	close(self->fd);
	log_start(self);
	SAYS("client_open", "client=%u pid=%d comm=trace", client, getpid());
	SAYS("take", "index=* owner=%u ip=0x0", client);
	SAYS("free", "index=* owner=%u ip=0x0", client);
	SAYS("client_reclaim", "client=%u count=1", client);
	SAYS("client_close", "client=%u", client);
	EXPECT_TRUE(log_next(&self->log, "pool_unlink: pool=%u", self->log.pool));
	SAYS("client_close", "client=%u", self->client);
	EXPECT_TRUE(log_next(&self->log, "pool_destroy: pool=%u", self->log.pool));
	EXPECT_TRUE(log_end(&self->log));
	self->fd = -1;
}

TEST_F(events, numbers_are_their_own)
{
	__u32 first = self->log.pool;

	close(self->fd);
	events_pool(_metadata, self, (struct blockpool_create_args) {
		.block_size = 64, .nr_blocks = 4,
	});
	EXPECT_GT(self->log.pool, first);
}

TEST_F(events, take_and_free)
{
	__u32 indices[200], done = 0;
	int index = pool_take(self->fd);

	ASSERT_LE(0, index);
	ASSERT_EQ(0, pool_alloc(self->fd, indices, 200));
	ASSERT_EQ(0, pool_give(self->fd, index));
	ASSERT_EQ(0, pool_free(self->fd, indices, 3, &done));
	log_start(self);
	SAYS("take", "index=%d owner=%u ip=0x0", index, self->client);
	SAYS("take_bulk", "owner=%u count=128 ip=0x0 indices={0x%x,0x%x,*,0x%x}",
	     self->client, indices[0], indices[1], indices[127]);
	SAYS("take_bulk", "owner=%u count=72 ip=0x0 indices={0x%x,*,0x%x}",
	     self->client, indices[128], indices[199]);
	SAYS("free", "index=%d owner=%u ip=0x0", index, self->client);
	SAYS("free_bulk", "owner=%u count=3 ip=0x0 indices={0x%x,0x%x,0x%x}",
	     self->client, indices[0], indices[1], indices[2]);
	EXPECT_TRUE(log_end(&self->log));
}

TEST_F(events, kernel)
{
	int peer = peer_join(self->name), index;
	__u32 some[3];

	for (__u32 context = 0; context < peer_contexts(peer); context++) {
		index = peer_take(peer, context);
		ASSERT_LE(0, index);
		ASSERT_EQ(0, peer_alloc_bulk(peer, context, some, 3));
		ASSERT_EQ(0, peer_give(peer, context, index));
		ASSERT_EQ(0, peer_free_bulk(peer, context, some, 3));
		log_start(self);
		SAYS("take", "index=%d owner=1 ip=*blockpool_peer?", index);
		SAYS("take_bulk", "owner=1 count=3 ip=*blockpool_peer? indices={0x%x,0x%x,0x%x}",
		     some[0], some[1], some[2]);
		SAYS("free", "index=%d owner=1 ip=*blockpool_peer?", index);
		SAYS("free_bulk", "owner=1 count=3 ip=*blockpool_peer? indices={0x%x,0x%x,0x%x}",
		     some[0], some[1], some[2]);
		EXPECT_TRUE(log_end(&self->log));
	}
	close(peer);
}

static unsigned int count_of(const struct events *events, const char *name,
			     __u32 pool, __u64 *blocks)
{
	unsigned int n = 0;

	*blocks = 0;
	for (size_t i = 0; i < events->nr; i++) {
		const struct event *event = &events->list[i];

		if (!event_is(event, name) || event_u64(event, "pool") != pool)
			continue;
		n++;
		*blocks += event_u64(event, "count");
	}
	return n;
}

TEST_F(events, magazines)
{
	int peer = peer_join(self->name);
	__u64 refilled, flushed, drained;
	struct events *events = &self->log.events;
	__u32 some[300], *all;

	cpu_pin(0);
	ASSERT_EQ(300, peer_alloc(peer, PROCESS, some, 300));
	ASSERT_EQ(0, peer_free(peer, PROCESS, some, 300));
	all = pool_take_all(self->fd);
	log_start(self);
	EXPECT_LT(1, count_of(events, "refill", self->log.pool, &refilled));
	EXPECT_LT(0, count_of(events, "flush", self->log.pool, &flushed));
	EXPECT_EQ(1, count_of(events, "drain", self->log.pool, &drained));
	/* What went there came back, or was taken from there. */
	EXPECT_EQ(refilled, flushed + drained);
	events_free(events);
	free(all);
	cpu_unpin();
	close(peer);
}

/*
 * On one CPU, where whoever is idle at heart gives way as soon as he has woken another:
 * what is not told before the block is given is told too late.
 */
TEST_F(events, wait)
{
	const struct sched_param none = {};
	__u32 *all = pool_take_all(self->fd);
	struct waiter waiter;

	cpu_pin(0);
	ring_clear(&self->ring);
	waiter = waiter_start(self->name, 2, -1);
	must(!sched_setscheduler(0, SCHED_IDLE, &none));
	ASSERT_EQ(0, pool_free(self->fd, all, 2, NULL));
	must(!sched_setscheduler(0, SCHED_OTHER, &none));
	ASSERT_EQ(0, waiter_result(&waiter));
	ASSERT_EQ(-ETIMEDOUT, pool_take_wait(self->fd, 1));
	log_start(self);
	SAYS("client_open", "client=*");	/* that one, and who looks for it */
	SAYS("client_open", "client=*");
	SAYS("wait_begin", "client=* count=2");
	SAYS("client_close", "client=*");
	SAYS("free_bulk", "owner=%u count=2 *", self->client);
	SAYS("wait_end", "client=* result=0");
	SAYS("take_bulk", "owner=* count=2 *");
	SAYS("wait_begin", "client=%u count=1", self->client);
	SAYS("wait_end", "client=%u result=%d", self->client, -ETIMEDOUT);
	EXPECT_TRUE(log_end(&self->log));
	waiter_end(&waiter);
	cpu_unpin();
	free(all);
}

TEST_F(events, refused)
{
	int other = pool_join(self->name), peer = peer_join(self->name), index;
	__u32 client = pool_info(other).client;
	int port = port_bind(self->fd, "in", PORT_MAKE | PORT_SEND);
	__u32 twice[2], done = 0;

	index = pool_take(other);
	twice[0] = pool_take(self->fd);
	twice[1] = twice[0];
	ring_clear(&self->ring);
	EXPECT_EQ(-EINVAL, pool_give(self->fd, NR_BLOCKS));
	EXPECT_EQ(-EPERM, pool_give(self->fd, index));
	EXPECT_EQ(-EPERM, pool_give(self->fd, (index + 2) % NR_BLOCKS));
	EXPECT_EQ(-EPERM, port_send_one(self->fd, port, index, 0));
	EXPECT_EQ(0, peer_give(peer, PROCESS, index));
	EXPECT_EQ(-EPERM, pool_free(self->fd, twice, 2, &done));
	log_start(self);
	SAYS("refused", "index=%u reason=no_block caller=%u owner=0",
	     BLOCKPOOL_NO_INDEX, self->client);
	SAYS("refused", "index=%d reason=not_held caller=%u owner=%u", index,
	     self->client, client);
	SAYS("refused", "index=* reason=free caller=%u owner=0", self->client);
	SAYS("refused", "index=%d reason=send caller=%u owner=%u", index,
	     self->client, client);
	SAYS("refused", "index=%d reason=not_held caller=1 owner=%u", index,
	     client);
	SAYS("refused", "index=%u reason=free caller=%u owner=0", twice[0],
	     self->client);
	SAYS("free", "index=%u *", twice[0]);
	EXPECT_TRUE(log_end(&self->log));
	close(peer);
	close(other);
}

TEST_F(events, damage)
{
	struct blockpool_repair_args repair = { .size = sizeof(repair) };
	struct blockpool_info info;
	char *map;
	int index;

	close(self->fd);
	events_pool(_metadata, self, (struct blockpool_create_args) {
		.flags = BLOCKPOOL_GUARD,
		.block_size = 200,
		.nr_blocks = 8,
	});
	info = pool_info(self->fd);
	map = pool_map(self->fd);
	index = pool_take(self->fd);
	map[info.block_offset + index * info.stride + 200] = 'X';
	ASSERT_EQ(0, pool_give(self->fd, index));
	ASSERT_EQ(0, pool_ioctl(self->fd, BLOCKPOOL_IOC_REPAIR, &repair));
	log_start(self);
	SAYS("take", "index=%d *", index);
	SAYS("free", "index=%d *", index);
	SAYS("corrupt", "index=%d what=overrun offset=200 owner=0", index);
	SAYS("quarantine", "index=%d from=0", index);
	EXPECT_TRUE(log_next(&self->log, "repair: pool=%u index=%d",
			     self->log.pool, index));
	EXPECT_TRUE(log_end(&self->log));
}

TEST_F(events, messages)
{
	int other = pool_join(self->name), port, index = pool_take(self->fd);
	struct blockpool_message twice[2] = { { .index = index }, { .index = index } };
	__u32 client = pool_info(other).client;

	port = port_bind(other, "in", PORT_MAKE | BLOCKPOOL_BIND_AGAIN);
	ASSERT_LT(0, port);
	ASSERT_EQ(port, port_bind(self->fd, "in", PORT_SEND | PORT_RECV));
	ring_clear(&self->ring);
	ASSERT_EQ(-EPERM, port_send(self->fd, port, twice, 2, 0, 0));
	ASSERT_EQ(1, port_send(self->fd, port, twice, 1, 0, 0));
	ASSERT_EQ(1, port_recv(other, port, twice, 1, 0, 0));
	close(other);
	ASSERT_EQ(0, port_unbind(self->fd, port));
	log_start(self);
	SAYS("refused", "index=%d reason=send caller=%u owner=0", index,
	     self->client);
	SAYS("send", "port=%d owner=%u count=1 indices={0x%x}", port,
	     self->client, index);
	SAYS("receive", "port=%d owner=%u count=1 indices={0x%x}", port, client,
	     index);
	SAYS("requeue", "port=%d owner=%u count=1 indices={0x%x}", port, client,
	     index);
	SAYS("client_close", "client=%u", client);
	SAYS("drop", "port=%d owner=0 count=1 indices={0x%x}", port, index);
	EXPECT_TRUE(log_next(&self->log, "port_close: pool=%u port=%d",
			     self->log.pool, port));
	EXPECT_TRUE(log_end(&self->log));
}

TEST_F(events, shares)
{
	int index = pool_take(self->fd);
	struct blockpool_message message = { .index = index };
	__u32 ports[2];

	ring_clear(&self->ring);
	for (int i = 0; i < 2; i++)
		ports[i] = port_bind(self->fd, i ? "b" : "a",
				     PORT_MAKE | PORT_SEND);
	ASSERT_EQ(0, port_share(self->fd, ports, 2, &message));
	ASSERT_EQ(1, port_recv(self->fd, ports[0], &message, 1, 0, 0));
	ASSERT_EQ(0, port_unbind(self->fd, ports[1]));
	ASSERT_EQ(0, pool_give(self->fd, index));
	log_start(self);
	SAYS("port_open", "port=%u name=a", ports[0]);
	SAYS("port_open", "port=%u name=b", ports[1]);
	SAYS("share", "port=%u owner=%u index=%d holders=2", ports[0],
	     self->client, index);
	SAYS("share", "port=%u owner=%u index=%d holders=2", ports[1],
	     self->client, index);
	SAYS("receive_shared", "port=%u owner=%u index=%d", ports[0],
	     self->client, index);
	SAYS("unshare", "client=%u index=%d holders=1",
	     BLOCKPOOL_OWNER_PORT | ports[1], index);
	SAYS("port_close", "port=%u", ports[1]);
	SAYS("unshare", "client=%u index=%d holders=0", self->client, index);
	EXPECT_TRUE(log_end(&self->log));
}

/* Of the examples in README.md. */

TEST_F(events, filters_and_triggers)
{
	int first = pool_take(self->fd), second = pool_take(self->fd);
	char text[64];

	snprintf(text, sizeof(text), "pool == %u && index == %d",
		 self->log.pool, second);
	ASSERT_EQ(0, ring_set(&self->ring, "events/blockpool/free/filter", text));
	ASSERT_EQ(0, ring_set(&self->ring, "events/blockpool/refused/trigger",
			      "traceoff:1 if reason == 1"));
	ring_clear(&self->ring);
	ASSERT_EQ(0, pool_give(self->fd, first));
	ASSERT_EQ(0, pool_give(self->fd, second));
	ASSERT_EQ(-EPERM, pool_give(self->fd, first));
	ASSERT_LE(0, pool_take(self->fd));
	log_start(self);
	SAYS("free", "index=%d *", second);
	SAYS("refused", "index=%d *", first);
	EXPECT_TRUE(log_end(&self->log));
	EXPECT_EQ(0, number_in(ring_file(&self->ring, "tracing_on")));
}

TEST_F(events, histograms)
{
	const char *trigger = "events/blockpool/take_bulk/trigger";
	char text[4096], line[96];
	__u32 indices[7];

	if (access(ring_file(&self->ring, "events/blockpool/take_bulk/hist"), F_OK))
		SKIP(return, "this kernel has no histograms");
	ASSERT_EQ(0, ring_set(&self->ring, trigger,
			      "hist:keys=pool,owner:vals=count"));
	ASSERT_EQ(0, pool_alloc(self->fd, indices, 5));
	ASSERT_EQ(0, pool_alloc(self->fd, indices, 7));
	ASSERT_EQ(0, file_read(ring_file(&self->ring,
					 "events/blockpool/take_bulk/hist"),
			       text, sizeof(text)));
	snprintf(line, sizeof(line), "{ pool: %10u, owner: %10u } hitcount: %10u  count: %10u",
		 self->log.pool, self->client, 2, 12);
	EXPECT_NE(NULL, strstr(text, line))
		TH_LOG("%s", text);
	ASSERT_EQ(0, ring_set(&self->ring, trigger,
			      "!hist:keys=pool,owner:vals=count"));
}

TEST_F(events, none_when_off)
{
	__u32 indices[2];

	ASSERT_EQ(0, ring_set(&self->ring, "events/blockpool/enable", "0"));
	ASSERT_EQ(0, file_write(PARAMETER, "10"));
	ring_clear(&self->ring);
	ASSERT_EQ(0, pool_alloc(self->fd, indices, 2));
	ASSERT_EQ(0, pool_free(self->fd, indices, 2, NULL));
	usleep(100000);
	self->log.events = ring_read(&self->ring);
	EXPECT_EQ(0, self->log.events.nr);
	events_free(&self->log.events);
}

/* How many lines the kernel's log has that we could have caused. */
static unsigned int log_lines(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	unsigned int lines = 0;
	char record[1024];
	ssize_t length;

	must(fd >= 0);
	while ((length = read(fd, record, sizeof(record) - 1)) > 0 ||
	       errno == EPIPE) {
		record[length > 0 ? length : 0] = 0;
		lines += !!strstr(record, "blockpool:");
	}
	close(fd);
	return lines;
}

TEST_F(events, unprivileged_say_nothing_in_the_log)
{
	unsigned int lines = log_lines();
	mode_t mode = device_share();
	pid_t child = child_fork();

	if (!child) {
		char name[BLOCKPOOL_NAME_SIZE];
		int fd;

		become(USER_A, USER_A);
		pool_name(name);
		fd = pool_new(name, 64, 4);
		for (int i = 0; i < 1000; i++)
			must(pool_give(fd, i % 8) < 0);
		_exit(0);
	}
	EXPECT_EQ(0, child_reap(child));
	device_restore(mode);
	EXPECT_EQ(lines, log_lines());
}

/*
 * Snapshots
 */

static __u64 last_seq(const struct events *events, const char *name, __u32 pool)
{
	for (size_t i = events->nr; i-- > 0;)
		if (event_is(&events->list[i], name) &&
		    event_u64(&events->list[i], "pool") == pool)
			return event_u64(&events->list[i], "seq");
	return 0;
}

static void ends_set(const struct ring *ring, const char *name, const char *text)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", ring->ends, name);
	must(!file_write(path, text));
}

/* Until so many snapshots of the pool have come to their end since; clears that. */
static void await_snapshots(const struct ring *ring, __u32 pool, unsigned int n)
{
	unsigned int seen = 0;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/trace", ring->ends);
	for (int i = 0; seen < n && i < AWAIT_MS / 10; i++) {
		struct events events = events_read(path);

		for (size_t k = seen = 0; k < events.nr; k++)
			seen += event_u64(&events.list[k], "pool") == pool;
		events_free(&events);
		usleep(10000);
	}
	must(seen >= n);
	ends_set(ring, "events/blockpool/snapshot_end/enable", "0");
	clear(path);
}

/* From now on they are counted. */
static void snapshots_every(const struct ring *ring, const char *ms)
{
	must(!file_write(PARAMETER, "0"));
	ends_set(ring, "events/blockpool/snapshot_end/enable", "1");
	must(!file_write(PARAMETER, ms));
}

/* One that is made when all are at rest; one may be under way. */
static void snapshot_now(const struct ring *ring, __u32 pool)
{
	snapshots_every(ring, "10");
	await_snapshots(ring, pool, 2);
	must(!file_write(PARAMETER, "0"));
}

TEST_F_TIMEOUT(events, period, 120)
{
	EXPECT_EQ(-EINVAL, file_write(PARAMETER, "9"));
	EXPECT_EQ(-EINVAL, file_write(PARAMETER, "often"));
	snapshots_every(&self->ring, "50");
	EXPECT_EQ(-EINVAL, file_write(PARAMETER, "1"));
	EXPECT_EQ(50, number_in(PARAMETER));
	await_snapshots(&self->ring, self->log.pool, 5);
	ASSERT_EQ(0, file_write(PARAMETER, "0"));
}

static void expect_clients(struct __test_metadata *_metadata,
			   const struct log *log, __u64 seq, __u32 client,
			   __u64 held)
{
	char want[128];
	int found = 0;

	snprintf(want, sizeof(want), "pool=%u seq=%llu client=%u pid=%d comm=trace held=%llu",
		 log->pool, (unsigned long long)seq, client, getpid(),
		 (unsigned long long)held);
	for (size_t i = 0; i < log->events.nr; i++)
		if (event_is(&log->events.list[i], "snapshot_client"))
			found += !strcmp(log->events.list[i].fields, want);
	EXPECT_EQ(1, found)
		TH_LOG("%s", want);
}

TEST_F_TIMEOUT(events, snapshot, 120)
{
	int other = pool_join(self->name), index = pool_take(other), port;
	struct log *log = &self->log;
	char want[256];
	__u64 seq;

	port = port_bind(other, "in", PORT_MAKE | PORT_SEND);
	ASSERT_EQ(1, port_send_one(other, port, index, 0));
	ASSERT_LE(0, pool_take(other));
	ASSERT_LE(0, pool_take(self->fd));
	ASSERT_LE(0, pool_take(self->fd));
	snapshot_now(&self->ring, log->pool);
	log_start(self);
	seq = last_seq(&log->events, "snapshot_end", log->pool);
	expect_clients(_metadata, log, seq, self->client, 2);
	expect_clients(_metadata, log, seq, pool_info(other).client, 1);
	snprintf(want, sizeof(want),
		 "pool=%u seq=%llu name=%s block_size=256 nr_blocks=%u flags=0x0 nr_free=%u nr_held=4 nr_in_flight=1 at_panic=0",
		 log->pool, (unsigned long long)seq, self->name, NR_BLOCKS,
		 NR_BLOCKS - 4);
	for (size_t i = 0; i < log->events.nr; i++) {
		const struct event *event = &log->events.list[i];

		if (strncmp(event->name, "snapshot_", 9) ||
		    event_u64(event, "pool") != log->pool ||
		    event_u64(event, "seq") != seq)
			continue;
		if (event_is(event, "snapshot_begin"))
			EXPECT_STREQ(want, event->fields);
		if (event_is(event, "snapshot_port"))
			EXPECT_NE(NULL, strstr(event->fields, "name=in depth=256 nr=1"));
	}
	events_free(&log->events);
	close(other);
}

/*
 * Who holds what, while all is in motion
 */

#define USERS		4
#define PEERS		2
#define WORKERS		(USERS + PEERS)
#define ROUNDS		4
#define STEPS		100		/* of a worker in a round */
#define BATCH		12U
#define STATIC		300U		/* blocks that stay as they are */

struct worker {
	pid_t pid;
	int fd;
	int port;
	__u32 contexts;		/* 0: a client, else the kernel */
	unsigned int random;
	__u32 nr;
	__u32 held[64];
};

static __u32 below(struct worker *worker, __u32 limit)
{
	return rand_r(&worker->random) % limit;
}

static void worker_take(struct worker *worker)
{
	__u32 n = 1 + below(worker, BATCH), *to = worker->held + worker->nr;
	__u32 context = worker->contexts ? below(worker, worker->contexts) : 0;
	int ret;

	if (worker->nr + n > 64)
		return;
	if (!worker->contexts) {
		if (!pool_alloc(worker->fd, to, n))
			worker->nr += n;
		return;
	}
	if (n > BATCH / 2) {
		if (!peer_alloc_bulk(worker->fd, context, to, n))
			worker->nr += n;
		return;
	}
	ret = peer_alloc(worker->fd, context, to, n);
	worker->nr += ret > 0 ? ret : 0;
}

static void worker_give(struct worker *worker)
{
	__u32 n = 1 + below(worker, BATCH), *from, at;
	__u32 context = worker->contexts ? below(worker, worker->contexts) : 0;

	if (n > worker->nr)
		return;
	at = below(worker, worker->nr - n + 1);
	from = worker->held + at;
	if (!worker->contexts)
		must(!pool_free(worker->fd, from, n, NULL));
	else if (n > BATCH / 2)
		must(!peer_free_bulk(worker->fd, context, from, n));
	else
		must(!peer_free(worker->fd, context, from, n));
	worker->nr -= n;
	memmove(from, from + n, (worker->nr - at) * sizeof(*from));
}

static void worker_send(struct worker *worker)
{
	struct blockpool_message message = {};
	__u32 port = worker->port;

	if (worker->contexts || !worker->nr)
		return;
	message.index = worker->held[worker->nr - 1];
	if (below(worker, 4) ? port_send(worker->fd, port, &message, 1, 0, 0) == 1 :
			       !port_share(worker->fd, &port, 1, &message))
		worker->nr--;
}

static void worker_receive(struct worker *worker)
{
	struct blockpool_message messages[4];
	int n;

	if (worker->contexts || worker->nr > 60)
		return;
	n = port_recv(worker->fd, worker->port, messages, 4, 0, 0);
	for (int i = 0; i < n; i++)
		worker->held[worker->nr++] = messages[i].index;
}

static void worker_step(struct worker *worker)
{
	switch (below(worker, 8)) {
	case 0:
		worker_send(worker);
		break;
	case 1:
		worker_receive(worker);
		break;
	case 2:		/* refused, and nothing changes */
		if (!worker->contexts)
			must(pool_give(worker->fd, 1) == -EPERM);
		break;
	case 3: case 4: case 5:
		worker_take(worker);
		break;
	default:
		worker_give(worker);
	}
}

/* Stops after each round, when nothing of it is under way. */
static void worker_run(struct worker *worker, const char *name)
{
	if (worker->contexts) {
		worker->fd = peer_join(name);
		worker->contexts = peer_contexts(worker->fd);
	} else {
		worker->fd = pool_join(name);
		worker->port = port_bind(worker->fd, "churn", PORT_SEND | PORT_RECV);
		must(worker->port > 0);
	}
	for (;;) {
		for (int i = 0; i < STEPS; i++)
			worker_step(worker);
		raise(SIGSTOP);
	}
}

static void worker_start(struct worker *worker, const char *name, int id)
{
	*worker = (struct worker) {
		.contexts = id >= USERS,
		.random = id + getpid(),
	};
	worker->pid = child_fork();
	if (!worker->pid)
		worker_run(worker, name);
}

/* Whether it has come to the end of a round; false if it was killed. */
static bool worker_await(struct worker *worker)
{
	int status;

	must(waitpid(worker->pid, &status, WUNTRACED) == worker->pid);
	must(WIFSTOPPED(status) ||
	     (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
	return WIFSTOPPED(status);
}

FIXTURE(holders)
{
	struct ring ring;
	char name[BLOCKPOOL_NAME_SIZE];
	int fd;
	struct rebuild all;	/* from the beginning */
	struct rebuild late;	/* from a snapshot */
	unsigned int nr_late;
	struct worker workers[WORKERS];
};

/* Every second one of some is ours for good: so a snapshot has many runs. */
FIXTURE_SETUP(holders)
{
	struct blockpool_bind_args port = port_args("churn", PORT_MAKE |
						    BLOCKPOOL_BIND_AGAIN);
	__u32 indices[2 * STATIC];
	struct events events;

	port.depth = 16;
	ring_init(&self->ring);
	pool_name(self->name);
	self->fd = pool_new(self->name, 64, NR_BLOCKS);
	must(port_bind_args(self->fd, &port) > 0);
	must(!pool_alloc(self->fd, indices, 2 * STATIC));
	for (__u32 i = 0; i < STATIC; i++)
		must(!pool_give(self->fd, 2 * i));
	events = ring_read(&self->ring);
	rebuild_init(&self->all, number_of(&events, self->name), NR_BLOCKS);
	rebuild_init(&self->late, self->all.pool, NR_BLOCKS);
	events_free(&events);
	for (int i = 0; i < WORKERS; i++)
		worker_start(&self->workers[i], self->name, i);
}

FIXTURE_TEARDOWN(holders)
{
	for (int i = 0; i < WORKERS; i++)
		child_kill(self->workers[i].pid);
	file_write(PARAMETER, "0");
	close(self->fd);
	rebuild_destroy(&self->all);
	rebuild_destroy(&self->late);
	ring_destroy(&self->ring);
}

static bool equal(const struct rebuild *rebuild, const __u32 *owners,
		  const char *from)
{
	for (__u32 i = 0; i < rebuild->nr; i++) {
		if (rebuild->owners[i] == owners[i])
			continue;
		fprintf(stderr, "# block %u: by %s %u has it, but %u does\n", i,
			from, rebuild->owners[i], owners[i]);
		return false;
	}
	return true;
}

/* All are at rest: each snapshot of the round and what came since tells the same. */
static void compare(struct __test_metadata *_metadata,
		    struct _test_data_holders *self)
{
	struct events events = ring_read(&self->ring);
	__u32 owners[NR_BLOCKS];

	must(!pool_owners(self->fd, 0, NR_BLOCKS, owners));
	for (size_t i = 0; i < events.nr; i++)
		rebuild_event(&self->all, &events.list[i]);
	EXPECT_TRUE(equal(&self->all, owners, "events"));
	for (size_t i = 0; i < events.nr; i++) {
		if (!event_is(&events.list[i], "snapshot_begin") ||
		    event_u64(&events.list[i], "pool") != self->late.pool)
			continue;
		if (!rebuild_from(&self->late, &events, i))
			continue;
		self->nr_late++;
		EXPECT_FALSE(self->late.broken);
		EXPECT_TRUE(equal(&self->late, owners, "a snapshot"));
	}
	events_free(&events);
}

static void churn_round(struct _test_data_holders *self, int round)
{
	struct worker *victim = &self->workers[round % USERS];

	must(!file_write(PARAMETER, "50"));
	usleep(20000);
	kill(victim->pid, SIGKILL);
	for (int i = 0; i < WORKERS; i++)
		if (!worker_await(&self->workers[i]))
			worker_start(&self->workers[i], self->name, i);
	/* The new one too. */
	must(worker_await(victim));
	must(!file_write(PARAMETER, "0"));
}

TEST_F_TIMEOUT(holders, are_known, 280)
{
	for (int i = 0; i < WORKERS; i++)
		must(worker_await(&self->workers[i]));
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < WORKERS; i++)
			kill(self->workers[i].pid, SIGCONT);
		churn_round(self, round);
		snapshot_now(&self->ring, self->all.pool);
		compare(_metadata, self);
		ring_clear(&self->ring);
	}
	EXPECT_LE(2 * ROUNDS, self->nr_late);
}

TEST_HARNESS_MAIN

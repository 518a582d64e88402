// SPDX-License-Identifier: GPL-2.0
/*
 * blockpool-tap: receives the TCP segments that the module blockpool_tap copies, and
 * writes them to a pcapng file.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "counts.h"
#include "module/segment.h"

#define SNAP_LENGTH 65575	/* what an IPv6 packet may have, its header included */

static const char usage[] =
	"Usage: blockpool-tap -w FILE [-p POOL] [-n PORT] [-q DEPTH] [-c COUNT]\n"
	"                     [-d SECONDS] [-b BLOCKS [-s BYTES]]\n"
	"\n"
	"Write the TCP segments that the module blockpool_tap copies to a pcapng file.\n"
	"\n"
	"  -w FILE     the file; - for standard output\n"
	"  -p POOL     the pool (tap)\n"
	"  -n PORT     the port in it (tcp)\n"
	"  -q DEPTH    segments that the port has room for (as many as the pool has blocks)\n"
	"  -c COUNT    end after so many segments\n"
	"  -d SECONDS  end after so long\n"
	"  -b BLOCKS   make the pool first, of so many blocks\n"
	"  -s BYTES    and so large that they hold so much of a segment (65575)\n"
	"  -h          show this\n"
	"  -V          show the version\n";

struct options {
	const char *file;
	const char *pool;
	const char *port;
	unsigned long depth;
	unsigned long count;
	unsigned long seconds;
	unsigned long blocks;
	unsigned long snap_length;
};

static unsigned long number(int letter, const char *text, unsigned long most)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || !value || value > most)
		errx(2, "-%c takes a number from 1 to %lu", letter, most);
	return value;
}

static void set(struct options *o, int letter, const char *text)
{
	const struct {
		int letter;
		const char **text;
	} texts[] = {
		{ 'w', &o->file }, { 'p', &o->pool }, { 'n', &o->port },
	};
	const struct {
		int letter;
		unsigned long *value;
		unsigned long most;
	} numbers[] = {
		{ 'q', &o->depth, BLOCKPOOL_DEPTH_MAX },
		{ 'c', &o->count, LONG_MAX },
		{ 'd', &o->seconds, INT_MAX / 1000 },
		{ 'b', &o->blocks, BLOCKPOOL_BLOCKS_MAX },
		{ 's', &o->snap_length,
		  BLOCKPOOL_BLOCK_SIZE_MAX - sizeof(struct blockpool_segment) },
	};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].letter == letter)
			*texts[i].text = text;
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i].letter == letter)
			*numbers[i].value = number(letter, text, numbers[i].most);
}

static void show(const char *text)
{
	fputs(text, stdout);
	exit(fflush(stdout) ? 1 : 0);
}

static struct options parse(int argc, char **argv)
{
	struct options o = { .pool = "tap", .port = "tcp" };
	int letter;

	while ((letter = getopt(argc, argv, "w:p:n:q:c:d:b:s:hV")) != -1) {
		if (letter == '?')
			exit(2);
		if (letter == 'h')
			show(usage);
		if (letter == 'V')
			show("blockpool-tap " VERSION "\n");
		set(&o, letter, optarg);
	}
	if (optind < argc)
		errx(2, "too many arguments; -h shows what there is");
	if (!o.file)
		errx(2, "-w FILE is missing; -h shows what there is");
	if (o.snap_length && !o.blocks)
		errx(2, "-s is for a pool that is made, with -b");
	return o;
}

static struct blockpool *open_pool(const struct options *o)
{
	const struct blockpool_attr attr = {
		.name = o->pool, .nr_blocks = o->blocks,
		.block_size = sizeof(struct blockpool_segment) +
			      (o->snap_length ? o->snap_length : SNAP_LENGTH),
	};
	struct blockpool *pool;

	pool = o->blocks ? blockpool_create(&attr) : blockpool_open(o->pool, O_RDWR);
	if (!pool)
		err(1, "pool %s", o->pool);
	return pool;
}

static struct blockpool_port *bind_port(struct blockpool *pool, const struct options *o,
					uint32_t nr_blocks)
{
	struct blockpool_port_attr attr = {
		.name = o->port, .flags = BLOCKPOOL_BIND_RECV | BLOCKPOOL_BIND_CREATE,
		.depth = o->depth,
	};
	struct blockpool_port *port;

	if (!attr.depth)
		attr.depth = nr_blocks < BLOCKPOOL_DEPTH_MAX ? nr_blocks : BLOCKPOOL_DEPTH_MAX;
	port = blockpool_bind(pool, &attr);
	if (!port)
		err(1, "port %s", o->port);
	return port;
}

/* A descriptor that can be read when somebody wants the program to end. */
static int end_fd(void)
{
	sigset_t signals;
	int fd;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &signals, SFD_CLOEXEC);
	if (fd < 0)
		err(1, "signalfd");
	return fd;
}

static int64_t milliseconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

/* Sleeps until the port has something.  False if it is time to end. */
static bool wait_for(int port, int end, int64_t deadline)
{
	struct pollfd fds[] = {
		{ .fd = port, .events = POLLIN }, { .fd = end, .events = POLLIN },
	};
	int64_t left = deadline - milliseconds();

	if (deadline && left <= 0)
		return false;
	if (poll(fds, 2, deadline ? (int)left : -1) < 0 && errno != EINTR)
		err(1, "poll");
	return !fds[1].revents;
}

static void take(struct capture *capture, uint64_t most)
{
	if (capture_some(capture, most) < 0 && errno != EAGAIN)
		err(1, "capture");
}

/* Ends with what is in the port by then. */
static void run(struct capture *capture, const struct options *o, int end,
		uint32_t nr_blocks)
{
	int64_t deadline = o->seconds ? milliseconds() + o->seconds * 1000LL : 0;
	uint64_t most = o->count ? o->count : UINT64_MAX;
	int port = blockpool_port_fd(capture->port);

	if (port < 0)
		err(1, "port %s", o->port);
	capture_begin(capture);
	while (capture->packets < most && wait_for(port, end, deadline))
		take(capture, most - capture->packets);
	if (most - capture->packets > nr_blocks)
		most = capture->packets + nr_blocks;
	while (capture->packets < most && capture_some(capture, most - capture->packets) > 0)
		;
}

static void say(const struct capture *capture, const struct counts *counts, bool known)
{
	fprintf(stderr, "blockpool-tap: %" PRIu64 " segments written", capture->packets);
	if (capture->cut)
		fprintf(stderr, ", %" PRIu64 " of them cut", capture->cut);
	if (known)
		fprintf(stderr, "; dropped: pool dry %lu, port full %lu, port closed %lu\n",
			counts->dry, counts->full, counts->closed);
	else
		fputs("; how many were dropped is unknown: no module blockpool_tap\n", stderr);
	if (capture->strange)
		warnx("%" PRIu64 " messages were no segments", capture->strange);
}

/* Opens what it takes, and ends the program if something of it is not to be had. */
static struct capture prepare(const struct options *o, uint32_t *nr_blocks)
{
	struct blockpool_info info = { .size = sizeof(info) };
	struct capture capture = { .pool = open_pool(o) };

	if (blockpool_info(capture.pool, &info))
		err(1, "pool %s", o->pool);
	if (info.block_size <= sizeof(struct blockpool_segment))
		errx(1, "pool %s: its blocks are too small", o->pool);
	capture.snap_length = info.block_size - sizeof(struct blockpool_segment);
	capture.file = strcmp(o->file, "-") ? fopen(o->file, "we") : stdout;
	if (!capture.file)
		err(1, "%s", o->file);
	capture.port = bind_port(capture.pool, o, info.nr_blocks);
	*nr_blocks = info.nr_blocks;
	return capture;
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	struct counts before, after, counts;
	struct capture capture;
	int end = end_fd();
	uint32_t nr_blocks;
	uint64_t dropped;
	bool known;

	counts_read(&before);
	capture = prepare(&o, &nr_blocks);
	run(&capture, &o, end, nr_blocks);
	known = counts_read(&after);
	counts = counts_since(&after, &before);
	dropped = counts.dry + counts.full + counts.closed;
	if (capture_end(&capture, known ? &dropped : NULL))
		err(1, "%s", o.file);
	say(&capture, &counts, known);
	blockpool_unbind(capture.port);
	return blockpool_close(capture.pool) < 0;
}

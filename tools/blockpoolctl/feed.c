// SPDX-License-Identifier: GPL-2.0
/* feed: stdin into a port. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "json.h"
#include "say.h"
#include "stream.h"

struct fed {
	unsigned long long messages;
	unsigned long long bytes;
};

/* A free block, waited for as long as it takes. */
static int take(const struct stream *stream, __u32 *index)
{
	struct blockpool_alloc_args args = {
		.size = sizeof(args),
		.flags = BLOCKPOOL_ALLOC_WAIT,
		.count = 1,
		.timeout_ms = -1,
		.indices = (unsigned long)index,
	};

	while (ioctl(stream->fd, BLOCKPOOL_IOC_ALLOC, &args))
		if (errno != EINTR)
			return failed("cannot take a block of pool '%s': %s",
				      stream->pool, strerror(errno));
	return 0;
}

static int send_block(const struct stream *stream, __u32 index, size_t length)
{
	struct blockpool_message message = { .index = index, .length = length };
	struct blockpool_send_args args = {
		.size = sizeof(args),
		.flags = BLOCKPOOL_PORT_WAIT,
		.port = stream->port,
		.count = 1,
		.timeout_ms = -1,
		.messages = (unsigned long)&message,
	};

	while (ioctl(stream->fd, BLOCKPOOL_IOC_SEND, &args))
		if (errno != EINTR)
			return stream_failed(stream, "send to");
	return 0;
}

/* One read is one message: what is typed goes out line by line. */
static ssize_t read_block(const struct stream *stream, __u32 index)
{
	ssize_t length;

	do {
		length = read(STDIN_FILENO, stream_block(stream, index),
			      stream->info.block_size);
	} while (length < 0 && errno == EINTR);
	return length;
}

/* The end of the input is an empty read, and so an empty message: the stream's end. */
static int feed(const struct stream *stream, struct fed *fed)
{
	ssize_t length;
	__u32 index;

	for (;;) {
		if (take(stream, &index))
			return EXIT_FAILED;
		length = read_block(stream, index);
		if (length < 0)
			return failed("cannot read the input: %s",
				      strerror(errno));
		if (send_block(stream, index, length))
			return EXIT_FAILED;
		if (!length)
			return 0;
		fed->messages++;
		fed->bytes += length;
	}
}

int cmd_feed(const struct opts *opts)
{
	struct stream stream;
	struct fed fed = { };
	int status = stream_open(&stream, opts, BLOCKPOOL_BIND_SEND);

	if (!status)
		status = feed(&stream, &fed);
	if (status || !opts->json)
		return status;
	json_object(NULL);
	json_string("pool", stream.pool);
	json_string("port", stream.name);
	json_number("messages", fed.messages);
	json_number("bytes", fed.bytes);
	json_end();
	return 0;
}

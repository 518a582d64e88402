// SPDX-License-Identifier: GPL-2.0
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "say.h"

#define WAIT_MS	50	/* from one look for the port to the next */

int stream_failed(const struct stream *stream, const char *doing)
{
	const char *name = stream->name, *pool = stream->pool;

	switch (errno) {
	case ENOENT:
		return failed("no port '%s' in pool '%s'", name, pool);
	case EACCES:
		return failed("no permission to %s port '%s'", doing, name);
	case EPIPE:
		return failed("port '%s' has ended: nobody receives from it any more",
			      name);
	default:
		return failed("cannot %s port '%s': %s", doing, name,
			      strerror(errno));
	}
}

char *stream_block(const struct stream *stream, __u32 index)
{
	const struct blockpool_info *info = &stream->info;

	return stream->blocks + info->block_offset +
	       (size_t)index * info->stride;
}

static int bind_port(struct stream *stream, const struct opts *opts,
		     __u32 rights)
{
	bool create = rights & BLOCKPOOL_BIND_RECV && !opts->no_create;
	struct blockpool_bind_args args = {
		.size = sizeof(args),
		.flags = rights | (create ? BLOCKPOOL_BIND_CREATE : 0),
		.depth = opts->depth,
		.linger_ms = opts->linger_ms,
		.mode = opts->mode,
	};

	memcpy(args.name, stream->name, sizeof(args.name));
	if (ioctl(stream->fd, BLOCKPOOL_IOC_BIND, &args))
		return -1;
	stream->port = args.port;
	return 0;
}

/* The pool is attached afresh each time: who waits keeps none alive. */
static int attach_and_bind(struct stream *stream, const struct opts *opts,
			   __u32 rights)
{
	const struct timespec span = { .tv_nsec = WAIT_MS * 1000000 };

	for (;;) {
		stream->fd = pool_attach(stream->pool, O_RDWR, "use");
		if (stream->fd < 0)
			return EXIT_FAILED;
		if (!bind_port(stream, opts, rights))
			return 0;
		if (errno != ENOENT || !opts->wait)
			return stream_failed(stream, "bind");
		close(stream->fd);
		nanosleep(&span, NULL);
	}
}

static int map(struct stream *stream, int prot)
{
	if (pool_info(stream->fd, stream->pool, &stream->info))
		return EXIT_FAILED;
	stream->blocks = mmap(NULL, stream->info.map_size, prot, MAP_SHARED,
			      stream->fd, 0);
	return stream->blocks != MAP_FAILED ? 0 :
	       pool_failed(stream->pool, "map");
}

int stream_open(struct stream *stream, const struct opts *opts, __u32 rights)
{
	int status;

	if (!name_set(stream->pool, opts->arg, "pool") ||
	    !name_set(stream->name, opts->port, "port"))
		return EXIT_MISUSED;
	status = attach_and_bind(stream, opts, rights);
	return status ? status :
	       map(stream, rights & BLOCKPOOL_BIND_SEND ? PROT_WRITE :
							  PROT_READ);
}

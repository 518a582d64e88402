// SPDX-License-Identifier: GPL-2.0
/*
 * cat: a port to stdout.
 *
 * It has one message at a time: what comes after the end of a stream is for the next
 * who receives, and what is lost when it is killed is one message.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "json.h"
#include "say.h"
#include "stream.h"

static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
static volatile sig_atomic_t ended;

static void on_end(int signal)
{
	(void)signal;
	ended = 1;
}

/* The first lets us write what we have, the second does not; nohup stays nohup. */
static void catch_signals(void)
{
	struct sigaction action = {
		.sa_handler = on_end,
		.sa_flags = SA_RESETHAND,
	};

	struct sigaction before;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (!sigaction(ends[i], NULL, &before) &&
		    before.sa_handler != SIG_IGN)
			sigaction(ends[i], &action, NULL);
}

/* Until there may be a message; no signal is lost between the look and the sleep. */
static void sleep_until_more(const struct stream *stream)
{
	struct pollfd more = { .fd = stream->fd, .events = POLLIN };
	sigset_t blocked, before;

	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		sigaddset(&blocked, ends[i]);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	if (!ended)
		ppoll(&more, 1, NULL, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/* 1: there is one, 0: we were told to end, -1: the error was told. */
static int receive(const struct stream *stream,
		   struct blockpool_message *message)
{
	struct blockpool_recv_args args = {
		.size = sizeof(args),
		.port = stream->port,
		.count = 1,
		.messages = (unsigned long)message,
	};

	while (!ended) {
		if (!ioctl(stream->fd, BLOCKPOOL_IOC_RECV, &args))
			return 1;
		if (errno == EAGAIN) {
			sleep_until_more(stream);
		} else if (errno != EINTR) {
			stream_failed(stream, "receive from");
			return -1;
		}
	}
	return 0;
}

static int give_back(const struct stream *stream, __u32 index)
{
	struct blockpool_free_args args = {
		.size = sizeof(args),
		.count = 1,
		.indices = (unsigned long)&index,
	};

	return !ioctl(stream->fd, BLOCKPOOL_IOC_FREE, &args) ? 0 :
	       failed("cannot free block %u of pool '%s': %s", index,
		      stream->pool, strerror(errno));
}

static int write_bytes(const char *bytes, size_t length)
{
	while (length) {
		ssize_t written = write(STDOUT_FILENO, bytes, length);

		if (written < 0 && errno != EINTR)
			return failed("cannot write the output: %s",
				      strerror(errno));
		if (written > 0) {
			bytes += written;
			length -= written;
		}
	}
	return 0;
}

static int write_json(const char *bytes,
		      const struct blockpool_message *message)
{
	json_object(NULL);
	json_number("index", message->index);
	json_number("offset", message->offset);
	json_number("length", message->length);
	json_number("reply", message->reply);
	json_number("cookie", message->cookie);
	json_signed("pid", message->pid);
	json_bool("again", message->flags & BLOCKPOOL_MESSAGE_AGAIN);
	json_bool("shared", message->flags & BLOCKPOOL_MESSAGE_SHARED);
	json_hex("data", bytes, message->length);
	json_end();
	return finish_output();
}

static int write_message(const struct stream *stream,
			 const struct blockpool_message *message, bool json)
{
	const char *bytes = stream_block(stream, message->index) +
			    message->offset;

	return json ? write_json(bytes, message) :
		      write_bytes(bytes, message->length);
}

static int copy(const struct stream *stream, const struct opts *opts)
{
	struct blockpool_message message;
	unsigned long nr = 0;
	int more, status;

	while ((more = receive(stream, &message)) > 0) {
		status = write_message(stream, &message, opts->json);
		if (status || give_back(stream, message.index))
			return EXIT_FAILED;
		if (!message.length && !opts->follow)
			return 0;
		if (++nr == opts->count)
			return 0;
	}
	return more ? EXIT_FAILED : 0;
}

int cmd_cat(const struct opts *opts)
{
	struct stream stream;
	int status;

	catch_signals();
	status = stream_open(&stream, opts, BLOCKPOOL_BIND_RECV);
	return status ? status : copy(&stream, opts);
}

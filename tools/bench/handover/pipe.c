// SPDX-License-Identifier: GPL-2.0
/* A pipe; a batch is one write of all its messages, for a pipe knows only bytes. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "handover.h"

static int ends[LANES][2];

static const char *open_pipes(void)
{
	unsigned int i;

	for (i = 0; i < LANES; i++) {
		if (pipe(ends[i]))
			return strerror(errno);
		fcntl(ends[i][1], F_SETPIPE_SZ, DEPTH * SIZE);	/* or as it is */
	}
	return NULL;
}

static void pipe_send(unsigned int lane, unsigned int n, uint64_t first)
{
	size_t bytes = (size_t)n * SIZE, done = 0;
	ssize_t wrote;

	messages_fill(n, first);
	while (done < bytes) {
		wrote = write(ends[lane][1], messages[0] + done, bytes - done);
		if (wrote <= 0)
			err(1, "write");
		done += (size_t)wrote;
	}
}

static void pipe_receive(unsigned int lane, unsigned int n, uint64_t first)
{
	size_t bytes = (size_t)n * SIZE, done = 0;
	ssize_t got;

	while (done < bytes) {
		got = read(ends[lane][0], messages[0] + done, bytes - done);
		if (got <= 0)
			err(1, "read");
		done += (size_t)got;
	}
	messages_check(n, first);
}

const struct way way_pipe = {
	.name = "pipe",
	.batches = true,
	.open = open_pipes,
	.send = pipe_send,
	.receive = pipe_receive,
};

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A port as a stream of bytes: each message is some of them, and one without any is
 * the end.  The blocks are mapped, and their bytes are not copied on the way.
 */
#ifndef BLOCKPOOLCTL_STREAM_H
#define BLOCKPOOLCTL_STREAM_H

#include "ctl.h"

struct stream {
	char pool[BLOCKPOOL_NAME_SIZE];
	char name[BLOCKPOOL_NAME_SIZE];		/* the port's */
	int fd;
	__u32 port;
	struct blockpool_info info;
	char *blocks;
};

/*
 * Bind the port that the command line names, BLOCKPOOL_BIND_RECV or ..._SEND.  0, or
 * the exit status after the error was told.  All goes with the process.
 */
int stream_open(struct stream *stream, const struct opts *opts, __u32 rights);

char *stream_block(const struct stream *stream, __u32 index);

/* Tell that a call on the port failed, by errno; returns EXIT_FAILED. */
int stream_failed(const struct stream *stream, const char *doing);

#endif

// SPDX-License-Identifier: GPL-2.0
/* die KIND - have the peer module kill this machine: see tools/deaths/deaths */
#include <stdio.h>
#include <string.h>

#include "peer/user.h"

static const char *const kinds[] = {
	[BLOCKPOOL_PEER_NULL_IN_SOFTIRQ] = "softirq",
	[BLOCKPOOL_PEER_BUG_IN_HARDIRQ] = "hardirq",
	[BLOCKPOOL_PEER_LOCKUP] = "lockup",
	[BLOCKPOOL_PEER_KILL_INIT] = "init",
};

int main(int argc, char **argv)
{
	struct blockpool_peer_die args = {};
	const __u32 n = sizeof(kinds) / sizeof(kinds[0]);

	while (argc == 2 && args.kind < n && strcmp(kinds[args.kind], argv[1]))
		args.kind++;
	if (argc != 2 || args.kind == n) {
		fprintf(stderr, "usage: die softirq|hardirq|lockup|init\n");
		return 2;
	}
	must(!pool_ioctl(peer_join("deaths-plain"), BLOCKPOOL_PEER_DIE, &args));
	pause();	/* a moment is left, when it is init that was killed */
	return 1;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * hold POOL COUNT NAME - take COUNT blocks, one by one, and sit on them
 *
 * Every block is filled with a mark of this process; then one line goes to
 * stdout.  On SIGTERM it ends with status 0 if every byte is still as it left it
 * and every block can be given back.  NAME is what ps and blockpoolctl show.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <blockpool.h>

#define TOO_LONG	60	/* seconds until it ends by itself */

static int is_all(const unsigned char *block, int byte, size_t size)
{
	while (size--)
		if (*block++ != byte)
			return 0;
	return 1;
}

static void take(struct blockpool *pool, void **blocks, unsigned int count,
		 int mark, size_t size)
{
	for (unsigned int i = 0; i < count; i++) {
		blocks[i] = blockpool_alloc(pool);
		if (!blocks[i])
			err(1, "block %u of %u", i + 1, count);
		memset(blocks[i], mark, size);
	}
	/* Without what the library got in advance, which counts as held too. */
	if (blockpool_flush(pool))
		err(1, "cannot give back the rest");
}

static void check(void **blocks, unsigned int count, int mark, size_t size)
{
	for (unsigned int i = 0; i < count; i++)
		if (!is_all(blocks[i], mark, size))
			errx(1, "somebody wrote into block %u of %u", i + 1,
			     count);
}

static void wait_for_sigterm(const sigset_t *set)
{
	struct timespec limit = { .tv_sec = TOO_LONG };

	if (sigtimedwait(set, NULL, &limit) < 0)
		err(1, "no SIGTERM came");
}

int main(int argc, char **argv)
{
	unsigned int count = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
	struct blockpool_info info = { .size = sizeof(info) };
	int mark = getpid() & 0xff;
	struct blockpool *pool;
	void **blocks;
	sigset_t set;

	if (!count || count > BLOCKPOOL_BATCH_MAX)
		errx(2, "usage: hold POOL COUNT NAME");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, argv[3]);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);

	blocks = calloc(count, sizeof(*blocks));
	pool = blockpool_open(argv[1], O_RDWR);
	if (!blocks || !pool || blockpool_info(pool, &info) < 0)
		err(1, "pool %s", argv[1]);
	take(pool, blocks, count, mark, info.block_size);
	printf("%d holds %u\n", getpid(), count);
	fflush(stdout);

	wait_for_sigterm(&set);
	check(blocks, count, mark, info.block_size);
	if (blockpool_free_bulk(pool, blocks, count) != (int)count)
		err(1, "cannot free");
	return blockpool_close(pool) < 0;
}

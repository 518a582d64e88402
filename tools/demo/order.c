// SPDX-License-Identifier: GPL-2.0
/*
 * order POOL - free out of order, with three processes and a pool of two blocks
 *
 * A takes, B takes, A frees, C takes.  A pool that only counts how many blocks
 * are out hands B's block to C here.  Then A frees its old block once more.
 * The steps go to stderr, each beside the owner table as the kernel has it; what
 * came of them goes to stdout, one "name value" a line.  Exit status 0 if all
 * steps could be played, whatever came of them.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <blockpool.h>

#define BLOCK_SIZE	2048
#define TOO_LONG	30	/* seconds for the whole play */

enum verb { OPEN, TAKE, FREE, LOOK };

struct reply {
	int error;		/* errno, 0 if it went well */
	uint32_t value;		/* OPEN: client id; else the block's index */
};

struct actor {
	char name;
	int fd;			/* verbs go in, replies come out */
	uint32_t client;
};

/* --- an actor, a process of its own --- */

struct stage {
	char name;
	const char *pool_name;
	struct blockpool *pool;
	unsigned char *block;	/* kept after FREE, as a careless program does */
};

static uint32_t act_open(struct stage *s)
{
	struct blockpool_info info = { .size = sizeof(info) };

	s->pool = blockpool_open(s->pool_name, O_RDWR);
	if (!s->pool || blockpool_info(s->pool, &info) < 0)
		err(1, "%c cannot open the pool", s->name);
	return info.client;
}

static void act_take(struct stage *s)
{
	s->block = blockpool_alloc(s->pool);
	if (s->block)
		memset(s->block, s->name, BLOCK_SIZE);
}

/* Sets errno if any byte is not as this actor left it. */
static void act_look(struct stage *s)
{
	for (int i = 0; i < BLOCK_SIZE; i++)
		if (s->block[i] != s->name)
			errno = EILSEQ;
}

static struct reply act(struct stage *s, enum verb verb)
{
	struct reply reply = { 0 };

	errno = 0;
	if (verb == OPEN)
		return (struct reply){ 0, act_open(s) };
	if (verb == TAKE)
		act_take(s);
	else if (!s->block)
		errx(1, "%c has no block", s->name);
	else if (verb == LOOK)
		act_look(s);
	else if (!blockpool_free(s->pool, s->block))
		errno = 0;
	reply.error = errno;
	if (s->block)
		reply.value = blockpool_index(s->pool, s->block);
	return reply;
}

static void play(char name, const char *pool, int fd)
{
	struct stage stage = { .name = name, .pool_name = pool };
	char comm[2] = { name };
	struct reply reply;
	enum verb verb;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, comm);
	alarm(TOO_LONG);
	while (read(fd, &verb, sizeof(verb)) == sizeof(verb)) {
		reply = act(&stage, verb);
		if (write(fd, &reply, sizeof(reply)) != sizeof(reply))
			exit(1);
	}
	exit(0);
}

/* --- the director --- */

static struct reply ask(struct actor *actor, enum verb verb)
{
	struct reply reply;

	if (write(actor->fd, &verb, sizeof(verb)) != sizeof(verb) ||
	    read(actor->fd, &reply, sizeof(reply)) != sizeof(reply))
		errx(1, "%c has left the stage", actor->name);
	return reply;
}

static void hire(struct actor *actor, char name, const char *pool)
{
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		err(1, "socketpair");
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		close(fds[0]);
		play(name, pool, fds[1]);
	}
	close(fds[1]);
	actor->name = name;
	actor->fd = fds[0];
	actor->client = ask(actor, OPEN).value;
}

/* The kernel's owner table, with the client ids turned into names. */
static void show_table(struct blockpool *pool, const struct actor *actors)
{
	uint32_t owners[2];
	struct blockpool_owners_args args = {
		.size = sizeof(args), .count = 2, .owners = (uintptr_t)owners,
	};

	if (ioctl(blockpool_fd(pool), BLOCKPOOL_IOC_OWNERS, &args) < 0)
		err(1, "cannot read the owner table");
	for (int i = 0; i < 2; i++) {
		char name = owners[i] == BLOCKPOOL_OWNER_FREE ? ' ' : '?';

		for (int j = 0; j < 3; j++)
			if (owners[i] == actors[j].client)
				name = actors[j].name;
		fprintf(stderr, " [%c]", name);
	}
	fputc('\n', stderr);
}

static struct reply step(struct blockpool *pool, struct actor *actors, int who,
			 enum verb verb, const char *what)
{
	struct reply reply = ask(&actors[who], verb);
	char outcome[32] = "";

	if (reply.error)
		snprintf(outcome, sizeof(outcome), "no: %s",
			 strerrorname_np(reply.error));
	else if (verb == LOOK)
		snprintf(outcome, sizeof(outcome), "unchanged");
	fprintf(stderr, "   %c %-16s block %-4u %-18s", actors[who].name, what,
		reply.value, outcome);
	show_table(pool, actors);
	return reply;
}

int main(int argc, char **argv)
{
	enum { A, B, C };
	struct blockpool_attr attr = { .block_size = BLOCK_SIZE, .nr_blocks = 2 };
	struct blockpool *pool;
	struct actor actors[3];
	struct reply a, b, c, again, look;

	if (argc != 2)
		errx(2, "usage: order POOL");
	alarm(TOO_LONG);
	attr.name = argv[1];
	pool = blockpool_create(&attr);
	if (!pool)
		err(1, "pool %s", attr.name);
	for (int i = 0; i < 3; i++)
		hire(&actors[i], "ABC"[i], attr.name);

	fprintf(stderr, "%48sowner table in the kernel\n", "");
	a = step(pool, actors, A, TAKE, "takes");
	b = step(pool, actors, B, TAKE, "takes");
	step(pool, actors, A, FREE, "frees");
	c = step(pool, actors, C, TAKE, "takes");
	again = step(pool, actors, A, FREE, "frees once more");
	look = step(pool, actors, B, LOOK, "looks at its own");

	printf("a %u\nb %u\nc %u\n", a.value, b.value, c.value);
	printf("again %s\n",
	       again.error ? strerrorname_np(again.error) : "accepted");
	printf("intact %d\n", !look.error);
	return a.error || b.error || c.error || blockpool_close(pool) < 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * attack_kill - nothing is lost with processes that are killed at any instant
 *
 * In each round some processes take, stamp, hold, pass and free the blocks of one
 * small pool, through the library and through the device itself, and are killed at
 * instants that have nothing to do with what they are at.  As soon as they have
 * been reaped, every index must be in the pool exactly once.
 *
 * Each process notes in memory that outlives it in which call it is and how many
 * blocks it has in hand, so that it can be told where death met it.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "kselftest.h"
#include "attack.h"
#include "library.h"

#define KILLS		10000	/* in the short run */
#define BLOCK_SIZE	64
#define NR_BLOCKS	512	/* fewer than all would like to hold together */
#define DEPTH		48	/* blocks that one worker holds at most */
#define BATCH		16
#define VICTIMS		12	/* processes a round */
#define STEPS		8	/* fewer than so many a victim is waited for to make */
#define PATIENCE_US	10000	/* and the longest that it is waited for */
#define PAUSE_US	400	/* most from a victim's last awaited step to its death */

enum role {
	LIBRARY,		/* a handle of its own */
	THREADS,		/* one for two threads */
	DEVICE,			/* ioctls alone */
	GIVER,			/* takes, and passes indices through a pipe to ... */
	TAKER,			/* ... one with the same client, which frees them */
	SENDER,			/* passes a whole client through a socket to ... */
	RECEIVER,		/* ... one that frees some and drops the rest */
};

static const enum role roles[VICTIMS] = {
	LIBRARY, LIBRARY, LIBRARY, THREADS, THREADS, DEVICE, DEVICE, DEVICE,
	GIVER, TAKER, SENDER, RECEIVER,
};

enum place {
	OUTSIDE, OPEN, CLOSE, ALLOC, WAIT, FREE, PASS, PLACES
};

static const char *const places[PLACES] = {
	"outside of calls", "opening or mapping", "closing", "in an alloc",
	"in an alloc that may wait", "in a free", "passing",
};

struct note {
	enum place place;
	__u32 held;
	__u32 steps;
	__u32 torn;		/* blocks whose stamp another has written over */
};

struct held {
	__u32 index;
	__u64 stamp;
};

/* A process, or a thread of one. */
struct worker {
	const char *name;
	volatile struct note *note;
	struct random random;
	struct blockpool *pool;	/* NULL: by ioctls */
	bool alone;		/* on its handle, which it may close */
	int fd;
	char *map;
	size_t map_size;
	__u32 stride;
	__u64 stamp;		/* the next */
	__u32 nr_held;
	struct held held[DEPTH];
};

/* What passes through a pipe or, with a client, through a socket. */
struct parcel {
	__u32 nr;
	struct held held[BATCH];
};

#define in(worker, where, call) ({				\
	(worker)->note->place = (where);			\
	__auto_type _ret = (call);				\
	(worker)->note->place = OUTSIDE;			\
	_ret;							\
})

static __u32 below(struct worker *worker, __u32 limit)
{
	return random_below(&worker->random, limit);
}

static void end_step(struct worker *worker)
{
	worker->note->held = worker->nr_held;
	worker->note->steps++;
}

/*
 * Clients
 */

static int map_client(struct worker *worker)
{
	struct blockpool_info info = pool_info(worker->fd);

	worker->map = pool_map(worker->fd);
	worker->map_size = info.map_size;
	worker->stride = info.stride;
	return 0;
}

static int open_client(struct worker *worker)
{
	worker->fd = pool_join(worker->name);
	return map_client(worker);
}

static int close_client(struct worker *worker)
{
	munmap(worker->map, worker->map_size);
	worker->nr_held = 0;
	return close(worker->fd);
}

static int open_handle(struct worker *worker)
{
	worker->pool = lib_open(worker->name);
	return 0;
}

static int close_handle(struct worker *worker)
{
	worker->nr_held = 0;
	return blockpool_close(worker->pool);
}

static void reopen(struct worker *worker)
{
	if (worker->pool) {
		must(!in(worker, CLOSE, close_handle(worker)));
		in(worker, OPEN, open_handle(worker));
	} else {
		must(!in(worker, CLOSE, close_client(worker)));
		in(worker, OPEN, open_client(worker));
	}
}

/*
 * Blocks
 */

static __u64 *block_of(struct worker *worker, __u32 index)
{
	if (worker->pool)
		return blockpool_block(worker->pool, index);
	return (__u64 *)(worker->map + (size_t)index * worker->stride);
}

static void stamp(struct worker *worker, __u32 index)
{
	struct held *held = &worker->held[worker->nr_held++];

	held->index = index;
	held->stamp = worker->stamp++;
	*block_of(worker, index) = held->stamp;
	worker->note->held = worker->nr_held;
}

static void check(struct worker *worker, const struct held *held)
{
	if (*block_of(worker, held->index) != held->stamp)
		worker->note->torn++;
}

static int library_take(struct worker *worker, __u32 *indices, __u32 n)
{
	void *blocks[BATCH];
	int ret;

	if (below(worker, 4)) {
		ret = in(worker, ALLOC,
			 blockpool_alloc_bulk(worker->pool, blocks, n));
	} else {
		n = 1;
		blocks[0] = in(worker, WAIT,
			       blockpool_alloc_wait(worker->pool, 3));
		ret = blocks[0] ? 1 : -1;
	}
	if (ret < 0)
		return -errno;
	for (__u32 i = 0; i < n; i++)
		indices[i] = blockpool_index(worker->pool, blocks[i]);
	return n;
}

static int device_take(struct worker *worker, __u32 *indices, __u32 n)
{
	int ret;

	if (below(worker, 2))
		ret = in(worker, ALLOC, pool_alloc(worker->fd, indices, n));
	else
		ret = in(worker, WAIT,
			 pool_alloc_wait(worker->fd, indices, n, 3));
	return ret ? ret : (int)n;
}

static void take(struct worker *worker, __u32 n)
{
	__u32 indices[BATCH];
	int ret;

	if (n > DEPTH - worker->nr_held)
		return;
	ret = worker->pool ? library_take(worker, indices, n) :
			     device_take(worker, indices, n);
	if (ret < 0 && ret != -EAGAIN && ret != -ETIMEDOUT)
		pool_fatal("taking %u: %s", n, strerror(-ret));
	for (int i = 0; i < ret; i++)
		stamp(worker, indices[i]);
}

static int free_all(struct worker *worker, const __u32 *indices, __u32 n)
{
	void *blocks[DEPTH];
	__u32 i;

	if (!worker->pool)
		return pool_free(worker->fd, indices, n, NULL);
	for (i = 0; i < n; i++)
		blocks[i] = blockpool_block(worker->pool, indices[i]);
	if (blockpool_free_bulk(worker->pool, blocks, n) != (int)n)
		return -errno;
	return 0;
}

static void give(struct worker *worker, __u32 n)
{
	__u32 indices[DEPTH], at;
	int ret;

	if (n > worker->nr_held)
		n = worker->nr_held;
	if (!n)
		return;
	for (__u32 i = 0; i < n; i++) {
		at = below(worker, worker->nr_held);
		check(worker, &worker->held[at]);
		indices[i] = worker->held[at].index;
		worker->held[at] = worker->held[--worker->nr_held];
	}
	ret = in(worker, FREE, free_all(worker, indices, n));
	if (ret)
		pool_fatal("freeing own blocks: %s", strerror(-ret));
}

/*
 * What the victims do until they are killed
 */

static void use(struct worker *worker)
{
	for (;;) {
		switch (below(worker, 32)) {
		case 0:
			if (worker->alone)
				reopen(worker);
			break;
		case 1:
			if (worker->pool)
				must(!in(worker, FREE,
					 blockpool_flush(worker->pool)));
			break;
		case 2 ... 18:
			take(worker, 1 + below(worker, BATCH));
			break;
		default:
			give(worker, 1 + below(worker, BATCH));
		}
		end_step(worker);
	}
}

static void use_library(struct worker *worker)
{
	in(worker, OPEN, open_handle(worker));
	use(worker);
}

static void *use_in_thread(void *worker)
{
	use(worker);
	return NULL;
}

static void use_library_twice(struct worker *worker, volatile struct note *note)
{
	struct worker other;
	pthread_t thread;

	worker->alone = false;
	in(worker, OPEN, open_handle(worker));
	other = *worker;
	other.note = note;
	other.stamp += 1ULL << 31;
	other.random.state ^= other.stamp;
	must(!pthread_create(&thread, NULL, use_in_thread, &other));
	use(worker);
}

static void use_device(struct worker *worker)
{
	in(worker, OPEN, open_client(worker));
	use(worker);
}

/* Of some of what it holds. */
static struct parcel pack(struct worker *worker)
{
	struct parcel parcel = {};

	while (worker->nr_held && parcel.nr < BATCH)
		parcel.held[parcel.nr++] = worker->held[--worker->nr_held];
	return parcel;
}

static void unpack(struct worker *worker, const struct parcel *parcel)
{
	memcpy(worker->held, parcel->held, sizeof(parcel->held));
	worker->nr_held = parcel->nr;
	worker->note->held = parcel->nr;
}

/* Its client came by fork(): fd. */
static void give_by_pipe(struct worker *worker, int pipe)
{
	struct parcel parcel;

	in(worker, OPEN, map_client(worker));
	for (;;) {
		take(worker, 1 + below(worker, BATCH));
		parcel = pack(worker);
		must(in(worker, PASS, write(pipe, &parcel, sizeof(parcel))) ==
		     sizeof(parcel));
		end_step(worker);
	}
}

static void take_by_pipe(struct worker *worker, int pipe)
{
	struct parcel parcel;

	in(worker, OPEN, map_client(worker));
	for (;;) {
		must(in(worker, PASS, read(pipe, &parcel, sizeof(parcel))) ==
		     sizeof(parcel));
		unpack(worker, &parcel);
		give(worker, BATCH);
		end_step(worker);
	}
}

/* A message with room for one descriptor. */
struct letter {
	struct parcel parcel;
	struct iovec iov;
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr msg;
};

static void write_letter(struct letter *letter)
{
	memset(letter, 0, sizeof(*letter));
	letter->iov.iov_base = &letter->parcel;
	letter->iov.iov_len = sizeof(letter->parcel);
	letter->control.header.cmsg_level = SOL_SOCKET;
	letter->control.header.cmsg_type = SCM_RIGHTS;
	letter->control.header.cmsg_len = CMSG_LEN(sizeof(int));
	letter->msg.msg_iov = &letter->iov;
	letter->msg.msg_iovlen = 1;
	letter->msg.msg_control = &letter->control;
	letter->msg.msg_controllen = sizeof(letter->control);
}

/* On its way the client is nobody's but the socket's. */
static void send_clients(struct worker *worker, int socket)
{
	struct letter letter;

	for (;;) {
		write_letter(&letter);
		in(worker, OPEN, open_client(worker));
		take(worker, 1 + below(worker, BATCH));
		letter.parcel = pack(worker);
		memcpy(CMSG_DATA(&letter.control.header), &worker->fd,
		       sizeof(worker->fd));
		must(in(worker, PASS, sendmsg(socket, &letter.msg, 0)) > 0);
		must(!in(worker, CLOSE, close_client(worker)));
		end_step(worker);
	}
}

static void receive_clients(struct worker *worker, int socket)
{
	struct letter letter;

	for (;;) {
		write_letter(&letter);
		must(in(worker, PASS, recvmsg(socket, &letter.msg, 0)) > 0);
		memcpy(&worker->fd, CMSG_DATA(&letter.control.header),
		       sizeof(worker->fd));
		in(worker, OPEN, map_client(worker));
		unpack(worker, &letter.parcel);
		give(worker, 1 + below(worker, BATCH));
		must(!in(worker, CLOSE, close_client(worker)));
		end_step(worker);
	}
}

/*
 * The killer
 */

/* What one of the pairs shares; both have both ends, so that neither sees EOF. */
struct pairs {
	int client;
	int pipe[2];
	int socket[2];
};

struct killer {
	struct attack attack;
	char name[BLOCKPOOL_NAME_SIZE];
	int fd;
	struct random random;
	volatile struct note *notes;	/* of each victim and of its second thread */
	__u64 born;			/* victims, ever */
	__u64 met[PLACES];		/* victims, by where they were */
	__u64 holding;			/* victims with blocks in hand */
	__u64 unborn;			/* victims without a step */
	__u64 torn;
	__u64 bad_ends;
	__u64 rounds;
};

static void open_pairs(struct killer *killer, struct pairs *pairs)
{
	pairs->client = pool_join(killer->name);
	must(!pipe(pairs->pipe));
	must(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pairs->socket));
}

static void close_pairs(struct pairs *pairs)
{
	close(pairs->client);
	for (int i = 0; i < 2; i++) {
		close(pairs->pipe[i]);
		close(pairs->socket[i]);
	}
}

static void play(struct killer *killer, const struct pairs *pairs, int slot)
{
	struct worker worker = {
		.name = killer->name,
		.note = &killer->notes[slot],
		.random = attack_random(&killer->attack, killer->born),
		.alone = true,
		.fd = pairs->client,
		.stamp = killer->born << 32,
	};

	switch (roles[slot]) {
	case LIBRARY:
		return use_library(&worker);
	case THREADS:
		return use_library_twice(&worker,
					 &killer->notes[slot + VICTIMS]);
	case DEVICE:
		return use_device(&worker);
	case GIVER:
		return give_by_pipe(&worker, pairs->pipe[1]);
	case TAKER:
		return take_by_pipe(&worker, pairs->pipe[0]);
	case SENDER:
		return send_clients(&worker, pairs->socket[0]);
	case RECEIVER:
		return receive_clients(&worker, pairs->socket[1]);
	}
}

/* Only the pairs keep what the pairs share. */
static pid_t start_victim(struct killer *killer, struct pairs *pairs, int slot)
{
	pid_t pid;

	killer->born++;
	pid = child_fork();
	if (pid)
		return pid;
	if (roles[slot] < GIVER)
		close_pairs(pairs);
	play(killer, pairs, slot);
	_exit(1);
}

static void nap(long us)
{
	const struct timespec time = { .tv_nsec = us * 1000 };

	nanosleep(&time, NULL);
}

/* Some die before their first step, most in the middle of a later one. */
static void bide(struct killer *killer, const volatile struct note *note)
{
	__u32 steps = random_below(&killer->random, STEPS);

	for (int us = 0; note->steps < steps && us < PATIENCE_US; us += 100)
		nap(100);
	nap(random_below(&killer->random, PAUSE_US));
}

/* One by one, or all at once: what one gives up then serves others that die. */
static void kill_all(struct killer *killer, const pid_t *pids)
{
	bool at_once = random_below(&killer->random, 2);
	int order[VICTIMS], at, slot;

	for (slot = 0; slot < VICTIMS; slot++) {
		order[slot] = slot;
		if (at_once)
			bide(killer, &killer->notes[slot]);
	}
	for (int left = VICTIMS; left; left--) {
		at = random_below(&killer->random, left);
		slot = order[at];
		order[at] = order[left - 1];
		if (!at_once)
			bide(killer, &killer->notes[slot]);
		kill(pids[slot], SIGKILL);
	}
}

static void reap_all(struct killer *killer, const pid_t *pids)
{
	const volatile struct note *note = killer->notes;
	int status;

	for (int slot = 0; slot < VICTIMS; slot++, note++) {
		status = child_reap(pids[slot]);
		if (status != 128 + SIGKILL) {
			ksft_print_msg("victim %d ended with %d\n", slot, status);
			killer->bad_ends++;
		}
		killer->met[note->place]++;
		killer->holding += note->held || note[VICTIMS].held;
		killer->unborn += !note->steps;
		killer->torn += note->torn + note[VICTIMS].torn;
	}
}

/* No grace: who has been reaped has given back everything. */
static void check_round(struct killer *killer)
{
	struct blockpool_stats stats = pool_stats(killer->fd);

	must(stats.nr_clients == 1 && !stats.nr_waiting);
	pool_drain(killer->fd);
	killer->rounds++;
}

static void round_of_kills(struct killer *killer)
{
	struct pairs pairs;
	pid_t pids[VICTIMS];

	memset((void *)killer->notes, 0, 2 * VICTIMS * sizeof(*killer->notes));
	open_pairs(killer, &pairs);
	for (int slot = 0; slot < VICTIMS; slot++)
		pids[slot] = start_victim(killer, &pairs, slot);
	close_pairs(&pairs);
	kill_all(killer, pids);
	reap_all(killer, pids);
	check_round(killer);
	killer->attack.done += VICTIMS;
}

static void begin(struct killer *killer)
{
	attack_be_urgent();
	killer->attack = attack_start("kills", KILLS);
	killer->random = attack_random(&killer->attack, 0);
	pool_name(killer->name);
	killer->fd = pool_new(killer->name, BLOCK_SIZE, NR_BLOCKS);
	killer->notes = mmap(NULL, 2 * VICTIMS * sizeof(*killer->notes),
			     PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(killer->notes != MAP_FAILED);
}

static bool met_everywhere(const struct killer *killer)
{
	for (int place = 0; place < PLACES; place++)
		if (!killer->met[place])
			return false;
	return killer->holding > killer->attack.done / 4;
}

static void tell(const struct killer *killer)
{
	for (int place = 0; place < PLACES; place++)
		ksft_print_msg("killed %-26s %8llu\n", places[place],
			       killer->met[place]);
	ksft_print_msg("killed with blocks in hand     %8llu\n", killer->holding);
	ksft_print_msg("killed before the first step   %8llu\n", killer->unborn);
}

static void judge(const struct killer *killer)
{
	struct blockpool_stats stats = pool_stats(killer->fd);

	tell(killer);
	ksft_test_result(attack_finish(&killer->attack), "all were killed\n");
	ksft_test_result(!killer->bad_ends, "nobody ended before\n");
	ksft_test_result(met_everywhere(killer),
			 "death met them in every call, with blocks in hand\n");
	ksft_test_result(!killer->torn, "no block had two owners\n");
	ksft_print_msg("%llu blocks taken, %llu freed, %llu taken back, %llu waits\n",
		       stats.allocs, stats.frees, stats.reclaimed, stats.waits);
	ksft_test_result(killer->rounds && stats.reclaimed && stats.waits,
			 "after each of %llu rounds every index was free once\n",
			 killer->rounds);
}

int main(void)
{
	static struct killer killer;

	ksft_print_header();
	ksft_set_plan(5);
	begin(&killer);
	while (attack_goes_on(&killer.attack) ||
	       (!met_everywhere(&killer) && attack_may_exceed(&killer.attack)))
		round_of_kills(&killer);
	judge(&killer);
	close(killer.fd);
	ksft_finished();
}

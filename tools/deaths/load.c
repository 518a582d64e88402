// SPDX-License-Identifier: GPL-2.0
/*
 * load - work on three pools, until the machine dies
 *
 * Eight processes take, free, send, share and receive, some of which are killed and
 * replaced all the time, and the peer module takes and frees in softirq and hardirq on
 * each CPU. What it prints is for tools/deaths/deaths, one line each:
 *
 *   cpu NUMBER ADDRESS			where the CPU's current thread stands
 *   thread PID-OFFSET COMM-OFFSET	in what that points to
 *   pool NAME ADDRESS BLOCKS		where its owner table stands
 *   client NAME ID PID COMM		who a number in that table is
 *   ready				all is under way
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "peer/user.h"
#include "pool.h"
#include "port.h"

#define BLOCK_SIZE	2048
#define PASSES		32	/* over each block that one gets: work, as on a packet */
#define WORKERS		8
#define SENDERS		4	/* the first; they use ports too */
#define DEPTH		64	/* blocks that one of them holds at most */
#define BATCH		24
#define PORTS		3
#define PORT_ROOM	16
#define TICK_US		10000	/* a step of the peer, in each context and CPU */
#define KILL_MS		400	/* at most, from one kill to the next */
#define HOARD		3000	/* blocks, of which the first of the others keeps many */

static const struct {
	const char *name;
	__u32 nr_blocks;
} pools[] = {
	{ "deaths-ports", 256 },	/* of the senders */
	{ "deaths-plain", 512 },	/* of the others, and of the peer */
	{ "deaths-large", 8192 },	/* the hoard's */
};

#define NR_POOLS	(sizeof(pools) / sizeof(pools[0]))
#define PORTS_POOL	0
#define PLAIN_POOL	1
#define LARGE_POOL	2

struct worker {
	int fd;
	char *map;
	__u32 stride;
	unsigned int random;
	__u32 nr_held;
	__u32 held[DEPTH];
	__u32 ports[PORTS];
	bool receives[PORTS];
};

static __u32 below(struct worker *worker, __u32 limit)
{
	return rand_r(&worker->random) % limit;
}

static void tell_client(int fd, const char *name)
{
	char comm[BLOCKPOOL_COMM_SIZE];

	must(!prctl(PR_GET_NAME, comm));
	printf("client %s %u %d %s\n", name, pool_info(fd).client, getpid(), comm);
	fflush(stdout);
}

static void work_on(struct worker *worker, __u32 index)
{
	volatile __u64 *block = (void *)(worker->map + (size_t)index * worker->stride);
	__u32 at, pass;

	for (pass = 0; pass < PASSES; pass++)
		for (at = 1; at < BLOCK_SIZE / sizeof(*block); at++)
			block[at] += block[at - 1];
}

/* What the pool has not, it has not. */
static void take(struct worker *worker)
{
	__u32 n = 1 + below(worker, below(worker, 2) ? BATCH : 1);
	int ret;

	if (n > DEPTH - worker->nr_held)
		return;
	ret = pool_alloc_wait(worker->fd, worker->held + worker->nr_held, n,
			      below(worker, 10));
	if (ret)
		return;
	while (n--)
		work_on(worker, worker->held[worker->nr_held++]);
}

/* One of the held, so that they go back in no order. */
static __u32 pick(struct worker *worker)
{
	__u32 at = below(worker, worker->nr_held), index = worker->held[at];

	worker->held[at] = worker->held[--worker->nr_held];
	return index;
}

static void give(struct worker *worker)
{
	__u32 n = 1 + below(worker, below(worker, 2) ? BATCH : 1);
	__u32 indices[BATCH], i;

	if (n > worker->nr_held)
		n = worker->nr_held;
	for (i = 0; i < n; i++)
		indices[i] = pick(worker);
	if (n)
		must(!pool_free(worker->fd, indices, n, NULL));
}

static void send_some(struct worker *worker)
{
	__u32 port = worker->ports[below(worker, PORTS)];
	struct blockpool_message messages[PORT_ROOM] = {};
	__u32 n = below(worker, PORT_ROOM), i;
	int sent;

	if (n > worker->nr_held)
		n = worker->nr_held;
	if (!n)
		return;
	for (i = 0; i < n; i++)
		messages[i].index = pick(worker);
	sent = port_send(worker->fd, port, messages, n, 0, 0);
	for (i = sent < 0 ? 0 : sent; i < n; i++)
		worker->held[worker->nr_held++] = messages[i].index;
}

static void share_one(struct worker *worker)
{
	struct blockpool_message message = {};

	if (!worker->nr_held)
		return;
	message.index = pick(worker);
	if (port_share(worker->fd, worker->ports, PORTS, &message))
		worker->held[worker->nr_held++] = message.index;
}

static void receive(struct worker *worker)
{
	struct blockpool_message messages[PORT_ROOM];
	__u32 at = below(worker, PORTS);
	int n, i;

	if (!worker->receives[at] || worker->nr_held + PORT_ROOM > DEPTH)
		return;
	n = port_recv(worker->fd, worker->ports[at], messages, PORT_ROOM, 0,
		      below(worker, 3));
	for (i = 0; i < n; i++) {
		worker->held[worker->nr_held++] = messages[i].index;
		if (!(messages[i].flags & BLOCKPOOL_MESSAGE_SHARED))
			work_on(worker, messages[i].index);
	}
}

static void step(struct worker *worker, bool sends)
{
	__u32 what = below(worker, sends ? 100 : 55);

	if (what < 25)
		take(worker);
	else if (what < 55)
		give(worker);
	else if (what < 75)
		send_some(worker);
	else if (what < 78)
		share_one(worker);
	else
		receive(worker);
}

static __u32 bind_port(int fd, int number, __u32 flags)
{
	char name[16];
	int ret;

	snprintf(name, sizeof(name), "port-%d", number);
	ret = port_bind(fd, name, flags);
	must(ret > 0);
	return ret;
}

/* Each receives from one port, and sends to all. */
static void bind_ports(struct worker *worker, int slot)
{
	int i;

	for (i = 0; i < PORTS; i++) {
		worker->receives[i] = slot % PORTS == i;
		worker->ports[i] = bind_port(worker->fd, i, PORT_SEND |
					     (worker->receives[i] ? PORT_RECV : 0));
	}
}

/* A table in pieces: every other block of what one can get, and so on. */
static void hoard(void)
{
	static __u32 indices[HOARD];
	int fd = pool_join(pools[LARGE_POOL].name);
	__u32 i;

	tell_client(fd, pools[LARGE_POOL].name);
	for (i = 0; i < HOARD; i += 1000)
		must(!pool_alloc(fd, indices + i, 1000));
	for (i = 0; i < HOARD; i += 2 + i % 3)
		must(!pool_give(fd, indices[i]));
}

static void __attribute__((noreturn)) work(int slot, unsigned int generation)
{
	const char *name = pools[slot < SENDERS ? PORTS_POOL : PLAIN_POOL].name;
	struct worker worker = { .random = generation };
	char comm[16];

	snprintf(comm, sizeof(comm), "worker-%d-%u", slot, generation);
	must(!prctl(PR_SET_NAME, comm));
	worker.fd = pool_join(name);
	worker.map = pool_map(worker.fd);
	worker.stride = pool_info(worker.fd).stride;
	if (slot == SENDERS)
		hoard();
	if (slot < SENDERS)
		bind_ports(&worker, slot);
	tell_client(worker.fd, name);
	for (;;)
		step(&worker, slot < SENDERS);
}

static pid_t start(int slot, unsigned int generation)
{
	pid_t pid = child_fork();

	if (!pid)
		work(slot, generation);
	return pid;
}

/* The peer's timers fire on the CPU where they are started. */
static void start_ticker(int cpu, __u32 context)
{
	struct blockpool_peer_churn churn = {
		.context = context,
		.interval_us = TICK_US,
		.depth = 16,
		.batch = 8,
		.length = 64,
		.seed = cpu * BLOCKPOOL_PEER_CONTEXTS + context,
	};
	int fd;

	cpu_pin(cpu);
	fd = peer_join(pools[PLAIN_POOL].name);
	must(!pool_ioctl(fd, BLOCKPOOL_PEER_CHURN_START, &churn));
	cpu_unpin();
}

static void start_peer(void)
{
	int cpu;

	for (cpu = 0; cpu < cpu_count(); cpu++) {
		start_ticker(cpu, BLOCKPOOL_PEER_SOFTIRQ);
		start_ticker(cpu, BLOCKPOOL_PEER_HARDIRQ);
	}
}

static struct blockpool_peer_truth tell_pool(const char *name)
{
	struct blockpool_peer_truth truth;
	int fd = peer_join(name);

	must(!pool_ioctl(fd, BLOCKPOOL_PEER_TRUTH, &truth));
	close(fd);
	printf("pool %s %#llx %u\n", name, truth.owners, truth.nr_blocks);
	return truth;
}

/* This process keeps the pools, and the ports as well. */
static void make_pools(void)
{
	struct blockpool_peer_truth truth;
	int fds[NR_POOLS], port;
	__u32 i;

	for (i = 0; i < NR_POOLS; i++) {
		fds[i] = pool_new(pools[i].name, BLOCK_SIZE, pools[i].nr_blocks);
		truth = tell_pool(pools[i].name);
	}
	for (port = 0; port < PORTS; port++)
		bind_port(fds[PORTS_POOL], port, PORT_MAKE);
	for (i = 0; i < truth.nr_cpus; i++)
		printf("cpu %u %#llx\n", i, truth.current_tasks[i]);
	printf("thread %u %u\n", truth.pid_offset, truth.comm_offset);
	fflush(stdout);
}

static void __attribute__((noreturn)) kill_and_replace(pid_t *pids,
						       unsigned int generation)
{
	struct timespec nap = {};
	int slot;

	for (;;) {
		nap.tv_nsec = (1 + rand() % KILL_MS) * 1000000L;
		nanosleep(&nap, NULL);
		slot = rand() % WORKERS;
		must(child_kill(pids[slot]) == 128 + SIGKILL);
		pids[slot] = start(slot, ++generation);
	}
}

int main(int argc, char **argv)
{
	unsigned int generation;
	pid_t pids[WORKERS];
	int slot;

	if (argc != 2) {
		fprintf(stderr, "usage: load SEED\n");
		return 2;
	}
	generation = strtoul(argv[1], NULL, 0) % 10000;
	srand(generation);
	make_pools();
	for (slot = 0; slot < WORKERS; slot++)
		pids[slot] = start(slot, ++generation);
	start_peer();
	printf("ready\n");
	fflush(stdout);
	kill_and_replace(pids, generation);
}

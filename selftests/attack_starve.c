// SPDX-License-Identifier: GPL-2.0
/*
 * attack_starve - clients that take all they can leave the kernel its reserve
 *
 * Some processes never cease to take whatever there is of a pool, for a moment or
 * for long, alone, in batches and with extra, and to wait for more; some are killed
 * now and then.  Meanwhile the kernel, in process, softirq and hardirq context, on
 * any CPU, takes up to the pool's reserve and must get it each time.  At times all
 * is stopped and counted: no client has more than its limit, and all of them
 * together leave the reserve.
 */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "kselftest.h"
#include "attack.h"
#include "peer/user.h"

#define CALLS		5000	/* of the kernel's, in the short run */
#define BLOCK_SIZE	64
#define NR_BLOCKS	512U
#define RESERVE		32U
#define CLIENT_MAX	200U	/* so that it takes three to take all */
#define CLIENTS		4
#define COUNT_EVERY	200	/* calls */

struct starver {
	struct attack attack;
	struct random random;
	char name[BLOCKPOOL_NAME_SIZE];
	int fd, peer;
	pid_t clients[CLIENTS];
	__u32 held[RESERVE], nr_held;	/* by the kernel */
	__u64 refused;		/* calls of the kernel's that did not get all */
	__u64 over_limit;	/* clients found with more than they may have */
	__u64 into_reserve;	/* times that clients were found to have of it */
	__u64 starved;		/* times that there was nothing left for a client */
	__u64 kills;
};

/*
 * A client that takes all it can
 */
static void greedy_alloc(int fd, struct random *random)
{
	__u32 indices[CLIENT_MAX];
	struct blockpool_alloc_args args = {
		.size = sizeof(args),
		.count = 1 + random_below(random, 8),
		.indices = (uintptr_t)indices,
	};

	if (random_below(random, 4)) {
		args.extra = random_below(random, CLIENT_MAX - 8);
	} else if (random_below(random, 2)) {
		args.flags = BLOCKPOOL_ALLOC_WAIT;
		args.timeout_ms = random_below(random, 3);
	}
	pool_ioctl(fd, BLOCKPOOL_IOC_ALLOC, &args);
}

/* Some of what it has, for others to be greedy too. */
static void greedy_free(int fd, __u32 client, struct random *random)
{
	__u32 owners[NR_BLOCKS], indices[NR_BLOCKS], count = 0;

	must(!pool_owners(fd, 0, NR_BLOCKS, owners));
	for (__u32 i = 0; i < NR_BLOCKS; i++) {
		if (owners[i] == client && random_below(random, 3))
			indices[count++] = i;
	}
	if (count)
		must(!pool_free(fd, indices, count, NULL));
}

static void greedy(const struct starver *starver, __u64 who)
{
	struct random random = attack_random(&starver->attack, who);
	int fd = pool_join(starver->name);
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
	__u32 client = pool_info(fd).client;

	for (;;) {
		for (int i = random_below(&random, 64); i >= 0; i--)
			greedy_alloc(fd, &random);
		if (!random_below(&random, 4))
			greedy_free(fd, client, &random);
		else if (random_below(&random, 2))
			poll(&poll_fd, 1, 1);
	}
}

static void start_client(struct starver *starver, int slot)
{
	__u64 who = 1 + slot + starver->kills * CLIENTS;

	starver->clients[slot] = child_fork();
	if (starver->clients[slot])
		return;
	close(starver->fd);
	close(starver->peer);
	greedy(starver, who);
}

/*
 * The kernel, which must get what it wants as long as that is its reserve
 */
static __u32 any_context(struct starver *starver)
{
	return random_below(&starver->random, BLOCKPOOL_PEER_NMI);
}

static void kernel_takes(struct starver *starver)
{
	__u32 *to = starver->held + starver->nr_held;
	__u32 n = 1 + random_below(&starver->random, RESERVE - starver->nr_held);
	__u32 context = any_context(starver), flags = 0;
	bool bulk = random_below(&starver->random, 2);
	int got;

	if (context == BLOCKPOOL_PEER_PROCESS && random_below(&starver->random, 2))
		flags = BLOCKPOOL_PEER_SLEEP;
	got = peer_op(starver->peer, bulk ? BLOCKPOOL_PEER_ALLOC_BULK :
					    BLOCKPOOL_PEER_ALLOC,
		      context, flags, to, n);
	must(got >= 0 || got == -EAGAIN);
	if (bulk)
		got = got ? 0 : n;
	starver->refused += got != (int)n;
	starver->nr_held += got;
}

/* The last of what it has. */
static void kernel_frees(struct starver *starver)
{
	__u32 n = 1 + random_below(&starver->random, starver->nr_held);

	starver->nr_held -= n;
	must(!peer_op(starver->peer, random_below(&starver->random, 2) ?
		      BLOCKPOOL_PEER_FREE_BULK : BLOCKPOOL_PEER_FREE,
		      any_context(starver), 0, starver->held + starver->nr_held,
		      n));
}

static void kernel_calls(struct starver *starver)
{
	cpu_pin(random_below(&starver->random, cpu_count()));
	if (starver->nr_held < RESERVE && random_below(&starver->random, 2))
		kernel_takes(starver);
	else if (starver->nr_held)
		kernel_frees(starver);
	starver->attack.done++;
}

/*
 * Counting, with all clients stopped
 */
static void signal_clients(const struct starver *starver, int number)
{
	for (int slot = 0; slot < CLIENTS; slot++) {
		must(!kill(starver->clients[slot], number));
		must(waitpid(starver->clients[slot], NULL,
			     WUNTRACED | WCONTINUED) ==
		     starver->clients[slot]);
	}
}

static void count(struct starver *starver)
{
	struct blockpool_holder_args holder = { .size = sizeof(holder) };
	struct blockpool_stats stats;
	__u32 held = 0;

	signal_clients(starver, SIGSTOP);
	while (!pool_ioctl(starver->fd, BLOCKPOOL_IOC_HOLDER, &holder)) {
		starver->over_limit += holder.held > CLIENT_MAX;
		held += holder.held;
	}
	stats = pool_stats(starver->fd);
	pool_check(starver->fd, held + starver->nr_held);
	starver->into_reserve += stats.nr_free + starver->nr_held < RESERVE;
	starver->starved += stats.nr_free <= RESERVE;
	signal_clients(starver, SIGCONT);
}

static void replace_client(struct starver *starver)
{
	int slot = random_below(&starver->random, CLIENTS);

	must(child_kill(starver->clients[slot]) == 128 + SIGKILL);
	starver->kills++;
	start_client(starver, slot);
}

static void begin(struct starver *starver)
{
	const struct blockpool_create_args args = {
		.block_size = BLOCK_SIZE,
		.nr_blocks = NR_BLOCKS,
		.client_max = CLIENT_MAX,
		.reserve = RESERVE,
	};

	starver->attack = attack_start("calls of the kernel's", CALLS);
	starver->random = attack_random(&starver->attack, 0);
	pool_name(starver->name);
	starver->fd = pool_open(O_RDWR);
	must(!pool_create_args(starver->fd, starver->name, args));
	starver->peer = peer_join(starver->name);
	for (int slot = 0; slot < CLIENTS; slot++)
		start_client(starver, slot);
}

static void judge(struct starver *starver)
{
	for (int slot = 0; slot < CLIENTS; slot++)
		child_kill(starver->clients[slot]);
	must(!peer_put(starver->peer));
	pool_await_held(starver->fd, 0);
	pool_check(starver->fd, 0);
	ksft_print_msg("%llu times nothing was left for clients, %llu kills\n",
		       starver->starved, starver->kills);
	ksft_test_result(attack_finish(&starver->attack), "all was done\n");
	ksft_test_result(starver->starved, "clients were starved\n");
	ksft_test_result(!starver->refused,
			 "the kernel got its reserve each time\n");
	ksft_test_result(!starver->into_reserve,
			 "no client got any of the reserve\n");
	ksft_test_result(!starver->over_limit,
			 "no client got more than its limit\n");
	close(starver->fd);
}

int main(void)
{
	static struct starver starver;

	ksft_print_header();
	ksft_set_plan(5);
	begin(&starver);
	while (attack_goes_on(&starver.attack)) {
		for (int i = 0; i < COUNT_EVERY; i++)
			kernel_calls(&starver);
		count(&starver);
		replace_client(&starver);
	}
	judge(&starver);
	ksft_finished();
}

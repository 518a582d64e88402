// SPDX-License-Identifier: GPL-2.0
/*
 * Each block of the pool, while nothing moves: the owner table, the statistics, the
 * clients and the ports must tell the same story.
 */
#include <stdlib.h>
#include <string.h>

#include "kselftest.h"
#include "port_kills.h"

#define CLIENTS_MAX	(VICTIMS + 1)

struct client {
	struct blockpool_holder_args holder;
	__u32 words;		/* in the owner table */
	int slot;		/* -1: the killer's */
};

struct box {
	struct blockpool_port_args port;
	__u32 words;
};

struct accounts {
	int fd;
	bool right;
	struct blockpool_stats stats;
	struct client clients[CLIENTS_MAX];
	__u32 nr_clients;
	struct box boxes[BLOCKPOOL_PORTS_MAX];
	__u32 nr_boxes;
	__u32 free;		/* words in the owner table, and ... */
	__u32 shared;
	__u32 nobodys;		/* ... those of no client and no port */
	__u32 in_flight;
};

static void expect(struct accounts *accounts, const char *what, const char *of,
		   __u64 expected, __u64 seen)
{
	if (expected == seen)
		return;
	ksft_print_msg("%s %s: expected %llu, seen %llu\n", what, of, expected, seen);
	accounts->right = false;
}

static int slot_of(pid_t pid, const pid_t *pids)
{
	for (int slot = 0; slot < VICTIMS; slot++)
		if (pids[slot] == pid)
			return slot;
	return -1;
}

static void read_clients(struct accounts *accounts, const pid_t *pids)
{
	struct blockpool_holder_args holder = { .size = sizeof(holder) };
	struct client *client = accounts->clients;

	while (!pool_ioctl(accounts->fd, BLOCKPOOL_IOC_HOLDER, &holder)) {
		must(client < &accounts->clients[CLIENTS_MAX]);
		client->holder = holder;
		client->slot = slot_of(holder.pid, pids);
		if (client->slot < 0)
			expect(accounts, "blocks held by", holder.comm, 0,
			       holder.held);
		if (holder.limit && holder.held > holder.limit)
			expect(accounts, "limit of", holder.comm, holder.limit,
			       holder.held);
		client++;
	}
	accounts->nr_clients = client - accounts->clients;
	expect(accounts, "number of", "clients", accounts->stats.nr_clients,
	       accounts->nr_clients);
}

static void read_ports(struct accounts *accounts)
{
	struct blockpool_port_args port = {};

	while (!port_look(accounts->fd, port.cursor, &port)) {
		must(accounts->nr_boxes < BLOCKPOOL_PORTS_MAX);
		accounts->boxes[accounts->nr_boxes++].port = port;
	}
}

static void count_word(struct accounts *accounts, __u32 word)
{
	for (__u32 i = 0; i < accounts->nr_clients; i++)
		if (accounts->clients[i].holder.cursor == word) {
			accounts->clients[i].words++;
			return;
		}
	for (__u32 i = 0; i < accounts->nr_boxes; i++)
		if ((accounts->boxes[i].port.cursor | BLOCKPOOL_OWNER_PORT) == word) {
			accounts->boxes[i].words++;
			accounts->in_flight++;
			return;
		}
	accounts->free += word == BLOCKPOOL_OWNER_FREE;
	accounts->shared += word == BLOCKPOOL_OWNER_SHARED;
	if (word != BLOCKPOOL_OWNER_FREE && word != BLOCKPOOL_OWNER_SHARED) {
		ksft_print_msg("owner word %#x\n", word);
		accounts->nobodys++;
	}
}

static void read_owners(struct accounts *accounts)
{
	__u32 n = accounts->stats.nr_blocks, *owners = malloc(n * sizeof(*owners));

	must(!pool_owners(accounts->fd, 0, n, owners));
	for (__u32 i = 0; i < n; i++)
		count_word(accounts, owners[i]);
	free(owners);
}

static bool shares(const struct box *box)
{
	return !strcmp(box->port.name, port_names[SHARE_A]) ||
	       !strcmp(box->port.name, port_names[SHARE_B]);
}

/* What its receivers hold of a port that is at least once. */
static __u32 taken(const struct accounts *accounts, enum port which)
{
	const struct client *client = accounts->clients;
	__u32 sum = 0;

	for (__u32 i = 0; i < accounts->nr_clients; i++, client++)
		if (client->slot >= 0 && parts[client->slot].port == which &&
		    (parts[client->slot].role == RECEIVER ||
		     parts[client->slot].role == SERVER))
			sum += client->holder.held;
	return sum;
}

static void check_port(struct accounts *accounts, const struct box *box)
{
	const struct blockpool_port_args *port = &box->port;

	expect(accounts, "blocks in flight to", port->name,
	       shares(box) ? 0 : port->nr_messages, box->words);
	if (!(port->flags & BLOCKPOOL_BIND_AGAIN))
		expect(accounts, "sent and not received, at", port->name,
		       port->nr_messages, port->sent - port->received);
	for (int which = AGAIN; which <= SERVE; which++)
		if (which != GONE && !strcmp(port->name, port_names[which]))
			expect(accounts, "taken from", port->name,
			       taken(accounts, which), port->nr_taken);
	if (port->nr_messages + port->nr_taken > port->depth ||
	    port->max_messages > port->depth)
		expect(accounts, "depth of", port->name, port->depth,
		       port->nr_messages + port->nr_taken);
}

/* Shares, which the owner table does not tell: each receiver knows its own. */
static __u32 held_shares(const struct scene *scene, const pid_t *pids)
{
	const struct note *note = scene->notes;
	__u32 sum = 0;

	for (int slot = 0; slot < VICTIMS; slot++, note++)
		if (pids[slot] && parts[slot].role == RECEIVER &&
		    parts[slot].port >= SHARE_A)
			sum += cursor_now(&note->received) - cursor_now(&note->freed);
	return sum;
}

/* A share is in a port or with one that receives; each block has one or two. */
static void check_shares(struct accounts *accounts, const struct scene *scene,
			 const pid_t *pids)
{
	__u32 sum = held_shares(scene, pids);

	for (__u32 i = 0; i < accounts->nr_boxes; i++)
		if (shares(&accounts->boxes[i]))
			sum += accounts->boxes[i].port.nr_messages;
	if (sum < accounts->shared || sum > 2 * accounts->shared)
		expect(accounts, "shares of", "blocks", accounts->shared, sum);
}

static void check_clients(struct accounts *accounts)
{
	const struct client *client = accounts->clients;

	for (__u32 i = 0; i < accounts->nr_clients; i++, client++)
		expect(accounts, "blocks held by", client->holder.comm,
		       client->words, client->holder.held);
}

static void check_stats(struct accounts *accounts)
{
	const struct blockpool_stats *stats = &accounts->stats;

	expect(accounts, "blocks of", "nobody", 0, accounts->nobodys);
	expect(accounts, "free and held", "blocks", stats->nr_blocks,
	       stats->nr_free + stats->nr_held);
	expect(accounts, "free", "blocks", accounts->free, stats->nr_free);
	expect(accounts, "in flight or shared,", "blocks",
	       accounts->in_flight + accounts->shared, stats->nr_in_flight);
	expect(accounts, "taken", "blocks", stats->allocs,
	       stats->frees + stats->reclaimed + stats->nr_held);
}

bool accounts_check(const struct scene *scene, int fd, const pid_t *pids)
{
	static struct accounts accounts;

	memset(&accounts, 0, sizeof(accounts));
	accounts.fd = fd;
	accounts.right = true;
	accounts.stats = pool_stats(fd);
	read_clients(&accounts, pids);
	read_ports(&accounts);
	read_owners(&accounts);
	check_stats(&accounts);
	check_clients(&accounts);
	check_shares(&accounts, scene, pids);
	for (__u32 i = 0; i < accounts.nr_boxes; i++)
		check_port(&accounts, &accounts.boxes[i]);
	return accounts.right;
}

bool accounts_lingering(int fd)
{
	struct blockpool_port_args port = {};

	while (!port_look(fd, port.cursor, &port))
		if (port.linger_ms > 0 && !port.nr_receivers)
			return true;
	return false;
}

bool accounts_ports_left(int fd, __u32 nr)
{
	struct blockpool_port_args port = {};
	bool right = true;

	while (!port_look(fd, port.cursor, &port)) {
		nr--;
		if (port.linger_ms == -1 && !port.nr_senders && !port.nr_receivers &&
		    !port.nr_taken)
			continue;
		ksft_print_msg("port %s: linger %d ms, %u senders, %u receivers, %u taken\n",
			       port.name, port.linger_ms, port.nr_senders,
			       port.nr_receivers, port.nr_taken);
		right = false;
	}
	return right && !nr;
}

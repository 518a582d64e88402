// SPDX-License-Identifier: GPL-2.0
#include "pools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deed.h"

#define OWNER_PORT_BIT	BLOCKPOOL_OWNER_PORT
#define CLIENT_FIRST	(BLOCKPOOL_OWNER_SHARED + 1)

/* --- tables, sorted by the number that each entry begins with ---------------- */

static unsigned int place_in(void *const *table, unsigned int nr, __u32 number)
{
	unsigned int low = 0, high = nr;

	/* Numbers are given in turn: a new one mostly belongs at the end. */
	if (nr && *(__u32 *)table[nr - 1] < number)
		return nr;
	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (*(__u32 *)table[middle] < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void *find(void *const *table, unsigned int nr, __u32 number)
{
	unsigned int place = place_in(table, nr, number);

	return place < nr && *(__u32 *)table[place] == number ? table[place] : NULL;
}

/* A new entry of zeros but for its number; NULL without memory. */
static void *insert(void ***table, unsigned int *nr, __u32 number, size_t size)
{
	unsigned int place = place_in(*table, *nr, number);
	__u32 *entry;

	if (!(*nr & (*nr - 1))) {
		size_t room = *nr ? 2 * *nr : 1;
		void **larger = realloc(*table, room * sizeof(*larger));

		if (!larger)
			return NULL;
		*table = larger;
	}
	entry = calloc(1, size);
	if (!entry)
		return NULL;
	*entry = number;
	memmove(*table + place + 1, *table + place, (*nr - place) * sizeof(**table));
	(*table)[place] = entry;
	(*nr)++;
	return entry;
}

#define FIND(table, nr, number) find((void *const *)(table), nr, number)
#define INSERT(table, nr, number) \
	insert((void ***)&(table), &(nr), number, sizeof(**(table)))

const struct client_past *client_find(const struct pool_past *pool, __u32 id)
{
	return FIND(pool->clients, pool->nr_clients, id);
}

const struct port_past *port_find(const struct pool_past *pool, __u32 number)
{
	return FIND(pool->ports, pool->nr_ports, number);
}

static struct pool_past *the_pool(struct history *history, __u64 number)
{
	struct pool_past *pool = FIND(history->pools, history->nr_pools, number);

	if (!pool)
		pool = INSERT(history->pools, history->nr_pools, number);
	if (!pool)
		note(history->notes, NOTE_MEMORY, "for pool %llu", number);
	return pool;
}

static bool is_client(__u64 owner)
{
	return owner >= CLIENT_FIRST && owner < OWNER_PORT_BIT;
}

static struct client_past *the_client(struct history *history,
				      struct pool_past *pool, __u64 id)
{
	struct client_past *client = FIND(pool->clients, pool->nr_clients, id);

	if (client || !is_client(id))
		return client;
	client = INSERT(pool->clients, pool->nr_clients, id);
	if (!client) {
		note(history->notes, NOTE_MEMORY, "for client %llu", id);
		return NULL;
	}
	client->pid = -1;
	return client;
}

static struct port_past *the_port(struct history *history,
				  struct pool_past *pool, __u64 number)
{
	struct port_past *port = FIND(pool->ports, pool->nr_ports, number);

	if (port)
		return port;
	port = INSERT(pool->ports, pool->nr_ports, number);
	if (!port)
		note(history->notes, NOTE_MEMORY, "for port %llu", number);
	return port;
}

/* --- blocks ------------------------------------------------------------------ */

const struct block_past *block_at(const struct pool_past *pool, __u32 index)
{
	if (index < pool->nr_known && pool->blocks[index].time)
		return &pool->blocks[index];
	return index < pool->nr_blocks && pool->unseen.time ? &pool->unseen : NULL;
}

static bool index_fits(struct history *history, const struct pool_past *pool,
		       __u64 index)
{
	__u64 nr = pool->nr_blocks ? pool->nr_blocks : BLOCKPOOL_BLOCKS_MAX;

	if (index < nr)
		return true;
	note(history->notes, NOTE_VALUE, "there is no block %llu in pool %u",
	     index, pool->number);
	return false;
}

/* The array grows as far as there is something known, whatever nr_blocks may say. */
static struct block_past *the_block(struct history *history,
				    struct pool_past *pool, __u64 index)
{
	__u64 room = pool->nr_known ? pool->nr_known : 64;
	struct block_past *larger;

	if (!index_fits(history, pool, index))
		return NULL;
	if (index < pool->nr_known)
		return &pool->blocks[index];
	while (room <= index)
		room *= 2;
	larger = realloc(pool->blocks, room * sizeof(*larger));
	if (!larger) {
		note(history->notes, NOTE_MEMORY, "for the blocks of pool %u",
		     pool->number);
		return NULL;
	}
	memset(larger + pool->nr_known, 0,
	       (room - pool->nr_known) * sizeof(*larger));
	pool->blocks = larger;
	pool->nr_known = room;
	return &pool->blocks[index];
}

static bool owner_fits(struct history *history, const struct pool_past *pool,
		       __u64 owner)
{
	if (owner < 2 * (__u64)OWNER_PORT_BIT)
		return true;
	note(history->notes, NOTE_VALUE, "pool %u: %llu is no owner",
	     pool->number, owner);
	return false;
}

/*
 * Events stand in the order in which a block went: if it was not where it comes from, an
 * event is false or missing.  But of what a CPU had in hand a snapshot may have read the
 * outcome before the event was written.
 */
static bool contradicts(const struct block_past *block, const struct event *event,
			__s64 from, __u64 to)
{
	return block->time && block_since(block, event->gap_end) && from >= 0 &&
	       block->owner != from && !(block->read && block->owner == to);
}

/* One block goes from one owner to another; from is -1 if it may be any. */
static void move(struct history *history, struct pool_past *pool,
		 const struct event *event, __u64 index, __s64 from, __u64 to)
{
	struct block_past *block = the_block(history, pool, index);
	bool contradiction;

	if (!block || !owner_fits(history, pool, to))
		return;
	if (!block->time)
		*block = pool->unseen;
	contradiction = contradicts(block, event, from, to);
	if (contradiction)
		note(history->notes, NOTE_CONFLICT,
		     "pool %u, block %llu: %s at %llu.%06llu s, of %lld, but it was with %u",
		     pool->number, index, event_name(event->kind),
		     event->time / 1000000000, event->time / 1000 % 1000000,
		     from, block->owner);
	*block = (struct block_past){
		.time = event->time,
		.ip = event->ip,
		.from = from,
		.owner = to,
		.doubtful = contradiction,
	};
}

static void move_all(struct history *history, struct pool_past *pool,
		     const struct event *event, __s64 from, __u64 to)
{
	struct bytes words = event->words;

	if (event->count != words.left / 4)
		note(history->notes, NOTE_VALUE, "%s of %llu blocks names %zu",
		     event_name(event->kind), event->count, words.left / 4);
	while (words.left)
		move(history, pool, event, bytes_number(&words, 4), from, to);
}

/* True if the event was about who has a block. */
static bool owners_take(struct history *history, struct pool_past *pool,
			const struct event *event)
{
	__u64 port = OWNER_PORT_BIT | event->port;

	switch (event->kind) {
	case EVENT_TAKE:
		move(history, pool, event, event->index, BLOCKPOOL_OWNER_FREE, event->owner);
		return true;
	case EVENT_FREE:
		move(history, pool, event, event->index, event->owner, BLOCKPOOL_OWNER_FREE);
		return true;
	case EVENT_TAKE_BULK:
		move_all(history, pool, event, BLOCKPOOL_OWNER_FREE, event->owner);
		return true;
	case EVENT_FREE_BULK:
		move_all(history, pool, event, event->owner, BLOCKPOOL_OWNER_FREE);
		return true;
	case EVENT_SEND:
		move_all(history, pool, event, event->owner, port);
		return true;
	case EVENT_SEND_UNDONE:
	case EVENT_RECEIVE:
		move_all(history, pool, event, port, event->owner);
		return true;
	case EVENT_REQUEUE:
		move_all(history, pool, event, event->owner, port);
		return true;
	case EVENT_DROP:
		move_all(history, pool, event, port, BLOCKPOOL_OWNER_FREE);
		return true;
	case EVENT_QUARANTINE:
		move(history, pool, event, event->index, event->from,
		     BLOCKPOOL_OWNER_QUARANTINE);
		return true;
	case EVENT_REPAIR:
		move(history, pool, event, event->index, BLOCKPOOL_OWNER_QUARANTINE,
		     BLOCKPOOL_OWNER_FREE);
		return true;
	case EVENT_SHARE:
		move(history, pool, event, event->index, -1, BLOCKPOOL_OWNER_SHARED);
		return true;
	case EVENT_UNSHARE:	/* those of the other holders may come after the last one's */
		if (!event->holders)
			move(history, pool, event, event->index,
			     BLOCKPOOL_OWNER_SHARED, BLOCKPOOL_OWNER_FREE);
		return true;
	default:
		return false;
	}
}

/* --- snapshots --------------------------------------------------------------- */

/* A pool's size never changes: if it seems to, one of the two is false. */
static void describe(struct history *history, struct pool_past *pool,
		     const struct event *event)
{
	if (!event->nr_blocks || event->nr_blocks > BLOCKPOOL_BLOCKS_MAX ||
	    (pool->nr_blocks && pool->nr_blocks != event->nr_blocks) ||
	    (pool->block_size && pool->block_size != event->block_size)) {
		note(history->notes, NOTE_VALUE, "pool %u of %llu blocks of %llu bytes",
		     pool->number, event->nr_blocks, event->block_size);
		return;
	}
	pool->nr_blocks = event->nr_blocks;
	pool->block_size = event->block_size;
	pool->flags = event->flags;
	memcpy(pool->name, event->name, sizeof(pool->name));
}

static void begin_snapshot(struct history *history, struct pool_past *pool,
			   const struct event *event)
{
	describe(history, pool, event);
	pool->latest = (struct snapshot_past){
		.seq = event->seq,
		.start = event->time,
		.nr_free = event->nr_free,
		.nr_held = event->nr_held,
		.nr_in_flight = event->nr_in_flight,
		.at_panic = event->at_panic,
	};
}

/*
 * Most events precede their words: that may still have been the old one when it was read;
 * but not at a panic, when all the other CPUs have stopped.
 */
static bool word_to_come(const struct pool_past *pool, const struct block_past *block,
			 __u64 owner, __u64 start, __u64 gap_end)
{
	return block->time && !block->read && block->from == (__s64)owner &&
	       start - block->time < WORD_LAG && block->time >= gap_end &&
	       !pool->latest.at_panic;
}

/* What is known since the reading began is newer than what was read. */
static void block_was(struct history *history, struct pool_past *pool,
		      __u64 index, __u64 owner, __u64 start, __u64 gap_end)
{
	struct block_past *block = the_block(history, pool, index);

	if (!block)
		return;
	if (block->time && block->time >= start) {
		block->doubtful |= block->owner != owner;
		return;
	}
	if (word_to_come(pool, block, owner, start, gap_end))
		return;
	*block = (struct block_past){
		.time = start,
		.owner = owner,
		.read = true,
		.ip = block->owner == owner ? block->ip : 0,
	};
}

static void take_runs(struct history *history, struct pool_past *pool,
		      const struct event *event)
{
	struct snapshot_past *snapshot = &pool->latest;
	__u64 span = event->now - event->start, index = event->first;
	struct bytes words = event->words;

	if (event->now < event->start || span > event->time ||
	    event->nr != words.left / 8 || words.left % 8) {
		note(history->notes, NOTE_VALUE, "the runs of pool %u", pool->number);
		return;
	}
	if (snapshot->seq == event->seq && snapshot->covered == index &&
	    event->time - span < snapshot->start)
		snapshot->start = event->time - span;
	while (words.left) {
		__u64 count = bytes_number(&words, 4);
		__u64 owner = bytes_number(&words, 4);

		if (!count || !owner_fits(history, pool, owner) ||
		    !index_fits(history, pool, index + count - 1))
			return;
		while (count--)
			block_was(history, pool, index++, owner,
				  event->time - span, event->gap_end);
	}
	if (snapshot->seq == event->seq && snapshot->covered == event->first)
		snapshot->covered = index;
}

static void end_snapshot(struct pool_past *pool, const struct event *event)
{
	struct snapshot_past *snapshot = &pool->latest;

	if (snapshot->seq != event->seq)
		return;
	snapshot->ended = true;
	snapshot->end = event->time;
	if (pool->nr_blocks && snapshot->covered == pool->nr_blocks)
		pool->whole = *snapshot;
}

/* --- clients and ports ------------------------------------------------------- */

static void name_client(struct history *history, struct pool_past *pool,
			const struct event *event)
{
	struct client_past *client = the_client(history, pool, event->client);

	if (!client) {
		note(history->notes, NOTE_VALUE, "%llu is no client", event->client);
		return;
	}
	if (client->pid != -1 && client->pid != event->pid)
		note(history->notes, NOTE_CONFLICT, "client %u was opened by %lld and by %lld",
		     client->id, client->pid, event->pid);
	client->pid = event->pid;
	memcpy(client->comm, event->comm, sizeof(client->comm));
}

static void name_port(struct history *history, struct pool_past *pool,
		      const struct event *event)
{
	struct port_past *port = the_port(history, pool, event->port);

	if (port)
		memcpy(port->name, event->name, sizeof(port->name));
}

static void keep_action(struct history *history, struct pool_past *pool,
			const struct event *event)
{
	__u64 id = deed_doer(event);
	struct client_past *client = is_client(id) ? the_client(history, pool, id) : NULL;

	if (!client)
		return;
	client->actions[client->nr_actions++ % ACTIONS] = *event;
	if (event->kind == EVENT_WAIT_BEGIN || event->kind == EVENT_WAIT_END)
		client->waiting = event->kind == EVENT_WAIT_BEGIN;
	if (event->kind == EVENT_CLIENT_CLOSE)
		client->closed = true;
}

/* --- all of them ------------------------------------------------------------- */

static void life_take(struct history *history, struct pool_past *pool,
		      const struct event *event)
{
	struct port_past *port;

	switch (event->kind) {
	case EVENT_POOL_CREATE:
		describe(history, pool, event);
		pool->unseen = (struct block_past){ .time = event->time, .from = -1 };
		break;
	case EVENT_POOL_UNLINK:
		pool->unlinked = true;
		break;
	case EVENT_POOL_DESTROY:
		pool->destroyed = true;
		break;
	case EVENT_CLIENT_OPEN:
	case EVENT_SNAPSHOT_CLIENT:
		name_client(history, pool, event);
		break;
	case EVENT_PORT_OPEN:
	case EVENT_SNAPSHOT_PORT:
		name_port(history, pool, event);
		break;
	case EVENT_PORT_CLOSE:
		port = FIND(pool->ports, pool->nr_ports, event->port);
		if (port)
			port->closed = true;
		break;
	case EVENT_SNAPSHOT_BEGIN:
		begin_snapshot(history, pool, event);
		break;
	case EVENT_SNAPSHOT_RUNS:
		take_runs(history, pool, event);
		break;
	case EVENT_SNAPSHOT_END:
		end_snapshot(pool, event);
		break;
	default:
		break;
	}
}

void pools_take(struct history *history, const struct event *event)
{
	struct pool_past *pool;

	if (event->kind < EVENT_POOL_CREATE)
		return;
	if (!event->pool || event->pool >> 32) {
		note(history->notes, NOTE_VALUE, "%s of pool %llu",
		     event_name(event->kind), event->pool);
		return;
	}
	pool = the_pool(history, event->pool);
	if (!pool)
		return;
	if (pool->destroyed)
		note(history->notes, NOTE_CONFLICT, "%s of pool %u, which is gone",
		     event_name(event->kind), pool->number);
	if (!owners_take(history, pool, event))
		life_take(history, pool, event);
	keep_action(history, pool, event);
}

static void count_block(struct history *history, struct pool_past *pool,
			const struct block_past *block)
{
	__u32 owner = block->owner;
	bool unsure = !block_sure(history, pool, block);

	pool->unsure += unsure;
	if (owner == BLOCKPOOL_OWNER_FREE) {
		pool->free++;
	} else if (owner == BLOCKPOOL_OWNER_KERNEL) {
		pool->kernel++;
	} else if (owner == BLOCKPOOL_OWNER_QUARANTINE) {
		pool->quarantined++;
	} else if (owner == BLOCKPOOL_OWNER_SHARED) {
		pool->shared++;
	} else if (owner & OWNER_PORT_BIT) {
		struct port_past *port = the_port(history, pool,
						  owner & ~OWNER_PORT_BIT);

		pool->in_flight++;
		if (port) {
			port->blocks++;
			port->unsure += unsure;
		}
	} else {
		struct client_past *client = the_client(history, pool, owner);

		pool->held++;
		if (client) {
			client->held++;
			client->unsure += unsure;
		}
	}
}

static void end_pool(struct history *history, struct pool_past *pool)
{
	__u32 known = 0, unseen = 0;

	if (pool->latest.seq != pool->whole.seq)
		note(history->notes, NOTE_SNAPSHOT,
		     "the last one of pool %u, of %llu of %llu blocks",
		     pool->number, pool->latest.covered, pool->nr_blocks);
	for (__u32 i = 0; i < pool->nr_known; i++) {
		const struct block_past *block = block_at(pool, i);

		if (block)
			count_block(history, pool, block);
		known += !!block;
	}
	if (pool->unseen.time && pool->nr_blocks > pool->nr_known)
		unseen = pool->nr_blocks - pool->nr_known;
	pool->free += unseen;
	if (!block_sure(history, pool, &pool->unseen))
		pool->unsure += unseen;
	known += unseen;
	pool->unknown = pool->nr_blocks > known ? pool->nr_blocks - known : 0;
}

void pools_end(struct history *history)
{
	for (unsigned int i = 0; i < history->nr_pools; i++)
		if (!history->pools[i]->destroyed)
			end_pool(history, history->pools[i]);
}

static void free_table(void **table, unsigned int nr)
{
	while (nr)
		free(table[--nr]);
	free(table);
}

void pools_free(struct history *history)
{
	for (unsigned int i = 0; i < history->nr_pools; i++) {
		struct pool_past *pool = history->pools[i];

		free_table((void **)pool->clients, pool->nr_clients);
		free_table((void **)pool->ports, pool->nr_ports);
		free(pool->blocks);
	}
	free_table((void **)history->pools, history->nr_pools);
	history->pools = NULL;
	history->nr_pools = 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The recorder: who holds what, from time to time and at the end.
 *
 * A snapshot says it in events, so that the holders can be told from what a ring buffer
 * still has, however short: from the last snapshot and the events since.  It is taken
 * while the pool is in use.  Owner words are read one after the other, without a lock,
 * and with when the reading began; who puts it together lets the events count that came
 * since, see trace.h.
 *
 * When the machine panics there is a last one, and the most important of it goes to the
 * log.  The other CPUs have stopped then, whatever locks they had: what is done here
 * takes none and waits for nobody.  It finds whole what it reads, for a pool, a client or
 * a port is complete before it is in its list and is out of it before its parts go.  But
 * memory may be damaged: so there is an end to each walk.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/panic_notifier.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "client.h"
#include "owner.h"
#include "pool.h"
#include "port.h"
#include "queue.h"
#include "recorder.h"
#include "trace.h"

#define BP_RECORDER_MS_MIN	10u
#define BP_WORDS_SOME		(64u << 10)	/* owner words between breathers */

/* At a panic, in all and of a pool. */
#define BP_PANIC_POOLS		4096u
#define BP_PANIC_WORDS		(64u << 20)
#define BP_PANIC_CLIENTS	4096u
#define BP_PANIC_PORTS		4096u
/* That go to the log, which may be a slow line. */
#define BP_PANIC_LOG_POOLS	64u
#define BP_PANIC_LOG_HOLDERS	8u

struct bp_snapshot {
	struct blockpool *pool;
	u32 seq;
	bool at_panic;

	u32 nr;
	u32 runs[2 * BP_TRACE_MANY];	/* how many, and whose */
};

static u32 bp_snapshot_seq;	/* of the last; the work's, or a panic's */

/*
 * A pool's clients and ports
 */

/* Under RCU: the client with the lowest id above, and its id. */
static struct bp_client *bp_client_above(struct blockpool *pool,
					 unsigned long *id)
{
	return xa_find_after(&pool->clients, id, BLOCKPOOL_OWNER_PORT - 1,
			     XA_PRESENT);
}

static void bp_snapshot_clients(const struct bp_snapshot *snapshot)
{
	struct blockpool *pool = snapshot->pool;
	u32 max = snapshot->at_panic ? BP_PANIC_CLIENTS : U32_MAX, n;
	struct bp_client *client;
	unsigned long id = 0;

	for (n = 0; n < max; n++) {
		rcu_read_lock();
		client = bp_client_above(pool, &id);
		if (client)
			trace_snapshot_client(bp_pool_number(pool),
					      snapshot->seq, id, client->tgid,
					      client->comm,
					      bp_client_held(client));
		rcu_read_unlock();
		if (!client)
			break;
		if (!snapshot->at_panic)
			cond_resched();
	}
}

static void bp_snapshot_ports(const struct bp_snapshot *snapshot)
{
	struct blockpool *pool = snapshot->pool;
	u32 max = snapshot->at_panic ? BP_PANIC_PORTS : U32_MAX, n;
	unsigned long number = 0;
	struct bp_port *port;

	for (n = 0; n < max; n++) {
		rcu_read_lock();
		port = xa_find_after(&pool->ports.by_number, &number,
				     BLOCKPOOL_OWNER_PORT - 1, XA_PRESENT);
		if (port)
			trace_snapshot_port(bp_pool_number(pool),
					    snapshot->seq, number, port->name,
					    port->depth,
					    /* without the lock: see above */
					    data_race(port->nr));
		rcu_read_unlock();
		if (!port)
			break;
		if (!snapshot->at_panic)
			cond_resched();
	}
}

/*
 * Its owner words
 */

/* Reads words into runs, from the one of @at on; returns where the next are to begin. */
static u32 bp_snapshot_read(struct bp_snapshot *snapshot, u32 at)
{
	const struct blockpool *pool = snapshot->pool;
	u32 end = at + min(bp_pool_nr_blocks(pool) - at, BP_WORDS_SOME), word;
	u32 *run = snapshot->runs - 2;

	for (snapshot->nr = 0; at < end; at++) {
		word = bp_owner_read(&pool->owners[at]);
		if (!snapshot->nr || run[1] != word) {
			if (snapshot->nr == BP_TRACE_MANY)
				break;
			snapshot->nr++;
			run += 2;
			run[0] = 0;
			run[1] = word;
		}
		run[0]++;
	}
	return at;
}

static void bp_snapshot_runs(struct bp_snapshot *snapshot)
{
	struct blockpool *pool = snapshot->pool;
	u32 first, next;
	u64 start;

	for (first = 0; first < bp_pool_nr_blocks(pool); first = next) {
		start = ktime_get_mono_fast_ns();
		next = bp_snapshot_read(snapshot, first);
		trace_snapshot_runs(bp_pool_number(pool), snapshot->seq, start,
				    first, snapshot->runs, snapshot->nr);
		if (!snapshot->at_panic)
			cond_resched();
	}
}

static void bp_snapshot_pool(struct bp_snapshot *snapshot)
{
	struct blockpool *pool = snapshot->pool;
	u32 number = bp_pool_number(pool);

	trace_snapshot_begin(number, snapshot->seq, pool->name,
			     pool->block_size, bp_pool_nr_blocks(pool),
			     pool->flags, bp_pool_glance_free(pool),
			     bp_pool_glance_in_flight(pool),
			     snapshot->at_panic);
	bp_snapshot_clients(snapshot);
	bp_snapshot_ports(snapshot);
	bp_snapshot_runs(snapshot);
	trace_snapshot_end(number, snapshot->seq);
}

/*
 * From time to time
 */

static bool bp_snapshots_wanted(void)
{
	return trace_snapshot_begin_enabled() ||
	       trace_snapshot_client_enabled() ||
	       trace_snapshot_port_enabled() ||
	       trace_snapshot_runs_enabled() || trace_snapshot_end_enabled();
}

static void bp_snapshot_all(void)
{
	static struct bp_snapshot snapshot;	/* the work is one at a time */
	u32 number = 0;

	snapshot.seq = ++bp_snapshot_seq;
	while ((snapshot.pool = bp_pool_look(&number))) {
		bp_snapshot_pool(&snapshot);
		bp_pool_look_end();
	}
}

static DEFINE_MUTEX(bp_recorder_lock);
static bool bp_recorder_runs;		/* protected by the lock, as are writes of ... */
static unsigned int bp_recorder_ms;	/* ... this */

static void bp_recorder_work(struct work_struct *work)
{
	unsigned int ms;

	if (bp_snapshots_wanted())
		bp_snapshot_all();
	ms = READ_ONCE(bp_recorder_ms);
	if (ms)
		queue_delayed_work(bp_queue, to_delayed_work(work),
				   msecs_to_jiffies(ms));
}

static DECLARE_DELAYED_WORK(bp_recorder, bp_recorder_work);

/* The lock is held: the first at once. */
static void bp_recorder_start(void)
{
	if (bp_recorder_runs && bp_recorder_ms)
		mod_delayed_work(bp_queue, &bp_recorder, 0);
}

static int bp_recorder_set(const char *text, const struct kernel_param *param)
{
	unsigned int ms;
	int ret = kstrtouint(text, 0, &ms);

	if (ret)
		return ret;
	if (ms && ms < BP_RECORDER_MS_MIN)
		return -EINVAL;
	mutex_lock(&bp_recorder_lock);
	WRITE_ONCE(bp_recorder_ms, ms);
	bp_recorder_start();
	mutex_unlock(&bp_recorder_lock);
	return 0;
}

static const struct kernel_param_ops bp_recorder_ops = {
	.set = bp_recorder_set,
	.get = param_get_uint,
};

module_param_cb(recorder_ms, &bp_recorder_ops, &bp_recorder_ms, 0644);
__MODULE_PARM_TYPE(recorder_ms, "uint");
MODULE_PARM_DESC(recorder_ms, "milliseconds between two snapshots of all pools into the trace, while one of their events is on; 0: none (0)");

/*
 * At the end
 */

struct bp_holder {
	u32 client;
	s32 tgid;
	const char *comm;
	u32 held;
};

/* Those with the most, the first of them first. */
struct bp_holders {
	u32 nr;
	struct bp_holder top[BP_PANIC_LOG_HOLDERS];
	u64 held;		/* by all clients */
};

static void bp_holders_add(struct bp_holders *holders,
			   const struct bp_holder *holder)
{
	struct bp_holder *top = holders->top;
	u32 at;

	holders->held += holder->held;
	if (!holder->held)
		return;
	for (at = 0; at < holders->nr; at++)
		if (top[at].held < holder->held)
			break;
	if (at == BP_PANIC_LOG_HOLDERS)
		return;
	holders->nr = min(holders->nr + 1, BP_PANIC_LOG_HOLDERS);
	memmove(&top[at + 1], &top[at],
		(holders->nr - at - 1) * sizeof(*holder));
	top[at] = *holder;
}

static void bp_holders_find(struct bp_holders *holders, struct blockpool *pool)
{
	struct bp_holder holder;
	struct bp_client *client;
	unsigned long id = 0;
	u32 n;

	for (n = 0; n < BP_PANIC_CLIENTS; n++) {
		client = bp_client_above(pool, &id);
		if (!client)
			break;
		holder.client = id;
		holder.tgid = client->tgid;
		holder.comm = client->comm;
		holder.held = bp_client_held(client);
		bp_holders_add(holders, &holder);
	}
}

static void bp_panic_log(struct blockpool *pool)
{
	static struct bp_holders holders;	/* there is one panic */
	u32 free = bp_pool_glance_free(pool), i;
	u32 in_flight = bp_pool_glance_in_flight(pool);
	u32 damaged = bp_pool_nr_quarantined(pool);
	u64 others;

	memset(&holders, 0, sizeof(holders));
	bp_holders_find(&holders, pool);
	others = holders.held + free + in_flight + damaged;
	pr_emerg("blockpool: %s: %u blocks of %u bytes: %u free, %llu with clients, %llu with the kernel, %u in flight, %u in quarantine\n",
		 pool->name, bp_pool_nr_blocks(pool), pool->block_size, free,
		 holders.held,
		 bp_pool_nr_blocks(pool) - min_t(u64, others,
						 bp_pool_nr_blocks(pool)),
		 in_flight, damaged);
	for (i = 0; i < holders.nr; i++)
		pr_emerg("blockpool: %s: %u with client %u, pid %d (%*pE)\n",
			 pool->name, holders.top[i].held, holders.top[i].client,
			 holders.top[i].tgid,
			 (int)strnlen(holders.top[i].comm, TASK_COMM_LEN),
			 holders.top[i].comm);
}

static int bp_recorder_panic(struct notifier_block *notifier,
			     unsigned long event, void *text)
{
	static struct bp_snapshot snapshot = { .at_panic = true };
	u32 words = BP_PANIC_WORDS, number = 0, n;
	bool wanted = bp_snapshots_wanted();
	struct blockpool *pool;

	snapshot.seq = ++bp_snapshot_seq;
	rcu_read_lock();
	for (n = 0; n < BP_PANIC_POOLS; n++) {
		pool = bp_pool_above(&number);
		if (!pool)
			break;
		if (wanted && bp_pool_nr_blocks(pool) <= words) {
			words -= bp_pool_nr_blocks(pool);
			snapshot.pool = pool;
			bp_snapshot_pool(&snapshot);
		}
		if (n < BP_PANIC_LOG_POOLS)
			bp_panic_log(pool);
	}
	rcu_read_unlock();
	return NOTIFY_DONE;
}

/* Before those who take the buffers away, or stop the tracing. */
static struct notifier_block bp_recorder_notifier = {
	.notifier_call = bp_recorder_panic,
	.priority = INT_MAX,
};

/*
 * Its life
 */

void bp_recorder_init(void)
{
	atomic_notifier_chain_register(&panic_notifier_list,
				       &bp_recorder_notifier);
	mutex_lock(&bp_recorder_lock);
	bp_recorder_runs = true;
	bp_recorder_start();
	mutex_unlock(&bp_recorder_lock);
}

void bp_recorder_exit(void)
{
	mutex_lock(&bp_recorder_lock);
	bp_recorder_runs = false;
	WRITE_ONCE(bp_recorder_ms, 0);
	mutex_unlock(&bp_recorder_lock);
	cancel_delayed_work_sync(&bp_recorder);
	atomic_notifier_chain_unregister(&panic_notifier_list,
					 &bp_recorder_notifier);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Knows the inside of a pool: whether somebody is there where an NMI must not
 * wait for him, and how to come just then.
 */

#include <linux/err.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <kmod/pool.h>

#include "peer.h"

/* A breakpoint on a word that is written on the way in and on the way out. */
struct peer_trap {
	struct perf_event *event;
	void (*function)(void *arg);
	void *arg;
};

/* Of this CPU. */
bool peer_inside_magazine(struct blockpool *pool)
{
	return READ_ONCE(raw_cpu_ptr(pool->stock.cpus)->magazine.busy);
}

/* This CPU or another. */
bool peer_inside_depot(struct blockpool *pool)
{
	return raw_spin_is_locked(&pool->stock.depot.lock);
}

u32 peer_depot_has(struct blockpool *pool)
{
	/* A look without its lock. */
	return data_race(pool->stock.depot.stack->nr);
}

bool peer_limbo_has(struct blockpool *pool)
{
	return READ_ONCE(pool->stock.depot.limbo);
}

bool peer_between(struct blockpool *pool, const void *address)
{
	return (unsigned long)address - pool->store.low < pool->store.span;
}

#ifdef CONFIG_HAVE_HW_BREAKPOINT

static void peer_trap_hit(struct perf_event *event,
			  struct perf_sample_data *data, struct pt_regs *regs)
{
	struct peer_trap *trap = event->overflow_handler_context;

	trap->function(trap->arg);
}

static void peer_trap_aim(struct perf_event_attr *attr, struct blockpool *pool,
			  u32 where, int cpu)
{
	hw_breakpoint_init(attr);
	attr->bp_type = HW_BREAKPOINT_W;
	if (where == BLOCKPOOL_PEER_IN_MAGAZINE) {
		attr->bp_addr = (unsigned long)
			&per_cpu_ptr(pool->stock.cpus, cpu)->magazine.busy;
		attr->bp_len = HW_BREAKPOINT_LEN_1;
	} else {
		attr->bp_addr = (unsigned long)&pool->stock.depot.lock;
		attr->bp_len = HW_BREAKPOINT_LEN_4;
	}
}

/* On the CPU where this is called; the function is called in NMI context. */
struct peer_trap *peer_trap_set(struct blockpool *pool, u32 where,
				void (*function)(void *arg), void *arg)
{
	struct peer_trap *trap = kzalloc(sizeof(*trap), GFP_KERNEL);
	int cpu = raw_smp_processor_id();
	struct perf_event_attr attr;
	struct perf_event *event;

	if (!trap)
		return ERR_PTR(-ENOMEM);
	trap->function = function;
	trap->arg = arg;
	peer_trap_aim(&attr, pool, where, cpu);
	event = perf_event_create_kernel_counter(&attr, cpu, NULL,
						 peer_trap_hit, trap);
	if (IS_ERR(event)) {
		kfree(trap);
		return ERR_CAST(event);
	}
	trap->event = event;
	return trap;
}

void peer_trap_clear(struct peer_trap *trap)
{
	perf_event_release_kernel(trap->event);
	kfree(trap);
}

#else /* CONFIG_HAVE_HW_BREAKPOINT */

struct peer_trap *peer_trap_set(struct blockpool *pool, u32 where,
				void (*function)(void *arg), void *arg)
{
	return ERR_PTR(-EOPNOTSUPP);
}

void peer_trap_clear(struct peer_trap *trap)
{
}

#endif /* CONFIG_HAVE_HW_BREAKPOINT */

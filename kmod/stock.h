/* SPDX-License-Identifier: GPL-2.0 */
/* The stock: all that is free in a pool, the depot and the CPUs' magazines. */
#ifndef BLOCKPOOL_STOCK_H
#define BLOCKPOOL_STOCK_H

#include <linux/cache.h>
#include <linux/percpu.h>
#include <linux/preempt.h>

#include "../common/magazine.h"
#include "depot.h"

/* Written by its CPU alone, inside the magazine; its counts are read anywhere. */
struct bp_cpu {
	u64 freed;		/* blocks given back to the magazine ever */
	struct bp_magazine magazine;
};

struct bp_stock {
	struct bp_cpu __percpu *cpus;
	u32 room;		/* of a magazine; 0: there are none */
	u32 size;		/* of an open one's stack: room, or 0 so that no ... */
				/* ... free takes the short way: a reserve, a wipe */
	struct bp_depot depot ____cacheline_aligned_in_smp;
};

int bp_stock_init(struct bp_stock *stock, u32 nr_blocks, u32 reserve,
		  bool magazines, u32 *owners, struct blockpool_status *status);
void bp_stock_destroy(struct bp_stock *stock);
size_t bp_stock_cpus_bytes(u32 nr_blocks);

int bp_stock_take(struct bp_stock *stock, u32 *indices, u32 n);
int bp_stock_take_wait(struct bp_stock *stock, u32 *indices, u32 n,
		       ktime_t until, u32 client);
bool bp_stock_ready(struct bp_stock *stock);

bool bp_stock_take_here(struct bp_stock *stock, u32 *indices, u32 n);
int bp_stock_take_atomic(struct bp_stock *stock, u32 *indices, u32 n);
void bp_stock_give_here(struct bp_stock *stock, const u32 *indices, u32 n);

void bp_stock_drain(struct bp_stock *stock);
int bp_stock_drain_all(struct bp_stock *stock);
void bp_stock_cpu_dead(struct bp_stock *stock, int cpu);
void bp_stock_empty(struct bp_stock *stock);

u32 bp_stock_cached(const struct bp_stock *stock);
u64 bp_stock_freed(const struct bp_stock *stock);

/*
 * Take a block from this CPU's magazine; false if that has none at hand.  As in
 * magazine.h, more than one way out saves the compiler a flag.
 */
static inline bool bp_stock_pop(struct bp_stock *stock, u32 *index)
{
	preempt_disable();
	if (likely(bp_magazine_take(&this_cpu_ptr(stock->cpus)->magazine,
				    index))) {
		preempt_enable();
		return true;
	}
	preempt_enable();
	return false;
}

/* Give a block back to this CPU's magazine; false if that does not take it. */
static inline bool bp_stock_push(struct bp_stock *stock, u32 index)
{
	struct bp_cpu *cpu;

	preempt_disable();
	cpu = this_cpu_ptr(stock->cpus);
	if (likely(bp_magazine_enter(&cpu->magazine))) {
		if (likely(bp_stack_push(&cpu->magazine.stack, index))) {
			cpu->freed++;
			bp_magazine_leave(&cpu->magazine);
			preempt_enable();
			return true;
		}
		bp_magazine_leave(&cpu->magazine);
	}
	preempt_enable();
	return false;
}

#endif /* BLOCKPOOL_STOCK_H */

// SPDX-License-Identifier: GPL-2.0
/*
 * The audit: whether a depot and its owner table agree.
 *
 * All of it is done with the depot's lock held and interrupts off: it takes time
 * in proportion to the number of blocks, and is for pools without magazines that ask
 * for it.
 */
#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/list.h>

#include "audit.h"
#include "owner.h"

static bool bp_audit_fail(struct bp_audit *audit, u32 index, const char *what)
{
	audit->index = index;
	audit->what = what;
	return false;
}

/* A block is taken from the stack, and comes back there, with the lock held. */
static bool bp_audit_stack(struct bp_audit *audit)
{
	const struct bp_stack *stack = audit->depot->stack;
	u32 i, index;

	if (stack->nr > audit->nr_blocks)
		return bp_audit_fail(audit, BLOCKPOOL_NO_INDEX,
				     "more free blocks than there are blocks");
	bitmap_zero(audit->seen, audit->nr_blocks);
	for (i = 0; i < stack->nr; i++) {
		index = stack->elements[i];
		if (index >= audit->nr_blocks)
			return bp_audit_fail(audit, BLOCKPOOL_NO_INDEX,
					     "no block, but free");
		if (__test_and_set_bit(index, audit->seen))
			return bp_audit_fail(audit, index, "free twice");
		if (READ_ONCE(audit->owners[index]) != BLOCKPOOL_OWNER_FREE)
			return bp_audit_fail(audit, index, "free, but owned");
	}
	return true;
}

/* Counted by who waits, but not taken. */
static u32 bp_audit_waiting(const struct bp_audit *audit)
{
	const struct bp_waiter *waiter;
	u32 n = 0;

	list_for_each_entry(waiter, &audit->depot->waiters, link)
		n += waiter->n;
	return n;
}

/*
 * A block that its owner word says is free, and that is not in the stack, is on its
 * way: out of it, and counted before the lock was taken; or back, and counted
 * before its owner word was written, which is to say when we have seen that.
 */
static bool bp_audit_owners(struct bp_audit *audit)
{
	u32 missing = 0, first = 0, i;
	s64 may_miss;

	may_miss = audit->depot->nr_wiping - 2 * (s64)bp_audit_waiting(audit) +
		   atomic_read(audit->on_their_way);
	for (i = 0; i < audit->nr_blocks; i++) {
		if (READ_ONCE(audit->owners[i]) != BLOCKPOOL_OWNER_FREE ||
		    test_bit(i, audit->seen))
			continue;
		if (!missing++)
			first = i;
	}
	smp_rmb();	/* pairs with smp_mb__after_atomic() in bp_whole_begin() */
	may_miss += atomic_read(audit->on_their_way);
	if (missing <= may_miss)
		return true;
	return bp_audit_fail(audit, first, "owned by none, but not free");
}

/* Not in NMI.  Returns whether all is well. */
bool bp_audit(struct bp_audit *audit)
{
	unsigned long flags;
	bool well;

	raw_spin_lock_irqsave(&audit->depot->lock, flags);
	well = bp_audit_stack(audit) &&
	       (!audit->on_their_way || bp_audit_owners(audit));
	raw_spin_unlock_irqrestore(&audit->depot->lock, flags);
	return well;
}

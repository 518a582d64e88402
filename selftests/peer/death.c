// SPDX-License-Identifier: GPL-2.0
/*
 * Kills the machine, in ways that nobody survives; and tells beforehand where in its
 * memory it stands who ran and who held what, for somebody outside to read there.
 */

#include <linux/cpumask.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/pid.h>
#include <linux/processor.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>
#include <linux/stddef.h>
#include <linux/vmalloc.h>
#include <kmod/pool.h>

#include "compat.h"
#include "peer.h"

static noinline void death_null(void *arg)
{
	int **nothing = arg;

	WRITE_ONCE(**nothing, 1);
}

/* Not from interrupts: it says so with a BUG. */
static noinline void death_bug(void *arg)
{
	vunmap(NULL);
}

/* This CPU answers to nothing any more; the others soon wait for it. */
static noinline void death_lockup(void *arg)
{
	local_irq_disable();
	for (;;)
		cpu_relax();
}

/* As if process 1 had touched what it must not: of other signals it is spared. */
static long death_init(void)
{
	struct sighand_struct *sighand;
	struct task_struct *init;

	rcu_read_lock();
	init = pid_task(find_vpid(1), PIDTYPE_PID);
	if (init) {
		sighand = rcu_dereference(init->sighand);
		spin_lock_irq(&sighand->siglock);
		init->signal->flags &= ~SIGNAL_UNKILLABLE;
		spin_unlock_irq(&sighand->siglock);
		send_sig(SIGSEGV, init, 1);
	}
	rcu_read_unlock();
	return init ? 0 : -ESRCH;
}

long peer_die(struct peer *peer, struct blockpool_peer_die __user *user)
{
	struct blockpool_peer_die args;
	int *nothing = NULL;

	if (copy_from_user(&args, user, sizeof(args)))
		return -EFAULT;
	switch (args.kind) {
	case BLOCKPOOL_PEER_NULL_IN_SOFTIRQ:
		return peer_call(BLOCKPOOL_PEER_SOFTIRQ, death_null, &nothing);
	case BLOCKPOOL_PEER_BUG_IN_HARDIRQ:
		return peer_call(BLOCKPOOL_PEER_HARDIRQ, death_bug, NULL);
	case BLOCKPOOL_PEER_LOCKUP:
		return peer_call(BLOCKPOOL_PEER_PROCESS, death_lockup, NULL);
	case BLOCKPOOL_PEER_KILL_INIT:
		return death_init();
	default:
		return -EBADR;
	}
}

long peer_truth(struct peer *peer, struct blockpool_peer_truth __user *user)
{
	struct blockpool_peer_truth args = {
		.owners = (uintptr_t)peer->pool->owners,
		.nr_blocks = peer->nr_blocks,
		.nr_cpus = min(num_online_cpus(), BLOCKPOOL_PEER_CPUS_MAX),
		.pid_offset = offsetof(struct task_struct, pid),
		.comm_offset = offsetof(struct task_struct, comm),
	};
	u32 cpu;

	for (cpu = 0; cpu < args.nr_cpus; cpu++)
		args.current_tasks[cpu] = peer_current_task(cpu);
	if (!args.current_tasks[0])
		return -EOPNOTSUPP;
	return copy_to_user(user, &args, sizeof(args)) ? -EFAULT : 0;
}

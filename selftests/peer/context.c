// SPDX-License-Identifier: GPL-2.0
/* Calls a function in the context asked for. */

#include <linux/completion.h>
#include <linux/preempt.h>
#include <linux/slab.h>

#include "compat.h"
#include "peer.h"

struct peer_call {
	struct hrtimer timer;
	struct completion done;
	void (*function)(void *arg);
	void *arg;
	u32 context;
	bool right;
};

bool peer_in_context(u32 context)
{
	switch (context) {
	case BLOCKPOOL_PEER_PROCESS:
		return in_task();
	case BLOCKPOOL_PEER_SOFTIRQ:
		return !in_hardirq() && in_serving_softirq();
	case BLOCKPOOL_PEER_HARDIRQ:
		return in_hardirq() && !in_nmi();
	case BLOCKPOOL_PEER_NMI:
		return in_nmi();
	default:
		return false;
	}
}

/* Both modes say where the timer expires, also on PREEMPT_RT. */
enum hrtimer_mode peer_timer_mode(u32 context)
{
	return context == BLOCKPOOL_PEER_SOFTIRQ ? HRTIMER_MODE_REL_PINNED_SOFT :
						   HRTIMER_MODE_REL_PINNED_HARD;
}

static void peer_call_do(void *arg)
{
	struct peer_call *call = arg;

	call->right = peer_in_context(call->context);
	call->function(call->arg);
}

static enum hrtimer_restart peer_call_expired(struct hrtimer *timer)
{
	struct peer_call *call = container_of(timer, struct peer_call, timer);

	peer_call_do(call);
	complete(&call->done);
	return HRTIMER_NORESTART;
}

/* On this CPU; what the NMI has left to be done later is done on return. */
static int peer_call_nmi(void (*function)(void *arg), void *arg)
{
	struct peer_call call = {
		.function = function,
		.arg = arg,
		.context = BLOCKPOOL_PEER_NMI,
	};
	int cpu;

	if (!peer_nmi_there())
		return -EOPNOTSUPP;
	cpu = get_cpu();
	while (!peer_nmi_send(cpu, peer_call_do, &call))
		cpu_relax();
	peer_nmi_wait(cpu);
	put_cpu();
	return call.right ? 0 : -EPROTO;
}

int peer_call(u32 context, void (*function)(void *arg), void *arg)
{
	enum hrtimer_mode mode = peer_timer_mode(context);
	struct peer_call *call;
	int ret;

	if (context == BLOCKPOOL_PEER_PROCESS) {
		function(arg);
		return 0;
	}
	if (context == BLOCKPOOL_PEER_NMI)
		return peer_call_nmi(function, arg);
	call = kzalloc(sizeof(*call), GFP_KERNEL);
	if (!call)
		return -ENOMEM;
	call->function = function;
	call->arg = arg;
	call->context = context;
	init_completion(&call->done);
	hrtimer_setup(&call->timer, peer_call_expired, CLOCK_MONOTONIC, mode);
	hrtimer_start(&call->timer, 0, mode);
	wait_for_completion(&call->done);
	/* It may not have returned from the function yet. */
	hrtimer_cancel(&call->timer);
	ret = call->right ? 0 : -EPROTO;
	kfree(call);
	return ret;
}

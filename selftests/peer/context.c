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
		return in_hardirq();
	default:
		return false;
	}
}

/* Both modes say where the timer expires, also on PREEMPT_RT. */
enum hrtimer_mode peer_timer_mode(u32 context)
{
	return context == BLOCKPOOL_PEER_HARDIRQ ? HRTIMER_MODE_REL_PINNED_HARD :
						   HRTIMER_MODE_REL_PINNED_SOFT;
}

static enum hrtimer_restart peer_call_expired(struct hrtimer *timer)
{
	struct peer_call *call = container_of(timer, struct peer_call, timer);

	call->right = peer_in_context(call->context);
	call->function(call->arg);
	complete(&call->done);
	return HRTIMER_NORESTART;
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

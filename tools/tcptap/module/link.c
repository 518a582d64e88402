// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/moduleparam.h>
#include <linux/rcupdate.h>
#include <linux/workqueue.h>

#include "link.h"
#include "segment.h"

#define TAP_LINK_PERIOD (HZ / 5)	/* between two looks for the port */

static char *pool = "tap";
module_param(pool, charp, 0444);
MODULE_PARM_DESC(pool, "name of the pool");

static char *port = "tcp";
module_param(port, charp, 0444);
MODULE_PARM_DESC(port, "name of the pool's port that gets the copies");

/* Written by who looks for the port, while tap_link_now does not point there. */
static struct tap_link tap_link_only;
static const struct tap_link __rcu *tap_link_now;

const struct tap_link *tap_link(void)
{
	return rcu_dereference(tap_link_now);
}

bool tap_link_is_made(void)
{
	return rcu_access_pointer(tap_link_now);
}

static struct blockpool_port *tap_link_port(struct blockpool *of)
{
	const struct blockpool_port_attr attr = {
		.name = port, .flags = BLOCKPOOL_BIND_SEND,
	};

	return blockpool_port_open(of, &attr, NULL, NULL);
}

static void tap_link_make(struct tap_link *link)
{
	link->pool = blockpool_get(pool);
	if (IS_ERR(link->pool))
		return;
	link->port = ERR_PTR(-EMSGSIZE);
	if (blockpool_block_size(link->pool) > sizeof(struct blockpool_segment))
		link->port = tap_link_port(link->pool);
	if (IS_ERR(link->port))
		blockpool_put(link->pool);
	else
		rcu_assign_pointer(tap_link_now, link);
}

static void tap_link_end(struct tap_link *link)
{
	RCU_INIT_POINTER(tap_link_now, NULL);
	synchronize_rcu();
	blockpool_port_close(link->port);
	blockpool_put(link->pool);
}

/* Is another port, or none, what is found by that name? */
static bool tap_link_ended(const struct tap_link *link)
{
	struct blockpool_port *found = tap_link_port(link->pool);
	bool same;

	if (IS_ERR(found))
		return true;
	same = blockpool_port_number(found) == blockpool_port_number(link->port);
	blockpool_port_close(found);
	return !same;
}

static void tap_link_look(struct work_struct *work)
{
	struct tap_link *link = &tap_link_only;

	if (tap_link_is_made() && tap_link_ended(link))
		tap_link_end(link);
	if (!tap_link_is_made())
		tap_link_make(link);
	schedule_delayed_work(to_delayed_work(work), TAP_LINK_PERIOD);
}

static DECLARE_DELAYED_WORK(tap_link_work, tap_link_look);

/* The first look is now: a port that is there already misses nothing. */
void tap_link_start(void)
{
	tap_link_look(&tap_link_work.work);
}

void tap_link_stop(void)
{
	cancel_delayed_work_sync(&tap_link_work);
	if (tap_link_is_made())
		tap_link_end(&tap_link_only);
}

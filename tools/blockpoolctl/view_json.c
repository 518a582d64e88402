// SPDX-License-Identifier: GPL-2.0
#include "view.h"

#include "flags.h"
#include "json.h"
#include "port.h"

void view_json_flags(__u32 flags)
{
	char letters[DEBUG_LETTERS];

	json_bool("persist", flags & BLOCKPOOL_PERSIST);
	json_bool("isolated", flags & BLOCKPOOL_ISOLATED);
	json_string("debug", debug_letters(letters, flags));
}

void view_json_pool(const struct view *view)
{
	const struct blockpool_info *info = &view->info;

	json_string("name", info->name);
	json_number("block_size", info->block_size);
	json_number("nr_blocks", info->nr_blocks);
	json_number("stride", info->stride);
	json_number("map_size", info->map_size);
	json_number("client_max", info->client_max);
	json_octal("mode", info->mode);
	json_number("uid", info->uid);
	json_number("gid", info->gid);
	json_number("reserve", info->reserve);
	view_json_flags(info->flags);
}

void view_json_stats(const struct view *view)
{
	const struct blockpool_stats *stats = &view->stats;

	json_number("nr_free", stats->nr_free);
	json_number("nr_cached", stats->nr_cached);
	json_number("nr_held", stats->nr_held);
	json_number("nr_kernel", stats->nr_kernel);
	json_number("nr_in_flight", stats->nr_in_flight);
	json_number("nr_clients", stats->nr_clients);
	json_number("nr_waiting", stats->nr_waiting);
	json_number("min_free", stats->min_free);
	json_number("allocs", stats->allocs);
	json_number("frees", stats->frees);
	json_number("reclaimed", stats->reclaimed);
	json_number("failures", stats->failures);
	json_number("refused", stats->refused);
	json_number("waits", stats->waits);
	json_number("nr_quarantined", stats->nr_quarantined);
	json_number("reports", stats->reports);
}

void view_json_holders(const struct view *view)
{
	json_array("holders");
	for (size_t i = 0; i < view->nr_holders; i++) {
		const struct blockpool_holder_args *h = &view->holders[i];

		json_object(NULL);
		json_number("client", h->cursor);
		json_number("pid", h->pid);
		json_string("comm", h->comm);
		json_number("uid", h->uid);
		json_number("held", h->held);
		json_number("limit", h->limit);
		json_end();
	}
	json_end();
}

static void json_port(__u32 word, const char *name)
{
	json_string("state", "port");
	json_number("port", port_number(word));
	if (name)
		json_string("port_name", name);
	else
		json_null("port_name");
}

void view_json_owner(__u32 word, const char *port)
{
	switch (word) {
	case BLOCKPOOL_OWNER_FREE:
		json_string("state", "free");
		break;
	case BLOCKPOOL_OWNER_KERNEL:
		json_string("state", "kernel");
		break;
	case BLOCKPOOL_OWNER_QUARANTINE:
		json_string("state", "quarantine");
		break;
	case BLOCKPOOL_OWNER_SHARED:
		json_string("state", "shared");
		break;
	default:
		if (is_port(word)) {
			json_port(word, port);
			break;
		}
		json_string("state", "client");
		json_number("client", word);
	}
}

/* NULL if it is not a port's, or one's that is no more. */
static const char *port_of(const struct view *view, __u32 word)
{
	for (size_t i = 0; is_port(word) && i < view->nr_ports; i++)
		if (view->ports[i].cursor == port_number(word))
			return view->ports[i].name;
	return NULL;
}

static void json_run(const struct view *view, __u32 first, __u32 count)
{
	__u32 owner = view->owners[first];

	json_object(NULL);
	json_number("first", first);
	json_number("count", count);
	view_json_owner(owner, port_of(view, owner));
	json_end();
}

/* Neighbours with one owner make one run: short, and yet exact. */
void view_json_runs(const struct view *view)
{
	__u32 first = 0, nr = view->info.nr_blocks;

	json_array("runs");
	for (__u32 i = 1; i <= nr; i++) {
		if (i < nr && view->owners[i] == view->owners[first])
			continue;
		json_run(view, first, i - first);
		first = i;
	}
	json_end();
}

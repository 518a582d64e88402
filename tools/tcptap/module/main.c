// SPDX-License-Identifier: GPL-2.0
/*
 * blockpool_tap: copies the TCP segments of chosen ports into blocks and sends them
 * to a port of blockpool, on their way, in softirq context.
 *
 * Seen is what this machine's TCP receives and sends, after the firewall had its
 * say, and each segment once: one that comes back through the loopback interface is
 * taken where it comes in.  A segment that TCP lets a device cut up, or that was put
 * together on arrival, is one packet of up to 64 KiB.
 *
 * Only the initial network namespace is tapped.  Others have addresses and interface
 * names of their own, which would be mixed up in one file, and they may be of users
 * who are no business of who reads the port.
 *
 * No packet waits for the tap: without a free block, or room in the port, there is no
 * copy of it, and it is counted.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/tcp.h>
#include <linux/timekeeping.h>
#include <net/ipv6.h>

#include "counts.h"
#include "link.h"
#include "segment.h"

#define TAP_TCP_PORTS_MAX 16

static unsigned short tcp_ports[TAP_TCP_PORTS_MAX];
static unsigned int nr_tcp_ports;
module_param_array(tcp_ports, ushort, &nr_tcp_ports, 0444);
MODULE_PARM_DESC(tcp_ports, "TCP ports whose segments are copied");

/* Where the TCP header begins, or -1. */
static int tap_tcp_offset(const struct sk_buff *skb, u8 family)
{
	__be16 fragment;
	int offset;
	u8 next;

	if (family == NFPROTO_IPV4)
		return ip_hdr(skb)->protocol == IPPROTO_TCP ? ip_hdrlen(skb) : -1;
	next = ipv6_hdr(skb)->nexthdr;
	offset = ipv6_skip_exthdr(skb, sizeof(struct ipv6hdr), &next, &fragment);
	return next == IPPROTO_TCP && !(fragment & htons(IP6_OFFSET)) ? offset : -1;
}

static bool tap_wants(const struct sk_buff *skb, u8 family)
{
	int offset = tap_tcp_offset(skb, family);
	const __be16 *ports;	/* source, destination */
	__be16 buffer[2];
	unsigned int i;

	if (offset < 0)
		return false;
	ports = skb_header_pointer(skb, offset, sizeof(buffer), buffer);
	if (!ports)
		return false;
	for (i = 0; i < nr_tcp_ports; i++)
		if (ntohs(ports[0]) == tcp_ports[i] || ntohs(ports[1]) == tcp_ports[i])
			return true;
	return false;
}

/* Returns the bytes of the message. */
static u32 tap_copy(void *block, size_t size, const struct sk_buff *skb,
		    const struct nf_hook_state *state)
{
	bool in = state->hook == NF_INET_LOCAL_IN;
	struct blockpool_segment *segment = block;
	u32 n = min_t(size_t, skb->len, size - sizeof(*segment));

	memset(segment, 0, sizeof(*segment));
	segment->time = ktime_get_real_ns();
	segment->length = skb->len;
	segment->direction = in ? BLOCKPOOL_SEGMENT_IN : BLOCKPOOL_SEGMENT_OUT;
	strscpy(segment->interface, (in ? state->in : state->out)->name,
		sizeof(segment->interface));
	skb_copy_bits(skb, 0, segment + 1, n);
	return sizeof(*segment) + n;
}

static enum tap_fate tap_send(const struct tap_link *link, void *block, u32 length)
{
	struct blockpool_message message = {
		.index = blockpool_index(link->pool, block),
		.length = length,
	};
	int sent = blockpool_send(link->port, GFP_ATOMIC, &message, 1);

	if (sent == 1)
		return TAP_CAPTURED;
	blockpool_free(link->pool, block);
	return sent == -EPIPE ? TAP_CLOSED : TAP_FULL;
}

static enum tap_fate tap_take(const struct sk_buff *skb,
			      const struct nf_hook_state *state)
{
	const struct tap_link *link = tap_link();
	void *block;
	u32 length;

	if (!link)
		return TAP_CLOSED;
	block = blockpool_alloc(link->pool, GFP_ATOMIC);
	if (!block)
		return TAP_DRY;
	length = tap_copy(block, blockpool_block_size(link->pool), skb, state);
	return tap_send(link, block, length);
}

/* What goes out by a loopback interface comes in there. */
static unsigned int tap_hook(void *priv, struct sk_buff *skb,
			     const struct nf_hook_state *state)
{
	bool back = state->hook == NF_INET_LOCAL_OUT &&
		    (state->out->flags & IFF_LOOPBACK);

	if (!back && tap_wants(skb, state->pf))
		tap_count(tap_take(skb, state));
	return NF_ACCEPT;
}

#define TAP_HOOK(family, number) {			\
	.hook = tap_hook,				\
	.pf = family,					\
	.hooknum = number,				\
	.priority = NF_IP_PRI_LAST,			\
}

static const struct nf_hook_ops tap_hooks[] = {
	TAP_HOOK(NFPROTO_IPV4, NF_INET_LOCAL_IN),
	TAP_HOOK(NFPROTO_IPV4, NF_INET_LOCAL_OUT),
	TAP_HOOK(NFPROTO_IPV6, NF_INET_LOCAL_IN),
	TAP_HOOK(NFPROTO_IPV6, NF_INET_LOCAL_OUT),
};

static int __init tap_init(void)
{
	int ret;

	if (!nr_tcp_ports) {
		pr_err("blockpool_tap: tcp_ports= is missing\n");
		return -EINVAL;
	}
	tap_link_start();
	ret = nf_register_net_hooks(&init_net, tap_hooks, ARRAY_SIZE(tap_hooks));
	if (ret)
		tap_link_stop();
	return ret;
}

static void __exit tap_exit(void)
{
	nf_unregister_net_hooks(&init_net, tap_hooks, ARRAY_SIZE(tap_hooks));
	tap_link_stop();
}

module_init(tap_init);
module_exit(tap_exit);
MODULE_DESCRIPTION("Copies TCP segments into blocks, for blockpool-tap");
MODULE_LICENSE("GPL");

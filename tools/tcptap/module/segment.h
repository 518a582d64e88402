/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/* What blockpool_tap puts into a block, with the bytes of the packet behind it. */
#ifndef BLOCKPOOL_SEGMENT_H
#define BLOCKPOOL_SEGMENT_H

#include <linux/types.h>

#define BLOCKPOOL_SEGMENT_IN	1U
#define BLOCKPOOL_SEGMENT_OUT	2U

/**
 * struct blockpool_segment - head of a TCP segment's copy
 * @time: when it was copied, in nanoseconds since 1970
 * @length: bytes of the packet, from its IP header on; the message has fewer of them
 *	if the block was too small
 * @direction: BLOCKPOOL_SEGMENT_IN or BLOCKPOOL_SEGMENT_OUT
 * @interface: name of the interface, NUL-terminated
 */
struct blockpool_segment {
	__u64 time;
	__u32 length;
	__u32 direction;
	char interface[16];
};

#endif /* BLOCKPOOL_SEGMENT_H */

/* SPDX-License-Identifier: LGPL-2.1-only OR MIT */
/*
 * The caller's call stack, by the unwind tables that each program has, with frame
 * pointers or without.  It needs no memory and takes no lock, so it may be taken in
 * a signal handler, but some KiB of stack.
 */
#ifndef BLOCKPOOL_TRACE_H
#define BLOCKPOOL_TRACE_H

#include "internal.h"

/*
 * Up to BLOCKPOOL_FRAMES_MAX frames from @caller on outwards; how many.  NULL: from
 * here on.
 */
u32 bp_trace(const void *caller, u64 *frames) bp_hidden;

#endif /* BLOCKPOOL_TRACE_H */

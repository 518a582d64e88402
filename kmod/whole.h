/* SPDX-License-Identifier: GPL-2.0 */
/* The whole pool, looked at: at each call, when asked, or from time to time. */
#ifndef BLOCKPOOL_WHOLE_H
#define BLOCKPOOL_WHOLE_H

#include "debug.h"

void bp_whole_begin(struct bp_debug *debug, u32 n);
void bp_whole_end(struct bp_debug *debug, u32 n, u32 found,
		  const struct bp_caller *caller);

int bp_whole_check(struct bp_debug *debug, const struct bp_caller *caller,
		   u32 *damaged);
int bp_whole_repair(struct bp_debug *debug, u32 *repaired);

void bp_sweep_start(struct bp_debug *debug);
void bp_sweep_stop(struct bp_debug *debug);

#endif /* BLOCKPOOL_WHOLE_H */

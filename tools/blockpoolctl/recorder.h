/* SPDX-License-Identifier: GPL-2.0 */
/* recorder setup: memory that outlives a boot, and who arms it. */
#ifndef BLOCKPOOLCTL_RECORDER_H
#define BLOCKPOOLCTL_RECORDER_H

#include "ctl.h"

int recorder_setup(const struct opts *opts);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* The pools of the past: what each event of theirs does to them. */
#ifndef BLACKBOX_POOLS_H
#define BLACKBOX_POOLS_H

#include "history.h"

/* Events of other systems change nothing. */
void pools_take(struct history *history, const struct event *event);

/* All events are in: count who has what. */
void pools_end(struct history *history);

void pools_free(struct history *history);

#endif

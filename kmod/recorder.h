/* SPDX-License-Identifier: GPL-2.0 */
/* The recorder: who holds what, from time to time and at the end. */
#ifndef BLOCKPOOL_RECORDER_H
#define BLOCKPOOL_RECORDER_H

void bp_recorder_init(void);
void bp_recorder_exit(void);

#endif /* BLOCKPOOL_RECORDER_H */

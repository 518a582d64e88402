/* SPDX-License-Identifier: GPL-2.0 */
/* /dev/blockpool. */
#ifndef BLOCKPOOL_DEVICE_H
#define BLOCKPOOL_DEVICE_H

int bp_device_register(void);
void bp_device_unregister(void);

#endif /* BLOCKPOOL_DEVICE_H */

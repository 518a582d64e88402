/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CRC32C_H
#define CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli) as iSCSI and btrfs define it: "123456789" is e3069283. */
uint32_t crc32c(const void *data, size_t length);

#endif /* CRC32C_H */

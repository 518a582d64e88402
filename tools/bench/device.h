/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A stand-in for /dev/blockpool where the module is not loaded: the program's own
 * open() and ioctl() go before the C library's and know one pool and one client.
 * An ALLOC or FREE enters the kernel as it would, is refused there by a file that
 * knows no ioctl, and is then done here.
 */
#ifndef BENCH_DEVICE_H
#define BENCH_DEVICE_H

/* ALLOCs and FREEs so far. */
unsigned long device_allocs(void);
unsigned long device_frees(void);

#endif /* BENCH_DEVICE_H */

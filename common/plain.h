/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The few words that plain-C headers need in both worlds: kernel, and the host
 * side of the tests.
 */
#ifndef BLOCKPOOL_PLAIN_H
#define BLOCKPOOL_PLAIN_H

#include <linux/types.h>

#ifdef __KERNEL__
#include <linux/string.h>
#else
#include <stdbool.h>
#include <string.h>
typedef __u32 u32;
typedef __u64 u64;
#endif

#endif /* BLOCKPOOL_PLAIN_H */

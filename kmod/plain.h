/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The few words that plain-C headers need in both worlds: kernel, and the host
 * side of the tests.
 */
#ifndef BLOCKPOOL_PLAIN_H
#define BLOCKPOOL_PLAIN_H

#ifdef __KERNEL__
#include <linux/string.h>
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
typedef uint32_t u32;
typedef uint64_t u64;
#endif

#endif /* BLOCKPOOL_PLAIN_H */

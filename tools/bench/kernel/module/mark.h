/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Marks in the stream of instructions, for the emulator's plugin that counts
 * them (count.c): long nops with a displacement that nobody else uses.
 */
#ifndef BENCH_MARK_H
#define BENCH_MARK_H

#define BENCH_MARK_BASE		0x62706d00	/* "mpb", little endian, and a zero */

#define BENCH_MARK_ARM		1	/* translate anew, and watch from now on */
#define BENCH_MARK_DISARM	2
#define BENCH_MARK_TAKE		3	/* what follows belongs to a take */
#define BENCH_MARK_GIVE		4
#define BENCH_MARK_END		5	/* no more */

#endif /* BENCH_MARK_H */

/* SPDX-License-Identifier: GPL-2.0 */
/* DPDK in one process, without huge pages, devices or files. */
#ifndef BENCH_DPDK_H
#define BENCH_DPDK_H

/*
 * Memory for the blocks, each with a header of at most 128 bytes and 32 bytes in
 * whatever holds the free ones.
 */
static inline void dpdk_init(unsigned int blocks, unsigned int block_size)
{
	static const char * const fixed[] = {
		"bench", "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry",
		"--iova-mode=va", "--log-level=error", "-m",
	};
	size_t n = sizeof(fixed) / sizeof(*fixed);
	char *args[16], megabytes[16];

	snprintf(megabytes, sizeof(megabytes), "%zu",
		 64 + (((size_t)block_size + 160) * blocks >> 20));
	memcpy(args, fixed, sizeof(fixed));
	args[n] = megabytes;
	args[n + 1] = NULL;
	if (rte_eal_init((int)n + 1, args) < 0)
		die("rte_eal_init failed");
}

/* Without it a thread has no cache. */
static inline void dpdk_thread(void)
{
	if (rte_lcore_id() == LCORE_ID_ANY && rte_thread_register())
		die("rte_thread_register failed");
}

#endif /* BENCH_DPDK_H */

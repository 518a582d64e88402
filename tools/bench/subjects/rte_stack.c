// SPDX-License-Identifier: GPL-2.0
/* DPDK's rte_stack: with a lock, or with FLAGS RTE_STACK_F_LF without. */
#define SUBJECT_BULK

#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_stack.h>
#include "dpdk.h"

static struct rte_stack *stack;

static void subject_open(unsigned int blocks, unsigned int block_size)
{
	char *memory = (char *)get_memory((size_t)blocks * block_size);
	unsigned int i;
	void *block;

	dpdk_init(blocks, 0);
	stack = rte_stack_create("bench", blocks, SOCKET_ID_ANY, FLAGS);
	if (!stack)
		die("rte_stack_create failed");
	for (i = 0; i < blocks; i++) {
		block = memory + (size_t)i * block_size;
		rte_stack_push(stack, &block, 1);
	}
}

static void subject_thread(void)
{
	dpdk_thread();
}

static inline void *take(void)
{
	void *block;

	return rte_stack_pop(stack, &block, 1) ? block : NULL;
}

static inline void give(void *block)
{
	rte_stack_push(stack, &block, 1);
}

static inline void take_bulk(void **blocks, unsigned int n)
{
	if (rte_stack_pop(stack, blocks, n) != n)
		die("rte_stack_pop failed");
}

static inline void give_bulk(void **blocks, unsigned int n)
{
	rte_stack_push(stack, blocks, n);
}

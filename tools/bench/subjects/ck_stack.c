// SPDX-License-Identifier: GPL-2.0
/* Concurrency Kit's lock-free stack, linked through the blocks themselves. */
#include <ck_stack.h>

static ck_stack_t stack = CK_STACK_INITIALIZER;

static void subject_open(unsigned int blocks, unsigned int block_size)
{
	char *memory = (char *)get_memory((size_t)blocks * block_size);

	while (blocks--)
		ck_stack_push_mpmc(&stack, (ck_stack_entry_t *)
				   (memory + (size_t)blocks * block_size));
}

static void subject_thread(void)
{
}

static inline void *take(void)
{
	return ck_stack_pop_mpmc(&stack);
}

static inline void give(void *block)
{
	ck_stack_push_mpmc(&stack, (ck_stack_entry_t *)block);
}

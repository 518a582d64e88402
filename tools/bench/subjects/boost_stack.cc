// SPDX-License-Identifier: GPL-2.0
/* boost::lockfree::stack, with nodes for all blocks from the start. */
#include <boost/lockfree/stack.hpp>

static boost::lockfree::stack<void *> *stack;

static void subject_open(unsigned int blocks, unsigned int block_size)
{
	char *memory = (char *)get_memory((size_t)blocks * block_size);

	stack = new boost::lockfree::stack<void *>(blocks);
	while (blocks--)
		stack->bounded_push(memory + (size_t)blocks * block_size);
}

static void subject_thread(void)
{
}

static inline void *take(void)
{
	void *block;

	return stack->pop(block) ? block : NULL;
}

static inline void give(void *block)
{
	stack->bounded_push(block);
}

// SPDX-License-Identifier: GPL-2.0
/* boost::interprocess::managed_shared_memory, filled to the last block. */
#include <new>
#include <string>
#include <unistd.h>
#include <vector>
#include <boost/interprocess/managed_shared_memory.hpp>

static boost::interprocess::managed_shared_memory *segment;
static unsigned int size;

static inline void *take(void)
{
	return segment->allocate(size, std::nothrow);
}

static inline void give(void *block)
{
	segment->deallocate(block);
}

/* What there is room for beyond the blocks is taken for good. */
static void subject_open(unsigned int blocks, unsigned int block_size)
{
	namespace bip = boost::interprocess;
	std::string name = "blockpool-kills-" + std::to_string(getpid());
	std::vector<void *> all;

	size = block_size;
	segment = new bip::managed_shared_memory(bip::create_only, name.c_str(),
						 (size_t)blocks * (block_size + 64));
	bip::shared_memory_object::remove(name.c_str());
	while (void *block = take())
		all.push_back(block);
	for (unsigned int i = 0; i < blocks && i < all.size(); i++)
		give(all[i]);
}

static void subject_thread(void)
{
}

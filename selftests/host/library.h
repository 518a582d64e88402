/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests of the library on the model share. */
#ifndef HOST_LIBRARY_H
#define HOST_LIBRARY_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "blockpool.h"
#include "model.h"

/* The call fails with this errno. */
#define EXPECT_ERRNO(error, failed) do {	\
	errno = 0;				\
	EXPECT_TRUE(failed);			\
	EXPECT_EQ(error, errno);		\
} while (0)

/* With AddressSanitizer there would be no magazines to test. */
static inline __attribute__((constructor)) void keep_magazines(void)
{
	setenv("BLOCKPOOL_DEBUG", "0", 1);
}

static inline bool take(struct blockpool *pool, void **blocks, int n)
{
	while (n--) {
		blocks[n] = blockpool_alloc(pool);
		if (!blocks[n])
			return false;
	}
	return true;
}

static inline bool give(struct blockpool *pool, void **blocks, int n)
{
	while (n--) {
		if (blockpool_free(pool, blocks[n]))
			return false;
	}
	return true;
}

#endif /* HOST_LIBRARY_H */

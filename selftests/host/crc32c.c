// SPDX-License-Identifier: GPL-2.0
/* The demonstration's CRC-32C, against the figures of RFC 3720, B.4. */
#include "harness.h"
#include "../../tools/demo/crc32c.h"

TEST(known_figures)
{
	unsigned char data[32];
	unsigned int i;

	ASSERT_EQ(0xe3069283u, crc32c("123456789", 9));
	ASSERT_EQ(0u, crc32c("", 0));
	memset(data, 0, sizeof(data));
	ASSERT_EQ(0x8a9136aau, crc32c(data, sizeof(data)));
	memset(data, 0xff, sizeof(data));
	ASSERT_EQ(0x62a8ab43u, crc32c(data, sizeof(data)));
	for (i = 0; i < sizeof(data); i++)
		data[i] = i;
	ASSERT_EQ(0x46dd794eu, crc32c(data, sizeof(data)));
	for (i = 0; i < sizeof(data); i++)
		data[i] = 31 - i;
	ASSERT_EQ(0x113fdb5cu, crc32c(data, sizeof(data)));
}

TEST_HARNESS_MAIN

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's own harness, with more time for each test: one that takes a second may
 * take minutes on an emulated machine that looks at each access, beside other work.
 * What hangs is ended all the same, by the runner's limit for the program.
 */
#ifndef SELFTESTS_HARNESS_H
#define SELFTESTS_HARNESS_H

#include "kselftest_harness.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	240	/* seconds */

#endif /* SELFTESTS_HARNESS_H */

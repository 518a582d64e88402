/* SPDX-License-Identifier: GPL-2.0 */
/* Pages out of the kernel's ring buffer: what has been read, it has no more. */
#ifndef BLACKBOX_PAGES_H
#define BLACKBOX_PAGES_H

#include <tracefs/tracefs.h>

#include "bytes.h"

/*
 * All that a CPU has now, whole pages one behind the other; the caller frees them.
 * False: it cannot be read, or its pages are not of that size.
 */
bool pages_read(struct tracefs_cpu *reader, size_t page_size, struct bytes *pages);
void pages_free(struct bytes *pages);

#endif

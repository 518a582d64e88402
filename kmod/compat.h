/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where kernels differ.  Kbuild looks for the feature in the headers it builds
 * against, since distributions move features between versions.
 */
#ifndef BLOCKPOOL_COMPAT_H
#define BLOCKPOOL_COMPAT_H

#include <linux/mm.h>

#ifndef BP_HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

#endif /* BLOCKPOOL_COMPAT_H */

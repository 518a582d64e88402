// SPDX-License-Identifier: LGPL-2.1-only OR MIT
#include <unwind.h>

#include "modules.h"
#include "trace.h"

#define INSIDE_MAX	16	/* more frames than the library has of its own */

struct walk {
	uintptr_t caller;
	u64 *frames;
	u32 nr;
	u32 inside;		/* frames of the library so far */
	bool outside;		/* the caller's was reached */
};

/*
 * Where a signal interrupted a function, the address is not behind a call but that
 * of the next instruction: one more, so that all say the same.
 */
static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *arg)
{
	struct walk *walk = arg;
	int exact = 0;
	uintptr_t address = _Unwind_GetIPInfo(context, &exact);

	if (!address)
		return _URC_END_OF_STACK;
	if (!walk->caller || address == walk->caller)
		walk->outside = true;
	if (!walk->outside)
		return ++walk->inside < INSIDE_MAX ? _URC_NO_REASON :
						     _URC_END_OF_STACK;
	walk->frames[walk->nr++] = bp_modules_frame(address + (exact != 0));
	return walk->nr < BLOCKPOOL_FRAMES_MAX ? _URC_NO_REASON :
						 _URC_END_OF_STACK;
}

/* Where nothing can be unwound, the caller at least is known. */
u32 bp_trace(const void *caller, u64 *frames)
{
	struct walk walk = { .caller = (uintptr_t)caller, .frames = frames };

	_Unwind_Backtrace(step, &walk);
	if (!walk.nr) {
		frames[0] = bp_modules_frame(walk.caller);
		walk.nr = 1;
	}
	return walk.nr;
}

// SPDX-License-Identifier: MIT
/*
 * Callbacks can read but not change: a change would wait for others, and two
 * callbacks could wait for each other, also across VMs.  So each thread counts
 * how deep it is in callbacks, whichever handle they came from.
 */
#include "callback.h"
#include "error.h"

static _Thread_local unsigned int gmem__callback_depth;

void gmem__call_trace(const struct gmem__ctx *ctx, const struct gmem_trace *ev)
{
	gmem__callback_depth++;
	ctx->trace(ctx->trace_arg, ev);
	gmem__callback_depth--;
}

bool gmem__call_progress(gmem_progress_fn *fn, void *arg, uint64_t done,
			 uint64_t total)
{
	bool more;

	if (!fn)
		return true;
	gmem__callback_depth++;
	more = fn(arg, done, total) == 0;
	gmem__callback_depth--;
	return more;
}

bool gmem__call_run(gmem_run_fn *fn, void *arg, uint64_t offset, uint64_t len,
		    int node)
{
	bool more;

	if (!fn)
		return true;
	gmem__callback_depth++;
	more = fn(arg, offset, len, node) == 0;
	gmem__callback_depth--;
	return more;
}

int gmem__call_resident(gmem_resident_fn *fn, void *arg, uint64_t offset,
			uint64_t len)
{
	int r;

	gmem__callback_depth++;
	r = fn(arg, offset, len);
	gmem__callback_depth--;
	return r;
}

int gmem__not_in_callback(struct gmem_error *err)
{
	if (!gmem__callback_depth)
		return 0;
	return gmem__fail(err, GMEM_REASON_DEADLOCK, 0, 0,
			  "a callback of libgmem must not change anything");
}

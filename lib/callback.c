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

void gmem__call_progress(gmem_progress_fn *fn, void *arg, uint64_t done,
			 uint64_t total)
{
	if (!fn)
		return;
	gmem__callback_depth++;
	fn(arg, done, total);
	gmem__callback_depth--;
}

void gmem__call_run(gmem_run_fn *fn, void *arg, uint64_t offset, uint64_t len,
		    int node)
{
	if (!fn)
		return;
	gmem__callback_depth++;
	fn(arg, offset, len, node);
	gmem__callback_depth--;
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
			  "a callback of libgmem's may not change anything");
}

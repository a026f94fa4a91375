/* SPDX-License-Identifier: MIT */
/* Every call of a caller's function; NULL is none. */
#ifndef GMEM_LIB_CALLBACK_H
#define GMEM_LIB_CALLBACK_H

#include <stdbool.h>

#include "ctx.h"

void gmem__call_trace(const struct gmem__ctx *ctx, const struct gmem_trace *ev);
/* Whether the caller wants more. */
bool gmem__call_progress(gmem_progress_fn *fn, void *arg, uint64_t done,
			 uint64_t total);
bool gmem__call_run(gmem_run_fn *fn, void *arg, uint64_t offset, uint64_t len,
		    int node);
/* What @fn, which is not NULL, returns. */
int gmem__call_resident(gmem_resident_fn *fn, void *arg, uint64_t offset,
			uint64_t len);
/* -EDEADLK in this thread's callback: for calls that change something. */
int gmem__not_in_callback(struct gmem_error *err);

#endif

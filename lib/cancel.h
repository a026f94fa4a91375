/* SPDX-License-Identifier: MIT */
/* A caller's wish to stop, which another thread may store at any time. */
#ifndef GMEM_LIB_CANCEL_H
#define GMEM_LIB_CANCEL_H

#include <stdbool.h>

#include "error.h"

static inline bool gmem__cancelled(const int *cancel)
{
	return cancel && __atomic_load_n(cancel, __ATOMIC_RELAXED);
}

/* Between two steps of a call that has done @done bytes: 0 or -ECANCELED. */
static inline int gmem__cancel_check(const int *cancel, uint64_t done,
				     struct gmem_error *err)
{
	return gmem__cancelled(cancel) ? gmem__fail_cancelled(done, err) : 0;
}

#endif

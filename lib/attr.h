/* SPDX-License-Identifier: MIT */
/* Attributes of a range that is the caller's by ticket. */
#ifndef GMEM_LIB_ATTR_H
#define GMEM_LIB_ATTR_H

#include <stdbool.h>
#include <stdint.h>

#include <gmem.h>

#include "record.h"

/*
 * Whether the range can become @state: slots cover it, the VM converts, and
 * unless @unbacked something is behind it that can be shared.
 */
int gmem__attr_check(struct gmem *g, uint64_t offset, uint64_t len,
		     enum gmem__state state, bool unbacked,
		     struct gmem_error *err);
/* Tells the kernel, in steps, and records what it took; sets err->done. */
int gmem__attr_convert(struct gmem *g, uint64_t offset, uint64_t len,
		       enum gmem__state state, const int *cancel,
		       struct gmem_error *err);
/* In place: all of the range becomes shared, or nothing of it; -errno. */
int gmem__attr_all_shared(struct gmem *g, uint64_t offset, uint64_t len);
void gmem__attr_record(struct gmem *g, uint64_t offset, uint64_t len,
		       enum gmem__state state);

#endif

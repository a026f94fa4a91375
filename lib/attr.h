/* SPDX-License-Identifier: MIT */
/* Attributes of a range whose ticket the caller holds. */
#ifndef GMEM_LIB_ATTR_H
#define GMEM_LIB_ATTR_H

#include <stdbool.h>
#include <stdint.h>

#include <gmem.h>

#include "record.h"

/*
 * Whether the range can become @state: slots cover it, the VM converts, and
 * unless @unbacked it has a shared side.
 */
int gmem__attr_check(struct gmem *g, uint64_t offset, uint64_t len,
		     enum gmem__state state, bool unbacked,
		     struct gmem_error *err);
/* Converts in steps and records what was converted; sets err->done. */
int gmem__attr_convert(struct gmem *g, uint64_t offset, uint64_t len,
		       enum gmem__state state, const int *cancel,
		       struct gmem_error *err);
/* In place: all of the range becomes shared, or nothing of it; -errno. */
int gmem__attr_all_shared(struct gmem *g, uint64_t offset, uint64_t len);
void gmem__attr_record(struct gmem *g, uint64_t offset, uint64_t len,
		       enum gmem__state state);

#endif

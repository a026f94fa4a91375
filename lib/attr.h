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
/* Converts in steps and records what was converted: *@done bytes. */
int gmem__attr_convert(struct gmem *g, uint64_t offset, uint64_t len,
		       enum gmem__state state, const int *cancel,
		       uint64_t *done, struct gmem_error *err);
/*
 * One step in the kernel, with its retries; @cancel is looked at between them.
 * *@n bytes were converted, also on failure, which was at *@at.
 */
int gmem__attr_set(struct gmem *g, uint64_t pos, uint64_t len,
		   enum gmem__state state, const int *cancel, uint64_t *n,
		   uint64_t *at);
/* Its error @sys at @at, for the caller. */
int gmem__attr_refused(int sys, uint64_t at, struct gmem_error *err);
/* The kernel has it: so has the record now. */
void gmem__attr_was_set(struct gmem *g, uint64_t offset, uint64_t len,
			enum gmem__state state);
/* In place: all of the range becomes shared, or nothing of it; -errno. */
int gmem__attr_all_shared(struct gmem *g, uint64_t offset, uint64_t len);
void gmem__attr_record(struct gmem *g, uint64_t offset, uint64_t len,
		       enum gmem__state state);

struct gmem__opts_type;
extern const struct gmem__opts_type gmem__attributes_opts;
/* What the caller's @attributes are in the record, and the other way. */
int gmem__attr_state(uint64_t attributes, enum gmem__state *state,
		     struct gmem_error *err);
uint64_t gmem__attr_public(enum gmem__state state);

#endif

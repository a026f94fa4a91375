/* SPDX-License-Identifier: MIT */
/* What gmem_bind() and gmem_slots_replace() do with a slot that is asked for.
 */
#ifndef GMEM_LIB_BIND_H
#define GMEM_LIB_BIND_H

#include <stdbool.h>

#include <gmem.h>

#include "record.h"

struct gmem__opts_type;
extern const struct gmem__opts_type gmem__bind_type;

/* All that needs no table: the plan, the numbers. */
int gmem__bind_checks(struct gmem_slot *b, struct gmem_error *err);
/*
 * The addresses behind the slot: the caller's, the file's mapping, or for a
 * file that the host cannot map its reservation, and then *@reserved.
 */
int gmem__bind_behind(struct gmem *g, struct gmem_slot *b, bool *reserved,
		      struct gmem_error *err);
/*
 * What the pages start as that a slot with these flags brings, where attributes
 * are set by guest address.
 */
enum gmem__state gmem__bind_first(const struct gmem *g, uint64_t flags);
/* What @b becomes: it says what was made, no longer what was asked for. */
void gmem__bind_made(struct gmem_slot *b, const struct gmem *g);

#endif

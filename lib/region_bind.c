// SPDX-License-Identifier: MIT
/* A region's slots. */
#include "error.h"
#include "opts.h"
#include "region.h"
#include "slot.h"

/* Into @to, as a slot of the region's file. */
static int take_slot(const struct gmem_region *r, const struct gmem_slot *slot,
		     struct gmem_slot *to, struct gmem_error *err)
{
	int ret = gmem__region_enter(r, err);

	if (ret < 0 || (ret = gmem__opts_check(slot, GMEM__SLOT_V0, sizeof(*to),
					       "gmem_slot", err)) < 0)
		return ret;
	gmem__opts_copy(to, sizeof(*to), slot);
	to->sz = sizeof(*to);
	to->gmem = r->g;
	return 0;
}

int gmem_region_bind(struct gmem_region *r, struct gmem_slot *slot,
		     struct gmem_error *err)
{
	struct gmem_slot s;
	int ret = take_slot(r, slot, &s, err);

	if (ret < 0 || (ret = gmem_bind(&s, err)) < 0)
		return ret;
	gmem__out_copy(slot, &s, sizeof(s));
	return 0;
}

int gmem_region_note(struct gmem_region *r, const struct gmem_slot *slot,
		     struct gmem_error *err)
{
	struct gmem_slot s;
	int ret = take_slot(r, slot, &s, err);

	return ret < 0 ? ret : gmem_slot_note(r->g->vm, &s, err);
}

/* Its own slots only, noted ones too. */
int gmem_region_unbind(struct gmem_region *r, uint32_t slot,
		       uint32_t address_space, uint64_t flags,
		       struct gmem_error *err)
{
	struct gmem_slot s = { .sz = sizeof(s) };
	int ret = gmem__region_enter(r, err);

	if (ret < 0)
		return ret;
	ret = gmem_slot_get(r->g->vm, slot, address_space, &s, err);
	if (ret < 0)
		return ret;
	if (s.gmem != r->g)
		return gmem__fail(err, GMEM_REASON_NOT_BOUND, slot,
				  address_space,
				  "slot %u is not one of this region", slot);
	if (s.flags & GMEM_SLOT_NOTED && !flags)
		return gmem_slot_forget(r->g->vm, slot, address_space, err);
	return gmem_unbind(r->g->vm, slot, address_space, flags, err);
}

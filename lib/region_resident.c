// SPDX-License-Identifier: MIT
/* How much of a region is allocated, run by run of its record. */
#include "enter.h"
#include "error.h"
#include "name.h"
#include "opts.h"
#include "region.h"

#define RESIDENCY_V0 40

_Static_assert(sizeof(struct gmem_region_residency) == RESIDENCY_V0, "ABI");

/* A run of @state: what its file and its shared side have. */
static int add(const struct gmem_region *r, enum gmem__state state,
	       uint64_t offset, uint64_t len, struct gmem_region_residency *o,
	       struct gmem_error *err)
{
	struct gmem_residency there = { .sz = sizeof(there) };
	uint64_t shared = 0;
	int ret = gmem_resident(r->g, offset, len, &there, err);

	if (ret < 0)
		return ret;
	o->flags |= there.flags;
	if (r->kind != GMEM_REGION_KIND_DUAL) {
		*(state == GMEM__SHARED ? &o->shared_bytes
					: &o->private_bytes) += there.bytes;
		return 0;
	}
	ret = gmem__region_side_resident(r, offset, len, &shared, &o->flags);
	if (ret < 0)
		return gmem__fail_call(err, ret, "mincore");
	*(state == GMEM__PRIVATE ? &o->private_bytes : &o->unused_bytes) +=
		there.bytes;
	*(state == GMEM__SHARED ? &o->shared_bytes : &o->unused_bytes) +=
		shared;
	return 0;
}

int gmem_region_resident(struct gmem_region *r, uint64_t offset, uint64_t len,
			 struct gmem_region_residency *out,
			 struct gmem_error *err)
{
	struct gmem_region_residency o = { .sz = sizeof(o) };
	uint64_t end = offset + len, run;
	unsigned char *mem;
	int ret = gmem__region_enter(r, err);

	if (ret < 0 ||
	    (ret = gmem__out_check(out, RESIDENCY_V0, "gmem_region_residency",
				   err)) < 0 ||
	    (ret = gmem__range_check(r->g, offset, len, err)) < 0 ||
	    (ret = gmem__region_shared(r->g, &mem, err)) < 0)
		return ret;
	for (; ret == 0 && offset < end; offset += run) {
		enum gmem__state s = gmem__record_run(&r->g->record, offset,
						      end - offset, &run);

		ret = add(r, s, offset, run, &o, err);
	}
	if (ret == 0)
		gmem__out_copy(out, &o, sizeof(o));
	return ret;
}

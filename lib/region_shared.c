// SPDX-License-Identifier: MIT
/* A region's file as others see it, and the memory that guest and host share.
 */
#include <errno.h>
#include <inttypes.h>

#include "call.h"
#include "error.h"
#include "lock.h"
#include "region.h"
#include "slot.h"
#include "vm.h"

int gmem__region_none(const struct gmem *g, struct gmem_error *err)
{
	if (!gmem__region_of(g))
		return 0;
	return gmem__fail(err, GMEM_REASON_IN_REGION, 0, 0,
			  "the file belongs to a region");
}

int gmem__fail_no_region(uint64_t gpa, struct gmem_error *err)
{
	return gmem__fail(err, GMEM_REASON_NO_REGION, gpa, 0,
			  "gpa 0x%" PRIx64 " is in a file that is in no region",
			  gpa);
}

int gmem__region_shared(struct gmem *g, unsigned char **out,
			struct gmem_error *err)
{
	struct gmem_region *r = gmem__region_of(g);
	void *mem = NULL;
	int ret;

	*out = NULL;
	if (!r || r->kind != GMEM_REGION_KIND_DUAL)
		return 0;
	gmem__lock(&g->lock);
	*out = r->shared;
	gmem__unlock(&g->lock);
	if (*out)
		return 0;
	ret = gmem__region_side_map(g, &mem);
	if (ret < 0)
		return gmem__fail_map(err, ret, gmem__region_side_len(g),
				      "mapping the region's shared side");
	gmem__lock(&g->lock);
	if (!r->shared) {
		r->shared = mem;
		r->queued = (uint64_t *)(void *)(r->shared + g->size);
		mem = NULL;
	}
	*out = r->shared;
	gmem__unlock(&g->lock);
	if (mem) /* another thread was first */
		(void)gmem__munmap(g->ctx, mem, gmem__region_side_len(g));
	return 0;
}

int gmem__region_unmap(struct gmem *g)
{
	struct gmem_region *r = gmem__region_of(g);
	unsigned char *mem = r ? r->shared : NULL;
	const struct gmem__slot *s;
	int ret;

	if (!mem)
		return 0;
	gmem__lock(&g->vm->lock);
	s = gmem__slot_by_addr(g->vm, (uintptr_t)mem, g->size);
	gmem__unlock(&g->vm->lock);
	if (s) /* the kernel refused to delete it, and may still write there */
		return 0;
	ret = gmem__munmap(g->ctx, mem, gmem__region_side_len(g));
	if (ret < 0)
		return ret;
	r->shared = NULL;
	r->queued = NULL;
	r->queued_bytes = 0;
	return 0;
}

int gmem__region_slot_check(const struct gmem *g, const struct gmem_slot *s,
			    struct gmem_error *err)
{
	const struct gmem_region *r = gmem__region_of(g);
	uint64_t addr;

	if (!r || r->kind != GMEM_REGION_KIND_DUAL)
		return 0;
	addr = (uintptr_t)r->shared + s->offset;
	if (s->flags & GMEM_SLOT_FD && s->userspace_addr == addr)
		return 0;
	return gmem__fail(
		err, GMEM_REASON_REGION_MEMORY, s->userspace_addr, addr,
		"a slot of this region needs fd mode and the "
		"region's shared memory, 0x%" PRIx64 ", not 0x%" PRIx64,
		addr, s->userspace_addr);
}

// SPDX-License-Identifier: MIT
/* A region's file as others see it, and the memory that guest and host share.
 */
#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

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

/* Of the queue: a bit a page, in whole words. */
static uint64_t bits_len(const struct gmem *g)
{
	uint64_t bits = g->size / g->ctx->page_size;

	return (bits + 63) / 64 * sizeof(uint64_t);
}

static int map_bits(const struct gmem *g, void **out)
{
	return gmem__mmap(g->ctx, out, bits_len(g), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

/* What is still missing.  Two threads may do that at once: one is first. */
static int map_missing(struct gmem *g, struct gmem_region *r,
		       struct gmem_error *err)
{
	void *mem = NULL, *bits = NULL;
	uint64_t len = g->size;
	int ret = 0;

	if (!__atomic_load_n(&r->shared, __ATOMIC_ACQUIRE))
		ret = gmem__region_side_map(g, &r->side, &mem);
	if (ret == 0 && !__atomic_load_n(&r->queued, __ATOMIC_ACQUIRE)) {
		len = bits_len(g);
		ret = map_bits(g, &bits);
	}
	gmem__lock(&g->lock);
	if (ret == 0 && bits && !r->queued) {
		__atomic_store_n(&r->queued, bits, __ATOMIC_RELEASE);
		bits = NULL;
		/* What the caller's memory has is not known. */
		if (r->side.addr || r->side.fd >= 0)
			gmem__region_queue_set(r, 0, g->size, true);
	}
	if (ret == 0 && mem && !r->shared) {
		__atomic_store_n(&r->shared, mem, __ATOMIC_RELEASE);
		mem = NULL;
	}
	gmem__unlock(&g->lock);
	if (bits)
		(void)gmem__munmap(g->ctx, bits, bits_len(g));
	if (mem && !r->side.addr)
		(void)gmem__munmap(g->ctx, mem, g->size);
	return ret < 0 ? gmem__fail_map(err, ret, len,
					"mapping the region's shared side")
		       : 0;
}

int gmem__region_shared(struct gmem *g, unsigned char **out,
			struct gmem_error *err)
{
	struct gmem_region *r = gmem__region_of(g);
	bool missing;
	int ret = 0;

	*out = NULL;
	if (!r || r->kind != GMEM_REGION_KIND_DUAL)
		return 0;
	gmem__lock(&g->lock);
	missing = !r->shared || !r->queued;
	gmem__unlock(&g->lock);
	if (missing)
		ret = map_missing(g, r, err);
	/* After a failure another thread may be about to set it. */
	if (ret == 0)
		*out = r->shared;
	return ret;
}

/* The kernel refused to delete a slot there, and may still write. */
static bool reached(const struct gmem *g, const void *mem)
{
	const struct gmem__slot *s;

	gmem__lock(&g->vm->lock);
	s = gmem__slot_by_addr(g->vm, (uintptr_t)mem, g->size);
	gmem__unlock(&g->vm->lock);
	return s;
}

int gmem__region_unmap(struct gmem *g)
{
	struct gmem_region *r = gmem__region_of(g);
	int ret = 0;

	if (!r || !r->queued)
		return 0;
	if (r->shared && !r->side.addr && !reached(g, r->shared)) {
		ret = gmem__munmap(g->ctx, r->shared, g->size);
		if (ret < 0)
			return ret;
		__atomic_store_n(&r->shared, NULL, __ATOMIC_RELAXED);
	}
	ret = gmem__munmap(g->ctx, r->queued, bits_len(g));
	if (ret < 0)
		return ret;
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

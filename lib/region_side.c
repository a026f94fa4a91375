// SPDX-License-Identifier: MIT
/*
 * The shared side of a DUAL region: the caller's memory, or private anonymous
 * memory, which forks and core dumps leave out.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "call.h"
#include "error.h"
#include "region.h"

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24 /* 5.18 */
#endif

#define MINCORE_PAGES 4096

int gmem__region_side_map(const struct gmem *g, const struct gmem__side *s,
			  void **out)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	const struct gmem__ctx *ctx = g->ctx;
	void *mem = NULL;
	int r;

	if (s->addr) {
		*out = s->addr;
		return 0;
	}
	if (s->fd >= 0)
		flags = MAP_SHARED;
	r = gmem__mmap(ctx, &mem, g->size, PROT_READ | PROT_WRITE, flags, s->fd,
		       s->offset);
	if (r < 0)
		return r;
	r = gmem__madvise(ctx, mem, g->size, MADV_DONTFORK);
	if (r == 0)
		r = gmem__madvise(ctx, mem, g->size, MADV_DONTDUMP);
	if (r < 0)
		(void)gmem__munmap(ctx, mem, g->size);
	else
		*out = mem;
	return r;
}

static bool all_private(const struct gmem_region *r, uint64_t start,
			uint64_t end)
{
	uint64_t run = 0;

	return start < end &&
	       gmem__record_run(&r->g->record, start, end - start, &run) ==
		       GMEM__PRIVATE &&
	       run == end - start;
}

/* Of a huge page a part is not freed: all of it is where no more is shared. */
static void widen(const struct gmem_region *r, uint64_t *offset, uint64_t *len)
{
	uint64_t end = *offset + *len;
	struct gmem__range whole = gmem__region_side_range(r, *offset, end);

	if (all_private(r, whole.start, *offset))
		*offset = whole.start;
	if (all_private(r, end, whole.end))
		end = whole.end;
	*len = end - *offset;
}

/* Of memory that is locked the first way frees nothing. */
static int free_memory(const struct gmem_region *r, uint64_t offset,
		       uint64_t len)
{
	unsigned char *p = r->shared + offset;
	int ret;

	if (r->side.type != GMEM_SHARED_SIDE_ANON)
		return gmem__madvise(r->g->ctx, p, len, MADV_REMOVE);
	ret = gmem__madvise(r->g->ctx, p, len, MADV_DONTNEED);
	if (ret == -EINVAL)
		ret = gmem__madvise(r->g->ctx, p, len, MADV_DONTNEED_LOCKED);
	return ret;
}

int gmem__region_side_free(const struct gmem_region *r, uint64_t offset,
			   uint64_t len)
{
	const struct gmem__side *s = &r->side;
	int ret;

	widen(r, &offset, &len);
	do {
		if (s->fd >= 0)
			ret = gmem__fallocate(r->g->ctx, s->fd,
					      FALLOC_FL_KEEP_SIZE |
						      FALLOC_FL_PUNCH_HOLE,
					      s->offset + offset, len);
		else
			ret = free_memory(r, offset, len);
	} while (ret == -EINTR);
	return ret;
}

int gmem__region_side_failed(const struct gmem_region *r, int sys,
			     struct gmem_error *err)
{
	uintptr_t addr = (uintptr_t)r->shared;
	int ret;

	if (r->side.fd >= 0)
		return gmem__fail_call(err, sys,
				       "fallocate(PUNCH_HOLE) of the shared "
				       "memory");
	if (r->side.type == GMEM_SHARED_SIDE_ANON)
		return gmem__fail_call(err, sys, "madvise(MADV_DONTNEED)");
	if (sys != -EINVAL)
		return gmem__fail_call(err, sys, "madvise(MADV_REMOVE)");
	ret = gmem__fail_sys(err, GMEM_REASON_SHARED_MEMORY, 0, sys, addr,
			     r->g->size,
			     "the shared memory at 0x%" PRIxPTR
			     " is locked, and without a descriptor of its file "
			     "nothing of it can be freed",
			     addr);
	return gmem__diagnosed(err, ret);
}

int gmem__region_side_resident(const struct gmem_region *r, uint64_t offset,
			       uint64_t len, uint64_t *bytes, uint32_t *flags)
{
	uint64_t page = r->g->ctx->page_size, n;
	unsigned char vec[MINCORE_PAGES];
	int ret = 0;

	/* Of these mincore sees what this process has touched. */
	if (r->side.type == GMEM_SHARED_SIDE_HUGETLB)
		*flags |= GMEM_RESIDENT_LOWER_BOUND;
	for (*bytes = 0; len; offset += n, len -= n) {
		n = len < sizeof(vec) * page ? len : sizeof(vec) * page;
		do {
			ret = gmem__mincore(r->g->ctx, r->shared + offset, n,
					    vec);
		} while (ret == -EINTR);
		if (ret < 0)
			return ret;
		for (uint64_t i = 0; i < n / page; i++)
			*bytes += vec[i] & 1 ? page : 0;
	}
	return 0;
}

struct gmem__range gmem__region_side_range(const struct gmem_region *r,
					   uint64_t start, uint64_t end)
{
	uint64_t size = r->side.page_size;

	if (size > r->g->ctx->page_size) {
		start -= start % size;
		end += (size - end % size) % size;
	}
	return (struct gmem__range){ r->g, start, end };
}

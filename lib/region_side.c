// SPDX-License-Identifier: MIT
/*
 * The shared side of a DUAL region: private anonymous memory, which forks and
 * core dumps leave out.
 */
#include <errno.h>
#include <sys/mman.h>

#include "call.h"
#include "region.h"

#define MINCORE_PAGES 4096

uint64_t gmem__region_side_len(const struct gmem *g)
{
	uint64_t bits = g->size / g->ctx->page_size, words = (bits + 63) / 64;

	return g->size + words * sizeof(uint64_t);
}

int gmem__region_side_map(const struct gmem *g, void **out)
{
	uint64_t len = gmem__region_side_len(g);
	const struct gmem__ctx *ctx = g->ctx;
	int r = gmem__mmap(ctx, out, len, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (r < 0)
		return r;
	r = gmem__madvise(ctx, *out, len, MADV_DONTFORK);
	if (r == 0)
		r = gmem__madvise(ctx, *out, len, MADV_DONTDUMP);
	if (r < 0)
		(void)gmem__munmap(ctx, *out, len);
	return r;
}

int gmem__region_side_free(const struct gmem_region *r, uint64_t offset,
			   uint64_t len)
{
	int ret;

	do {
		ret = gmem__madvise(r->g->ctx, r->shared + offset, len,
				    MADV_DONTNEED);
	} while (ret == -EINTR || ret == -EAGAIN);
	return ret;
}

int gmem__region_side_resident(const struct gmem_region *r, uint64_t offset,
			       uint64_t len, uint64_t *bytes)
{
	uint64_t page = r->g->ctx->page_size, n;
	unsigned char vec[MINCORE_PAGES];
	int ret = 0;

	for (*bytes = 0; len; offset += n, len -= n) {
		n = len < sizeof(vec) * page ? len : sizeof(vec) * page;
		do {
			ret = gmem__mincore(r->g->ctx, r->shared + offset, n,
					    vec);
		} while (ret == -EAGAIN || ret == -EINTR);
		if (ret < 0)
			return ret;
		for (uint64_t i = 0; i < n / page; i++)
			*bytes += vec[i] & 1 ? page : 0;
	}
	return 0;
}

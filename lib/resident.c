// SPDX-License-Identifier: MIT
/*
 * How much of a file is allocated.  fstat says 0 blocks, mincore misses what
 * was never touched; cachestat counts exactly, at a cost that grows with the
 * pages it finds, so it is asked in steps.
 */
#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "mempolicy.h"

#define RESIDENCY_V0 24
#define DENSE_STEP (256ULL << 20) /* at most so much that is full at once */
#define MINCORE_PAGES 4096

_Static_assert(sizeof(struct gmem_residency) == RESIDENCY_V0, "ABI");

static int count(const struct gmem *g, uint64_t pos, uint64_t len,
		 uint64_t *bytes)
{
	uint64_t pages;
	int r;

	do {
		r = gmem__cachestat(g->ctx, g->fd, pos, len, &pages);
	} while (r == -EINTR);
	*bytes = pages * g->ctx->page_size;
	return r;
}

/* Steps over holes grow, over allocated memory they stay bounded. */
static int count_all(const struct gmem *g, uint64_t offset, uint64_t len,
		     uint64_t *bytes)
{
	uint64_t pos = offset, end = offset + len, step = DENSE_STEP, n;
	int r;

	*bytes = 0;
	while (pos < end) {
		if (step > end - pos)
			step = end - pos;
		r = count(g, pos, step, &n);
		if (r < 0)
			return r;
		*bytes += n;
		pos += step;
		if (n > DENSE_STEP / 2)
			step = DENSE_STEP;
		else if (step < 1ULL << 62)
			step *= 2;
	}
	return 0;
}

/* The longest prefix of [@pos, @end) that is all holes, or all resident. */
static int prefix(const struct gmem *g, uint64_t pos, uint64_t end,
		  bool resident, uint64_t *stop)
{
	uint64_t page = g->ctx->page_size, good = pos, bad = end, mid, n;
	int r = count(g, pos, end - pos, &n);

	if (r < 0)
		return r;
	if (n == (resident ? end - pos : 0)) {
		*stop = end;
		return 0;
	}
	while (bad - good > page) {
		mid = good + (bad - good) / page / 2 * page;
		r = count(g, good, mid - good, &n);
		if (r < 0)
			return r;
		if (n == (resident ? mid - good : 0))
			good = mid;
		else
			bad = mid;
	}
	*stop = good;
	return 0;
}

int gmem__next_resident(const struct gmem *g, uint64_t *pos, uint64_t end,
			uint64_t *run)
{
	uint64_t stop = *pos, window, step = DENSE_STEP;
	int r;

	*run = 0;
	do { /* holes, in growing windows */
		*pos = stop;
		if (*pos == end)
			return 0;
		window = end - *pos < step ? end : *pos + step;
		if (step < 1ULL << 62)
			step *= 2;
		r = prefix(g, *pos, window, false, &stop);
		if (r < 0)
			return r;
	} while (stop == window);
	*pos = stop;
	window = end - *pos < DENSE_STEP ? end : *pos + DENSE_STEP;
	r = prefix(g, *pos, window, true, &stop);
	if (r < 0)
		return r;
	*run = stop - *pos;
	return 0;
}

/* Without cachestat: what mincore sees, which is what was ever touched. */
static int count_touched(const struct gmem *g, uint64_t offset, uint64_t len,
			 uint64_t *bytes)
{
	uint64_t page = g->ctx->page_size, n, done = 0;
	unsigned char vec[MINCORE_PAGES];
	void *at;
	int r = gmem__mmap(g->ctx, &at, len, PROT_NONE, MAP_SHARED, g->fd,
			   offset);

	*bytes = 0;
	if (r < 0)
		return r;
	for (; r == 0 && done < len; done += n) {
		n = len - done < MINCORE_PAGES * page ? len - done
						      : MINCORE_PAGES * page;
		r = gmem__mincore(g->ctx, (char *)at + done, n, vec);
		for (uint64_t i = 0; r == 0 && i < n / page; i++)
			*bytes += vec[i] & 1 ? page : 0;
	}
	(void)gmem__munmap(g->ctx, at, len);
	return r;
}

/* To all but a file's owner mincore says that everything is there. */
static bool own_file(const struct gmem *g)
{
	struct gmem__stat st = { 0 };

	return gmem__fstat(g->ctx, g->fd, &st) == 0 &&
	       st.uid == g->ctx->sys->euid(g->ctx->priv);
}

int gmem_resident(struct gmem *g, uint64_t offset, uint64_t len,
		  struct gmem_residency *out, struct gmem_error *err)
{
	struct gmem_residency o = { .sz = sizeof(o) };
	int r = gmem__enter(g, err), sys;

	if (r < 0)
		return r;
	r = gmem__out_check(out, RESIDENCY_V0, "gmem_residency", err);
	if (r < 0)
		return r;
	r = gmem__range_check(g, offset, len, err);
	if (r < 0)
		return r;
	sys = count_all(g, offset, len, &o.bytes);
	if (sys < 0 && (g->flags & GMEM_CREATE_MMAP) && own_file(g)) {
		o.flags = GMEM_RESIDENT_LOWER_BOUND;
		sys = count_touched(g, offset, len, &o.bytes);
	}
	if (sys < 0)
		return gmem__fail_sys(err, GMEM_REASON_RESIDENCY_UNKNOWN,
				      -EOPNOTSUPP, sys, 0, 0,
				      "neither cachestat nor mincore tells, "
				      "%s",
				      gmem__errno_name(sys));
	gmem__out_copy(out, &o, sizeof(o));
	return 0;
}

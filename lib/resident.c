// SPDX-License-Identifier: MIT
/*
 * How much of a file is allocated.  fstat says 0 blocks, mincore misses what
 * was never touched; cachestat counts exactly, at a cost that grows with the
 * pages it finds, so it is asked in steps.
 */
#include <errno.h>
#include <sys/mman.h>

#include "call.h"
#include "callback.h"
#include "enter.h"
#include "error.h"
#include "file.h"
#include "name.h"
#include "opts.h"
#include "resident.h"
#include "window.h"

#define RESIDENCY_V0 24
#define DENSE_STEP (256ULL << 20)  /* at most so much that is full at once */
#define SPARSE_STEP (256ULL << 30) /* the same beyond a hole */
#define MINCORE_PAGES 4096

_Static_assert(sizeof(struct gmem_residency) == RESIDENCY_V0, "ABI");

static int count(const struct gmem *g, uint64_t pos, uint64_t len,
		 uint64_t *bytes)
{
	uint64_t pages = 0;
	int r;

	do {
		r = gmem__cachestat(g->ctx, g->fd, pos, len, &pages);
	} while (r == -EINTR);
	*bytes = pages * g->ctx->page_size;
	return r;
}

/*
 * Adds to *@bytes.  Steps over holes grow, over allocated memory they stay
 * bounded.
 */
static int count_all(const struct gmem *g, uint64_t offset, uint64_t len,
		     uint64_t *bytes)
{
	uint64_t pos = offset, end = offset + len, step = DENSE_STEP, n;
	int r;

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
		else
			step *= 2;
	}
	return 0;
}

static int is_all(const struct gmem *g, uint64_t pos, uint64_t len,
		  bool resident, bool *all)
{
	uint64_t n;
	int r = count(g, pos, len, &n);

	*all = r == 0 && n == (resident ? len : 0);
	return r;
}

/*
 * The longest prefix of [@pos, @end) that is all holes, or all resident.
 * Steps of at most @most bytes grow from a page on until one is mixed, which
 * is halved: no more is looked at than a few times the prefix.
 */
static int prefix(const struct gmem *g, uint64_t pos, uint64_t end,
		  bool resident, uint64_t most, uint64_t *stop)
{
	uint64_t page = g->ctx->page_size, step = page, half;
	bool all = true;
	int r = 0;

	while (pos < end) {
		if (step > end - pos)
			step = end - pos;
		r = is_all(g, pos, step, resident, &all);
		if (!all)
			break;
		pos += step;
		step = step < most / 4 ? step * 4 : most;
	}
	while (r == 0 && !all && step > page) {
		half = step / page / 2 * page;
		r = is_all(g, pos, half, resident, &all);
		if (all) {
			pos += half;
			step -= half;
			all = false;
		} else {
			step = half;
		}
	}
	*stop = pos;
	return r;
}

int gmem__next_resident(const struct gmem *g, uint64_t *pos, uint64_t end,
			uint64_t *run)
{
	uint64_t stop, most;
	int r;

	*run = 0;
	/* What was there may be freed before its length is known. */
	while (*pos < end && *run == 0) {
		r = prefix(g, *pos, end, false, SPARSE_STEP, &stop);
		if (r < 0)
			return r;
		*pos = stop;
		most = end - stop > DENSE_STEP ? stop + DENSE_STEP : end;
		r = prefix(g, stop, most, true, DENSE_STEP, &stop);
		if (r < 0)
			return r;
		*run = stop - *pos;
	}
	return 0;
}

int gmem__residency_unknown(int sys, uint64_t pos, struct gmem_error *err)
{
	return gmem__fail_sys(err, GMEM_REASON_RESIDENCY_UNKNOWN, -EOPNOTSUPP,
			      sys, pos, 0,
			      "cachestat failed with %s: which pages "
			      "are allocated is unknown",
			      gmem__errno_name(sys));
}

/* The next run, and what continues it where it has the length of a step. */
static int whole_run(const struct gmem *g, uint64_t *pos, uint64_t end,
		     uint64_t *run)
{
	uint64_t next, more;
	int r = gmem__next_resident(g, pos, end, run);

	more = *run;
	while (r == 0 && more == DENSE_STEP) {
		next = *pos + *run;
		r = gmem__next_resident(g, &next, end, &more);
		if (next != *pos + *run)
			break;
		*run += more;
	}
	return r;
}

int gmem_walk_resident(struct gmem *g, uint64_t offset, uint64_t len,
		       gmem_resident_fn *fn, void *arg, struct gmem_error *err)
{
	uint64_t pos = offset, end = offset + len, run;
	int r = gmem__enter(g, err);

	if (r < 0)
		return r;
	if (!fn)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "fn is NULL");
	r = gmem__range_check(g, offset, len, err);
	if (r < 0)
		return r;
	while (r == 0 && pos < end) {
		r = whole_run(g, &pos, end, &run);
		if (r < 0) {
			r = gmem__residency_unknown(r, pos, err);
		} else if (run) {
			r = gmem__call_resident(fn, arg, pos, run);
			pos += run;
			if (r)
				r = gmem__fail_cancelled(pos - offset, err);
		}
	}
	gmem__set_done(err, pos - offset);
	return r;
}

/* Without cachestat: what mincore sees, which is what was ever touched. */
static int count_touched(struct gmem *g, uint64_t offset, uint64_t len,
			 uint64_t *bytes)
{
	uint64_t page = g->ctx->page_size, n, done;
	unsigned char vec[MINCORE_PAGES];
	struct gmem__window w;
	int r = 0;

	*bytes = 0;
	for (done = 0; r == 0 && done < len; done += n) {
		n = len - done < sizeof(vec) * page ? len - done
						    : sizeof(vec) * page;
		r = gmem__window_map(g, offset + done, n, PROT_NONE, &w);
		if (r < 0)
			break;
		r = gmem__mincore(g->ctx, w.addr, n, vec);
		gmem__window_close(g, &w);
		for (uint64_t i = 0; r == 0 && i < n / page; i++)
			*bytes += vec[i] & 1 ? page : 0;
	}
	return r;
}

/* For all but a file's owner, mincore reports everything as resident. */
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

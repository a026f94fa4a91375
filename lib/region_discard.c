// SPDX-License-Identifier: MIT
/*
 * Freeing a region's memory: by request, after a conversion, and later what is
 * queued.
 */
#include "callback.h"
#include "cancel.h"
#include "discard.h"
#include "enter.h"
#include "error.h"
#include "opts.h"
#include "region.h"
#include "ticket.h"
#include "vm.h"

/* ---------------------------------------------------------------- free -- */

/* The place of private pages, or of shared ones; 0 or -errno. */
static int free_side(const struct gmem_region *r, enum gmem__state side,
		     uint64_t offset, uint64_t len)
{
	return side == GMEM__PRIVATE ? gmem__punch(r->g, offset, len)
				     : gmem__region_side_free(r, offset, len);
}

static enum gmem__state other(enum gmem__state s)
{
	return s == GMEM__PRIVATE ? GMEM__SHARED : GMEM__PRIVATE;
}

uint64_t gmem__region_free_other(struct gmem_region *r, uint64_t offset,
				 uint64_t len, enum gmem__state state,
				 bool defer)
{
	int ret;

	if (r->kind != GMEM_REGION_KIND_DUAL)
		return 0;
	if (!defer) {
		ret = free_side(r, other(state), offset, len);
		if (ret == 0) {
			gmem__region_queue_set(r, offset, len, false);
			return 0;
		}
		gmem__region_count(&r->discard_failed, 1);
	}
	gmem__region_queue_set(r, offset, len, true);
	return len;
}

static int free_failed(const struct gmem_region *r, enum gmem__state side,
		       int sys, struct gmem_error *err)
{
	return side == GMEM__PRIVATE
		       ? gmem__fail_call(err, sys, "fallocate(PUNCH_HOLE)")
		       : gmem__region_side_failed(r, sys, err);
}

int gmem_region_discard(struct gmem_region *r, uint64_t offset, uint64_t len,
			const struct gmem_discard_opts *opts,
			struct gmem_error *err)
{
	struct gmem__discard d = { .total = len };
	struct gmem__range range;
	struct gmem__ticket t;
	unsigned char *mem;
	int ret = gmem__region_enter(r, err);

	if (ret < 0 ||
	    (ret = gmem__opts_take(&gmem__discard_opts, opts, &d.o, err)) < 0 ||
	    (ret = gmem__file_range_check(r->g, offset, len, err)) < 0 ||
	    (ret = gmem__region_shared(r->g, &mem, err)) < 0)
		return ret;
	range = gmem__region_side_range(r, offset, offset + len);
	ret = gmem__ticket_take(r->g->vm, &t, &range, 1, false, d.o.cancel,
				err);
	if (ret < 0)
		return ret;
	ret = gmem__discard(r->g, offset, len, &d, err);
	gmem__ticket_return(r->g->vm, &t);
	gmem__set_done(err, d.done);
	return ret;
}

/* ------------------------------------------------------------- reclaim -- */

/*
 * What is queued of the range, run by run of the record; *@pos gets so far.
 * The guest decides how often the state changes: of the queue no more is looked
 * at than what is freed at once, since all of it may be queued.
 */
static int reclaim(struct gmem_region *r, uint64_t *pos, uint64_t end,
		   uint64_t *freed, struct gmem_error *err)
{
	enum gmem__state s = GMEM__UNSET;
	uint64_t run, stop = *pos;
	int ret;

	for (;; *pos += run) {
		*pos = gmem__region_queue_first(r, *pos, end);
		if (*pos == end)
			return 0;
		if (*pos >= stop) {
			s = gmem__record_run(&r->g->record, *pos, end - *pos,
					     &run);
			stop = *pos + run;
		}
		run = gmem__region_queue_run(r, *pos, stop);
		/* Without a slot either may be what the next one shows. */
		if (s == GMEM__UNSET)
			continue;
		ret = free_side(r, other(s), *pos, run);
		if (ret < 0)
			return free_failed(r, other(s), ret, err);
		gmem__region_queue_set(r, *pos, run, false);
		*freed += run;
	}
}

/* In steps, so that conversions come in between. */
static int reclaim_all(struct gmem_region *r, uint64_t *pos, uint64_t end,
		       const struct gmem_discard_opts *o, uint64_t *freed,
		       struct gmem_error *err)
{
	uint64_t offset = *pos, len = end - offset, stop;
	struct gmem__range range;
	struct gmem__ticket t;
	int ret = 0;

	while (ret == 0 && *pos < end) {
		stop = end - *pos > GMEM__STEP ? *pos + GMEM__STEP : end;
		range = gmem__region_side_range(r, *pos, stop);
		ret = gmem__cancel_check(o->cancel, *pos - offset, err);
		if (ret == 0)
			ret = gmem__ticket_take(r->g->vm, &t, &range, 1, false,
						o->cancel, err);
		if (ret < 0)
			return ret;
		ret = reclaim(r, pos, stop, freed, err);
		gmem__ticket_return(r->g->vm, &t);
		if (ret == 0 &&
		    !gmem__call_progress(o->progress, o->progress_arg,
					 *pos - offset, len))
			ret = gmem__fail_cancelled(*pos - offset, err);
	}
	return ret;
}

int gmem_region_reclaim(struct gmem_region *r, uint64_t offset, uint64_t len,
			const struct gmem_discard_opts *opts, uint64_t *freed,
			struct gmem_error *err)
{
	uint64_t pos = offset, end = offset + len, n = 0;
	struct gmem_discard_opts o;
	unsigned char *mem;
	int ret = gmem__region_enter(r, err);

	if (ret < 0 ||
	    (ret = gmem__opts_take(&gmem__discard_opts, opts, &o, err)) < 0 ||
	    (ret = gmem__file_range_check(r->g, offset, len, err)) < 0 ||
	    (ret = gmem__region_shared(r->g, &mem, err)) < 0)
		return ret;
	if (mem)
		ret = reclaim_all(r, &pos, end, &o, &n, err);
	else
		pos = end;
	gmem__set_done(err, pos - offset);
	if (freed)
		*freed = n;
	return ret;
}

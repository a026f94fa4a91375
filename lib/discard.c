// SPDX-License-Identifier: MIT
/*
 * Freeing memory.  Only punching a hole in the file frees it:
 * MADV_DONTNEED on a mapping returns 0, drops page table entries and leaves
 * the data.
 */
#include <errno.h>
#include <fcntl.h>

#include "call.h"
#include "callback.h"
#include "cancel.h"
#include "discard.h"
#include "enter.h"
#include "error.h"
#include "file.h"
#include "opts.h"
#include "region.h"
#include "resident.h"
#include "vm.h"

#define DISCARD_OPTS_V0 40
#define STEP (256ULL << 20) /* of memory that is there */

_Static_assert(sizeof(struct gmem_discard_opts) == DISCARD_OPTS_V0, "ABI");

const struct gmem__opts_type gmem__discard_opts =
	GMEM__OPTS_TYPE(gmem_discard_opts, DISCARD_OPTS_V0, 0);

int gmem__punch(const struct gmem *g, uint64_t offset, uint64_t len)
{
	int r;

	do {
		r = gmem__fallocate(g->ctx, g->fd,
				    FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
				    offset, len);
	} while (r == -EINTR);
	return r;
}

/*
 * Where a step from @pos on ends: after STEP allocated bytes, with all holes
 * between them; without cachestat(2), after 1 GiB.
 */
static uint64_t step_end(const struct gmem *g, uint64_t pos, uint64_t end)
{
	const struct gmem_region *region = gmem__region_of(g);
	uint64_t stop = pos, there = 0, run;

	while (there < STEP) {
		if (gmem__next_resident(g, &stop, end, &run) < 0) {
			stop = end - pos < GMEM__STEP ? end : pos + GMEM__STEP;
			break;
		}
		if (run == 0)
			return end;
		stop += run;
		there += run;
	}
	/* Of a huge page a part is not freed. */
	stop += (g->page_size - stop % g->page_size) % g->page_size;
	if (region)
		stop = gmem__region_side_range(region, pos, stop).end;
	return stop < end ? stop : end;
}

/* Both sides of a region, whose ticket is held. */
static int free_range(const struct gmem *g, uint64_t pos, uint64_t stop,
		      struct gmem_error *err)
{
	struct gmem_region *region = gmem__region_of(g);
	uint64_t len = stop - pos;
	int r = gmem__punch(g, pos, len);

	if (r < 0)
		return gmem__fail_call(err, r, "fallocate(PUNCH_HOLE)");
	if (!region || region->kind != GMEM_REGION_KIND_DUAL)
		return 0;
	r = gmem__region_side_free(region, pos, len);
	if (r < 0)
		return gmem__region_side_failed(region, r, err);
	gmem__region_queue_set(region, pos, len, false);
	return 0;
}

int gmem__discard_step(const struct gmem *g, uint64_t *pos, uint64_t end,
		       struct gmem_error *err)
{
	uint64_t stop = step_end(g, *pos, end);
	int r = free_range(g, *pos, stop, err);

	if (r == 0)
		*pos = stop;
	return r;
}

int gmem__discard(const struct gmem *g, uint64_t offset, uint64_t len,
		  struct gmem__discard *d, struct gmem_error *err)
{
	uint64_t pos = offset, end = offset + len, before = d->done;
	int r = 0;

	if (!d->o.cancel && !d->o.progress) {
		r = free_range(g, pos, end, err);
		d->done += r < 0 ? 0 : len;
		return r;
	}
	while (r == 0 && pos < end) {
		r = gmem__cancel_check(d->o.cancel, d->done, err);
		if (r == 0)
			r = gmem__discard_step(g, &pos, end, err);
		if (r < 0)
			return r;
		d->done = before + (pos - offset);
		if (!gmem__call_progress(d->o.progress, d->o.progress_arg,
					 d->done, d->total))
			r = gmem__fail_cancelled(d->done, err);
	}
	return r;
}

int gmem_discard(struct gmem *g, uint64_t offset, uint64_t len,
		 const struct gmem_discard_opts *opts, struct gmem_error *err)
{
	struct gmem__discard d = { .total = len };
	int r = gmem__enter_opts(g, &gmem__discard_opts, opts, &d.o, err);

	if (r < 0 || (r = gmem__file_range_check(g, offset, len, err)) < 0 ||
	    (r = gmem__region_none(g, err)) < 0)
		return r;
	r = gmem__discard(g, offset, len, &d, err);
	gmem__set_done(err, d.done);
	return r;
}

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
#include "resident.h"
#include "vm.h"

#define DISCARD_OPTS_V0 40
#define STEP (256ULL << 20) /* of memory that is there */

_Static_assert(sizeof(struct gmem_discard_opts) == DISCARD_OPTS_V0, "ABI");

static const struct gmem__opts_type opts_type =
	GMEM__OPTS_TYPE(gmem_discard_opts, DISCARD_OPTS_V0, 0);

static int punch(const struct gmem *g, uint64_t offset, uint64_t len)
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
	return stop < end ? stop : end;
}

int gmem__discard_step(const struct gmem *g, uint64_t *pos, uint64_t end,
		       struct gmem_error *err)
{
	uint64_t stop = step_end(g, *pos, end);
	int r = punch(g, *pos, stop - *pos);

	if (r < 0)
		return gmem__fail_call(err, r, "fallocate(PUNCH_HOLE)");
	*pos = stop;
	return 0;
}

static int discard_steps(const struct gmem *g, uint64_t offset, uint64_t len,
			 const struct gmem_discard_opts *o, uint64_t *done,
			 struct gmem_error *err)
{
	uint64_t pos = offset, end = offset + len;
	int r;

	while (pos < end) {
		r = gmem__cancel_check(o->cancel, *done, err);
		if (r == 0)
			r = gmem__discard_step(g, &pos, end, err);
		if (r < 0)
			return r;
		*done = pos - offset;
		gmem__call_progress(o->progress, o->progress_arg, *done, len);
	}
	return 0;
}

int gmem_discard(struct gmem *g, uint64_t offset, uint64_t len,
		 const struct gmem_discard_opts *opts, struct gmem_error *err)
{
	struct gmem_discard_opts o;
	uint64_t done = 0;
	int r = gmem__enter_opts(g, &opts_type, opts, &o, err);

	if (r < 0)
		return r;
	r = gmem__file_range_check(g, offset, len, err);
	if (r < 0)
		return r;
	if (o.cancel || o.progress) {
		r = discard_steps(g, offset, len, &o, &done, err);
	} else {
		r = punch(g, offset, len);
		if (r < 0)
			r = gmem__fail_call(err, r, "fallocate(PUNCH_HOLE)");
		else
			done = len;
	}
	gmem__set_done(err, done);
	return r;
}

// SPDX-License-Identifier: MIT
/*
 * An image into guest memory.  The kernel copies straight into the mapping,
 * so memory that turns private meanwhile is an error and not a signal.
 */
#include <errno.h>
#include <inttypes.h>

#include "call.h"
#include "callback.h"
#include "cancel.h"
#include "enter.h"
#include "error.h"
#include "file.h"
#include "map.h"
#include "name.h"
#include "opts.h"
#include "range.h"
#include "touch.h"
#include "window.h"

#define LOAD_OPTS_V0 40
#define STEP (256ULL << 20)

_Static_assert(sizeof(struct gmem_load_opts) == LOAD_OPTS_V0, "ABI");

static const struct gmem__opts_type opts_type =
	GMEM__OPTS_TYPE(gmem_load_opts, LOAD_OPTS_V0, GMEM_LOAD_UNTIL_EOF);

/* No alignment is asked of a copy, only room and a file that is shared. */
static int check_range(const struct gmem *g, uint64_t offset, uint64_t len,
		       struct gmem_error *err)
{
	int r = gmem__inside(offset, len, g->size, err);

	if (r < 0 || (r = gmem__need_mappable(g, err)) < 0)
		return r;
	return gmem__need_shared(g, offset, len, err);
}

struct load {
	struct gmem *g;
	const struct gmem_load_opts *o;
	int fd;
	uint64_t offset, len, done;
	struct gmem__window w; /* .len 0: none is open */
};

static int read_failed(const struct load *l, int sys, uint64_t at, uint64_t len,
		       struct gmem_error *err)
{
	int r;

	if (sys == -EBADF)
		return gmem__fail_sys(err, GMEM_REASON_BAD_FD, 0, sys,
				      (uint64_t)l->fd, 0,
				      "the input cannot be read");
	/* Direct I/O says so whichever page it was. */
	if (sys == -EFAULT) {
		r = gmem__why_fault(l->g, &l->w, at, len, err);
		if (r < 0)
			return r;
	}
	return gmem__fail_sys(err, GMEM_REASON_INPUT, 0, sys, (uint64_t)l->fd,
			      0, "reading the input failed with %s",
			      gmem__errno_name(sys));
}

/* The window with the next byte, which may be the one that is open. */
static int next_window(struct load *l, struct gmem_error *err)
{
	uint64_t pos = l->offset + l->done;
	int r;

	if (pos - l->w.offset < l->w.len)
		return 0;
	gmem__window_close(l->g, &l->w);
	r = gmem__window_open(l->g, pos, l->len - l->done, &l->w);
	return r < 0 ? gmem__window_failed(r, err) : 0;
}

/* One read: 1, 0 at the end of the input, or -errno. */
static int load_piece(struct load *l, struct gmem_error *err)
{
	uint64_t pos = l->offset + l->done, n;
	int64_t got;
	int r = next_window(l, err);

	if (r < 0)
		return r;
	n = l->w.len - (pos - l->w.offset);
	if (n > STEP)
		n = STEP;
	got = gmem__read(l->g->ctx, l->fd, l->w.addr + (pos - l->w.offset), n);
	if (got == -EINTR)
		return 1;
	if (got < 0)
		return read_failed(l, (int)got, pos, n, err);
	if (got == 0)
		return 0;
	l->done += (uint64_t)got;
	gmem__call_progress(l->o->progress, l->o->progress_arg, l->done,
			    l->len);
	return 1;
}

static int load_all(struct load *l, struct gmem_error *err)
{
	int r = 1;

	while (r > 0 && l->done < l->len) {
		r = gmem__cancel_check(l->o->cancel, l->done, err);
		if (r == 0)
			r = load_piece(l, err);
	}
	if (r < 0)
		return r;
	if (l->done == l->len || (l->o->flags & GMEM_LOAD_UNTIL_EOF))
		return 0;
	return gmem__fail(err, GMEM_REASON_INPUT_SHORT, l->done, l->len,
			  "the input ended after %" PRIu64 " of %" PRIu64
			  " bytes",
			  l->done, l->len);
}

int gmem_load(struct gmem *g, uint64_t offset, int fd, uint64_t len,
	      const struct gmem_load_opts *opts, struct gmem_error *err)
{
	struct gmem_load_opts o;
	struct load l = {
		.g = g, .o = &o, .fd = fd, .offset = offset, .len = len
	};
	int r = gmem__enter_opts(g, &opts_type, opts, &o, err);

	if (r < 0)
		return r;
	r = check_range(g, offset, len, err);
	if (r < 0)
		return r;
	r = load_all(&l, err);
	gmem__window_close(g, &l.w);
	gmem__set_done(err, l.done);
	return r;
}

// SPDX-License-Identifier: MIT
/*
 * Guest memory into a file, pipe or socket.  The kernel copies straight from
 * the mapping, so memory that turns private meanwhile is an error and not a
 * signal.  Only what is resident is read, since reading allocates the rest.
 */
#include <errno.h>
#include <fcntl.h>

#include "call.h"
#include "callback.h"
#include "cancel.h"
#include "enter.h"
#include "error.h"
#include "fd.h"
#include "file.h"
#include "map.h"
#include "opts.h"
#include "range.h"
#include "resident.h"
#include "touch.h"
#include "window.h"

#define STORE_OPTS_V0 48
#define STEP (256ULL << 20)

_Static_assert(sizeof(struct gmem_store_opts) == STORE_OPTS_V0, "ABI");

static const struct gmem__opts_type opts_type = GMEM__OPTS_TYPE(
	gmem_store_opts, STORE_OPTS_V0, GMEM_STORE_OUTPUT_OFFSET);

static const unsigned char zeroes[4096];

struct store {
	struct gmem *g;
	const struct gmem_store_opts *o;
	struct gmem__fd fd;
	uint64_t offset, len, done;
	/*
	 * From .done on: a hole up to .data, unless that is behind already,
	 * and then data up to .stop.
	 */
	uint64_t data, stop;
	uint64_t end;	     /* of a regular file, as far as it is known here */
	bool dense;	     /* no holes can be punched into the output */
	unsigned int faults; /* in a row, of pages that were good again */
	struct gmem__window w; /* .len 0: none is open */
};

/* What is next in memory.  Without cachestat(2) all of it is data. */
static void next_extent(struct store *s)
{
	uint64_t page = s->g->ctx->page_size, pos = s->offset + s->done, run;
	uint64_t first = pos - pos % page, end = s->offset + s->len;
	int r;

	s->stop = s->len;
	end += (page - end % page) % page;
	r = gmem__next_resident(s->g, &first, end, &run);
	if (r < 0)
		return;
	if (!run)
		s->data = s->len;
	else if (first > pos)
		s->data = first - s->offset;
	if (run && first + run - s->offset < s->len)
		s->stop = first + run - s->offset;
}

/* 0, or -ECANCELED if the caller wants no more. */
static int add_done(struct store *s, uint64_t n, struct gmem_error *err)
{
	s->done += n;
	s->faults = 0;
	if (gmem__call_progress(s->o->progress, s->o->progress_arg, s->done,
				s->len))
		return 0;
	return gmem__fail_cancelled(s->done, err);
}

/* One write, behind what is done: how much it took, never 0, or -errno. */
static int64_t put(struct store *s, const void *from, uint64_t n)
{
	const struct gmem__fd *f = &s->fd;
	uint64_t at = f->start + s->done;
	int64_t took;

	if (f->offsets)
		took = gmem__pwrite(f->ctx, f->fd, from, n, at);
	else if (f->socket)
		took = gmem__send(f->ctx, f->fd, from, n);
	else
		took = gmem__write(f->ctx, f->fd, from, n);
	if (took > 0 && at + (uint64_t)took > s->end)
		s->end = at + (uint64_t)took;
	return took ? took : -EIO;
}

static int store_zeroes(struct store *s, uint64_t n, struct gmem_error *err)
{
	int64_t took = put(s, zeroes, n < sizeof(zeroes) ? n : sizeof(zeroes));

	if (took == -EINTR)
		return 0;
	if (took < 0)
		return gmem__fd_failed(&s->fd, (int)took, err);
	return add_done(s, (uint64_t)took, err);
}

static int write_failed(struct store *s, int sys, uint64_t at, uint64_t len,
			struct gmem_error *err)
{
	int r;

	if (sys == -EFAULT) {
		r = gmem__why_fault(s->g, &s->w, at, len, err);
		if (r < 0)
			return r;
		/* It was private at that moment only. */
		if (++s->faults < GMEM__FAULTS)
			return 0;
	}
	return gmem__fd_failed(&s->fd, sys, err);
}

static int store_data(struct store *s, struct gmem_error *err)
{
	uint64_t pos = s->offset + s->done, n = s->stop - s->done, room;
	int64_t took;
	int r = gmem__window_next(s->g, pos, s->len - s->done, &s->w);

	if (r < 0)
		return gmem__window_failed(r, err);
	room = s->w.len - (pos - s->w.offset);
	if (n > room)
		n = room;
	if (n > STEP)
		n = STEP;
	took = put(s, s->w.addr + (pos - s->w.offset), n);
	if (took == -EINTR)
		return 0;
	if (took < 0)
		return write_failed(s, (int)took, pos, n, err);
	return add_done(s, (uint64_t)took, err);
}

/* Whether there is a hole now in the output, of @n bytes behind what is done.
 */
static bool punched(struct store *s, uint64_t n)
{
	const struct gmem__fd *f = &s->fd;
	int r;

	if (!f->offsets || s->dense)
		return false;
	do {
		r = gmem__fallocate(f->ctx, f->fd,
				    FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
				    f->start + s->done, n);
	} while (r == -EINTR);
	s->dense = r < 0;
	return r == 0;
}

/* A step into the hole. */
static int store_hole(struct store *s, struct gmem_error *err)
{
	uint64_t pos = s->offset + s->done, at = s->fd.start + s->done, n, run;

	if (gmem__host_state(s->g, pos, s->data - s->done, &run) !=
	    GMEM__SHARED)
		return gmem__fail_private(pos, err);
	n = run;
	if (s->fd.offsets && s->fd.regular) {
		if (at >= s->end)
			return add_done(s, n, err);
		if (n > s->end - at)
			n = s->end - at;
	}
	if (!punched(s, n))
		return store_zeroes(s, n, err);
	return add_done(s, n, err);
}

static int store_all(struct store *s, struct gmem_error *err)
{
	int r = 0;

	while (r == 0 && s->done < s->len) {
		r = gmem__cancel_check(s->o->cancel, s->done, err);
		if (r < 0)
			break;
		if (s->done == s->stop)
			next_extent(s);
		r = s->done < s->data ? store_hole(s, err) : store_data(s, err);
	}
	return r;
}

/*
 * A file that would end before a hole gets that hole's last byte: ftruncate(2)
 * could cut off what another writer has appended meanwhile.
 */
static int end_file(struct store *s)
{
	const struct gmem__fd *f = &s->fd;
	uint64_t end = f->start + s->done;
	int64_t took = 1;

	if (!f->offsets || !f->regular || !s->done || end <= s->end)
		return 0;
	do {
		took = gmem__pwrite(f->ctx, f->fd, zeroes, 1, end - 1);
	} while (took == -EINTR);
	if (took == 1)
		return 0;
	s->done = s->end > f->start ? s->end - f->start : 0;
	return took ? (int)took : -EIO;
}

/* Ends the file and moves its position, if no offset was given: 0 or -errno. */
static int leave(struct store *s)
{
	int r = end_file(s), sought = 0;

	if (!(s->o->flags & GMEM_STORE_OUTPUT_OFFSET))
		sought = gmem__fd_seek(&s->fd, s->fd.start + s->done);
	return r < 0 ? r : sought;
}

static int begin(struct store *s, struct gmem_error *err)
{
	bool at = s->o->flags & GMEM_STORE_OUTPUT_OFFSET;
	int r = gmem__fd_begin(&s->fd, at ? &s->o->output_offset : NULL, err);

	s->end = s->fd.size;
	return r < 0 ? r : gmem__inside(s->fd.start, s->len, INT64_MAX, err);
}

int gmem_store(struct gmem *g, uint64_t offset, int fd, uint64_t len,
	       const struct gmem_store_opts *opts, struct gmem_error *err)
{
	struct gmem_store_opts o;
	struct store s = { .g = g, .o = &o, .offset = offset, .len = len };
	int r = gmem__enter_opts(g, &opts_type, opts, &o, err), sys;

	if (r < 0)
		return r;
	r = gmem__shared_range_check(g, offset, len, err);
	if (r < 0 || len == 0)
		return r;
	s.fd = (struct gmem__fd){ .ctx = g->ctx, .fd = fd, .output = true };
	r = begin(&s, err);
	if (r < 0)
		return r;
	r = store_all(&s, err);
	gmem__window_close(g, &s.w);
	sys = leave(&s);
	if (r == 0 && sys < 0)
		r = gmem__fd_failed(&s.fd, sys, err);
	gmem__set_done(err, s.done);
	return r;
}

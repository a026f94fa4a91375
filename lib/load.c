// SPDX-License-Identifier: MIT
/*
 * An image into guest memory.  The kernel copies straight into the mapping,
 * so memory that turns private meanwhile is an error and not a signal.  What is
 * a hole in a file is not read: its pages are freed.
 */
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "call.h"
#include "callback.h"
#include "cancel.h"
#include "discard.h"
#include "enter.h"
#include "error.h"
#include "fd.h"
#include "file.h"
#include "map.h"
#include "opts.h"
#include "resident.h"
#include "room.h"
#include "touch.h"
#include "window.h"

#define LOAD_OPTS_V0 56
#define STEP (256ULL << 20)

_Static_assert(sizeof(struct gmem_load_opts) == LOAD_OPTS_V0, "ABI");

static const struct gmem__opts_type opts_type = GMEM__OPTS_TYPE(
	gmem_load_opts, LOAD_OPTS_V0,
	GMEM_LOAD_UNTIL_EOF | GMEM_LOAD_INPUT_OFFSET | GMEM_LOAD_UNCHECKED);

struct load {
	struct gmem *g;
	const struct gmem_load_opts *o;
	struct gmem__fd fd;
	uint64_t offset, len, done;
	/* From .done on: a hole up to .data, and then data up to .stop. */
	uint64_t data, stop;
	uint64_t roomy; /* up to there, there was room */
	struct gmem__room room;
	unsigned int faults;   /* in a row, of pages that were good again */
	struct gmem__window w; /* .len 0: none is open */
};

/* How many bytes come before @at in the input. */
static uint64_t before(const struct load *l, int64_t at)
{
	uint64_t n = (uint64_t)at - l->fd.start;

	return n < l->len ? n : l->len;
}

/*
 * What is next in the input.  Without an answer all of it is data, and so is
 * what comes behind its end, of which only a read tells.
 */
static void next_extent(struct load *l)
{
	const struct gmem__fd *f = &l->fd;
	int64_t at = (int64_t)(f->start + l->done), data, hole;

	l->data = l->done;
	l->stop = l->len;
	if (!f->offsets)
		return;
	data = gmem__lseek(f->ctx, f->fd, (uint64_t)at, SEEK_DATA);
	if (data == -ENXIO) {
		hole = gmem__lseek(f->ctx, f->fd, 0, SEEK_END);
		if (hole > at)
			l->data = l->stop = before(l, hole);
	} else if (data >= at) {
		hole = gmem__lseek(f->ctx, f->fd, (uint64_t)data, SEEK_HOLE);
		l->data = before(l, data);
		if (hole > data)
			l->stop = before(l, hole);
	}
}

/* 1, or -ECANCELED if the caller wants no more. */
static int add_done(struct load *l, uint64_t n, struct gmem_error *err)
{
	l->done += n;
	l->faults = 0;
	if (gmem__call_progress(l->o->progress, l->o->progress_arg, l->done,
				l->len))
		return 1;
	return gmem__fail_cancelled(l->done, err);
}

static int read_failed(struct load *l, int sys, uint64_t at, uint64_t len,
		       struct gmem_error *err)
{
	int r;

	/* Direct I/O says so whichever page it was. */
	if (sys == -EFAULT) {
		r = gmem__why_fault(l->g, &l->w, at, len, err);
		if (r < 0)
			return r;
		/* It was private at that moment only. */
		if (++l->faults < GMEM__FAULTS)
			return 1;
	}
	return gmem__fd_failed(&l->fd, sys, err);
}

/* Looks for room for the next step if the last one is used up. */
static int find_room(struct load *l, struct gmem_error *err)
{
	uint64_t pos = l->offset + l->done, page = l->g->page_size, len;
	uint64_t end = l->offset + l->len;

	if (l->done < l->roomy)
		return 0;
	pos -= pos % page;
	len = end - pos < STEP ? end - pos : STEP;
	len = gmem__room_for(&l->room, pos, len, page, 0);
	if (!len)
		return gmem__room_failed(&l->room, page, err);
	l->roomy = pos + len - l->offset;
	return 0;
}

/* One read of at most @n bytes: 1, 0 at the end of the input, or -errno. */
static int load_piece(struct load *l, uint64_t n, struct gmem_error *err)
{
	uint64_t pos = l->offset + l->done, room;
	const struct gmem__fd *f = &l->fd;
	unsigned char *to;
	int64_t got;
	int r = find_room(l, err);

	if (r < 0)
		return r;
	/* mlockall(MCL_FUTURE) allocates all that is mapped. */
	r = gmem__window_next(l->g, pos,
			      (l->roomy < l->len ? l->roomy : l->len) - l->done,
			      &l->w);
	if (r < 0)
		return gmem__window_failed(r, err);
	room = l->w.len - (pos - l->w.offset);
	if (n > room)
		n = room;
	if (n > l->roomy - l->done)
		n = l->roomy - l->done;
	to = l->w.addr + (pos - l->w.offset);
	if (f->offsets)
		got = gmem__pread(f->ctx, f->fd, to, n, f->start + l->done);
	else
		got = gmem__read(f->ctx, f->fd, to, n);
	if (got == -EINTR)
		return 1;
	if (got < 0)
		return read_failed(l, (int)got, pos, n, err);
	if (got == 0)
		return 0;
	return add_done(l, (uint64_t)got, err);
}

/* Of the hole what lies in one page with other bytes: 1 or -errno. */
static int load_part(struct load *l, uint64_t end, struct gmem_error *err)
{
	uint64_t pos = l->offset + l->done, page = l->g->page_size, run;
	uint64_t first = pos - pos % page, next = first + page;

	if (end > next)
		end = next;
	/* If it is there, or may be, the hole's zeroes are read into it. */
	if (gmem__next_resident(l->g, &first, next, &run) < 0 || run)
		return load_piece(l, end - pos, err);
	return add_done(l, end - pos, err);
}

/* Whole pages of the hole: 1 or -errno. */
static int load_pages(struct load *l, uint64_t end, struct gmem_error *err)
{
	uint64_t pos = l->offset + l->done, first = pos, run;
	int r = gmem__next_resident(l->g, &first, end, &run);

	if (r == 0)
		pos = first - first % l->g->page_size;
	if (r < 0 || run) {
		r = gmem__discard_step(l->g, &pos, end, err);
		if (r < 0)
			return r;
	}
	return add_done(l, pos - (l->offset + l->done), err);
}

/* A step into the hole: 1, 0 at the end of the input, or -errno. */
static int load_hole(struct load *l, struct gmem_error *err)
{
	uint64_t pos = l->offset + l->done, page = l->g->page_size, run;
	uint64_t end = l->offset + l->data;

	/* Private pages must not be freed. */
	if (gmem__host_state(l->g, pos, end - pos, &run) != GMEM__SHARED)
		return gmem__fail_private(pos, err);
	end = pos + run;
	if (pos % page || end - pos < page)
		return load_part(l, end, err);
	return load_pages(l, end - end % page, err);
}

static int load_all(struct load *l, struct gmem_error *err)
{
	int r = 1;

	while (r > 0 && l->done < l->len) {
		r = gmem__cancel_check(l->o->cancel, l->done, err);
		if (r < 0)
			break;
		if (l->done == l->stop)
			next_extent(l);
		if (l->done < l->data)
			r = load_hole(l, err);
		else
			r = load_piece(l, l->stop - l->done, err);
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

/* What comes next is to be read next, or nothing if an offset was given. */
static int leave_position(const struct load *l, struct gmem_error *err)
{
	bool at = l->o->flags & GMEM_LOAD_INPUT_OFFSET;
	int r = gmem__fd_seek(&l->fd,
			      at ? l->fd.position : l->fd.start + l->done);

	return r < 0 ? gmem__fd_failed(&l->fd, r, err) : 0;
}

static int begin(struct load *l, struct gmem_error *err)
{
	bool at = l->o->flags & GMEM_LOAD_INPUT_OFFSET;
	struct gmem__fd *f = &l->fd;
	int r = gmem__fd_begin(f, at ? &l->o->input_offset : NULL, err);

	if (r < 0 || !at || !f->regular || f->start <= f->size)
		return r;
	return gmem__fail(err, GMEM_REASON_BEYOND_INPUT, f->start, f->size,
			  "offset %" PRIu64 " is beyond the end of the input, "
			  "which has %" PRIu64 " bytes",
			  f->start, f->size);
}

int gmem_load(struct gmem *g, uint64_t offset, int fd, uint64_t len,
	      const struct gmem_load_opts *opts, struct gmem_error *err)
{
	struct gmem_load_opts o;
	struct load l = { .g = g, .o = &o, .offset = offset, .len = len };
	int r = gmem__enter_opts(g, &opts_type, opts, &o, err), sys;

	if (r < 0)
		return r;
	r = gmem__shared_range_check(g, offset, len, err);
	if (r < 0 || len == 0)
		return r;
	l.fd = (struct gmem__fd){ .ctx = g->ctx, .fd = fd };
	r = begin(&l, err);
	if (r < 0)
		return r;
	gmem__room_begin(&l.room, g, NULL, o.flags & GMEM_LOAD_UNCHECKED);
	r = load_all(&l, err);
	gmem__window_close(g, &l.w);
	if (o.unchecked)
		*o.unchecked = l.room.unchecked;
	sys = leave_position(&l, r < 0 ? NULL : err);
	gmem__set_done(err, l.done);
	return r < 0 ? r : sys;
}

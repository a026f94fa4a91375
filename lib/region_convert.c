// SPDX-License-Identifier: MIT
/*
 * Converting ranges of a region: the loop over the plan, which says what comes
 * next and what is undone.
 */
#include <errno.h>
#include <inttypes.h>

#include "attr.h"
#include "cancel.h"
#include "discard.h"
#include "enter.h"
#include "error.h"
#include "opts.h"
#include "plan.h"
#include "region.h"
#include "ticket.h"
#include "vm.h"

#define OPTS_V0 24
#define CONVERTED_V0 40
#define FEW 16 /* ranges of a ticket */
#define CHUNK_SHIFT 21

#define FLAGS \
	(GMEM_CONVERT_NOWAIT | GMEM_CONVERT_DEFER | GMEM_CONVERT_CHECK_ONLY)

_Static_assert(sizeof(struct gmem_convert_opts) == OPTS_V0, "ABI");
_Static_assert(sizeof(struct gmem_converted) == CONVERTED_V0, "ABI");

static const struct gmem__opts_type opts_type =
	GMEM__OPTS_TYPE(gmem_convert_opts, OPTS_V0, FLAGS);

struct convert {
	struct gmem_region *r;
	struct gmem_region_range *range;
	size_t n;
	struct gmem_convert_opts o;
	enum gmem__state to;
	uint64_t runs, queued;
	/* Whether the range is still what it was taken for; or NULL. */
	bool (*still)(const void *arg);
	const void *arg;
};

/* Refuses each bad range before any is touched. */
static int check_ranges(const struct convert *c, struct gmem_error *err)
{
	int r = 0;

	if (!c->range && c->n)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, c->n, 0,
				  "ranges is NULL");
	for (size_t i = 0; r == 0 && i < c->n; i++)
		if (c->range[i].len)
			r = gmem__file_range_check(c->r->g, c->range[i].offset,
						   c->range[i].len, err);
	return r;
}

/* In order and joined; those that became part of another are empty. */
static void join(struct convert *c)
{
	size_t n = 0, all = c->n;

	for (size_t i = 0; i < all; i++)
		if (c->range[i].len)
			c->range[n++] = c->range[i];
	c->n = gmem__plan_sort(c->range, n);
	for (size_t i = c->n; i < all; i++)
		c->range[i] = (struct gmem_region_range){ 0 };
}

/*
 * Each range of its own, or where there are many, several in one; whole huge
 * pages, since one is freed by who converts its last page.
 */
static unsigned int ticket_ranges(const struct convert *c,
				  struct gmem__range *out)
{
	size_t each = (c->n + FEW - 1) / FEW, last;
	unsigned int n = 0;

	for (size_t i = 0; i < c->n; i = last + 1) {
		last = i + each - 1 < c->n ? i + each - 1 : c->n - 1;
		out[n++] = gmem__region_side_range(
			c->r, c->range[i].offset,
			gmem__range_end(&c->range[last]));
	}
	return n;
}

int gmem__region_convert_check(const struct gmem_region *r, uint64_t offset,
			       uint64_t len, enum gmem__state state,
			       struct gmem_error *err)
{
	if (r->kind == GMEM_REGION_KIND_SHARED && state == GMEM__PRIVATE)
		return gmem__fail(err, GMEM_REASON_REGION_KIND,
				  GMEM_REGION_KIND_SHARED, 0,
				  "a region of kind shared does not convert");
	return gmem__attr_check(r->g, offset, len, state, false, err);
}

static int check_state(const struct convert *c, struct gmem_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->n; i++)
		r = gmem__region_convert_check(c->r, c->range[i].offset,
					       c->range[i].len, c->to, err);
	return r;
}

static enum gmem__state view(const void *arg, uint64_t pos, uint64_t len,
			     uint64_t *run)
{
	const struct gmem_region *r = arg;

	return gmem__record_run(&r->g->record, pos, len, run);
}

/* One chunk of the kernel's attributes; an undo is not to be cancelled. */
static int attributes(const struct convert *c, const struct gmem__step *s,
		      uint64_t *done, struct gmem_error *err)
{
	const int *cancel = s->undo ? NULL : c->o.cancel;
	uint64_t pos = s->start, n, at;
	int r = 0;

	while (r == 0 && pos < s->end) {
		r = gmem__attr_set(c->r->g, pos, s->end - pos, s->state, cancel,
				   &n, &at);
		pos += n;
	}
	*done = pos - s->start;
	if (r < 0 && !s->undo)
		r = gmem__attr_refused(r, at, err);
	return r;
}

/* ------------------------------------------------------------ sequence -- */

/* The numbers that stand for a range: one for each 2 MiB, in turn. */
static unsigned int chunks(uint64_t offset, uint64_t len, unsigned int *first)
{
	uint64_t n = ((offset + len - 1) >> CHUNK_SHIFT) -
		     (offset >> CHUNK_SHIFT) + 1;

	*first = (offset >> CHUNK_SHIFT) % GMEM__SEQUENCES;
	return n < GMEM__SEQUENCES ? (unsigned int)n : GMEM__SEQUENCES;
}

uint64_t gmem__region_sequence(const struct gmem_region *r, uint64_t offset,
			       uint64_t len)
{
	unsigned int first, n = chunks(offset, len, &first);
	uint64_t sum = 0;

	for (unsigned int i = first; i < first + n; i++)
		sum += __atomic_load_n(&r->sequence[i % GMEM__SEQUENCES],
				       __ATOMIC_ACQUIRE);
	return sum;
}

static void touched(struct gmem_region *r, uint64_t offset, uint64_t len)
{
	unsigned int first, n = chunks(offset, len, &first);

	for (unsigned int i = first; i < first + n; i++)
		(void)__atomic_fetch_add(&r->sequence[i % GMEM__SEQUENCES], 1,
					 __ATOMIC_RELEASE);
}

/* --------------------------------------------------------------- steps -- */

static void converted(struct convert *c, const struct gmem__step *s)
{
	struct gmem_region *r = c->r;
	uint64_t len = s->end - s->start;

	c->runs++;
	gmem__region_count(&r->conversions, 1);
	gmem__region_count(s->state == GMEM__PRIVATE ? &r->to_private
						     : &r->to_shared,
			   len);
	c->queued += gmem__region_free_other(r, s->start, len, s->state,
					     c->o.flags & GMEM_CONVERT_DEFER);
}

/* The guest had the other side for a while, or has it for good. */
static void set_back(struct convert *c, const struct gmem__step *s)
{
	if (c->r->kind != GMEM_REGION_KIND_DUAL)
		return;
	gmem__region_queue_set(c->r, s->start, s->end - s->start, true);
	c->queued += s->end - s->start;
}

static void run_plan(struct convert *c, struct gmem__plan *p,
		     struct gmem_error *err)
{
	struct gmem__step s;
	uint64_t done;
	int r;

	while (gmem__plan_next(p, &s)) {
		r = 0;
		done = 0;
		switch (s.kind) {
		case GMEM__STEP_ATTRIBUTES:
			r = attributes(c, &s, &done, err);
			if (s.undo)
				set_back(c, &s);
			break;
		case GMEM__STEP_RECORD:
			touched(c->r, s.start, s.end - s.start);
			gmem__attr_was_set(c->r->g, s.start, s.end - s.start,
					   s.state);
			break;
		case GMEM__STEP_DISCARD:
			converted(c, &s);
			break;
		default:
			break;
		}
		gmem__plan_result(p, r, done);
	}
}

/* With the ticket of all its ranges. */
static int convert_held(struct convert *c, struct gmem_converted *out,
			struct gmem_error *err)
{
	struct gmem__plan p = {
		.view = view,
		.arg = c->r,
		.size = c->r->g->size,
		.range = c->range,
		.ranges = c->n,
		.to = c->to,
		.chunk = GMEM__STEP,
	};
	int r = check_state(c, err);

	if (r < 0)
		return r;
	run_plan(c, &p, err);
	out->done = p.done;
	out->changed = p.changed;
	out->runs = c->runs;
	out->queued = c->queued;
	return p.error;
}

static int convert(struct convert *c, struct gmem_converted *out,
		   struct gmem_error *err)
{
	struct gmem__range held[FEW];
	struct gmem__ticket t;
	int r;

	r = gmem__ticket_take(c->r->g->vm, &t, held, ticket_ranges(c, held),
			      c->o.flags & GMEM_CONVERT_NOWAIT, c->o.cancel,
			      err);
	if (r < 0)
		return r;
	if (c->still && !c->still(c->arg))
		r = gmem__fail(err, GMEM_REASON_RANGE_BUSY, c->range[0].offset,
			       0, "slots changed while the call waited");
	else
		r = convert_held(c, out, err);
	gmem__ticket_return(c->r->g->vm, &t);
	return r;
}

int gmem_region_assume(struct gmem_region *r, struct gmem_region_range *ranges,
		       size_t n, uint64_t attributes, struct gmem_error *err)
{
	struct convert c = { .r = r, .range = ranges, .n = n };
	struct gmem__range held[FEW];
	struct gmem__ticket t;
	uint64_t done = 0;
	unsigned char *mem;
	int ret = gmem__region_enter(r, err);

	if (ret < 0 || (ret = gmem__attr_state(attributes, &c.to, err)) < 0 ||
	    (ret = check_ranges(&c, err)) < 0 ||
	    (ret = gmem__region_shared(r->g, &mem, err)) < 0)
		return ret;
	join(&c);
	ret = gmem__ticket_take(r->g->vm, &t, held, ticket_ranges(&c, held),
				false, NULL, err);
	if (ret < 0)
		return ret;
	ret = check_state(&c, err);
	for (size_t i = 0; ret == 0 && i < c.n; i++) {
		const struct gmem_region_range *a = &ranges[i];

		touched(r, a->offset, a->len);
		/* Without memory for a record all is so already. */
		if (r->g->record.blocks)
			gmem__attr_was_set(r->g, a->offset, a->len, c.to);
		(void)gmem__region_free_other(r, a->offset, a->len, c.to, true);
		done += a->len;
	}
	gmem__ticket_return(r->g->vm, &t);
	gmem__set_done(err, done);
	return ret;
}

/* What is shared becomes private; what has no slot has nothing to become. */
static int all_private(struct gmem_region *r, const int *cancel,
		       struct gmem_error *err)
{
	struct gmem_region_range run = { 0, 0 };
	struct convert c = {
		.r = r,
		.range = &run,
		.to = GMEM__PRIVATE,
		.o.cancel = cancel,
	};
	struct gmem_converted made;
	uint64_t size = r->g->size;
	int ret = 0;

	if (r->kind == GMEM_REGION_KIND_SHARED)
		return 0;
	for (; ret == 0 && run.offset < size; run.offset += run.len) {
		if (view(r, run.offset, size - run.offset, &run.len) !=
		    GMEM__SHARED)
			continue;
		c.n = 1;
		ret = gmem__cancel_check(cancel, 0, err);
		if (ret == 0)
			ret = convert_held(&c, &made, err);
	}
	if (ret < 0)
		gmem__region_count(&r->failed, 1);
	return ret;
}

int gmem_region_reset(struct gmem_region *r,
		      const struct gmem_discard_opts *opts,
		      struct gmem_error *err)
{
	struct gmem__discard d = { .total = 0 };
	struct gmem__range range;
	struct gmem__ticket t;
	unsigned char *mem;
	int ret = gmem__region_enter(r, err);

	if (ret < 0 ||
	    (ret = gmem__opts_take(&gmem__discard_opts, opts, &d.o, err)) < 0 ||
	    (ret = gmem__region_shared(r->g, &mem, err)) < 0)
		return ret;
	d.total = r->g->size;
	range = (struct gmem__range){ r->g, 0, d.total };
	ret = gmem__ticket_take(r->g->vm, &t, &range, 1, false, d.o.cancel,
				err);
	if (ret < 0)
		return ret;
	ret = all_private(r, d.o.cancel, err);
	if (ret == 0)
		ret = gmem__discard(r->g, 0, d.total, &d, err);
	gmem__ticket_return(r->g->vm, &t);
	gmem__set_done(err, d.done);
	return ret;
}

int gmem__region_probe(struct gmem_region *r, uint64_t offset, uint64_t len,
		       enum gmem__state state, bool nowait, const int *cancel,
		       struct gmem_error *err)
{
	struct gmem__range range = { r->g, offset, offset + len };
	uint64_t end = offset + len, run, n, at = offset;
	struct gmem__ticket t;
	int ret =
		gmem__ticket_take(r->g->vm, &t, &range, 1, nowait, cancel, err);

	if (ret < 0)
		return ret;
	for (n = 0; ret == 0 && offset < end; offset += n) {
		n = run = end - offset;
		if (view(r, offset, run, &n) != state)
			continue;
		run = n;
		ret = gmem__attr_set(r->g, offset, run, state, cancel, &n, &at);
	}
	gmem__ticket_return(r->g->vm, &t);
	return ret < 0 ? gmem__attr_refused(ret, at, err) : 0;
}

static int take(struct convert *c, uint64_t attributes,
		const struct gmem_convert_opts *opts,
		struct gmem_converted *out, struct gmem_error *err)
{
	struct gmem_converted made = { .sz = sizeof(made) };
	unsigned char *mem;
	int ret = gmem__region_enter(c->r, err);

	if (ret < 0 ||
	    (ret = gmem__opts_take(&opts_type, opts, &c->o, err)) < 0 ||
	    (out && (ret = gmem__out_check(out, CONVERTED_V0, "gmem_converted",
					   err)) < 0) ||
	    (ret = gmem__attr_state(attributes, &c->to, err)) < 0 ||
	    (ret = check_ranges(c, err)) < 0 ||
	    (ret = gmem__region_shared(c->r->g, &mem, err)) < 0)
		return ret;
	join(c);
	if (c->o.flags & GMEM_CONVERT_CHECK_ONLY)
		ret = check_state(c, err);
	else if (c->n)
		ret = convert(c, &made, err);
	if (ret < 0 && !(c->o.flags & GMEM_CONVERT_CHECK_ONLY))
		gmem__region_count(&c->r->failed, 1);
	gmem__set_done(err, made.done);
	if (out)
		gmem__out_copy(out, &made, sizeof(made));
	return ret;
}

int gmem__region_convert_while(struct gmem_region *r,
			       struct gmem_region_range *range,
			       uint64_t attributes,
			       const struct gmem_convert_opts *opts,
			       bool (*still)(const void *arg), const void *arg,
			       struct gmem_error *err)
{
	struct convert c = {
		.r = r,
		.range = range,
		.n = 1,
		.still = still,
		.arg = arg,
	};

	return take(&c, attributes, opts, NULL, err);
}

int gmem_region_convert(struct gmem_region *r, struct gmem_region_range *ranges,
			size_t n, uint64_t attributes,
			const struct gmem_convert_opts *opts,
			struct gmem_converted *out, struct gmem_error *err)
{
	struct convert c = { .r = r, .range = ranges, .n = n };

	return take(&c, attributes, opts, out, err);
}

int gmem_region_attributes(const struct gmem_region *r, uint64_t offset,
			   uint64_t len, uint64_t *attributes, uint64_t *run,
			   struct gmem_error *err)
{
	int ret = gmem__region_enter(r, err);

	return ret < 0 ? ret
		       : gmem_get_attributes(r->g, offset, len, attributes, run,
					     err);
}

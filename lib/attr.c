// SPDX-License-Identifier: MIT
/*
 * Private and shared.  The library converts by guest address through the slot
 * table, or by file offset where the kernel converts in place; the record keeps
 * what was set, since the kernel does not report it.
 */
#include <errno.h>
#include <inttypes.h>

#include "attr.h"
#include "attr_gpa.h"
#include "call.h"
#include "cancel.h"
#include "enter.h"
#include "error.h"
#include "file.h"
#include "kept.h"
#include "lock.h"
#include "name.h"
#include "opts.h"
#include "region.h"
#include "slot.h"
#include "ticket.h"
#include "uapi.h"
#include "uapi_proposed.h"
#include "vm.h"

#define ATTRIBUTES_OPTS_V0 24

#define ATTRIBUTES_FLAGS                                       \
	(GMEM_ATTRIBUTES_CHECK_ONLY | GMEM_ATTRIBUTES_NOWAIT | \
	 GMEM_ATTRIBUTES_UNBACKED)

/* EAGAIN is normal where a page has short references. */
#define FIRST_PAUSE_NS 1000 /* each pause twice the one before */
#define PATIENCE_MS 16	    /* from the first EAGAIN on */

_Static_assert(sizeof(struct gmem_attributes_opts) == ATTRIBUTES_OPTS_V0,
	       "ABI");

const struct gmem__opts_type gmem__attributes_opts = GMEM__OPTS_TYPE(
	gmem_attributes_opts, ATTRIBUTES_OPTS_V0, ATTRIBUTES_FLAGS);
_Static_assert(GMEM_ATTRIBUTE_PRIVATE == GMEM__ATTRIBUTE_PRIVATE, "UAPI");

static uint64_t kernel_attributes(enum gmem__state s)
{
	return s == GMEM__PRIVATE ? GMEM__ATTRIBUTE_PRIVATE : 0;
}

void gmem__attr_record(struct gmem *g, uint64_t offset, uint64_t len,
		       enum gmem__state state)
{
	if (len == 0)
		return;
	gmem__lock(&g->lock);
	gmem__record_set(&g->record, offset, len, state);
	gmem__unlock(&g->lock);
}

static int not_bound(uint64_t at, uint64_t end, struct gmem_error *err)
{
	return gmem__fail(err, GMEM_REASON_NOT_BOUND, at, end,
			  "offset 0x%" PRIx64
			  " has no slot, so it has no attributes",
			  at);
}

static int no_shared_side(uint64_t at, struct gmem_error *err)
{
	return gmem__fail(err, GMEM_REASON_NO_SHARED_SIDE, at, 0,
			  "offset 0x%" PRIx64
			  " has no memory that guest and host can share",
			  at);
}

/*
 * Whether slots cover all of the range, or what they left for the file; the
 * ticket keeps both there.  The lock is taken for each, since there may be
 * many.
 */
static int covered(struct gmem *g, uint64_t offset, uint64_t len, bool backed,
		   struct gmem_error *err)
{
	uint64_t pos, end = offset + len;
	struct gmem__place p;
	bool found;

	for (pos = offset; pos < end; pos += p.len) {
		gmem__lock(&g->vm->lock);
		found = gmem__place_of(g->vm, g, pos, &p);
		gmem__unlock(&g->vm->lock);
		if (!found)
			return not_bound(pos, end, err);
		if (backed && p.reserved)
			return no_shared_side(pos, err);
	}
	return 0;
}

int gmem__attr_refused(int sys, uint64_t at, struct gmem_error *err)
{
	int r;

	switch (sys) {
	case -ECANCELED:
		return gmem__fail(err, GMEM_REASON_CANCELLED, at, 0,
				  "cancelled at offset 0x%" PRIx64, at);
	case -EAGAIN:
		return gmem__fail_sys(err, GMEM_REASON_PAGE_IN_USE, 0, sys, at,
				      PATIENCE_MS,
				      "the page at offset 0x%" PRIx64
				      " is still in use after %d ms",
				      at, PATIENCE_MS);
	case -ENXIO:
		return not_bound(at, at, err);
	case -ENOTTY:
	case -EINVAL:
		r = gmem__fail_sys(err, GMEM_REASON_NO_PRIVATE_MEMORY,
				   -EOPNOTSUPP, sys, at, 0,
				   "the kernel refuses to convert offset "
				   "0x%" PRIx64 ": %s",
				   at, gmem__errno_name(sys));
		return gmem__diagnosed(err, r);
	default:
		return gmem__fail_call(err, sys, "setting attributes");
	}
}

/* Up to 1 GiB at @pos by guest address.  *@n bytes were converted. */
static int step_by_gpa(struct gmem *g, uint64_t pos, uint64_t len,
		       enum gmem__state state, uint64_t *n)
{
	struct gmem__place p;
	bool found;

	gmem__lock(&g->vm->lock);
	found = gmem__place_of(g->vm, g, pos, &p);
	gmem__unlock(&g->vm->lock);
	/* Stuck and deleted by the program, which has noted another there. */
	if (!found)
		return -ENXIO;
	if (len > p.len)
		len = p.len;
	return gmem__gpa_attributes(g->vm, p.gpa, len, kernel_attributes(state),
				    n);
}

/*
 * The same by file offset.  A base-page file is converted whole or not at
 * all; a file of huge pages is converted page by huge page, and error_offset
 * says how far that went.
 */
static int step_by_offset(struct gmem *g, uint64_t pos, uint64_t len,
			  enum gmem__state state, uint64_t *n, uint64_t *at)
{
	struct gmem__attributes2 a = {
		.offset = pos,
		.size = len,
		.attributes = kernel_attributes(state),
		.error_offset = pos,
	};
	int r = gmem__ioctl(g->ctx, g->fd, GMEM__KVM_SET_MEMORY_ATTRIBUTES2,
			    &a);

	*n = r < 0 ? 0 : len;
	if (r < 0 && a.error_offset > pos && a.error_offset < pos + len) {
		*at = a.error_offset;
		if (g->page_size > g->ctx->page_size)
			*n = (a.error_offset - pos) / g->page_size *
			     g->page_size;
	}
	return r;
}

struct patience {
	uint64_t pause, end;
};

/*
 * Waits before the next try; false if it has waited long enough.  Bounded
 * by the clock, so that neither signals shorten it nor slow tries lengthen it.
 */
static bool wait_a_while(const struct gmem__ctx *ctx, struct patience *p)
{
	uint64_t now = ctx->sys->now(ctx->priv), until;

	if (!p->end) {
		p->pause = FIRST_PAUSE_NS;
		p->end = now + PATIENCE_MS * 1000000ULL;
	}
	if (now >= p->end)
		return false;
	until = now + p->pause < p->end ? now + p->pause : p->end;
	p->pause *= 2;
	ctx->sys->sleep_until(ctx->priv, until);
	return true;
}

int gmem__attr_set(struct gmem *g, uint64_t pos, uint64_t len,
		   enum gmem__state state, const int *cancel, uint64_t *n,
		   uint64_t *at)
{
	struct patience patience = { 0 };
	int r;

	*at = pos;
	*n = 0;
	while (!gmem__cancelled(cancel)) {
		if (gmem__has(g->vm, GMEM_FEATURE_FILE_ATTRIBUTES))
			r = step_by_offset(g, pos, len, state, n, at);
		else
			r = step_by_gpa(g, pos, len, state, n);
		if (*n)
			return r == -EAGAIN || r == -EINTR ? 0 : r;
		if (r != -EINTR &&
		    (r != -EAGAIN || !wait_a_while(g->ctx, &patience)))
			return r;
	}
	return -ECANCELED;
}

void gmem__attr_was_set(struct gmem *g, uint64_t offset, uint64_t len,
			enum gmem__state state)
{
	bool in_place = gmem__has(g->vm, GMEM_FEATURE_FILE_ATTRIBUTES);
	uint64_t end = offset + len;
	struct gmem__place p;

	for (; offset < end; offset += p.len) {
		gmem__lock(&g->vm->lock);
		p.len = in_place ? end - offset : g->ctx->page_size;
		/* A stuck slot that the program has replaced has no state. */
		if (in_place || gmem__place_of(g->vm, g, offset, &p)) {
			if (p.len > end - offset)
				p.len = end - offset;
			gmem__attr_record(g, offset, p.len, state);
		}
		gmem__unlock(&g->vm->lock);
	}
}

static int step(struct gmem *g, uint64_t pos, uint64_t len,
		enum gmem__state state, const int *cancel, uint64_t *n,
		struct gmem_error *err)
{
	uint64_t at;
	int r = gmem__attr_set(g, pos, len, state, cancel, n, &at);

	gmem__attr_was_set(g, pos, *n, state);
	return r < 0 ? gmem__attr_refused(r, at, err) : 0;
}

/*
 * Sets @state in the kernel where the record, which stays as it is, has private
 * pages.  *@reached: how far it got.
 */
static int tell_private(struct gmem *g, uint64_t pos, uint64_t end,
			enum gmem__state state, uint64_t *reached)
{
	uint64_t run, at;
	int r = 0;

	for (; r == 0 && pos < end; pos += run) {
		if (gmem__record_run(&g->record, pos, end - pos, &run) !=
		    GMEM__PRIVATE)
			continue;
		if (run > GMEM__STEP)
			run = GMEM__STEP;
		r = gmem__attr_set(g, pos, run, state, NULL, &run, &at);
	}
	*reached = pos;
	return r;
}

int gmem__attr_all_shared(struct gmem *g, uint64_t offset, uint64_t len)
{
	uint64_t reached, back;
	int r = tell_private(g, offset, offset + len, GMEM__SHARED, &reached);

	if (r == 0) {
		gmem__attr_record(g, offset, len, GMEM__SHARED);
		return 0;
	}
	if (tell_private(g, offset, reached, GMEM__PRIVATE, &back) < 0)
		gmem__attr_record(g, back, reached - back, GMEM__SHARED);
	return r;
}

int gmem__attr_convert(struct gmem *g, uint64_t offset, uint64_t len,
		       enum gmem__state state, const int *cancel,
		       uint64_t *done, struct gmem_error *err)
{
	uint64_t pos = offset, end = offset + len, n;
	int r = 0;

	while (r == 0 && pos < end) {
		uint64_t left = end - pos;

		n = 0;
		r = step(g, pos, left < GMEM__STEP ? left : GMEM__STEP, state,
			 cancel, &n, err);
		pos += n;
	}
	*done = pos - offset;
	return r;
}

static int check_in_place(struct gmem *g, uint64_t offset, uint64_t len,
			  enum gmem__state state, bool unbacked,
			  struct gmem_error *err)
{
	const struct gmem__slot *s;
	uint32_t slot = 0;

	if (state == GMEM__SHARED)
		return unbacked || (g->flags & GMEM_CREATE_MMAP)
			       ? 0
			       : no_shared_side(offset, err);
	gmem__lock(&g->vm->lock);
	s = gmem__slot_by_offset(g->vm, g, GMEM_SLOT_HVA, offset, len);
	if (s)
		slot = s->s.slot;
	gmem__unlock(&g->vm->lock);
	if (!s)
		return 0;
	return gmem__fail(err, GMEM_REASON_HVA_BOUND, offset, slot,
			  "offset 0x%" PRIx64 " + 0x%" PRIx64
			  " is behind slot %u in HVA mode, whose memory has to "
			  "stay shared",
			  offset, len, slot);
}

int gmem__attr_check(struct gmem *g, uint64_t offset, uint64_t len,
		     enum gmem__state state, bool unbacked,
		     struct gmem_error *err)
{
	if (!g->vm)
		return gmem__fail(err, GMEM_REASON_NOT_BOUND, offset, len,
				  "the file was adopted without a VM: offset "
				  "0x%" PRIx64 " has no slot",
				  offset);
	if (gmem__has(g->vm, GMEM_FEATURE_FILE_ATTRIBUTES))
		return check_in_place(g, offset, len, state, unbacked, err);
	if (g->record.blocks)
		return covered(g, offset, len,
			       state == GMEM__SHARED && !unbacked, err);
	/* Where nothing converts, a file can still be set to what it is. */
	if (g->record.fixed == state)
		return 0;
	return gmem__fail(err, GMEM_REASON_NO_PRIVATE_MEMORY, offset, 0,
			  "this file stays %s: its VM cannot convert",
			  gmem_name(GMEM_NAME_ATTRIBUTE,
				    gmem__attr_public(g->record.fixed)));
}

int gmem__attr_state(uint64_t attributes, enum gmem__state *state,
		     struct gmem_error *err)
{
	*state = attributes == GMEM_ATTRIBUTE_PRIVATE ? GMEM__PRIVATE
						      : GMEM__SHARED;
	if (attributes != GMEM_ATTRIBUTE_SHARED &&
	    attributes != GMEM_ATTRIBUTE_PRIVATE)
		return gmem__fail(
			err, GMEM_REASON_ATTRIBUTE_UNKNOWN, attributes,
			GMEM_ATTRIBUTE_PRIVATE,
			"attributes are 0x%" PRIx64 ", neither 0 nor 0x%x",
			attributes, (unsigned int)GMEM_ATTRIBUTE_PRIVATE);
	return 0;
}

int gmem_set_attributes(struct gmem *g, uint64_t offset, uint64_t len,
			uint64_t attributes,
			const struct gmem_attributes_opts *opts,
			struct gmem_error *err)
{
	struct gmem__range range = { g, offset, offset + len };
	struct gmem_attributes_opts o;
	struct gmem__ticket ticket;
	enum gmem__state state;
	uint64_t done = 0;
	bool unbacked;
	int r = gmem__enter_opts(g, &gmem__attributes_opts, opts, &o, err);

	if (r < 0 || (r = gmem__region_none(g, err)) < 0)
		return r;
	r = gmem__attr_state(attributes, &state, err);
	if (r < 0 || (r = gmem__file_range_check(g, offset, len, err)) < 0)
		return r;
	unbacked = o.flags & GMEM_ATTRIBUTES_UNBACKED;
	if (!g->record.blocks || (o.flags & GMEM_ATTRIBUTES_CHECK_ONLY)) {
		r = gmem__attr_check(g, offset, len, state, unbacked, err);
		gmem__set_done(err, r < 0 || g->record.blocks ? 0 : len);
		return r;
	}
	r = gmem__ticket_take(g->vm, &ticket, &range, 1,
			      o.flags & GMEM_ATTRIBUTES_NOWAIT, o.cancel, err);
	if (r < 0)
		return r;
	r = gmem__attr_check(g, offset, len, state, unbacked, err);
	if (r == 0)
		r = gmem__attr_convert(g, offset, len, state, o.cancel, &done,
				       err);
	gmem__set_done(err, done);
	gmem__ticket_return(g->vm, &ticket);
	return r;
}

int gmem_set_private(struct gmem *g, uint64_t offset, uint64_t len,
		     struct gmem_error *err)
{
	return gmem_set_attributes(g, offset, len, GMEM_ATTRIBUTE_PRIVATE, NULL,
				   err);
}

int gmem_set_shared(struct gmem *g, uint64_t offset, uint64_t len,
		    struct gmem_error *err)
{
	return gmem_set_attributes(g, offset, len, GMEM_ATTRIBUTE_SHARED, NULL,
				   err);
}

uint64_t gmem__attr_public(enum gmem__state s)
{
	switch (s) {
	case GMEM__PRIVATE:
		return GMEM_ATTRIBUTE_PRIVATE;
	case GMEM__SHARED:
		return GMEM_ATTRIBUTE_SHARED;
	default:
		return GMEM_ATTRIBUTE_UNSET;
	}
}

int gmem_get_attributes(const struct gmem *g, uint64_t offset, uint64_t len,
			uint64_t *attributes, uint64_t *run,
			struct gmem_error *err)
{
	uint64_t n = len;
	int r = gmem__enter(g, err);

	if (r < 0)
		return r;
	if (!attributes)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "attributes is NULL");
	r = gmem__range_check(g, offset, len, err);
	if (r < 0)
		return r;
	if (run)
		*attributes = gmem__attr_public(
			gmem__record_run(&g->record, offset, len, &n));
	else
		*attributes =
			gmem__attr_public(gmem__record_get(&g->record, offset));
	if (run)
		*run = n;
	return 0;
}

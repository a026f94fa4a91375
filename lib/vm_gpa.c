// SPDX-License-Identifier: MIT
/*
 * What is behind guest addresses: found through the slot table, changed slot by
 * slot under one ticket.
 */
#include <errno.h>
#include <inttypes.h>

#include "attr.h"
#include "callback.h"
#include "discard.h"
#include "enter.h"
#include "error.h"
#include "file.h"
#include "kept.h"
#include "lock.h"
#include "opts.h"
#include "range.h"
#include "region.h"
#include "slot_get.h"
#include "ticket.h"
#include "vm.h"

#define LOCATION_V0 56
#define FEW 16 /* slots, for which no memory has to be allocated */

_Static_assert(sizeof(struct gmem_location) == LOCATION_V0, "ABI");

/* The pieces of files behind a range of guest addresses, in its order. */
struct pieces {
	struct gmem__range few[2 * FEW];
	struct gmem__range *at; /* from .room on, what each holds meanwhile */
	unsigned int n, room;
	bool kept; /* also what slots left for their files */
	bool used; /* without a turn: the files are used until they are left */
};

static int nothing_at(uint64_t gpa, uint32_t address_space,
		      struct gmem_error *err)
{
	return gmem__fail(err, GMEM_REASON_NOT_BOUND, gpa, address_space,
			  "no slot of address space %u is known at gpa "
			  "0x%" PRIx64,
			  address_space, gpa);
}

/* A range of guest addresses, which is not in a file: only their rules. */
static int check_range(const struct gmem_vm *vm, uint64_t gpa, uint64_t len,
		       struct gmem_error *err)
{
	int r = gmem__aligned("gpa", gpa, vm->ctx.page_size, err);

	if (r < 0 || (r = gmem__length_check(len, vm->ctx.page_size, err)) < 0)
		return r;
	if (gpa + len >= gpa)
		return 0;
	return gmem__fail(err, GMEM_REASON_GPA_OVERFLOW, gpa, len,
			  "gpa 0x%" PRIx64 " + 0x%" PRIx64 " overflows 64 bits",
			  gpa, len);
}

static struct gmem *file_of(const struct gmem__range *p)
{
	return (struct gmem *)(uintptr_t)p->object;
}

/* A region frees whole huge pages; vm->lock is held. */
static void put(struct pieces *p, const struct gmem__slot *s, uint64_t gpa,
		uint64_t stop)
{
	const struct gmem_region *region = gmem__region_of(s->s.gmem);
	struct gmem__range at = {
		s->s.gmem,
		s->s.offset + (gpa - s->s.gpa),
		s->s.offset + (stop - s->s.gpa),
	};

	p->at[p->n] = at;
	p->at[p->room + p->n] =
		region ? gmem__region_side_range(region, at.start, at.end) : at;
}

/*
 * Finds what is behind the range; vm->lock is held.  Where there are more
 * pieces than room, it counts them.
 */
static int find(struct gmem_vm *vm, uint32_t address_space, uint64_t gpa,
		uint64_t len, struct pieces *p, struct gmem_error *err)
{
	uint64_t end = gpa + len, stop;
	const struct gmem__slot *s;

	for (p->n = 0; gpa < end; gpa = stop) {
		s = gmem__slot_from(vm, address_space, gpa);
		if (p->kept && (!s || s->s.gpa > gpa))
			s = gmem__kept_at(vm, gpa, 1);
		if (!s || s->s.gpa > gpa)
			return nothing_at(gpa, address_space, err);
		if (p->used && s->s.gmem && s->s.gmem->quiesced)
			return nothing_at(gpa, address_space, err);
		if (!s->s.gmem)
			return gmem__fail(err, GMEM_REASON_NOT_BOUND, gpa,
					  s->s.slot,
					  "gpa 0x%" PRIx64 " is in slot %u, "
					  "which was noted without its file",
					  gpa, s->s.slot);
		stop = s->s.gpa + s->s.len < end ? s->s.gpa + s->s.len : end;
		if (p->n < p->room)
			put(p, s, gpa, stop);
		p->n++;
	}
	return 0;
}

static int find_pieces(struct gmem_vm *vm, uint32_t address_space, uint64_t gpa,
		       uint64_t len, struct pieces *p, struct gmem_error *err)
{
	unsigned int i;
	int r;

	gmem__lock(&vm->lock);
	r = find(vm, address_space, gpa, len, p, err);
	for (i = 0; r == 0 && p->used && p->n <= p->room && i < p->n; i++)
		gmem__file_use(file_of(&p->at[i]));
	gmem__unlock(&vm->lock);
	return r;
}

static void pieces_free(const struct gmem_vm *vm, struct pieces *p)
{
	if (p->at != p->few)
		gmem__free(&vm->ctx, p->at);
}

/* Finds the pieces, with as much room as they need. */
static int pieces_find(struct gmem_vm *vm, uint32_t address_space, uint64_t gpa,
		       uint64_t len, struct pieces *p, struct gmem_error *err)
{
	int r;

	p->at = p->few;
	p->room = FEW;
	while ((r = find_pieces(vm, address_space, gpa, len, p, err)) == 0 &&
	       p->n > p->room) {
		pieces_free(vm, p);
		p->room = p->n;
		p->at = gmem__alloc(&vm->ctx, sizeof(*p->at) * 2 * p->room);
		if (!p->at)
			return gmem__fail_call(err, -ENOMEM,
					       "allocating the list of slots");
	}
	if (r < 0)
		pieces_free(vm, p);
	return r;
}

/* Whether the slots are still where they were; under the ticket they stay. */
static bool same(struct gmem_vm *vm, uint32_t address_space, uint64_t gpa,
		 const struct pieces *p)
{
	struct pieces now = { .room = FEW, .kept = p->kept };
	uint64_t len;
	int r;

	now.at = now.few;
	for (unsigned int i = 0; i < p->n; i++, gpa += len) {
		len = p->at[i].end - p->at[i].start;
		r = find_pieces(vm, address_space, gpa, len, &now, NULL);
		if (r < 0 || now.n != 1 ||
		    now.at[0].object != p->at[i].object ||
		    now.at[0].start != p->at[i].start)
			return false;
	}
	return true;
}

/* The pieces and a ticket for all of them. */
static int take_turns(struct gmem_vm *vm, uint32_t address_space, uint64_t gpa,
		      uint64_t len, const struct gmem_attributes_opts *o,
		      struct pieces *p, struct gmem__ticket *t,
		      struct gmem_error *err)
{
	int r;

	for (;;) {
		r = pieces_find(vm, address_space, gpa, len, p, err);
		if (r < 0)
			return r;
		r = gmem__ticket_take(vm, t, p->at + p->room, p->n,
				      o->flags & GMEM_ATTRIBUTES_NOWAIT,
				      o->cancel, err);
		if (r == 0 && same(vm, address_space, gpa, p))
			return 0;
		if (r == 0)
			gmem__ticket_return(vm, t);
		pieces_free(vm, p);
		if (r < 0)
			return r;
	}
}

static int check_all(const struct pieces *p, enum gmem__state state,
		     bool unbacked, struct gmem_error *err)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < p->n; i++) {
		struct gmem *g = file_of(&p->at[i]);
		uint64_t len = p->at[i].end - p->at[i].start;

		r = gmem__region_none(g, err);
		if (r == 0)
			r = gmem__file_range_check(g, p->at[i].start, len, err);
		if (r == 0)
			r = gmem__attr_check(g, p->at[i].start, len, state,
					     unbacked, err);
	}
	return r;
}

static int convert_all(const struct pieces *p, enum gmem__state state,
		       const int *cancel, struct gmem_error *err)
{
	uint64_t done = 0;
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < p->n; i++) {
		struct gmem *g = file_of(&p->at[i]);
		uint64_t len = p->at[i].end - p->at[i].start, n = len;

		/* Where nothing converts, the check was all there is. */
		if (g->record.blocks)
			r = gmem__attr_convert(g, p->at[i].start, len, state,
					       cancel, &n, err);
		done += n;
	}
	gmem__set_done(err, done);
	return r;
}

int gmem_vm_set_attributes(struct gmem_vm *vm, uint32_t address_space,
			   uint64_t gpa, uint64_t len, uint64_t attributes,
			   const struct gmem_attributes_opts *opts,
			   struct gmem_error *err)
{
	struct gmem_attributes_opts o;
	struct gmem__ticket ticket;
	enum gmem__state state;
	struct pieces p = { .kept = true };
	bool unbacked;
	int r = gmem__vm_enter(vm, err);

	if (r < 0 ||
	    (r = gmem__opts_take(&gmem__attributes_opts, opts, &o, err)) < 0 ||
	    (r = gmem__attr_state(attributes, &state, err)) < 0 ||
	    (r = check_range(vm, gpa, len, err)) < 0)
		return r;
	unbacked = o.flags & GMEM_ATTRIBUTES_UNBACKED;
	if (o.flags & GMEM_ATTRIBUTES_CHECK_ONLY) {
		p.used = true;
		r = pieces_find(vm, address_space, gpa, len, &p, err);
		if (r < 0)
			return r;
		r = check_all(&p, state, unbacked, err);
		for (unsigned int i = 0; i < p.n; i++)
			gmem__file_leave(file_of(&p.at[i]));
		pieces_free(vm, &p);
		return r;
	}
	r = take_turns(vm, address_space, gpa, len, &o, &p, &ticket, err);
	if (r < 0)
		return r;
	r = check_all(&p, state, unbacked, err);
	if (r == 0)
		r = convert_all(&p, state, o.cancel, err);
	gmem__ticket_return(vm, &ticket);
	pieces_free(vm, &p);
	return r;
}

int gmem_vm_discard(struct gmem_vm *vm, uint32_t address_space, uint64_t gpa,
		    uint64_t len, const struct gmem_discard_opts *opts,
		    struct gmem_error *err)
{
	struct gmem_attributes_opts wait = { .sz = sizeof(wait) };
	struct gmem__discard d = { .total = len };
	struct gmem__ticket ticket;
	struct pieces p = { .kept = false };
	int r = gmem__vm_enter(vm, err);

	if (r < 0 ||
	    (r = gmem__opts_take(&gmem__discard_opts, opts, &d.o, err)) < 0 ||
	    (r = check_range(vm, gpa, len, err)) < 0)
		return r;
	/* The slots, and so the files, stay until it is done. */
	wait.cancel = d.o.cancel;
	r = take_turns(vm, address_space, gpa, len, &wait, &p, &ticket, err);
	if (r < 0)
		return r;
	for (unsigned int i = 0; r == 0 && i < p.n; i++)
		r = gmem__file_range_check(file_of(&p.at[i]), p.at[i].start,
					   p.at[i].end - p.at[i].start, err);
	for (unsigned int i = 0; r == 0 && i < p.n; i++)
		r = gmem__discard(file_of(&p.at[i]), p.at[i].start,
				  p.at[i].end - p.at[i].start, &d, err);
	gmem__set_done(err, d.done);
	gmem__ticket_return(vm, &ticket);
	pieces_free(vm, &p);
	return r;
}

/* vm->lock is held. */
static int at_gpa(struct gmem_vm *vm, uint32_t address_space, uint64_t gpa,
		  struct gmem_location *out, struct gmem_error *err)
{
	struct gmem_location at = { .sz = sizeof(at) };
	const struct gmem__slot *s;

	s = gmem__slot_from(vm, address_space, gpa);
	if (!s || s->s.gpa > gpa)
		return nothing_at(gpa, address_space, err);
	at.gmem = s->s.gmem;
	at.offset = s->s.offset + (gpa - s->s.gpa);
	at.userspace_addr = s->s.userspace_addr + (gpa - s->s.gpa);
	at.run = s->s.len - (gpa - s->s.gpa);
	at.slot = s->s.slot;
	at.attributes = s->s.flags & GMEM_SLOT_FD ? GMEM_ATTRIBUTE_UNSET
						  : GMEM_ATTRIBUTE_SHARED;
	/* The file cannot go before its slot. */
	if (at.gmem)
		at.attributes = gmem__attr_public(gmem__record_run(
			&at.gmem->record, at.offset, at.run, &at.run));
	*out = at;
	return 0;
}

int gmem_vm_at(struct gmem_vm *vm, uint32_t address_space, uint64_t gpa,
	       struct gmem_location *out, struct gmem_error *err)
{
	struct gmem_location at;
	int r = gmem__vm_enter(vm, err);

	if (r < 0 ||
	    (r = gmem__out_check(out, LOCATION_V0, "gmem_location", err)) < 0)
		return r;
	gmem__lock(&vm->lock);
	r = at_gpa(vm, address_space, gpa, &at, err);
	gmem__unlock(&vm->lock);
	if (r == 0)
		gmem__out_copy(out, &at, sizeof(at));
	return r;
}

int gmem_region_at(struct gmem_vm *vm, uint32_t address_space, uint64_t gpa,
		   struct gmem_region **out, struct gmem_location *where,
		   struct gmem_error *err)
{
	struct gmem_region *region = NULL;
	struct gmem_location at;
	int r = gmem__vm_enter(vm, err);

	if (r == 0 && where)
		r = gmem__out_check(where, LOCATION_V0, "gmem_location", err);
	if (r < 0)
		return r;
	if (!out)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "out is NULL");
	gmem__lock(&vm->lock);
	r = at_gpa(vm, address_space, gpa, &at, err);
	if (r == 0 && at.gmem)
		region = gmem__region_of(at.gmem);
	gmem__unlock(&vm->lock);
	if (r < 0)
		return r;
	if (!region)
		return gmem__fail_no_region(gpa, err);
	*out = region;
	if (where)
		gmem__out_copy(where, &at, sizeof(at));
	return 0;
}

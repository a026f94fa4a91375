// SPDX-License-Identifier: MIT
/*
 * Serving an exit: what the guest asks for is split by slot, all of it is
 * checked, and then each part is converted by its region.  The guest chose the
 * range, so nothing here is proportional to holes in it.
 */
#include <errno.h>
#include <inttypes.h>

#include "attr.h"
#include "callback.h"
#include "enter.h"
#include "error.h"
#include "exit.h"
#include "kept.h"
#include "lock.h"
#include "opts.h"
#include "region.h"
#include "slot.h"
#include "ticket.h"
#include "vm.h"

#define OPTS_V0 32
#define ANSWER_V0 16
#define GUARD_V0 56
#define PATIENCE 64 /* tries of a hypercall whose pages are in use: 1 s */

_Static_assert(sizeof(struct gmem_serve_opts) == OPTS_V0, "ABI");

static const struct gmem__opts_type opts_type = GMEM__OPTS_TYPE(
	gmem_serve_opts, OPTS_V0, GMEM_SERVE_NOWAIT | GMEM_SERVE_DEFER);

struct serve {
	struct gmem_vm *vm;
	struct gmem_exit e;
	struct gmem_serve_opts o;
	enum gmem__state to;
};

/* What is behind a part of the range: a region's file, or a hole. */
struct part {
	struct gmem_region *r; /* NULL: a hole, or memory that is shared */
	uint64_t offset, len;
	bool changing; /* its slot is being made or deleted */
};

/* Whoever finds a part ends its use. */
static void part_end(const struct part *p)
{
	if (p->r)
		gmem__file_leave(p->r->g);
}

/*
 * The slot at @gpa, or the attributes that one left for its file there.  NULL:
 * a hole, and then @p->len is at most as long.
 */
static struct gmem__slot *part_at(const struct serve *s, uint64_t gpa,
				  struct part *p)
{
	struct gmem__slot *slot =
		gmem__slot_by_gpa(s->vm, s->o.address_space, gpa, p->len);

	if (slot && slot->s.gpa <= gpa)
		return slot;
	if (slot)
		p->len = slot->s.gpa - gpa;
	slot = gmem__kept_at(s->vm, gpa, p->len);
	if (slot && slot->s.gpa <= gpa)
		return slot;
	if (slot)
		p->len = slot->s.gpa - gpa;
	return NULL;
}

/*
 * The first part of [@gpa, @end), whose use then has to end, unless it fails;
 * the lock is not held.
 */
static int find(const struct serve *s, uint64_t gpa, uint64_t end,
		struct part *p, struct gmem_error *err)
{
	struct gmem_vm *vm = s->vm;
	struct gmem__slot *slot;
	struct gmem *g = NULL;
	bool by_fd = false;
	int r = 0;

	*p = (struct part){ .len = end - gpa };
	gmem__lock(&vm->lock);
	slot = part_at(s, gpa, p);
	if (slot) {
		by_fd = slot->s.flags & GMEM_SLOT_FD;
		g = by_fd ? slot->s.gmem : NULL;
		p->offset = slot->s.offset + (gpa - slot->s.gpa);
		if (p->len > slot->s.gpa + slot->s.len - gpa)
			p->len = slot->s.gpa + slot->s.len - gpa;
		p->changing = slot->state == GMEM__SLOT_MAKING ||
			      slot->state == GMEM__SLOT_GOING;
	}
	if (g && !g->quiesced)
		p->r = gmem__region_of(g);
	if (p->r)
		gmem__file_use(g);
	gmem__unlock(&vm->lock);
	if (by_fd && !p->r)
		r = gmem__fail_no_region(gpa, err);
	else if (!p->r && s->to == GMEM__PRIVATE)
		r = gmem__fail(
			err, GMEM_REASON_NOT_BOUND, gpa, s->o.address_space,
			"gpa 0x%" PRIx64 " has no memory that can be private",
			gpa);
	return r;
}

/* ---------------------------------------------------------------- seen -- */

/*
 * A change of the range is under way, for who does not wait for it.  All others
 * convert in their turn: two that look at each other would never.
 */
static bool busy(const struct serve *s, const struct part *p)
{
	struct gmem__range range = { p->r->g, p->offset, p->offset + p->len };
	bool busy;

	if (!(s->o.flags & GMEM_SERVE_NOWAIT))
		return false;
	gmem__lock(&s->vm->lock);
	busy = gmem__ticket_overlaps(s->vm, &range);
	gmem__unlock(&s->vm->lock);
	return busy;
}

/* Whether all of it has what is wanted; counts on none of it. */
static bool wanted(const struct serve *s, const struct part *p)
{
	uint64_t run;

	return gmem__record_run(&p->r->g->record, p->offset, p->len, &run) ==
		       s->to &&
	       run == p->len;
}

/* @units becomes what is wrong with the first that is not in whole units. */
static int check_part(const struct serve *s, const struct part *p,
		      struct gmem_seen *seen, int *units,
		      struct gmem_error *err)
{
	int r;

	/* Before what it counts: a change in between is then seen. */
	seen->sequence += gmem__region_sequence(p->r, p->offset, p->len);
	if (busy(s, p))
		seen->flags |= GMEM_SEEN_BUSY;
	if (!wanted(s, p))
		seen->flags &= ~GMEM_SEEN_WANTED;
	if (*units == 0)
		*units =
			gmem__file_range_check(p->r->g, p->offset, p->len, err);
	r = gmem__region_convert_check(p->r, p->offset, p->len, s->to, err);
	return seen->flags & GMEM_SEEN_BUSY ? 0 : r;
}

/* Checks each part, and learns what the guard has to know. */
static int check_parts(const struct serve *s, struct gmem_seen *seen,
		       struct gmem_error *err)
{
	uint64_t gpa = s->e.gpa, end = gpa + s->e.len;
	struct part p;
	int r = 0, units = 0;

	*seen = (struct gmem_seen){ .sz = sizeof(*seen),
				    .flags = GMEM_SEEN_WANTED };
	gmem__lock(&s->vm->lock);
	seen->sequence = s->vm->serial;
	gmem__unlock(&s->vm->lock);
	for (; r == 0 && gpa < end; gpa += p.len) {
		r = find(s, gpa, end, &p, err);
		if (r == 0 && p.changing)
			seen->flags |= GMEM_SEEN_BUSY;
		if (r == 0 && p.r)
			r = check_part(s, &p, seen, &units, err);
		part_end(&p);
	}
	if (r < 0)
		return r;
	/* What is as wanted already is not converted, in no unit. */
	return seen->flags ? 0 : units;
}

/* ------------------------------------------------------------- convert -- */

/* A part at a guest address, as it was found. */
struct found {
	const struct serve *s;
	const struct part *p;
	uint64_t gpa;
};

/* Slots may have moved while it waited: the guest named an address. */
static bool still_there(const void *arg)
{
	const struct found *f = arg;
	struct part now;

	(void)find(f->s, f->gpa, f->gpa + f->p->len, &now, NULL);
	part_end(&now);
	return now.r == f->p->r && now.offset == f->p->offset &&
	       now.len == f->p->len;
}

static int convert_part(const struct serve *s, const struct part *p,
			uint64_t gpa, struct gmem_error *err)
{
	struct found at = { s, p, gpa };
	struct gmem_region_range range = { p->offset, p->len };
	struct gmem_convert_opts o = { .sz = sizeof(o), .cancel = s->o.cancel };

	if (s->o.flags & GMEM_SERVE_NOWAIT)
		o.flags |= GMEM_CONVERT_NOWAIT;
	if (s->o.flags & GMEM_SERVE_DEFER)
		o.flags |= GMEM_CONVERT_DEFER;
	return gmem__region_convert_while(p->r, &range, s->e.attributes, &o,
					  still_there, &at, err);
}

static int convert_all(const struct serve *s, struct gmem_error *err)
{
	uint64_t gpa = s->e.gpa, end = gpa + s->e.len, done = 0;
	struct part p;
	int r = 0;

	for (; r == 0 && gpa < end; gpa += p.len) {
		r = find(s, gpa, end, &p, err);
		if (r == 0 && p.r)
			r = convert_part(s, &p, gpa, err);
		part_end(&p);
		if (r == 0)
			done += p.len;
	}
	gmem__set_done(err, done);
	return r;
}

/* Waits until the slots of the range are there, or gone; unless with NOWAIT. */
static int wait_for(const struct serve *s, struct gmem_error *err)
{
	uint64_t gpa = s->e.gpa, end = gpa + s->e.len;
	struct gmem__range range;
	struct gmem__ticket t;
	struct part p;
	int r = 0;

	if (s->o.flags & GMEM_SERVE_NOWAIT)
		return 0;
	for (; gpa < end; gpa += p.len) {
		/* What is not there any more needs no wait. */
		if (find(s, gpa, end, &p, NULL) < 0 || !p.r)
			continue;
		range = (struct gmem__range){ p.r->g, p.offset,
					      p.offset + p.len };
		/* Only its turn counts. */
		part_end(&p);
		r = gmem__ticket_take(s->vm, &t, &range, 1, false, s->o.cancel,
				      err);
		if (r < 0)
			return r;
		gmem__ticket_return(s->vm, &t);
	}
	return 0;
}

/* ------------------------------------------------------------- answers -- */

/* The guest's fault: a hypercall fails, a memory fault cannot be helped. */
static void put_refusal(const struct serve *s, uint32_t reason,
			struct gmem_answer *a)
{
	a->kind = s->e.kind == GMEM_EXIT_MAP_GPA_RANGE ? GMEM_ANSWER_REFUSE
						       : GMEM_ANSWER_FATAL;
	a->reason = reason;
}

/* What follows from @r, which converting ended with. */
static int after(const struct serve *s, int r, struct gmem_answer *a,
		 const struct gmem_error *err)
{
	switch (r) {
	case 0:
		return 0;
	case -EAGAIN:
		a->kind = GMEM_ANSWER_RETRY;
		return 0;
	case -EINVAL:
	case -EOPNOTSUPP:
		/* Another thread has changed the slots meanwhile. */
		put_refusal(s, err->reason, a);
		return 0;
	default:
		return r;
	}
}

/*
 * The same fault again, though the record says that it has what it wants: sets
 * the attributes once more, which only the guest can see.
 */
static int probe(const struct serve *s, struct gmem_error *err)
{
	uint64_t gpa = s->e.gpa, end = gpa + s->e.len;
	struct part p;
	int r = 0;

	for (; r == 0 && gpa < end; gpa += p.len) {
		r = find(s, gpa, end, &p, err);
		if (r == 0 && p.r)
			r = gmem__region_probe(p.r, p.offset, p.len, s->to,
					       s->o.flags & GMEM_SERVE_NOWAIT,
					       s->o.cancel, err);
		part_end(&p);
	}
	return r;
}

static int step(const struct serve *s, struct gmem_guard *g,
		struct gmem_answer *a, struct gmem_error *err)
{
	struct gmem_seen seen;
	int r = check_parts(s, &seen, err);

	if (r < 0) {
		put_refusal(s, err->reason, a);
		return 0;
	}
	*a = gmem__guard_step(g, &s->e, &seen);
	if (a->kind == GMEM_ANSWER_PROBE) {
		r = probe(s, err);
		/*
		 * A page in use, memory that is gone and the host's failure
		 * end it here.  A kernel that refuses has done nothing.
		 */
		if (r < 0 && r != -EOPNOTSUPP)
			return after(s, r, a, err);
		(void)check_parts(s, &seen, err);
		seen.probe = r < 0 ? GMEM_PROBE_NOTHING : GMEM_PROBE_UNSEEN;
		*a = gmem__guard_step(g, &s->e, &seen);
	}
	if (a->kind != GMEM_ANSWER_RESUME)
		return 0;
	if (seen.flags & GMEM_SEEN_WANTED) {
		gmem__set_done(err, s->e.len);
		return 0;
	}
	return after(s, convert_all(s, err), a, err);
}

/*
 * A guest takes what a hypercall returns as final, as SNP guests do with 6.12's
 * KVM: it is made again here, not by the guest.
 */
static int step_until(const struct serve *s, struct gmem_guard *g,
		      struct gmem_answer *a, struct gmem_error *err)
{
	bool again = s->e.kind == GMEM_EXIT_MAP_GPA_RANGE &&
		     !(s->o.flags & GMEM_SERVE_NOWAIT);
	int r, tries = PATIENCE;

	do {
		r = step(s, g, a, err);
		if (r == 0 && a->kind == GMEM_ANSWER_RETRY)
			r = wait_for(s, err);
	} while (r == 0 && a->kind == GMEM_ANSWER_RETRY && again && --tries);
	return r;
}

static int check_range(const struct serve *s, struct gmem_error *err)
{
	if (s->e.gpa + s->e.len > s->e.gpa)
		return 0;
	return gmem__fail(err, GMEM_REASON_GPA_OVERFLOW, s->e.gpa, s->e.len,
			  "the exit's range, gpa 0x%" PRIx64 " + 0x%" PRIx64
			  ", is empty or overflows 64 bits",
			  s->e.gpa, s->e.len);
}

int gmem_vm_serve(struct gmem_vm *vm, const struct gmem_exit *exit,
		  struct gmem_guard *guard, const struct gmem_serve_opts *opts,
		  struct gmem_answer *answer, struct gmem_error *err)
{
	struct gmem_error own = { .sz = sizeof(own) };
	struct gmem_error *e = err ? err : &own;
	struct gmem_answer a = { .sz = sizeof(a) };
	struct serve s = { .vm = vm };
	struct gmem_guard g;
	uint64_t done;
	int r = gmem__vm_enter(vm, err);

	if (r < 0 || (r = gmem__not_in_callback(e)) < 0 ||
	    (r = gmem__exit_take(exit, &s.e, sizeof(s.e), "gmem_exit", e)) <
		    0 ||
	    (r = gmem__exit_kind_check(&s.e, e)) < 0 ||
	    (r = gmem__exit_take(guard, &g, GUARD_V0, "gmem_guard", e)) < 0 ||
	    (r = gmem__opts_take(&opts_type, opts, &s.o, e)) < 0 ||
	    (r = gmem__reserved(s.o.reserved, "gmem_serve_opts", e)) < 0 ||
	    (r = gmem__out_check(answer, ANSWER_V0, "gmem_answer", e)) < 0)
		return r;
	if (s.e.kind == GMEM_EXIT_MEMORY_FAULT ||
	    s.e.kind == GMEM_EXIT_MAP_GPA_RANGE) {
		r = gmem__attr_state(s.e.attributes, &s.to, e);
		if (r < 0 || (r = check_range(&s, e)) < 0)
			return r;
		r = step_until(&s, &g, &a, e);
	} else {
		const struct gmem_seen seen = { .sz = sizeof(seen) };

		a = gmem__guard_step(&g, &s.e, &seen);
	}
	if (r < 0)
		return r;
	done = e->done;
	(void)gmem__begin(err);
	gmem__set_done(err, done);
	gmem__out_copy(guard, &g, GUARD_V0);
	gmem__out_copy(answer, &a, ANSWER_V0);
	return 0;
}

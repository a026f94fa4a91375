// SPDX-License-Identifier: MIT
/*
 * Replacing slots: checked as if the old ones were gone, and entered beside
 * them, so that nobody else gets their numbers or addresses meanwhile.
 */
#include <errno.h>
#include <inttypes.h>

#include "attr_gpa.h"
#include "bind.h"
#include "callback.h"
#include "enter.h"
#include "error.h"
#include "file.h"
#include "left.h"
#include "lock.h"
#include "opts.h"
#include "replace.h"
#include "reservation.h"
#include "slot.h"
#include "slot_check.h"
#include "slot_end.h"
#include "slot_get.h"
#include "vm.h"

#define MOST 65536 /* as many as there are numbers */

/* The entries of a caller may be longer than the library knows. */
static struct gmem_slot *entry(struct gmem_slot *s, uint32_t i)
{
	return (struct gmem_slot *)(void *)((char *)s + i * s->sz);
}

static int check_arrays(struct gmem_slot *s, uint32_t n, struct gmem_error *err)
{
	int r = n ? gmem__out_check(s, GMEM__SLOT_V0, "gmem_slot", err) : 0;

	if (r == 0 && n > MOST)
		r = gmem__fail(err, GMEM_REASON_SIZE_LIMIT, n, MOST,
			       "%u slots are more than the %d of a call", n,
			       MOST);
	for (uint32_t i = 1; r == 0 && i < n; i++)
		if (entry(s, i)->sz != s->sz)
			r = gmem__fail(err, GMEM_REASON_OPTS_SIZE,
				       entry(s, i)->sz, s->sz,
				       "entry %u has another .sz than the "
				       "first",
				       i);
	return r;
}

static int check_new(struct gmem__replace *w, struct gmem_slot *to, uint32_t i,
		     struct gmem_error *err)
{
	struct gmem_slot *b = &w->asked[i];
	int r = gmem__enter_slot(&gmem__bind_type, entry(to, i), b, err);

	if (r < 0 || (r = gmem__bind_checks(b, err)) < 0)
		return r;
	if (b->gmem->vm != w->vm)
		return gmem__fail(err, GMEM_REASON_FOREIGN_VM, b->slot, 0,
				  "the file of slot %u belongs to another VM's "
				  "handle",
				  b->slot);
	if (b->flags & GMEM_SLOT_CHECK_ONLY ||
	    (b->flags & GMEM_SLOT_LEAVE_SHARED &&
	     gmem__has(w->vm, GMEM_FEATURE_FILE_ATTRIBUTES)))
		return gmem__fail(
			err, GMEM_REASON_VALUE_UNKNOWN, b->flags, 0,
			"slot %u has check-only, or leave-shared in a "
			"VM that converts in place: a replacement "
			"takes neither",
			b->slot);
	return 0;
}

static int no_memory(struct gmem_error *err)
{
	return gmem__fail_call(err, -ENOMEM, "allocating the slots");
}

/* The new slots, with the addresses behind them. */
static int prepare(struct gmem__replace *w, struct gmem_error *err)
{
	struct gmem__slot *s;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < w->n_new; i++) {
		s = gmem__alloc(&w->vm->ctx, sizeof(*s));
		if (!s)
			return no_memory(err);
		w->new[i] = s;
		s->state = GMEM__SLOT_MAKING;
		r = gmem__bind_behind(w->asked[i].gmem, &w->asked[i],
				      &s->reserved, err);
		s->s = w->asked[i];
		gmem__bind_made(&s->s, s->s.gmem);
	}
	return r;
}

static int make_new(struct gmem__replace *w, struct gmem_slot *to,
		    struct gmem_error *err)
{
	const struct gmem__ctx *ctx = &w->vm->ctx;
	uint32_t n = w->n_old ? w->n_old : 1, m = w->n_new ? w->n_new : 1;
	int r = 0;

	w->old = gmem__alloc(ctx, n * sizeof(struct gmem__slot *));
	w->serial = gmem__alloc(ctx, n * sizeof(*w->serial));
	w->held = gmem__alloc(ctx, n * sizeof(*w->held));
	w->new = gmem__alloc(ctx, m * sizeof(struct gmem__slot *));
	w->asked = gmem__alloc(ctx, m * sizeof(*w->asked));
	if (!w->old || !w->serial || !w->held || !w->new || !w->asked)
		return no_memory(err);
	for (uint32_t i = 0; r == 0 && i < w->n_new; i++)
		r = check_new(w, to, i, err);
	return r < 0 ? r : prepare(w, err);
}

static void release(struct gmem__replace *w)
{
	const struct gmem__ctx *ctx = &w->vm->ctx;

	/* Those that did not come into the table. */
	for (uint32_t i = 0; w->new &&i < w->n_new; i++) {
		if (w->new[i] && w->new[i]->reserved)
			gmem__reservation_put(w->new[i]->s.gmem);
		gmem__free(ctx, w->new[i]);
	}
	gmem__free(ctx, w->old);
	gmem__free(ctx, w->serial);
	gmem__free(ctx, w->held);
	gmem__free(ctx, w->new);
	gmem__free(ctx, w->asked);
}

static int may_replace(const struct gmem__slot *s, struct gmem_error *err)
{
	if (s->s.flags & GMEM_SLOT_NOTED)
		return gmem__fail(err, GMEM_REASON_NOTED_SLOT, s->s.slot, 0,
				  "slot %u was made by the VMM, and only noted",
				  s->s.slot);
	if (s->state == GMEM__SLOT_STUCK)
		return gmem__fail(err, GMEM_REASON_SLOT_STUCK, s->s.slot,
				  s->s.gpa,
				  "slot %u is to be deleted, and the kernel "
				  "refuses to",
				  s->s.slot);
	return 0;
}

/* The first time it became GOING, and so cannot be found again. */
static bool named_before(const struct gmem__replace *w, uint32_t n,
			 const struct gmem_slot *named)
{
	for (uint32_t i = 0; i < n; i++)
		if (gmem__slot_same_id(&w->old[i]->s, named))
			return true;
	return false;
}

static int find_one(struct gmem__replace *w, uint32_t i,
		    const struct gmem_slot *named, struct gmem__slot **s,
		    struct gmem_error *err)
{
	int r = gmem__slot_known(w->vm, gmem__slot_id(named), s, err);

	if (r < 0 && named_before(w, i, named))
		return gmem__fail(err, GMEM_REASON_SLOT_TWICE, named->slot,
				  named->address_space,
				  "slot %u of address space %u is named twice "
				  "among those to replace",
				  named->slot, named->address_space);
	return r < 0 ? r : may_replace(*s, err);
}

/* The old slots; with @serial as they were, and then they are GOING. */
static int find_old(struct gmem__replace *w, struct gmem_slot *from,
		    bool *changed, struct gmem_error *err)
{
	struct gmem__slot *s;
	uint32_t i;
	int r = 0;

	gmem__lock(&w->vm->lock);
	for (i = 0; i < w->n_old; i++) {
		r = find_one(w, i, entry(from, i), &s, err);
		if (r < 0)
			break;
		if (changed && w->serial[i] != s->serial)
			*changed = true;
		w->old[i] = s;
		w->serial[i] = s->serial;
		w->held[i] = (struct gmem__range){ s->s.gmem, s->s.offset,
						   s->s.offset + s->s.len };
		if (changed)
			s->state = GMEM__SLOT_GOING;
	}
	if (changed && (r < 0 || *changed))
		while (i-- > 0)
			w->old[i]->state = GMEM__SLOT_LIVE;
	gmem__unlock(&w->vm->lock);
	return r;
}

/* The old slots in their turn. */
static int take_old(struct gmem__replace *w, struct gmem_slot *from,
		    struct gmem_error *err)
{
	bool changed;
	int r;

	do {
		changed = false;
		r = find_old(w, from, NULL, err);
		if (r < 0)
			return r;
		r = gmem__hold_take(w->vm, &w->hold, w->asked, w->n_new,
				    w->held, w->n_old, err);
		if (r < 0)
			return r;
		r = find_old(w, from, &changed, err);
		if (r < 0 || changed)
			gmem__hold_return(w->vm, &w->hold);
	} while (r == 0 && changed);
	return r;
}

static void put_back(struct gmem__replace *w)
{
	for (uint32_t i = 0; i < w->n_old; i++) {
		gmem__slot_put_in(w->vm, w->old[i]);
		w->old[i]->serial = w->serial[i];
	}
}

/*
 * The new ones into the table, checked without the old ones.  Return: 0,
 * -errno, or 1 if what was taken is not all any more.
 */
static int enter_new(struct gmem__replace *w, struct gmem_error *err)
{
	struct gmem__slot conflict;
	uint32_t i;
	int r = 0;

	for (i = 0; r == 0 && i < w->n_new; i++)
		r = gmem__bind_shared(w->asked[i].gmem, &w->asked[i], err);
	if (r < 0)
		return r;
	gmem__lock(&w->vm->lock);
	if (!gmem__hold_is_all(w->vm, &w->hold)) {
		gmem__unlock(&w->vm->lock);
		return 1;
	}
	for (i = 0; i < w->n_old; i++)
		gmem__slot_take_out(w->vm, w->old[i]);
	for (i = 0; i < w->n_new; i++) {
		r = gmem__bind_table(w->vm, w->asked[i].gmem, &w->asked[i],
				     &conflict, err);
		if (r < 0)
			break;
		gmem__slot_put_in(w->vm, w->new[i]);
	}
	while (r < 0 && i-- > 0)
		gmem__slot_take_out(w->vm, w->new[i]);
	put_back(w);
	gmem__unlock(&w->vm->lock);
	return r < 0 ? gmem__bind_dead(w->vm, &conflict, r, err) : 0;
}

static void live(struct gmem_vm *vm, struct gmem__slot *s)
{
	gmem__lock(&vm->lock);
	s->state = GMEM__SLOT_LIVE;
	gmem__unlock(&vm->lock);
}

static enum gmem__left left_by(const struct gmem__replace *w,
			       const struct gmem__slot *s)
{
	if (!gmem__vm_attributes(w->vm))
		return GMEM__LEFT_NONE;
	return s->lost ? GMEM__LEFT_OWED : GMEM__LEFT_NONE;
}

/* The old slots as the undo left them: what is not back is kept. */
static void undone_old(struct gmem__replace *w)
{
	struct gmem__slot *s;

	for (uint32_t i = 0; i < w->n_old; i++) {
		s = w->old[i];
		if (s->there) {
			live(w->vm, s);
			continue;
		}
		if (s->lost)
			gmem__slot_record(w->vm, &s->s, 0, s->s.len,
					  GMEM__UNSET);
		gmem__slot_gone(w->vm, s,
				s->lost || !gmem__by_gpa(w->vm, &s->s)
					? left_by(w, s)
					: GMEM__LEFT_KEPT);
	}
}

static void undone_new(struct gmem__replace *w)
{
	struct gmem__slot *s;

	for (uint32_t i = 0; i < w->n_new; i++) {
		s = w->new[i];
		w->new[i] = NULL;
		if (!s->there) {
			gmem__slot_gone(w->vm, s, left_by(w, s));
			continue;
		}
		gmem__lock(&w->vm->lock);
		gmem__slot_set_stuck(w->vm, s, true);
		gmem__unlock(&w->vm->lock);
	}
}

static void worked(struct gmem__replace *w, struct gmem_slot *to)
{
	struct gmem_slot s;

	gmem__replace_record(w);
	for (uint32_t i = 0; i < w->n_old; i++)
		gmem__slot_gone(w->vm, w->old[i], GMEM__LEFT_NONE);
	for (uint32_t i = 0; i < w->n_new; i++) {
		s = w->new[i]->s;
		s.flags |= GMEM_SLOT_LIVE;
		live(w->vm, w->new[i]);
		w->new[i] = NULL;
		gmem__out_copy(entry(to, i), &s, sizeof(s));
	}
}

static void set_live(struct gmem_slot *s, uint32_t n, struct gmem__slot **is)
{
	for (uint32_t i = 0; i < n; i++) {
		entry(s, i)->flags &= ~GMEM_SLOT_LIVE;
		if (is && is[i]->there)
			entry(s, i)->flags |= GMEM_SLOT_LIVE;
	}
}

static int in_turn(struct gmem__replace *w, struct gmem_slot *from,
		   struct gmem_slot *to, struct gmem_error *err)
{
	int r = enter_new(w, err);

	if (r != 0) {
		for (uint32_t i = 0; i < w->n_old; i++)
			live(w->vm, w->old[i]);
		return r;
	}
	r = gmem__replace_kernel(w, err);
	if (r == 0) {
		/* This way round: an entry of both says what was made. */
		set_live(from, w->n_old, NULL);
		worked(w, to);
		return 0;
	}
	set_live(from, w->n_old, w->old);
	set_live(to, w->n_new, w->new);
	undone_old(w);
	undone_new(w);
	return r;
}

int gmem_slots_replace(struct gmem_vm *vm, struct gmem_slot *from,
		       uint32_t n_from, struct gmem_slot *to, uint32_t n_to,
		       uint64_t flags, struct gmem_error *err)
{
	struct gmem__replace w = { .vm = vm, .n_old = n_from, .n_new = n_to };
	int r = gmem__vm_enter(vm, err);

	if (r < 0 || (r = gmem__not_in_callback(err)) < 0 ||
	    (r = gmem__flags_check(flags, 0, "gmem_slots_replace(flags)",
				   err)) < 0 ||
	    (r = check_arrays(from, n_from, err)) < 0 ||
	    (r = check_arrays(to, n_to, err)) < 0)
		return r;
	r = make_new(&w, to, err);
	if (r == 0)
		do {
			r = take_old(&w, from, err);
			if (r < 0)
				break;
			r = in_turn(&w, from, to, err);
			gmem__hold_return(vm, &w.hold);
		} while (r > 0);
	release(&w);
	return r;
}

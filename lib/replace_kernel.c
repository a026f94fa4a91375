// SPDX-License-Identifier: MIT
/*
 * The system calls of gmem_slots_replace(): the old slots are deleted, the new
 * ones made, then attributes follow the content of the files.  The record,
 * which goes by file, stays as it is until all has worked, and so says what to
 * set: at the new addresses, or again at the old ones.
 */
#include <errno.h>

#include "attr_gpa.h"
#include "bind.h"
#include "error.h"
#include "file.h"
#include "lock.h"
#include "replace.h"
#include "slot.h"
#include "slot_check.h"
#include "slot_kernel.h"
#include "vm.h"

enum how {
	STAYS,	/* the attributes are there */
	MOVES,	/* the record has them */
	STARTS, /* as a bind would set them */
};

/*
 * The first of @state, GOING or MAKING, in a range of a file or of guest
 * addresses; vm->lock is held.  Only slots of the same call overlap.
 */
static const struct gmem__slot *of_file(struct gmem_vm *vm,
					const struct gmem *g,
					enum gmem__slot_state state,
					uint64_t offset, uint64_t len)
{
	struct gmem__slot *s =
		gmem__slot_by_offset(vm, g, GMEM_SLOT_FD, offset, len);

	while (s && s->state != state)
		s = gmem__slot_of(gmem__tree_overlap_next(&s->by_offset, offset,
							  offset + len),
				  offsetof(struct gmem__slot, by_offset));
	return s;
}

static const struct gmem__slot *at_gpa(struct gmem_vm *vm,
				       uint32_t address_space,
				       enum gmem__slot_state state,
				       uint64_t gpa, uint64_t len)
{
	struct gmem__slot *s = gmem__slot_by_gpa(vm, address_space, gpa, len);

	while (s && (s->state != state ||
		     (state == GMEM__SLOT_GOING && !gmem__by_gpa(vm, &s->s))))
		s = gmem__slot_of(
			gmem__tree_overlap_next(&s->by_gpa, gpa, gpa + len),
			offsetof(struct gmem__slot, by_gpa));
	return s;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* How the part of a new slot at @pos gets its attributes, and *@n bytes. */
static enum how piece(struct gmem_vm *vm, const struct gmem_slot *s, bool take,
		      uint64_t pos, uint64_t *n)
{
	uint64_t offset = s->offset + pos, untaken;
	const struct gmem__slot *o;
	enum how how = STARTS;

	*n = s->len - pos;
	if (!gmem__by_gpa(vm, s))
		return STARTS;
	gmem__lock(&vm->lock);
	o = of_file(vm, s->gmem, GMEM__SLOT_GOING, offset, *n);
	if (o && o->s.offset > offset) {
		*n = o->s.offset - offset;
	} else if (o) {
		*n = least(*n, o->s.offset + o->s.len - offset);
		how = o->s.gpa - o->s.offset == s->gpa - s->offset ? STAYS
								   : MOVES;
	}
	gmem__unlock(&vm->lock);
	if (how != STARTS)
		return how;
	offset = gmem__kept_untaken(vm, s, take, pos, &untaken);
	if (offset > pos) {
		*n = least(*n, offset - pos);
		return STAYS;
	}
	*n = least(*n, untaken);
	return STARTS;
}

static bool takes(const struct gmem__replace *w, uint32_t i)
{
	return w->asked[i].flags & GMEM_SLOT_TAKE_KEPT;
}

static enum gmem__state first_state(const struct gmem__replace *w, uint32_t i)
{
	return gmem__bind_first(w->asked[i].gmem, w->asked[i].flags);
}

static int set_new(struct gmem__replace *w, uint32_t i)
{
	const struct gmem_slot *s = &w->new[i]->s;
	uint64_t pos = 0, n, done;
	int r = 0;

	for (; r == 0 && pos < s->len; pos += n) {
		switch (piece(w->vm, s, takes(w, i), pos, &n)) {
		case STAYS:
			continue;
		case MOVES:
			r = gmem__kept_set(w->vm, s->gmem, s->offset + pos,
					   s->gpa + pos, n, &done);
			break;
		case STARTS:
			r = gmem__gpa_attributes(
				w->vm, s->gpa + pos, n,
				first_state(w, i) == GMEM__PRIVATE
					? GMEM_ATTRIBUTE_PRIVATE
					: GMEM_ATTRIBUTE_SHARED,
				&done);
		}
		w->done = pos + done;
	}
	return r;
}

/* The next part of an old slot, from @pos on, where no new one is. */
static uint64_t left_behind(struct gmem_vm *vm, const struct gmem_slot *s,
			    uint64_t pos, uint64_t *n)
{
	const struct gmem__slot *o = NULL;

	gmem__lock(&vm->lock);
	while (pos < s->len &&
	       (o = at_gpa(vm, s->address_space, GMEM__SLOT_MAKING,
			   s->gpa + pos, s->len - pos)) != NULL &&
	       o->s.gpa <= s->gpa + pos)
		pos = o->s.gpa + o->s.len - s->gpa;
	pos = least(pos, s->len);
	*n = s->len - pos;
	if (o && *n)
		*n = o->s.gpa - (s->gpa + pos);
	gmem__unlock(&vm->lock);
	return pos;
}

static int reset_old(struct gmem__replace *w, uint32_t i)
{
	const struct gmem_slot *s = &w->old[i]->s;
	uint64_t pos = 0, n, done;
	int r = 0;

	if (!gmem__by_gpa(w->vm, s))
		return 0;
	for (; r == 0 && (pos = left_behind(w->vm, s, pos, &n)) < s->len;
	     pos += n) {
		r = gmem__gpa_attributes(w->vm, s->gpa + pos, n,
					 GMEM_ATTRIBUTE_SHARED, &done);
		w->done = pos + done;
	}
	return r;
}

static int set_attributes(struct gmem__replace *w, struct gmem_error *err)
{
	int r = 0;

	if (!gmem__vm_attributes(w->vm))
		return 0;
	while (r == 0 && w->at < w->n_new + w->n_old) {
		r = w->at < w->n_new ? set_new(w, w->at)
				     : reset_old(w, w->at - w->n_new);
		if (r == 0)
			w->at++;
	}
	return r < 0 ? gmem__fail_call(err, r, "setting the slots' attributes")
		     : 0;
}

/* Other threads see all slots of the table. */
static void set(struct gmem_vm *vm, bool *what, bool is)
{
	gmem__lock(&vm->lock);
	*what = is;
	gmem__unlock(&vm->lock);
}

/* What was there before: an old slot's, what is kept, or nothing. */
static void restore(struct gmem__replace *w, struct gmem__slot *s, uint64_t gpa,
		    uint64_t len)
{
	uint64_t end = gpa + len, n, done;
	struct gmem_slot was = { 0 };
	struct gmem__slot *o;

	for (; gpa < end; gpa += n) {
		n = end - gpa;
		gmem__lock(&w->vm->lock);
		o = (struct gmem__slot *)(uintptr_t)at_gpa(
			w->vm, s->s.address_space, GMEM__SLOT_GOING, gpa, n);
		if (o)
			was = o->s;
		gmem__unlock(&w->vm->lock);
		if (o && was.gpa <= gpa) {
			n = least(n, was.gpa + was.len - gpa);
			if (gmem__kept_set(w->vm, was.gmem,
					   was.offset + (gpa - was.gpa), gpa, n,
					   &done) < 0)
				set(w->vm, &o->lost, true);
			continue;
		}
		if (o)
			n = was.gpa - gpa;
		if (gmem__kept_reset(w->vm, gpa, n) < 0)
			set(w->vm, &s->lost, true);
		gmem__kept_restore(w->vm, gpa, n);
	}
}

/* As far as they were set. */
static void restore_attributes(struct gmem__replace *w)
{
	for (uint32_t i = 0; i <= w->at; i++) {
		bool new = i < w->n_new;
		struct gmem__slot *s = new ? w->new[i] : w->old[i - w->n_new];
		uint64_t end = i < w->at ? s->s.len : w->done, pos, n;
		enum how how = MOVES;

		for (pos = 0; pos < end; pos += n) {
			if (new)
				how = piece(w->vm, &s->s, takes(w, i), pos, &n);
			else if (gmem__by_gpa(w->vm, &s->s))
				pos = left_behind(w->vm, &s->s, pos, &n);
			else
				break;
			if (pos < end && how != STAYS)
				restore(w, s, s->s.gpa + pos,
					least(n, end - pos));
		}
	}
}

/*
 * A new slot that stays has the number of @s.  KVM would move that one where it
 * has the same length and memory.
 */
static bool taken(const struct gmem__replace *w, const struct gmem__slot *s)
{
	for (uint32_t i = 0; i < w->n_new; i++)
		if (w->new[i]->there &&
		    gmem__slot_same_id(&w->new[i]->s, &s->s))
			return true;
	return false;
}

static void undo(struct gmem__replace *w, struct gmem_error *err)
{
	struct gmem__slot *s;
	int r;

	for (uint32_t i = w->n_new; i-- > 0;) {
		s = w->new[i];
		r = s->there ? gmem__slot_delete(w->vm, &s->s) : 0;
		set(w->vm, &s->there, r < 0);
		if (r < 0)
			gmem__stuck_too(err, s->s.slot, r);
	}
	if (gmem__vm_attributes(w->vm))
		restore_attributes(w);
	for (uint32_t i = 0; i < w->n_old; i++) {
		s = w->old[i];
		if (s->there)
			continue;
		if (s->lost)
			r = -EIO;
		else if (taken(w, s))
			r = -EEXIST;
		else
			r = gmem__slot_create(w->vm, &s->s, s->s.gmem->fd);
		set(w->vm, &s->there, r == 0);
		if (r < 0)
			gmem__unmade_too(err, s->s.slot, r);
	}
}

static int exchange(struct gmem__replace *w, struct gmem_error *err)
{
	struct gmem__slot *s;
	int r;

	for (uint32_t i = 0; i < w->n_old; i++) {
		s = w->old[i];
		r = gmem__slot_delete(w->vm, &s->s);
		if (r < 0)
			return gmem__fail_call(err, r, "deleting the slot");
		set(w->vm, &s->there, false);
	}
	for (uint32_t i = 0; i < w->n_new; i++) {
		s = w->new[i];
		r = gmem__slot_create(w->vm, &s->s, s->s.gmem->fd);
		if (r < 0)
			return gmem__bind_diagnose(s->s.gmem, &w->asked[i], r,
						   err);
		set(w->vm, &s->there, true);
	}
	return set_attributes(w, err);
}

int gmem__replace_kernel(struct gmem__replace *w, struct gmem_error *err)
{
	int r;

	for (uint32_t i = 0; i < w->n_old; i++)
		set(w->vm, &w->old[i]->there, true);
	r = exchange(w, err);
	if (r < 0)
		undo(w, err);
	return r;
}

/* What of an old slot's range of the file no new one has. */
static void unset(struct gmem_vm *vm, const struct gmem_slot *s)
{
	uint64_t pos = 0, n, next;
	const struct gmem__slot *o;

	for (; gmem__by_gpa(vm, s) && pos < s->len; pos = next) {
		gmem__lock(&vm->lock);
		o = of_file(vm, s->gmem, GMEM__SLOT_MAKING, s->offset + pos,
			    s->len - pos);
		next = o ? o->s.offset + o->s.len - s->offset : s->len;
		n = !o ? s->len - pos
		    : o->s.offset > s->offset + pos
			    ? o->s.offset - (s->offset + pos)
			    : 0;
		gmem__unlock(&vm->lock);
		if (n)
			gmem__slot_record(vm, s, pos, n, GMEM__UNSET);
	}
}

void gmem__replace_record(struct gmem__replace *w)
{
	uint64_t pos, n;

	if (!gmem__vm_attributes(w->vm))
		return;
	for (uint32_t i = 0; i < w->n_new; i++)
		gmem__kept_others(w->vm, &w->new[i]->s, takes(w, i));
	for (uint32_t i = 0; i < w->n_old; i++)
		unset(w->vm, &w->old[i]->s);
	for (uint32_t i = 0; i < w->n_new; i++)
		for (pos = 0; pos < w->new[i]->s.len; pos += n)
			if (piece(w->vm, &w->new[i]->s, takes(w, i), pos, &n) ==
			    STARTS)
				gmem__slot_record(w->vm, &w->new[i]->s, pos, n,
						  first_state(w, i));
	for (uint32_t i = 0; i < w->n_new; i++)
		gmem__kept_taken(w->vm, &w->new[i]->s);
}

// SPDX-License-Identifier: MIT
/*
 * What could not be reset, or was not to be, is kept in mind by guest address,
 * in the slots that left it.
 */
#include <stddef.h>

#include "attr_gpa.h"
#include "error.h"
#include "left.h"
#include "lock.h"
#include "slot.h"
#include "vm.h"

struct gmem__slot *gmem__left_at(const struct gmem_vm *vm, enum gmem__left left,
				 uint64_t start, uint64_t end)
{
	return gmem__slot_of(gmem__tree_overlap(&vm->left, left, start, end),
			     offsetof(struct gmem__slot, by_gpa));
}

/* @s is in no tree, and now stands for [@start, @end) of what it was. */
static void left_put(struct gmem_vm *vm, struct gmem__slot *s,
		     enum gmem__left left, uint64_t start, uint64_t end)
{
	s->s.offset += start - s->s.gpa;
	s->s.gpa = s->by_gpa.start = start;
	s->by_gpa.end = end;
	s->s.len = end - start;
	s->by_gpa.group = left;
	gmem__tree_insert(&vm->left, &s->by_gpa);
	if (left != GMEM__LEFT_KEPT)
		return;
	s->by_offset.group = gmem__kept_group(s->s.gmem);
	s->by_offset.start = s->s.offset;
	s->by_offset.end = s->s.offset + s->s.len;
	gmem__tree_insert(&vm->by_offset, &s->by_offset);
}

static void left_take(struct gmem_vm *vm, struct gmem__slot *s)
{
	gmem__tree_remove(&vm->left, &s->by_gpa);
	if (s->by_gpa.group == GMEM__LEFT_KEPT)
		gmem__tree_remove(&vm->by_offset, &s->by_offset);
}

static void left_drop(struct gmem_vm *vm, struct gmem__slot *s)
{
	left_take(vm, s);
	gmem__free(&vm->ctx, s);
}

/* What is kept is one only where the range of the file continues too. */
static bool joins(const struct gmem__slot *a, const struct gmem__slot *b,
		  enum gmem__left left)
{
	return left != GMEM__LEFT_KEPT ||
	       (a->s.gmem == b->s.gmem && a->reserved == b->reserved &&
		a->s.address_space == b->s.address_space &&
		a->s.gpa - a->s.offset == b->s.gpa - b->s.offset);
}

/* Ranges of a kind that touch become one, so that their number stays small. */
static void left_add(struct gmem_vm *vm, struct gmem__slot *s,
		     enum gmem__left left)
{
	uint64_t start = s->s.gpa, end = start + s->s.len;
	struct gmem__slot *o;

	for (;;) {
		o = gmem__left_at(vm, left, start - (start > 0), end);
		if (!o || !joins(o, s, left))
			o = gmem__left_at(vm, left, end, end + 1);
		if (!o || !joins(o, s, left))
			break;
		if (o->by_gpa.start < start)
			start = o->by_gpa.start;
		if (o->by_gpa.end > end)
			end = o->by_gpa.end;
		left_drop(vm, o);
	}
	left_put(vm, s, left, start, end);
}

void gmem__slot_rest(struct gmem_vm *vm, struct gmem__slot *s,
		     enum gmem__left left)
{
	s->state = GMEM__SLOT_LEFT;
	if (left != GMEM__LEFT_KEPT)
		s->s.gmem = NULL;
	if (left)
		left_add(vm, s, left);
	else
		gmem__free(&vm->ctx, s);
}

bool gmem__left_in(struct gmem_vm *vm, uint64_t gpa, uint64_t len)
{
	bool left;

	gmem__lock(&vm->lock);
	left = gmem__left_at(vm, GMEM__LEFT_OWED, gpa, gpa + len) ||
	       gmem__left_at(vm, GMEM__LEFT_UNKNOWN, gpa, gpa + len) ||
	       gmem__left_at(vm, GMEM__LEFT_KEPT, gpa, gpa + len);
	gmem__unlock(&vm->lock);
	return left;
}

/*
 * Takes [@gpa, @end) out of @s.  From the middle two rests come; without memory
 * for the second it stays, and the result is false.
 */
static bool trim(struct gmem_vm *vm, struct gmem__slot *s, uint64_t gpa,
		 uint64_t end)
{
	uint64_t start = s->by_gpa.start, stop = s->by_gpa.end;
	enum gmem__left left = (enum gmem__left)s->by_gpa.group;
	struct gmem__slot *second = s;

	if (start >= gpa && stop <= end) {
		left_drop(vm, s);
		return true;
	}
	if (start < gpa && stop > end) {
		second = gmem__alloc(&vm->ctx, sizeof(*second));
		if (!second)
			return false;
	}
	left_take(vm, s);
	if (second != s)
		*second = *s;
	if (stop > end)
		left_put(vm, second, left, end, stop);
	if (start < gpa)
		left_put(vm, s, left, start, gpa);
	return true;
}

/* All of it is nobody's, and the record of what is outside is unset. */
static void disown_all(struct gmem_vm *vm, struct gmem__slot *s, uint64_t gpa,
		       uint64_t end)
{
	uint64_t start = s->by_gpa.start, stop = s->by_gpa.end;

	if (start < gpa)
		gmem__slot_record(vm, &s->s, 0, gpa - start, GMEM__UNSET);
	if (stop > end)
		gmem__slot_record(vm, &s->s, end - start, stop - end,
				  GMEM__UNSET);
	left_take(vm, s);
	gmem__slot_rest(vm, s, GMEM__LEFT_UNKNOWN);
}

void gmem__left_remove(struct gmem_vm *vm, enum gmem__left left, uint64_t gpa,
		       uint64_t end)
{
	struct gmem__slot *s;

	while ((s = gmem__left_at(vm, left, gpa, end)) != NULL) {
		if (trim(vm, s, gpa, end))
			continue;
		if (left != GMEM__LEFT_KEPT)
			return;
		disown_all(vm, s, gpa, end);
	}
}

void gmem__left_disown(struct gmem_vm *vm, struct gmem__slot *s, uint64_t gpa,
		       uint64_t end)
{
	struct gmem__slot *part = NULL;

	if (gpa < s->by_gpa.start)
		gpa = s->by_gpa.start;
	if (end > s->by_gpa.end)
		end = s->by_gpa.end;
	if (gpa > s->by_gpa.start || end < s->by_gpa.end)
		part = gmem__alloc(&vm->ctx, sizeof(*part));
	if (part)
		*part = *s;
	if (!part || !trim(vm, s, gpa, end)) {
		gmem__free(&vm->ctx, part);
		disown_all(vm, s, gpa, end);
		return;
	}
	part->s.gpa = gpa;
	part->s.len = end - gpa;
	gmem__slot_rest(vm, part, GMEM__LEFT_UNKNOWN);
}

static void nearer(const struct gmem__node *n, uint64_t *from, uint64_t *stop)
{
	if (n && n->start < *from) {
		*from = n->start;
		*stop = n->end;
	}
}

/*
 * The first part of [@pos, @end) that is not to be reset; @end: none is.  The
 * VM is at its end: no other thread has it.
 */
static uint64_t next_used(struct gmem_vm *vm, uint64_t pos, uint64_t end,
			  uint64_t *stop)
{
	uint64_t from = *stop = end;
	const struct gmem__slot *s;

	for (uint32_t as = 0; as < vm->address_spaces; as++) {
		s = gmem__slot_by_gpa(vm, as, pos, end - pos);
		nearer(s ? &s->by_gpa : NULL, &from, stop);
	}
	s = gmem__left_at(vm, GMEM__LEFT_UNKNOWN, pos, end);
	nearer(s ? &s->by_gpa : NULL, &from, stop);
	s = gmem__left_at(vm, GMEM__LEFT_KEPT, pos, end);
	nearer(s ? &s->by_gpa : NULL, &from, stop);
	return from > pos ? from : pos;
}

static int reset_owed(struct gmem_vm *vm, uint64_t pos, uint64_t end)
{
	uint64_t from, stop;
	int r = 0;

	for (; r == 0 && pos < end; pos = stop) {
		from = next_used(vm, pos, end, &stop);
		if (from > pos)
			r = gmem__gpa_reset(vm, pos, from - pos);
	}
	return r;
}

int gmem__left_reset(struct gmem_vm *vm, struct gmem_error *err)
{
	uint64_t pos = 0;
	struct gmem__slot *s;
	int first = 0, r;

	if (vm->owns_fd)
		return 0;
	while ((s = gmem__left_at(vm, GMEM__LEFT_OWED, pos, UINT64_MAX)) !=
	       NULL) {
		pos = s->by_gpa.end;
		r = reset_owed(vm, s->by_gpa.start, pos);
		if (r == 0)
			left_drop(vm, s);
		first = first ? first : r;
	}
	return first < 0 ? gmem__fail_call(err, first,
					   "resetting a slot's attributes")
			 : 0;
}

void gmem__left_free(struct gmem_vm *vm)
{
	struct gmem__slot *s;

	while ((s = gmem__slot_of(gmem__tree_first(&vm->left),
				  offsetof(struct gmem__slot, by_gpa))) != NULL)
		left_drop(vm, s);
}

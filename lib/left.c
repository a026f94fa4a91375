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

static struct gmem__slot *left_at(const struct gmem_vm *vm,
				  enum gmem__left left, uint64_t start,
				  uint64_t end)
{
	return gmem__slot_of(gmem__tree_overlap(&vm->left, left, start, end),
			     offsetof(struct gmem__slot, by_gpa));
}

/* Of either kind. */
static struct gmem__slot *any_left(const struct gmem_vm *vm, uint64_t start,
				   uint64_t end)
{
	struct gmem__slot *s = left_at(vm, GMEM__LEFT_OWED, start, end);

	return s ? s : left_at(vm, GMEM__LEFT_KEPT, start, end);
}

static void left_put(struct gmem_vm *vm, struct gmem__slot *s, uint64_t start,
		     uint64_t end)
{
	s->by_gpa.start = start;
	s->by_gpa.end = end;
	gmem__tree_insert(&vm->left, &s->by_gpa);
}

static void left_drop(struct gmem_vm *vm, struct gmem__slot *s)
{
	gmem__tree_remove(&vm->left, &s->by_gpa);
	gmem__free(&vm->ctx, s);
}

/* Ranges of a kind that touch become one, so that their number stays small. */
static void left_add(struct gmem_vm *vm, struct gmem__slot *s,
		     enum gmem__left left)
{
	uint64_t start = s->s.gpa, end = start + s->s.len;
	struct gmem__slot *o;

	while ((o = left_at(vm, left, start - (start > 0), end + 1)) != NULL) {
		if (o->by_gpa.start < start)
			start = o->by_gpa.start;
		if (o->by_gpa.end > end)
			end = o->by_gpa.end;
		left_drop(vm, o);
	}
	s->by_gpa.group = left;
	left_put(vm, s, start, end);
}

void gmem__slot_rest(struct gmem_vm *vm, struct gmem__slot *s,
		     enum gmem__left left)
{
	if (left)
		left_add(vm, s, left);
	else
		gmem__free(&vm->ctx, s);
}

bool gmem__left_in(struct gmem_vm *vm, uint64_t gpa, uint64_t len)
{
	bool left;

	gmem__lock(&vm->lock);
	left = any_left(vm, gpa, gpa + len) != NULL;
	gmem__unlock(&vm->lock);
	return left;
}

/*
 * Takes [@gpa, @end) out of the ranges of a kind.  From the middle of a larger
 * one two rests come; without memory for the second the larger one stays.
 */
static void settle(struct gmem_vm *vm, enum gmem__left left, uint64_t gpa,
		   uint64_t end)
{
	struct gmem__slot *s, *second;
	uint64_t start, stop;

	while ((s = left_at(vm, left, gpa, end)) != NULL) {
		start = s->by_gpa.start;
		stop = s->by_gpa.end;
		if (start >= gpa && stop <= end) {
			left_drop(vm, s);
			continue;
		}
		second = start < gpa && stop > end
				 ? gmem__alloc(&vm->ctx, sizeof(*second))
				 : s;
		if (!second)
			return;
		gmem__tree_remove(&vm->left, &s->by_gpa);
		second->by_gpa.group = left;
		if (start < gpa)
			left_put(vm, s, start, gpa);
		if (stop > end)
			left_put(vm, second, end, stop);
	}
}

void gmem__left_forget(struct gmem_vm *vm, uint64_t gpa, uint64_t len)
{
	gmem__lock(&vm->lock);
	settle(vm, GMEM__LEFT_OWED, gpa, gpa + len);
	settle(vm, GMEM__LEFT_KEPT, gpa, gpa + len);
	gmem__unlock(&vm->lock);
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
	s = left_at(vm, GMEM__LEFT_KEPT, pos, end);
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
	while ((s = left_at(vm, GMEM__LEFT_OWED, pos, UINT64_MAX)) != NULL) {
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

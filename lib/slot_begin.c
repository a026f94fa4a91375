// SPDX-License-Identifier: MIT
#include <errno.h>

#include "attr_gpa.h"
#include "left.h"
#include "lock.h"
#include "slot.h"
#include "slot_begin.h"
#include "slot_check.h"
#include "slot_end.h"
#include "ticket.h"
#include "vm.h"

int gmem__slot_insert(struct gmem_vm *vm, struct gmem__slot *s,
		      const struct gmem_slot *b, struct gmem_error *err)
{
	struct gmem__slot conflict;
	int r;

	gmem__lock(&vm->lock);
	r = gmem__bind_table(vm, s->s.gmem, b, &conflict, err);
	if (r == 0)
		gmem__slot_put_in(vm, s);
	gmem__unlock(&vm->lock);
	return r < 0 ? gmem__bind_dead(vm, &conflict, r, err) : 0;
}

/* Refuses @b for the sake of a slot in its way that is not stuck. */
static int others(struct gmem_vm *vm, const struct gmem_slot *b,
		  struct gmem__slot *conflict, struct gmem_error *err)
{
	uint64_t pos, end = b->gpa + b->len;
	const struct gmem__slot *s = gmem__slot_find(vm, gmem__slot_id(b));

	if (s && s->state != GMEM__SLOT_STUCK)
		return gmem__bind_refused(b, s, conflict, err);
	for (pos = b->gpa; pos < end; pos = s->s.gpa + s->s.len) {
		s = gmem__slot_by_gpa(vm, b->address_space, pos, end - pos);
		if (!s)
			break;
		if (s->state != GMEM__SLOT_STUCK)
			return gmem__bind_refused(b, s, conflict, err);
	}
	end = b->flags & GMEM_SLOT_FD ? b->offset + b->len : 0;
	for (pos = b->offset; pos < end; pos = s->s.offset + s->s.len) {
		s = gmem__slot_by_offset(vm, b->gmem, GMEM_SLOT_FD, pos,
					 end - pos);
		if (!s)
			break;
		if (s->state != GMEM__SLOT_STUCK)
			return gmem__bind_refused(b, s, conflict, err);
	}
	return 0;
}

static int is_that(const struct gmem__slot *s, const void *serial,
		   struct gmem_error *err)
{
	(void)err;
	return s->serial == *(const uint64_t *)serial ? 0 : -ENOENT;
}

/*
 * The kernel no longer has it: out of the table, once changes of its range are
 * done.  The reservation stays until the file is closed.
 */
static void let_go(struct gmem_vm *vm, struct gmem__slot_id id, uint64_t serial)
{
	struct gmem__ticket t;
	struct gmem__range range;
	struct gmem__slot *s;

	/* Another thread may have ended it meanwhile. */
	if (gmem__slot_going(vm, id, is_that, &serial, &t, &range, &s, NULL) <
	    0)
		return;
	gmem__slot_record(vm, &s->s, 0, s->s.len, GMEM__UNSET);
	gmem__lock(&vm->lock);
	gmem__slot_set_stuck(vm, s, false);
	gmem__slot_take_out(vm, s);
	gmem__slot_rest(vm, s,
			gmem__by_gpa(vm, &s->s) ? GMEM__LEFT_KEPT
						: GMEM__LEFT_NONE);
	gmem__unlock(&vm->lock);
	gmem__ticket_return(vm, &t);
}

int gmem__slot_replace(struct gmem_vm *vm, struct gmem__slot *s,
		       const struct gmem_slot *b, struct gmem_error *err)
{
	struct gmem__slot conflict;
	struct gmem__slot_id id = { 0 };
	const struct gmem__slot *o;
	uint64_t serial = 0;
	int r;

	for (;;) {
		gmem__lock(&vm->lock);
		r = others(vm, b, &conflict, err);
		o = r < 0 ? NULL : gmem__bind_conflict(vm, s->s.gmem, b);
		if (r == 0 && !o)
			gmem__slot_put_in(vm, s);
		if (o) {
			id = gmem__slot_id(&o->s);
			serial = o->serial;
		}
		gmem__unlock(&vm->lock);
		if (r < 0)
			return gmem__bind_dead(vm, &conflict, r, err);
		if (!o)
			return 0;
		let_go(vm, id, serial);
	}
}

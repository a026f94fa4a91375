// SPDX-License-Identifier: MIT
#include "attr_gpa.h"
#include "kept.h"
#include "left.h"
#include "lock.h"
#include "slot.h"
#include "slot_begin.h"
#include "slot_check.h"
#include "vm.h"

int gmem__slot_insert(struct gmem_vm *vm, struct gmem__slot *s,
		      const struct gmem_slot *b, struct gmem__hold *h,
		      struct gmem_error *err)
{
	struct gmem__slot conflict;
	int r = 1;

	gmem__lock(&vm->lock);
	if (gmem__hold_is_all(vm, h))
		r = gmem__bind_table(vm, s->s.gmem, b, &conflict, err);
	if (r == 0)
		gmem__slot_put_in(vm, s);
	gmem__unlock(&vm->lock);
	return r < 0 ? gmem__bind_dead(vm, &conflict, r, err) : r;
}

/* The reservation stays until the file is closed. */
static void replaced(struct gmem_vm *vm, struct gmem__slot *s)
{
	gmem__slot_set_stuck(vm, s, false);
	gmem__kept_unset(vm, &s->s);
	gmem__slot_rest(vm, s,
			gmem__by_gpa(vm, &s->s) ? GMEM__LEFT_UNKNOWN
						: GMEM__LEFT_NONE);
}

int gmem__slot_replace(struct gmem_vm *vm, struct gmem__slot *s,
		       const struct gmem_slot *b, struct gmem__hold *h,
		       struct gmem_error *err)
{
	struct gmem__slot conflict, *aside = NULL, *o;
	int r;

	gmem__lock(&vm->lock);
	if (!gmem__hold_is_all(vm, h)) {
		gmem__unlock(&vm->lock);
		return 1;
	}
	while ((o = gmem__bind_conflict(vm, s->s.gmem, b)) != NULL &&
	       o->state == GMEM__SLOT_STUCK) {
		gmem__slot_take_out(vm, o);
		o->aside = aside;
		aside = o;
	}
	r = gmem__bind_table(vm, s->s.gmem, b, &conflict, err);
	while ((o = aside) != NULL) {
		aside = o->aside;
		if (r < 0)
			gmem__slot_put_in(vm, o);
		else
			replaced(vm, o);
	}
	if (r == 0)
		gmem__slot_put_in(vm, s);
	gmem__unlock(&vm->lock);
	return r < 0 ? gmem__bind_dead(vm, &conflict, r, err) : 0;
}

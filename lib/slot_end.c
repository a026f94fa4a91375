// SPDX-License-Identifier: MIT
/*
 * How a slot goes: unbind, forget, the undo of a bind, the retry of what was
 * stuck, and the end of the VM.  As long as the kernel has a slot, its entry,
 * its file and the memory behind its userspace_addr stay.
 */
#include <errno.h>
#include <inttypes.h>

#include "attr_gpa.h"
#include "error.h"
#include "file.h"
#include "kept.h"
#include "left.h"
#include "lock.h"
#include "map.h"
#include "name.h"
#include "reservation.h"
#include "slot.h"
#include "slot_check.h"
#include "slot_end.h"
#include "slot_get.h"
#include "slot_kernel.h"
#include "ticket.h"
#include "vm.h"

/* Which slot @id is now, and what it is a range of. */
static int find_slot(struct gmem_vm *vm, struct gmem__slot_id id,
		     gmem__slot_fn *check, const void *arg,
		     struct gmem__range *r, uint64_t *serial,
		     struct gmem_error *err)
{
	struct gmem__slot *s;
	int ret;

	gmem__lock(&vm->lock);
	ret = gmem__slot_known(vm, id, &s, err);
	if (ret == 0)
		ret = check(s, arg, err);
	if (ret == 0) {
		*serial = s->serial;
		r->object = s->s.gmem;
		r->start = s->s.offset;
		r->end = s->s.offset + s->s.len;
	}
	gmem__unlock(&vm->lock);
	return ret;
}

static int take_turn(struct gmem_vm *vm, struct gmem__slot_id id, bool going,
		     gmem__slot_fn *check, const void *arg,
		     struct gmem__ticket *t, struct gmem__range *r,
		     struct gmem__slot **out, struct gmem_error *err)
{
	uint64_t serial = 0;
	struct gmem__slot *s;
	int ret = find_slot(vm, id, check, arg, r, &serial, err);

	/* Conversions through the slot end first. */
	if (ret == 0)
		ret = gmem__ticket_take(vm, t, r, r->object != NULL, false,
					NULL, err);
	if (ret < 0)
		return ret;
	gmem__lock(&vm->lock);
	ret = gmem__slot_known(vm, id, &s, err);
	/* Not a slot that was made meanwhile, of which nothing was checked. */
	if (ret == 0 && s->serial != serial)
		ret = gmem__slot_unknown(id, err);
	if (ret == 0) {
		if (going)
			s->state = GMEM__SLOT_GOING;
		*out = s;
	}
	gmem__unlock(&vm->lock);
	if (ret < 0)
		gmem__ticket_return(vm, t);
	return ret;
}

int gmem__slot_hold(struct gmem_vm *vm, struct gmem__slot_id id,
		    gmem__slot_fn *check, const void *arg,
		    struct gmem__ticket *t, struct gmem__range *r,
		    struct gmem__slot **out, struct gmem_error *err)
{
	return take_turn(vm, id, false, check, arg, t, r, out, err);
}

int gmem__slot_going(struct gmem_vm *vm, struct gmem__slot_id id,
		     gmem__slot_fn *check, const void *arg,
		     struct gmem__ticket *t, struct gmem__range *r,
		     struct gmem__slot **out, struct gmem_error *err)
{
	return take_turn(vm, id, true, check, arg, t, r, out, err);
}

void gmem__slot_gone(struct gmem_vm *vm, struct gmem__slot *s,
		     enum gmem__left left)
{
	struct gmem *reserved = s->reserved ? s->s.gmem : NULL;

	gmem__lock(&vm->lock);
	gmem__slot_take_out(vm, s);
	gmem__slot_rest(vm, s, left);
	gmem__unlock(&vm->lock);
	if (reserved)
		gmem__reservation_put(reserved);
}

int gmem__slot_end(struct gmem_vm *vm, struct gmem__slot *s, bool keep,
		   int *reset)
{
	int r = gmem__slot_delete(vm, &s->s);
	enum gmem__left left = GMEM__LEFT_NONE;

	*reset = 0;
	gmem__lock(&vm->lock);
	gmem__slot_set_stuck(vm, s, r < 0);
	gmem__unlock(&vm->lock);
	if (r < 0)
		return r;
	/* Nobody else can have a slot there before this one is gone. */
	if (gmem__by_gpa(vm, &s->s)) {
		/* A bind that failed did not end what was kept before. */
		keep = keep && !gmem__kept_meets(vm, &s->s);
		if (!keep) {
			gmem__lock(&vm->lock);
			gmem__kept_unset(vm, &s->s);
			gmem__unlock(&vm->lock);
			*reset = gmem__kept_reset(vm, s->s.gpa, s->s.len);
		}
		left = keep	    ? GMEM__LEFT_KEPT
		       : *reset < 0 ? GMEM__LEFT_OWED
				    : GMEM__LEFT_NONE;
	}
	gmem__slot_gone(vm, s, left);
	return 0;
}

static int is_stuck(const struct gmem__slot *s, const void *serial,
		    struct gmem_error *err)
{
	(void)err;
	return s->serial == *(const uint64_t *)serial ? 0 : -ENOENT;
}

/* The next to retry, of those not yet tried in this pass; vm->lock is held. */
static struct gmem__slot *next_stuck(struct gmem_vm *vm, const struct gmem *g,
				     const struct gmem_slot *b, uint64_t pass)
{
	struct gmem__slot *s;

	if (b) {
		s = gmem__bind_conflict(vm, g, b);
		return s && s->state == GMEM__SLOT_STUCK && s->pass < pass
			       ? s
			       : NULL;
	}
	for (s = vm->stuck; s; s = s->next_stuck)
		if (s->s.gmem == g && s->pass < pass)
			return s;
	return NULL;
}

void gmem__slots_retry(struct gmem_vm *vm, const struct gmem *g,
		       const struct gmem_slot *b)
{
	struct gmem__ticket t;
	struct gmem__range range;
	uint64_t pass, serial = 0;
	struct gmem__slot_id id = { 0 };
	struct gmem__slot *s;
	int reset;

	gmem__lock(&vm->lock);
	pass = ++vm->pass;
	gmem__unlock(&vm->lock);
	do {
		gmem__lock(&vm->lock);
		s = next_stuck(vm, g, b, pass);
		if (s) {
			s->pass = pass;
			serial = s->serial;
			id = gmem__slot_id(&s->s);
		}
		gmem__unlock(&vm->lock);
		if (!s || gmem__slot_going(vm, id, is_stuck, &serial, &t,
					   &range, &s, NULL) < 0)
			continue;
		(void)gmem__slot_end(vm, s, false, &reset);
		gmem__ticket_return(vm, &t);
	} while (s);
}

static int end_one(struct gmem_vm *vm, struct gmem__slot *s,
		   struct gmem_error *err)
{
	const struct gmem_slot *p = &s->s;
	int r;

	if (p->flags & GMEM_SLOT_NOTED)
		return 0;
	r = gmem__slot_delete(vm, p);
	if (r < 0)
		return gmem__fail_sys(err, GMEM_REASON_SLOT_STUCK, -EBUSY, r,
				      p->slot, p->userspace_addr,
				      "slot %u could not be deleted, %s: what "
				      "KVM reaches through it stays mapped at "
				      "0x%" PRIx64,
				      p->slot, gmem__errno_name(r),
				      p->userspace_addr);
	gmem__slot_deleted(vm, s);
	return 0;
}

/* In an adopted VM the VMM's next slot would inherit the attributes. */
static int reset_one(struct gmem_vm *vm, const struct gmem__slot *s,
		     struct gmem_error *err)
{
	int r;

	if (vm->owns_fd || s->state != GMEM__SLOT_LEFT ||
	    !gmem__by_gpa(vm, &s->s))
		return 0;
	r = gmem__gpa_reset(vm, s->s.gpa, s->s.len);
	return r < 0 ? gmem__fail_call(err, r, "resetting a slot's attributes")
		     : 0;
}

/* All are deleted first: memory that stays is the failure to report. */
int gmem__slots_delete(struct gmem_vm *vm, struct gmem_error *err)
{
	const struct gmem *g;
	struct gmem__slot *s;
	int first = 0, r;

	for (s = gmem__slot_first(vm); s; s = gmem__slot_next(s)) {
		r = end_one(vm, s, first ? NULL : err);
		first = first ? first : r;
	}
	for (g = vm->files; g; g = g->next) {
		r = gmem__maps_noted(g, first ? NULL : err);
		first = first ? first : r;
	}
	for (s = gmem__slot_first(vm); s; s = gmem__slot_next(s)) {
		r = reset_one(vm, s, first ? NULL : err);
		first = first ? first : r;
	}
	r = gmem__left_reset(vm, first ? NULL : err);
	return first ? first : r;
}

void gmem__slots_free(struct gmem_vm *vm)
{
	struct gmem__slot *s;

	while ((s = gmem__slot_first(vm)) != NULL) {
		gmem__slot_take_out(vm, s);
		gmem__free(&vm->ctx, s);
	}
	gmem__left_free(vm);
}

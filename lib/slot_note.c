// SPDX-License-Identifier: MIT
/* Slots that the VMM makes itself: known here, never touched. */
#include <errno.h>

#include "adopt.h"
#include "attr_gpa.h"
#include "callback.h"
#include "enter.h"
#include "error.h"
#include "file.h"
#include "kept.h"
#include "left.h"
#include "lock.h"
#include "opts.h"
#include "range.h"
#include "region.h"
#include "slot.h"
#include "slot_begin.h"
#include "slot_check.h"
#include "slot_end.h"
#include "ticket.h"
#include "vm.h"

#define FLAGS                                                                  \
	(GMEM_SLOT_FD | GMEM_SLOT_HVA | GMEM_SLOT_READONLY |                   \
	 GMEM_SLOT_DIRTY_LOG | GMEM_SLOT_USERSPACE_ADDR | GMEM_SLOT_OWN_ADDR | \
	 GMEM_SLOT_TAKE_KEPT | GMEM_SLOT_NOTED | GMEM_SLOT_STUCK |             \
	 GMEM_SLOT_LIVE | GMEM__SLOT_LOST)

static const struct gmem__opts_type slot_type =
	GMEM__OPTS_TYPE(gmem_slot, GMEM__SLOT_V0, FLAGS);

static int check_file(const struct gmem_vm *vm, const struct gmem_slot *s,
		      struct gmem_error *err)
{
	int r;

	if (s->flags & GMEM_SLOT_FD && s->flags & GMEM_SLOT_HVA)
		return gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, s->flags, 0,
				  "fd mode and HVA mode exclude each other");
	if (s->flags & GMEM_SLOT_FD && s->flags & GMEM_SLOT_DIRTY_LOG)
		return gmem__fail(err, GMEM_REASON_DIRTY_LOG, s->flags, 0,
				  "no kernel has a dirty log on a slot with a "
				  "guest_memfd");
	if (s->flags & GMEM_SLOT_FD && s->flags & GMEM_SLOT_READONLY)
		return gmem__fail(err, GMEM_REASON_READONLY, s->flags, 0,
				  "no kernel has a read-only slot with a "
				  "guest_memfd");
	if (!s->gmem)
		return 0;
	if (s->gmem->vm != vm)
		return gmem__fail(err, GMEM_REASON_FOREIGN_VM, 0, 0,
				  "the file belongs to another VM's handle");
	r = gmem__range_check(s->gmem, s->offset, s->len, err);
	return r < 0 ? r : gmem__region_slot_check(s->gmem, s, err);
}

/* Remembers which file is behind a slot, to notice its close. */
static int note_identity(struct gmem_vm *vm, struct gmem__slot *n,
			 struct gmem_error *err)
{
	struct gmem__stat st = { 0 };
	int r;

	if (!(n->s.flags & GMEM_SLOT_FD))
		n->s.fd = -1;
	if (n->s.gmem)
		n->s.fd = n->s.flags & GMEM_SLOT_FD ? n->s.gmem->fd : -1;
	else if (n->s.fd >= 0) {
		r = gmem__is_guest_memfd(&vm->ctx, n->s.fd, &st, err);
		if (r < 0)
			return r;
		n->ino = st.ino;
		n->dev = st.dev;
	}
	return 0;
}

static int note_checks(struct gmem_vm *vm, struct gmem_slot *s,
		       struct gmem_error *err)
{
	int r = gmem__reserved(s->reserved, "gmem_slot", err);

	if (r < 0 ||
	    (r = gmem__length_check(s->len, vm->ctx.page_size, err)) < 0 ||
	    (r = check_file(vm, s, err)) < 0)
		return r;
	if (!(s->flags & GMEM_SLOT_FD))
		s->flags |= GMEM_SLOT_HVA;
	s->flags &= ~(GMEM_SLOT_OWN_ADDR | GMEM_SLOT_STUCK | GMEM_SLOT_LIVE |
		      GMEM__SLOT_LOST);
	s->flags |= GMEM_SLOT_USERSPACE_ADDR | GMEM_SLOT_NOTED |
		    gmem__slot_lost(s->gmem, s);
	return gmem__bind_args(vm, s, err);
}

/* The VMM may switch the dirty log of its slot, which then is noted again. */
static bool log_switched(struct gmem_vm *vm, const struct gmem_slot *s)
{
	struct gmem__slot *is;
	bool same;

	gmem__lock(&vm->lock);
	is = gmem__slot_find(vm, gmem__slot_id(s));
	same = is && is->state == GMEM__SLOT_LIVE && is->s.gpa == s->gpa &&
	       is->s.len == s->len && is->s.offset == s->offset &&
	       is->s.userspace_addr == s->userspace_addr &&
	       is->s.gmem == s->gmem &&
	       (is->s.flags ^ s->flags) == GMEM_SLOT_DIRTY_LOG;
	if (same)
		is->s.flags = s->flags;
	gmem__unlock(&vm->lock);
	return same;
}

/* Until it forgets the slot, the VMM handles what was left there. */
static int note_in_turn(struct gmem_vm *vm, struct gmem__slot *n,
			const struct gmem_slot *s, struct gmem_error *err)
{
	struct gmem__hold hold;
	int r;

	do {
		r = gmem__hold_take(vm, &hold, s, 1, NULL, 0, err);
		if (r < 0)
			return r;
		r = gmem__slot_replace(vm, n, s, &hold, err);
		if (r == 0 && gmem__by_gpa(vm, s))
			gmem__kept_settle(vm, s, s->flags & GMEM_SLOT_TAKE_KEPT,
					  GMEM__UNSET);
		gmem__hold_return(vm, &hold);
	} while (r > 0);
	return r;
}

int gmem_slot_note(struct gmem_vm *vm, const struct gmem_slot *slot,
		   struct gmem_error *err)
{
	struct gmem__slot *n;
	struct gmem_slot s;
	int r = gmem__vm_enter(vm, err);

	if (r < 0 || (r = gmem__not_in_callback(err)) < 0)
		return r;
	r = gmem__out_check(slot, GMEM__SLOT_V0, "gmem_slot", err);
	if (r < 0)
		return r;
	r = gmem__opts_take(&slot_type, slot, &s, err);
	if (r < 0)
		return r;
	r = note_checks(vm, &s, err);
	if (r < 0 || log_switched(vm, &s))
		return r;
	n = gmem__alloc(&vm->ctx, sizeof(*n));
	if (!n)
		return gmem__fail_call(err, -ENOMEM, "allocating the slot");
	n->s = s;
	n->s.flags &= ~GMEM_SLOT_TAKE_KEPT;
	n->state = GMEM__SLOT_LIVE;
	r = note_identity(vm, n, err);
	if (r == 0)
		r = note_in_turn(vm, n, &s, err);
	if (r < 0)
		gmem__free(&vm->ctx, n);
	return r;
}

static int may_forget(const struct gmem__slot *s, const void *arg,
		      struct gmem_error *err)
{
	(void)arg;
	if (s->s.flags & GMEM_SLOT_NOTED)
		return 0;
	return gmem__fail(err, GMEM_REASON_STILL_BOUND, s->s.slot, 0,
			  "slot %u is bound, not noted: unbinding ends it",
			  s->s.slot);
}

int gmem_slot_forget(struct gmem_vm *vm, uint32_t slot, uint32_t address_space,
		     struct gmem_error *err)
{
	struct gmem__slot_id id = { slot, address_space };
	struct gmem__ticket ticket;
	struct gmem__range range;
	struct gmem__slot *s;
	int r = gmem__vm_enter(vm, err);

	if (r < 0)
		return r;
	r = gmem__slot_going(vm, id, may_forget, NULL, &ticket, &range, &s,
			     err);
	if (r < 0)
		return r;
	gmem__slot_record(vm, &s->s, 0, s->s.len, GMEM__UNSET);
	/* What was set through the slot outlives it. */
	gmem__slot_gone(vm, s,
			gmem__by_gpa(vm, &s->s) ? GMEM__LEFT_UNKNOWN
						: GMEM__LEFT_NONE);
	gmem__ticket_return(vm, &ticket);
	return 0;
}

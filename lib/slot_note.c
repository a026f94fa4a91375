// SPDX-License-Identifier: MIT
/* Slots that the VMM makes itself: known here, never touched. */
#include <errno.h>

#include "adopt.h"
#include "attr_gpa.h"
#include "callback.h"
#include "enter.h"
#include "error.h"
#include "file.h"
#include "left.h"
#include "lock.h"
#include "opts.h"
#include "range.h"
#include "slot.h"
#include "slot_begin.h"
#include "slot_check.h"
#include "slot_end.h"
#include "ticket.h"
#include "vm.h"

#define SLOT_V0 64
#define SLOT_FLAGS (GMEM_SLOT_FD | GMEM_SLOT_READONLY | GMEM_SLOT_DIRTY_LOG)

_Static_assert(sizeof(struct gmem_slot) == SLOT_V0, "ABI");

static const struct gmem__opts_type slot_type =
	GMEM__OPTS_TYPE(gmem_slot, SLOT_V0, SLOT_FLAGS);

static int check_file(const struct gmem_vm *vm, const struct gmem_slot *s,
		      struct gmem_error *err)
{
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
	return gmem__range_check(s->gmem, s->offset, s->len, err);
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

static int note_checks(struct gmem_vm *vm, const struct gmem_slot *s,
		       struct gmem__bind *b, struct gmem_error *err)
{
	int r = gmem__length_check(s->len, vm->ctx.page_size, err);

	if (r < 0)
		return r;
	*b = (struct gmem__bind){
		.slot = s->slot,
		.address_space = s->address_space,
		.gpa = s->gpa,
		.offset = s->offset,
		.len = s->len,
		.flags = GMEM_BIND_USERSPACE_ADDR,
		.userspace_addr = s->userspace_addr,
		.mode = s->flags & GMEM_SLOT_FD ? GMEM_BIND_FD : GMEM_BIND_HVA,
	};
	r = gmem__bind_args(vm, b, err);
	return r < 0 ? r : check_file(vm, s, err);
}

int gmem_slot_note(struct gmem_vm *vm, const struct gmem_slot *slot,
		   struct gmem_error *err)
{
	struct gmem__slot *n;
	struct gmem__bind b;
	struct gmem_slot s;
	int r = gmem__vm_enter(vm, err);

	if (r < 0 || (r = gmem__not_in_callback(err)) < 0)
		return r;
	r = gmem__out_check(slot, SLOT_V0, "gmem_slot", err);
	if (r < 0)
		return r;
	r = gmem__opts_take(&slot_type, slot, &s, err);
	if (r < 0)
		return r;
	r = note_checks(vm, &s, &b, err);
	if (r < 0)
		return r;
	n = gmem__alloc(&vm->ctx, sizeof(*n));
	if (!n)
		return gmem__fail_call(err, -ENOMEM, "allocating the slot");
	n->s = s;
	n->s.flags |= GMEM_SLOT_NOTED;
	n->state = GMEM__SLOT_LIVE;
	r = note_identity(vm, n, err);
	if (r == 0)
		r = gmem__slot_replace(vm, n, &b, err);
	if (r < 0) {
		gmem__free(&vm->ctx, n);
		return r;
	}
	/* Until it forgets the slot, the VMM handles what was left there. */
	if (gmem__by_gpa(vm, &s))
		gmem__left_forget(vm, s.gpa, s.len);
	return 0;
}

static int not_bound(uint32_t slot, uint32_t address_space,
		     struct gmem_error *err)
{
	return gmem__fail(err, GMEM_REASON_NOT_BOUND, slot, address_space,
			  "slot %u of address space %u is not known here", slot,
			  address_space);
}

struct slot_id {
	uint32_t slot, address_space;
};

static int may_forget(const struct gmem__slot *s, const void *arg,
		      struct gmem_error *err)
{
	const struct slot_id *id = arg;

	if (!s)
		return not_bound(id->slot, id->address_space, err);
	if (s->s.flags & GMEM_SLOT_NOTED)
		return 0;
	return gmem__fail(err, GMEM_REASON_STILL_BOUND, id->slot, 0,
			  "slot %u is bound, not noted: unbinding ends it",
			  id->slot);
}

int gmem_slot_forget(struct gmem_vm *vm, uint32_t slot, uint32_t address_space,
		     struct gmem_error *err)
{
	struct slot_id id = { slot, address_space };
	struct gmem__ticket ticket;
	struct gmem__range range;
	struct gmem__slot *s;
	int r = gmem__vm_enter(vm, err);

	if (r < 0)
		return r;
	r = gmem__slot_going(vm, slot, address_space, may_forget, &id, &ticket,
			     &range, &s, err);
	if (r < 0)
		return r;
	gmem__slot_record(vm, &s->s, 0, s->s.len, GMEM__UNSET);
	/* What was set through the slot outlives it. */
	gmem__slot_gone(vm, s,
			gmem__by_gpa(vm, &s->s) ? GMEM__LEFT_KEPT
						: GMEM__LEFT_NONE);
	gmem__ticket_return(vm, &ticket);
	return 0;
}

int gmem_slot_get(struct gmem_vm *vm, uint32_t slot, uint32_t address_space,
		  struct gmem_slot *out, struct gmem_error *err)
{
	const struct gmem__slot *s;
	int r = gmem__vm_enter(vm, err);

	if (r < 0)
		return r;
	r = gmem__out_check(out, SLOT_V0, "gmem_slot", err);
	if (r < 0)
		return r;
	gmem__lock(&vm->lock);
	s = gmem__slot_find(vm, slot, address_space);
	if (s && gmem__slot_usable(s))
		gmem__out_copy(out, &s->s, sizeof(s->s));
	else
		r = not_bound(slot, address_space, err);
	gmem__unlock(&vm->lock);
	return r;
}

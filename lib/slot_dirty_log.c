// SPDX-License-Identifier: MIT
/* The dirty page log of a live slot: the one change without a gap. */
#include "enter.h"
#include "error.h"
#include "lock.h"
#include "slot.h"
#include "slot_end.h"
#include "slot_kernel.h"
#include "ticket.h"
#include "vm.h"

static int may_log(const struct gmem__slot *s, const void *arg,
		   struct gmem_error *err)
{
	(void)arg;
	if (s->s.flags & GMEM_SLOT_NOTED)
		return gmem__fail(err, GMEM_REASON_NOTED_SLOT, s->s.slot, 0,
				  "slot %u was made by the VMM, and only noted",
				  s->s.slot);
	if (s->s.flags & GMEM_SLOT_FD)
		return gmem__fail(err, GMEM_REASON_DIRTY_LOG, s->s.flags, 0,
				  "slot %u is in fd mode, which has no dirty "
				  "page log",
				  s->s.slot);
	return 0;
}

int gmem_slot_dirty_log(struct gmem_vm *vm, uint32_t slot,
			uint32_t address_space, int on, struct gmem_error *err)
{
	struct gmem__slot_id id = { slot, address_space };
	struct gmem__ticket ticket;
	struct gmem__range range;
	struct gmem__slot *s;
	struct gmem_slot now;
	int r = gmem__vm_enter(vm, err);

	if (r < 0 || (r = gmem__slot_hold(vm, id, may_log, NULL, &ticket,
					  &range, &s, err)) < 0)
		return r;
	now = s->s;
	now.flags &= ~GMEM_SLOT_DIRTY_LOG;
	if (on)
		now.flags |= GMEM_SLOT_DIRTY_LOG;
	r = gmem__slot_create(vm, &now, -1);
	if (r == 0) {
		gmem__lock(&vm->lock);
		s->s.flags = now.flags;
		gmem__unlock(&vm->lock);
	}
	gmem__ticket_return(vm, &ticket);
	return r < 0 ? gmem__fail_call(err, r, "switching the slot's dirty log")
		     : 0;
}

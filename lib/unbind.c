// SPDX-License-Identifier: MIT
/* Deleting a slot, and then what its guest addresses would leave behind. */
#include <errno.h>
#include <inttypes.h>

#include "enter.h"
#include "error.h"
#include "file.h"
#include "name.h"
#include "opts.h"
#include "slot.h"
#include "slot_end.h"
#include "ticket.h"

static int may_unbind(const struct gmem__slot *s, const void *arg,
		      struct gmem_error *err)
{
	(void)arg;
	if (!(s->s.flags & GMEM_SLOT_NOTED))
		return 0;
	return gmem__fail(err, GMEM_REASON_NOTED_SLOT, s->s.slot, 0,
			  "slot %u was made by the VMM, and only noted",
			  s->s.slot);
}

/* @s is GOING. */
static int unbind(struct gmem_vm *vm, struct gmem__slot *s, bool keep,
		  struct gmem_error *err)
{
	struct gmem_slot was = s->s;
	int reset, r = gmem__slot_end(vm, s, keep, &reset);

	if (r < 0)
		return gmem__fail_call(err, r, "deleting the slot");
	if (reset == 0)
		return 0;
	return gmem__fail_sys(err, GMEM_REASON_RESET_PENDING, -EIO, reset,
			      was.gpa, was.len,
			      "slot %u is deleted, but its attributes at gpa "
			      "0x%" PRIx64 " could not be reset: %s",
			      was.slot, was.gpa, gmem__errno_name(reset));
}

int gmem_unbind(struct gmem_vm *vm, uint32_t slot, uint32_t address_space,
		uint64_t flags, struct gmem_error *err)
{
	struct gmem__slot_id id = { slot, address_space };
	struct gmem__ticket ticket;
	struct gmem__range range;
	struct gmem__slot *s;
	int r = gmem__vm_enter(vm, err);

	if (r < 0)
		return r;
	r = gmem__flags_check(flags, GMEM_UNBIND_KEEP_ATTRIBUTES,
			      "gmem_unbind(flags)", err);
	if (r < 0)
		return r;
	r = gmem__slot_going(vm, id, may_unbind, NULL, &ticket, &range, &s,
			     err);
	if (r < 0)
		return r;
	r = unbind(vm, s, flags & GMEM_UNBIND_KEEP_ATTRIBUTES, err);
	gmem__ticket_return(vm, &ticket);
	return r;
}

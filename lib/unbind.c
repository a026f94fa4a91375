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

#define UNBIND_OPTS_V0 24

_Static_assert(sizeof(struct gmem_unbind_opts) == UNBIND_OPTS_V0, "ABI");

static const struct gmem__opts_type opts_type = GMEM__OPTS_TYPE(
	gmem_unbind_opts, UNBIND_OPTS_V0, GMEM_UNBIND_KEEP_ATTRIBUTES);

struct wanted {
	const struct gmem *g;
	uint32_t slot, address_space;
};

static int may_unbind(const struct gmem__slot *s, const void *arg,
		      struct gmem_error *err)
{
	const struct wanted *w = arg;

	if (!s || s->s.gmem != w->g)
		return gmem__fail(err, GMEM_REASON_NOT_BOUND, w->slot,
				  w->address_space,
				  "slot %u of address space %u is not bound to "
				  "this file",
				  w->slot, w->address_space);
	if (s->s.flags & GMEM_SLOT_NOTED)
		return gmem__fail(err, GMEM_REASON_NOTED_SLOT, w->slot, 0,
				  "slot %u was made by the VMM, and only "
				  "noted",
				  w->slot);
	return 0;
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

int gmem_unbind(struct gmem *g, uint32_t slot,
		const struct gmem_unbind_opts *opts, struct gmem_error *err)
{
	struct gmem_unbind_opts o;
	struct gmem__ticket ticket;
	struct gmem__range range;
	struct gmem__slot *s;
	struct wanted w;
	int r = gmem__enter_opts(g, &opts_type, opts, &o, err);

	if (r < 0 || (r = gmem__need_vm(g, err)) < 0 ||
	    (r = gmem__reserved(o.reserved, "gmem_unbind_opts", err)) < 0)
		return r;
	w = (struct wanted){ g, slot, o.address_space };
	r = gmem__slot_going(g->vm, slot, o.address_space, may_unbind, &w,
			     &ticket, &range, &s, err);
	if (r < 0)
		return r;
	r = unbind(g->vm, s, o.flags & GMEM_UNBIND_KEEP_ATTRIBUTES, err);
	gmem__ticket_return(g->vm, &ticket);
	return r;
}

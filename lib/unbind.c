// SPDX-License-Identifier: MIT
/* Deleting a slot, and then what its guest addresses would leave behind. */
#include <errno.h>
#include <inttypes.h>

#include "slot.h"

#define UNBIND_OPTS_V0 24

_Static_assert(sizeof(struct gmem_unbind_opts) == UNBIND_OPTS_V0, "ABI");

static int unbind_missing(uint32_t slot, uint32_t address_space,
			  struct gmem_error *err)
{
	return gmem__fail(err, GMEM_REASON_NOT_BOUND, slot, address_space,
			  "slot %u of address space %u is not bound to this "
			  "file",
			  slot, address_space);
}

/* The slot as gmem_unbind() may take it; with vm->lock held. */
static int unbind_find(struct gmem *g, uint32_t slot, uint32_t address_space,
		       struct gmem__slot **out, struct gmem_error *err)
{
	struct gmem__slot *s = gmem__slot_find(g->vm, slot, address_space);

	if (!s || s->busy || s->s.gmem != g)
		return unbind_missing(slot, address_space, err);
	if (s->s.flags & GMEM_SLOT_NOTED)
		return gmem__fail(err, GMEM_REASON_NOTED_SLOT, slot, 0,
				  "slot %u was made by the VMM, not by "
				  "gmem_bind(3)",
				  slot);
	*out = s;
	return 0;
}

/*
 * Waits for the conversions that run in the slot's range, then takes the slot
 * out of the reach of others.
 */
static int unbind_begin(struct gmem *g, uint32_t slot, uint32_t address_space,
			struct gmem__busy *busy, struct gmem__slot **out,
			struct gmem_error *err)
{
	uint64_t offset = 0, end = 0;
	struct gmem__slot *s;
	int r;

	(void)pthread_mutex_lock(&g->vm->lock);
	r = unbind_find(g, slot, address_space, &s, err);
	if (r == 0) {
		offset = s->s.offset;
		end = offset + s->s.len;
	}
	(void)pthread_mutex_unlock(&g->vm->lock);
	if (r == 0)
		r = gmem__busy_begin(g->vm, busy, g, offset, end, err);
	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&g->vm->lock);
	r = unbind_find(g, slot, address_space, &s, err);
	if (r == 0 && (s->s.offset != offset || s->s.offset + s->s.len != end))
		r = unbind_missing(slot, address_space, err);
	if (r == 0)
		s->busy = true;
	(void)pthread_mutex_unlock(&g->vm->lock);
	if (r < 0)
		gmem__busy_end(g->vm, busy);
	*out = s;
	return r;
}

/* The system calls of an unbind; @s is busy. */
static int unbind_kernel(struct gmem *g, struct gmem__slot *s, uint64_t flags,
			 struct gmem_error *err)
{
	struct gmem_slot was = s->s;
	struct gmem_vm *vm = g->vm;
	int r = gmem__region_delete(vm, &was);

	if (r < 0) {
		(void)pthread_mutex_lock(&vm->lock);
		s->busy = false;
		(void)pthread_mutex_unlock(&vm->lock);
		return gmem__fail_call(err, r, "deleting the slot");
	}
	gmem__slot_record(vm, &was, GMEM__UNSET);
	if (!gmem__by_gpa(vm, &was)) {
		gmem__slot_remove(vm, s);
		return 0;
	}
	if (flags & GMEM_UNBIND_KEEP_ATTRIBUTES) {
		gmem__slot_pending(vm, s);
		return 0;
	}
	r = gmem__gpa_attributes(vm, was.gpa, was.len, GMEM_ATTRIBUTE_SHARED,
				 NULL);
	if (r == 0 || r == -EIO) {
		gmem__slot_remove(vm, s);
		return 0;
	}
	gmem__slot_pending(vm, s);
	return gmem__fail_sys(err, GMEM_REASON_RESET_PENDING, -EIO, r, was.gpa,
			      was.len,
			      "slot %u is deleted, but its attributes at gpa "
			      "0x%" PRIx64 " could not be reset: %s",
			      was.slot, was.gpa, gmem__errno_name(r));
}

int gmem_unbind(struct gmem *g, uint32_t slot,
		const struct gmem_unbind_opts *opts, struct gmem_error *err)
{
	struct gmem_unbind_opts o;
	struct gmem__busy busy;
	struct gmem__slot *s;
	int r = gmem__enter(g, err);

	if (r < 0 || (r = gmem__need_vm(g, err)) < 0)
		return r;
	r = gmem__opts_check(opts, UNBIND_OPTS_V0, sizeof(o),
			     "gmem_unbind_opts", err);
	if (r < 0)
		return r;
	gmem__opts_copy(&o, sizeof(o), opts);
	r = gmem__flags_check(o.flags, GMEM_UNBIND_KEEP_ATTRIBUTES,
			      "gmem_unbind_opts.flags", err);
	if (r < 0 || (r = gmem__reserved(o.reserved, "gmem_unbind_opts", err)))
		return r;
	r = unbind_begin(g, slot, o.address_space, &busy, &s, err);
	if (r < 0)
		return r;
	r = unbind_kernel(g, s, o.flags, err);
	gmem__busy_end(g->vm, &busy);
	return r;
}

// SPDX-License-Identifier: MIT
/* What the library knows of the slots: by number, by guest address, in order.
 */
#include <errno.h>
#include <inttypes.h>

#include "enter.h"
#include "error.h"
#include "lock.h"
#include "opts.h"
#include "slot_get.h"
#include "vm.h"

int gmem__slot_unknown(struct gmem__slot_id id, struct gmem_error *err)
{
	return gmem__fail(err, GMEM_REASON_NOT_BOUND, id.slot, id.address_space,
			  "slot %u of address space %u is not known here",
			  id.slot, id.address_space);
}

int gmem__slot_known(struct gmem_vm *vm, struct gmem__slot_id id,
		     struct gmem__slot **out, struct gmem_error *err)
{
	struct gmem__slot *s = gmem__slot_find(vm, id);

	if (!s || !gmem__slot_usable(s))
		return gmem__slot_unknown(id, err);
	*out = s;
	return 0;
}

struct gmem__slot *gmem__slot_from(struct gmem_vm *vm, uint32_t address_space,
				   uint64_t gpa)
{
	struct gmem__slot *s = NULL;

	do {
		s = gmem__slot_by_gpa(vm, address_space, gpa, UINT64_MAX - gpa);
		if (s)
			gpa = s->s.gpa + s->s.len;
	} while (s && !gmem__slot_usable(s));
	return s;
}

/* What every call here begins with. */
static int enter(const struct gmem_vm *vm, const struct gmem_slot *out,
		 struct gmem_error *err)
{
	int r = gmem__vm_enter(vm, err);

	return r < 0 ? r
		     : gmem__out_check(out, GMEM__SLOT_V0, "gmem_slot", err);
}

int gmem_slot_get(struct gmem_vm *vm, uint32_t slot, uint32_t address_space,
		  struct gmem_slot *out, struct gmem_error *err)
{
	struct gmem__slot_id id = { slot, address_space };
	struct gmem__slot *s = NULL;
	int r = enter(vm, out, err);

	if (r < 0)
		return r;
	gmem__lock(&vm->lock);
	r = gmem__slot_known(vm, id, &s, err);
	if (r == 0)
		gmem__out_copy(out, &s->s, sizeof(s->s));
	gmem__unlock(&vm->lock);
	return r;
}

int gmem_slot_at(struct gmem_vm *vm, uint32_t address_space, uint64_t gpa,
		 struct gmem_slot *out, struct gmem_error *err)
{
	const struct gmem__slot *s;
	int r = enter(vm, out, err);

	if (r < 0)
		return r;
	gmem__lock(&vm->lock);
	s = gmem__slot_from(vm, address_space, gpa);
	if (s && s->s.gpa <= gpa)
		gmem__out_copy(out, &s->s, sizeof(s->s));
	else
		r = gmem__fail(err, GMEM_REASON_NOT_BOUND, gpa, address_space,
			       "no slot of address space %u is known at gpa "
			       "0x%" PRIx64,
			       address_space, gpa);
	gmem__unlock(&vm->lock);
	return r;
}

int gmem_slot_next(struct gmem_vm *vm, uint32_t address_space, uint64_t gpa,
		   struct gmem_slot *out, struct gmem_error *err)
{
	const struct gmem__slot *s;
	int r = enter(vm, out, err);

	if (r < 0)
		return r;
	gmem__lock(&vm->lock);
	s = gmem__slot_from(vm, address_space, gpa);
	if (s)
		gmem__out_copy(out, &s->s, sizeof(s->s));
	else
		r = gmem__fail(err, GMEM_REASON_NOT_BOUND, gpa, address_space,
			       "no slot of address space %u is known beyond "
			       "gpa 0x%" PRIx64,
			       address_space, gpa);
	gmem__unlock(&vm->lock);
	return r;
}

/* SPDX-License-Identifier: MIT */
/* Slots that a caller may know of. */
#ifndef GMEM_LIB_SLOT_GET_H
#define GMEM_LIB_SLOT_GET_H

#include "slot.h"

/* The slot with this number, or -EINVAL; with vm->lock held. */
int gmem__slot_known(struct gmem_vm *vm, struct gmem__slot_id id,
		     struct gmem__slot **out, struct gmem_error *err);
/* Says that there is none, and returns -EINVAL. */
int gmem__slot_unknown(struct gmem__slot_id id, struct gmem_error *err);
/*
 * The first that ends beyond @gpa, of those that the guest has, or NULL; with
 * vm->lock held.
 */
struct gmem__slot *gmem__slot_from(struct gmem_vm *vm, uint32_t address_space,
				   uint64_t gpa);

#endif

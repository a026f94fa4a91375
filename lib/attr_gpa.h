/* SPDX-License-Identifier: MIT */
/* Attributes by guest address, where they belong to the VM. */
#ifndef GMEM_LIB_ATTR_GPA_H
#define GMEM_LIB_ATTR_GPA_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"
#include "vm.h"

/* Whether they are the VM's to set, by guest address. */
static inline bool gmem__vm_attributes(const struct gmem_vm *vm)
{
	return gmem__has(vm, GMEM_FEATURE_VM_ATTRIBUTES) &&
	       !gmem__has(vm, GMEM_FEATURE_FILE_ATTRIBUTES);
}

/* Whether those of the slot are. */
static inline bool gmem__by_gpa(const struct gmem_vm *vm,
				const struct gmem_slot *s)
{
	return (s->flags & GMEM_SLOT_FD) && gmem__vm_attributes(vm);
}

/* Sets them in steps; *@done (may be NULL) bytes when it fails. */
int gmem__gpa_attributes(struct gmem_vm *vm, uint64_t gpa, uint64_t len,
			 uint64_t attributes, uint64_t *done);
/* Makes them shared again; a dead VM has no guest any more, and gives 0. */
int gmem__gpa_reset(struct gmem_vm *vm, uint64_t gpa, uint64_t len);
/* @len bytes of its file's record, from @at of the slot on; by gpa only. */
void gmem__slot_record(struct gmem_vm *vm, const struct gmem_slot *s,
		       uint64_t at, uint64_t len, enum gmem__state state);

#endif

/* SPDX-License-Identifier: MIT */
/* Attributes by guest address, and what slots leave of them. */
#ifndef GMEM_LIB_RESET_H
#define GMEM_LIB_RESET_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"
#include "slot.h"
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
/* Keeps in mind what @s, out of the table, left; vm->lock is held. */
void gmem__left_add(struct gmem_vm *vm, struct gmem__slot *s,
		    enum gmem__left left);
/* Whether a slot left any in the range. */
bool gmem__left_in(struct gmem_vm *vm, uint64_t gpa, uint64_t len);
/* The range has attributes that somebody looks after again. */
void gmem__left_settled(struct gmem_vm *vm, uint64_t gpa, uint64_t len);
void gmem__left_free(struct gmem_vm *vm);
/*
 * Before an adopted VM goes back to its owner: resets what is owed, but where
 * a slot is.  The first failure is returned; that is still owed.
 */
int gmem__left_reset(struct gmem_vm *vm, struct gmem_error *err);

#endif

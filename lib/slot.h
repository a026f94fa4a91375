/* SPDX-License-Identifier: MIT */
/* The slot table of a VM and the checks before a bind. */
#ifndef GMEM_LIB_SLOT_H
#define GMEM_LIB_SLOT_H

#include "internal.h"

/* A bind as it was asked for, and the mode that the planner chose. */
struct gmem__bind {
	uint32_t slot, address_space;
	uint64_t gpa, offset, len;
	uint64_t flags; /* GMEM_BIND_* */
	uint64_t userspace_addr;
	uint64_t mode; /* GMEM_BIND_FD or GMEM_BIND_HVA */
};

/* slot_check.c: no system calls but the fstat that tells a dead slot. */
int gmem__bind_plan(const struct gmem *g, struct gmem__bind *b,
		    struct gmem_error *err);
int gmem__bind_args(const struct gmem_vm *vm, const struct gmem__bind *b,
		    struct gmem_error *err);
/* Against the table; vm->lock is held.  @conflict: a copy of what is there. */
int gmem__bind_table(struct gmem_vm *vm, const struct gmem *g,
		     const struct gmem__bind *b, struct gmem__slot *conflict,
		     struct gmem_error *err);
/* Turns the conflict with a noted slot into DEAD_SLOT if its file is gone. */
int gmem__bind_dead(struct gmem_vm *vm, const struct gmem__slot *conflict,
		    int code, struct gmem_error *err);
/* Why the kernel refused what passed all checks. */
int gmem__bind_diagnose(const struct gmem *g, const struct gmem__bind *b,
			int sys, struct gmem_error *err);

/* slot.c */
/* A file that was adopted without a VM has no slots. */
int gmem__need_vm(const struct gmem *g, struct gmem_error *err);
/* Makes the slot in the kernel; @fd is its file in fd mode. */
int gmem__region_set(struct gmem_vm *vm, const struct gmem_slot *s, int fd);
/* A dead VM runs no guest any more: its slots count as deleted. */
int gmem__region_delete(struct gmem_vm *vm, const struct gmem_slot *s);
/* Whether a slot's attributes are the VM's to set, by guest address. */
bool gmem__by_gpa(const struct gmem_vm *vm, const struct gmem_slot *s);
/* Deleted in the kernel, but its attributes are still there. */
void gmem__slot_pending(struct gmem_vm *vm, struct gmem__slot *s);
struct gmem__slot *gmem__slot_find(struct gmem_vm *vm, uint32_t slot,
				   uint32_t address_space);
/* The fd-mode slot with @offset of @g in it; with vm->lock held. */
struct gmem__slot *gmem__slot_at(struct gmem_vm *vm, const struct gmem *g,
				 uint64_t offset);
/* Enters @s, whose .s and @b say the same, unless something is in the way. */
int gmem__slot_insert(struct gmem_vm *vm, struct gmem__slot *s,
		      const struct gmem__bind *b, struct gmem_error *err);
/* The slot's part of its file's record, where attributes go by gpa. */
void gmem__slot_record(struct gmem_vm *vm, const struct gmem_slot *s,
		       enum gmem__state state);
/* Out of the table and freed; its file has one slot less. */
void gmem__slot_remove(struct gmem_vm *vm, struct gmem__slot *s);
/* Deletes every slot that gmem_bind() made; the first failure is returned. */
int gmem__slots_delete(struct gmem_vm *vm, struct gmem_error *err);
void gmem__slots_free(struct gmem_vm *vm);

/* reset.c: attributes by guest address, whoever has a slot there */
/* Sets them in steps; *@done (may be NULL) bytes when it fails. */
int gmem__gpa_attributes(struct gmem_vm *vm, uint64_t gpa, uint64_t len,
			 uint64_t attributes, uint64_t *done);
/* Retries the resets that unbind could not do; before a bind there. */
int gmem__reset_pending(struct gmem_vm *vm, uint64_t gpa, uint64_t len,
			struct gmem_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The slots of a VM, from bind or note to their end.  An entry is MAKING while
 * the kernel is asked, then LIVE; who ends it makes it GOING, in a ticket of
 * its range.  When the kernel would not delete it, it is STUCK: as good as
 * live, and deleted at the next occasion.
 */
#ifndef GMEM_LIB_SLOT_H
#define GMEM_LIB_SLOT_H

#include "internal.h"

/* Attributes that a slot left behind at its guest addresses. */
enum gmem__left {
	GMEM__LEFT_NONE,
	GMEM__LEFT_OWED, /* their reset failed, and is still to be done */
	GMEM__LEFT_KEPT, /* as was asked for, or nobody knows; bind overwrites
			  */
};

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
/* Of HVA mode: the range is shared; its ticket is held, or it is a question. */
int gmem__bind_shared(const struct gmem *g, const struct gmem__bind *b,
		      struct gmem_error *err);
int gmem__bind_args(const struct gmem_vm *vm, const struct gmem__bind *b,
		    struct gmem_error *err);
/* The slot that is in the way of the bind, or NULL; vm->lock is held. */
struct gmem__slot *gmem__bind_conflict(struct gmem_vm *vm, const struct gmem *g,
				       const struct gmem__bind *b);
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

/* slot.c: the table */
/* A file that was adopted without a VM has no slots. */
int gmem__need_vm(const struct gmem *g, struct gmem_error *err);
/* Entries of any state but LEFT; with vm->lock held. */
struct gmem__slot *gmem__slot_find(struct gmem_vm *vm, uint32_t slot,
				   uint32_t address_space);
struct gmem__slot *gmem__slot_by_gpa(struct gmem_vm *vm, uint32_t address_space,
				     uint64_t gpa, uint64_t len);
/* Of @g in that mode, a GMEM_BIND_*: the first in the range of the file. */
struct gmem__slot *gmem__slot_by_offset(struct gmem_vm *vm,
					const struct gmem *g, uint64_t mode,
					uint64_t offset, uint64_t len);
/* The first that leads to one of these addresses of the process. */
struct gmem__slot *gmem__slot_by_addr(struct gmem_vm *vm, uint64_t addr,
				      uint64_t len);
/* The kernel has it no more, though it is still in the table. */
void gmem__slot_deleted(struct gmem_vm *vm, struct gmem__slot *s);
struct gmem__slot *gmem__slot_first(struct gmem_vm *vm);
struct gmem__slot *gmem__slot_next(const struct gmem__slot *s);
/* Whether the guest has it, as far as the caller may rely on it. */
static inline bool gmem__slot_usable(const struct gmem__slot *s)
{
	return s->state == GMEM__SLOT_LIVE || s->state == GMEM__SLOT_STUCK;
}

/* Enters @s, whose .s and @b say the same, unless something is in the way. */
int gmem__slot_insert(struct gmem_vm *vm, struct gmem__slot *s,
		      const struct gmem__bind *b, struct gmem_error *err);
/*
 * The same of a slot that the VMM made, for which the kernel must have let go
 * of what is stuck in its way: that goes with no system call.
 */
int gmem__slot_replace(struct gmem_vm *vm, struct gmem__slot *s,
		       const struct gmem__bind *b, struct gmem_error *err);
/* Among the VM's stuck slots, or not; with vm->lock held. */
void gmem__slot_set_stuck(struct gmem_vm *vm, struct gmem__slot *s, bool stuck);
/* Of what was taken out: freed, or kept in mind for what it left; locked. */
void gmem__slot_rest(struct gmem_vm *vm, struct gmem__slot *s,
		     enum gmem__left left);
/* Out of the table; its file has one slot less.  With vm->lock held. */
void gmem__slot_take_out(struct gmem_vm *vm, struct gmem__slot *s);
void gmem__slots_free(struct gmem_vm *vm);

/* slot_end.c: the ways that a slot goes */
typedef int gmem__slot_fn(const struct gmem__slot *s, const void *arg,
			  struct gmem_error *err);
/*
 * Makes a slot that @check accepts GOING, in its turn.  The ticket is then
 * the caller's, and @r is its range.
 */
int gmem__slot_going(struct gmem_vm *vm, uint32_t slot, uint32_t address_space,
		     gmem__slot_fn *check, const void *arg,
		     struct gmem__ticket *t, struct gmem__range *r,
		     struct gmem__slot **out, struct gmem_error *err);
/*
 * Deletes a slot that is GOING or MAKING, in the kernel and here.  If that
 * fails it is STUCK.  Attributes that cannot be reset, or with @keep are not,
 * are left for the next slot there.
 * Return: 0, or -errno of deleting it; *@reset: 0 or -errno of the reset.
 */
int gmem__slot_end(struct gmem_vm *vm, struct gmem__slot *s, bool keep,
		   int *reset);
/* The kernel has no such slot (any more): out of the table and freed. */
void gmem__slot_gone(struct gmem_vm *vm, struct gmem__slot *s,
		     enum gmem__left left);
/* Retries to delete the stuck slots in the way of @b, or those of @g. */
void gmem__slots_retry(struct gmem_vm *vm, const struct gmem *g,
		       const struct gmem__bind *b);
/*
 * Before the VM goes: deletes every slot that gmem_bind() made.  The first
 * failure is returned; what KVM still uses is marked to stay mapped.
 */
int gmem__slots_delete(struct gmem_vm *vm, struct gmem_error *err);

/* slot_kernel.c: the ioctls that make and end one */
/* Makes the slot in the kernel; @fd is its file in fd mode. */
int gmem__slot_create(struct gmem_vm *vm, const struct gmem_slot *s, int fd);
/* A dead VM runs no guest any more: its slots count as deleted. */
int gmem__slot_delete(struct gmem_vm *vm, const struct gmem_slot *s);

/* reset.c: attributes by guest address, and what slots leave of them */
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

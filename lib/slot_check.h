/* SPDX-License-Identifier: MIT */
/*
 * The planner and the checks before a bind: no system calls but the fstat that
 * tells a dead slot.  @b is the slot as it was asked for; that of a slot that
 * the VMM made is GMEM_SLOT_NOTED.
 */
#ifndef GMEM_LIB_SLOT_CHECK_H
#define GMEM_LIB_SLOT_CHECK_H

#include <stdint.h>

#include <gmem.h>

struct gmem__slot;

/* Chooses the mode, which @b->flags then has. */
int gmem__bind_plan(const struct gmem *g, struct gmem_slot *b,
		    struct gmem_error *err);
/* For HVA mode: the range is shared; its ticket is held, except for a check. */
int gmem__bind_shared(const struct gmem *g, const struct gmem_slot *b,
		      struct gmem_error *err);
int gmem__bind_args(const struct gmem_vm *vm, const struct gmem_slot *b,
		    struct gmem_error *err);
/*
 * Whether the guest can have these addresses, as far as that is known; the
 * kernel itself says so when it makes the slot.
 */
int gmem__bind_width(const struct gmem_vm *vm, const struct gmem_slot *b,
		     struct gmem_error *err);
/* The slot that is in the way of the bind, or NULL; vm->lock is held. */
struct gmem__slot *gmem__bind_conflict(struct gmem_vm *vm, const struct gmem *g,
				       const struct gmem_slot *b);
/* Against the table; vm->lock is held.  @conflict: a copy of what is there. */
int gmem__bind_table(struct gmem_vm *vm, const struct gmem *g,
		     const struct gmem_slot *b, struct gmem__slot *conflict,
		     struct gmem_error *err);
/* Turns the conflict with a noted slot into DEAD_SLOT if its file is gone. */
int gmem__bind_dead(struct gmem_vm *vm, const struct gmem__slot *conflict,
		    int code, struct gmem_error *err);
/* Why the kernel refused what passed all checks. */
int gmem__bind_diagnose(const struct gmem *g, const struct gmem_slot *b,
			int sys, struct gmem_error *err);

#endif

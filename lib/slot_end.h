/* SPDX-License-Identifier: MIT */
/* The ways that a slot goes. */
#ifndef GMEM_LIB_SLOT_END_H
#define GMEM_LIB_SLOT_END_H

#include "left.h"
#include "slot.h"
#include "ticket.h"

typedef int gmem__slot_fn(const struct gmem__slot *s, const void *arg,
			  struct gmem_error *err);
/*
 * Finds a slot that @check accepts, in its turn.  The ticket is then the
 * caller's, and @r is its range: nobody else changes a slot that has a file.
 */
int gmem__slot_hold(struct gmem_vm *vm, struct gmem__slot_id id,
		    gmem__slot_fn *check, const void *arg,
		    struct gmem__ticket *t, struct gmem__range *r,
		    struct gmem__slot **out, struct gmem_error *err);
/* The same, and makes it GOING. */
int gmem__slot_going(struct gmem_vm *vm, struct gmem__slot_id id,
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
		       const struct gmem_slot *b);
/*
 * Before the VM goes: deletes every slot that gmem_bind() made.  The first
 * failure is returned; what KVM still uses is marked to stay mapped.
 */
int gmem__slots_delete(struct gmem_vm *vm, struct gmem_error *err);
/* Forgets all of them, and what they left behind. */
void gmem__slots_free(struct gmem_vm *vm);

#endif

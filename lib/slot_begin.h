/* SPDX-License-Identifier: MIT */
/* The ways that a slot comes. */
#ifndef GMEM_LIB_SLOT_BEGIN_H
#define GMEM_LIB_SLOT_BEGIN_H

#include <gmem.h>

struct gmem__hold;
struct gmem__slot;

/*
 * Enters @s, whose .s and @b say the same, unless something is in the way.
 * Return: 0, -errno, or 1 if @h is not all any more.
 */
int gmem__slot_insert(struct gmem_vm *vm, struct gmem__slot *s,
		      const struct gmem_slot *b, struct gmem__hold *h,
		      struct gmem_error *err);
/*
 * The same for a slot that the VMM made: the kernel must have deleted any stuck
 * slot in its way, which is removed without a system call.
 */
int gmem__slot_replace(struct gmem_vm *vm, struct gmem__slot *s,
		       const struct gmem_slot *b, struct gmem__hold *h,
		       struct gmem_error *err);

#endif

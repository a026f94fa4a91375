/* SPDX-License-Identifier: MIT */
/*
 * Attributes that slots leave behind at their guest addresses.  They belong to
 * the VM and outlive the slots, so the next slot there would inherit them.
 */
#ifndef GMEM_LIB_LEFT_H
#define GMEM_LIB_LEFT_H

#include <stdbool.h>
#include <stdint.h>

#include <gmem.h>

struct gmem__slot;

enum gmem__left {
	GMEM__LEFT_NONE,
	GMEM__LEFT_OWED, /* their reset failed, and is still to be done */
	/* as was asked for, or nobody knows: the next bind sets its own */
	GMEM__LEFT_KEPT,
};

/* A removed slot: freed, or kept for the attributes it left; locked. */
void gmem__slot_rest(struct gmem_vm *vm, struct gmem__slot *s,
		     enum gmem__left left);
/* Whether a slot left any in the range. */
bool gmem__left_in(struct gmem_vm *vm, uint64_t gpa, uint64_t len);
/* The attributes of the range are handled again by a slot. */
void gmem__left_forget(struct gmem_vm *vm, uint64_t gpa, uint64_t len);
void gmem__left_free(struct gmem_vm *vm);
/*
 * Before an adopted VM goes back to its owner: resets what is owed, but where
 * a slot is.  The first failure is returned; that is still owed.
 */
int gmem__left_reset(struct gmem_vm *vm, struct gmem_error *err);

#endif

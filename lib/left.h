/* SPDX-License-Identifier: MIT */
/*
 * Attributes that slots leave behind at their guest addresses.  They belong to
 * the VM and outlive the slots, so the next slot there would inherit them.
 * What is kept for its file is in kept.h.
 */
#ifndef GMEM_LIB_LEFT_H
#define GMEM_LIB_LEFT_H

#include <stdbool.h>
#include <stdint.h>

#include <gmem.h>

struct gmem__slot;

enum gmem__left {
	GMEM__LEFT_NONE,
	GMEM__LEFT_OWED,    /* their reset failed, and is still to be done */
	GMEM__LEFT_UNKNOWN, /* nobody's: the next slot sets its own */
	GMEM__LEFT_KEPT,    /* their file's, whose record knows them */
};

/* A removed slot: freed, or kept for the attributes it left; locked. */
void gmem__slot_rest(struct gmem_vm *vm, struct gmem__slot *s,
		     enum gmem__left left);
/* Whether a slot left any in the range. */
bool gmem__left_in(struct gmem_vm *vm, uint64_t gpa, uint64_t len);
void gmem__left_free(struct gmem_vm *vm);
/*
 * Before an adopted VM goes back to its owner: resets what is owed, but where
 * a slot is.  The first failure is returned; that is still owed.
 */
int gmem__left_reset(struct gmem_vm *vm, struct gmem_error *err);

/* For kept.c, with vm->lock held: the first of a kind in [@start, @end). */
struct gmem__slot *gmem__left_at(const struct gmem_vm *vm, enum gmem__left left,
				 uint64_t start, uint64_t end);
/*
 * The attributes of [@gpa, @end) are no longer left, of that kind.  Without
 * memory for the two rests of a larger range all of it stays, but if it was
 * kept it is nobody's.
 */
void gmem__left_remove(struct gmem_vm *vm, enum gmem__left left, uint64_t gpa,
		       uint64_t end);
/* The part in [@gpa, @end) of what was kept for a file is nobody's. */
void gmem__left_disown(struct gmem_vm *vm, struct gmem__slot *s, uint64_t gpa,
		       uint64_t end);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Attributes that a slot left for its file: of a range of the file at the guest
 * addresses that it had.  The record of the file knows them.  No live slot has
 * that range of the file or those addresses: a slot that comes takes them over,
 * or they end.
 */
#ifndef GMEM_LIB_KEPT_H
#define GMEM_LIB_KEPT_H

#include <stdbool.h>
#include <stdint.h>

#include <gmem.h>

#include "record.h"
#include "ticket.h"

/* Where the VM has the attributes of an offset. */
struct gmem__place {
	uint64_t gpa, len; /* and of how many bytes from there on */
	bool reserved;	   /* no memory there can be shared */
};

/* Through a slot or where they are kept; with vm->lock held. */
bool gmem__place_of(struct gmem_vm *vm, const struct gmem *g, uint64_t offset,
		    struct gmem__place *out);
/* The first that is kept in the range, or NULL; with vm->lock held. */
struct gmem__slot *gmem__kept_at(const struct gmem_vm *vm, uint64_t gpa,
				 uint64_t len);

/* The turn of a call that brings slots, with what is kept that it may end. */
struct gmem__hold {
	const struct gmem_slot *s; /* the caller's, as .more */
	const struct gmem__range *more;
	unsigned int n_s, n_more;
	struct gmem__ticket ticket;
	struct gmem__range few[8], *at;
	unsigned int n, room;
};

/*
 * A ticket of the ranges of the slots' files, @more ranges of its own,
 * and of what is kept where the slots will be or of their files' ranges, as far
 * as it was there before the wait.
 */
int gmem__hold_take(struct gmem_vm *vm, struct gmem__hold *h,
		    const struct gmem_slot *s, unsigned int n,
		    const struct gmem__range *more, unsigned int n_more,
		    struct gmem_error *err);
/*
 * Whether that is all there is now; with vm->lock held, in which the slots then
 * come into the table: from then on nothing else is kept there.  If not, it is
 * returned and taken again.
 */
bool gmem__hold_is_all(struct gmem_vm *vm, struct gmem__hold *h);
void gmem__hold_return(struct gmem_vm *vm, struct gmem__hold *h);

/*
 * The first part of @s, from @pos on, that it does not @take over from what is
 * kept: its position, and *@len.  The end of @s: none.
 */
uint64_t gmem__kept_untaken(struct gmem_vm *vm, const struct gmem_slot *s,
			    bool take, uint64_t pos, uint64_t *len);
/* The kernel has @s now: ends what is kept there that is not taken over. */
void gmem__kept_others(struct gmem_vm *vm, const struct gmem_slot *s,
		       bool take);
/* The rest belongs to @s, and nothing is left at its guest addresses. */
void gmem__kept_taken(struct gmem_vm *vm, const struct gmem_slot *s);
/* Both, and what is not taken over becomes @state in the record. */
void gmem__kept_settle(struct gmem_vm *vm, const struct gmem_slot *s, bool take,
		       enum gmem__state state);

/* Whether anything is kept where @s is or of its range of the file. */
bool gmem__kept_meets(struct gmem_vm *vm, const struct gmem_slot *s);
/*
 * Of a slot that goes: the record, with vm->lock held, and the VM's attributes,
 * but what is kept.
 */
void gmem__kept_unset(struct gmem_vm *vm, const struct gmem_slot *s);
int gmem__kept_reset(struct gmem_vm *vm, uint64_t gpa, uint64_t len);
/*
 * Sets in the kernel again what is kept in the range, as a slot was not made;
 * what fails is nobody's.
 */
void gmem__kept_restore(struct gmem_vm *vm, uint64_t gpa, uint64_t len);
/*
 * Sets @len bytes at @gpa as the record has them at @offset: 0, or -errno after
 * *@done bytes.
 */
int gmem__kept_set(struct gmem_vm *vm, const struct gmem *g, uint64_t offset,
		   uint64_t gpa, uint64_t len, uint64_t *done);
/* What is kept for a file that is closed is nobody's. */
void gmem__kept_close(struct gmem *g);

#endif

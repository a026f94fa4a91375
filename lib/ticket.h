/* SPDX-License-Identifier: MIT */
/* Disjoint changes run in parallel, overlapping ones in turn. */
#ifndef GMEM_LIB_TICKET_H
#define GMEM_LIB_TICKET_H

#include <stdbool.h>
#include <stdint.h>

#include <gmem.h>

/* Bytes of an object: of a file. */
struct gmem__range {
	const void *object;
	uint64_t start, end;
};

/* A change that runs or waits; on the stack of the call that makes it. */
struct gmem__ticket {
	struct gmem__ticket *next; /* came later */
	const struct gmem__range *r;
	unsigned int n;
};

/*
 * Waits until no earlier change overlaps one of the @n ranges, which stay the
 * caller's.  Return: 0, -EDEADLK in a callback, -ECANCELED, and with @nowait
 * -EAGAIN instead of waiting.
 */
int gmem__ticket_take(struct gmem_vm *vm, struct gmem__ticket *t,
		      const struct gmem__range *r, unsigned int n, bool nowait,
		      const int *cancel, struct gmem_error *err);
/* Whether a change runs or waits that overlaps @r; with vm->lock held. */
bool gmem__ticket_overlaps(const struct gmem_vm *vm,
			   const struct gmem__range *r);
void gmem__ticket_return(struct gmem_vm *vm, const struct gmem__ticket *t);

#endif

/* SPDX-License-Identifier: MIT */
/* Slots that one call makes instead of others. */
#ifndef GMEM_LIB_REPLACE_H
#define GMEM_LIB_REPLACE_H

#include <stdbool.h>
#include <stdint.h>

#include <gmem.h>

#include "kept.h"

struct gmem__slot;

/* The old slots are GOING and the new ones MAKING, all in the table. */
struct gmem__replace {
	struct gmem_vm *vm;
	struct gmem__slot **old, **new;
	uint32_t n_old, n_new;
	struct gmem_slot *asked;  /* the new ones, as they were asked for */
	uint64_t *serial;	  /* of the old ones */
	struct gmem__range *held; /* their ranges */
	struct gmem__hold hold;
	/* Attributes are set slot by slot, the new ones first: so far. */
	uint32_t at;
	uint64_t done;
};

/*
 * The system calls.  On failure all is undone; then .there of each slot says
 * whether the kernel has it, and .lost that its attributes are unknown.
 */
int gmem__replace_kernel(struct gmem__replace *w, struct gmem_error *err);
/* The record after a success, and what was kept or left there. */
void gmem__replace_record(struct gmem__replace *w);

#endif

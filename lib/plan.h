/* SPDX-License-Identifier: MIT */
/*
 * The plan of a conversion: which steps it takes, and which undo them.  Pure:
 * no system call, no lock, no allocation.  It yields a step, takes the
 * result, and yields the next, so that each failure can be tried without a
 * kernel.
 *
 * A run is a maximal part of the ranges that is not yet as wanted.  Each is
 * converted whole or not at all; those before one that fails stay.
 *
 *	to private: revoke, attributes, record, discard, told
 *	to shared:  attributes, record, grant, discard, told
 */
#ifndef GMEM_LIB_PLAN_H
#define GMEM_LIB_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include <gmem_region.h>

#include "record.h"

/* What is to know of a listener. */
struct gmem__plan_listener {
	uint64_t granule;  /* it holds multiples of it; divides the size */
	bool fixed;	   /* one call a granule: none is ever split */
	bool merge_revoke; /* though fixed, several are revoked by one call */
};

static inline uint64_t gmem__range_end(const struct gmem_region_range *r)
{
	return r->offset + r->len;
}

/* The record: the state at @pos and in *@run for how many of @len bytes. */
typedef enum gmem__state gmem__plan_view(const void *arg, uint64_t pos,
					 uint64_t len, uint64_t *run);

enum gmem__step_kind {
	GMEM__STEP_RESERVE,    /* room for .entries more grants */
	GMEM__STEP_REVOKE,     /* .listener loses the range */
	GMEM__STEP_GRANT,      /* .listener gets the range */
	GMEM__STEP_ATTRIBUTES, /* the kernel: the range becomes .state */
	/* these cannot fail */
	GMEM__STEP_RECORD,  /* the record */
	GMEM__STEP_DISCARD, /* the side that is not .state */
	GMEM__STEP_TOLD,    /* .listener: all is done */
};

struct gmem__step {
	enum gmem__step_kind kind;
	enum gmem__state state;
	unsigned int listener;
	uint64_t start, end;
	uint64_t entries;
	bool undo; /* it takes back what was done */
};

struct gmem__plan {
	/* set by the caller, who keeps them until the end */
	gmem__plan_view *view;
	const void *arg;
	uint64_t size; /* of what @view sees */
	const struct gmem__plan_listener *listener;
	unsigned int listeners;
	const struct gmem_region_range *range; /* ascending, not touching */
	size_t ranges;
	enum gmem__state to; /* GMEM__PRIVATE or GMEM__SHARED */
	uint64_t chunk;	     /* at most so many bytes an ATTRIBUTES step */

	/* results */
	int error;	  /* the first, or 0 */
	bool poisoned;	  /* a listener could not be set back */
	uint64_t done;	  /* bytes of the ranges that are as wanted, from the
			     first on, without a gap */
	uint64_t changed; /* bytes behind those that could not be set back */

	/* its own */
	int phase;
	size_t at_range;
	unsigned int l;
	uint64_t pos;	     /* of the next piece or chunk */
	uint64_t next;	     /* where the next run is looked for */
	uint64_t start, end; /* the run */
	uint64_t limit;	     /* of listener .l when its pieces are undone */
	uint64_t reached;    /* KVM has the new attributes so far */
	bool recorded;	     /* and the record of all of the run */
	struct gmem__step last;
	struct {
		uint64_t start, end;
	} correct; /* the record, by an undo */
};

/*
 * The first step, or the next one after gmem__plan_result().  False: the plan
 * has ended.
 */
bool gmem__plan_next(struct gmem__plan *p, struct gmem__step *step);
/*
 * The result of the step: 0 or -errno.  @done: of ATTRIBUTES that failed, so
 * many bytes changed nevertheless.  Not needed after a step that cannot fail.
 */
void gmem__plan_result(struct gmem__plan *p, int r, uint64_t done);

/* plan_sort.c */
/* Sorts @n ranges in place and joins those that touch.  Return: how many. */
size_t gmem__plan_sort(struct gmem_region_range *r, size_t n);

#endif

/* SPDX-License-Identifier: MIT */
/* A region: a file, and where that has private pages only, a shared side. */
#ifndef GMEM_LIB_REGION_H
#define GMEM_LIB_REGION_H

#include <stdbool.h>
#include <stdint.h>

#include <gmem_region.h>

#include "file.h"
#include "record.h"
#include "ticket.h"

#define GMEM__SEQUENCES 64

/* What the shared pages of a DUAL region are. */
struct gmem__side {
	uint32_t type;	     /* enum gmem_shared_side */
	int fd;		     /* its file, the caller's; or -1 */
	uint64_t offset;     /* there */
	uint64_t ino, dev;   /* of the file */
	unsigned char *addr; /* the caller's, or NULL: the region maps it */
	uint64_t page_size;  /* it is freed in these */
	bool unverified;
};

struct gmem_region {
	struct gmem *g;
	uint32_t kind; /* enum gmem_region_kind, never AUTO */
	bool owns_file;
	bool hypercall; /* its exits are enabled */
	void *user;
	struct gmem__side side;
	/*
	 * Of a DUAL region: as many bytes as the file, behind its slots.  This
	 * and the bits are NULL after a close that failed; under g->lock.
	 */
	unsigned char *shared;
	/* A bit a page: the side that it is not may have memory; atomic. */
	uint64_t *queued;
	/* of conversions, by the 2 MiB that they touch, in turn; atomic */
	uint64_t sequence[GMEM__SEQUENCES];
	/* counters, atomic */
	uint64_t queued_bytes, to_private, to_shared, conversions, failed,
		discard_failed;
};

/* Clears @err, refuses NULL and a region of another process. */
int gmem__region_enter(const struct gmem_region *r, struct gmem_error *err);
/* Refuses a file that only its region may change. */
int gmem__region_none(const struct gmem *g, struct gmem_error *err);
int gmem__fail_no_region(uint64_t gpa, struct gmem_error *err);
/* The shared side of a DUAL region, mapped if it is not; NULL for others. */
int gmem__region_shared(struct gmem *g, unsigned char **out,
			struct gmem_error *err);
/* Whether @s has the region's memory behind it; @s is as the VMM has it. */
int gmem__region_slot_check(const struct gmem *g, const struct gmem_slot *s,
			    struct gmem_error *err);
/* Unmaps it unless a slot leads there: 0 or -errno, and it is as before. */
int gmem__region_unmap(struct gmem *g);

/* region_convert.c */
/* Whether the range can become @state, as far as the library knows. */
int gmem__region_convert_check(const struct gmem_region *r, uint64_t offset,
			       uint64_t len, enum gmem__state state,
			       struct gmem_error *err);
/* Converts a range, if @still says in its turn that it is the one: -EAGAIN. */
int gmem__region_convert_while(struct gmem_region *r,
			       struct gmem_region_range *range,
			       uint64_t attributes,
			       const struct gmem_convert_opts *opts,
			       bool (*still)(const void *arg), const void *arg,
			       struct gmem_error *err);
/* Sets in the kernel what the record has of the range, if that is @state. */
int gmem__region_probe(struct gmem_region *r, uint64_t offset, uint64_t len,
		       enum gmem__state state, bool nowait, const int *cancel,
		       struct gmem_error *err);
/* Differs after each conversion that touches the range. */
uint64_t gmem__region_sequence(const struct gmem_region *r, uint64_t offset,
			       uint64_t len);

/* region_discard.c: the range's ticket is held. */
/*
 * Frees what the range has on the side that is not @state; keeps it for
 * gmem_region_reclaim() with @defer, or where that fails.
 */
/* Return: bytes that it keeps. */
uint64_t gmem__region_free_other(struct gmem_region *r, uint64_t offset,
				 uint64_t len, enum gmem__state state,
				 bool defer);

/* region_given.c */
/* Into @s what @o hands in for a region of @size bytes, after verifying it. */
int gmem__region_given(const struct gmem_vm *vm,
		       const struct gmem_region_opts *o, uint64_t size,
		       struct gmem__side *s, struct gmem_error *err);
/* Refuses memory that another region of the VM has; vm->lock is held. */
int gmem__region_given_once(const struct gmem *g, const struct gmem__side *s,
			    struct gmem_error *err);

/* region_side.c: the memory of the shared pages of a DUAL region. */
/* Maps it, unless the caller did: 0 or -errno. */
int gmem__region_side_map(const struct gmem *g, const struct gmem__side *s,
			  void **out);
/* Frees it, with the rest of its huge pages if private: 0 or -errno. */
int gmem__region_side_free(const struct gmem_region *r, uint64_t offset,
			   uint64_t len);
/* What its failure @sys means, into @err. */
int gmem__region_side_failed(const struct gmem_region *r, int sys,
			     struct gmem_error *err);
/* How much of the range is allocated; GMEM_RESIDENT_* into *@flags. */
int gmem__region_side_resident(const struct gmem_region *r, uint64_t offset,
			       uint64_t len, uint64_t *bytes, uint32_t *flags);
/* To whole pages of the side, which are freed by one who has all of them. */
struct gmem__range gmem__region_side_range(const struct gmem_region *r,
					   uint64_t start, uint64_t end);

/* region_queue.c: pages that may have memory on the side that they are not. */
/* Makes the bits of the range all @value. */
void gmem__region_queue_set(struct gmem_region *r, uint64_t offset,
			    uint64_t len, bool value);
/* The first page in [@pos, @end) with a bit, or @end. */
uint64_t gmem__region_queue_first(const struct gmem_region *r, uint64_t pos,
				  uint64_t end);
/* How many bytes from @pos on, up to @end, have one. */
uint64_t gmem__region_queue_run(const struct gmem_region *r, uint64_t pos,
				uint64_t end);
/*
 * A slot that starts or ends makes the range @state, and frees nothing: the
 * record has the old one, g->lock is held.
 */
void gmem__region_slot_state(struct gmem *g, uint64_t offset, uint64_t len,
			     enum gmem__state state);

static inline struct gmem_region *gmem__region_of(const struct gmem *g)
{
	return __atomic_load_n(&g->region, __ATOMIC_ACQUIRE);
}

static inline void gmem__region_count(uint64_t *counter, uint64_t n)
{
	(void)__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static inline uint64_t gmem__region_counted(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

#endif

/* SPDX-License-Identifier: MIT */
/* The host's view of a file: mappings for the caller and for slots. */
#ifndef GMEM_LIB_MAP_H
#define GMEM_LIB_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include <gmem.h>

#include "record.h"

struct gmem__map {
	struct gmem__map *next;
	void *addr;
	uint64_t len;
	bool like_view; /* of the whole file, and made as its view is */
	bool in_view;	/* a part of that: nothing to unmap */
	/* It is in a reservation of the caller, who gets that back. */
	bool fixed;
	bool busy;   /* a call is at it */
	bool mapped; /* the file is there, or else a hole at most */
	bool owed;   /* the caller never got it */
};

/*
 * What the host sees of the pages at @offset.  Only a kernel that converts in
 * place goes by a page's attributes; to all others the whole file is what it
 * was made as.
 */
enum gmem__state gmem__host_state(const struct gmem *g, uint64_t offset,
				  uint64_t len, uint64_t *run);
int gmem__need_mappable(const struct gmem *g, struct gmem_error *err);
int gmem__fail_private(uint64_t offset, struct gmem_error *err);
/* -EACCES if some of the range is private to the host. */
int gmem__need_shared(const struct gmem *g, uint64_t offset, uint64_t len,
		      struct gmem_error *err);
/*
 * [@offset, @offset + @len) of a file that the host can map, all of it shared,
 * to copy from or to: no alignment is asked of it.
 */
int gmem__shared_range_check(const struct gmem *g, uint64_t offset,
			     uint64_t len, struct gmem_error *err);
/* The whole-file mapping behind slots, made if there is none; 0 or -errno. */
int gmem__view(struct gmem *g, unsigned char **out, struct gmem_error *err);
/*
 * Removes all of the file's mappings that can be: 0, or the first -errno, and
 * what could not be removed is kept.
 */
int gmem__unmap_all(struct gmem *g);
/* -EBUSY if slots of the VMM's lead to a mapping of the file's. */
int gmem__maps_noted(const struct gmem *g, struct gmem_error *err);
/* -EBUSY if any slot leads to the shared side of the file's region. */
int gmem__shared_unused(const struct gmem *g, struct gmem_error *err);
/* -EBUSY if any slot leads to what closing the file would unmap. */
int gmem__maps_unused(const struct gmem *g, struct gmem_error *err);
/* Forgets the mappings that are left. */
void gmem__maps_free(struct gmem *g);

#endif

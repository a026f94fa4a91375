/* SPDX-License-Identifier: MIT */
/*
 * How much memory can be allocated before the kernel kills a process for want
 * of it: in the memory cgroups of this process, on the nodes where the pages
 * may lie, and in the machine.
 */
#ifndef GMEM_LIB_ROOM_H
#define GMEM_LIB_ROOM_H

#include <gmem.h>

#include "room_text.h"

/* What is always left, and the most that is allocated on a look at a limit. */
#define GMEM__ROOM_MARGIN (16ULL << 20)

struct gmem__room {
	struct gmem *g;
	const struct gmem_mempolicy *policy; /* NULL: the thread's own */
	bool off;
	uint64_t unchecked; /* GMEM_ROOM_*: not known */
	struct gmem__zones zones;
	/* the scarcest that was looked at last */
	uint64_t bytes;
	char where[160];
};

/*
 * For pages of @g that are allocated under @policy.  @off: no limit is looked
 * at.
 */
void gmem__room_begin(struct gmem__room *r, struct gmem *g,
		      const struct gmem_mempolicy *policy, bool off);
/*
 * How many of @len bytes at @offset there is room for, while other threads
 * allocate @pending more: @len, or fewer that are a multiple of @unit; 0 if too
 * few for that.
 */
uint64_t gmem__room_for(struct gmem__room *r, uint64_t offset, uint64_t len,
			uint64_t unit, uint64_t pending);
/* There was no room for @unit bytes at @offset. */
int gmem__room_failed(const struct gmem__room *r, uint64_t unit,
		      struct gmem_error *err);

/* room_node.c: nodes on which pages may lie, and their room. */
struct gmem__room_nodes {
	uint64_t bytes;
	unsigned int first, n;
};

/* Those for the page at @offset: 1, 0 if it may lie on any, or -errno. */
int gmem__room_nodes(const struct gmem__room *r, uint64_t offset,
		     struct gmem__room_nodes *out);

#endif

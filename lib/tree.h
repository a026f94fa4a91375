/* SPDX-License-Identifier: MIT */
/*
 * Ranges in order.  Each belongs to a group; those of a group may overlap.
 * Nodes are part of what is kept, so nothing here allocates.  Pure code.
 */
#ifndef GMEM_LIB_TREE_H
#define GMEM_LIB_TREE_H

#include <stdint.h>

struct gmem__node {
	struct gmem__node *parent, *child[2];
	uint64_t group, start, end;    /* set by the caller; start < end */
	uint64_t last_group, last_end; /* the greatest of the subtree */
	uint32_t weight;
};

struct gmem__tree { /* zeroed: empty */
	struct gmem__node *root;
	uint32_t seed;
};

void gmem__tree_insert(struct gmem__tree *t, struct gmem__node *n);
void gmem__tree_remove(struct gmem__tree *t, struct gmem__node *n);
/* The first range of @group, by start, with a part in [@start, @end). */
struct gmem__node *gmem__tree_overlap(const struct gmem__tree *t,
				      uint64_t group, uint64_t start,
				      uint64_t end);
/* The one after @n, which is in the tree, in the order of that. */
struct gmem__node *gmem__tree_overlap_next(const struct gmem__node *n,
					   uint64_t start, uint64_t end);
/* All of them in order, group by group. */
struct gmem__node *gmem__tree_first(const struct gmem__tree *t);
struct gmem__node *gmem__tree_next(const struct gmem__node *n);

#endif

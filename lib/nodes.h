/* SPDX-License-Identifier: MIT */
/* Sets of NUMA nodes, and those that this process may allocate on. */
#ifndef GMEM_LIB_NODES_H
#define GMEM_LIB_NODES_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "ctx.h"

#define GMEM__NODES 1024 /* the most a kernel can be built for */
#define GMEM__NODE_BITS (CHAR_BIT * sizeof(unsigned long))

struct gmem__nodes {
	unsigned long bits[GMEM__NODES / GMEM__NODE_BITS];
};

static inline bool gmem__nodes_have(const struct gmem__nodes *s, uint64_t node)
{
	return node < GMEM__NODES &&
	       s->bits[node / GMEM__NODE_BITS] >> node % GMEM__NODE_BITS & 1;
}

static inline void gmem__nodes_add(struct gmem__nodes *s, uint64_t node)
{
	s->bits[node / GMEM__NODE_BITS] |= 1UL << node % GMEM__NODE_BITS;
}

/* The first that is no less than @from, or GMEM__NODES. */
uint64_t gmem__nodes_next(const struct gmem__nodes *s, uint64_t from);

#define GMEM__NODES_TEXT 64

/* "0-1,3", or "none"; what does not fit ends in "...". */
const char *gmem__nodes_text(const struct gmem__nodes *s,
			     char text[GMEM__NODES_TEXT]);

/* Those with memory in the cpuset of this process; 0 or -errno. */
int gmem__nodes_usable(const struct gmem__ctx *ctx, struct gmem__nodes *out);

/* Why a node is not usable. */
enum gmem__node_why {
	GMEM__NODE_UNKNOWN,
	GMEM__NODE_OFFLINE,
	GMEM__NODE_EMPTY, /* it has no memory */
	GMEM__NODE_CPUSET,
};

/* Asks the kernel; @sys: what it said where that tells no cause. */
enum gmem__node_why gmem__node_why(const struct gmem__ctx *ctx, uint64_t node,
				   int *sys);

#endif

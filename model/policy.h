/* SPDX-License-Identifier: MIT */
/*
 * A NUMA policy as one number, and on which nodes it puts pages: the modes and
 * flags are those of mbind(2).
 */
#ifndef GMEM_MODEL_POLICY_H
#define GMEM_MODEL_POLICY_H

#include "model.h"

enum policy_mode {
	DEFAULT,
	PREFERRED,
	BIND,
	INTERLEAVE,
	LOCAL,
	PREFERRED_MANY,
	WEIGHTED_INTERLEAVE,
	MODES,
};

#define F_NUMA_BALANCING (1 << 13)
#define F_RELATIVE_NODES (1 << 14)
#define F_STATIC_NODES (1 << 15)
#define F_ALL (F_NUMA_BALANCING | F_RELATIVE_NODES | F_STATIC_NODES)

/* Of get_mempolicy(2). */
#define GET_NODE 1
#define GET_ADDR 2
#define GET_MEMS_ALLOWED 4

/* A policy as a range's value: 16 bits mode and flags, 32 bits nodes. */
#define PACKED (1ULL << 63)

static inline uint64_t pack(int mode, uint64_t nodes)
{
	return PACKED | (uint64_t)mode | nodes << 16;
}

static inline int mode_of(uint64_t policy)
{
	return (int)(policy & 0xffff);
}

static inline uint64_t nodes_of(uint64_t policy)
{
	return policy >> 16 & UINT32_MAX;
}

/* The nodes that a process may allocate on. */
static inline uint64_t usable(const struct kernel *k)
{
	return ((1ULL << k->nodes) - 1) & ~(uint64_t)(k->empty | k->outside);
}

/* nodes.c */
/* The policy of the thread; 0 is the default one. */
uint64_t model__task_policy(const struct kernel *k);
/* Whether it takes the nodes in turn. */
bool model__spreads(uint64_t policy);
/* Of the next page that the thread allocates; told only where they spread. */
int model__next_node(const struct kernel *k, uint64_t policy);
/* Of the page at @addr of @m, which is allocated for it; or -errno. */
int model__node_at(struct kernel *k, const struct mapping *m, uint64_t addr);
/*
 * Whether a page that is mapped at [@from, @to) of @m is on none of @nodes:
 * the mask as it was given, whatever the policy makes of it.  With @alone only
 * pages count that no other mapping has, as for MPOL_MF_MOVE.
 */
bool model__misplaced(const struct mapping *m, uint64_t from, uint64_t to,
		      uint64_t nodes, bool alone);

#endif

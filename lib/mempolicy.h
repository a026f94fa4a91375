/* SPDX-License-Identifier: MIT */
/* NUMA policies and where pages are. */
#ifndef GMEM_LIB_MEMPOLICY_H
#define GMEM_LIB_MEMPOLICY_H

#include "internal.h"

/* mempolicy.c */
/* A caller's policy into *@p: known mode and flags, nodes as it needs them. */
int gmem__policy_check(const struct gmem_mempolicy *policy,
		       struct gmem_mempolicy *p, struct gmem_error *err);
/* mbind, set_mempolicy or get_mempolicy refused it. */
int gmem__policy_failed(int sys, const struct gmem_mempolicy *p,
			const char *what, struct gmem_error *err);
static inline bool gmem__node_in(const struct gmem_mempolicy *p, uint64_t node)
{
	const unsigned int bits = 8 * sizeof(*p->nodes);

	return p->nodes && node < p->max_node &&
	       p->nodes[node / bits] >> node % bits & 1;
}

bool gmem__any_node(const struct gmem_mempolicy *p);

/* placement.c */
/* Refuses a range with a resident page outside @p, or perhaps outside. */
int gmem__placed(struct gmem *g, uint64_t offset, uint64_t len,
		 const struct gmem_mempolicy *p, struct gmem_error *err);

/* resident.c */
/*
 * The first run of resident pages in [*@pos, @end): *@run bytes at *@pos, 0
 * if there is none.  Return: 0, or -errno of cachestat.
 */
int gmem__next_resident(const struct gmem *g, uint64_t *pos, uint64_t end,
			uint64_t *run);

#endif

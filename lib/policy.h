/* SPDX-License-Identifier: MIT */
/* A policy as a caller gives it, and the one that a file has. */
#ifndef GMEM_LIB_POLICY_H
#define GMEM_LIB_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include <gmem.h>

#include "nodes.h"

#define GMEM__MEMPOLICY_V0 32 /* bytes of the first release's */

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
/* Refuses a node that the kernel would drop from it in silence. */
int gmem__policy_usable(const struct gmem__ctx *ctx,
			const struct gmem_mempolicy *p, struct gmem_error *err);
/*
 * The nodes of @p where the kernel puts pages; false: any.  Relative ones are
 * counted in @usable.
 */
bool gmem__policy_meant(const struct gmem_mempolicy *p,
			const struct gmem__nodes *usable,
			struct gmem__nodes *out);

/* Only a file that can be mapped has a policy that can be set or read. */
int gmem__policy_need_mmap(const struct gmem *g, struct gmem_error *err);
/* Into @p and @nodes, where there is room for .max_node of them. */
int gmem__policy_read(struct gmem *g, uint64_t offset, struct gmem_mempolicy *p,
		      unsigned long *nodes, struct gmem_error *err);
/* Of the page that is mapped at @addr, touchable or not; 0 or -errno. */
int gmem__policy_at(const struct gmem__ctx *ctx, void *addr,
		    struct gmem_mempolicy *p, unsigned long *nodes);
/* Whether pages may have other policies than the default one. */
bool gmem__keeps_policy(const struct gmem *g);
/* Refuses a range where the file has another policy, which would decide. */
int gmem__policy_of_file(struct gmem *g, uint64_t offset, uint64_t len,
			 const struct gmem_mempolicy *p, const int *cancel,
			 struct gmem_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Policies from and to libnuma's node sets.  Header only: the library itself
 * does not link libnuma, whose loading alone calls set_mempolicy(2).  A
 * program that includes this header links libnuma itself.
 */
#ifndef GMEM_NUMA_H
#define GMEM_NUMA_H

#include <numa.h>

#include <gmem.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Fills @policy with @mode (enum gmem_mempolicy_mode) on @nodes, which may be
 * NULL for a mode that takes none.  The bits are borrowed: free @nodes only
 * when @policy is no longer used.
 */
static inline void gmem_mempolicy_from_bitmask(struct gmem_mempolicy *policy,
					       uint32_t mode,
					       struct bitmask *nodes)
{
	policy->sz = sizeof(*policy);
	policy->mode = mode;
	policy->flags = 0;
	policy->nodes = nodes ? nodes->maskp : NULL;
	policy->max_node = nodes ? nodes->size : 0;
}

#ifdef __cplusplus
}
#endif

#endif

// SPDX-License-Identifier: MIT
/* A policy as a caller gives it, and the one that a file has. */
#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "call.h"
#include "enter.h"
#include "error.h"
#include "file.h"
#include "name.h"
#include "opts.h"
#include "policy.h"
#include "window.h"

#define NODES_MAX 32768 /* the most the kernel reads: a page of bits */
#define MPOL_F_ADDR 2
#define MODE_FLAGS                                                 \
	(GMEM_MPOL_F_NUMA_BALANCING | GMEM_MPOL_F_RELATIVE_NODES | \
	 GMEM_MPOL_F_STATIC_NODES)

_Static_assert(sizeof(struct gmem_mempolicy) == GMEM__MEMPOLICY_V0, "ABI");

static const struct gmem__opts_type policy_type =
	GMEM__OPTS_TYPE(gmem_mempolicy, GMEM__MEMPOLICY_V0, MODE_FLAGS);

bool gmem__any_node(const struct gmem_mempolicy *p)
{
	for (uint64_t i = 0; p->nodes && i < p->max_node; i++)
		if (gmem__node_in(p, i))
			return true;
	return false;
}

static int check_room(const struct gmem_mempolicy *p, struct gmem_error *err)
{
	if (p->max_node <= NODES_MAX)
		return 0;
	return gmem__fail(err, GMEM_REASON_POLICY_NODES, p->max_node, NODES_MAX,
			  "%" PRIu64 " nodes, the kernel takes %d", p->max_node,
			  NODES_MAX);
}

static int check_nodes(const struct gmem_mempolicy *p, struct gmem_error *err)
{
	bool any, needed, possible;
	int r = check_room(p, err);

	if (r < 0)
		return r;
	any = gmem__any_node(p);
	possible = p->mode != GMEM_MPOL_DEFAULT && p->mode != GMEM_MPOL_LOCAL;
	needed = possible && p->mode != GMEM_MPOL_PREFERRED;
	if (any && !possible)
		return gmem__fail(err, GMEM_REASON_POLICY_NODES, p->mode, 0,
				  "policy mode %s takes no nodes",
				  gmem_name(GMEM_NAME_MPOL, p->mode));
	if (!any && needed)
		return gmem__fail(err, GMEM_REASON_POLICY_NODES, p->mode, 0,
				  "policy mode %s needs a node",
				  gmem_name(GMEM_NAME_MPOL, p->mode));
	return 0;
}

int gmem__policy_check(const struct gmem_mempolicy *policy,
		       struct gmem_mempolicy *p, struct gmem_error *err)
{
	int r = gmem__out_check(policy, GMEM__MEMPOLICY_V0, "gmem_mempolicy",
				err);

	if (r < 0)
		return r;
	r = gmem__opts_take(&policy_type, policy, p, err);
	if (r < 0)
		return r;
	if (!gmem_name(GMEM_NAME_MPOL, p->mode))
		return gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, p->mode,
				  GMEM_MPOL_WEIGHTED_INTERLEAVE,
				  "policy mode %u is unknown", p->mode);
	if ((p->flags & GMEM_MPOL_F_STATIC_NODES) &&
	    (p->flags & GMEM_MPOL_F_RELATIVE_NODES))
		return gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, p->flags, 0,
				  "static and relative nodes exclude each "
				  "other");
	return check_nodes(p, err);
}

int gmem__policy_failed(int sys, const struct gmem_mempolicy *p,
			const char *what, struct gmem_error *err)
{
	char flags[GMEM__FLAGS_TEXT];

	if (sys == -ENOSYS)
		return gmem__fail_sys(err, GMEM_REASON_NUMA_UNSUPPORTED,
				      -EOPNOTSUPP, sys, 0, 0,
				      "this kernel is built without NUMA");
	if (sys == -EINVAL)
		return gmem__diagnosed(
			err,
			gmem__fail_sys(err, GMEM_REASON_POLICY_NODES, 0, sys,
				       p->mode, p->max_node,
				       "the kernel refuses policy mode %s, "
				       "flags %s, with these nodes: one "
				       "must be online and allowed to "
				       "this process",
				       gmem_name(GMEM_NAME_MPOL, p->mode),
				       gmem__flags_text(GMEM_NAME_MPOL_FLAG,
							p->flags, flags)));
	return gmem__fail_call(err, sys, what);
}

int gmem__policy_need_mmap(const struct gmem *g, struct gmem_error *err)
{
	if (g->flags & GMEM_CREATE_MMAP)
		return 0;
	return gmem__fail(err, GMEM_REASON_POLICY_UNMAPPABLE, g->flags, 0,
			  "a file takes a policy through a mapping, and this "
			  "one was made without mmap");
}

int gmem__policy_read(struct gmem *g, uint64_t offset, struct gmem_mempolicy *p,
		      struct gmem_error *err)
{
	struct gmem__window w;
	int mode = 0, r = check_room(p, err);

	if (r < 0)
		return r;
	r = gmem__range_check(g, offset, g->ctx->page_size, err);
	if (r < 0)
		return r;
	r = gmem__policy_need_mmap(g, err);
	if (r < 0)
		return r;
	r = gmem__window_map(g, offset, g->ctx->page_size, PROT_NONE, &w);
	if (r < 0)
		return gmem__window_failed(r, err);
	r = gmem__get_mempolicy(g->ctx, &mode, p->nodes,
				p->nodes ? p->max_node + 1 : 0, w.addr,
				MPOL_F_ADDR);
	gmem__window_close(g, &w);
	if (r == -EINVAL)
		return gmem__fail_sys(
			err, GMEM_REASON_POLICY_NODES, 0, r, p->max_node, 0,
			"room for %" PRIu64 " nodes, this kernel has more",
			p->max_node);
	if (r < 0)
		return gmem__policy_failed(r, p, "get_mempolicy", err);
	p->mode = (uint32_t)mode & ~MODE_FLAGS;
	p->flags = (uint32_t)mode & MODE_FLAGS;
	return 0;
}

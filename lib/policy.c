// SPDX-License-Identifier: MIT
/* A policy as a caller gives it, and the one that a file has. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
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
			  "the set has room for %" PRIu64
			  " nodes, more than the %d of the kernel",
			  p->max_node, NODES_MAX);
}

static int check_nodes(const struct gmem_mempolicy *p, struct gmem_error *err)
{
	char flags[GMEM__FLAGS_TEXT];
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
	if (!any && p->flags)
		return gmem__fail(
			err, GMEM_REASON_POLICY_NODES, p->flags, 0,
			"the flags %s are of nodes, and the policy "
			"has none",
			gmem__flags_text(GMEM_NAME_MPOL_FLAG, p->flags, flags));
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
	if (p->flags & GMEM_MPOL_F_NUMA_BALANCING)
		return gmem__fail(err, GMEM_REASON_POLICY_BALANCING, p->flags,
				  0,
				  "balancing between nodes moves pages, and "
				  "guest memory never moves");
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
				       "flags %s, with these nodes",
				       gmem_name(GMEM_NAME_MPOL, p->mode),
				       gmem__flags_text(GMEM_NAME_MPOL_FLAG,
							p->flags, flags)));
	return gmem__fail_call(err, sys, what);
}

/* @node is not usable. */
static int refuse_node(const struct gmem_mempolicy *p, uint64_t node,
		       enum gmem__node_why why, int sys,
		       const struct gmem__nodes *usable, struct gmem_error *err)
{
	static const char *const whys[] = {
		[GMEM__NODE_OFFLINE] = "is not online",
		[GMEM__NODE_EMPTY] = "has no memory",
		[GMEM__NODE_CPUSET] = "is not in the cpuset of this process",
	};
	char text[GMEM__NODES_TEXT], unknown[96] = "";

	if (why == GMEM__NODE_UNKNOWN)
		(void)snprintf(unknown, sizeof(unknown),
			       "cannot be used, and why is unknown (%s)",
			       sys ? gmem__errno_name(sys) : "it changed");
	return gmem__fail_sys(
		err, GMEM_REASON_POLICY_NODES, -EINVAL, sys, node, 0,
		"node %" PRIu64 " of policy %s %s; this process may use %s",
		node, gmem_name(GMEM_NAME_MPOL, p->mode),
		*unknown ? unknown : whys[why], gmem__nodes_text(usable, text));
}

/* Relative ones stand for others; there need only be such numbers. */
int gmem__policy_usable(const struct gmem__ctx *ctx,
			const struct gmem_mempolicy *p, struct gmem_error *err)
{
	bool relative = p->flags & GMEM_MPOL_F_RELATIVE_NODES;
	struct gmem__nodes usable;
	enum gmem__node_why why;
	int r, sys;

	if (!gmem__any_node(p))
		return 0;
	r = gmem__nodes_usable(ctx, &usable);
	if (r < 0)
		return gmem__policy_failed(r, p, "get_mempolicy", err);
	for (uint64_t n = 0; n < p->max_node; n++) {
		if (!gmem__node_in(p, n) || gmem__nodes_have(&usable, n) ||
		    (relative && n < GMEM__NODES))
			continue;
		why = gmem__node_why(ctx, n, &sys);
		return refuse_node(p, n, why, sys, &usable, err);
	}
	return 0;
}

/* Node n is the n-th of @usable; past the last it begins again. */
static void count_in(const struct gmem__nodes *usable, struct gmem__nodes *set)
{
	struct gmem__nodes out = { { 0 } };
	uint64_t count = 0, at, n;

	for (n = 0; n < GMEM__NODES; n++)
		count += gmem__nodes_have(usable, n);
	for (n = 0; count && n < GMEM__NODES; n++) {
		if (!gmem__nodes_have(set, n))
			continue;
		at = gmem__nodes_next(usable, 0);
		for (uint64_t i = n % count; i; i--)
			at = gmem__nodes_next(usable, at + 1);
		gmem__nodes_add(&out, at);
	}
	*set = out;
}

bool gmem__policy_meant(const struct gmem_mempolicy *p,
			const struct gmem__nodes *usable,
			struct gmem__nodes *out)
{
	bool relative = p->flags & GMEM_MPOL_F_RELATIVE_NODES;
	uint64_t first;

	memset(out, 0, sizeof(*out));
	for (uint64_t n = 0; n < p->max_node && n < GMEM__NODES; n++)
		if (gmem__node_in(p, n))
			gmem__nodes_add(out, n);
	if (relative)
		count_in(usable, out);
	first = gmem__nodes_next(out, 0);
	if (first == GMEM__NODES)
		return !relative && gmem__any_node(p);
	if (p->mode == GMEM_MPOL_PREFERRED) {
		memset(out, 0, sizeof(*out));
		gmem__nodes_add(out, first);
	}
	return true;
}

int gmem__policy_need_mmap(const struct gmem *g, struct gmem_error *err)
{
	if (g->flags & GMEM_CREATE_MMAP)
		return 0;
	return gmem__fail(err, GMEM_REASON_POLICY_UNMAPPABLE, g->flags, 0,
			  "a file takes a policy through a mapping, and this "
			  "one was made without mmap");
}

int gmem__policy_at(const struct gmem__ctx *ctx, void *addr,
		    struct gmem_mempolicy *p, unsigned long *nodes)
{
	int mode = 0, r;

	r = gmem__get_mempolicy(ctx, &mode, nodes, nodes ? p->max_node + 1 : 0,
				addr, MPOL_F_ADDR);
	if (r < 0)
		return r;
	p->mode = (uint32_t)mode & ~MODE_FLAGS;
	p->flags = (uint32_t)mode & MODE_FLAGS;
	return 0;
}

int gmem__policy_read(struct gmem *g, uint64_t offset, struct gmem_mempolicy *p,
		      unsigned long *nodes, struct gmem_error *err)
{
	struct gmem__window w;
	int r = check_room(p, err);

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
	r = gmem__policy_at(g->ctx, w.addr, p, nodes);
	gmem__window_close(g, &w);
	if (r == -EINVAL)
		return gmem__fail_sys(err, GMEM_REASON_POLICY_NODES, 0, r,
				      p->max_node, 0,
				      "the set has room for %" PRIu64
				      " nodes, and this kernel has more",
				      p->max_node);
	return r < 0 ? gmem__policy_failed(r, p, "get_mempolicy", err) : 0;
}

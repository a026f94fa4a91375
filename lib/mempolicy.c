// SPDX-License-Identifier: MIT
/*
 * The NUMA policy that a file keeps.  Linux 6.18 takes one through a mapping,
 * echoes it there and never looks at it; from 6.19 on the inode has it.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "mempolicy.h"
#include "window.h"

#define MEMPOLICY_V0 32
#define NODES_MAX 32768 /* the most the kernel reads: a page of bits */
#define MPOL_F_ADDR 2
#define MODE_FLAGS                                                 \
	(GMEM_MPOL_F_NUMA_BALANCING | GMEM_MPOL_F_RELATIVE_NODES | \
	 GMEM_MPOL_F_STATIC_NODES)

_Static_assert(sizeof(struct gmem_mempolicy) == MEMPOLICY_V0, "ABI");

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
				  "mode %u takes no nodes", p->mode);
	if (!any && needed)
		return gmem__fail(err, GMEM_REASON_POLICY_NODES, p->mode, 0,
				  "mode %u needs a node", p->mode);
	return 0;
}

int gmem__policy_check(const struct gmem_mempolicy *policy,
		       struct gmem_mempolicy *p, struct gmem_error *err)
{
	int r = gmem__out_check(policy, MEMPOLICY_V0, "gmem_mempolicy", err);

	if (r < 0)
		return r;
	r = gmem__opts_check(policy, MEMPOLICY_V0, sizeof(*p), "gmem_mempolicy",
			     err);
	if (r < 0)
		return r;
	gmem__opts_copy(p, sizeof(*p), policy);
	if (!gmem_name(GMEM_NAME_MPOL, p->mode))
		return gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, p->mode,
				  GMEM_MPOL_WEIGHTED_INTERLEAVE,
				  "policy mode %u is unknown", p->mode);
	r = gmem__flags_check(p->flags, MODE_FLAGS, "gmem_mempolicy.flags",
			      err);
	if (r < 0)
		return r;
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
	if (sys == -ENOSYS)
		return gmem__fail_sys(err, GMEM_REASON_NUMA_UNSUPPORTED,
				      -EOPNOTSUPP, sys, 0, 0,
				      "this kernel is built without NUMA");
	if (sys == -EINVAL)
		return gmem__diagnosed(
			err, gmem__fail_sys(err, GMEM_REASON_POLICY_NODES, 0,
					    sys, p->mode, p->max_node,
					    "the kernel refuses mode %u, flags "
					    "0x%x with these nodes: one must "
					    "be online and allowed to this "
					    "process",
					    p->mode, p->flags));
	return gmem__fail_call(err, sys, what);
}

static int need_mmap(const struct gmem *g, struct gmem_error *err)
{
	if (g->flags & GMEM_CREATE_MMAP)
		return 0;
	return gmem__fail(err, GMEM_REASON_POLICY_UNMAPPABLE, g->flags, 0,
			  "a file takes a policy through a mapping, and this "
			  "one was made without GMEM_CREATE_MMAP");
}

/* A file without a VM was not probed: its own magic came with the policy. */
static int need_obeyed(const struct gmem *g, struct gmem_error *err)
{
	const struct gmem__feature *f =
		g->vm ? &g->vm->features[GMEM_FEATURE_MEMPOLICY] : NULL;
	uint64_t magic = 0;
	int r;

	if (f && f->support == GMEM_YES)
		return 0;
	if (f && f->support == GMEM_NO && f->answer == -ENOSYS)
		return gmem__policy_failed(-ENOSYS, NULL, "mbind", err);
	if (!f || f->support == GMEM_UNKNOWN) {
		r = gmem__fstatfs(g->ctx, g->fd, &magic);
		if (r < 0)
			return gmem__fail_call(err, r, "fstatfs");
		if (magic == GMEM__MAGIC_GUEST_MEMFD)
			return 0;
	}
	return gmem__fail(err, GMEM_REASON_POLICY_IGNORED, 0, 0,
			  "this kernel accepts a policy for a guest_memfd and "
			  "ignores it");
}

/*
 * A mapping tells its file only what is new to itself, and to a fresh one no
 * policy is nothing new: the file would keep the one it has.  So that one is
 * replaced first, but not before the kernel has accepted what it is to be.
 */
static int bind_file(const struct gmem__ctx *ctx, void *at, uint64_t len,
		     const struct gmem_mempolicy *p)
{
	int mode = (int)(p->mode | p->flags);
	unsigned long max = p->nodes ? p->max_node + 1 : 0;
	int r = gmem__mbind(ctx, at, len, mode, p->nodes, max, 0);

	if (r < 0 || p->mode != GMEM_MPOL_DEFAULT)
		return r;
	r = gmem__mbind(ctx, at, len, GMEM_MPOL_LOCAL, NULL, 0, 0);
	return r < 0 ? r : gmem__mbind(ctx, at, len, mode, p->nodes, max, 0);
}

int gmem_set_mempolicy(struct gmem *g, uint64_t offset, uint64_t len,
		       const struct gmem_mempolicy *policy, uint64_t flags,
		       struct gmem_error *err)
{
	struct gmem__window w;
	struct gmem_mempolicy p;
	int r = gmem__enter(g, err);

	if (r < 0)
		return r;
	r = gmem__flags_check(flags, GMEM_MEMPOLICY_STRICT, "flags", err);
	if (r < 0)
		return r;
	r = gmem__policy_check(policy, &p, err);
	if (r < 0)
		return r;
	r = gmem__range_check(g, offset, len, err);
	if (r < 0)
		return r;
	r = need_mmap(g, err);
	if (r < 0)
		return r;
	r = need_obeyed(g, err);
	if (r < 0)
		return r;
	if (flags & GMEM_MEMPOLICY_STRICT) {
		r = gmem__placed(g, offset, len, &p, err);
		if (r < 0)
			return r;
	}
	/* Any mapping leads to the file; this one need not be touchable. */
	r = gmem__window_map(g, offset, len, PROT_NONE, &w);
	if (r < 0)
		return gmem__window_failed(r, err);
	r = bind_file(g->ctx, w.addr, len, &p);
	gmem__window_close(g, &w);
	if (r < 0)
		return gmem__policy_failed(r, &p, "mbind", err);
	return GMEM_PLACED_BY_FILE;
}

int gmem_get_mempolicy(struct gmem *g, uint64_t offset,
		       struct gmem_mempolicy *policy, struct gmem_error *err)
{
	struct gmem_mempolicy p;
	int r = gmem__enter(g, err), mode = 0;
	struct gmem__window w;

	if (r < 0)
		return r;
	r = gmem__out_check(policy, MEMPOLICY_V0, "gmem_mempolicy", err);
	if (r < 0)
		return r;
	gmem__opts_copy(&p, sizeof(p), policy);
	r = check_room(&p, err);
	if (r < 0)
		return r;
	r = gmem__range_check(g, offset, g->ctx->page_size, err);
	if (r < 0)
		return r;
	r = need_mmap(g, err);
	if (r < 0)
		return r;
	r = gmem__window_map(g, offset, g->ctx->page_size, PROT_NONE, &w);
	if (r < 0)
		return gmem__window_failed(r, err);
	r = gmem__get_mempolicy(g->ctx, &mode, p.nodes,
				p.nodes ? p.max_node + 1 : 0, w.addr,
				MPOL_F_ADDR);
	gmem__window_close(g, &w);
	if (r == -EINVAL)
		return gmem__fail_sys(
			err, GMEM_REASON_POLICY_NODES, 0, r, p.max_node, 0,
			"room for %" PRIu64 " nodes, this kernel has more",
			p.max_node);
	if (r < 0)
		return gmem__policy_failed(r, &p, "get_mempolicy", err);
	p.mode = (uint32_t)mode & ~MODE_FLAGS;
	p.flags = (uint32_t)mode & MODE_FLAGS;
	gmem__out_copy(policy, &p, sizeof(p));
	return 0;
}

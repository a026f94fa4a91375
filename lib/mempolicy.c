// SPDX-License-Identifier: MIT
/*
 * The NUMA policy that a file keeps.  Linux 6.18 takes one through a mapping,
 * echoes it there and never looks at it; from 6.19 on the inode has it.
 */
#include <errno.h>
#include <sys/mman.h>

#include "call.h"
#include "enter.h"
#include "error.h"
#include "file.h"
#include "opts.h"
#include "placement.h"
#include "policy.h"
#include "uapi.h"
#include "vm.h"
#include "window.h"

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
	r = gmem__policy_usable(g->ctx, &p, err);
	if (r < 0)
		return r;
	r = gmem__policy_need_mmap(g, err);
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
	return r < 0 ? gmem__policy_failed(r, &p, "mbind", err) : 0;
}

int gmem_get_mempolicy(struct gmem *g, uint64_t offset,
		       struct gmem_mempolicy *policy, unsigned long *nodes,
		       uint64_t max_node, struct gmem_error *err)
{
	struct gmem_mempolicy p = {
		.sz = sizeof(p),
		.nodes = nodes,
		.max_node = nodes ? max_node : 0,
	};
	int r = gmem__enter(g, err);

	if (r < 0)
		return r;
	r = gmem__out_check(policy, GMEM__MEMPOLICY_V0, "gmem_mempolicy", err);
	if (r < 0)
		return r;
	r = gmem__policy_read(g, offset, &p, nodes, err);
	if (r == 0)
		gmem__out_copy(policy, &p, sizeof(p));
	return r;
}

// SPDX-License-Identifier: MIT
/*
 * On which node each resident page lies.  Only resident pages are mapped, so
 * that looking allocates nothing, and in a mapping of its own, so that nothing
 * is left behind.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "mempolicy.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* 5.14 */
#endif

#define PLACEMENT_V0 64
#define BATCH 512 /* pages asked of move_pages at once */

_Static_assert(sizeof(struct gmem_placement) == PLACEMENT_V0, "ABI");

/* One verification under way. */
struct look {
	struct gmem *g;
	const struct gmem_mempolicy *policy;
	bool any_node; /* the policy allows all nodes */
	struct gmem_placement p;
	uint64_t bad, bad_len; /* the misplaced run that is growing */
	int bad_node;
};

static void end_run(struct look *l)
{
	if (l->bad_len)
		gmem__call_run(l->p.misplaced_run, l->p.arg, l->bad, l->bad_len,
			       l->bad_node);
	l->bad_len = 0;
}

static void count_page(struct look *l, uint64_t offset, int node)
{
	uint64_t page = l->g->ctx->page_size;

	if (node < 0) {
		l->p.unknown += page;
		return;
	}
	if (l->p.node_bytes && (uint64_t)node < l->p.node_count)
		l->p.node_bytes[node] += page;
	if (l->any_node || gmem__node_in(l->policy, (uint64_t)node))
		return;
	l->p.misplaced += page;
	if (l->bad + l->bad_len != offset || l->bad_node != node)
		end_run(l);
	if (!l->bad_len) {
		l->bad = offset;
		l->bad_node = node;
	}
	l->bad_len += page;
}

/* Up to BATCH resident pages at @offset, mapped at @at. */
static void look_batch(struct look *l, uint64_t offset, char *at, size_t pages)
{
	const struct gmem__ctx *ctx = l->g->ctx;
	void *addr[BATCH];
	int node[BATCH], r;

	for (size_t i = 0; i < pages; i++) {
		addr[i] = at + i * ctx->page_size;
		node[i] = -1;
	}
	r = gmem__madvise(ctx, at, pages * ctx->page_size, MADV_POPULATE_READ);
	if (r == 0)
		r = gmem__move_pages(ctx, pages, addr, node);
	for (size_t i = 0; i < pages; i++)
		count_page(l, offset + i * ctx->page_size,
			   r < 0 ? -1 : node[i]);
}

static int look_run(struct look *l, uint64_t offset, uint64_t len,
		    struct gmem_error *err)
{
	const struct gmem__ctx *ctx = l->g->ctx;
	uint64_t n, done = 0;
	void *at;
	int r = gmem__mmap(ctx, &at, len, PROT_READ, MAP_SHARED, l->g->fd,
			   offset);

	if (r < 0)
		return gmem__fail_call(err, r, "mmap of the guest_memfd");
	for (; done < len; done += n) {
		n = len - done;
		if (n > BATCH * ctx->page_size)
			n = BATCH * ctx->page_size;
		look_batch(l, offset + done, (char *)at + done,
			   n / ctx->page_size);
	}
	(void)gmem__munmap(ctx, at, len);
	return 0;
}

static int look_all(struct look *l, uint64_t offset, uint64_t len,
		    struct gmem_error *err)
{
	uint64_t pos = offset, end = offset + len, run;
	bool touchable;
	int r;

	for (;;) {
		r = gmem__next_resident(l->g, &pos, end, &run);
		if (r < 0)
			return gmem__fail_sys(
				err, GMEM_REASON_RESIDENCY_UNKNOWN, -EOPNOTSUPP,
				r, pos, 0,
				"cachestat failed with %s: which pages "
				"are there can not be told",
				gmem__errno_name(r));
		if (run == 0)
			break;
		touchable = gmem__host_state(l->g, pos, run, &run) ==
				    GMEM__SHARED &&
			    (l->g->flags & GMEM_CREATE_MMAP);
		r = touchable ? look_run(l, pos, run, err) : 0;
		if (r < 0)
			return r;
		if (!touchable)
			l->p.unknown += run;
		l->p.resident += run;
		pos += run;
	}
	end_run(l);
	return 0;
}

/* Verdict of a look whose policy is @p; relative nodes name no fixed ones. */
static int verdict(struct gmem *g, uint64_t offset, uint64_t len,
		   const struct gmem_mempolicy *p, struct gmem_placement *out,
		   struct gmem_error *err)
{
	struct look l = { .g = g, .policy = p, .p = *out };
	bool relative = p && (p->flags & GMEM_MPOL_F_RELATIVE_NODES);
	int r;

	l.any_node = !p || relative || p->mode == GMEM_MPOL_DEFAULT ||
		     p->mode == GMEM_MPOL_LOCAL ||
		     (p->mode == GMEM_MPOL_PREFERRED && !gmem__any_node(p));
	l.p.resident = l.p.misplaced = l.p.unknown = 0;
	if (l.p.node_bytes)
		memset(l.p.node_bytes, 0,
		       l.p.node_count * sizeof(*l.p.node_bytes));
	r = look_all(&l, offset, len, err);
	if (r < 0)
		return r;
	*out = l.p;
	if (l.p.misplaced)
		return GMEM_NO;
	if (l.p.resident && (l.p.unknown || relative || !p))
		return GMEM_UNKNOWN;
	return GMEM_YES;
}

int gmem__placed(struct gmem *g, uint64_t offset, uint64_t len,
		 const struct gmem_mempolicy *p, struct gmem_error *err)
{
	struct gmem_placement out = { .sz = sizeof(out) };
	int r = verdict(g, offset, len, p, &out, err);

	if (r == GMEM_NO)
		return gmem__fail(err, GMEM_REASON_MISPLACED, out.misplaced,
				  out.resident,
				  "%" PRIu64 " of %" PRIu64
				  " resident bytes lie on other nodes, and "
				  "guest memory never moves",
				  out.misplaced, out.resident);
	if (r == GMEM_UNKNOWN)
		return gmem__fail(err, GMEM_REASON_PLACEMENT_UNKNOWN,
				  out.unknown, out.resident,
				  "where %" PRIu64 " of %" PRIu64
				  " resident bytes lie can not be told",
				  out.unknown, out.resident);
	return r < 0 ? r : 0;
}

#define OWN_NODES 1024

int gmem_verify_placement(struct gmem *g, uint64_t offset, uint64_t len,
			  const struct gmem_mempolicy *policy,
			  struct gmem_placement *out, struct gmem_error *err)
{
	unsigned long nodes[OWN_NODES / (8 * sizeof(unsigned long))] = { 0 };
	struct gmem_mempolicy p = {
		.sz = sizeof(p),
		.nodes = nodes,
		.max_node = OWN_NODES,
	};
	struct gmem_placement result;
	int r = gmem__enter(g, err);

	if (r < 0)
		return r;
	r = gmem__out_check(out, PLACEMENT_V0, "gmem_placement", err);
	if (r < 0)
		return r;
	gmem__opts_copy(&result, sizeof(result), out);
	r = gmem__range_check(g, offset, len, err);
	if (r < 0)
		return r;
	if (policy)
		r = gmem__policy_check(policy, &p, err);
	else if (g->flags & GMEM_CREATE_MMAP)
		r = gmem_get_mempolicy(g, offset, &p, err);
	if (r < 0)
		return r;
	if (!policy && !(g->flags & GMEM_CREATE_MMAP))
		r = verdict(g, offset, len, NULL, &result, err);
	else
		r = verdict(g, offset, len, &p, &result, err);
	if (r >= 0)
		gmem__out_copy(out, &result, sizeof(result));
	return r;
}

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

#include "call.h"
#include "callback.h"
#include "cancel.h"
#include "enter.h"
#include "error.h"
#include "file.h"
#include "map.h"
#include "opts.h"
#include "placement.h"
#include "policy.h"
#include "resident.h"
#include "touch.h"
#include "window.h"

#define PLACEMENT_V0 96
#define BATCH 512 /* pages asked of move_pages at once */
#define TRIES 3
#define TELL (64ULL << 20)

_Static_assert(sizeof(struct gmem_placement) == PLACEMENT_V0, "ABI");

/* One verification under way. */
struct look {
	struct gmem *g;
	bool own; /* verify each page against the file's policy */
	struct gmem_mempolicy now;
	struct gmem__nodes bits, usable, meant; /* of .now; this process's */
	bool any_node, relative; /* .now allows all, or is not known to */
	struct gmem_placement p;
	uint64_t start, len, told;
	uint64_t bad, bad_len; /* the misplaced run that is growing */
	int bad_node;
	bool stop;		  /* the caller wants no more runs */
	enum gmem_reason unknown; /* why some node is */
};

static void end_run(struct look *l)
{
	if (l->bad_len && !l->stop)
		l->stop = !gmem__call_run(l->p.misplaced_run, l->p.arg, l->bad,
					  l->bad_len, l->bad_node);
	l->bad_len = 0;
}

/*
 * From now on pages are compared with .now.  Whose cpuset relative nodes of the
 * file's were counted in is not known.
 */
static void take_policy(struct look *l)
{
	bool relative = l->now.flags & GMEM_MPOL_F_RELATIVE_NODES;

	l->any_node = !gmem__policy_meant(&l->now, &l->usable, &l->meant);
	l->relative = relative && (l->own || l->any_node);
}

/* The file's at the page that is mapped at @at. */
static int read_policy(struct look *l, void *at, struct gmem_error *err)
{
	struct gmem__nodes was = l->bits;
	struct gmem_mempolicy p = l->now;
	int r = gmem__policy_at(l->g->ctx, at, &l->now, l->bits.bits);

	if (r < 0)
		return gmem__policy_failed(r, &p, "get_mempolicy", err);
	if (p.mode != l->now.mode || p.flags != l->now.flags ||
	    memcmp(&was, &l->bits, sizeof(was)) != 0)
		take_policy(l);
	return 0;
}

static void count_page(struct look *l, uint64_t offset, int node)
{
	uint64_t page = l->g->ctx->page_size;

	if (node < 0) {
		l->p.unknown += page;
		/* move_pages() itself was refused; of a page it says EFAULT */
		l->unknown = node == -EPERM || node == -EACCES
				     ? GMEM_REASON_ACCESS_DENIED
				     : GMEM_REASON_PLACEMENT_UNKNOWN;
		return;
	}
	if (l->p.node_bytes && (uint64_t)node < l->p.node_count)
		l->p.node_bytes[node] += page;
	if (l->relative) {
		l->p.unknown += page;
		l->unknown = GMEM_REASON_RELATIVE_NODES;
		return;
	}
	if (l->any_node || gmem__nodes_have(&l->meant, (uint64_t)node))
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

/* The node of each page at @at, or a negative number. */
static void look_nodes(const struct gmem__ctx *ctx, unsigned char *at,
		       size_t pages, int node[BATCH])
{
	uint64_t page = ctx->page_size, len = pages * page, pos = 0;
	void *addr[BATCH];
	int r;

	for (size_t i = 0; i < pages; i++)
		addr[i] = at + i * page;
	/* A page with a memory error is unknown, those after it are not. */
	do {
		pos += gmem__populate_prefix(ctx, at + pos, len - pos,
					     MADV_POPULATE_READ, &r);
		if (r == -EHWPOISON)
			pos += page;
	} while (r == -EHWPOISON);
	if (r == 0)
		r = gmem__move_pages(ctx, pages, addr, NULL, node);
	for (size_t i = 0; r < 0 && i < pages; i++)
		node[i] = r;
}

/*
 * Up to BATCH resident pages at @offset, mapped at @at.  One that the kernel
 * is moving at this moment, as it does a memfd's, is not mapped until then.
 */
static int look_batch(struct look *l, uint64_t offset, unsigned char *at,
		      size_t pages, struct gmem_error *err)
{
	const struct gmem__ctx *ctx = l->g->ctx;
	int node[BATCH] = { 0 };
	int tries = 0, r = 0;
	size_t i;

	do {
		look_nodes(ctx, at, pages, node);
		for (i = 0; i < pages && node[i] != -ENOENT;)
			i++;
	} while (i < pages && ++tries < TRIES);
	for (i = 0; r == 0 && i < pages; i++) {
		if (l->own)
			r = read_policy(l, at + i * ctx->page_size, err);
		if (r == 0)
			count_page(l, offset + i * ctx->page_size, node[i]);
	}
	return r;
}

/* Between two steps; @pos bytes of the file were looked at. */
static int look_told(struct look *l, uint64_t pos, struct gmem_error *err)
{
	uint64_t done = pos - l->start;
	bool stop = l->stop;
	int r;

	if (done - l->told >= TELL || done == l->len) {
		l->told = done;
		stop |= !gmem__call_progress(l->p.progress, l->p.progress_arg,
					     done, l->len);
	}
	if (!stop && done == l->len)
		return 0;
	r = stop ? gmem__fail_cancelled(done, err)
		 : gmem__cancel_check(l->p.cancel, done, err);
	if (r < 0)
		gmem__set_done(err, done);
	return r;
}

static int look_window(struct look *l, const struct gmem__window *w,
		       struct gmem_error *err)
{
	uint64_t page = l->g->ctx->page_size, n, done;
	int r = 0;

	for (done = 0; r == 0 && done < w->len; done += n) {
		n = w->len - done;
		if (n > BATCH * page)
			n = BATCH * page;
		r = look_batch(l, w->offset + done, w->addr + done, n / page,
			       err);
		if (r < 0)
			return r;
		l->p.resident += n;
		r = look_told(l, w->offset + done + n, err);
	}
	return r;
}

static int look_run(struct look *l, uint64_t offset, uint64_t len,
		    struct gmem_error *err)
{
	struct gmem__window w;
	uint64_t n, done;
	int r = 0;

	for (done = 0; r == 0 && done < len; done += n) {
		n = len - done < GMEM__WINDOW ? len - done : GMEM__WINDOW;
		r = gmem__window_map(l->g, offset + done, n, PROT_READ, &w);
		if (r < 0)
			return gmem__window_failed(r, err);
		r = look_window(l, &w, err);
		gmem__window_close(l->g, &w);
	}
	return r;
}

/* Pages that the host cannot inspect. */
static int skip_run(struct look *l, uint64_t offset, uint64_t len,
		    struct gmem_error *err)
{
	l->p.unknown += len;
	l->p.resident += len;
	l->unknown = l->g->flags & GMEM_CREATE_MMAP ? GMEM_REASON_PRIVATE
						    : GMEM_REASON_NOT_MAPPABLE;
	return look_told(l, offset + len, err);
}

static int look_all(struct look *l, struct gmem_error *err)
{
	uint64_t pos = l->start, end = pos + l->len, run;
	bool touchable;
	int r = look_told(l, pos, err);

	while (r == 0) {
		r = gmem__next_resident(l->g, &pos, end, &run);
		if (r < 0)
			return gmem__residency_unknown(r, pos, err);
		if (run == 0)
			break;
		touchable = gmem__host_state(l->g, pos, run, &run) ==
				    GMEM__SHARED &&
			    (l->g->flags & GMEM_CREATE_MMAP);
		r = touchable ? look_run(l, pos, run, err)
			      : skip_run(l, pos, run, err);
		pos += run;
	}
	if (r < 0)
		return r;
	end_run(l);
	if (l->told == l->len && !l->stop)
		return 0;
	return look_told(l, end, err);
}

/* Looks, with @p as the policy, or without one against the file's. */
static int find_placement(struct gmem *g, uint64_t offset, uint64_t len,
			  const struct gmem_mempolicy *p,
			  struct gmem_placement *out, struct gmem_error *err)
{
	struct look l = {
		.g = g,
		.own = !p && gmem__keeps_policy(g),
		.p = *out,
		.start = offset,
		.len = len,
	};
	int r;

	l.now = (struct gmem_mempolicy){
		.sz = sizeof(l.now),
		.nodes = l.bits.bits,
		.max_node = GMEM__NODES,
	};
	if (p)
		l.now = *p;
	/* Without an answer none are, and relative nodes stay unknown. */
	if (l.now.flags & GMEM_MPOL_F_RELATIVE_NODES)
		(void)gmem__nodes_usable(g->ctx, &l.usable);
	take_policy(&l);
	l.p.resident = l.p.misplaced = l.p.unknown = 0;
	if (l.p.node_bytes)
		memset(l.p.node_bytes, 0,
		       l.p.node_count * sizeof(*l.p.node_bytes));
	r = look_all(&l, err);
	if (r < 0)
		return r;
	*out = l.p;
	out->verdict = GMEM_PLACED_WELL;
	out->why = GMEM_REASON_NONE;
	if (l.p.misplaced) {
		out->verdict = GMEM_PLACED_ELSEWHERE;
		out->why = GMEM_REASON_MISPLACED;
	} else if (l.p.unknown) {
		out->verdict = GMEM_PLACED_UNKNOWN;
		out->why = l.unknown;
	}
	return 0;
}

int gmem__placed(struct gmem *g, uint64_t offset, uint64_t len,
		 const struct gmem_mempolicy *p, struct gmem_error *err)
{
	struct gmem_placement out = { .sz = sizeof(out) };
	int r = find_placement(g, offset, len, p, &out, err);

	if (r < 0)
		return r;
	if (out.verdict == GMEM_PLACED_ELSEWHERE)
		return gmem__fail(err, GMEM_REASON_MISPLACED, out.misplaced,
				  out.resident,
				  "%" PRIu64 " of %" PRIu64
				  " resident bytes lie on other nodes, and "
				  "guest memory never moves",
				  out.misplaced, out.resident);
	if (out.verdict == GMEM_PLACED_UNKNOWN)
		return gmem__fail(err,
				  out.why == GMEM_REASON_RELATIVE_NODES
					  ? out.why
					  : GMEM_REASON_PLACEMENT_UNKNOWN,
				  out.unknown, out.resident,
				  "where %" PRIu64 " of %" PRIu64
				  " resident bytes lie is unknown",
				  out.unknown, out.resident);
	return 0;
}

int gmem_verify_placement(struct gmem *g, uint64_t offset, uint64_t len,
			  const struct gmem_mempolicy *policy,
			  struct gmem_placement *out, struct gmem_error *err)
{
	struct gmem_placement result;
	struct gmem_mempolicy p;
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
	if (policy) {
		r = gmem__policy_check(policy, &p, err);
		if (r < 0)
			return r;
	}
	r = find_placement(g, offset, len, policy ? &p : NULL, &result, err);
	if (r < 0)
		return r;
	gmem__out_copy(out, &result, sizeof(result));
	gmem__set_done(err, len);
	return 0;
}

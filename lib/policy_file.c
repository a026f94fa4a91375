// SPDX-License-Identifier: MIT
/*
 * A policy to populate with against those that the file has: from 6.19 on
 * these decide where a page goes, and the thread's own only where the file has
 * none.  No call tells where a policy of a file ends, so each page is asked.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "cancel.h"
#include "error.h"
#include "feature.h"
#include "file.h"
#include "policy.h"
#include "vm.h"
#include "window.h"

bool gmem__keeps_policy(const struct gmem *g)
{
	return g->flags & GMEM_CREATE_MMAP &&
	       (!g->vm ||
		g->vm->features[GMEM_FEATURE_MEMPOLICY].support != GMEM_NO);
}

static uint32_t mode_of(const struct gmem_mempolicy *p)
{
	return p->mode == GMEM_MPOL_PREFERRED && !gmem__any_node(p)
		       ? (uint32_t)GMEM_MPOL_LOCAL
		       : p->mode;
}

/* Whether both put pages on the same nodes, in the same way. */
static bool same(const struct gmem_mempolicy *a, const struct gmem_mempolicy *b)
{
	struct gmem__nodes all, of_a, of_b;

	/* Each number itself: those of two relative policies are compared. */
	memset(&all, 0xff, sizeof(all));
	(void)gmem__policy_meant(a, &all, &of_a);
	(void)gmem__policy_meant(b, &all, &of_b);
	return mode_of(a) == mode_of(b) &&
	       ((a->flags ^ b->flags) & GMEM_MPOL_F_RELATIVE_NODES) == 0 &&
	       memcmp(&of_a, &of_b, sizeof(of_a)) == 0;
}

static int refuse_policy(const struct gmem_mempolicy *file,
			 const struct gmem__nodes *nodes,
			 const struct gmem_mempolicy *p, uint64_t at,
			 struct gmem_error *err)
{
	const char *name = gmem_name(GMEM_NAME_MPOL, file->mode);
	char text[GMEM__NODES_TEXT];

	return gmem__fail(err, GMEM_REASON_POLICY_OF_FILE, at, 0,
			  "at offset 0x%" PRIx64
			  " the file has policy %s, nodes %s, and would "
			  "decide instead of policy %s",
			  at, name ? name : "of a newer kernel",
			  gmem__nodes_text(nodes, text),
			  gmem_name(GMEM_NAME_MPOL, p->mode));
}

static int check_window(const struct gmem *g, const struct gmem__window *w,
			const struct gmem_mempolicy *p, struct gmem_error *err)
{
	struct gmem__nodes nodes = { { 0 } };
	struct gmem_mempolicy file = {
		.sz = sizeof(file),
		.nodes = nodes.bits,
		.max_node = GMEM__NODES,
	};
	uint64_t page = g->ctx->page_size;
	int r;

	for (uint64_t at = 0; at < w->len; at += page) {
		r = gmem__policy_at(g->ctx, w->addr + at, &file, nodes.bits);
		if (r < 0)
			return gmem__policy_failed(r, &file, "get_mempolicy",
						   err);
		if (file.mode != GMEM_MPOL_DEFAULT && !same(&file, p))
			return refuse_policy(&file, &nodes, p, w->offset + at,
					     err);
	}
	return 0;
}

int gmem__policy_of_file(struct gmem *g, uint64_t offset, uint64_t len,
			 const struct gmem_mempolicy *p, const int *cancel,
			 struct gmem_error *err)
{
	struct gmem__window w;
	uint64_t end = offset + len, n;
	int r = 0;

	/* The default is no policy of the thread's own. */
	if (!gmem__keeps_policy(g) || p->mode == GMEM_MPOL_DEFAULT)
		return 0;
	for (; r == 0 && offset < end; offset += n) {
		r = gmem__cancel_check(cancel, 0, err);
		if (r < 0)
			return r;
		n = end - offset < GMEM__WINDOW ? end - offset : GMEM__WINDOW;
		r = gmem__window_map(g, offset, n, PROT_NONE, &w);
		if (r < 0)
			return gmem__window_failed(r, err);
		r = check_window(g, &w, p, err);
		gmem__window_close(g, &w);
	}
	return r;
}

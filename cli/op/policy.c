// SPDX-License-Identifier: MIT
/* The NUMA policy that a file keeps, and whether its pages obey one. */
#include <inttypes.h>
#include <stdio.h>

#include "op/op.h"
#include "report/error.h"
#include "report/json.h"
#include "report/progress.h"
#include "report/residency.h"
#include "report/words.h"

static void json_policy(json_object *o, const struct gmem_mempolicy *p,
			const char *nodes)
{
	json_text(o, "mode", policy_name(p->mode), "");
	json_object_object_add(o, "flags",
			       json_names(GMEM_NAME_MPOL_FLAG, p->flags));
	json_text(o, "nodes", nodes, "this policy has none");
}

int op_policy_get(struct work *w)
{
	struct gmem_mempolicy p;
	char nodes[NODES_TEXT];
	int r;

	r = policy_get(w->target.g, w->target.offset, &p, nodes, w->err);
	if (r < 0)
		return r;
	if (w->json) {
		json_policy(w->json, &p, *nodes ? nodes : NULL);
		return 0;
	}
	put_name(w);
	printf("%s%s%s%s", w->name ? "policy " : "", policy_name(p.mode),
	       *nodes ? " " : "", nodes);
	print_names(GMEM_NAME_MPOL_FLAG, p.flags);
	putchar('\n');
	return 0;
}

int op_policy_set(struct work *w, const struct policy_args *policy,
		  uint64_t flags)
{
	const struct target *t = &w->target;
	struct bitmask *mask = NULL;
	struct gmem_mempolicy p;
	int r = policy_make(w->ctl, policy, &p, &mask, w->err);

	if (!r)
		r = gmem_set_mempolicy(t->g, t->offset, t->len, &p, flags,
				       w->err);
	policy_free(mask);
	if (r < 0)
		return r;
	if (w->json)
		json_policy(w->json, &p, policy->nodes);
	return 0;
}

/* --------------------------------------------------------------- verify -- */

struct look {
	const struct work *w;
	json_object *runs;     /* NULL: print them */
	uint64_t bytes[NODES]; /* of each node */
	struct gmem_placement p;
	struct residency in;
};

/* Without knowing which pages are there, none can be found. */
static int all_unknown(struct look *l, struct gmem_error *err)
{
	const struct target *t = &l->w->target;
	int r = residency(t->g, NULL, t->offset, t->len, &l->in, err);

	l->in.least = true;
	l->p.verdict = GMEM_PLACED_UNKNOWN;
	l->p.why = GMEM_REASON_RESIDENCY_UNKNOWN;
	l->p.unknown = l->in.bytes;
	return r;
}

static int misplaced(void *arg, uint64_t offset, uint64_t len, int node)
{
	struct look *l = arg;
	char text[SIZE_TEXT];
	json_object *o;

	if (!l->runs) {
		put_name(l->w);
		printf("misplaced: 0x%" PRIx64 " %s on node %d\n", offset,
		       size_text(len, text), node);
		return 0;
	}
	o = json_object_new_object();
	json_u64(o, "offset", offset);
	json_u64(o, "len", len);
	json_u64(o, "node", (uint64_t)node);
	json_object_array_add(l->runs, o);
	return 0;
}

static void put_row(const struct look *l, const char *what, const char *text)
{
	put_name(l->w);
	printf("%s: %s\n", what, text);
}

static void verify_text(const struct look *l)
{
	char text[SIZE_TEXT], nodes[NODES_TEXT], in[RESIDENCY_TEXT];

	put_row(l, "placed", gmem_name(GMEM_NAME_PLACED, l->p.verdict));
	put_row(l, "resident", residency_text(&l->in, in));
	put_row(l, "misplaced", size_text(l->p.misplaced, text));
	put_row(l, "unknown",
		l->in.least ? residency_text(&l->in, in)
			    : size_text(l->p.unknown, text));
	put_row(l, "nodes", *nodes_text(l->bytes, nodes) ? nodes : "none");
	if (l->p.why) {
		put_name(l->w);
		printf("why: %s; %s\n", gmem_reason_str(l->p.why),
		       reason_remedy(l->p.why));
	}
}

static void verify_json(json_object *o, const struct look *l)
{
	json_text(o, "placed", gmem_name(GMEM_NAME_PLACED, l->p.verdict), "");
	json_text(o, "why", l->p.why ? gmem_reason_str(l->p.why) : NULL,
		  "every page lies where the policy says");
	residency_json(o, &l->in);
	json_u64(o, "misplaced", l->p.misplaced);
	if (*l->in.why)
		json_null(o, "unknown", l->in.why);
	else
		json_u64(o, "unknown", l->p.unknown);
	json_object_object_add(o, "node_bytes", nodes_json(l->bytes));
	json_object_object_add(o, "misplaced_runs", l->runs);
}

int op_policy_verify(struct work *w, const struct policy_args *policy,
		     uint32_t *placed)
{
	const struct target *t = &w->target;
	struct bitmask *mask = NULL;
	struct gmem_mempolicy p;
	struct progress bar;
	struct look l = {
		.w = w,
		.runs = w->json ? json_object_new_array() : NULL,
		.p = { .sz = sizeof(l.p),
		       .node_count = NODES,
		       .progress = progress_show,
		       .progress_arg = &bar,
		       .cancel = w->cancel },
	};
	int r = 0;

	l.p.node_bytes = l.bytes;
	l.p.misplaced_run = misplaced;
	l.p.arg = &l;
	if (policy->mode)
		r = policy_make(w->ctl, policy, &p, &mask, w->err);
	progress_start(&bar, "verify");
	if (!r)
		r = gmem_verify_placement(t->g, t->offset, t->len,
					  policy->mode ? &p : NULL, &l.p,
					  w->err);
	progress_end(&bar);
	policy_free(mask);
	l.in.bytes = l.p.resident;
	if (r < 0 && w->err->reason == GMEM_REASON_RESIDENCY_UNKNOWN)
		r = all_unknown(&l, w->err);
	if (r < 0)
		json_object_put(l.runs);
	else if (w->json)
		verify_json(w->json, &l);
	else
		verify_text(&l);
	*placed = l.p.verdict;
	return r;
}

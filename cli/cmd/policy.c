// SPDX-License-Identifier: MIT
/* The NUMA policy that a file keeps, and whether its pages obey one. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "report/error.h"
#include "report/json.h"
#include "report/output.h"
#include "report/progress.h"
#include "report/words.h"
#include "table/command.h"
#include "target/policy.h"
#include "target/priv.h"
#include "target/target.h"

struct args {
	struct target_args target;
	struct policy_args policy; /* .mode of --against */
	const char *set;
	uint64_t set_flags;
	bool get, verify;
};

#define AT(member) offsetof(struct args, member)

static struct args args;

static const struct opt opts[] = {
	{ "get", NULL, OPT_BOOL, AT(get),
	  .help = "show the policy at --offset (if nothing else is asked)" },
	{ "set", "MODE", OPT_TEXT, AT(set), .names = GMEM_NAME_MPOL,
	  .help = "make this the policy of the range" },
	{ "verify", NULL, OPT_BOOL, AT(verify),
	  .help = "exit 4 unless the pages lie as the policy says" },
	{ "against", "MODE", OPT_TEXT, AT(policy.mode), .names = GMEM_NAME_MPOL,
	  .help = "with --verify: verify against this one" },
	{ "nodes", "SET", OPT_TEXT, AT(policy.nodes),
	  .help = "the policy's NUMA nodes, such as 0-3 or all" },
	{ "static-nodes", NULL, OPT_BITS, AT(policy.flags),
	  .bits = GMEM_MPOL_F_STATIC_NODES,
	  .help = "--nodes stay as they are when a cpuset changes" },
	{ "relative-nodes", NULL, OPT_BITS, AT(policy.flags),
	  .bits = GMEM_MPOL_F_RELATIVE_NODES,
	  .help = "--nodes count those that a cpuset allows" },
	{ "numa-balancing", NULL, OPT_BITS, AT(policy.flags),
	  .bits = GMEM_MPOL_F_NUMA_BALANCING,
	  .help = "balance between the nodes of bind" },
	{ "strict", NULL, OPT_BITS, AT(set_flags),
	  .bits = GMEM_MEMPOLICY_STRICT,
	  .help = "with --set: not if a page lies elsewhere already" },
	TARGET_SHARED,
	{ .name = NULL },
};

static void json_policy(json_object *o, const struct gmem_mempolicy *p,
			const char *nodes)
{
	json_text(o, "mode", policy_name(p->mode), "");
	json_object_object_add(o, "flags",
			       json_names(GMEM_NAME_MPOL_FLAG, p->flags));
	json_text(o, "nodes", nodes, "this policy has none");
}

static int get(struct ctl *ctl, const struct args *a, const struct target *t)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_mempolicy p;
	char nodes[NODES_TEXT];
	json_object *o;

	if (policy_get(t->g, t->offset, &p, nodes, &err) < 0)
		return gmem_failed(ctl, &err, NULL);
	if (ctl->json) {
		o = target_json(ctl, &a->target, t);
		json_policy(o, &p, *nodes ? nodes : NULL);
		out_json(ctl, o);
	} else {
		printf("%s%s%s", policy_name(p.mode), *nodes ? " " : "", nodes);
		print_names(GMEM_NAME_MPOL_FLAG, p.flags);
		putchar('\n');
	}
	return CTL_OK;
}

static int set(struct ctl *ctl, const struct args *a, const struct target *t)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct policy_args words = a->policy;
	struct bitmask *mask = NULL;
	struct gmem_mempolicy p;
	json_object *o;
	int r;

	words.mode = a->set;
	r = policy_make(ctl, &words, &p, &mask, &err);
	if (!r)
		r = gmem_set_mempolicy(t->g, t->offset, t->len, &p,
				       a->set_flags, &err);
	policy_free(mask);
	if (r < 0)
		return gmem_failed(ctl, &err, NULL);
	if (ctl->json) {
		o = target_json(ctl, &a->target, t);
		json_policy(o, &p, a->policy.nodes);
		out_json(ctl, o);
	}
	return CTL_OK;
}

/* --------------------------------------------------------------- verify -- */

struct look {
	json_object *runs;     /* NULL: print them */
	uint64_t bytes[NODES]; /* of each node */
	struct gmem_placement p;
};

static void misplaced(void *arg, uint64_t offset, uint64_t len, int node)
{
	struct look *l = arg;
	char text[SIZE_TEXT];
	json_object *o;

	if (!l->runs) {
		printf("misplaced: 0x%" PRIx64 " %s on node %d\n", offset,
		       size_text(len, text), node);
		return;
	}
	o = json_object_new_object();
	json_u64(o, "offset", offset);
	json_u64(o, "len", len);
	json_u64(o, "node", (uint64_t)node);
	json_object_array_add(l->runs, o);
}

static void verify_text(const struct look *l, int r)
{
	char text[SIZE_TEXT], nodes[NODES_TEXT];

	printf("placed: %s\n", gmem_name(GMEM_NAME_SUPPORT, (uint64_t)r));
	printf("resident: %s\n", size_text(l->p.resident, text));
	printf("misplaced: %s\n", size_text(l->p.misplaced, text));
	printf("unknown: %s\n", size_text(l->p.unknown, text));
	printf("nodes: %s\n", *nodes_text(l->bytes, nodes) ? nodes : "none");
}

static int verify(struct ctl *ctl, const struct args *a, const struct target *t)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct bitmask *mask = NULL;
	struct gmem_mempolicy p;
	struct look l = {
		.runs = ctl->json ? json_object_new_array() : NULL,
		.p = { .sz = sizeof(l.p),
		       .node_count = NODES,
		       .progress = progress_show,
		       .cancel = cancel_on_signals() },
	};
	struct progress bar;
	json_object *o;
	int r = 0;

	l.p.node_bytes = l.bytes;
	l.p.misplaced_run = misplaced;
	l.p.arg = &l;
	if (a->policy.mode)
		r = policy_make(ctl, &a->policy, &p, &mask, &err);
	progress_start(&bar, "verify");
	l.p.progress_arg = &bar;
	if (!r)
		r = gmem_verify_placement(t->g, t->offset, t->len,
					  a->policy.mode ? &p : NULL, &l.p,
					  &err);
	progress_end(&bar);
	policy_free(mask);
	if (r < 0) {
		json_object_put(l.runs);
		return gmem_failed(ctl, &err, NULL);
	}
	if (ctl->json) {
		o = target_json(ctl, &a->target, t);
		json_text(o, "placed",
			  gmem_name(GMEM_NAME_SUPPORT, (uint64_t)r), "");
		json_u64(o, "resident", l.p.resident);
		json_u64(o, "misplaced", l.p.misplaced);
		json_u64(o, "unknown", l.p.unknown);
		json_object_object_add(o, "node_bytes", nodes_json(l.bytes));
		json_object_object_add(o, "misplaced_runs", l.runs);
		out_json(ctl, o);
	} else {
		verify_text(&l, r);
	}
	return r == GMEM_YES ? CTL_OK : CTL_CHECK;
}

/* -------------------------------------------------------------- command -- */

static int check(struct ctl *ctl, const struct args *a)
{
	struct policy_args words = a->policy;
	const char *problem;

	if (a->get + a->verify + !!a->set > 1)
		return usage_error(ctl, "--get, --set and --verify exclude "
					"each other");
	if (a->policy.mode && !a->verify)
		return usage_error(ctl, "--against goes with --verify");
	if (a->set_flags && !a->set)
		return usage_error(ctl, "--strict goes with --set");
	if (a->set)
		words.mode = a->set;
	if (!words.mode && (words.nodes || words.flags))
		return usage_error(ctl, "nodes and their flags go with --set "
					"or --against");
	problem = policy_problem(&words);
	if (problem)
		return usage_error(ctl, "--nodes: '%s' %s", words.nodes,
				   problem);
	return 0;
}

static int run(struct ctl *ctl)
{
	const struct args *a = &args;
	struct target t;
	int status;

	status = check(ctl, a);
	if (!status)
		status = target_open(ctl, &a->target, &t);
	if (status)
		return status;
	status = priv_drop(ctl);
	if (!status)
		status = a->set	     ? set(ctl, a, &t)
			 : a->verify ? verify(ctl, a, &t)
				     : get(ctl, a, &t);
	(void)gmem_close(t.g, NULL);
	return status;
}

const struct cmd cmd_policy = {
	.name = "policy",
	.args = TARGET_USAGE "[--get] [--set MODE] [--verify] [OPTIONS]",
	.summary = "show, set or verify a file's NUMA policy",
	.text = "--verify looks at pages only with --shared.  Exit status of "
		"--verify: 0 all lie as the policy says, 4 some do not, or it "
		"could not be found out.",
	.opts = opts,
	.more_opts = target_opts,
	.values = &args,
	.run = run,
	.flags = CMD_JSON,
};

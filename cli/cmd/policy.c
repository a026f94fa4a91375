// SPDX-License-Identifier: MIT
/* The NUMA policy that a file keeps, and whether its pages obey one. */
#include "cmd/on_file.h"
#include "report/output.h"
#include "report/progress.h"
#include "table/command.h"

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
	  .help = "refused: guest memory never moves" },
	{ "strict", NULL, OPT_BITS, AT(set_flags),
	  .bits = GMEM_MEMPOLICY_STRICT,
	  .help = "with --set: refuse if a page lies elsewhere already" },
	TARGET_SHARED,
	{ .name = NULL },
};

static int check_args(struct ctl *ctl, const struct args *a)
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

static int set(struct work *w)
{
	struct policy_args policy = args.policy;

	policy.mode = args.set;
	return op_policy_set(w, &policy, args.set_flags);
}

static int verify(struct work *w)
{
	uint32_t placed = GMEM_PLACED_UNKNOWN;
	int r;

	w->cancel = cancel_on_signals();
	r = op_policy_verify(w, &args.policy, &placed);
	if (r < 0)
		return r;
	return placed == GMEM_PLACED_WELL ? CTL_OK : CTL_CHECK;
}

static int run(struct ctl *ctl)
{
	int status = check_args(ctl, &args);

	if (status)
		return status;
	return on_file(ctl, &args.target, NULL,
		       args.set	     ? set
		       : args.verify ? verify
				     : op_policy_get);
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

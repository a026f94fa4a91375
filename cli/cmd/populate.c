// SPDX-License-Identifier: MIT
#include "cmd/on_file.h"
#include "report/output.h"
#include "report/progress.h"
#include "table/command.h"

struct args {
	struct target_args target;
	struct policy_args policy;
	struct opt_u32 threads;
};

static struct args args;

static const struct opt opts[] = {
	TARGET_SHARED,
	TARGET_CHARGE,
	TARGET_UNCHECKED,
	{ "threads", "N", OPT_U32, offsetof(struct args, threads), .min = 1,
	  .max = POPULATE_THREADS,
	  .help = "number of threads that allocate, up to 256 (1)" },
	{ "policy", "MODE", OPT_TEXT, offsetof(struct args, policy.mode),
	  .names = GMEM_NAME_MPOL,
	  .help = "NUMA policy of the pages that it allocates" },
	{ "nodes", "SET", OPT_TEXT, offsetof(struct args, policy.nodes),
	  .help = "the policy's NUMA nodes, such as 0-3 or all" },
	{ .name = NULL },
};

static int populate(struct work *w)
{
	w->cancel = cancel_on_signals();
	w->unchecked = args.target.unchecked;
	return op_populate(w, args.threads.value, &args.policy);
}

static int run(struct ctl *ctl)
{
	const char *problem = policy_problem(&args.policy);

	if (problem)
		return usage_error(ctl, "--nodes: '%s' %s", args.policy.nodes,
				   problem);
	return on_file_charged(ctl, &args.target, "populated", populate);
}

const struct cmd cmd_populate = {
	.name = "populate",
	.args = TARGET_USAGE "[OPTIONS]",
	.summary = "allocate a file's memory before a guest needs it",
	.text = "SIGINT ends it early; what was done is reported. "
		" " WORK_STATUS,
	.opts = opts,
	.more_opts = target_opts,
	.values = &args,
	.run = run,
	.flags = CMD_JSON,
};

// SPDX-License-Identifier: MIT
#include "cmd/work.h"
#include "report/output.h"
#include "report/progress.h"
#include "report/words.h"
#include "table/command.h"
#include "target/policy.h"
#include "target/priv.h"
#include "target/target.h"

struct args {
	struct target_args target;
	struct policy_args policy;
	struct opt_u32 threads;
};

static struct args args;

static const struct opt opts[] = {
	TARGET_SHARED,
	{ "threads", "N", OPT_U32, offsetof(struct args, threads),
	  .help = "threads that do the work (1)" },
	{ "policy", "MODE", OPT_TEXT, offsetof(struct args, policy.mode),
	  .names = GMEM_NAME_MPOL, .help = "for the pages that are made" },
	{ "nodes", "SET", OPT_TEXT, offsetof(struct args, policy.nodes),
	  .help = "the policy's NUMA nodes, such as 0-3 or all" },
	{ .name = NULL },
};

static int populate(struct ctl *ctl, const struct args *a,
		    const struct target *t)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_populate_opts how = {
		.sz = sizeof(how),
		.progress = progress_show,
		.cancel = cancel_on_signals(),
		.threads = a->threads.value,
	};
	struct gmem_mempolicy policy;
	struct progress bar;
	struct bitmask *mask = NULL;
	int r = 0;

	if (a->policy.mode) {
		r = policy_make(ctl, &a->policy, &policy, &mask, &err);
		how.policy = &policy;
	}
	progress_start(&bar, "populate");
	how.progress_arg = &bar;
	if (!r)
		r = gmem_populate(t->g, t->offset, t->len, &how, &err);
	progress_end(&bar);
	policy_free(mask);
	return work_end(ctl, &a->target, t, "populated", r, &err);
}

static int run(struct ctl *ctl)
{
	const struct args *a = &args;
	const char *problem = policy_problem(&a->policy);
	struct target t;
	int status;

	if (problem)
		return usage_error(ctl, "--nodes: '%s' %s", a->policy.nodes,
				   problem);
	status = target_open(ctl, &a->target, &t);
	if (status)
		return status;
	status = priv_drop(ctl);
	if (!status)
		status = populate(ctl, a, &t);
	(void)gmem_close(t.g, NULL);
	return status;
}

const struct cmd cmd_populate = {
	.name = "populate",
	.args = TARGET_USAGE "[OPTIONS]",
	.summary = "allocate a file's memory before a guest needs it",
	.text = "SIGINT ends it early; what was done is said.  " WORK_STATUS,
	.opts = opts,
	.more_opts = target_opts,
	.values = &args,
	.run = run,
	.flags = CMD_JSON,
};

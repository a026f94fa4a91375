// SPDX-License-Identifier: MIT
#include "cmd/work.h"

struct populate_args {
	struct target_args target;
	struct policy_args policy;
	struct opt_u32 threads;
};

const struct opt populate_opts[] = {
	TARGET_SHARED,
	{ "threads", "N", OPT_U32, offsetof(struct populate_args, threads),
	  .help = "threads that do the work (1)" },
	{ "policy", "MODE", OPT_TEXT,
	  offsetof(struct populate_args, policy.mode), .values = policy_names,
	  .help = "for the pages that are made" },
	{ "nodes", "SET", OPT_TEXT,
	  offsetof(struct populate_args, policy.nodes),
	  .help = "the policy's NUMA nodes, such as 0-3 or all" },
	{ .name = NULL },
};

static int populate(struct ctl *ctl, const struct populate_args *a,
		    const struct target *t)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_populate_opts opts = {
		.sz = sizeof(opts),
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
		opts.policy = &policy;
	}
	progress_start(&bar, "populate");
	opts.progress_arg = &bar;
	if (!r)
		r = gmem_populate(t->g, t->offset, t->len, &opts, &err);
	progress_end(&bar);
	policy_free(mask);
	return work_end(ctl, &a->target, t, "populated", r, &err);
}

int cmd_populate(struct ctl *ctl, int argc, char **argv)
{
	struct populate_args a = { .policy = { .mode = NULL } };
	const char *problem;
	struct target t;
	int status;

	if (opts_parse(ctl, argc, argv, &a) < 0)
		return ctl->status;
	problem = policy_problem(&a.policy);
	if (problem)
		return usage_error(ctl, "--nodes: '%s' %s", a.policy.nodes,
				   problem);
	status = target_open(ctl, &a.target, &t);
	if (status)
		return status;
	status = priv_drop(ctl);
	if (!status)
		status = populate(ctl, &a, &t);
	(void)gmem_close(t.g, NULL);
	return status;
}

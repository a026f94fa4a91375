// SPDX-License-Identifier: MIT
#include "cmd/on_file.h"
#include "report/output.h"
#include "report/progress.h"
#include "table/command.h"

struct args {
	struct target_args target;
	bool yes;
};

static struct args args;

static const struct opt opts[] = {
	{ "yes-destroy", NULL, OPT_BOOL, offsetof(struct args, yes),
	  .help = "with --pid: yes, destroy what is in its memory" },
	{ .name = NULL },
};

static int discard(struct work *w)
{
	w->cancel = cancel_on_signals();
	return op_discard(w);
}

static int run(struct ctl *ctl)
{
	if (args.target.pid.given && !args.yes)
		return usage_error(ctl, "the memory of another process is "
					"destroyed only with --yes-destroy");
	return on_file(ctl, &args.target, "discarded", discard);
}

const struct cmd cmd_discard = {
	.name = "discard",
	.args = TARGET_USAGE "[OPTIONS]",
	.summary = "free a file's memory, which then reads as zero",
	.opts = opts,
	.more_opts = target_opts,
	.values = &args,
	.run = run,
	.flags = CMD_JSON,
};

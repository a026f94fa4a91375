// SPDX-License-Identifier: MIT
#include "cmd/work.h"
#include "report/output.h"
#include "report/progress.h"
#include "table/command.h"
#include "target/priv.h"
#include "target/target.h"

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

static int discard(struct ctl *ctl, const struct args *a,
		   const struct target *t)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_discard_opts how = {
		.sz = sizeof(how),
		.progress = progress_show,
		.cancel = cancel_on_signals(),
	};
	struct progress bar;
	int r;

	progress_start(&bar, "discard");
	how.progress_arg = &bar;
	r = gmem_discard(t->g, t->offset, t->len, &how, &err);
	progress_end(&bar);
	return work_end(ctl, &a->target, t, "discarded", r, &err);
}

static int run(struct ctl *ctl)
{
	const struct args *a = &args;
	struct target t;
	int status;

	if (a->target.pid.given && !a->yes)
		return usage_error(ctl, "the memory of another process is "
					"destroyed only with --yes-destroy");
	status = target_open(ctl, &a->target, &t);
	if (status)
		return status;
	status = priv_drop(ctl);
	if (!status)
		status = discard(ctl, a, &t);
	(void)gmem_close(t.g, NULL);
	return status;
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

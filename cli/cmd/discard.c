// SPDX-License-Identifier: MIT
#include "cmd/work.h"

struct discard_args {
	struct target_args target;
	bool yes;
};

const struct opt discard_opts[] = {
	{ "yes-destroy", NULL, OPT_BOOL, offsetof(struct discard_args, yes),
	  .help = "with --pid: yes, destroy what is in its memory" },
	{ .name = NULL },
};

static int discard(struct ctl *ctl, const struct discard_args *a,
		   const struct target *t)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_discard_opts opts = {
		.sz = sizeof(opts),
		.progress = progress_show,
		.cancel = cancel_on_signals(),
	};
	struct progress bar;
	int r;

	progress_start(&bar, "discard");
	opts.progress_arg = &bar;
	r = gmem_discard(t->g, t->offset, t->len, &opts, &err);
	progress_end(&bar);
	return work_end(ctl, &a->target, t, "discarded", r, &err);
}

int cmd_discard(struct ctl *ctl, int argc, char **argv)
{
	struct discard_args a = { .yes = false };
	struct target t;
	int status;

	if (opts_parse(ctl, argc, argv, &a) < 0)
		return ctl->status;
	if (a.target.pid.given && !a.yes)
		return usage_error(ctl, "the memory of another process is "
					"destroyed only with --yes-destroy");
	status = target_open(ctl, &a.target, &t);
	if (status)
		return status;
	status = priv_drop(ctl);
	if (!status)
		status = discard(ctl, &a, &t);
	(void)gmem_close(t.g, NULL);
	return status;
}

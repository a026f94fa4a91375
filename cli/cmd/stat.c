// SPDX-License-Identifier: MIT
#include "cmd/on_file.h"
#include "table/command.h"

static struct target_args args;

static int run(struct ctl *ctl)
{
	return on_file(ctl, &args, NULL, op_stat);
}

const struct cmd cmd_stat = {
	.name = "stat",
	.args = TARGET_USAGE "[OPTIONS]",
	.summary = "show size and residency of a guest_memfd",
	.more_opts = target_opts,
	.values = &args,
	.run = run,
	.flags = CMD_JSON,
};

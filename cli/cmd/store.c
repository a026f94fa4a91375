// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cmd/on_file.h"
#include "report/error.h"
#include "report/output.h"
#include "report/progress.h"
#include "table/command.h"

struct args {
	struct target_args target;
	struct opt_size output_offset;
	struct output out;
};

static struct args args;

static const struct opt opts[] = {
	TARGET_SHARED,
	{ "output-offset", "OFFSET", OPT_SIZE,
	  offsetof(struct args, output_offset),
	  .help = "where in FILE the first byte goes; the rest of FILE stays" },
	{ .name = NULL },
};

static int store(struct work *w)
{
	w->cancel = cancel_on_signals();
	return op_store(w, &args.out,
			args.output_offset.given ? &args.output_offset.value
						 : NULL);
}

static int run(struct ctl *ctl)
{
	const char *path = ctl->operands[0];
	int status, r;

	if (!strcmp(path, "-")) {
		if (ctl->json)
			return usage_error(ctl, "--json and - both write to "
						"the standard output");
		/* It writes that itself, as cat(1) does. */
		out_give_back();
		args.out = (struct output){ .fd = STDOUT_FILENO };
		return on_file(ctl, &args.target, "stored", store);
	}
	r = output_open(&args.out, path);
	if (r < 0)
		return system_error(ctl, -r, "%s", path);
	status = on_file(ctl, &args.target, "stored", store);
	r = output_close(&args.out);
	return r < 0 && !status ? system_error(ctl, -r, "%s", path) : status;
}

const struct cmd cmd_store = {
	.name = "store",
	.args = TARGET_USAGE "[OPTIONS] FILE|-",
	.summary = "write guest memory to a file or a pipe",
	.text = "What is not allocated becomes a hole of FILE.  SIGINT ends it "
		"early; what was done is reported.  " WORK_STATUS,
	.opts = opts,
	.more_opts = target_opts,
	.values = &args,
	.run = run,
	.operands = { 1, 1, "one file is needed, or - for standard output" },
	.flags = CMD_JSON,
};

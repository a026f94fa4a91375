// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cmd/on_file.h"
#include "report/output.h"
#include "report/progress.h"
#include "table/command.h"

struct args {
	struct target_args target;
	struct opt_size input_offset;
	int fd; /* of the input */
};

static struct args args;

static const struct opt opts[] = {
	TARGET_SHARED,
	TARGET_CHARGE,
	TARGET_UNCHECKED,
	{ "input-offset", "OFFSET", OPT_SIZE,
	  offsetof(struct args, input_offset),
	  .help = "where in FILE the first byte is (0)" },
	{ .name = NULL },
};

static int load(struct work *w)
{
	w->cancel = cancel_on_signals();
	w->unchecked = args.target.unchecked;
	/* A range that was asked for is to be filled, the file need not be. */
	return op_load(w, args.fd,
		       args.input_offset.given ? &args.input_offset.value
					       : NULL,
		       !args.target.len.given);
}

static int run(struct ctl *ctl)
{
	const char *path = ctl->operands[0];
	int status;

	args.fd = STDIN_FILENO;
	if (strcmp(path, "-"))
		args.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (args.fd < 0)
		return system_error(ctl, errno, "%s", path);
	status = on_file_charged(ctl, &args.target, "loaded", load);
	if (args.fd > STDERR_FILENO)
		(void)close(args.fd);
	return status;
}

const struct cmd cmd_load = {
	.name = "load",
	.args = TARGET_USAGE "[OPTIONS] FILE|-",
	.summary = "read an image or a pipe into guest memory",
	.text = "Without --len the input may end before the file does.  "
		"SIGINT ends it early; what was done is reported. "
		" " WORK_STATUS,
	.opts = opts,
	.more_opts = target_opts,
	.values = &args,
	.run = run,
	.operands = { 1, 1, "one file is needed, or - for standard input" },
	.flags = CMD_JSON,
};

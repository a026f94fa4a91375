// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cmd/work.h"
#include "report/output.h"
#include "report/progress.h"
#include "table/command.h"
#include "target/load.h"
#include "target/priv.h"
#include "target/target.h"

static struct target_args args;

static const struct opt opts[] = {
	TARGET_SHARED,
	{ .name = NULL },
};

static int load(struct ctl *ctl, const struct target_args *a,
		const struct target *t, int fd)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_load_opts how = {
		.sz = sizeof(how),
		.progress = progress_show,
		.cancel = cancel_on_signals(),
	};
	struct progress bar;
	int r;

	/* A range that was asked for is to be filled, the file need not be. */
	if (!a->len.given)
		how.flags = GMEM_LOAD_UNTIL_EOF;
	progress_start(&bar, "load");
	how.progress_arg = &bar;
	r = load_all(t->g, t->offset, t->len, fd, &how, &err);
	progress_end(&bar);
	return work_end(ctl, a, t, "loaded", r, &err);
}

static int run(struct ctl *ctl)
{
	int status, fd = STDIN_FILENO;
	struct target t;

	status = target_open(ctl, &args, &t);
	if (status)
		return status;
	if (strcmp(ctl->operands[0], "-"))
		fd = open(ctl->operands[0], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		status = system_error(ctl, errno, "%s", ctl->operands[0]);
	if (!status)
		status = priv_drop(ctl);
	if (!status)
		status = load(ctl, &args, &t, fd);
	if (fd > STDERR_FILENO)
		(void)close(fd);
	(void)gmem_close(t.g, NULL);
	return status;
}

const struct cmd cmd_load = {
	.name = "load",
	.args = TARGET_USAGE "[OPTIONS] FILE|-",
	.summary = "read an image or a pipe into guest memory",
	.text = "Without --len the input may end before the file does.  "
		"SIGINT ends it early; what was done is said.  " WORK_STATUS,
	.opts = opts,
	.more_opts = target_opts,
	.values = &args,
	.run = run,
	.operands = { 1, 1, "one file is needed, or - for standard input" },
	.flags = CMD_JSON,
};

// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cmd/work.h"

const struct opt load_opts[] = {
	TARGET_SHARED,
	{ .name = NULL },
};

static int load(struct ctl *ctl, const struct target_args *a,
		const struct target *t, int fd)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_load_opts opts = {
		.sz = sizeof(opts),
		.progress = progress_show,
		.cancel = cancel_on_signals(),
	};
	struct progress bar;
	int r;

	/* A range that was asked for is to be filled, the file need not be. */
	if (!a->len.given)
		opts.flags = GMEM_LOAD_UNTIL_EOF;
	progress_start(&bar, "load");
	opts.progress_arg = &bar;
	r = load_all(t->g, t->offset, t->len, fd, &opts, &err);
	progress_end(&bar);
	return work_end(ctl, a, t, "loaded", r, &err);
}

int cmd_load(struct ctl *ctl, int argc, char **argv)
{
	struct target_args a = { .shared = false };
	int n = opts_parse(ctl, argc, argv, &a);
	int status, fd = STDIN_FILENO;
	struct target t;

	if (n < 0)
		return ctl->status;
	if (n != 1)
		return usage_error(ctl, "one file is needed, or - for standard "
					"input");
	status = target_open(ctl, &a, &t);
	if (status)
		return status;
	if (strcmp(argv[0], "-"))
		fd = open(argv[0], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		status = system_error(ctl, errno, "%s", argv[0]);
	if (!status)
		status = priv_drop(ctl);
	if (!status)
		status = load(ctl, &a, &t, fd);
	if (fd > STDERR_FILENO)
		(void)close(fd);
	(void)gmem_close(t.g, NULL);
	return status;
}

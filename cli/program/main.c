// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd.h"

/*
 * A KVM file must never become standard output because that was closed.
 * What fills the gap fails every use, as the closed one would, and is
 * close-on-exec, so that a program run from here finds it closed again.
 */
static int guard_standard_fds(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		int mode = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;

		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", mode | O_CLOEXEC) != fd)
			return -1;
	}
	return 0;
}

/* An option given before the command holds only if the command takes it. */
static int check_common(struct ctl *ctl)
{
	const struct opt *list[CMD_OPTS_MAX];
	unsigned int taken = 0;
	char text[40];
	size_t n = cmd_opts(ctl_leaf(ctl), list);

	for (size_t i = 0; i < n; i++)
		for (size_t c = 0; common_opts[c].name; c++)
			if (list[i] == &common_opts[c])
				taken |= 1U << c;
	for (size_t c = 0; common_opts[c].name; c++)
		if (ctl->common & ~taken & 1U << c) {
			ctl->json = false;
			(void)snprintf(text, sizeof(text), "--%s",
				       common_opts[c].name);
			return opt_refused(ctl, &common_opts[c], text);
		}
	return 0;
}

static int dispatch(struct ctl *ctl, int argc, char **argv)
{
	int n = opts_parse(ctl, argc, argv, NULL);
	int r;

	if (n < 0)
		return ctl->status;
	if (!n)
		return usage_error(ctl, "no command given");
	ctl->cmd = find_cmd(commands, argv[0]);
	if (!ctl->cmd)
		return usage_error(ctl, "unknown command '%s'", argv[0]);
	argv++;
	if (ctl->cmd->subs) {
		n = opts_parse(ctl, n - 1, argv, NULL);
		if (n < 0)
			return ctl->status;
		if (!n)
			return usage_error(ctl, "no call given");
		ctl->sub = find_cmd(ctl->cmd->subs, argv[0]);
		if (!ctl->sub)
			return usage_error(ctl, "unknown call '%s'", argv[0]);
		argv++;
	}
	r = check_common(ctl);
	return r ? r : ctl_leaf(ctl)->run(ctl, n - 1, argv);
}

int main(int argc, char **argv)
{
	/* A reader that went away is a write error like any other. */
	struct ctl ctl = { .sigpipe = signal(SIGPIPE, SIG_IGN) };

	if (guard_standard_fds() < 0)
		return CTL_FAILED;
	return out_finish(&ctl, dispatch(&ctl, argc - 1, argv + 1));
}

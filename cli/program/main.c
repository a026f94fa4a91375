// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <gmem.h>

#include "program/help.h"
#include "program/list.h"
#include "program/opts.h"
#include "program/program.h"
#include "report/json.h"

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

/* Of gmemctl, whichever command was named. */
static void version(struct ctl *ctl)
{
	json_object *o;

	if (!ctl->json) {
		printf("gmemctl %s\n", gmem_version());
		return;
	}
	ctl->command = NULL;
	o = json_new(ctl);
	json_text(o, "version", gmem_version(), "");
	out_json(ctl, o);
}

/* The command is not run, since its options ask for something else. */
static int answer(struct program *p, int asked)
{
	switch (asked) {
	case OPTS_HELP:
		print_help(p->cmd, p->sub);
		return CTL_OK;
	case OPTS_VERSION:
		version(&p->ctl);
		return CTL_OK;
	case OPTS_MODELS:
		model_help(&p->ctl);
		return CTL_OK;
	default:
		return p->status;
	}
}

static int run(struct program *p, int argc, char **argv)
{
	const struct cmd *cmd = program_cmd(p);
	int n = opts_check_common(p);

	if (n)
		return n;
	n = opts_parse(p, argc, argv);
	if (n < 0)
		return answer(p, n);
	argv[n] = NULL;
	p->ctl.operands = argv;
	p->ctl.n_operands = n;
	return cmd->run(&p->ctl);
}

static int dispatch(struct program *p, int argc, char **argv)
{
	struct ctl *ctl = &p->ctl;
	int n = opts_parse(p, argc, argv);

	if (n < 0)
		return answer(p, n);
	if (!n)
		return usage_error(ctl, "no command given");
	p->cmd = find_cmd(commands, argv[0]);
	if (!p->cmd)
		return unknown_cmd(ctl, "command", commands, argv[0]);
	ctl->command = p->cmd->name;
	ctl->wraps = p->cmd->flags & CMD_WRAPS;
	argv++;
	if (p->cmd->subs) {
		n = opts_parse(p, n - 1, argv);
		if (n < 0)
			return answer(p, n);
		if (!n)
			return usage_error(ctl, "no call given");
		p->sub = find_cmd(p->cmd->subs, argv[0]);
		if (!p->sub)
			return unknown_cmd(ctl, "call", p->cmd->subs, argv[0]);
		ctl->call = p->sub->name;
		argv++;
	}
	return run(p, n - 1, argv);
}

int main(int argc, char **argv)
{
	struct program p = { .ctl = { .kvm = &p.kvm } };

	out_begin();
	if (guard_standard_fds() < 0)
		return CTL_FAILED;
	return out_finish(&p.ctl, dispatch(&p, argc - 1, argv + 1));
}

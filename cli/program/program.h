/* SPDX-License-Identifier: MIT */
/* One run of gmemctl, and the options that many commands take. */
#ifndef GMEMCTL_PROGRAM_PROGRAM_H
#define GMEMCTL_PROGRAM_PROGRAM_H

#include "report/output.h"
#include "table/command.h"
#include "target/vm.h"

struct program {
	struct ctl ctl; /* what the command sees of it */
	struct kvm kvm;
	const struct cmd *cmd; /* NULL before it is known */
	const struct cmd *sub; /* of .cmd; NULL if it has none */
	unsigned int common;   /* bit i: common_opts[i] was given */
	int status;	       /* when opts_parse() ended the command */
};

/* The command that is run: the sub-command where there is one. */
const struct cmd *program_cmd(const struct program *p);

extern const struct opt common_opts[]; /* of struct program */

/* The options of @cmd and the common ones that it takes; NULL: of gmemctl. */
#define CMD_OPTS_MAX 32
size_t cmd_opts(const struct cmd *cmd, const struct opt *list[CMD_OPTS_MAX]);

/* The fixed words that an option takes; NULL past the last. */
const char *opt_value(const struct opt *o, uint32_t index);

#endif

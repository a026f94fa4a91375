/* SPDX-License-Identifier: MIT */
#ifndef GMEMCTL_PROGRAM_HELP_H
#define GMEMCTL_PROGRAM_HELP_H

struct cmd;

/* Explains @sub of @cmd; NULL: all of @cmd, or of gmemctl. */
void print_help(const struct cmd *cmd, const struct cmd *sub);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GMEMCTL_PROGRAM_OPTS_H
#define GMEMCTL_PROGRAM_OPTS_H

#include "program/program.h"

/* What opts_parse() returns for a command that is not run. */
enum {
	OPTS_REFUSED = -1, /* p->status is the exit status */
	OPTS_HELP = -2,	   /* it is asked for, and so are these */
	OPTS_VERSION = -3,
	OPTS_MODELS = -4,
};

/*
 * Reads the options in @argv, the common ones into @p and the command's own
 * into its values, and moves the operands to the front.  Refuses a command
 * that is to be run without what it requires.
 * Return: the number of operands, or OPTS_*.
 */
int opts_parse(struct program *p, int argc, char **argv);

/*
 * Refuses an option that was given before the command and that this does not
 * take.  Return: 0, or the exit status.
 */
int opts_check_common(struct program *p);

#endif

/* SPDX-License-Identifier: MIT */
/* The list of commands: all that the program knows of them. */
#ifndef GMEMCTL_PROGRAM_LIST_H
#define GMEMCTL_PROGRAM_LIST_H

#include "table/command.h"

extern const struct cmd *const commands[]; /* NULL ends it */

/* The command of this name in @list, which may be NULL; NULL: none. */
const struct cmd *find_cmd(const struct cmd *const *list, const char *name);

/*
 * Refuses @name, which is no @what of @list, and names the one that may have
 * been meant.  Return: the exit status.
 */
int unknown_cmd(struct ctl *ctl, const char *what,
		const struct cmd *const *list, const char *name);

#endif

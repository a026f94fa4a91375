/* SPDX-License-Identifier: MIT */
/* The commands on one file that others made. */
#ifndef GMEMCTL_CMD_ON_FILE_H
#define GMEMCTL_CMD_ON_FILE_H

#include "op/op.h"

#define WORK_STATUS "Exit status: 4 if only a part was done."

/*
 * Such a command from its options to its end.  @op does the work; a positive
 * return is the exit status.  @done is what it does to memory, NULL if it only
 * shows.  Return: the exit status.
 */
int on_file(struct ctl *ctl, struct target_args *a, const char *done,
	    int (*op)(struct work *w));
/*
 * The same of one that allocates: the process whose file it is pays, or with
 * .charge_me gmemctl.
 */
int on_file_charged(struct ctl *ctl, struct target_args *a, const char *done,
		    int (*op)(struct work *w));

#endif

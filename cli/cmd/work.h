/* SPDX-License-Identifier: MIT */
#ifndef GMEMCTL_CMD_WORK_H
#define GMEMCTL_CMD_WORK_H

#include <gmem.h>

#include "target/target.h"

#define WORK_STATUS "Exit status: 4 if only a part was done."

/* Ends a command that changed memory: how far it came, however it ended. */
int work_end(struct ctl *ctl, const struct target_args *a,
	     const struct target *t, const char *what, int r,
	     struct gmem_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* Which memory cgroup pays for pages of another process's file. */
#ifndef GMEMCTL_TARGET_CHARGE_CHARGE_H
#define GMEMCTL_TARGET_CHARGE_CHARGE_H

#include <stdbool.h>

struct ctl;
struct target_args;

/*
 * The kernel charges a page to the memory cgroup of the process that allocates
 * it, for as long as the page lives.  So a forked process in the cgroup of
 * .pid allocates, and this one waits for it.  Needs .pid.
 *
 * Return: whether this process, which may be the forked one, does the work;
 * otherwise *@status is the exit status.
 */
bool charge_target(struct ctl *ctl, struct target_args *a, int *status);

#endif

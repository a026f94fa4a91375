/* SPDX-License-Identifier: MIT */
/* The cgroup that pays for the memory of a process. */
#ifndef GMEMCTL_TARGET_CHARGE_CGROUP_H
#define GMEMCTL_TARGET_CHARGE_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define CGROUP_PATH 4096

struct cgroup {
	bool v1;		/* of the first version */
	char path[CGROUP_PATH]; /* as the kernel calls it; "": there is none */
	char dir[CGROUP_PATH];	/* where it is mounted; "": it is not seen */
	size_t root;		/* so much of .dir is where that is mounted */
};

/*
 * Takes a line of /proc/PID/cgroup, which it changes: after all of them .path
 * and .v1 of @out are those of the cgroup that pays.
 */
void cgroup_line(char *line, struct cgroup *out);
/* That of process @pid.  Return: 0 or the errno of its file in /proc. */
int cgroup_of(pid_t pid, struct cgroup *out);
/* Fills in .dir and .root, which need .path and .v1; cgroup_of() has done so.
 */
void cgroup_find(struct cgroup *c);
/* Whether version 1 is where it is looked for. */
bool cgroup_v1_mounted(void);
/*
 * A file of the nearest one, @c or above it, that has the memory controller: in
 * @where which that is, as the kernel calls it.  NULL: errno says why not.
 */
FILE *cgroup_open(const struct cgroup *c, const char *name,
		  char where[CGROUP_PATH]);
/* Whether both pay in the same place. */
bool cgroup_same(const struct cgroup *a, const struct cgroup *b);
/*
 * Whether the file @name says @value in @c or above it, and in @where which
 * that is, as the kernel calls it.
 */
bool cgroup_says(const struct cgroup *c, const char *name, uint64_t value,
		 char where[CGROUP_PATH]);

#endif

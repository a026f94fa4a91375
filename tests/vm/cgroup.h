/* SPDX-License-Identifier: MIT */
/* Memory cgroups, of a machine where nothing else has mounted them. */
#ifndef GMEM_TESTS_VM_CGROUP_H
#define GMEM_TESTS_VM_CGROUP_H

#include "t.h"

#define CGROUPS "/sys/fs/cgroup"

/* Writes into a file: 0 or -errno. */
__attribute__((format(printf, 2, 3))) int cgroup_put(const char *path,
						     const char *fmt, ...);
/* Mounts them, with the controller of memory; skips without. */
void cgroup_need(void);

#endif

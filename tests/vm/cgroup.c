// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <unistd.h>

#include "cgroup.h"

int cgroup_put(const char *path, const char *fmt, ...)
{
	char text[64];
	va_list ap;
	int fd = open(path, O_WRONLY | O_CLOEXEC), n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n = fd >= 0 && write(fd, text, (size_t)n) == n ? 0 : -errno;
	if (fd >= 0)
		(void)close(fd);
	return n;
}

void cgroup_need(void)
{
	if (access(CGROUPS "/cgroup.controllers", F_OK) < 0 &&
	    mount("none", CGROUPS, "cgroup2", 0, NULL) < 0)
		t_skip("memory-cgroup", "no cgroup v2: %s", strerror(errno));
	if (cgroup_put(CGROUPS "/cgroup.subtree_control", "+memory") < 0)
		t_skip("memory-cgroup", "this kernel has no memory cgroup");
}

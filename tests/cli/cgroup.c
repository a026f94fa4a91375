// SPDX-License-Identifier: MIT
/*
 * Loaded before gmemctl (LD_PRELOAD): what is mounted at /sys/fs/cgroup looks
 * like a file system of cgroups, of version 1 in memory/, else of version 2.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#define ROOT "/sys/fs/cgroup"

static int answer(int r, const char *path, struct statfs *out)
{
	if (r || strncmp(path, ROOT, strlen(ROOT)) != 0)
		return r;
	path += strlen(ROOT);
	out->f_type = strncmp(path, "/memory", 7) ? CGROUP2_SUPER_MAGIC
						  : CGROUP_SUPER_MAGIC;
	return 0;
}

int statfs(const char *path, struct statfs *out)
{
	int (*real)(const char *path, struct statfs *out);

	*(void **)&real = dlsym(RTLD_NEXT, "statfs");
	return answer(real(path, out), path, out);
}

int fstatfs(int fd, struct statfs *out)
{
	int (*real)(int fd, struct statfs *out);
	char name[40], path[4096];
	ssize_t n;

	*(void **)&real = dlsym(RTLD_NEXT, "fstatfs");
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = readlink(name, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	return answer(real(fd, out), path, out);
}

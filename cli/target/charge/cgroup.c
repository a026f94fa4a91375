// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "table/array.h"
#include "target/charge/cgroup.h"

/* Where version 2 is mounted, alone or beside version 1. */
static const char *const mounts[] = { "/sys/fs/cgroup",
				      "/sys/fs/cgroup/unified" };
static const char v1_mount[] = "/sys/fs/cgroup/memory";

/* Whether @word is one of @list, which commas separate. */
static bool lists(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (; list; list = strchr(list, ',')) {
		list += *list == ',';
		if (!strncmp(list, word, n) &&
		    (list[n] == ',' || list[n] == '\0'))
			return true;
	}
	return false;
}

/* "NUMBER:CONTROLLERS:PATH", where version 2 has no controllers. */
void cgroup_line(char *line, struct cgroup *out)
{
	char *controllers = strchr(line, ':'), *path;
	bool v1;

	path = controllers ? strchr(++controllers, ':') : NULL;
	if (!path)
		return;
	*path++ = '\0';
	v1 = lists(controllers, "memory");
	if (!v1 && (*controllers || out->v1))
		return;
	path[strcspn(path, "\n")] = '\0';
	out->v1 = v1;
	(void)snprintf(out->path, sizeof(out->path), "%s", path);
}

/* Whether there is the file @name in @dir. */
static bool has(const char *dir, const char *name)
{
	char path[CGROUP_PATH + 64];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return !access(path, F_OK);
}

static unsigned long magic(bool v1)
{
	return v1 ? CGROUP_SUPER_MAGIC : CGROUP2_SUPER_MAGIC;
}

/* Anything can be mounted there, and have files of the same names. */
static bool is_cgroup(const char *dir, bool v1)
{
	struct statfs fs;

	return !statfs(dir, &fs) && (unsigned long)fs.f_type == magic(v1);
}

bool cgroup_v1_mounted(void)
{
	return is_cgroup(v1_mount, true);
}

/* What is above the root of the namespace cannot be seen. */
static bool above(const char *path)
{
	return !strncmp(path, "/..", 3) && (path[3] == '/' || path[3] == '\0');
}

void cgroup_find(struct cgroup *c)
{
	const char *path = strcmp(c->path, "/") ? c->path : "";
	const char *at;

	if (*c->path != '/' || above(c->path))
		return;
	for (size_t i = 0; i < (c->v1 ? 1 : ARRAY_SIZE(mounts)); i++) {
		at = c->v1 ? v1_mount : mounts[i];
		c->root = strlen(at);
		if (snprintf(c->dir, sizeof(c->dir), "%s%s", at, path) <
			    (int)sizeof(c->dir) &&
		    is_cgroup(c->dir, c->v1) && has(c->dir, "cgroup.procs"))
			return;
	}
	c->dir[0] = '\0';
}

int cgroup_of(pid_t pid, struct cgroup *out)
{
	char name[64], *line = NULL;
	size_t size = 0;
	int r;
	FILE *f;

	*out = (struct cgroup){ .v1 = false };
	(void)snprintf(name, sizeof(name), "/proc/%d/cgroup", (int)pid);
	f = fopen(name, "re");
	if (!f) {
		r = errno;
		/* a kernel without cgroups */
		if (r == ENOENT && !access("/proc/self/stat", F_OK) &&
		    access("/proc/self/cgroup", F_OK) < 0)
			return 0;
		return r;
	}
	while (getline(&line, &size, f) > 0)
		cgroup_line(line, out);
	r = ferror(f) ? EIO : 0;
	free(line);
	(void)fclose(f);
	cgroup_find(out);
	return r;
}

/* From @dir one up; false where it is mounted. */
static bool up(char *dir, size_t root)
{
	if (strlen(dir) <= root)
		return false;
	*strrchr(dir, '/') = '\0';
	return true;
}

/* The nearest above it, or itself, that has the memory controller. */
static const char *payer(const struct cgroup *c, char dir[CGROUP_PATH])
{
	memcpy(dir, c->dir, CGROUP_PATH);
	while (!c->v1 && !has(dir, "memory.current") && up(dir, c->root))
		;
	return dir;
}

FILE *cgroup_open(const struct cgroup *c, const char *name,
		  char where[CGROUP_PATH])
{
	char dir[CGROUP_PATH], path[CGROUP_PATH + 64];
	struct statfs fs;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", payer(c, dir), name);
	(void)snprintf(where, CGROUP_PATH, "%s",
		       strlen(dir) > c->root ? dir + c->root : "/");
	f = fopen(path, "re");
	if (f && !fstatfs(fileno(f), &fs) &&
	    (unsigned long)fs.f_type == magic(c->v1))
		return f;
	if (f) {
		(void)fclose(f);
		errno = ENODEV;
	}
	return NULL;
}

bool cgroup_same(const struct cgroup *a, const struct cgroup *b)
{
	char of_a[CGROUP_PATH], of_b[CGROUP_PATH];

	if (a->v1 || b->v1 || !*a->dir || !*b->dir)
		return a->v1 == b->v1 && !strcmp(a->path, b->path);
	return !strcmp(payer(a, of_a), payer(b, of_b));
}

bool cgroup_says(const struct cgroup *c, const char *name, uint64_t value,
		 char where[CGROUP_PATH])
{
	char dir[CGROUP_PATH], path[CGROUP_PATH + 64], text[32];
	bool says;
	FILE *f;

	if (!*c->dir)
		return false;
	memcpy(dir, c->dir, sizeof(dir));
	do {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
		f = fopen(path, "re");
		if (!f)
			continue;
		says = fgets(text, sizeof(text), f) &&
		       strtoull(text, NULL, 10) == value;
		(void)fclose(f);
		if (says) {
			(void)snprintf(where, CGROUP_PATH, "%s",
				       dir[c->root] ? dir + c->root : "/");
			return true;
		}
	} while (up(dir, c->root));
	return false;
}

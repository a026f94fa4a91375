// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folders.h"
#include "t.h"

/* From here on this process has mounts of its own; whether it can. */
static bool leave(void)
{
	static int left = -1;

	if (left < 0)
		left = !unshare(CLONE_NEWNS) &&
		       !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	return left;
}

static void unmount(const char *const *paths, size_t n)
{
	while (n)
		assert_int_equal(umount(paths[--n]), 0);
}

bool folders_mount(const char *const *paths)
{
	size_t n = 0;

	if (!leave())
		return false;
	while (paths[n] && !mount("none", paths[n], "tmpfs", 0, NULL))
		n++;
	if (!paths[n])
		return true;
	unmount(paths, n);
	return false;
}

void folders_unmount(const char *const *paths)
{
	size_t n = 0;

	while (paths[n])
		n++;
	unmount(paths, n);
}

void *folders_world(const char *const *paths, size_t size)
{
	void *world = calloc(1, size);

	assert_non_null(world);
	if (folders_mount(paths))
		return world;
	free(world);
	return NULL;
}

void folders_end(const char *const *paths, void *world)
{
	folders_unmount(paths);
	free(world);
}

void folders_needed(bool mounted)
{
	if (!mounted)
		t_skip("mounts",
		       "no folder can be mounted over /proc and others");
}

void write_bytes(const char *path, const void *bytes, size_t n)
{
	char folder[200];
	int fd;

	for (const char *p = path; (p = strchr(p + 1, '/')) != NULL;) {
		(void)snprintf(folder, sizeof(folder), "%.*s", (int)(p - path),
			       path);
		(void)mkdir(folder, 0755);
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), n);
	(void)close(fd);
}

void write_file(const char *path, const char *text)
{
	write_bytes(path, text, strlen(text));
}

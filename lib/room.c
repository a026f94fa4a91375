// SPDX-License-Identifier: MIT
/*
 * Past a limit of memory the kernel does not say ENOMEM to fallocate(2) or
 * madvise(2): it kills a process.  So the room is looked at before each step.
 * All is read again each time, since the process can be moved and limits can
 * change; a file that could not be read once is not tried again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "error.h"
#include "file.h"
#include "lines.h"
#include "resident.h"
#include "room.h"
#include "uapi.h"

#define ALL (GMEM_ROOM_CGROUP | GMEM_ROOM_NODES | GMEM_ROOM_MACHINE)

/* The kernel brings a cgroup's statistics up to date after so many pages. */
#define STAT_PAGES_PER_CPU 64

/* Where the version 2 is mounted, alone or beside the version 1. */
static const char *const mounts[] = { "/sys/fs/cgroup",
				      "/sys/fs/cgroup/unified" };

#define PATH 4608 /* a cgroup's path, a mount and the name of a file */

/* The least room of any of them is *@room, and which it is r->where. */
__attribute__((format(printf, 4, 5))) static void least(struct gmem__room *r,
							uint64_t *room,
							uint64_t bytes,
							const char *fmt, ...)
{
	va_list ap;

	if (bytes >= *room)
		return;
	*room = bytes;
	r->bytes = bytes;
	va_start(ap, fmt);
	(void)vsnprintf(r->where, sizeof(r->where), fmt, ap);
	va_end(ap);
	/* The names of cgroups are anybody's. */
	for (char *p = r->where; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

static void read_zones(struct gmem__room *r)
{
	struct gmem__lines l;
	const char *line;

	if (gmem__lines_open(&l, r->g->ctx, "/proc/zoneinfo") < 0) {
		r->unchecked |= GMEM_ROOM_NODES | GMEM_ROOM_MACHINE;
		return;
	}
	while ((line = gmem__lines_next(&l)) != NULL)
		gmem__zone_line(&r->zones, line);
	gmem__zone_end(&r->zones);
	if (l.sys || !r->zones.cpus)
		r->unchecked |= GMEM_ROOM_NODES | GMEM_ROOM_MACHINE;
	gmem__lines_close(&l);
}

void gmem__room_begin(struct gmem__room *r, struct gmem *g,
		      const struct gmem_mempolicy *policy, bool off)
{
	memset(r, 0, sizeof(*r));
	r->g = g;
	r->policy = policy;
	/* Huge pages were reserved when the file was made. */
	r->off = off || g->page_size > g->ctx->page_size;
	if (off)
		r->unchecked = ALL;
	if (!r->off)
		read_zones(r);
}

/* The only line of @dir/@name: 1, 0 if there is no such file, or -errno. */
static int read_number(const struct gmem__room *r, char *dir, const char *name,
		       uint64_t *out)
{
	size_t n = strlen(dir);
	struct gmem__lines l;
	const char *line;
	int ret;

	(void)snprintf(dir + n, PATH - n, "/%s", name);
	ret = gmem__lines_open(&l, r->g->ctx, dir);
	dir[n] = '\0';
	if (ret < 0)
		return ret == -ENOENT ? 0 : ret;
	line = gmem__lines_next(&l);
	ret = line && gmem__number_line(line, out) ? 1 : -EINVAL;
	gmem__lines_close(&l);
	return ret;
}

/* What of the cgroup's memory the kernel can reclaim. */
static int read_stat(const struct gmem__room *r, char *dir, uint64_t *bytes)
{
	uint64_t late =
		r->zones.cpus * STAT_PAGES_PER_CPU * r->g->ctx->page_size;
	struct gmem__sum sum = { 0 };
	size_t n = strlen(dir);
	struct gmem__lines l;
	const char *line;
	int ret;

	(void)snprintf(dir + n, PATH - n, "/memory.stat");
	ret = gmem__lines_open(&l, r->g->ctx, dir);
	dir[n] = '\0';
	if (ret < 0)
		return ret;
	while (sum.found < GMEM__STAT_LINES &&
	       (line = gmem__lines_next(&l)) != NULL)
		gmem__stat_line(line, &sum);
	gmem__lines_close(&l);
	*bytes = sum.bytes > late ? sum.bytes - late : 0;
	return sum.found == GMEM__STAT_LINES ? 0 : -EINVAL;
}

/*
 * One cgroup, which the kernel calls @path: 1 if it has the memory
 * controller, 0 if not, or -errno.  The statistics, which are slow, are read
 * only if it is short without them.
 */
static int look_at_cgroup(struct gmem__room *r, char *dir, const char *path,
			  uint64_t enough, uint64_t *room)
{
	uint64_t max, current, reclaimable = 0;
	int ret = read_number(r, dir, "memory.max", &max);

	if (ret <= 0 || max == UINT64_MAX)
		return ret;
	ret = read_number(r, dir, "memory.current", &current);
	if (ret <= 0)
		return ret < 0 ? ret : -ENOENT;
	if (current >= max || max - current < enough) {
		ret = read_stat(r, dir, &reclaimable);
		if (ret < 0)
			return ret;
	}
	current = current > reclaimable ? current - reclaimable : 0;
	least(r, room, max > current ? max - current : 0,
	      "memory cgroup %.100s", path);
	return 1;
}

/* The path of this process in the version 2, if that has its memory. */
static bool find_cgroup(const struct gmem__room *r, char path[PATH])
{
	const char *line, *found;
	struct gmem__lines l;
	bool v2 = false, v1 = false;

	if (gmem__lines_open(&l, r->g->ctx, "/proc/self/cgroup") < 0)
		return false;
	while ((line = gmem__lines_next(&l)) != NULL) {
		enum gmem__cgroup is = gmem__cgroup_line(line, &found);

		v1 |= is == GMEM__CGROUP_V1;
		if (is != GMEM__CGROUP_V2)
			continue;
		v2 = true;
		(void)snprintf(path, PATH, "%s",
			       strcmp(found, "/") ? found : "");
	}
	v2 &= !l.sys;
	gmem__lines_close(&l);
	/* What is above the root of the namespace cannot be seen. */
	return v2 && !v1 && strncmp(path, "/..", 3) != 0;
}

/* Removes the last part, which there is, of a path. */
static void cut(char *path)
{
	size_t n = strlen(path);

	while (path[--n] != '/')
		;
	path[n] = '\0';
}

/* Anything can be mounted there, and have files of the same names. */
static bool is_cgroup(const struct gmem__lines *l)
{
	uint64_t magic;

	return gmem__fstatfs(l->ctx, l->fd, &magic) == 0 &&
	       magic == GMEM__MAGIC_CGROUP2;
}

/* The directory of @path where the version 2 is mounted. */
static bool find_mount(const struct gmem__room *r, const char *path,
		       char dir[PATH], size_t *root)
{
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		struct gmem__lines l;
		bool found;

		*root = strlen(mounts[i]);
		if (snprintf(dir, PATH, "%s%s/cgroup.controllers", mounts[i],
			     path) >= PATH ||
		    gmem__lines_open(&l, r->g->ctx, dir) < 0)
			continue;
		found = is_cgroup(&l);
		gmem__lines_close(&l);
		if (!found)
			continue;
		cut(dir);
		return true;
	}
	return false;
}

/* From the cgroup of this process up to the root. */
static void look_at_cgroups(struct gmem__room *r, uint64_t enough,
			    uint64_t *room)
{
	char path[PATH], dir[PATH];
	size_t root, n;
	int ret;

	if (!find_cgroup(r, path) || !find_mount(r, path, dir, &root)) {
		r->unchecked |= GMEM_ROOM_CGROUP;
		return;
	}
	for (;;) {
		n = strlen(dir);
		ret = look_at_cgroup(r, dir, n > root ? dir + root : "/",
				     enough, room);
		/* The real root has no limit: others are above this one. */
		if (ret < 0 || (ret && n == root))
			r->unchecked |= GMEM_ROOM_CGROUP;
		if (n <= root)
			return;
		cut(dir);
	}
}

static void look_at_machine(struct gmem__room *r, uint64_t *room)
{
	struct gmem__sum sum = { 0 };
	uint64_t held = 0;
	struct gmem__lines l;
	const char *line;

	if (gmem__lines_open(&l, r->g->ctx, "/proc/meminfo") < 0) {
		r->unchecked |= GMEM_ROOM_MACHINE;
		return;
	}
	while (sum.found < GMEM__MEMINFO_LINES &&
	       (line = gmem__lines_next(&l)) != NULL)
		gmem__meminfo_line(line, &sum);
	gmem__lines_close(&l);
	for (unsigned int n = 0; n < GMEM__NODES; n++)
		held = gmem__add(held, r->zones.held[n]);
	if (held > UINT64_MAX / r->g->ctx->page_size)
		held = UINT64_MAX / r->g->ctx->page_size;
	held *= r->g->ctx->page_size;
	if (sum.found < GMEM__MEMINFO_LINES)
		r->unchecked |= GMEM_ROOM_MACHINE;
	else
		least(r, room, sum.bytes > held ? sum.bytes - held : 0,
		      "this machine");
}

static void look_at_nodes(struct gmem__room *r, uint64_t offset, uint64_t *room)
{
	struct gmem__room_nodes nodes;
	int ret = gmem__room_nodes(r, offset, &nodes);

	if (ret < 0)
		r->unchecked |= GMEM_ROOM_NODES;
	else if (ret && nodes.n == 1)
		least(r, room, nodes.bytes, "node %u", nodes.first);
	else if (ret)
		least(r, room, nodes.bytes, "node %u with %u more", nodes.first,
		      nodes.n - 1);
}

/* Bytes at @offset that are there already, of @len at most. */
static uint64_t already(const struct gmem__room *r, uint64_t offset,
			uint64_t len)
{
	uint64_t pos = offset, run;

	if (gmem__next_resident(r->g, &pos, offset + len, &run) < 0 ||
	    pos > offset)
		return 0;
	return run < len ? run : len;
}

uint64_t gmem__room_for(struct gmem__room *r, uint64_t offset, uint64_t len,
			uint64_t unit, uint64_t pending)
{
	uint64_t room = UINT64_MAX, keep = GMEM__ROOM_MARGIN + pending, n;

	if (r->off)
		return len;
	if (!(r->unchecked & GMEM_ROOM_CGROUP))
		look_at_cgroups(r, keep + GMEM__ROOM_MARGIN, &room);
	if (!(r->unchecked & GMEM_ROOM_NODES))
		look_at_nodes(r, offset, &room);
	if (!(r->unchecked & GMEM_ROOM_MACHINE))
		look_at_machine(r, &room);
	if (r->unchecked != ALL && len > GMEM__ROOM_MARGIN)
		len = GMEM__ROOM_MARGIN;
	n = room > keep ? room - keep : 0;
	if (n < unit && n < len)
		n = already(r, offset, len);
	if (n >= len)
		return len;
	return unit ? n - n % unit : 0;
}

int gmem__room_failed(const struct gmem__room *r, uint64_t unit,
		      struct gmem_error *err)
{
	return gmem__fail(
		err, GMEM_REASON_NO_ROOM, r->bytes, GMEM__ROOM_MARGIN + unit,
		"%s has room for %" PRIu64 " bytes, and allocating "
		"%" PRIu64 " would leave less than the %" PRIu64
		" that are never used up",
		r->where, r->bytes, unit, (uint64_t)GMEM__ROOM_MARGIN);
}

// SPDX-License-Identifier: MIT
/*
 * What mappings say of a file where no descriptor does: its size, through
 * map_files, and by numa_maps the pages that a process has touched, which are
 * some of those that there are.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/ps/maps.h"
#include "cmd/ps/ps.h"

/* Of one file; what more there are adds nothing to a lower bound. */
#define PARTS 256

struct parts {
	struct mapping part[PARTS];
	size_t n;
};

/* Of one file, while its holders are asked. */
struct sight {
	const struct scan *s;
	struct mem *m;
	struct parts counted; /* no page of the file counts twice */
	uint64_t *nodes, bytes;
	bool asked;    /* numa_maps could be read */
	int no_size;   /* the errno of map_files */
	int no_counts; /* that of numa_maps */
};

static int open_process(pid_t pid)
{
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), dir;
	char name[16];

	if (proc < 0)
		return -1;
	(void)snprintf(name, sizeof(name), "%d", (int)pid);
	dir = open_proc(proc, name, O_DIRECTORY);
	(void)close(proc);
	return dir;
}

static void find_parts(const struct sight *t, int dir, struct parts *out)
{
	struct mapping mapping;
	struct lines l;

	out->n = 0;
	if (!lines_open(&l, dir, "maps"))
		return;
	while (out->n < PARTS && lines_next(&l))
		if (read_mapping(l.line, &mapping) &&
		    mapping.dev == t->m->dev && mapping.ino == t->m->ino)
			out->part[out->n++] = mapping;
	lines_close(&l);
}

static void ask_size(struct sight *t, int dir, const struct mapping *part)
{
	int files = open_proc(dir, "map_files", O_DIRECTORY), fd = -1;
	char name[MAPPING_NAME];
	struct stat st;

	mapping_name(part, name);
	if (files >= 0)
		fd = openat(files, name, O_PATH | O_CLOEXEC);
	if (fd < 0)
		t->no_size = errno;
	else if (!fstat(fd, &st) && st.st_dev == t->m->dev &&
		 st.st_ino == t->m->ino) {
		t->m->size = (uint64_t)st.st_size;
		t->m->size_by_mapping = true;
		t->m->no_size.text[0] = '\0';
	}
	if (fd >= 0)
		(void)close(fd);
	if (files >= 0)
		(void)close(files);
}

static bool overlap(const struct mapping *a, const struct mapping *b)
{
	return a->offset < b->offset + (b->end - b->start) &&
	       b->offset < a->offset + (a->end - a->start);
}

/* "N0=12 N1=3 kernelpagesize_kB=4": the pages of each node, of this size. */
static void add_counts(struct sight *t, const char *line)
{
	const char *at = strstr(line, " kernelpagesize_kB=");
	uint64_t page = at ? strtoull(strchr(at, '=') + 1, NULL, 10) << 10 : 0;
	unsigned long node;
	uint64_t bytes;
	char *end;

	for (at = line; (at = strstr(at, " N")) != NULL; at++) {
		node = strtoul(at + 2, &end, 10);
		if (end == at + 2 || *end != '=' || node >= NODES)
			continue;
		bytes = strtoull(end + 1, NULL, 10) * page;
		t->nodes[node] += bytes;
		t->bytes += bytes;
	}
}

/* A line of numa_maps, if it is of a part that adds something. */
static void count_line(struct sight *t, const struct parts *parts,
		       const char *line)
{
	uint64_t start = strtoull(line, NULL, 16);
	const struct mapping *p = NULL;
	struct parts *c = &t->counted;

	for (size_t i = 0; i < parts->n && !p; i++)
		if (parts->part[i].start == start)
			p = &parts->part[i];
	if (!p || c->n == PARTS || !strstr(line, "[kvm-gmem]"))
		return;
	for (size_t i = 0; i < c->n; i++)
		if (overlap(p, &c->part[i]))
			return;
	c->part[c->n++] = *p;
	add_counts(t, line);
}

static void count(struct sight *t, int dir, pid_t pid,
		  const struct parts *parts)
{
	struct lines l;

	if (!parts->n)
		return;
	if (!lines_open(&l, dir, "numa_maps")) {
		t->no_counts = errno;
		return;
	}
	t->asked = true;
	while (!scan_late(t->s) && lines_next(&l)) {
		watch_at(t->s->watch, pid);
		count_line(t, parts, l.line);
	}
	lines_close(&l);
}

static void ask_holder(struct sight *t, const struct holder *h)
{
	struct parts parts;
	int dir;

	watch_at(t->s->watch, h->pid);
	dir = open_process(h->pid);
	if (dir < 0)
		return;
	find_parts(t, dir, &parts);
	for (size_t i = 0; i < parts.n && t->m->no_size.text[0]; i++)
		ask_size(t, dir, &parts.part[i]);
	count(t, dir, h->pid, &parts);
	(void)close(dir);
}

/* What is not known after all, and what would help. */
static void tell(const struct sight *t)
{
	struct mem *m = t->m;
	bool late = scan_late(t->s);

	if (m->no_size.text[0] && late)
		out_of_time(&m->no_size);
	else if (m->no_size.text[0])
		unknown(&m->no_size, t->no_size == EPERM,
			t->no_size == EPERM
				? "only a mapping is left, and to ask that "
				  "cap_checkpoint_restore is needed, of the "
				  "first user namespace"
				: "only a mapping is left, which tells no "
				  "more");
	if (t->asked || !m->only_mapped)
		return;
	if (late)
		out_of_time(&m->no_resident);
	else
		unknown(&m->no_resident, false,
		t->no_counts == ENOENT
			? "only a mapping is left, and this kernel has no "
			  "numa_maps"
			: "only a mapping is left, and its numa_maps cannot "
			  "be read");
	m->no_nodes = m->no_resident;
}

static void use(struct sight *t)
{
	struct mem *m = t->m;

	if (!t->asked)
		return;
	if (m->no_resident.text[0] && (m->only_mapped || t->bytes)) {
		m->resident = t->bytes;
		m->lower_bound = m->resident_by_mapping = true;
		m->no_resident.text[0] = '\0';
	}
	if (m->nodes || !t->bytes) {
		if (!m->nodes && m->only_mapped)
			unknown(&m->no_nodes, false,
				"no process has touched it through the "
				"mappings that are left");
		return;
	}
	m->nodes = t->nodes;
	t->nodes = NULL;
	m->nodes_by_mapping = true;
	m->no_nodes.text[0] = '\0';
}

void ask_mappings(const struct scan *s, struct mem *m)
{
	struct sight t = { .s = s, .m = m };

	m->only_mapped = m->no_size.text[0];
	t.nodes = calloc(NODES, sizeof(*t.nodes));
	for (const struct holder *h = m->holders; h && t.nodes; h = h->next)
		if (h->mapped && !scan_late(s))
			ask_holder(&t, h);
	watch_at(s->watch, 0);
	if (t.nodes) {
		tell(&t);
		use(&t);
	}
	free(t.nodes);
}

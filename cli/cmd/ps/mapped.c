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

struct part {
	struct mapping at;
	uint64_t bytes; /* that were touched through it */
	char *line;	/* of numa_maps; NULL: not read */
};

struct parts {
	struct part part[PARTS];
	size_t n;
};

/* Of one file, while its holders are asked. */
struct sight {
	const struct scan *s;
	struct mem *m;
	struct parts parts;
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

static void find_parts(struct sight *t, int dir)
{
	struct parts *p = &t->parts;
	struct mapping at;
	struct lines l;

	if (!lines_open(&l, dir, "maps"))
		return;
	while (p->n < PARTS && lines_next(&l))
		if (read_mapping(l.line, &at) && at.dev == t->m->dev &&
		    at.ino == t->m->ino)
			p->part[p->n++] = (struct part){ .at = at };
	lines_close(&l);
}

static void ask_size(struct sight *t, int dir, const struct mapping *at)
{
	int files = open_proc(dir, "map_files", O_DIRECTORY), fd = -1;
	char name[MAPPING_NAME];
	struct stat st;

	mapping_name(at, name);
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

/* "N0=12 N1=3 kernelpagesize_kB=4": the pages of each node, of this size. */
static uint64_t counts(const char *line, uint64_t *nodes)
{
	const char *at = strstr(line, " kernelpagesize_kB=");
	uint64_t page = at ? strtoull(strchr(at, '=') + 1, NULL, 10) << 10 : 0;

	return add_nodes(line, page, nodes);
}

/* The parts from @first on are those of the process. */
static void read_counts(struct sight *t, int dir, pid_t pid, size_t first)
{
	struct lines l;
	uint64_t start;

	if (first == t->parts.n)
		return;
	if (!lines_open(&l, dir, "numa_maps")) {
		t->no_counts = errno;
		return;
	}
	t->asked = true;
	while (!scan_late(t->s) && lines_next(&l)) {
		watch_at(t->s->watch, pid);
		start = strtoull(l.line, NULL, 16);
		for (size_t i = first; i < t->parts.n; i++) {
			struct part *p = &t->parts.part[i];

			if (p->at.start != start || p->line ||
			    !strstr(l.line, "[kvm-gmem]"))
				continue;
			p->bytes = counts(l.line, NULL);
			p->line = strdup(l.line);
		}
	}
	lines_close(&l);
}

static bool overlap(const struct mapping *a, const struct mapping *b)
{
	return a->offset < b->offset + (b->end - b->start) &&
	       b->offset < a->offset + (a->end - a->start);
}

static int by_bytes(const void *x, const void *y)
{
	const struct part *a = x, *b = y;

	return a->bytes > b->bytes ? -1 : a->bytes < b->bytes;
}

/* No page of the file counts twice: of two mappings of it, the larger does. */
static void count(struct sight *t)
{
	struct part *part = t->parts.part;
	bool twice;

	if (t->parts.n)
		qsort(part, t->parts.n, sizeof(*part), by_bytes);
	for (size_t i = 0; i < t->parts.n; i++) {
		twice = !part[i].line;
		for (size_t k = 0; k < i && !twice; k++)
			twice = part[k].line &&
				overlap(&part[k].at, &part[i].at);
		if (!twice) {
			t->bytes += counts(part[i].line, t->nodes);
			continue;
		}
		free(part[i].line);
		part[i].line = NULL;
	}
	for (size_t i = 0; i < t->parts.n; i++)
		free(part[i].line);
}

static void ask_holder(struct sight *t, const struct holder *h)
{
	size_t first = t->parts.n;
	int dir;

	watch_at(t->s->watch, h->pid);
	dir = open_process(h->pid);
	if (dir < 0)
		return;
	find_parts(t, dir);
	for (size_t i = first; i < t->parts.n && t->m->no_size.text[0]; i++)
		ask_size(t, dir, &t->parts.part[i].at);
	read_counts(t, dir, h->pid, first);
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
			t->no_counts == ENOENT ? "only a mapping is left, and "
						 "this kernel has no "
						 "numa_maps"
					       : "only a mapping is left, and "
						 "its numa_maps cannot "
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
	static struct sight t;

	t = (struct sight){ .s = s, .m = m };
	m->only_mapped = m->no_size.text[0];
	t.nodes = calloc(NODES, sizeof(*t.nodes));
	for (const struct holder *h = m->holders; h && t.nodes; h = h->next)
		if (h->mapped && !scan_late(s))
			ask_holder(&t, h);
	watch_at(s->watch, 0);
	if (t.nodes) {
		count(&t);
		tell(&t);
		use(&t);
	}
	free(t.nodes);
}

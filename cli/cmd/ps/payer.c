// SPDX-License-Identifier: MIT
/*
 * The nodes of what a memory cgroup pays for.  The host cannot look at private
 * memory, but the kernel counts it among what it can never reclaim.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/ps/ps.h"
#include "report/words.h"
#include "target/charge/cgroup.h"

/* "unevictable N0=4096 N1=0"; of version 1, pages after "...unevictable=". */
static bool read_line(bool v1, const char *line, uint64_t *nodes)
{
	const char *name = v1 ? "hierarchical_unevictable=" : "unevictable ";
	uint64_t unit = v1 ? (uint64_t)sysconf(_SC_PAGESIZE) : 1;

	if (strncmp(line, name, strlen(name)) != 0)
		return false;
	(void)add_nodes(line, unit, nodes);
	return true;
}

static void read_nodes(struct payer *p, bool v1, FILE *f)
{
	char *line = NULL;
	size_t size = 0;
	bool found = false;

	while (!found && getline(&line, &size, f) > 0)
		found = read_line(v1, line, p->nodes);
	if (!found)
		unknown(&p->no_nodes, false,
			"memory.numa_stat of its memory cgroup does not say "
			"what is unevictable");
	free(line);
}

static struct payer *find_payer(struct scan *s, const char *path)
{
	struct payer *p = s->payers;

	while (p && strcmp(p->path, path) != 0)
		p = p->next;
	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->next = s->payers;
	s->payers = p;
	(void)snprintf(p->path, sizeof(p->path), "%s", path);
	return p;
}

const struct payer *payer_of(struct scan *s, struct cgroup *c)
{
	char where[CGROUP_PATH], path[CGROUP_TEXT];
	struct payer *p;
	int errnum = 0;
	FILE *f = NULL;

	(void)snprintf(where, sizeof(where), "%s", c->path);
	cgroup_find(c);
	if (*c->dir)
		f = cgroup_open(c, "memory.numa_stat", where);
	errnum = errno;
	p = find_payer(s, safe_text(where, path, sizeof(path)));
	if (p && f && !p->read)
		read_nodes(p, c->v1, f);
	else if (p && *c->dir && !f)
		unknown(&p->no_nodes, errnum == EACCES,
			"memory.numa_stat of its memory cgroup: %s",
			strerror(errnum));
	else if (p && !*c->dir)
		unknown(&p->no_nodes, false,
			"its memory cgroup cannot be seen in /sys/fs/cgroup");
	if (p)
		p->read = true;
	if (f)
		(void)fclose(f);
	return p;
}

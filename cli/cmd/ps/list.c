// SPDX-License-Identifier: MIT
/* What a look at all processes has found. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/ps/ps.h"

struct mem *find_file(struct scan *s, dev_t dev, ino_t ino)
{
	struct mem **at = &s->files, *m;

	for (m = *at; m; at = &m->next, m = *at) {
		if (m->dev == dev && m->ino == ino)
			return m;
		if (m->dev > dev || (m->dev == dev && m->ino > ino))
			break;
	}
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->dev = dev;
	m->ino = ino;
	m->end = &m->holders;
	(void)snprintf(m->no_size.text, sizeof(m->no_size.text),
		       "only a mapping is left, and it was not asked");
	m->no_resident = m->no_nodes = m->no_size;
	m->next = *at;
	*at = m;
	return m;
}

struct holder *find_holder(struct mem *m, pid_t pid, const char *command)
{
	struct holder *h;

	for (h = m->holders; h; h = h->next)
		if (h->pid == pid)
			return h;
	h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	h->pid = pid;
	(void)snprintf(h->command, sizeof(h->command), "%s", command);
	*m->end = h;
	m->end = &h->next;
	return h;
}

bool file_listed(const struct scan *s, const struct mem *m)
{
	const struct holder *h = m->holders;

	while (s->pid && h && h->pid != s->pid)
		h = h->next;
	return h;
}

int add_late(struct scan *s, pid_t pid)
{
	pid_t *more = realloc(s->late, (s->late_n + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	s->late = more;
	s->late[s->late_n++] = pid;
	return 0;
}

int add_hidden(struct scan *s, pid_t pid, const char *command,
	       enum hidden_why why)
{
	struct hidden *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->pid = pid;
	h->why = why;
	(void)snprintf(h->command, sizeof(h->command), "%s", command);
	*s->hidden_end = h;
	s->hidden_end = &h->next;
	return 0;
}

void scan_free(struct scan *s)
{
	while (s->files) {
		struct mem *m = s->files;

		s->files = m->next;
		while (m->holders) {
			struct holder *h = m->holders;

			m->holders = h->next;
			free(h);
		}
		free(m->nodes);
		free(m);
	}
	while (s->hidden) {
		struct hidden *h = s->hidden;

		s->hidden = h->next;
		free(h);
	}
	while (s->payers) {
		struct payer *p = s->payers;

		s->payers = p->next;
		free(p);
	}
	free(s->late);
	s->late = NULL;
	s->hidden_end = &s->hidden;
	s->late_n = s->processes = 0;
}

void unknown(struct unknown *u, bool partial, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(u->text, sizeof(u->text), fmt, ap);
	va_end(ap);
	u->partial = partial;
}

void out_of_time(struct unknown *u)
{
	unknown(u, true, "the time of --budget is over");
}

// SPDX-License-Identifier: MIT
/*
 * What the kernel says of a file that another process holds: through a copy
 * of its descriptor, since no guest_memfd can be opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/ps/ps.h"
#include "report/progress.h"
#include "report/words.h"

/* Asked at once: about 0.1 s where all of it is there. */
#define STEP (4ULL << 30)

/* Rights do not bring a system call that is not there, nor does time. */
static void note_failure(struct unknown *u, const struct gmem_error *err)
{
	unknown(u, err->sys_errno != ENOSYS, "%s", err->msg);
}

/* Its holder may have put another one there; O_PATH answers nothing. */
static bool is_it(int fd, const struct mem *m)
{
	struct stat st;

	return !(fcntl(fd, F_GETFL) & O_PATH) && !fstat(fd, &st) &&
	       st.st_dev == m->dev && st.st_ino == m->ino;
}

/* The first copy that succeeds; its holder may have closed it since. */
static int copy_of(struct watch *w, const struct mem *m, struct unknown *u)
{
	char why[TARGET_WHY];
	int fd;

	unknown(u, false, "its holders closed it while it was looked at");
	for (const struct holder *h = m->holders; h; h = h->next) {
		for (size_t i = 0; i < h->fds && i < HOLDER_FDS; i++) {
			watch_at(w, h->pid);
			fd = target_copy(h->pid, h->fd[i], why);
			if (fd >= 0 && is_it(fd, m)) {
				watch_at(w, 0);
				return fd;
			}
			if (fd >= 0)
				(void)close(fd);
			else if (fd != -ESRCH && fd != -EBADF)
				unknown(u, true, "%s%s%s", why,
					fd == -EPERM ? "" : ": ",
					fd == -EPERM ? "" : strerror(-fd));
		}
	}
	watch_at(w, 0);
	return -1;
}

/*
 * The descriptor does not tell whether the file is shared.  It is taken so
 * where that is possible: only allocated pages are ever read, and on private
 * memory the kernel refuses even that.
 */
static int adopt(int fd, struct gmem **out, struct gmem_error *err)
{
	const struct gmem_adopt_opts shared = {
		.sz = sizeof(shared),
		.flags = GMEM_ADOPT_INIT_SHARED,
	};
	int r = gmem_adopt(NULL, fd, &shared, out, err);

	if (r < 0 && err->reason == GMEM_REASON_INIT_SHARED_UNMAPPABLE)
		r = gmem_adopt(NULL, fd, NULL, out, err);
	return r;
}

static void count_resident(const struct scan *s, struct mem *m, struct gmem *g)
{
	struct gmem_residency part = { .sz = sizeof(part) };
	struct gmem_error err = { .sz = sizeof(err) };
	uint64_t pos = 0, step = STEP, n;

	for (; pos < m->size; pos += n) {
		if (scan_late(s)) {
			out_of_time(&m->no_resident);
			return;
		}
		n = step < m->size - pos ? step : m->size - pos;
		if (gmem_resident(g, pos, n, &part, &err) < 0) {
			note_failure(&m->no_resident, &err);
			return;
		}
		m->resident += part.bytes;
		m->lower_bound |= part.flags & GMEM_RESIDENT_LOWER_BOUND;
		/* Holes take no time. */
		step = part.bytes || step > UINT64_MAX / 2 ? STEP : 2 * step;
	}
	m->no_resident.text[0] = '\0';
}

static void count_nodes(const struct scan *s, struct mem *m, struct gmem *g)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_placement p = { .sz = sizeof(p), .node_count = NODES };
	uint64_t pos = 0, step = STEP, *part, no = 0, n;
	uint64_t *all;

	if (!(gmem_flags(g) & GMEM_CREATE_MMAP)) {
		unknown(&m->no_nodes, false,
			"it was made without mmap: no page can be looked at");
		return;
	}
	all = calloc(NODES, 2 * sizeof(*all));
	if (!all) {
		unknown(&m->no_nodes, true, "no memory");
		return;
	}
	part = p.node_bytes = all + NODES;
	for (; pos < m->size; pos += n) {
		if (scan_late(s)) {
			out_of_time(&m->no_nodes);
			goto out;
		}
		n = step < m->size - pos ? step : m->size - pos;
		if (gmem_verify_placement(g, pos, n, NULL, &p, &err) < 0) {
			note_failure(&m->no_nodes, &err);
			goto out;
		}
		for (size_t i = 0; i < NODES; i++)
			all[i] += part[i];
		no += p.unknown;
		step = p.resident || step > UINT64_MAX / 2 ? STEP : 2 * step;
	}
	if (no) {
		unknown(&m->no_nodes, false,
			"it is private: the host can look at no page");
		goto out;
	}
	m->no_nodes.text[0] = '\0';
	m->nodes = all;
	return;
out:
	free(all);
}

/* Has @count find out, through a copy, what @u says is not known. */
static void ask(const struct scan *s, struct mem *m, struct unknown *u,
		void (*count)(const struct scan *s, struct mem *m,
			      struct gmem *g))
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem *g;
	int fd;

	if (m->no_size.text[0])
		return;
	if (scan_late(s)) {
		out_of_time(u);
		return;
	}
	fd = copy_of(s->watch, m, u);
	if (fd < 0)
		return;
	if (adopt(fd, &g, &err) < 0) {
		(void)close(fd);
		note_failure(u, &err);
		return;
	}
	count(s, m, g);
	(void)gmem_close(g, NULL);
}

/* Whether there is nothing that mappings would have to tell. */
static bool known(const struct scan *s, const struct mem *m)
{
	return !m->no_size.text[0] && !m->no_resident.text[0] &&
	       (m->nodes || !s->nodes);
}

/* The nodes last: they take by far the longest. */
void scan_files(struct scan *s)
{
	for (struct mem *m = s->files; m; m = m->next)
		ask(s, m, &m->no_resident, count_resident);
	for (struct mem *m = s->files; m && s->nodes; m = m->next)
		ask(s, m, &m->no_nodes, count_nodes);
	for (struct mem *m = s->files; m; m = m->next)
		if (!known(s, m))
			ask_mappings(s, m);
}

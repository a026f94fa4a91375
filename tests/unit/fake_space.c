// SPDX-License-Identifier: MIT
/*
 * Memory of the scripted kernel: which pages of a file are allocated, on which
 * node, and the policies that decide it.
 */
#include <linux/falloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include "t.h"
#include "fake_kvm.h"

#define MPOL_F_ADDR 2
#define MODE_FLAGS 0xe000
#define EXTENTS 4096 /* of one file, at most */

/* Each thread has its own, which ends with it, as in the kernel. */
static _Thread_local struct fake_policy of_thread;

static struct fake_extent *extent_at(struct fake_fd *file, uint64_t offset)
{
	for (size_t i = 0; i < file->n_extents; i++)
		if (file->extents[i].start <= offset &&
		    offset < file->extents[i].end)
			return &file->extents[i];
	return NULL;
}

static void add(struct fake_fd *file, struct fake_extent e)
{
	if (!file->extents)
		file->extents = malloc(EXTENTS * sizeof(e));
	assert_non_null(file->extents);
	assert_true(file->n_extents < EXTENTS);
	file->extents[file->n_extents++] = e;
}

/* Makes @offset the start of an extent if it is inside one. */
static void split(struct fake_fd *file, uint64_t offset)
{
	struct fake_extent *e = extent_at(file, offset), tail;

	if (!e || e->start == offset)
		return;
	tail = *e;
	tail.start = e->end = offset;
	add(file, tail);
}

static void fill(struct fake_fd *file, uint64_t offset, uint64_t end, int node)
{
	while (offset < end) {
		const struct fake_extent *e = extent_at(file, offset);
		uint64_t next = end;

		for (size_t i = 0; !e && i < file->n_extents; i++)
			if (file->extents[i].start > offset &&
			    file->extents[i].start < next)
				next = file->extents[i].start;
		if (!e)
			add(file,
			    (struct fake_extent){ offset, next, node, false });
		offset = e ? e->end : next;
	}
}

static void punch(struct fake_fd *file, uint64_t offset, uint64_t end)
{
	size_t kept = 0;

	split(file, offset);
	split(file, end);
	for (size_t i = 0; i < file->n_extents; i++)
		if (file->extents[i].start < offset ||
		    file->extents[i].start >= end)
			file->extents[kept++] = file->extents[i];
	file->n_extents = kept;
}

static uint64_t sum(struct fake_fd *file, uint64_t offset, uint64_t end,
		    int node)
{
	uint64_t n = 0;

	for (size_t i = 0; i < file->n_extents; i++) {
		const struct fake_extent *e = &file->extents[i];
		uint64_t from = e->start > offset ? e->start : offset;
		uint64_t to = e->end < end ? e->end : end;

		if (from < to && (node < 0 || node == e->node))
			n += to - from;
	}
	return n;
}

/* Where the kernel puts the page at @offset. */
static int node_for(const struct fake *f, const struct fake_fd *file,
		    uint64_t offset)
{
	const struct fake_policy *p = &file->policy;
	unsigned long nodes;

	if (!f->policy_obeyed || !p->mode || offset < p->start ||
	    offset >= p->end)
		p = &of_thread;
	nodes = p->nodes & f->nodes ? p->nodes & f->nodes : f->nodes;
	return __builtin_ctzl(nodes);
}

static int check_policy(const struct fake *f, int mode,
			const unsigned long *nodes, unsigned long maxnode,
			struct fake_policy *out)
{
	unsigned long mask = nodes && maxnode > 1 ? nodes[0] : 0;
	int base = mode & ~MODE_FLAGS;

	if (f->no_numa)
		return -ENOSYS;
	if (base == GMEM_MPOL_DEFAULT || base == GMEM_MPOL_LOCAL ||
	    (base == GMEM_MPOL_PREFERRED && !mask)) {
		if (mask)
			return -EINVAL;
	} else if (!(mask & f->nodes)) {
		return -EINVAL;
	}
	out->mode = mode;
	out->nodes = mask & f->nodes;
	return 0;
}

/* The policy that get_mempolicy() on @m shows. */
static struct fake_policy *policy(struct fake *f, struct fake_map *m)
{
	if (f->policy_obeyed && m->fd >= 0)
		return &fake_file(f, m->fd)->policy;
	return &m->policy;
}

/* Whether that part of @m has @p already: then its file is not told. */
static bool no_news(const struct fake_map *m, const struct fake_policy *p)
{
	const struct fake_policy *had = &m->policy;

	if (p->start >= had->end || p->end <= had->start)
		return !p->mode;
	return p->start >= had->start && p->end <= had->end &&
	       p->mode == had->mode && p->nodes == had->nodes;
}

static uint64_t offset_of(const struct fake_map *m, const void *addr)
{
	return m->offset + (uint64_t)((const char *)addr - m->addr);
}

int fake_mbind(void *priv, void *addr, size_t len, int mode,
	       const unsigned long *nodes, unsigned long maxnode,
	       unsigned int flags)
{
	struct fake *f = priv;
	struct fake_call *c;
	int r = fake_begin(f, FAKE_MBIND, -1, &c);
	struct fake_map *m = fake_map_at(f, addr);
	struct fake_policy p = { 0 };

	c->arg[0] = (uintptr_t)addr;
	c->arg[1] = len;
	c->arg[2] = (uint64_t)mode;
	c->arg[3] = flags;
	if (!r)
		r = m ? check_policy(f, mode, nodes, maxnode, &p) : -EFAULT;
	if (r)
		return fake_end(f, c, r);
	p.start = offset_of(m, addr);
	p.end = p.start + len;
	if (!no_news(m, &p)) {
		m->policy = p;
		*policy(f, m) = p;
	}
	return fake_end(f, c, 0);
}

int fake_get_mempolicy(void *priv, int *mode, unsigned long *nodes,
		       unsigned long maxnode, void *addr, unsigned long flags)
{
	struct fake *f = priv;
	struct fake_call *c;
	int r = fake_begin(f, FAKE_GET_MEMPOLICY, -1, &c);
	struct fake_map *m = fake_map_at(f, addr);
	struct fake_policy p = { .nodes = f->nodes };

	if (!r && f->no_numa)
		r = -ENOSYS;
	if (!r && nodes &&
	    maxnode < 64U - (unsigned int)__builtin_clzl(f->nodes))
		r = -EINVAL;
	if (!r && flags & MPOL_F_ADDR && !m)
		r = -EFAULT;
	if (r)
		return fake_end(f, c, r);
	if (flags & MPOL_F_ADDR) {
		uint64_t at = offset_of(m, addr);

		p = *policy(f, m);
		if (at < p.start || at >= p.end)
			p = (struct fake_policy){ 0 };
	}
	if (mode)
		*mode = p.mode;
	if (nodes && maxnode)
		nodes[0] = p.nodes;
	return fake_end(f, c, 0);
}

int fake_set_mempolicy(void *priv, int mode, const unsigned long *nodes,
		       unsigned long maxnode)
{
	struct fake *f = priv;
	struct fake_call *c;
	int r = fake_begin(f, FAKE_SET_MEMPOLICY, -1, &c);

	c->arg[2] = (uint64_t)mode;
	if (!r)
		r = check_policy(f, mode, nodes, maxnode, &of_thread);
	return fake_end(f, c, r);
}

/* A page that is not mapped is not found, though it be allocated. */
int fake_move_pages(void *priv, size_t n, void **pages, int *node)
{
	struct fake *f = priv;
	struct fake_call *c;
	int r = fake_begin(f, FAKE_MOVE_PAGES, -1, &c);

	c->arg[1] = n;
	if (!r && f->no_numa)
		r = -ENOSYS;
	for (size_t i = 0; !r && i < n; i++) {
		struct fake_map *m = fake_map_at(f, pages[i]);
		uint64_t at = m ? offset_of(m, pages[i]) : 0;
		const struct fake_extent *e =
			m && m->fd >= 0 ? extent_at(fake_file(f, m->fd), at)
					: NULL;

		node[i] = e && at >= m->faulted && at < m->faulted_end
				  ? e->node
				  : -ENOENT;
	}
	return fake_end(f, c, r);
}

int fake_mincore(void *priv, void *addr, size_t len, unsigned char *vec)
{
	struct fake *f = priv;
	struct fake_call *c;
	int r = fake_begin(f, FAKE_MINCORE, -1, &c);
	struct fake_map *m = fake_map_at(f, addr);

	c->arg[0] = (uintptr_t)addr;
	c->arg[1] = len;
	if (!r && !m)
		r = -ENOMEM;
	for (uint64_t i = 0; !r && i < len / f->page_size; i++) {
		struct fake_fd *file = fake_file(f, m->fd);
		const struct fake_extent *e =
			extent_at(file, offset_of(m, addr) + i * f->page_size);

		/* What it must not tell, it calls present. */
		vec[i] = file->uid != f->euid || (e && e->touched);
	}
	return fake_end(f, c, r);
}

int fake_fallocate(void *priv, int fd, int mode, uint64_t offset, uint64_t len)
{
	struct fake *f = priv;
	struct fake_call *c;
	int r = fake_begin(f, FAKE_FALLOCATE, fd, &c);
	struct fake_fd *file = fake_file(f, fd);
	uint64_t unit = file && file->huge ? file->huge : f->page_size, n = len;

	c->arg[1] = len;
	c->arg[2] = (uint64_t)mode;
	c->arg[3] = offset;
	if (r)
		return fake_end(f, c, r);
	if (file->type != FAKE_FD_GMEM || !(mode & FALLOC_FL_KEEP_SIZE))
		return fake_end(f, c, -EOPNOTSUPP);
	if (!len || (offset | len) % unit)
		return fake_end(f, c, -EINVAL);
	if (mode & FALLOC_FL_PUNCH_HOLE) {
		punch(file, offset, offset + len);
		return fake_end(f, c, 0);
	}
	if (offset + len > file->size)
		return fake_end(f, c, -EINVAL);
	if (f->storm && n > f->storm)
		n = f->storm;
	fill(file, offset, offset + n, node_for(f, file, offset));
	return fake_end(f, c, n < len ? -EINTR : 0);
}

int fake_cachestat(void *priv, int fd, uint64_t offset, uint64_t len,
		   uint64_t *resident)
{
	struct fake *f = priv;
	struct fake_call *c;
	int r = fake_begin(f, FAKE_CACHESTAT, fd, &c);

	c->arg[1] = len;
	c->arg[3] = offset;
	if (!r && f->no_cachestat)
		r = -ENOSYS;
	if (!r)
		*resident = sum(fake_file(f, fd), offset, offset + len, -1) /
			    f->page_size;
	return fake_end(f, c, r);
}

int fake_populate(struct fake *f, struct fake_map *m, const char *addr,
		  size_t len, bool write)
{
	struct fake_fd *file = m ? fake_file(f, m->fd) : NULL;
	uint64_t at, end;

	if (!file || addr + len > m->addr + m->len)
		return -ENOMEM;
	at = offset_of(m, addr);
	end = at + len;
	if (file->private || fake_file_private(f, m->fd, at))
		for (uint64_t p = at; p < end; p += f->page_size)
			if (fake_file_private(f, m->fd, p))
				return -EFAULT;
	fill(file, at, end, node_for(f, file, at));
	split(file, at);
	split(file, end);
	for (size_t i = 0; write && i < file->n_extents; i++)
		if (file->extents[i].start >= at && file->extents[i].end <= end)
			file->extents[i].touched = true;
	m->faulted = at;
	m->faulted_end = end;
	return 0;
}

int fake_thread_start(void *priv, pthread_t *t, void *(*fn)(void *), void *arg)
{
	struct fake *f = priv;
	struct fake_call *c;
	int r = fake_begin(f, FAKE_THREAD, -1, &c);

	if (!r)
		r = -pthread_create(t, NULL, fn, arg);
	f->live_threads += r == 0;
	return fake_end(f, c, r);
}

void fake_thread_join(void *priv, pthread_t t)
{
	struct fake *f = priv;

	(void)pthread_join(t, NULL);
	(void)pthread_mutex_lock(&f->lock);
	f->live_threads--;
	(void)pthread_mutex_unlock(&f->lock);
}

int fake_input(struct fake *f, const void *data, size_t len, size_t piece)
{
	int fd = fake_new_fd(f, FAKE_FD_OTHER);
	struct fake_fd *file = fake_file(f, fd);

	file->piece = piece;
	file->real = memfd_create("input", MFD_CLOEXEC);
	assert_int_equal(write(file->real, data, len), len);
	assert_int_equal(lseek(file->real, 0, SEEK_SET), 0);
	return fd;
}

void fake_allocate(struct fake *f, int fd, uint64_t offset, uint64_t len,
		   int node)
{
	fill(fake_file(f, fd), offset, offset + len, node);
}

uint64_t fake_allocated(struct fake *f, int fd, uint64_t offset, uint64_t len,
			int node)
{
	return sum(fake_file(f, fd), offset, offset + len, node);
}

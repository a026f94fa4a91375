// SPDX-License-Identifier: MIT
/* The host's mappings: real ones of the memfds, under guest_memfd's rules. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "model.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* 6.1 */
#endif

/* @len up to whole pages. */
static uint64_t whole(const struct kernel *k, uint64_t len)
{
	return len + (k->page_size - len % k->page_size) % k->page_size;
}

struct mapping *model__map_at(struct kernel *k, uint64_t addr)
{
	struct mapping *m;

	for (m = k->maps; m; m = m->next)
		if (m->start <= addr && addr < m->end)
			return m;
	return NULL;
}

/* What the object refuses once mmap(2) itself is content. */
static int refused(const struct kernel *k, const struct object *o, int prot,
		   int flags)
{
	/* Anonymous inodes became noexec when guest_memfd could be mapped. */
	if (o->type != OBJECT_DEVICE && (prot & PROT_EXEC) &&
	    model__has(k, MODEL_MMAP))
		return -EPERM;
	if (o->type != OBJECT_FILE ||
	    !((const struct file *)o)->inode->mappable)
		return -ENODEV;
	return (flags & MAP_TYPE) == MAP_PRIVATE ? -EINVAL : 0;
}

static int map_enter(struct kernel *k, struct file *f, void *addr, size_t len,
		     uint64_t offset)
{
	struct mapping *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	m->start = (uintptr_t)addr;
	m->end = m->start + whole(k, len);
	m->offset = offset;
	m->file = f;
	r = model__map_guard(k, m);
	if (r == 0)
		r = model__ranges_set(&k->vma_policy, m->start, m->end, 0);
	if (r < 0) {
		free(m);
		return r;
	}
	m->next = k->maps;
	k->maps = m;
	f->o.refs++;
	k->holds++;
	return 0;
}

int model__mmap(struct kernel *k, void **addr, size_t len, int prot, int flags,
		int fd, uint64_t offset)
{
	struct object *o = flags & MAP_ANONYMOUS ? NULL : model__object(k, fd);
	int populate = flags & (MAP_POPULATE | MAP_LOCKED), no = 0, r;
	void *p;

	if (!o)
		return gmem__sys_linux.mmap(NULL, addr, len, prot, flags, fd,
					    offset);
	no = refused(k, o, prot, flags);
	/* A regular file's limit, which the memfd has, is half of others'. */
	if (o->type != OBJECT_FILE &&
	    offset / k->page_size <=
		    (UINT64_MAX - whole(k, len)) / k->page_size)
		offset %= k->page_size;
	/* The guard comes before the first touch. */
	r = gmem__sys_linux.mmap(NULL, &p, len, no ? PROT_NONE : prot,
				 flags & ~populate, fd, offset);
	if (r < 0)
		return r;
	r = no ? no : map_enter(k, (struct file *)o, p, len, offset);
	if (r < 0) {
		(void)munmap(p, len);
		return r;
	}
	if (populate)
		(void)madvise(p, len,
			      prot & PROT_WRITE ? MADV_POPULATE_WRITE
						: MADV_POPULATE_READ);
	*addr = p;
	return 0;
}

static void map_free(struct kernel *k, struct mapping *m)
{
	struct file *f = m->file;

	free(m);
	k->holds--;
	model__object_put(k, &f->o);
}

/* Takes [@start, @end) out of one mapping; @spare becomes its second half. */
static struct mapping *cut(struct mapping *m, uint64_t start, uint64_t end,
			   struct mapping *spare)
{
	if (start <= m->start) {
		m->offset += end - m->start;
		m->start = end;
		return NULL;
	}
	if (end >= m->end || !spare) {
		m->end = start;
		return NULL;
	}
	*spare = *m;
	spare->start = end;
	spare->offset += end - m->start;
	m->end = start;
	m->next = spare;
	m->file->o.refs++;
	return spare;
}

int model__munmap(struct kernel *k, void *addr, size_t len)
{
	uint64_t start = (uintptr_t)addr, end = start + len;
	struct mapping **p = &k->maps, *m, *spare = NULL;
	int r;

	end += (k->page_size - end % k->page_size) % k->page_size;
	m = model__map_at(k, start);
	if (m && start > m->start && end < m->end) {
		spare = malloc(sizeof(*spare));
		if (!spare)
			return -ENOMEM;
	}
	r = gmem__sys_linux.munmap(NULL, addr, len);
	if (r < 0) {
		free(spare);
		return r;
	}
	(void)model__ranges_set(&k->vma_policy, start, end, 0);
	while ((m = *p) != NULL) {
		if (m->end <= start || end <= m->start) {
			p = &m->next;
		} else if (start <= m->start && m->end <= end) {
			*p = m->next;
			map_free(k, m);
		} else {
			if (cut(m, start, end, spare)) {
				k->holds++;
				spare = NULL;
			}
			p = &m->next;
		}
	}
	free(spare);
	return 0;
}

/* Accepted without effect; a memfd would have one. */
static bool idle_advice(int advice)
{
	return advice == MADV_MERGEABLE || advice == MADV_HUGEPAGE ||
	       advice == MADV_NOHUGEPAGE || advice == MADV_COLD ||
	       advice == MADV_PAGEOUT;
}

/* What ordinary memory gives, with nothing at stake. */
static int madvise_plain(const struct kernel *k, int advice)
{
	return gmem__sys_linux.madvise(NULL, (void *)(uintptr_t)k->cookie,
				       k->page_size, advice);
}

/* Private pages too: they are not in the memfd that was told to. */
static int remove_pages(struct kernel *k, uint64_t start, uint64_t end)
{
	const struct mapping *m;
	int r = 0;

	for (m = k->maps; r == 0 && m; m = m->next) {
		uint64_t from = start > m->start ? start : m->start;
		uint64_t to = end < m->end ? end : m->end;

		if (from < to)
			r = model__inode_punch(m->file->inode,
					       m->offset + (from - m->start),
					       to - from);
	}
	return r;
}

size_t model__sound(struct kernel *k, const void *addr, size_t len)
{
	const struct mapping *m;
	uint64_t at = (uintptr_t)addr, end = at + len, first, n;

	for (m = k->maps; m; m = m->next) {
		first = at > m->start ? at : m->start;
		if (first >= end || first >= m->end)
			continue;
		n = (end < m->end ? end : m->end) - first;
		n = model__inode_sound(m->file->inode,
				       m->offset + (first - m->start), n);
		/* Where the mapping ends, others may go on. */
		if (first + n < end && first + n < m->end)
			end = first + n;
	}
	return end - at;
}

/* What comes before a memory error is populated. */
static int populate(struct kernel *k, const struct mapping *m, void *addr,
		    size_t len, int advice)
{
	size_t n = model__sound(k, addr, len);
	int r;

	n -= n % k->page_size;
	if (n == 0)
		return -EHWPOISON;
	r = gmem__sys_linux.madvise(NULL, addr, n, advice);
	if (r == 0)
		r = model__settle(m->file->inode,
				  m->offset + ((uintptr_t)addr - m->start), n);
	return r == 0 ? -EHWPOISON : r;
}

int model__madvise(struct kernel *k, void *addr, size_t len, int advice)
{
	const struct mapping *m = model__map_at(k, (uintptr_t)addr);
	int r;

	if (m && (advice == MADV_FREE || advice == MADV_COLLAPSE))
		return -EINVAL;
	/* Whether the kernel was built with it: the host's was or was not. */
	if (m && idle_advice(advice))
		return (uintptr_t)addr % k->page_size
			       ? -EINVAL
			       : madvise_plain(k, advice);
	if (m &&
	    (advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE) &&
	    model__sound(k, addr, len) < len)
		return populate(k, m, addr, len, advice);
	r = gmem__sys_linux.madvise(NULL, addr, len, advice);
	if (r == 0 && advice == MADV_REMOVE)
		r = remove_pages(k, (uintptr_t)addr,
				 (uintptr_t)addr + whole(k, len));
	if (r == 0 && m &&
	    (advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE))
		r = model__settle(m->file->inode,
				  m->offset + ((uintptr_t)addr - m->start),
				  len);
	return r;
}

/* Private pages are not in the memfd that is mapped. */
static void see_private(const struct mapping *m, uint64_t addr,
			const struct kernel *k, unsigned char *vec)
{
	uint64_t pos = m->offset + (addr - m->start), stop;

	if (pos < m->file->inode->size &&
	    model__inode_private(m->file->inode, pos, &stop))
		*vec = model__inode_data(m->file->inode, pos) <
		       pos + k->page_size;
}

int model__mincore(struct kernel *k, void *addr, size_t len, unsigned char *vec)
{
	uint64_t at = (uintptr_t)addr;
	int r = gmem__sys_linux.mincore(NULL, addr, len, vec);

	for (uint64_t i = 0; r == 0 && i * k->page_size < len; i++) {
		uint64_t page = at + i * k->page_size;
		const struct mapping *m = model__map_at(k, page);

		if (m)
			see_private(m, page, k, &vec[i]);
	}
	return r;
}

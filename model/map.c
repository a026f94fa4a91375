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

struct mapping *model__map_meet(const struct kernel *k,
				const struct mapping *after, uint64_t start,
				uint64_t end)
{
	struct gmem__node *n = model__tree_meet(
		&k->maps, after ? &after->at : NULL, start, end);

	return n ? CONTAINER(n, struct mapping, at) : NULL;
}

struct mapping *model__map_at(const struct kernel *k, uint64_t addr)
{
	return model__map_meet(k, NULL, addr, addr + 1);
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

static void place(struct kernel *k, struct mapping *m, uint64_t start,
		  uint64_t end, uint64_t offset)
{
	model__tree_add(&k->maps, &m->at, start, end);
	model__tree_add(&m->file->inode->maps, &m->in, offset,
			offset + (end - start));
}

static void displace(struct kernel *k, struct mapping *m)
{
	gmem__tree_remove(&k->maps, &m->at);
	gmem__tree_remove(&m->file->inode->maps, &m->in);
}

static void map_free(struct kernel *k, struct mapping *m)
{
	struct file *f = m->file;

	free(m);
	k->holds--;
	model__object_put(k, &f->o);
}

/* A mapping for the part behind [@start, @end) of one that reaches beyond. */
static int spare_for(const struct kernel *k, uint64_t start, uint64_t end,
		     struct mapping **out)
{
	const struct mapping *m = model__map_at(k, start);

	if (!m || start == m->at.start || end >= m->at.end)
		return 0;
	*out = malloc(sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

/* The model has nothing mapped there any more, whoever unmapped it;
 * @spare: see above.
 */
static int clear(struct kernel *k, uint64_t start, uint64_t end,
		 struct mapping *spare)
{
	int r = model__ranges_set(&k->vma_policy, start, end, 0);
	struct mapping *m;

	while ((m = model__map_meet(k, NULL, start, end)) != NULL) {
		struct mapping was = *m;
		bool head = was.at.start<start, tail = was.at.end> end;

		displace(k, m);
		if (head)
			place(k, m, was.at.start, start, was.in.start);
		if (head && tail && spare) {
			m = spare;
			spare = NULL;
			m->file = was.file;
			m->file->o.users++;
			k->holds++;
			head = false;
		}
		if (tail && !head)
			place(k, m, end, was.at.end,
			      was.in.start + (end - was.at.start));
		if (!head && !tail)
			map_free(k, m);
	}
	free(spare);
	return r;
}

static int map_enter(struct kernel *k, struct file *f, void *addr, size_t len,
		     uint64_t offset)
{
	uint64_t start = (uintptr_t)addr;
	struct mapping *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	m->file = f;
	place(k, m, start, start + whole(k, len), offset);
	r = model__map_guard(k, m);
	if (r < 0) {
		displace(k, m);
		free(m);
		return r;
	}
	f->o.users++;
	k->holds++;
	return 0;
}

/* What the host maps of @o, or of an object outside the model. */
static int map_host(const struct kernel *k, const struct object *o, void **addr,
		    size_t len, int prot, int flags, int fd, uint64_t offset)
{
	/* A regular file's limit, which the memfd has, is half of others'. */
	if (o && o->type != OBJECT_FILE &&
	    offset / k->page_size <=
		    (UINT64_MAX - whole(k, len)) / k->page_size)
		offset %= k->page_size;
	return gmem__sys_linux.mmap(NULL, addr, len, prot, flags, fd, offset);
}

int model__mmap(struct kernel *k, void **addr, size_t len, int prot, int flags,
		int fd, uint64_t offset)
{
	struct object *o = flags & MAP_ANONYMOUS ? NULL : model__object(k, fd);
	int populate = o ? flags & (MAP_POPULATE | MAP_LOCKED) : 0, no, r;
	bool named = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
	void *p = named ? *addr : NULL;
	uint64_t start = (uintptr_t)p, end = start + whole(k, len);
	struct mapping *spare = NULL;

	no = o ? refused(k, o, prot, flags) : 0;
	/* A refused mapping removes nothing, even at a fixed address. */
	if (no)
		flags &= ~MAP_FIXED;
	r = !no && named ? spare_for(k, start, end, &spare) : 0;
	/* The guard comes before the first touch. */
	if (r == 0)
		r = map_host(k, o, &p, len, no ? PROT_NONE : prot,
			     flags & ~populate, fd, offset);
	if (r < 0) {
		free(spare);
		return r;
	}
	start = (uintptr_t)p;
	r = no ? no : clear(k, start, start + whole(k, len), spare);
	if (r == 0 && o)
		r = map_enter(k, (struct file *)o, p, len, offset);
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

int model__munmap(struct kernel *k, void *addr, size_t len)
{
	uint64_t start = (uintptr_t)addr, end = start + len;
	struct mapping *spare = NULL;
	int r;

	end += (k->page_size - end % k->page_size) % k->page_size;
	r = spare_for(k, start, end, &spare);
	if (r == 0)
		r = gmem__sys_linux.munmap(NULL, addr, len);
	if (r < 0) {
		free(spare);
		return r;
	}
	(void)clear(k, start, end, spare);
	return 0;
}

/* Accepted without effect; a memfd would have one. */
static bool idle_advice(int advice)
{
	return advice == MADV_MERGEABLE || advice == MADV_HUGEPAGE ||
	       advice == MADV_NOHUGEPAGE || advice == MADV_COLD ||
	       advice == MADV_PAGEOUT;
}

/* The result for ordinary memory, tried on a harmless mapping. */
static int madvise_plain(const struct kernel *k, int advice)
{
	return gmem__sys_linux.madvise(NULL, (void *)(uintptr_t)k->cookie,
				       k->page_size, advice);
}

/* Private pages too: the memfd that was populated does not have them. */
static int remove_pages(struct kernel *k, uint64_t start, uint64_t end)
{
	const struct mapping *m = NULL;
	int r = 0;

	while (r == 0 && (m = model__map_meet(k, m, start, end)) != NULL) {
		uint64_t from = start > m->at.start ? start : m->at.start;
		uint64_t to = end < m->at.end ? end : m->at.end;

		r = model__inode_punch(m->file->inode,
				       m->in.start + (from - m->at.start),
				       to - from);
	}
	return r;
}

size_t model__sound(struct kernel *k, const void *addr, size_t len)
{
	const struct mapping *m = NULL;
	uint64_t at = (uintptr_t)addr, end = at + len, first, n;

	while ((m = model__map_meet(k, m, at, end)) != NULL) {
		first = at > m->at.start ? at : m->at.start;
		n = (end < m->at.end ? end : m->at.end) - first;
		n = model__inode_sound(m->file->inode,
				       m->in.start + (first - m->at.start), n);
		/* After the end of the mapping there may be others. */
		if (first + n < end && first + n < m->at.end)
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
		r = model__assign_nodes(
			m->file->inode,
			m->in.start + ((uintptr_t)addr - m->at.start), n);
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
		r = model__assign_nodes(
			m->file->inode,
			m->in.start + ((uintptr_t)addr - m->at.start), len);
	return r;
}

/* Private pages are not in the memfd that is mapped. */
static void see_private(const struct mapping *m, uint64_t addr,
			const struct kernel *k, unsigned char *vec)
{
	uint64_t pos = m->in.start + (addr - m->at.start), stop;

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

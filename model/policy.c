// SPDX-License-Identifier: MIT
/* NUMA policies: what mbind(2) and its like take, keep and tell. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "macros.h"
#include "policy.h"

#define MF_STRICT 1
#define MF_MOVE 2
#define MF_MOVE_ALL 4

#define MASK_BITS 1024 /* the most nodes a kernel can be built for */
#define MASK_LIMIT 32768
#define WORD (8 * sizeof(unsigned long))

/* A user's mask of @maxnode - 1 bits; *@any: a bit is set, usable or not. */
static int read_nodes(const unsigned long *user, unsigned long maxnode,
		      uint64_t *nodes, bool *any)
{
	unsigned long words[MASK_LIMIT / WORD] = { 0 };
	size_t n;

	*nodes = 0;
	*any = false;
	maxnode--;
	if (maxnode == 0 || !user)
		return 0;
	if (maxnode > MASK_LIMIT)
		return -EINVAL;
	n = (maxnode + WORD - 1) / WORD;
	if (model__copy_in(words, user, n * sizeof(*words)) < 0)
		return -EFAULT;
	if (maxnode % WORD)
		words[n - 1] &= (1UL << maxnode % WORD) - 1;
	for (size_t i = 0; i < n; i++) {
		if (words[i] && i >= MASK_BITS / WORD)
			return -EINVAL;
		*any = *any || words[i];
	}
	*nodes = words[0] & UINT32_MAX;
	return 0;
}

static int check_mode(int mode)
{
	int flags = mode & F_ALL;

	mode &= ~F_ALL;
	if (mode < 0 || mode >= MODES)
		return -EINVAL;
	if ((flags & F_STATIC_NODES) && (flags & F_RELATIVE_NODES))
		return -EINVAL;
	if ((flags & F_NUMA_BALANCING) && mode != BIND &&
	    mode != PREFERRED_MANY)
		return -EINVAL;
	return 0;
}

/* The policy that was asked for; 0 is the default one. */
static int new_policy(const struct kernel *k, int mode, uint64_t nodes,
		      bool any, uint64_t *policy)
{
	int flags = mode & F_ALL, m = mode & ~F_ALL;
	bool relative = flags & (F_STATIC_NODES | F_RELATIVE_NODES);
	bool kept = relative || (flags && !model__has(k, MODEL_MASK_ONLINE));

	*policy = 0;
	if (m == DEFAULT)
		return any ? -EINVAL : 0;
	if (m == PREFERRED && !any)
		m = LOCAL;
	else if (m != LOCAL && !any)
		return -EINVAL;
	if (m == LOCAL) {
		if (any || relative)
			return -EINVAL;
		*policy = pack(m | flags, 0);
		return 0;
	}
	if (!(flags & F_RELATIVE_NODES) && !(nodes & usable(k)))
		return -EINVAL;
	/* What get_mempolicy(2) shows is the user's own mask, or this. */
	if (!kept)
		nodes &= usable(k);
	if (m == PREFERRED && !flags)
		nodes &= -nodes;
	*policy = pack(m | flags, nodes);
	return 0;
}

struct wish {
	uint64_t policy, nodes;
	unsigned int flags;
};

/*
 * Mappings keep their policy, and from 6.19 on the file has it too: it gets
 * what is new for the mapping, whatever other mappings set.
 */
static int set_policy(struct kernel *k, const struct mapping *m, uint64_t from,
		      uint64_t to, uint64_t policy)
{
	uint64_t offset = m->in.start + (from - m->at.start), stop;
	int r = 0;

	for (; r == 0 && from < to; offset += stop - from, from = stop) {
		uint64_t had = model__ranges_get(&k->vma_policy, from, &stop);

		if (stop > to)
			stop = to;
		if (had == policy)
			continue;
		r = model__ranges_set(&k->vma_policy, from, stop, policy);
		if (r == 0 && model__has(k, MODEL_OWN_INODE))
			r = model__ranges_set(&m->file->inode->policy, offset,
					      offset + (stop - from), policy);
	}
	return r;
}

/* One mapping's part of an mbind(2). */
static int bind_part(struct kernel *k, const struct mapping *m, uint64_t start,
		     uint64_t end, const struct wish *w)
{
	uint64_t from = start > m->at.start ? start : m->at.start;
	uint64_t to = end < m->at.end ? end : m->at.end;
	bool wrong;
	int r;

	r = model__assign_nodes(m->file->inode,
				m->in.start + (from - m->at.start), to - from);
	if (r < 0)
		return r;
	/* Nothing moves; without asking for that nothing is set either. */
	wrong = w->policy && (w->flags & MF_STRICT) &&
		model__misplaced(m, from, to, w->nodes,
				 (w->flags & (MF_MOVE | MF_MOVE_ALL)) ==
					 MF_MOVE);
	if (wrong && !(w->flags & (MF_MOVE | MF_MOVE_ALL)))
		return -EIO;
	r = set_policy(k, m, from, to, w->policy);
	return r < 0 ? r : wrong ? -EIO : 0;
}

int model__mbind(struct kernel *k, void *addr, size_t len, int mode,
		 const unsigned long *nodes, unsigned long maxnode,
		 unsigned int flags)
{
	struct wish w = { .flags = flags };
	uint64_t start = (uintptr_t)addr, end;
	const struct mapping *m = NULL;
	bool any;
	int r = check_mode(mode);

	if (!model__map_at(k, start))
		return gmem__sys_linux.mbind(NULL, addr, len, mode, nodes,
					     maxnode, flags);
	if (r == 0)
		r = read_nodes(nodes, maxnode, &w.nodes, &any);
	if (r < 0)
		return r;
	if ((flags & ~(MF_STRICT | MF_MOVE | MF_MOVE_ALL)) ||
	    start % k->page_size)
		return -EINVAL;
	end = start + len + (k->page_size - len % k->page_size) % k->page_size;
	if (end < start)
		return -EINVAL;
	if (end == start)
		return 0;
	r = new_policy(k, mode, w.nodes, any, &w.policy);
	if (r < 0)
		return r;
	/* Only the default may be given to holes as well. */
	if (w.policy && msync(addr, end - start, MS_ASYNC) < 0)
		return -EFAULT;
	while ((m = model__map_meet(k, m, start, end)) != NULL) {
		int e = bind_part(k, m, start, end, &w);

		r = r ? r : e;
	}
	return r;
}

static int write_nodes(const struct kernel *k, unsigned long *user,
		       unsigned long maxnode, uint64_t nodes)
{
	size_t n = (maxnode - 1 + WORD - 1) / WORD;
	unsigned long words[MASK_LIMIT / WORD] = { nodes };

	if (!user)
		return 0;
	if (n * sizeof(*words) > k->page_size || n > ARRAY_SIZE(words))
		return -EINVAL;
	return model__copy_out(user, words, n * sizeof(*words));
}

static uint64_t policy_of(const struct kernel *k, const struct mapping *m,
			  uint64_t addr)
{
	if (!model__has(k, MODEL_OWN_INODE))
		return model__ranges_get(&k->vma_policy, addr, NULL);
	return model__ranges_get(&m->file->inode->policy,
				 m->in.start + (addr - m->at.start), NULL);
}

int model__get_mempolicy(struct kernel *k, int *mode, unsigned long *nodes,
			 unsigned long maxnode, void *addr, unsigned long flags)
{
	const struct mapping *m = model__map_at(k, (uintptr_t)addr);
	uint64_t policy = model__task_policy(k), mask;
	int word, r = 0;

	if ((flags & GET_ADDR) && !m)
		return gmem__sys_linux.get_mempolicy(NULL, mode, nodes, maxnode,
						     addr, flags);
	if (nodes && maxnode < k->nodes)
		return -EINVAL;
	if (flags & ~(unsigned long)(GET_NODE | GET_ADDR | GET_MEMS_ALLOWED))
		return -EINVAL;
	if (flags & GET_MEMS_ALLOWED) {
		if (flags != GET_MEMS_ALLOWED)
			return -EINVAL;
		policy = pack(0, usable(k));
	} else if (flags & GET_ADDR) {
		policy = policy_of(k, m, (uintptr_t)addr);
	} else if (addr) {
		return -EINVAL;
	}
	word = mode_of(policy);
	mask = nodes_of(policy);
	if (flags & GET_NODE) {
		word = flags & GET_ADDR ? model__node_at(k, m, (uintptr_t)addr)
					: model__next_node(k, policy);
		if (word < 0)
			return word;
	}
	if (mode)
		r = model__copy_out(mode, &word, sizeof(word));
	return r < 0 ? r : write_nodes(k, nodes, maxnode, mask);
}

int model__set_mempolicy(struct kernel *k, int mode, const unsigned long *nodes,
			 unsigned long maxnode)
{
	uint64_t policy = 0, mask, *task = pthread_getspecific(k->task_policy);
	struct object *o = NULL;
	bool any;
	int r = check_mode(mode);

	if (r == 0)
		r = read_nodes(nodes, maxnode, &mask, &any);
	if (r == 0)
		r = new_policy(k, mode, mask, any, &policy);
	while (r == 0 && (o = model__object_next(k, o)) != NULL)
		if (o->type == OBJECT_FILE)
			r = model__assign_nodes(
				((struct file *)o)->inode, 0,
				((struct file *)o)->inode->size);
	if (r < 0)
		return r;
	if (!task) {
		task = calloc(1, sizeof(*task));
		if (!task || pthread_setspecific(k->task_policy, task)) {
			free(task);
			return -ENOMEM;
		}
	}
	*task = policy;
	if (model__spreads(policy))
		k->turn = MODEL_NODES - 1;
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * On which node a page is.  Nodes need not exist.
 *
 * The host may touch a mapped page without the model seeing it.  Such a page
 * gets its node when something next depends on it: before a policy changes,
 * and when it is asked for.
 */
#include <errno.h>
#include <fcntl.h>

#include "policy.h"

uint64_t model__task_policy(const struct kernel *k)
{
	const uint64_t *p = pthread_getspecific(k->task_policy);

	return p ? *p : 0;
}

static unsigned int first_node(uint64_t nodes)
{
	return (unsigned int)__builtin_ctzll(nodes);
}

/* Node n is the n-th of those that are usable; past the last from the first. */
static uint64_t relative(uint64_t nodes, uint64_t usable)
{
	unsigned int count = (unsigned int)__builtin_popcountll(usable);
	uint64_t out = 0, rest;

	for (; nodes; nodes &= nodes - 1) {
		rest = usable;
		for (unsigned int n = first_node(nodes) % count; n; n--)
			rest &= rest - 1;
		out |= rest & -rest;
	}
	return out;
}

/* The nodes that a policy means, never none. */
static uint64_t meant(const struct kernel *k, uint64_t policy)
{
	uint64_t nodes = nodes_of(policy);

	if (mode_of(policy) & F_RELATIVE_NODES)
		nodes = relative(nodes, usable(k));
	nodes &= usable(k);
	return nodes ? nodes : usable(k);
}

/* After the one whose turn was last, in the order of allocating. */
static unsigned int turn_after(const struct kernel *k, uint64_t nodes)
{
	uint64_t later = nodes & ~((2ULL << k->turn) - 1);

	return first_node(later ? later : nodes);
}

bool model__spreads(uint64_t policy)
{
	int m = mode_of(policy) & ~F_ALL;

	return m == INTERLEAVE || m == WEIGHTED_INTERLEAVE;
}

static uint64_t policy_at(const struct inode *i, uint64_t at, uint64_t *end)
{
	uint64_t policy = model__ranges_get(&i->policy, at, end);

	return policy ? policy : model__task_policy(i->k);
}

/* The nodes that @i has pages for under @policy; none only where it binds. */
static uint64_t nodes_with_room(const struct inode *i, uint64_t policy)
{
	uint64_t nodes = meant(i->k, policy), room;

	if (!i->pool)
		return nodes;
	room = model__pool_free(i->pool, nodes);
	if (room || (mode_of(policy) & ~F_ALL) == BIND)
		return room;
	return model__pool_free(i->pool, usable(i->k));
}

int model__node_room(struct inode *i, uint64_t at)
{
	uint64_t pages, end;
	int r = model__inode_resident(i, at, i->page_size, &pages);

	if (r < 0 || pages || nodes_with_room(i, policy_at(i, at, &end)))
		return r;
	return -ENOMEM;
}

/* A node for the page at @pos, or for all of [@pos, *@stop) without turns. */
static unsigned int choose(struct inode *i, uint64_t policy, uint64_t pos,
			   uint64_t *stop)
{
	uint64_t nodes = nodes_with_room(i, policy);

	/* The host touched it, which the model cannot refuse. */
	if (!nodes)
		nodes = meant(i->k, policy);
	if (i->pool || model__spreads(policy))
		*stop = pos + i->page_size;
	if (model__spreads(policy))
		return i->k->turn = turn_after(i->k, nodes);
	return first_node(nodes);
}

/* All of [@pos, @end) has memory: a node for what has none. */
static int assign_present(struct inode *i, uint64_t pos, uint64_t end)
{
	int r = 0;

	while (r == 0 && pos < end) {
		uint64_t stop, limit, policy = policy_at(i, pos, &limit);
		uint64_t had = model__ranges_get(&i->nodes, pos, &stop);
		unsigned int n;

		if (stop > limit)
			stop = limit;
		if (stop > end)
			stop = end;
		if (!had) {
			n = choose(i, policy, pos, &stop);
			r = model__ranges_set(&i->nodes, pos, stop, n + 1);
			if (r == 0 && i->pool)
				i->pool->placed[n]++;
		}
		pos = stop;
	}
	return r;
}

static int assign(struct inode *i, uint64_t pos, uint64_t end)
{
	uint64_t pages, middle;
	int r = model__inode_resident(i, pos, end - pos, &pages);

	if (r < 0 || pages == 0)
		return r;
	if (pages == (end - pos) / i->k->page_size)
		return assign_present(i, pos, end);
	middle = pos + (end - pos) / i->page_size / 2 * i->page_size;
	r = assign(i, pos, middle);
	return r < 0 ? r : assign(i, middle, end);
}

int model__assign_nodes(struct inode *i, uint64_t offset, uint64_t len)
{
	uint64_t end = offset + len;

	/* A pool counts its pages on one node as well. */
	if ((i->k->nodes == 1 && !i->pool) || offset >= i->size)
		return 0;
	if (end > i->size)
		end = i->size;
	offset -= offset % i->page_size;
	end += (i->page_size - end % i->page_size) % i->page_size;
	return assign(i, offset, end);
}

#define PAGEMAP_PRESENT (1ULL << 63)
#define PAGEMAP_EXCLUSIVE (1ULL << 56)

/* Whether several mappings have the page at @addr, as far as @pagemap knows. */
static bool mapped_twice(const struct kernel *k, int pagemap, uint64_t addr)
{
	uint64_t entry = 0;

	if (pagemap >= 0)
		(void)!gmem__sys_linux.pread(
			NULL, pagemap, &entry, sizeof(entry),
			addr / k->page_size * sizeof(entry));
	return (entry & (PAGEMAP_PRESENT | PAGEMAP_EXCLUSIVE)) ==
	       PAGEMAP_PRESENT;
}

static bool misplaced(const struct mapping *m, uint64_t from, uint64_t to,
		      uint64_t nodes, int pagemap)
{
	const struct inode *i = m->file->inode;
	uint64_t pos = m->in.start + (from - m->at.start);
	uint64_t end = m->in.start + (to - m->at.start), node;

	if (end > i->size)
		end = i->size;
	for (; pos < end; pos += i->k->page_size) {
		void *page;
		int status;

		pos = model__inode_data(i, pos);
		if (pos >= end)
			break;
		page = (void *)(uintptr_t)(m->at.start + (pos - m->in.start));
		if (gmem__sys_linux.move_pages(NULL, 1, &page, NULL, &status) <
			    0 ||
		    status < 0 || mapped_twice(i->k, pagemap, (uintptr_t)page))
			continue;
		node = model__ranges_get(&i->nodes, pos, NULL);
		if (!(nodes >> (node ? node - 1 : 0) & 1))
			return true;
	}
	return false;
}

bool model__misplaced(const struct mapping *m, uint64_t from, uint64_t to,
		      uint64_t nodes, bool alone)
{
	int fd = alone ? gmem__sys_linux.open(NULL, "/proc/self/pagemap",
					      O_RDONLY | O_CLOEXEC)
		       : -1;
	bool is = misplaced(m, from, to, nodes, fd);

	if (fd >= 0)
		(void)gmem__sys_linux.close(NULL, fd);
	return is;
}

int model__node_at(struct kernel *k, const struct mapping *m, uint64_t addr)
{
	uint64_t page = addr - addr % k->page_size;
	uint64_t offset = m->in.start + (page - m->at.start);
	int node, r;

	/* The host knows whether it can be there, not where. */
	r = gmem__sys_linux.get_mempolicy(NULL, &node, NULL, 0,
					  (void *)(uintptr_t)addr,
					  GET_NODE | GET_ADDR);
	if (r == 0)
		r = model__assign_nodes(m->file->inode, offset, k->page_size);
	if (r < 0 || k->nodes == 1)
		return r;
	return (int)model__ranges_get(&m->file->inode->nodes, offset, NULL) - 1;
}

int model__next_node(const struct kernel *k, uint64_t policy)
{
	return model__spreads(policy) ? (int)turn_after(k, meant(k, policy))
				      : -EINVAL;
}

/* Those to move to are looked at first; guest memory never moves. */
static int check_targets(const struct kernel *k, size_t n, const int *to)
{
	int node;

	for (size_t i = 0; i < n; i++) {
		if (model__copy_in(&node, &to[i], sizeof(node)) < 0)
			return -EFAULT;
		if (node < 0 || node >= (int)k->nodes || k->empty >> node & 1)
			return -ENODEV;
		if (k->outside >> node & 1)
			return -EACCES;
	}
	return 0;
}

int model__set_home_node(const struct kernel *k, void *addr, size_t len,
			 unsigned long node)
{
	if ((uintptr_t)addr % k->page_size || node >= k->nodes)
		return -EINVAL;
	return len ? -ENOSYS : 0;
}

int model__move_pages(struct kernel *k, size_t n, void **pages, const int *to,
		      int *node)
{
	int r = to ? check_targets(k, n, to) : 0;

	if (r < 0)
		return r;
	r = gmem__sys_linux.move_pages(NULL, n, pages, NULL, node);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		uint64_t addr = (uintptr_t)pages[i];
		const struct mapping *m = model__map_at(k, addr);

		if (!m || node[i] < 0)
			continue;
		node[i] = model__node_at(k, m, addr);
	}
	return r;
}

// SPDX-License-Identifier: MIT
/*
 * A treap: a search tree by (group, start), and a heap by random weights,
 * which keeps it about 2 log n deep whatever the order of the insertions.
 * Each node knows the greatest (group, end) below it, so that a search for an
 * overlap need not look into a subtree that ends too early.
 */
#include <stdbool.h>
#include <stddef.h>

#include "tree.h"

static bool less(uint64_t group, uint64_t at, uint64_t group2, uint64_t at2)
{
	return group < group2 || (group == group2 && at < at2);
}

/* The subtree's last end, from the node and its children. */
static void update(struct gmem__node *n)
{
	const struct gmem__node *c;

	n->last_group = n->group;
	n->last_end = n->end;
	for (int i = 0; i < 2; i++) {
		c = n->child[i];
		if (c && less(n->last_group, n->last_end, c->last_group,
			      c->last_end)) {
			n->last_group = c->last_group;
			n->last_end = c->last_end;
		}
	}
}

static int side(const struct gmem__node *n)
{
	return n->parent->child[1] == n;
}

/* Puts @n where @old is below @old's parent. */
static void replace(struct gmem__tree *t, const struct gmem__node *old,
		    struct gmem__node *n)
{
	if (old->parent)
		old->parent->child[side(old)] = n;
	else
		t->root = n;
	if (n)
		n->parent = old->parent;
}

/* Changes places with its parent; the order stays. */
static void rotate_up(struct gmem__tree *t, struct gmem__node *n)
{
	struct gmem__node *p = n->parent, *inner;
	int s = side(n);

	inner = n->child[!s];
	replace(t, p, n);
	n->child[!s] = p;
	p->parent = n;
	p->child[s] = inner;
	if (inner)
		inner->parent = p;
	update(p);
	update(n);
}

void gmem__tree_insert(struct gmem__tree *t, struct gmem__node *n)
{
	struct gmem__node *p = t->root, *up;
	int s = 0;

	t->seed = t->seed * 1664525U + 1013904223U;
	n->weight = t->seed;
	n->child[0] = n->child[1] = NULL;
	n->parent = NULL;
	update(n);
	while (p) {
		n->parent = p;
		s = !less(n->group, n->start, p->group, p->start);
		p = p->child[s];
	}
	if (!n->parent) {
		t->root = n;
		return;
	}
	n->parent->child[s] = n;
	for (up = n->parent; up; up = up->parent)
		update(up);
	while (n->parent && n->parent->weight < n->weight)
		rotate_up(t, n);
}

void gmem__tree_remove(struct gmem__tree *t, struct gmem__node *n)
{
	struct gmem__node *up, *l, *r;

	while ((l = n->child[0]) != NULL && (r = n->child[1]) != NULL)
		rotate_up(t, l->weight > r->weight ? l : r);
	replace(t, n, l ? l : n->child[1]);
	for (up = n->parent; up; up = up->parent)
		update(up);
}

/* The first overlap in the subtree of @n. */
static struct gmem__node *overlap(struct gmem__node *n, uint64_t group,
				  uint64_t start, uint64_t end)
{
	struct gmem__node *l;

	while (n) {
		l = n->child[0];
		/* Either one that overlaps is there, or none is anywhere. */
		if (l && less(group, start, l->last_group, l->last_end)) {
			n = l;
			continue;
		}
		if (!less(n->group, n->start, group, end))
			return NULL;
		if (n->group == group && start < n->end)
			return n;
		n = n->child[1];
	}
	return NULL;
}

struct gmem__node *gmem__tree_overlap(const struct gmem__tree *t,
				      uint64_t group, uint64_t start,
				      uint64_t end)
{
	return overlap(t->root, group, start, end);
}

struct gmem__node *gmem__tree_overlap_next(const struct gmem__node *n,
					   uint64_t start, uint64_t end)
{
	const uint64_t group = n->group;
	struct gmem__node *next;

	do {
		next = n->child[1];
		if (next &&
		    less(group, start, next->last_group, next->last_end))
			return overlap(next, group, start, end);
		while (n->parent && side(n))
			n = n->parent;
		n = next = n->parent;
		if (!n || !less(n->group, n->start, group, end))
			return NULL;
	} while (start >= n->end); /* of the group, since it is not before it */
	return next;
}

static struct gmem__node *leftmost(struct gmem__node *n)
{
	while (n && n->child[0])
		n = n->child[0];
	return n;
}

struct gmem__node *gmem__tree_first(const struct gmem__tree *t)
{
	return leftmost(t->root);
}

struct gmem__node *gmem__tree_next(const struct gmem__node *n)
{
	if (n->child[1])
		return leftmost(n->child[1]);
	while (n->parent && side(n))
		n = n->parent;
	return n->parent;
}

// SPDX-License-Identifier: MIT
/*
 * Ranges by where they start; they may overlap.  A treap: in order by start,
 * a heap by rank, which is drawn, so that its height goes with the logarithm.
 */
#include "model.h"

static bool before(const struct node *a, const struct node *b)
{
	return a->start != b->start ? a->start < b->start : a < b;
}

/* After a change below @n. */
static void update(struct node *n)
{
	n->reach = n->end;
	if (n->left && n->left->reach > n->reach)
		n->reach = n->left->reach;
	if (n->right && n->right->reach > n->reach)
		n->reach = n->right->reach;
}

/* What is before @at and what is not. */
static void split(struct node *n, const struct node *at, struct node **low,
		  struct node **high)
{
	if (!n) {
		*low = *high = NULL;
		return;
	}
	if (before(n, at)) {
		*low = n;
		split(n->right, at, &n->right, high);
	} else {
		*high = n;
		split(n->left, at, low, &n->left);
	}
	update(n);
}

static struct node *merge(struct node *low, struct node *high)
{
	if (!low || !high)
		return low ? low : high;
	if (low->rank > high->rank) {
		low->right = merge(low->right, high);
		update(low);
		return low;
	}
	high->left = merge(low, high->left);
	update(high);
	return high;
}

static struct node *add(struct node *root, struct node *n)
{
	if (!root || n->rank > root->rank) {
		split(root, n, &n->left, &n->right);
		update(n);
		return n;
	}
	if (before(n, root))
		root->left = add(root->left, n);
	else
		root->right = add(root->right, n);
	update(root);
	return root;
}

static struct node *take(struct node *root, const struct node *n)
{
	if (root == n)
		return merge(n->left, n->right);
	if (before(n, root))
		root->left = take(root->left, n);
	else
		root->right = take(root->right, n);
	update(root);
	return root;
}

void model__tree_add(struct tree *t, struct node *n, uint64_t start,
		     uint64_t end)
{
	t->drawn = t->drawn * 1664525 + 1013904223;
	*n = (struct node){ .start = start, .end = end, .rank = t->drawn };
	t->root = add(t->root, n);
}

void model__tree_remove(struct tree *t, struct node *n)
{
	t->root = take(t->root, n);
}

static struct node *meet(struct node *n, const struct node *after,
			 uint64_t start, uint64_t end)
{
	struct node *found;

	if (!n || n->reach <= start)
		return NULL;
	if (!after || before(after, n)) {
		found = meet(n->left, after, start, end);
		if (found)
			return found;
		if (n->start < end && n->end > start)
			return n;
	}
	return n->start < end ? meet(n->right, after, start, end) : NULL;
}

struct node *model__tree_meet(const struct tree *t, const struct node *after,
			      uint64_t start, uint64_t end)
{
	return meet(t->root, after, start, end);
}

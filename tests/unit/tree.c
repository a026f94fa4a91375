// SPDX-License-Identifier: MIT
/* The tree against a list that is looked through from end to end. */
#include <stdbool.h>

#include "t.h"

#include "tree.h"

#define NODES 300
#define GROUPS 3
#define ROUNDS 20000

struct world {
	struct gmem__tree tree;
	struct gmem__node node[NODES];
	bool in[NODES];
	unsigned int n, seed;
};

static uint64_t any(struct world *w, uint64_t below)
{
	w->seed = w->seed * 1103515245 + 12345;
	return (w->seed >> 8) % below;
}

static bool before(const struct gmem__node *a, const struct gmem__node *b)
{
	return a->group < b->group ||
	       (a->group == b->group && a->start < b->start);
}

/* How many overlap, and where the first one starts, by looking at all. */
static unsigned int overlaps(const struct world *w, uint64_t group,
			     uint64_t start, uint64_t end, uint64_t *at)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < NODES; i++) {
		const struct gmem__node *n = &w->node[i];

		if (!w->in[i] || n->group != group || n->start >= end ||
		    start >= n->end)
			continue;
		if (!found++ || n->start < *at)
			*at = n->start;
	}
	return found;
}

static void change(struct world *w)
{
	unsigned int i = (unsigned int)any(w, NODES);
	struct gmem__node *n = &w->node[i];

	if (w->in[i]) {
		gmem__tree_remove(&w->tree, n);
		w->n--;
	} else {
		n->group = any(w, GROUPS);
		n->start = any(w, 4096);
		n->end = n->start + 1 + any(w, any(w, 4) ? 8 : 2048);
		gmem__tree_insert(&w->tree, n);
		w->n++;
	}
	w->in[i] = !w->in[i];
}

static void look(struct world *w)
{
	uint64_t group = any(w, GROUPS + 1), start = any(w, 6000), at = 0;
	uint64_t end = start + 1 + any(w, any(w, 8) ? 64 : 2048);
	unsigned int left = overlaps(w, group, start, end, &at);
	const struct gmem__node *n, *last = NULL;

	for (n = gmem__tree_overlap(&w->tree, group, start, end); n; left--) {
		assert_int_not_equal(left, 0);
		assert_int_equal(n->group, group);
		assert_true(n->start < end && start < n->end);
		if (!last)
			assert_int_equal(n->start, at);
		else
			assert_false(before(n, last) || n == last);
		last = n;
		n = gmem__tree_overlap_next(n, start, end);
	}
	assert_int_equal(left, 0);
}

static void walk(const struct world *w)
{
	const struct gmem__node *n = gmem__tree_first(&w->tree), *last = NULL;
	unsigned int count = 0;

	for (; n; last = n, n = gmem__tree_next(n), count++)
		assert_false(last && before(n, last));
	assert_int_equal(count, w->n);
}

static void an_overlap_is_found_as_by_looking_at_all(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	(void)state;
	assert_non_null(w);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		change(w);
		look(w);
		if (i % 100 == 0)
			walk(w);
	}
	free(w);
}

static unsigned int depth(const struct gmem__node *n)
{
	unsigned int l, r;

	if (!n)
		return 0;
	l = depth(n->child[0]);
	r = depth(n->child[1]);
	return 1 + (l > r ? l : r);
}

/* 2 ln n is what a treap has on average; no order makes it a list. */
static void it_stays_shallow_whatever_the_order(void **state)
{
	enum {
		MANY = 32768
	};
	struct gmem__node *n = calloc(MANY, sizeof(*n));

	(void)state;
	assert_non_null(n);
	for (int order = 0; order < 3; order++) {
		struct gmem__tree tree = { 0 };

		for (uint64_t i = 0; i < MANY; i++) {
			n[i].start = order == 0	  ? i
				     : order == 1 ? MANY - i
						  : i * 40503 % MANY;
			n[i].end = n[i].start + 1;
			gmem__tree_insert(&tree, &n[i]);
		}
		assert_in_range(depth(tree.root), 15, 64);
		for (uint64_t i = 0; i < MANY; i++)
			gmem__tree_remove(&tree, &n[i]);
		assert_null(tree.root);
	}
	free(n);
}

/* Nodes go and come again in any order, many times each. */
static void it_stays_shallow_however_much_it_changes(void **state)
{
	enum {
		MANY = 4096
	};
	struct gmem__node *n = calloc(MANY, sizeof(*n));
	struct world w = { .seed = 1 };

	(void)state;
	assert_non_null(n);
	for (uint64_t i = 0; i < MANY; i++) {
		n[i].start = i;
		n[i].end = i + 1;
		gmem__tree_insert(&w.tree, &n[i]);
	}
	for (unsigned int i = 0; i < 32 * MANY; i++) {
		struct gmem__node *one = &n[any(&w, MANY)];

		gmem__tree_remove(&w.tree, one);
		gmem__tree_insert(&w.tree, one);
	}
	assert_in_range(depth(w.tree.root), 12, 40);
	free(n);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_overlap_is_found_as_by_looking_at_all),
		cmocka_unit_test(it_stays_shallow_whatever_the_order),
		cmocka_unit_test(it_stays_shallow_however_much_it_changes),
	};

	return t_main(tests);
}

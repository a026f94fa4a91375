// SPDX-License-Identifier: MIT
/* The model's ranges in order, against a plain list, and how high they are. */
#include "t.h"

#include "model.h"

#define SPACE 512 /* so that many ranges overlap */
#define NODES 300
#define STEPS 20000

struct world {
	struct tree tree;
	struct node nodes[NODES];
	bool in[NODES];
	unsigned int seed;
};

static unsigned int any(struct world *w, unsigned int below)
{
	w->seed = w->seed * 1103515245 + 12345;
	return (w->seed >> 8) % below;
}

/* Whether @a comes before @b; the same start: by where they lie. */
static bool before(const struct node *a, const struct node *b)
{
	return a->start < b->start || (a->start == b->start && a < b);
}

/* What model__tree_meet() is to find, by looking at each. */
static struct node *first(struct world *w, const struct node *after,
			  uint64_t start, uint64_t end)
{
	struct node *found = NULL;

	for (unsigned int i = 0; i < NODES; i++) {
		struct node *n = &w->nodes[i];

		if (w->in[i] && n->start < end && n->end > start &&
		    (!after || before(after, n)) &&
		    (!found || before(n, found)))
			found = n;
	}
	return found;
}

static void toggle(struct world *w)
{
	unsigned int i = any(w, NODES), start = any(w, SPACE);

	if (w->in[i])
		model__tree_remove(&w->tree, &w->nodes[i]);
	else
		model__tree_add(&w->tree, &w->nodes[i], start,
				start + 1 + any(w, 16));
	w->in[i] = !w->in[i];
}

static void it_finds_what_a_list_finds(void **state)
{
	static struct world w;
	uint64_t met = 0;

	(void)state;
	for (unsigned int i = 0; i < STEPS; i++) {
		uint64_t start = any(&w, SPACE), end = start + any(&w, 8);
		struct node *n = NULL, *want;

		toggle(&w);
		do {
			want = first(&w, n, start, end);
			n = model__tree_meet(&w.tree, n, start, end);
			assert_ptr_equal(n, want);
			met += n != NULL;
		} while (n);
	}
	assert_true(met > STEPS);
}

static void next_goes_through_all_in_order(void **state)
{
	static struct world w;
	struct node *n = NULL;
	unsigned int seen = 0;

	(void)state;
	for (unsigned int i = 0; i < STEPS; i++)
		toggle(&w);
	for (unsigned int i = 0; i < NODES; i++)
		seen += w.in[i];
	while ((n = model__tree_next(&w.tree, n)) != NULL) {
		const struct node *next = model__tree_next(&w.tree, n);

		assert_true(!next || before(n, next));
		seen--;
	}
	assert_int_equal(seen, 0);
}

static unsigned int height(const struct node *n)
{
	unsigned int left, right;

	if (!n)
		return 0;
	left = height(n->left);
	right = height(n->right);
	return 1 + (left > right ? left : right);
}

/* Of 2^15, in order and against it: what a list would be highest for. */
static void its_height_is_a_few_times_the_logarithm(void **state)
{
	enum {
		MANY = 1 << 15,
		LIMIT = 4 * 15
	};
	struct node *nodes = calloc(MANY, sizeof(*nodes));
	struct tree up = { 0 }, down = { 0 };

	(void)state;
	assert_non_null(nodes);
	for (uint64_t i = 0; i < MANY; i++)
		model__tree_add(&up, &nodes[i], i, i + 1);
	assert_true(height(up.root) < LIMIT);
	for (uint64_t i = 0; i < MANY; i++)
		model__tree_remove(&up, &nodes[i]);
	assert_null(up.root);
	for (uint64_t i = MANY; i-- > 0;)
		model__tree_add(&down, &nodes[i], i, i + 1);
	assert_true(height(down.root) < LIMIT);
	free(nodes);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_finds_what_a_list_finds),
		cmocka_unit_test(next_goes_through_all_in_order),
		cmocka_unit_test(its_height_is_a_few_times_the_logarithm),
	};

	return t_main(tests);
}

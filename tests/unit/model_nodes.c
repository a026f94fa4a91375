// SPDX-License-Identifier: MIT
/* On which nodes the model's pages are, and what its kernel says of that. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gmem_model.h>

#include "unit.h"

#include "uapi.h"
#include "uapi_proposed.h"

#define KEEP FALLOC_FL_KEEP_SIZE
#define PUNCH (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)
#define PAGES 16
#define HUGE (2 * MiB)
#define STRICT 1   /* of mbind(2) */
#define GET_NODE 1 /* of get_mempolicy(2) */
#define GET_ADDR 2 /* of get_mempolicy(2) */

static char *map(struct unit *m, struct gmem *g)
{
	void *p = NULL;

	t_code(model__sys.mmap(m->k, &p, gmem_size(g), PROT_READ | PROT_WRITE,
			       MAP_SHARED, gmem_fd(g), 0),
	       0);
	return p;
}

static void unmap(struct unit *m, struct gmem *g, char *p)
{
	t_code(model__sys.munmap(m->k, p, gmem_size(g)), 0);
}

static int bind(struct unit *m, char *p, uint64_t len, unsigned long nodes,
		unsigned int flags)
{
	return model__sys.mbind(m->k, p, len, GMEM_MPOL_BIND, &nodes, 33,
				flags);
}

static int node_of(struct unit *m, void *p)
{
	int node = 4711;

	t_code(model__sys.move_pages(m->k, 1, &p, NULL, &node), 0);
	return node;
}

/* ----------------------------------------------------------- move_pages -- */

/* Nothing moves, but whether it might is said first. */
static void a_page_moves_to_no_node_that_can_not_be(void **state)
{
	static const struct {
		int to, code;
	} rows[] = {
		{ 0, 0 },
		{ 1, -ENODEV },
		{ 2, -EACCES },
		{ 3, 0 },
		{ 4, -ENODEV },
		{ -1, -ENODEV },
		{ INT32_MAX, -ENODEV },
	};
	struct unit *m = *state;
	struct gmem *g = unit_create(m, PAGES * m->page, SHARED_FLAGS);
	char *p = map(m, g);
	int first = 0, node;

	m->k->nodes = 4;
	m->k->empty = 2;
	m->k->outside = 4;
	p[0] = 1;
	p[m->page] = 1;
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		void *pages[2] = { p, p + m->page };
		int to[2] = { 0, rows[i].to }, is[2] = { 4711, 4711 };

		t_code(model__sys.move_pages(m->k, 2, pages, to, is),
		       rows[i].code);
		assert_int_equal(is[0], rows[i].code ? 4711 : 0);
		assert_int_equal(is[1], rows[i].code ? 4711 : 0);
		/* those that are not asked for do not count */
		t_code(model__sys.move_pages(m->k, 1, pages, to, is), 0);
	}
	t_code(model__sys.move_pages(m->k, 1, (void **)(uintptr_t)16, NULL,
				     &node),
	       -EFAULT);
	t_code(model__sys.move_pages(m->k, 1, (void *[]){ p }, (int *)16,
				     &node),
	       -EFAULT);
	/* the program's own page is where the host has it */
	assert_true(node_of(m, &first) >= 0);
	assert_int_equal(node_of(m, p + 2 * m->page), -ENOENT);
	unmap(m, g, p);
}

static void a_home_node_is_one_there_is(void **state)
{
	struct unit *m = *state;
	struct gmem *g = unit_create(m, PAGES * m->page, SHARED_FLAGS);
	char *p = map(m, g);

	t_code(model__sys.set_home_node(m->k, p, m->page, 1), -ENOSYS);
	t_code(model__sys.set_home_node(m->k, p, m->page, 2), -EINVAL);
	t_code(model__sys.set_home_node(m->k, p + 1, m->page, 1), -EINVAL);
	t_code(model__sys.set_home_node(m->k, p, 0, 1), 0);
	t_code(model__sys.set_home_node(m->k, p, 0, 2), -EINVAL);
	unmap(m, g, p);
}

/* ------------------------------------------------------------- policies -- */

static void a_mask_is_written_as_long_as_it_is_asked_for(void **state)
{
	struct unit *m = *state;
	struct gmem *g = unit_create(m, PAGES * m->page, SHARED_FLAGS);
	unsigned long *mask = malloc(4 * m->page);
	char *p = map(m, g);
	int mode = 4711;

	assert_non_null(mask);
	t_code(bind(m, p, PAGES * m->page, 2, 0), 0);
	for (unsigned long bits = 2; bits <= 8 * 4096 + 2; bits += 63) {
		size_t words = (bits - 1 + 63) / 64;
		int r = words * 8 > 4096 ? -EINVAL : 0;

		memset(mask, 0xff, 4 * m->page);
		t_code(model__sys.get_mempolicy(m->k, &mode, mask, bits, p,
						GET_ADDR),
		       r);
		assert_int_equal(mask[0], r < 0 ? ~0UL : 2);
		for (size_t i = 1; i < 600; i++)
			assert_int_equal(mask[i],
					 r == 0 && i < words ? 0 : ~0UL);
	}
	t_code(model__sys.get_mempolicy(m->k, &mode, mask, 8 * 4096 + 1, p,
					GET_ADDR),
	       0);
	t_code(model__sys.get_mempolicy(m->k, &mode, mask, 8 * 4096 + 2, p,
					GET_ADDR),
	       -EINVAL);
	t_code(model__sys.get_mempolicy(m->k, &mode, mask, 1, p, GET_ADDR),
	       -EINVAL);
	assert_int_equal(mode, GMEM_MPOL_BIND);
	free(mask);
	unmap(m, g, p);
}

/* A private page, which the host does not reach, is no page elsewhere. */
static void strict_looks_at_each_page_that_is_mapped(void **state)
{
	struct unit *m = *state;
	struct gmem *g = unit_create(m, PAGES * m->page, SHARED_FLAGS);
	struct gmem__attributes2 a = { .offset = 3 * m->page,
				       .size = m->page,
				       .attributes = GMEM__ATTRIBUTE_PRIVATE };
	char *p = map(m, g);

	t_code(model__sys.fallocate(m->k, gmem_fd(g), KEEP, 3 * m->page,
				    m->page),
	       0);
	t_code(model__sys.ioctl(m->k, gmem_fd(g),
				GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &a),
	       0);
	t_code(bind(m, p, PAGES * m->page, 2, STRICT), 0);
	p[m->page] = 1;
	assert_int_equal(node_of(m, p + m->page), 1);
	t_code(bind(m, p, PAGES * m->page, 1, STRICT), -EIO);
	t_code(bind(m, p, m->page, 1, STRICT), 0);
	t_code(bind(m, p + m->page, m->page, 1, STRICT), -EIO);
	t_code(bind(m, p + 2 * m->page, 2 * m->page, 1, STRICT), 0);
	unmap(m, g, p);
}

static unsigned long mask_at(struct unit *m, char *p)
{
	unsigned long mask = 0;
	int mode;

	t_code(model__sys.get_mempolicy(m->k, &mode, &mask, 64, p, GET_ADDR),
	       0);
	return mask;
}

/* Guest memory never moves: it fails, and sets what pages to come get. */
static void strict_that_may_move_is_set_and_told(void **state)
{
	static const unsigned int moves[] = { 2, 4, 6 };
	struct unit *m = *state;
	struct gmem *g = unit_create(m, PAGES * m->page, SHARED_FLAGS);
	char *p = map(m, g);

	t_code(bind(m, p, PAGES * m->page, 2, 0), 0);
	p[0] = 1;
	t_code(bind(m, p, m->page, 1, STRICT), -EIO);
	assert_int_equal(mask_at(m, p), 2);
	for (size_t i = 0; i < T_ARRAY_SIZE(moves); i++) {
		t_code(bind(m, p, m->page, 1, STRICT | moves[i]), -EIO);
		assert_int_equal(mask_at(m, p), 1);
		t_code(bind(m, p, m->page, 2, STRICT | moves[i]), 0);
		assert_int_equal(mask_at(m, p), 2);
		t_code(bind(m, p, m->page, 1, moves[i]), 0);
		t_code(bind(m, p, m->page, 2, 0), 0);
	}
	assert_int_equal(node_of(m, p), 1);
	unmap(m, g, p);
}

/* MPOL_MF_MOVE leaves out what several mappings have, so nothing fails. */
static void what_is_mapped_twice_is_not_to_move(void **state)
{
	struct unit *m = *state;
	struct gmem *g = unit_create(m, PAGES * m->page, SHARED_FLAGS);
	char *p = map(m, g), *q = map(m, g);

	t_code(bind(m, p, PAGES * m->page, 2, 0), 0);
	p[0] = p[m->page] = q[0] = 1;
	t_code(bind(m, p, m->page, 1, STRICT | 2), 0);
	assert_int_equal(mask_at(m, p), 1);
	assert_int_equal(node_of(m, p), 1);
	t_code(bind(m, p, m->page, 2, STRICT), 0);
	t_code(bind(m, p, m->page, 1, STRICT), -EIO);
	t_code(bind(m, p, m->page, 1, STRICT | 4), -EIO);
	t_code(bind(m, p, m->page, 1, STRICT | 6), -EIO);
	/* the second page is in one of them */
	t_code(bind(m, p, 2 * m->page, 1, STRICT | 2), -EIO);
	unmap(m, g, q);
	t_code(bind(m, p, m->page, 1, STRICT | 2), -EIO);
	unmap(m, g, p);
}

static int next_node(struct unit *m)
{
	int node = 4711;

	t_code(model__sys.get_mempolicy(m->k, &node, NULL, 0, NULL, GET_NODE),
	       0);
	return node;
}

static void the_turns_begin_with_the_policy(void **state)
{
	struct unit *m = *state;
	struct gmem *g = unit_create(m, PAGES * m->page, SHARED_FLAGS);
	const unsigned long nodes = 7;

	m->k->nodes = 3;
	for (uint64_t i = 0; i < 3; i++) {
		t_code(model__sys.set_mempolicy(m->k, GMEM_MPOL_INTERLEAVE,
						&nodes, 33),
		       0);
		for (int n = 0; n < 2; n++) {
			assert_int_equal(next_node(m), n);
			t_code(model__sys.fallocate(m->k, gmem_fd(g), KEEP,
						    (2 * i + (uint64_t)n) *
							    m->page,
						    m->page),
			       0);
		}
		assert_int_equal(next_node(m), 2);
	}
	t_code(model__sys.set_mempolicy(m->k, GMEM_MPOL_DEFAULT, NULL, 0), 0);
}

/* ---------------------------------------------------------- huge pages -- */

static struct gmem *huge_file(struct unit *m, uint64_t pages)
{
	struct gmem_create_opts o = { .sz = sizeof(o),
				      .flags = GMEM_CREATE_MMAP,
				      .hugetlb_size = HUGE };
	struct gmem_error err;
	struct gmem *g;

	unit_open_encoding(m, GMEM_HUGETLB_PAGE_ORDER);
	t_ok(gmem_create(m->vm, pages * HUGE, &o, &g, &err), err);
	return g;
}

static int convert(struct unit *m, struct gmem *g, uint64_t offset,
		   uint64_t len, uint64_t attributes)
{
	struct gmem__attributes2 a = { .offset = offset,
				       .size = len,
				       .attributes = attributes };

	return model__sys.ioctl(m->k, gmem_fd(g),
				GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &a);
}

static void pools(struct unit *m, uint64_t a, uint64_t b)
{
	struct gmem_error err;

	t_ok(gmem_model_set_node_pool(m->vm, HUGE, 0, a, &err), err);
	t_ok(gmem_model_set_node_pool(m->vm, HUGE, 1, b, &err), err);
}

static void assert_left(struct unit *m, uint64_t a, uint64_t b)
{
	struct gmem_error err;
	uint64_t n = 0;

	t_ok(gmem_model_get_node_pool(m->vm, HUGE, 0, &n, &err), err);
	assert_int_equal(n, a);
	t_ok(gmem_model_get_node_pool(m->vm, HUGE, 1, &n, &err), err);
	assert_int_equal(n, b);
}

/* Wherever its parts begin: private, shared, private again. */
static void a_page_with_parts_takes_no_page_of_another_node(void **state)
{
	struct unit *m = *state;
	struct gmem *g = huge_file(m, 3);
	int fd = gmem_fd(g);
	char *p;

	t_code(convert(m, g, 0, 3 * HUGE, 0), 0);
	p = map(m, g);
	t_code(bind(m, p, 3 * HUGE, 2, 0), 0);
	unmap(m, g, p);
	t_code(convert(m, g, MiB, 4 * MiB, GMEM__ATTRIBUTE_PRIVATE), 0);
	pools(m, 4, 1);
	t_code(model__sys.fallocate(m->k, fd, KEEP, 0, 3 * HUGE), -ENOMEM);
	assert_left(m, 4, 0);
	assert_int_equal(unit_allocated(m, fd, 0, 3 * HUGE, -1), HUGE);
	pools(m, 4, 3);
	t_code(model__sys.fallocate(m->k, fd, KEEP, 0, 3 * HUGE), 0);
	assert_left(m, 4, 0);
	assert_int_equal(unit_allocated(m, fd, 0, 3 * HUGE, 1), 3 * HUGE);
}

/* The model cannot refuse the host's touch: the page is one too many. */
static void what_the_host_touched_is_on_the_node_it_meant(void **state)
{
	struct unit *m = *state;
	struct gmem *g = huge_file(m, 2);
	char *p;

	t_code(convert(m, g, 0, 2 * HUGE, 0), 0);
	p = map(m, g);
	t_code(bind(m, p, 2 * HUGE, 2, 0), 0);
	pools(m, 2, 0);
	p[HUGE] = 1;
	assert_left(m, 2, 0);
	assert_int_equal(node_of(m, p + HUGE), 1);
	t_code(model__sys.fallocate(m->k, gmem_fd(g), PUNCH, 0, 2 * HUGE), 0);
	pools(m, 2, 1);
	assert_left(m, 2, 1);
	unmap(m, g, p);
}

/* A guest that there is no page for writes nothing. */
static void a_store_without_a_page_stores_nothing(void **state)
{
	struct unit *m = *state;
	struct gmem *g = huge_file(m, 2);
	struct gmem_error err = { .sz = sizeof(err) };
	char *p, byte = 1;

	t_code(convert(m, g, 0, 2 * HUGE, 0), 0);
	p = map(m, g);
	t_code(bind(m, p, 2 * HUGE, 2, 0), 0);
	pools(m, 2, 0);
	unit_bind(m, g, 0, 8 * GiB);
	t_code(gmem_model_access(m->vm, 8 * GiB, &byte, 1, GMEM_MODEL_WRITE,
				 NULL, 0, &err),
	       -ENOMEM);
	t_reason(&err, GMEM_REASON_KERNEL);
	assert_int_equal(unit_allocated(m, gmem_fd(g), 0, 2 * HUGE, -1), 0);
	assert_int_equal(node_of(m, p), -ENOENT);
	unmap(m, g, p);
}

/* The huge page stays, whole: what is punched of it is zero. */
static void a_part_of_a_huge_page_is_zeroed(void **state)
{
	static const struct {
		uint64_t from, end; /* in KiB */
	} rows[] = {
		{ 0, 4 },	{ 4, 64 },	{ 64, 2044 },	{ 2000, 2048 },
		{ 2040, 2056 }, { 1024, 4096 }, { 6140, 6144 },
	};
	struct unit *m = *state;
	struct gmem *g = huge_file(m, 3);
	int fd = gmem_fd(g);
	char *p;

	if (m->page != 4096)
		t_skip("page-4k", "pages are larger");
	t_code(convert(m, g, 0, 3 * HUGE, 0), 0);
	p = map(m, g);
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		uint64_t from = rows[i].from * KiB, end = rows[i].end * KiB;
		uint64_t whole = from == MiB ? HUGE : 0;

		memset(p, 0x5a, 3 * HUGE);
		t_code(model__sys.fallocate(m->k, fd, PUNCH, from, end - from),
		       0);
		assert_int_equal(unit_allocated(m, fd, 0, 3 * HUGE, -1),
				 3 * HUGE - whole);
		for (uint64_t at = 0; at < 3 * HUGE; at += 4 * KiB)
			if (!whole || at < HUGE || at >= 2 * HUGE)
				assert_int_equal(p[at], at >= from && at < end
								? 0
								: 0x5a);
	}
	/* nothing is there that could be zeroed */
	t_code(model__sys.fallocate(m->k, fd, PUNCH, 0, 3 * HUGE), 0);
	t_code(model__sys.fallocate(m->k, fd, PUNCH, 4 * KiB, HUGE), 0);
	assert_int_equal(unit_allocated(m, fd, 0, 3 * HUGE, -1), 0);
	unmap(m, g, p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_page_moves_to_no_node_that_can_not_be, unit_obeyed),
		TEST(a_home_node_is_one_there_is, unit_obeyed),
		TEST(a_mask_is_written_as_long_as_it_is_asked_for, unit_obeyed),
		TEST(strict_looks_at_each_page_that_is_mapped, unit_inplace),
		TEST(strict_that_may_move_is_set_and_told, unit_obeyed),
		TEST(what_is_mapped_twice_is_not_to_move, unit_obeyed),
		TEST(the_turns_begin_with_the_policy, unit_obeyed),
		TEST(a_page_with_parts_takes_no_page_of_another_node,
		     unit_bare),
		TEST(what_the_host_touched_is_on_the_node_it_meant, unit_bare),
		TEST(a_store_without_a_page_stores_nothing, unit_bare),
		TEST(a_part_of_a_huge_page_is_zeroed, unit_bare),
	};

	return t_main(tests);
}

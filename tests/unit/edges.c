// SPDX-License-Identifier: MIT
/* The last value that is still right, and the first that is not. */
#include <sys/mman.h>

#include "unit.h"

#include "opts.h"

static void a_struct_has_at_most_4096_bytes(void **state)
{
	static union {
		size_t sz;
		unsigned char bytes[GMEM__STRUCT_MAX + 1];
	} o;
	struct gmem_error err = { .sz = sizeof(err) };

	(void)state;
	o.sz = GMEM__STRUCT_MAX;
	t_code(gmem__opts_check(&o, 16, 32, "o", &err), 0);
	t_code(gmem__out_check(&o, 16, "o", &err), 0);
	o.sz = GMEM__STRUCT_MAX + 1;
	t_refused(gmem__opts_check(&o, 16, 32, "o", &err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, err);
	t_refused(gmem__out_check(&o, 16, "o", &err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, err);
	o.sz = 16;
	t_code(gmem__opts_check(&o, 16, 32, "o", &err), 0);
	t_code(gmem__out_check(&o, 16, "o", &err), 0);
	o.sz = 15;
	t_refused(gmem__opts_check(&o, 16, 32, "o", &err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, err);
	t_refused(gmem__out_check(&o, 16, "o", &err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, err);
}

/* The kernel's loff_t; a file of that many bytes is never made here. */
static void offsets_end_at_2_to_the_63(void **state)
{
	struct gmem_create_opts c = {
		.sz = sizeof(c), .flags = SHARED_FLAGS | GMEM_CREATE_CHECK_ONLY
	};
	struct unit *m = *state;
	uint64_t last = INT64_MAX - m->page + 1;
	struct gmem *g = unit_create(m, 1 * MiB, SHARED_FLAGS);

	t_ok(gmem_create(m->vm, last, &c, NULL, &m->err), m->err);
	t_refused(gmem_create(m->vm, last + m->page, &c, NULL, &m->err),
		  -EINVAL, GMEM_REASON_SIZE_LIMIT, m->err);
	t_refused(gmem_set_private(g, last, m->page, &m->err), -EINVAL,
		  GMEM_REASON_OFFSET_OVERFLOW, m->err);
	t_refused(gmem_set_private(g, last - m->page, m->page, &m->err),
		  -EINVAL, GMEM_REASON_OUTSIDE_FILE, m->err);
	t_refused(gmem_set_private(g, -m->page, m->page, &m->err), -EINVAL,
		  GMEM_REASON_OFFSET_OVERFLOW, m->err);
}

struct mapped {
	uint64_t prot, n;
};

static void note(void *arg, const struct gmem_trace *e)
{
	struct mapped *p = arg;

	if (strcmp(e->call, "mmap") != 0)
		return;
	p->prot = e->arg[3];
	p->n++;
}

static void a_mapping_may_do_what_was_asked_for(void **state)
{
	static const struct {
		uint64_t flags;
		uint64_t prot; /* 0: refused, since a page is private */
	} rows[] = {
		{ 0, 0 },
		{ GMEM_MMAP_READONLY, 0 },
		{ GMEM_MMAP_ALLOW_PRIVATE, PROT_READ | PROT_WRITE },
		{ GMEM_MMAP_ALLOW_PRIVATE | GMEM_MMAP_READONLY, PROT_READ },
	};
	struct mapped p = { .n = 0 };
	struct unit *m = *state;
	struct gmem *g;

	t_ok(gmem_vm_destroy(m->vm, &m->err), m->err);
	m->vm = unit_vm(m, GMEM_VM_SW_PROTECTED, note, &p);
	g = unit_create(m, 1 * MiB, SHARED_FLAGS);
	for (int private = 1; private >= 0; private --) {
		if (private)
			t_ok(gmem_set_private(g, 0, m->page, &m->err), m->err);
		else
			t_ok(t_share(g, 0, m->page, &m->err), m->err);
		for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
			struct gmem_mmap_opts o = { .sz = sizeof(o),
						    .flags = rows[i].flags };
			bool readonly = o.flags & GMEM_MMAP_READONLY;
			void *addr = NULL;

			p.n = 0;
			if (private && !rows[i].prot) {
				t_refused(gmem_mmap(g, 0, 64 * KiB, &o, &addr,
						    &m->err),
					  -EACCES, GMEM_REASON_PRIVATE, m->err);
				assert_int_equal(p.n, 0);
				continue;
			}
			t_ok(gmem_mmap(g, 0, 64 * KiB, &o, &addr, &m->err),
			     m->err);
			assert_int_equal(p.n, 1);
			assert_int_equal(p.prot,
					 readonly ? PROT_READ
						  : PROT_READ | PROT_WRITE);
			t_ok(gmem_munmap(g, addr, &m->err), m->err);
		}
	}
}

/* Of the nodes that a caller counts, the last and the one behind it. */
static void pages_are_counted_for_the_nodes_there_is_room_for(void **state)
{
	struct unit *m = *state;
	struct gmem *g = unit_create(m, 1 * MiB, SHARED_FLAGS);
	unsigned long second = 2;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &second);
	uint64_t bytes[3] = { 0 };

	t_ok(gmem_set_mempolicy(g, 0, 1 * MiB, &p, 0, &m->err), m->err);
	t_ok(gmem_populate(g, 0, 1 * MiB, NULL, &m->err), m->err);
	for (uint64_t room = 0; room <= 2; room++) {
		struct gmem_placement where = { .sz = sizeof(where),
						.node_bytes = bytes,
						.node_count = room };

		bytes[0] = bytes[1] = bytes[2] = 0;
		t_ok(t_placed(g, 0, 1 * MiB, &p, &where, &m->err), m->err);
		assert_int_equal(where.resident, 1 * MiB);
		assert_int_equal(where.misplaced, 0);
		assert_int_equal(where.unknown, 0);
		assert_int_equal(bytes[0], 0);
		assert_int_equal(bytes[1], room > 1 ? 1 * MiB : 0);
		assert_int_equal(bytes[2], 0);
	}
}

/* Shared or not: without MMAP nobody can look where its pages lie. */
static void where_an_unmappable_file_lies_is_unknown(void **state)
{
	static const uint64_t flags[] = { 0, GMEM_CREATE_UNBOUND };
	struct gmem_slot o = { .sz = sizeof(o),
			       .flags = GMEM_SLOT_LEAVE_SHARED };
	unsigned long first = 1;
	struct gmem_mempolicy p = unit_policy(GMEM_MPOL_BIND, &first);
	struct unit *m = *state;

	for (uint32_t i = 0; i < T_ARRAY_SIZE(flags); i++) {
		struct gmem *g = unit_create(m, 1 * MiB, flags[i]);
		struct gmem_placement where = { .sz = sizeof(where) };

		t_ok(t_bind(g, i, (i + 1) * GiB, 0, 1 * MiB, &o, &m->err),
		     m->err);
		t_code(t_placed(g, 0, 1 * MiB, NULL, &where, NULL),
		       GMEM_PLACED_WELL);
		t_ok(gmem_populate(g, 0, 1 * MiB, NULL, &m->err), m->err);
		t_code(t_placed(g, 0, 1 * MiB, NULL, &where, NULL),
		       GMEM_PLACED_UNKNOWN);
		assert_int_equal(where.unknown, 1 * MiB);
		t_code(t_placed(g, 0, 1 * MiB, &p, &where, NULL),
		       GMEM_PLACED_UNKNOWN);
		assert_int_equal(where.unknown, 1 * MiB);
		assert_int_equal(where.misplaced, 0);
	}
}

/* Each thread has four steps, of whole pieces; the policy is taken whole. */
static void threads_populate_in_steps_under_the_policy(void **state)
{
	unsigned long first = 1;
	struct gmem_mempolicy p = { .sz = sizeof(p),
				    .mode = GMEM_MPOL_BIND,
				    .flags = GMEM_MPOL_F_STATIC_NODES,
				    .nodes = &first,
				    .max_node = 64 };
	struct gmem_populate_opts o = { .sz = sizeof(o),
					.policy = &p,
					.threads = 1 };
	const struct unit_call *c;
	struct unit *m = *state;
	struct gmem *g;

	g = unit_create(m, 36 * MiB, 0);
	t_code(gmem_populate(g, 0, 32 * MiB, &o, NULL), 0);
	c = unit_nth(m, "set_mempolicy", 0, 0);
	assert_non_null(c);
	assert_int_equal(c->arg[2], GMEM_MPOL_BIND | GMEM_MPOL_F_STATIC_NODES);
	assert_int_equal(c->arg[1], 65);
	assert_int_equal(unit_count(m, "fallocate", 0), 4);
	assert_int_equal(unit_longest(m, "fallocate"), 8 * MiB);
	unit_reset(m);
	o.policy = NULL;
	o.threads = 2;
	t_ok(gmem_populate(g, 0, 36 * MiB, &o, &m->err), m->err);
	assert_int_equal(unit_count(m, "set_mempolicy", 0), 0);
	/* 4.5 MiB, and 4 MiB is a multiple of the least piece */
	assert_int_equal(unit_count(m, "fallocate", 0), 9);
	assert_int_equal(unit_longest(m, "fallocate"), 4 * MiB);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_struct_has_at_most_4096_bytes),
		TEST(offsets_end_at_2_to_the_63, unit_default73),
		TEST(a_mapping_may_do_what_was_asked_for, unit_inplace),
		TEST(where_an_unmappable_file_lies_is_unknown, unit_sw),
		TEST(threads_populate_in_steps_under_the_policy, unit_sw),
		TEST(pages_are_counted_for_the_nodes_there_is_room_for,
		     unit_default73),
	};

	return t_main(tests);
}

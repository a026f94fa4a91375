// SPDX-License-Identifier: MIT
/* The cost of a look follows what is there; done is what none is missing of. */
#include "unit.h"

static void make(struct gmem *g, uint64_t offset, uint64_t len)
{
	struct gmem_error err;

	t_ok(gmem_populate(g, offset, len, NULL, &err), err);
}

static int verify(struct gmem *g, struct gmem_placement *out,
		  struct gmem_error *err)
{
	static unsigned long nodes[16] = { 3 };
	const struct gmem_mempolicy p = { .sz = sizeof(p),
					  .mode = GMEM_MPOL_BIND,
					  .nodes = nodes,
					  .max_node = 1024 };

	err->sz = sizeof(*err);
	out->sz = sizeof(*out);
	return t_placed(g, 0, gmem_size(g), &p, out, err);
}

/* Every other page, as a balloon leaves memory. */
static void a_look_at_fragments_costs_as_many_pages_as_there_are(void **state)
{
	struct unit *m = *state;
	struct gmem_placement out = { 0 };
	struct gmem_error err;
	const uint64_t n = 512;
	struct gmem *g;

	g = unit_create(m, 2 * n * m->page, SHARED_FLAGS);
	for (uint64_t i = 0; i < n; i++)
		make(g, 2 * i * m->page, m->page);
	unit_reset(m);
	t_code(verify(g, &out, &err), GMEM_PLACED_WELL);
	assert_int_equal(out.resident, n * m->page);
	assert_true(unit_count(m, "cachestat", 0) <= 10 * n);
	assert_true(unit_sum(m, "cachestat") <= 20 * n * m->page);
}

/* Not the holes, of which there are 64 TiB. */
static void a_look_at_a_sparse_file_costs_nothing_for_its_size(void **state)
{
	struct unit *m = *state;
	struct gmem_placement out = { 0 };
	struct gmem_error err;
	struct gmem *g;

	g = unit_create(m, 64 * TiB, SHARED_FLAGS);
	make(g, 3 * TiB, 4 * MiB);
	make(g, 40 * TiB + m->page, m->page);
	unit_reset(m);
	t_code(verify(g, &out, &err), GMEM_PLACED_WELL);
	assert_int_equal(out.resident, 4 * MiB + m->page);
	assert_true(unit_count(m, "cachestat", 0) < 500);
	unit_reset(m);
	assert_int_equal(unit_allocated(m, gmem_fd(g), 0, 64 * TiB, -1),
			 out.resident);
	assert_true(unit_count(m, "cachestat", 0) < 100);
	unit_reset(m);
	t_ok(gmem_discard(g, 0, 64 * TiB, NULL, &err), err);
	assert_int_equal(unit_count(m, "fallocate", 0), 1);
	assert_int_equal(unit_allocated(m, gmem_fd(g), 0, 64 * TiB, -1), 0);
}

struct told {
	uint64_t done, total;
	unsigned int calls, cancel_at;
	int cancel;
};

static int tell(void *arg, uint64_t done, uint64_t total)
{
	struct told *t = arg;

	assert_true(done > t->done || (t->calls == 0 && done == 0));
	assert_true(done <= total);
	assert_int_equal(total, t->total);
	t->done = done;
	t->cancel = ++t->calls == t->cancel_at;
	return 0;
}

static void a_look_tells_how_far_it_is_and_can_be_cancelled(void **state)
{
	struct unit *m = *state;
	struct told t = { .total = 256 * MiB };
	struct gmem_placement out = { .progress = tell,
				      .progress_arg = &t,
				      .cancel = &t.cancel };
	struct gmem_error err;
	struct gmem *g;

	g = unit_create(m, t.total, SHARED_FLAGS);
	/* nothing is there: no more than the end */
	t_code(verify(g, &out, &err), GMEM_PLACED_WELL);
	assert_int_equal(t.done, t.total);
	t = (struct told){ .total = t.total };
	make(g, 0, 160 * MiB);
	t_code(verify(g, &out, &err), GMEM_PLACED_WELL);
	assert_int_equal(err.done, t.total);
	assert_int_equal(t.done, t.total);
	assert_int_equal(t.calls, 3);
	assert_int_equal(out.resident, 160 * MiB);
	t = (struct told){ .total = t.total, .cancel_at = 1 };
	out.resident = 77;
	t_code(verify(g, &out, &err), -ECANCELED);
	t_reason(&err, GMEM_REASON_CANCELLED);
	assert_int_equal(err.done, 64 * MiB);
	assert_int_equal(t.done, err.done);
	assert_int_equal(out.resident, 77);
	assert_int_equal(unit_file_mappings(m), 0);
	unit_reset(m);
	t.cancel = 1;
	t_code(verify(g, &out, &err), -ECANCELED);
	assert_int_equal(err.done, 0);
	assert_int_equal(unit_count(m, "cachestat", 0), 0);
	/* done is done */
	t = (struct told){ .total = t.total, .cancel_at = 3 };
	t_code(verify(g, &out, &err), GMEM_PLACED_WELL);
}

/* Whichever step of whichever worker fails: none before done is missing. */
static void done_is_what_none_is_missing_of(void **state)
{
	struct unit *m = *state;
	uint64_t size = 64 * MiB;
	struct gmem_populate_opts o = { .sz = sizeof(o), .threads = 4 };
	struct gmem_error err;
	struct gmem *g;

	g = unit_create(m, size, SHARED_FLAGS);
	/* many times: only where another thread is beyond it is there a hole */
	for (unsigned int i = 0; i < 48; i++) {
		t_ok(gmem_model_fail(m->vm, "fallocate", 1 + i % 16, ENOMEM,
				     &err),
		     err);
		t_refused(gmem_populate(g, 0, size, &o, &err), -ENOMEM,
			  GMEM_REASON_NO_MEMORY, err);
		assert_int_equal(unit_allocated(m, gmem_fd(g), 0, err.done, -1),
				 err.done);
		assert_true(err.done < size);
		t_ok(gmem_discard(g, 0, size, NULL, &err), err);
	}
	t_ok(gmem_populate(g, 0, size, &o, &err), err);
	assert_int_equal(err.done, size);
}

/* The last of four steps is the first to fail, and the first the last. */
static void a_later_step_that_is_complete_is_not_counted(void **state)
{
	struct unit *m = *state;
	uint64_t size = 64 * MiB;
	struct gmem_populate_opts o = { .sz = sizeof(o), .threads = 2 };
	struct gmem_error err;
	struct gmem *g;

	g = unit_create(m, size, SHARED_FLAGS);
	t_ok(gmem_model_poison(m->vm, gmem_fd(g), m->page, m->page, &err), err);
	t_refused(gmem_populate(g, 0, size, &o, &err), -EHWPOISON,
		  GMEM_REASON_POISONED, err);
	assert_int_equal(err.done, m->page);
	assert_int_equal(err.value, m->page);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_look_at_fragments_costs_as_many_pages_as_there_are,
		     unit_default73),
		TEST(a_look_at_a_sparse_file_costs_nothing_for_its_size,
		     unit_default73),
		TEST(a_look_tells_how_far_it_is_and_can_be_cancelled,
		     unit_default73),
		TEST(done_is_what_none_is_missing_of, unit_default73),
		TEST(a_later_step_that_is_complete_is_not_counted,
		     unit_default73),
	};

	return t_main(tests);
}

// SPDX-License-Identifier: MIT
/* Giving memory back to the host. */
#include "unit.h"

#define PUNCH_HOLE 3 /* with KEEP_SIZE */

static void a_discard_is_one_call_whatever_is_there(void **state)
{
	const struct {
		uint64_t offset, len;
	} there[] = { { 0, 0 }, { 0, 64 * MiB }, { 3 * GiB, PAGE } };
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * TiB, SHARED_FLAGS);
	const struct unit_call *c = &u->calls[0];
	struct gmem_error err;

	for (size_t i = 0; i < T_ARRAY_SIZE(there); i++) {
		unit_reset(u);
		unit_allocate(u, gmem_fd(g), there[i].offset, there[i].len, 0);
		t_ok(gmem_discard(g, 0, 64 * TiB, NULL, &err), err);
		assert_int_equal(err.done, 64 * TiB);
		assert_int_equal(u->n_calls, 1);
		assert_string_equal(c->name, "fallocate");
		assert_int_equal(c->fd, gmem_fd(g));
		assert_int_equal(c->arg[1], 64 * TiB);
		assert_int_equal(c->arg[2], PUNCH_HOLE);
		assert_int_equal(c->arg[3], 0);
		assert_int_equal(unit_allocated(u, gmem_fd(g), 0, 64 * TiB, -1),
				 0);
		assert_int_equal(u->n_allocs, 0);
	}
}

static void only_the_range_is_discarded(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * MiB, SHARED_FLAGS);
	struct gmem_error err;

	unit_allocate(u, gmem_fd(g), 0, 64 * MiB, 0);
	t_ok(gmem_discard(g, 8 * MiB, 32 * MiB, NULL, &err), err);
	assert_int_equal(err.done, 32 * MiB);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, 64 * MiB, -1),
			 32 * MiB);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 8 * MiB, 32 * MiB, -1),
			 0);
}

static void private_memory_is_discarded_as_well(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, GMEM_CREATE_UNBOUND);
	struct gmem_error err;

	unit_allocate(u, gmem_fd(g), 0, MiB, 0);
	t_ok(gmem_discard(g, 64 * KiB, 64 * KiB, NULL, &err), err);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, MiB, -1),
			 MiB - 64 * KiB);
}

static void an_interrupted_discard_goes_on(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 2 * GiB, SHARED_FLAGS);
	struct gmem_error err;

	unit_answer(u, "fallocate", 0, 1, 3, -EINTR);
	t_ok(gmem_discard(g, 0, 2 * GiB, NULL, &err), err);
	assert_int_equal(err.done, 2 * GiB);
	assert_int_equal(unit_count(u, "fallocate", 0), 4);
}

struct told {
	uint64_t done, total;
	unsigned int calls, cancel_at;
	int cancel;
};

static int tell(void *arg, uint64_t done, uint64_t total)
{
	struct told *t = arg;

	assert_true(done > t->done);
	assert_int_equal(total, t->total);
	t->done = done;
	t->cancel = ++t->calls == t->cancel_at;
	return 0;
}

static struct gmem_discard_opts told_opts(struct told *t)
{
	return (struct gmem_discard_opts){
		.sz = sizeof(struct gmem_discard_opts),
		.progress = tell,
		.progress_arg = t,
		.cancel = &t->cancel,
	};
}

/* 1 GiB at 1 TiB, and 512 single pages beyond, in 64 TiB. */
static struct gmem *sparse(struct unit *u)
{
	struct gmem *g = unit_create(u, 64 * TiB, SHARED_FLAGS);

	unit_allocate(u, gmem_fd(g), TiB, GiB, 0);
	for (uint64_t i = 0; i < 512; i++)
		unit_allocate(u, gmem_fd(g), 2 * TiB + i * 4 * PAGE, PAGE, 0);
	return g;
}

static void the_steps_of_a_discard_follow_what_is_there(void **state)
{
	struct unit *u = *state;
	struct gmem *g = sparse(u);
	struct told t = { .total = 64 * TiB };
	struct gmem_discard_opts o = told_opts(&t);
	struct gmem_error err;

	t_ok(gmem_discard(g, 0, 64 * TiB, &o, &err), err);
	assert_int_equal(err.done, 64 * TiB);
	assert_int_equal(t.done, 64 * TiB);
	/* four times 256 MiB, and the rest at once */
	assert_int_equal(t.calls, 5);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, 64 * TiB, -1), 0);
}

static void cancelled_between_steps_done_is_exact(void **state)
{
	struct unit *u = *state;
	struct gmem *g = sparse(u);
	struct told t = { .total = 64 * TiB, .cancel_at = 2 };
	struct gmem_discard_opts o = told_opts(&t);
	struct gmem_error err;

	t_refused(gmem_discard(g, 0, 64 * TiB, &o, &err), -ECANCELED,
		  GMEM_REASON_CANCELLED, err);
	assert_int_equal(err.done, TiB + 512 * MiB);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, err.done, -1), 0);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, 64 * TiB, -1),
			 512 * MiB + 512 * PAGE);
	unit_reset(u);
	t.cancel = 1;
	t_refused(gmem_discard(g, 0, 64 * TiB, &o, &err), -ECANCELED,
		  GMEM_REASON_CANCELLED, err);
	assert_int_equal(err.done, 0);
	o.progress = NULL;
	t_refused(gmem_discard(g, 0, 64 * TiB, &o, &err), -ECANCELED,
		  GMEM_REASON_CANCELLED, err);
	assert_int_equal(u->n_calls, 0);
}

/* Also in steps of 1 GiB, where no call tells what is there. */
static void each_failure_ends_it_with_what_is_done(void **state)
{
	static const struct {
		int code;
		uint32_t why;
	} rows[] = {
		{ -ENOMEM, GMEM_REASON_NO_MEMORY },
		{ -EPERM, GMEM_REASON_ACCESS_DENIED },
		{ -ENOSYS, GMEM_REASON_KERNEL },
	};
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 3 * GiB, SHARED_FLAGS);

	u->lacks = "cachestat";
	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		struct told t = { .total = 3 * GiB };
		struct gmem_discard_opts o = told_opts(&t);
		struct gmem_error err;

		unit_reset(u);
		unit_answer(u, "fallocate", 0, 1, 1, rows[i].code);
		t_refused(gmem_discard(g, 0, 3 * GiB, NULL, &err), rows[i].code,
			  rows[i].why, err);
		assert_int_equal(err.sys_errno, -rows[i].code);
		assert_int_equal(err.done, 0);
		assert_int_equal(u->n_calls, 1);

		unit_reset(u);
		unit_answer(u, "fallocate", 0, 2, 1, rows[i].code);
		t_refused(gmem_discard(g, 0, 3 * GiB, &o, &err), rows[i].code,
			  rows[i].why, err);
		assert_int_equal(err.done, GiB);
		assert_int_equal(t.done, GiB);
		assert_int_equal(unit_count(u, "fallocate", 0), 2);
	}
}

static void its_options_are_checked(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_discard_opts o = { .sz = sizeof(o) - 1 };
	union unit_newer n;
	struct gmem_error err;

	t_refused(gmem_discard(g, 0, MiB, &o, &err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, err);
	o = (struct gmem_discard_opts){ .sz = sizeof(o), .flags = 1 };
	t_refused(gmem_discard(g, 0, MiB, &o, &err), -EINVAL,
		  GMEM_REASON_FLAG_UNKNOWN, err);
	o.flags = 0;
	n = unit_newer(&o, sizeof(o), 1);
	t_refused(gmem_discard(g, 0, MiB, (void *)&n, &err), -E2BIG,
		  GMEM_REASON_OPTS_NEWER, err);
	assert_int_equal(u->n_calls, 0);
}

/* The kernel punches beyond the end in silence. */
static void bad_ranges_are_refused_before_any_call(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_error err;

	t_refused(gmem_discard(NULL, 0, PAGE, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_discard(g, 0, 0, NULL, &err), -EINVAL,
		  GMEM_REASON_ZERO_SIZE, err);
	t_refused(gmem_discard(g, 1, PAGE, NULL, &err), -EINVAL,
		  GMEM_REASON_UNALIGNED, err);
	t_refused(gmem_discard(g, 0, PAGE + 1, NULL, &err), -EINVAL,
		  GMEM_REASON_UNALIGNED, err);
	t_refused(gmem_discard(g, MiB, PAGE, NULL, &err), -EINVAL,
		  GMEM_REASON_OUTSIDE_FILE, err);
	t_refused(gmem_discard(g, PAGE, UINT64_MAX - (PAGE - 1), NULL, &err),
		  -EINVAL, GMEM_REASON_OFFSET_OVERFLOW, err);
	assert_int_equal(u->n_calls, 0);
}

static void huge_pages_are_discarded_whole_or_not(void **state)
{
	struct unit *u = *state;
	struct gmem_create_opts o = { .sz = sizeof(o),
				      .flags = GMEM_CREATE_UNBOUND,
				      .hugetlb_size = 2 * MiB };
	struct gmem_error err;
	struct gmem *g = NULL;

	unit_open_encoding(u, GMEM_HUGETLB_PAGE_ORDER);
	t_ok(gmem_create(u->vm, 8 * MiB, &o, &g, &err), err);
	unit_reset(u);
	t_refused(gmem_discard(g, 0, PAGE, NULL, &err), -EINVAL,
		  GMEM_REASON_UNALIGNED, err);
	assert_int_equal(err.limit, 2 * MiB);
	/* What is no page of the host either is still told the file's own. */
	t_refused(gmem_discard(g, 1, 2 * MiB, NULL, &err), -EINVAL,
		  GMEM_REASON_UNALIGNED, err);
	assert_int_equal(err.limit, 2 * MiB);
	t_refused(gmem_discard(g, 0, PAGE / 2, NULL, &err), -EINVAL,
		  GMEM_REASON_UNALIGNED, err);
	assert_int_equal(err.limit, 2 * MiB);
	assert_int_equal(u->n_calls, 0);
	t_ok(gmem_discard(g, 2 * MiB, 2 * MiB, NULL, &err), err);
}

/* Wherever the memory that is there begins. */
static void each_step_is_of_whole_huge_pages(void **state)
{
	struct unit *u = *state;
	int fd = unit_file_fd(u, gmem_vm_fd(u->vm), GiB, SHARED_FLAGS);
	struct gmem_adopt_opts a = { .sz = sizeof(a), .hugetlb_size = 2 * MiB };
	struct told t = { .total = GiB };
	struct gmem_discard_opts o = told_opts(&t);
	const struct unit_call *c;
	struct gmem_error err;
	struct gmem *g = NULL;

	t_ok(gmem_adopt(u->vm, fd, &a, &g, &err), err);
	unit_allocate(u, fd, PAGE, GiB - PAGE, 0);
	unit_reset(u);
	t_ok(gmem_discard(g, 0, GiB, &o, &err), err);
	assert_int_equal(unit_count(u, "fallocate", 0), 4);
	for (unsigned int i = 0; i < 4; i++) {
		c = unit_nth(u, "fallocate", 0, i);
		assert_int_equal(c->arg[1] % (2 * MiB), 0);
		assert_int_equal(c->arg[3] % (2 * MiB), 0);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_discard_is_one_call_whatever_is_there, unit_default),
		TEST(only_the_range_is_discarded, unit_default),
		TEST(private_memory_is_discarded_as_well, unit_default),
		TEST(an_interrupted_discard_goes_on, unit_default),
		TEST(the_steps_of_a_discard_follow_what_is_there, unit_default),
		TEST(cancelled_between_steps_done_is_exact, unit_default),
		TEST(each_failure_ends_it_with_what_is_done, unit_default),
		TEST(its_options_are_checked, unit_default),
		TEST(bad_ranges_are_refused_before_any_call, unit_default),
		TEST(huge_pages_are_discarded_whole_or_not, unit_bare),
		TEST(each_step_is_of_whole_huge_pages, unit_default),
	};

	return t_main(tests);
}

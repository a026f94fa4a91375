// SPDX-License-Identifier: MIT
/* How much of a file is allocated. */
#include <sys/mman.h>

#include "unit.h"

#include "vm.h"

static uint64_t resident(struct gmem *g, uint64_t offset, uint64_t len,
			 uint32_t *flags)
{
	struct gmem_residency r = { .sz = sizeof(r), .reserved = 1 };
	struct gmem_error err;

	t_ok(gmem_resident(g, offset, len, &r, &err), err);
	assert_int_equal(r.reserved, 0);
	*flags = r.flags;
	return r.bytes;
}

static void what_is_allocated_is_counted_exactly(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, GiB, GMEM_CREATE_UNBOUND);
	uint32_t flags;

	unit_allocate(u, gmem_fd(g), PAGE, PAGE, 0);
	unit_allocate(u, gmem_fd(g), 64 * KiB, 128 * KiB, 0);
	unit_allocate(u, gmem_fd(g), 300 * MiB, 300 * MiB, 0);
	assert_int_equal(resident(g, 0, GiB, &flags),
			 300 * MiB + 128 * KiB + PAGE);
	assert_int_equal(flags, 0);
	assert_int_equal(resident(g, PAGE, 64 * KiB, &flags), 2 * PAGE);
	assert_int_equal(resident(g, GiB - PAGE, PAGE, &flags), 0);
	assert_int_equal(unit_count(u, "mmap", 0), 0);
	assert_int_equal(unit_count(u, "fstat", 0), 0);
	assert_int_equal(u->n_allocs, 0);
}

static void full_memory_is_counted_256_mib_at_a_time(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, GiB, GMEM_CREATE_UNBOUND);
	const struct unit_call *c;
	uint64_t at = 0;
	uint32_t flags;

	unit_allocate(u, gmem_fd(g), 0, GiB, 0);
	assert_int_equal(resident(g, 0, GiB, &flags), GiB);
	assert_int_equal(unit_count(u, "cachestat", 0), 4);
	for (unsigned int i = 0; (c = unit_nth(u, "cachestat", 0, i));
	     i++, at += 256 * MiB) {
		assert_int_equal(c->arg[1], 256 * MiB);
		assert_int_equal(c->arg[3], at);
	}
}

static void a_huge_hole_takes_few_calls(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, (uint64_t)INT64_MAX / PAGE * PAGE,
				     GMEM_CREATE_UNBOUND);
	uint32_t flags;

	unit_allocate(u, gmem_fd(g), gmem_size(g) - PAGE, PAGE, 0);
	assert_int_equal(resident(g, 0, gmem_size(g), &flags), PAGE);
	assert_true(unit_count(u, "cachestat", 0) <= 40);
}

static void an_interrupted_count_is_made_again(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	uint32_t flags;

	unit_allocate(u, gmem_fd(g), 0, 2 * PAGE, 0);
	unit_answer(u, "cachestat", 0, 1, 3, -EINTR);
	assert_int_equal(resident(g, 0, MiB, &flags), 2 * PAGE);
	assert_int_equal(flags, 0);
	assert_int_equal(unit_count(u, "cachestat", 0), 4);
}

static void without_cachestat_mincore_gives_a_lower_bound(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 8192 * PAGE, SHARED_FLAGS);
	unsigned int maps;
	struct gmem_error err;
	uint32_t flags;

	t_ok(gmem_populate(g, 5120 * PAGE, 16 * PAGE, NULL, &err), err);
	unit_allocate(u, gmem_fd(g), 0, 16 * PAGE, 0); /* not touched */
	maps = unit_mappings(u);
	unit_reset(u);
	u->lacks = "cachestat";
	assert_int_equal(resident(g, 0, 8192 * PAGE, &flags), 16 * PAGE);
	assert_int_equal(flags, GMEM_RESIDENT_LOWER_BOUND);
	assert_int_equal(resident(g, 5120 * PAGE + PAGE, PAGE, &flags), PAGE);
	assert_int_equal(flags, GMEM_RESIDENT_LOWER_BOUND);
	assert_int_equal(unit_mappings(u), maps);
	/* 8192 pages, 4096 at a time, and one page */
	assert_int_equal(unit_count(u, "mincore", 0), 3);
	assert_int_equal(unit_count(u, "cachestat", 0), 2);
}

static void no_answer(struct gmem *g, int sys)
{
	struct gmem_residency r = { .sz = sizeof(r), .bytes = 77, .flags = 78 };
	struct gmem_error err;

	t_refused(gmem_resident(g, 0, MiB, &r, &err), -EOPNOTSUPP,
		  GMEM_REASON_RESIDENCY_UNKNOWN, err);
	assert_int_equal(err.sys_errno, sys);
	assert_int_equal(r.bytes, 77);
	assert_int_equal(r.flags, 78);
}

/* To others than the owner it says that every page is there. */
static void mincore_is_not_trusted_on_another_users_file(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	uint32_t flags;

	u->lacks = "cachestat";
	u->euid++;
	no_answer(g, ENOSYS);
	assert_int_equal(unit_count(u, "mincore", 0), 0);
	u->euid--;
	assert_int_equal(resident(g, 0, MiB, &flags), 0);
	assert_int_equal(flags, GMEM_RESIDENT_LOWER_BOUND);
	unit_reset(u);
	unit_answer(u, "fstat", 0, 1, 1, -EPERM);
	no_answer(g, ENOSYS);
	assert_int_equal(unit_count(u, "mincore", 0), 0);
}

static void without_a_mapping_there_is_only_cachestat(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, GMEM_CREATE_UNBOUND);

	u->lacks = "cachestat";
	no_answer(g, ENOSYS);
	u->lacks = NULL;
	unit_answer(u, "cachestat", 0, 1, 1, -EPERM);
	no_answer(g, EPERM);
	assert_int_equal(unit_count(u, "mmap", 0), 0);
}

static void where_neither_works_nothing_is_told(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	unsigned int maps = unit_mappings(u);

	u->lacks = "cachestat";
	unit_answer(u, "mincore", 0, 1, 1, -EPERM);
	no_answer(g, EPERM);
	assert_int_equal(unit_mappings(u), maps);
	unit_reset(u);
	unit_answer(u, "mmap", 0, 1, 1, -ENOMEM);
	no_answer(g, ENOMEM);
}

static void bad_arguments_are_refused_before_any_call(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_residency r = { .sz = sizeof(r) };
	struct gmem_error err;

	t_refused(gmem_resident(NULL, 0, MiB, &r, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_resident(g, 0, MiB, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_resident(g, 0, 0, &r, &err), -EINVAL,
		  GMEM_REASON_ZERO_SIZE, err);
	t_refused(gmem_resident(g, 2, PAGE, &r, &err), -EINVAL,
		  GMEM_REASON_UNALIGNED, err);
	t_refused(gmem_resident(g, PAGE, MiB, &r, &err), -EINVAL,
		  GMEM_REASON_OUTSIDE_FILE, err);
	r.sz = 23;
	t_refused(gmem_resident(g, 0, MiB, &r, &err), -EINVAL,
		  GMEM_REASON_OPTS_SIZE, err);
	assert_int_equal(err.limit, 24);
	assert_int_equal(u->n_calls, 0);
}

static void what_a_newer_caller_has_beyond_is_zero(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_residency r = { .sz = sizeof(r) };
	union unit_newer n = unit_newer(&r, sizeof(r), 1);
	struct gmem_error err;

	unit_allocate(u, gmem_fd(g), 0, 2 * PAGE, 0);
	t_ok(gmem_resident(g, 0, MiB, (void *)&n, &err), err);
	assert_int_equal(n.b[sizeof(r)], 0);
	memcpy(&r, &n, sizeof(r));
	assert_int_equal(r.sz, sizeof(r) + 8);
	assert_int_equal(r.bytes, 2 * PAGE);
}

struct runs {
	unsigned int n, stop_at; /* 0 = never */
	struct {
		uint64_t offset, len;
	} run[8];
};

static int take_run(void *arg, uint64_t offset, uint64_t len)
{
	struct runs *r = arg;

	assert_true(r->n < T_ARRAY_SIZE(r->run));
	r->run[r->n].offset = offset;
	r->run[r->n].len = len;
	return ++r->n == r->stop_at;
}

static void run_is(const struct runs *r, unsigned int i, uint64_t offset,
		   uint64_t len)
{
	assert_true(i < r->n);
	assert_int_equal(r->run[i].offset, offset);
	assert_int_equal(r->run[i].len, len);
}

/* Private memory too; a run longer than a look is still one. */
static void each_run_is_told_once_whole_and_in_order(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 2 * GiB, GMEM_CREATE_UNBOUND);
	struct runs runs = { 0 };
	struct gmem_error err;
	uint64_t there;

	unit_allocate(u, gmem_fd(g), 0, 2 * PAGE, 0);
	unit_allocate(u, gmem_fd(g), 64 * KiB, PAGE, 0);
	unit_allocate(u, gmem_fd(g), 300 * MiB, 300 * MiB, 0);
	unit_allocate(u, gmem_fd(g), GiB, 256 * MiB, 0);
	unit_allocate(u, gmem_fd(g), 2 * GiB - PAGE, PAGE, 0);
	there = unit_allocated(u, gmem_fd(g), 0, 2 * GiB, -1);
	t_ok(gmem_walk_resident(g, 0, 2 * GiB, take_run, &runs, &err), err);
	assert_int_equal(err.done, 2 * GiB);
	assert_int_equal(runs.n, 5);
	run_is(&runs, 0, 0, 2 * PAGE);
	run_is(&runs, 1, 64 * KiB, PAGE);
	run_is(&runs, 2, 300 * MiB, 300 * MiB);
	run_is(&runs, 3, GiB, 256 * MiB);
	run_is(&runs, 4, 2 * GiB - PAGE, PAGE);
	assert_int_equal(unit_allocated(u, gmem_fd(g), 0, 2 * GiB, -1), there);
	assert_int_equal(unit_count(u, "mmap", 0), 0);
	assert_int_equal(u->n_allocs, 0);
	/* only what lies in the range */
	runs.n = 0;
	t_ok(gmem_walk_resident(g, PAGE, 301 * MiB - PAGE, take_run, &runs,
				&err),
	     err);
	assert_int_equal(runs.n, 3);
	run_is(&runs, 0, PAGE, PAGE);
	run_is(&runs, 2, 300 * MiB, MiB);
}

static void the_callback_stops_the_walk(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct runs runs = { .stop_at = 2 };
	struct gmem_error err;

	for (uint64_t at = 0; at < MiB; at += 128 * KiB)
		unit_allocate(u, gmem_fd(g), at + PAGE, 2 * PAGE, 0);
	t_refused(gmem_walk_resident(g, 0, MiB, take_run, &runs, &err),
		  -ECANCELED, GMEM_REASON_CANCELLED, err);
	assert_int_equal(runs.n, 2);
	assert_int_equal(err.done, 128 * KiB + 3 * PAGE);
}

/* What it costs grows with what is looked at. */
static void a_walk_looks_little_further_than_the_runs_it_finds(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, TiB, GMEM_CREATE_UNBOUND);
	struct runs runs = { .stop_at = 2 };
	struct gmem_error err;

	unit_allocate(u, gmem_fd(g), 0, PAGE, 0);
	unit_allocate(u, gmem_fd(g), MiB, PAGE, 0);
	unit_reset(u);
	t_refused(gmem_walk_resident(g, 0, TiB, take_run, &runs, &err),
		  -ECANCELED, GMEM_REASON_CANCELLED, err);
	run_is(&runs, 0, 0, PAGE);
	run_is(&runs, 1, MiB, PAGE);
	assert_in_range(unit_sum(u, "cachestat"), MiB, 16 * MiB);
}

/* A lower bound would pass for the truth: holes are what is not told. */
static void without_cachestat_no_run_is_told(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct runs runs = { 0 };
	struct gmem_error err;

	t_ok(gmem_populate(g, 0, MiB, NULL, &err), err);
	u->lacks = "cachestat";
	t_refused(gmem_walk_resident(g, 0, MiB, take_run, &runs, &err),
		  -EOPNOTSUPP, GMEM_REASON_RESIDENCY_UNKNOWN, err);
	assert_int_equal(err.sys_errno, ENOSYS);
	assert_int_equal(err.done, 0);
	assert_int_equal(runs.n, 0);
}

static void a_look_that_fails_ends_the_walk_where_it_was(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct runs runs = { 0 };
	struct gmem_error err;
	unsigned int n = 0;

	unit_allocate(u, gmem_fd(g), 0, PAGE, 0);
	unit_allocate(u, gmem_fd(g), 512 * KiB, PAGE, 0);
	t_ok(gmem_walk_resident(g, 0, MiB, take_run, &runs, &err), err);
	n = unit_count(u, "cachestat", 0);
	for (unsigned int i = 1; i <= n; i++) {
		unit_reset(u);
		runs.n = 0;
		unit_answer(u, "cachestat", 0, i, 1, -EPERM);
		t_refused(gmem_walk_resident(g, 0, MiB, take_run, &runs, &err),
			  -EOPNOTSUPP, GMEM_REASON_RESIDENCY_UNKNOWN, err);
		assert_int_equal(err.sys_errno, EPERM);
		assert_true(err.done <= (runs.n > 1   ? MiB
					 : runs.n > 0 ? 512 * KiB
						      : 0));
		if (runs.n)
			assert_true(err.done >=
				    runs.run[runs.n - 1].offset + PAGE);
	}
}

static void a_walk_with_bad_arguments_makes_no_call(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct runs runs = { 0 };
	struct gmem_error err;

	t_refused(gmem_walk_resident(NULL, 0, MiB, take_run, &runs, &err),
		  -EINVAL, GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_walk_resident(g, 0, MiB, NULL, &runs, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_walk_resident(g, 0, 0, take_run, &runs, &err), -EINVAL,
		  GMEM_REASON_ZERO_SIZE, err);
	t_refused(gmem_walk_resident(g, 2, PAGE, take_run, &runs, &err),
		  -EINVAL, GMEM_REASON_UNALIGNED, err);
	t_refused(gmem_walk_resident(g, PAGE, MiB, take_run, &runs, &err),
		  -EINVAL, GMEM_REASON_OUTSIDE_FILE, err);
	assert_int_equal(u->n_calls, 0);
	assert_int_equal(runs.n, 0);
}

/* The first step that finds allocated memory may be larger. */
static void behind_a_hole_full_memory_goes_in_small_steps_too(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 2304 * MiB, GMEM_CREATE_UNBOUND);
	const struct unit_call *c;
	uint64_t steps = 0;
	uint32_t flags;

	unit_allocate(u, gmem_fd(g), 1536 * MiB, 768 * MiB, 0);
	assert_int_equal(resident(g, 0, 2304 * MiB, &flags), 768 * MiB);
	for (unsigned int i = 0; (c = unit_nth(u, "cachestat", 0, i)); i++) {
		if (c->arg[3] <= 1 * GiB)
			continue;
		assert_int_equal(c->arg[1], 256 * MiB);
		steps++;
	}
	assert_int_equal(steps, 2);
}

static void what_cachestat_told_before_it_failed_does_not_count(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, GiB, SHARED_FLAGS);
	uint32_t flags;

	unit_allocate(u, gmem_fd(g), 0, MiB, 0);
	unit_answer(u, "cachestat", 0, 2, 1, -EPERM);
	assert_int_equal(resident(g, 0, GiB, &flags), 0);
	assert_int_equal(flags, GMEM_RESIDENT_LOWER_BOUND);
}

static void a_failure_of_one_mincore_is_no_smaller_number(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 32 * MiB, SHARED_FLAGS);
	struct gmem_residency r = { .sz = sizeof(r) };
	struct gmem_error err;

	u->lacks = "cachestat";
	unit_answer(u, "mincore", 0, 1, 1, -EPERM);
	t_refused(gmem_resident(g, 0, 32 * MiB, &r, &err), -EOPNOTSUPP,
		  GMEM_REASON_RESIDENCY_UNKNOWN, err);
	assert_int_equal(err.sys_errno, EPERM);
}

/* Whoever cannot ask for the owner is not taken for it, root neither. */
static void an_owner_that_is_not_told_is_not_this_user(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);

	u->lacks = "cachestat fstat";
	u->euid = 0U - model__sys.euid(u->k);
	no_answer(g, ENOSYS);
	assert_int_equal(unit_count(u, "mincore", 0), 0);
}

/* The lowest bit tells, and of as many pages as were asked for. */
static int mincore_of_noise(void *priv, void *addr, size_t len,
			    unsigned char *vec)
{
	int r = unit_sys.mincore(priv, addr, len, vec);

	for (size_t i = 0; r == 0 && i < len / PAGE; i++)
		vec[i] |= 0xfe;
	return r;
}

static void mincore_s_other_bits_mean_nothing(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 4097 * PAGE, SHARED_FLAGS);
	struct gmem_sys sys = unit_sys;
	struct gmem_error err;
	uint32_t flags;

	/* page 1, and page 0 of the second look is not */
	t_ok(gmem_populate(g, PAGE, PAGE, NULL, &err), err);
	u->lacks = "cachestat";
	sys.mincore = mincore_of_noise;
	u->vm->ctx.sys = &sys;
	assert_int_equal(resident(g, 0, gmem_size(g), &flags), PAGE);
	u->vm->ctx.sys = &unit_sys;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_is_allocated_is_counted_exactly, unit_default),
		TEST(full_memory_is_counted_256_mib_at_a_time, unit_default),
		TEST(a_huge_hole_takes_few_calls, unit_default),
		TEST(an_interrupted_count_is_made_again, unit_default),
		TEST(without_cachestat_mincore_gives_a_lower_bound,
		     unit_default),
		TEST(mincore_is_not_trusted_on_another_users_file,
		     unit_default),
		TEST(without_a_mapping_there_is_only_cachestat, unit_default),
		TEST(where_neither_works_nothing_is_told, unit_default),
		TEST(bad_arguments_are_refused_before_any_call, unit_default),
		TEST(what_a_newer_caller_has_beyond_is_zero, unit_default),
		TEST(each_run_is_told_once_whole_and_in_order, unit_default),
		TEST(the_callback_stops_the_walk, unit_default),
		TEST(a_walk_looks_little_further_than_the_runs_it_finds,
		     unit_default),
		TEST(without_cachestat_no_run_is_told, unit_default),
		TEST(a_look_that_fails_ends_the_walk_where_it_was,
		     unit_default),
		TEST(a_walk_with_bad_arguments_makes_no_call, unit_default),
		TEST(behind_a_hole_full_memory_goes_in_small_steps_too,
		     unit_default),
		TEST(what_cachestat_told_before_it_failed_does_not_count,
		     unit_default),
		TEST(a_failure_of_one_mincore_is_no_smaller_number,
		     unit_default),
		TEST(an_owner_that_is_not_told_is_not_this_user, unit_default),
		TEST(mincore_s_other_bits_mean_nothing, unit_default),
	};

	return t_main(tests);
}

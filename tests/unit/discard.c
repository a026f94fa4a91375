// SPDX-License-Identifier: MIT
/* Giving memory back to the host. */
#include "unit.h"

#define PUNCH_HOLE 3 /* with KEEP_SIZE */

static void discard_punches_holes_of_one_gib(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 4 * GiB, SHARED_FLAGS);
	static const uint64_t lens[] = { GiB, GiB, 512 * MiB };
	struct gmem_error err;

	fake_allocate(&u->f, gmem_fd(g), 0, 4 * GiB, 0);
	t_ok(gmem_discard(g, 512 * MiB, 2 * GiB + 512 * MiB, &err), err);
	assert_int_equal(err.done, 2 * GiB + 512 * MiB);
	assert_int_equal(u->f.n_calls, 3);
	for (unsigned int i = 0; i < 3; i++) {
		const struct fake_call *c = &u->f.calls[i];

		assert_int_equal(c->kind, FAKE_FALLOCATE);
		assert_int_equal(c->fd, gmem_fd(g));
		assert_int_equal(c->arg[1], lens[i]);
		assert_int_equal(c->arg[2], PUNCH_HOLE);
		assert_int_equal(c->arg[3], 512 * MiB + i * GiB);
	}
	assert_int_equal(fake_allocated(&u->f, gmem_fd(g), 0, 4 * GiB, -1),
			 GiB + 512 * MiB);
	assert_int_equal(fake_allocated(&u->f, gmem_fd(g), 512 * MiB,
					2 * GiB + 512 * MiB, -1),
			 0);
	assert_int_equal(u->f.n_allocs, 0);
}

static void private_memory_is_discarded_as_well(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, GMEM_CREATE_UNBOUND);
	struct gmem_error err;

	fake_allocate(&u->f, gmem_fd(g), 0, MiB, 0);
	t_ok(gmem_discard(g, 64 * KiB, 64 * KiB, &err), err);
	assert_int_equal(fake_allocated(&u->f, gmem_fd(g), 0, MiB, -1),
			 MiB - 64 * KiB);
}

static void an_interrupted_discard_goes_on(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 2 * GiB, SHARED_FLAGS);
	struct gmem_error err;

	fake_fail(&u->f, FAKE_FALLOCATE, 0, 2, 3, -EINTR);
	t_ok(gmem_discard(g, 0, 2 * GiB, &err), err);
	assert_int_equal(err.done, 2 * GiB);
	assert_int_equal(fake_count(&u->f, FAKE_FALLOCATE, 0), 5);
	assert_int_equal(fake_nth(&u->f, FAKE_FALLOCATE, 0, 4)->arg[3], GiB);
}

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

	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		struct gmem_error err;

		fake_reset(&u->f);
		fake_fail(&u->f, FAKE_FALLOCATE, 0, 2, 1, rows[i].code);
		t_refused(gmem_discard(g, 0, 3 * GiB, &err), rows[i].code,
			  rows[i].why, err);
		assert_int_equal(err.sys_errno, -rows[i].code);
		assert_int_equal(err.done, GiB);
		assert_int_equal(u->f.n_calls, 2);
	}
}

/* The kernel punches beyond the end in silence. */
static void bad_ranges_are_refused_before_any_call(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_error err;

	t_refused(gmem_discard(NULL, 0, 4096, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_discard(g, 0, 0, &err), -EINVAL, GMEM_REASON_ZERO_SIZE,
		  err);
	t_refused(gmem_discard(g, 1, 4096, &err), -EINVAL,
		  GMEM_REASON_UNALIGNED, err);
	t_refused(gmem_discard(g, 0, 4097, &err), -EINVAL,
		  GMEM_REASON_UNALIGNED, err);
	t_refused(gmem_discard(g, MiB, 4096, &err), -EINVAL,
		  GMEM_REASON_OUTSIDE_FILE, err);
	t_refused(gmem_discard(g, 4096, UINT64_MAX - 4095, &err), -EINVAL,
		  GMEM_REASON_OFFSET_OVERFLOW, err);
	assert_int_equal(u->f.n_calls, 0);
}

static void huge_pages_are_discarded_whole_or_not(void **state)
{
	struct unit *u = *state;
	struct gmem_create_opts o = { .sz = sizeof(o),
				      .flags = GMEM_CREATE_UNBOUND,
				      .hugetlb_size = 2 * MiB };
	struct gmem_error err;
	struct gmem *g = NULL;

	unit_open_encoding(u, GMEM_HUGETLB_RFC2);
	t_ok(gmem_create(u->vm, 8 * MiB, &o, &g, &err), err);
	fake_reset(&u->f);
	t_refused(gmem_discard(g, 0, 4096, &err), -EINVAL,
		  GMEM_REASON_UNALIGNED, err);
	assert_int_equal(err.limit, 2 * MiB);
	assert_int_equal(u->f.n_calls, 0);
	t_ok(gmem_discard(g, 2 * MiB, 2 * MiB, &err), err);
}

#define TEST(name, how) cmocka_unit_test_setup_teardown(name, how, unit_end)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(discard_punches_holes_of_one_gib, unit_default),
		TEST(private_memory_is_discarded_as_well, unit_default),
		TEST(an_interrupted_discard_goes_on, unit_default),
		TEST(each_failure_ends_it_with_what_is_done, unit_default),
		TEST(bad_ranges_are_refused_before_any_call, unit_default),
		TEST(huge_pages_are_discarded_whole_or_not, unit_bare),
	};

	return t_main(tests);
}

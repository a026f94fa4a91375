// SPDX-License-Identifier: MIT
/* The handle: closing it, its getters, and the rules of a range. */
#include "unit.h"

static void close_waits_for_slots_and_mappings(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	struct gmem_error err;
	void *p = NULL;

	unit_bind(u, g, 0, 0);
	t_refused(gmem_close(g, &err), -EBUSY, GMEM_REASON_STILL_BOUND, err);
	assert_int_equal(err.value, 1);
	assert_int_equal(u->n_calls, 0);
	t_ok(gmem_unbind(u->vm, 0, 0, 0, &err), err);
	t_ok(gmem_mmap(g, 0, 4096, NULL, &p, &err), err);
	unit_reset(u);
	t_refused(gmem_close(g, &err), -EBUSY, GMEM_REASON_STILL_MAPPED, err);
	assert_int_equal(u->n_calls, 0);
	t_ok(gmem_munmap(g, p, &err), err);
	t_ok(gmem_close(g, &err), err);
}

static void the_getters_of_null_say_so(void **state)
{
	(void)state;
	t_code(gmem_fd(NULL), -EINVAL);
	assert_int_equal(gmem_size(NULL), 0);
	assert_int_equal(gmem_page_size(NULL), 0);
	assert_int_equal(gmem_flags(NULL), 0);
}

/* Every call that takes a range, with one that breaks a rule. */
static void range(struct unit *u, struct gmem *g, uint64_t offset, uint64_t len,
		  uint32_t why, uint64_t value)
{
	struct gmem_error err;
	uint64_t a = 7, run = 7;
	void *p = NULL;

	unit_reset(u);
	t_refused(t_bind(g, 0, 0, offset, len, NULL, &err), -EINVAL, why, err);
	assert_int_equal(err.value, value);
	t_refused(gmem_set_private(g, offset, len, &err), -EINVAL, why, err);
	t_refused(gmem_set_shared(g, offset, len, &err), -EINVAL, why, err);
	t_refused(gmem_get_attributes(g, offset, len, &a, &run, &err), -EINVAL,
		  why, err);
	t_refused(gmem_mmap(g, offset, len, NULL, &p, &err), -EINVAL, why, err);
	assert_int_equal(err.value, value);
	assert_int_equal(a, 7);
	assert_int_equal(run, 7);
	assert_null(p);
	assert_int_equal(u->n_calls, 0);
	assert_int_equal(u->n_allocs, 0);
}

static void a_range_is_pages_inside_the_file(void **state)
{
	struct unit *u = *state;
	uint64_t page = u->page, most = INT64_MAX - page + 1;
	struct gmem *g = unit_create(u, 4 * page, SHARED_FLAGS);
	struct gmem_error err;

	range(u, g, 0, 0, GMEM_REASON_ZERO_SIZE, 0);
	range(u, g, 1, page, GMEM_REASON_UNALIGNED, 1);
	range(u, g, 0, page + 1, GMEM_REASON_UNALIGNED, page + 1);
	range(u, g, 0, 5 * page, GMEM_REASON_OUTSIDE_FILE, 5 * page);
	range(u, g, 4 * page, page, GMEM_REASON_OUTSIDE_FILE, 5 * page);
	range(u, g, -page, page, GMEM_REASON_OFFSET_OVERFLOW, -page);
	range(u, g, -page, 2 * page, GMEM_REASON_OFFSET_OVERFLOW, -page);
	/* kernels up to 7.1 accept this one */
	range(u, g, most, page, GMEM_REASON_OFFSET_OVERFLOW, most);
	t_ok(gmem_close(g, &err), err);
}

static void the_file_calls_need_a_file(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;
	uint64_t a;
	size_t len = 0;
	void *p;
	char b;

	t_refused(t_bind(NULL, 0, 0, 0, 4096, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_unbind(NULL, 0, 0, 0, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_set_private(NULL, 0, 4096, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_get_attributes(NULL, 0, 4096, &a, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_attributes_export(NULL, NULL, &len, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_attributes_import(NULL, &b, 1, 0, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_mmap(NULL, 0, 4096, NULL, &p, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_munmap(NULL, &b, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_read(NULL, 0, &b, 1, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	t_refused(gmem_write(NULL, 0, &b, 1, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	assert_int_equal(u->n_calls, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(close_waits_for_slots_and_mappings, unit_default),
		TEST(the_getters_of_null_say_so, unit_default),
		TEST(a_range_is_pages_inside_the_file, unit_default),
		TEST(a_range_is_pages_inside_the_file, unit_arm64),
		TEST(the_file_calls_need_a_file, unit_default),
	};

	return t_main(tests);
}

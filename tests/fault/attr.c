// SPDX-License-Identifier: MIT
/* Converting and importing, each call failing in turn. */
#include "fault.h"

/* Two slots that are not neighbours, so that one conversion is two ioctls. */
static void two_slots(struct fault *t)
{
	struct gmem_error err;

	fault_private(t);
	t_ok(gmem_bind(t->g, 0, GiB, 0, 32 * KiB, NULL, &err), err);
	t_ok(gmem_bind(t->g, 1, GiB + 32 * KiB, 32 * KiB, 32 * KiB, NULL, &err),
	     err);
}

/* What is done is at the start of the range, and the record says so. */
static int convert(struct fault *t, struct gmem_error *err)
{
	int r = gmem_set_shared(t->g, 0, 64 * KiB, err);
	uint64_t a = 0, run = 0;

	if (r == 0) {
		assert_int_equal(err->done, 64 * KiB);
		return 0;
	}
	assert_int_equal(gmem_get_attributes(t->g, 0, 64 * KiB, &a, &run, NULL),
			 0);
	assert_int_equal(a == GMEM_ATTRIBUTE_SHARED ? run : 0, err->done);
	return r;
}

static void a_conversion_by_gpa_stops_where_it_says(void **state)
{
	static const struct scenario s = { .profile = fault_sw,
					   .type = GMEM_VM_SW_PROTECTED,
					   .prepare = two_slots,
					   .run = convert,
					   .caller = "gmem_set_shared" };

	(void)state;
	fault_run(&s);
}

static void a_conversion_in_place_stops_where_it_says(void **state)
{
	static const struct scenario s = { .profile = fake_init_inplace,
					   .type = GMEM_VM_SW_PROTECTED,
					   .prepare = fault_private,
					   .run = convert,
					   .caller = "gmem_set_shared" };

	(void)state;
	fault_run(&s);
}

/* A record with several runs, and a file to import it into. */
static void exported(struct fault *t)
{
	struct gmem_error err;

	fault_bound(t);
	t_ok(gmem_set_shared(t->g, 4096, 8192, &err), err);
	t_ok(gmem_set_shared(t->g, 32 * KiB, 16 * KiB, &err), err);
	t->len = sizeof(t->buf);
	t_ok(gmem_attributes_export(t->g, t->buf, &t->len, &err), err);
	t_ok(gmem_set_private(t->g, 0, 64 * KiB, &err), err);
}

static int import(struct fault *t, struct gmem_error *err)
{
	return gmem_attributes_import(t->g, t->buf, t->len, 0, err);
}

static void an_import_by_gpa_can_be_finished(void **state)
{
	static const struct scenario s = { .profile = fault_sw,
					   .type = GMEM_VM_SW_PROTECTED,
					   .prepare = exported,
					   .run = import,
					   .caller = "gmem_attributes_import" };

	(void)state;
	fault_run(&s);
}

static void an_import_in_place_can_be_finished(void **state)
{
	static const struct scenario s = { .profile = fake_init_inplace,
					   .type = GMEM_VM_SW_PROTECTED,
					   .prepare = exported,
					   .run = import,
					   .caller = "gmem_attributes_import" };

	(void)state;
	fault_run(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_conversion_by_gpa_stops_where_it_says),
		cmocka_unit_test(a_conversion_in_place_stops_where_it_says),
		cmocka_unit_test(an_import_by_gpa_can_be_finished),
		cmocka_unit_test(an_import_in_place_can_be_finished),
	};

	return t_main(tests);
}

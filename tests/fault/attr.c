// SPDX-License-Identifier: MIT
/* Converting and importing, each call failing in turn. */
#include "fault.h"

/* Two slots that are not neighbours, so that one conversion is two ioctls. */
static void two_slots(struct fault *t)
{
	uint64_t half = fault_size(t) / 2;
	struct gmem_error err;

	fault_private(t);
	t_ok(t_bind(t->g, 0, t->gpa, 0, half, NULL, &err), err);
	t_ok(t_bind(t->g, 1, t->gpa + half, half, half, NULL, &err), err);
}

/* What is done is at the start of the range, and the record says so. */
static int convert(struct fault *t, struct gmem_error *err)
{
	uint64_t a = 0, run = 0, len = fault_size(t);
	int r = t_share(t->g, 0, len, err);

	if (r == 0) {
		assert_int_equal(err->done, len);
		return 0;
	}
	assert_int_equal(gmem_get_attributes(t->g, 0, len, &a, &run, NULL), 0);
	assert_int_equal(a == GMEM_ATTRIBUTE_SHARED ? run : 0, err->done);
	return r;
}

static void a_conversion_by_gpa_stops_where_it_says(void **state)
{
	static const struct scenario s = { .kernels = fault_by_gpa,
					   .type = GMEM_VM_SW_PROTECTED,
					   .prepare = two_slots,
					   .run = convert,
					   .flags = FAULT_PROGRESS,
					   .caller = "gmem_set_shared" };

	(void)state;
	fault_run(&s);
}

/* With contents on both sides and a mapping, so that the model moves pages. */
static void converted_before(struct fault *t)
{
	uint64_t half = fault_size(t) / 2;
	struct gmem_error err;
	void *p;

	fault_shared(t);
	t_ok(gmem_populate(t->g, 0, half, NULL, &err), err);
	t_ok(gmem_mmap(t->g, 0, fault_size(t), NULL, &p, &err), err);
	t_ok(gmem_set_private(t->g, 0, 2 * t->page, &err), err);
	t_ok(gmem_set_private(t->g, half, 2 * t->page, &err), err);
}

static int convert_all(struct fault *t, struct gmem_error *err)
{
	return gmem_set_private(t->g, 0, fault_size(t), err);
}

static void in_place(void (*prepare)(struct fault *t),
		     int (*run)(struct fault *t, struct gmem_error *err),
		     const char *caller)
{
	struct scenario s = { .kernels = fault_in_place,
			      .type = GMEM_VM_SW_PROTECTED,
			      .prepare = prepare,
			      .run = run,
			      .flags = FAULT_PROGRESS,
			      .caller = caller };

	fault_run(&s);
}

static void a_conversion_in_place_stops_where_it_says(void **state)
{
	(void)state;
	in_place(fault_private, convert, "gmem_set_shared");
}

static void a_conversion_of_what_is_mapped_loses_nothing(void **state)
{
	(void)state;
	in_place(converted_before, convert_all, "gmem_set_private");
}

/* A record with several runs, and a file to import it into. */
static void exported(struct fault *t)
{
	struct gmem_error err;

	fault_bound(t);
	t_ok(t_share(t->g, t->page, 2 * t->page, &err), err);
	t_ok(t_share(t->g, 8 * t->page, 4 * t->page, &err), err);
	t->len = sizeof(t->buf);
	t_ok(gmem_attributes_export(t->g, t->buf, &t->len, &err), err);
	t_ok(gmem_set_private(t->g, 0, fault_size(t), &err), err);
}

static int import(struct fault *t, struct gmem_error *err)
{
	return gmem_attributes_import(t->g, t->buf, t->len,
				      GMEM_IMPORT_UNBACKED, err);
}

static void an_import_by_gpa_can_be_finished(void **state)
{
	static const struct scenario s = { .kernels = fault_by_gpa,
					   .type = GMEM_VM_SW_PROTECTED,
					   .prepare = exported,
					   .run = import,
					   .flags = FAULT_PROGRESS,
					   .caller = "gmem_attributes_import" };

	(void)state;
	fault_run(&s);
}

static void an_import_in_place_can_be_finished(void **state)
{
	(void)state;
	in_place(exported, import, "gmem_attributes_import");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_conversion_by_gpa_stops_where_it_says),
		cmocka_unit_test(a_conversion_in_place_stops_where_it_says),
		cmocka_unit_test(a_conversion_of_what_is_mapped_loses_nothing),
		cmocka_unit_test(an_import_by_gpa_can_be_finished),
		cmocka_unit_test(an_import_in_place_can_be_finished),
	};

	return t_main(tests);
}

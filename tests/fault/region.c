// SPDX-License-Identifier: MIT
/* Regions, each call failing in turn. */
#include "fault.h"
#include "side.h"

static struct gmem_region *region;
/* Its shared memory, which outlives it. */
static struct side side;

static int create(struct fault *t, struct gmem_error *err)
{
	struct gmem_region *r = NULL;
	int ret;

	side_tell(&t->u, &side);
	ret = gmem_region_create(t->u.vm, fault_size(t), &side.o, &r, err);
	side_told(&t->u);
	if (ret < 0)
		t->touched = r != NULL;
	else
		region = r;
	return ret;
}

static int end(struct fault *t, struct gmem_error *err)
{
	int r = gmem_region_close(region, err);

	if (r == 0)
		t->g = NULL;
	return r;
}

static void must_end(struct fault *t)
{
	struct gmem_error err;

	t_ok(end(t, &err), err);
}

static void made(struct fault *t)
{
	struct gmem_region_info i = GMEM_INIT(struct gmem_region_info);
	struct gmem_error err;

	t_ok(create(t, &err), err);
	t_ok(gmem_region_get(region, &i, &err), err);
	t->g = i.gmem;
}

/* Half of it each, so that a run of both is two ioctls by guest address. */
static int bind(struct fault *t, uint32_t slot, struct gmem_error *err)
{
	uint64_t half = fault_size(t) / 2;
	struct gmem_slot s = { .sz = sizeof(s),
			       .slot = slot,
			       .gpa = t->gpa + slot * half,
			       .offset = slot * half,
			       .len = half };

	return gmem_region_bind(region, &s, err);
}

static int bind_first(struct fault *t, struct gmem_error *err)
{
	return bind(t, 0, err);
}

static int unbind_first(struct fault *t, struct gmem_error *err)
{
	(void)t;
	return gmem_region_unbind(region, 0, 0, 0, err);
}

static void must_unbind(struct fault *t)
{
	struct gmem_error err;

	t_ok(unbind_first(t, &err), err);
}

static int bind_again(struct fault *t, struct gmem_error *err)
{
	int r = unit_slot(&t->u, 0) ? unbind_first(t, err) : 0;

	return r < 0 ? r : bind_first(t, err);
}

static void bound(struct fault *t)
{
	struct gmem_error err;

	made(t);
	t_ok(bind(t, 0, &err), err);
	t_ok(bind(t, 1, &err), err);
}

static int convert_some(struct fault *t, uint64_t attributes, uint64_t flags,
			struct gmem_error *err)
{
	struct gmem_region_range range[] = {
		{ 6 * t->page, 4 * t->page }, /* over both slots */
		{ t->page, 2 * t->page },
	};
	struct gmem_convert_opts o = { .sz = sizeof(o), .flags = flags };

	return gmem_region_convert(region, range, T_ARRAY_SIZE(range),
				   attributes, &o, NULL, err);
}

static int share(struct fault *t, struct gmem_error *err)
{
	return convert_some(t, GMEM_ATTRIBUTE_SHARED, 0, err);
}

static int make_private(struct fault *t, struct gmem_error *err)
{
	return convert_some(t, GMEM_ATTRIBUTE_PRIVATE, 0, err);
}

static void mixed(struct fault *t)
{
	struct gmem_error err;

	bound(t);
	t_ok(convert_some(t, GMEM_ATTRIBUTE_SHARED, GMEM_CONVERT_DEFER, &err),
	     err);
}

static int discard(struct fault *t, struct gmem_error *err)
{
	return gmem_region_discard(region, 0, fault_size(t), NULL, err);
}

static int reclaim(struct fault *t, struct gmem_error *err)
{
	return gmem_region_reclaim(region, 0, fault_size(t), NULL, NULL, err);
}

static int reset(struct fault *t, struct gmem_error *err)
{
	(void)t;
	return gmem_region_reset(region, NULL, err);
}

static int resident(struct fault *t, struct gmem_error *err)
{
	struct gmem_region_residency there = { .sz = sizeof(there),
					       .unused_bytes = 77 };
	int r = gmem_region_resident(region, 0, fault_size(t), &there, err);

	t->touched = r < 0 && there.unused_bytes != 77;
	return r;
}

static int serve(struct fault *t, struct gmem_error *err)
{
	struct gmem_guard g = GMEM_INIT(struct gmem_guard);
	struct gmem_answer a = { .sz = sizeof(a), .kind = 77 };
	struct gmem_exit e = {
		.sz = sizeof(e),
		.kind = GMEM_EXIT_MAP_GPA_RANGE,
		.gpa = t->gpa,
		.len = fault_size(t),
		.attributes = GMEM_ATTRIBUTE_SHARED,
	};
	int r = gmem_vm_serve(t->u.vm, &e, &g, NULL, &a, err);

	t->touched = r < 0 && a.kind != 77;
	return r;
}

/* With two backings, each way to have shared memory. */
static void run_by_gpa(struct scenario s)
{
	s.type = GMEM_VM_SW_PROTECTED;
	s.kernels = fault_by_gpa;
	for (enum side_way way = SIDE_OWN; way < SIDE_WAYS; way++) {
		side_make(&side, way, FAULT_PAGES * PAGE);
		fault_run(&s);
		side_end(&side);
	}
}

static void run(struct scenario s)
{
	run_by_gpa(s);
	side_make(&side, SIDE_OWN, 0);
	s.type = GMEM_VM_SW_PROTECTED;
	s.kernels = fault_in_place;
	fault_run(&s);
}

static void a_region_that_is_not_made_leaves_nothing(void **state)
{
	(void)state;
	run((struct scenario){ .run = create,
			       .undo = must_end,
			       .caller = "gmem_region_create" });
}

static void a_close_that_fails_can_be_made_again(void **state)
{
	(void)state;
	run((struct scenario){ .prepare = made,
			       .run = end,
			       .flags = FAULT_FREES,
			       .caller = "gmem_region_close" });
}

static void a_slot_is_there_or_not(void **state)
{
	(void)state;
	run((struct scenario){ .prepare = made,
			       .run = bind_first,
			       .undo = must_unbind,
			       .views = 1,
			       .caller = "gmem_region_bind" });
	run((struct scenario){ .prepare = bound,
			       .run = unbind_first,
			       .again = bind_again,
			       .flags = FAULT_PARTLY | FAULT_FREES,
			       .caller = "gmem_region_unbind" });
}

static void a_conversion_stops_where_it_says(void **state)
{
	(void)state;
	run((struct scenario){ .prepare = bound,
			       .run = share,
			       .patient = true,
			       .flags = FAULT_PROGRESS,
			       .caller = "gmem_region_convert" });
	run((struct scenario){ .prepare = mixed,
			       .run = make_private,
			       .patient = true,
			       .flags = FAULT_PROGRESS,
			       .caller = "gmem_region_convert" });
}

static void what_is_not_freed_can_be_later(void **state)
{
	(void)state;
	run((struct scenario){ .prepare = mixed,
			       .run = discard,
			       .flags = FAULT_PARTLY,
			       .patient = true,
			       .caller = "gmem_region_discard" });
	run((struct scenario){ .prepare = mixed,
			       .run = reset,
			       .flags = FAULT_PARTLY,
			       .patient = true,
			       .caller = "gmem_region_reset" });
}

/* In place nothing is ever queued. */
static void what_is_queued_stays_so(void **state)
{
	(void)state;
	run_by_gpa((struct scenario){ .prepare = mixed,
				      .run = reclaim,
				      .flags = FAULT_PROGRESS,
				      .patient = true,
				      .caller = "gmem_region_reclaim" });
}

static void counting_changes_nothing(void **state)
{
	(void)state;
	run((struct scenario){ .prepare = mixed,
			       .run = resident,
			       .views = 1,
			       .patient = true,
			       .caller = "gmem_region_resident" });
}

static void an_exit_has_an_answer_or_an_error(void **state)
{
	(void)state;
	run((struct scenario){ .prepare = bound,
			       .run = serve,
			       .patient = true,
			       .flags = FAULT_PROGRESS,
			       .caller = "gmem_vm_serve" });
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_region_that_is_not_made_leaves_nothing),
		cmocka_unit_test(a_close_that_fails_can_be_made_again),
		cmocka_unit_test(a_slot_is_there_or_not),
		cmocka_unit_test(a_conversion_stops_where_it_says),
		cmocka_unit_test(what_is_not_freed_can_be_later),
		cmocka_unit_test(what_is_queued_stays_so),
		cmocka_unit_test(counting_changes_nothing),
		cmocka_unit_test(an_exit_has_an_answer_or_an_error),
	};

	return t_main(tests);
}
